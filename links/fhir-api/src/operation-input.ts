import { spanOf } from '@carespine/fhir/dates'
import { isResourceType } from '@carespine/fhir/definitions'
import type { Issue } from '@carespine/fhir/outcome'
import type { CodeableConcept, Coding, Meta, Parameters, ParametersParameter, Resource } from '@carespine/fhir/resource'
import { validate } from '@carespine/fhir/validate'
import { refuse } from '@carespine/kit/module'

/** An input as an OperationDefinition gives it; `parts` is one that is made of others. */
interface InputDefinition {
  type: string
  min: number
  max: string
}

export interface InputRules {
  inputs: Readonly<Record<string, InputDefinition>>
  /** Names among the inputs that are supported here. */
  understood: readonly string[]
  /** Parameters beside those of the definition, or any: those of a search. */
  more?: readonly string[] | 'search'
}

/** Read by whoever answers in the format asked for. */
const OF_EVERY_REQUEST = new Set(['_format', '_pretty'])

function fault(code: Issue['code'], diagnostics: string): Issue {
  return { severity: 'error', code, diagnostics }
}

function primitiveOf(type: string, text: string): string | number | boolean | undefined {
  switch (type) {
    case 'boolean':
      return text === 'true' || text === 'false' ? text === 'true' : undefined
    case 'integer':
    case 'positiveInt':
      return /^\d{1,9}$/.test(text) ? Number(text) : undefined
    case 'date':
    case 'dateTime':
    case 'instant': {
      // A plus sign stands for a space in a URL.
      const date = text.replace(' ', '+')
      return spanOf(date) ? date : undefined
    }
    default:
      return text
  }
}

const PRIMITIVES = new Set(['boolean', 'integer', 'positiveInt', 'date', 'dateTime', 'instant', 'string', 'code', 'uri', 'canonical', 'id'])

function givenValue(type: string, parameter: ParametersParameter): unknown {
  if (type === 'parts') return parameter.part
  if (type === 'Resource' || isResourceType(type)) return parameter.resource && (type === 'Resource' || parameter.resource.resourceType === type) ? parameter.resource : undefined
  const name = Object.keys(parameter).find((key) => key.startsWith('value'))
  const value = name === undefined ? undefined : parameter[name as keyof ParametersParameter]
  // The types of texts are told apart by the definition, not by every client.
  if (PRIMITIVES.has(type)) return typeof value === 'object' || value === undefined ? undefined : primitiveOf(type, String(value))
  return name === `value${type}` ? value : undefined
}

/** What an operation was asked with, checked against its definition. */
export class OperationInput {
  readonly #values = new Map<string, unknown[]>()
  /** Search parameters, for an operation that takes them. */
  readonly rest: [string, string][] = []

  add(name: string, value: unknown): void {
    this.#values.set(name, [...(this.#values.get(name) ?? []), value])
  }

  all<T>(name: string): T[] {
    return (this.#values.get(name) ?? []) as T[]
  }

  text(name: string): string | undefined {
    return this.all<string>(name)[0]
  }

  /** Comma-separated values count one by one. */
  texts(name: string): string[] {
    return this.all<string>(name).flatMap((text) => text.split(',')).filter((text) => text !== '')
  }

  flag(name: string): boolean | undefined {
    return this.all<boolean>(name)[0]
  }

  number(name: string): number | undefined {
    return this.all<number>(name)[0]
  }

  coding(name: string): Coding | undefined {
    return this.all<Coding>(name)[0]
  }

  concept(name: string): CodeableConcept | undefined {
    return this.all<CodeableConcept>(name)[0]
  }

  meta(name: string): Meta | undefined {
    return this.all<Meta>(name)[0]
  }

  resource<R extends Resource>(name: string): R | undefined {
    return this.all<R>(name)[0]
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }
}

/**
 * Reads the inputs of an operation from the query and from a Parameters resource, or from the one resource it is about
 * (R4 Operations Framework, section 3.2.0.2). What the definition does not name, or is not supported, is refused.
 */
export function readInput({ inputs, understood, more = [] }: InputRules, query: readonly (readonly [string, string])[], body: unknown): OperationInput {
  const input = new OperationInput()
  const issues: Issue[] = []
  const definitionOf = (name: string): InputDefinition | undefined => {
    const definition = Object.hasOwn(inputs, name) ? inputs[name] : undefined
    if (definition && understood.includes(name)) return definition
    const shown = /^[\w:.-]{1,60}$/.test(name) ? name : 'A parameter'
    issues.push(definition ? fault('not-supported', `${shown} is not supported here. Leave it out.`) : fault('invalid', `${shown} is no parameter of this operation.`))
    return undefined
  }
  for (const [name, text] of query) {
    if (OF_EVERY_REQUEST.has(name) || text === '') continue
    if (more !== 'search' && more.includes(name)) {
      input.add(name, text)
      continue
    }
    if (more === 'search' && !Object.hasOwn(inputs, name)) {
      input.rest.push([name, text])
      continue
    }
    const definition = definitionOf(name)
    if (!definition) continue
    const value = PRIMITIVES.has(definition.type) ? primitiveOf(definition.type, text) : undefined
    if (value !== undefined) input.add(name, value)
    else issues.push(fault('value', `${name}: ${PRIMITIVES.has(definition.type) ? `give a ${definition.type}.` : `a ${definition.type} is sent in a Parameters resource by POST.`}`))
  }
  for (const parameter of parametersIn(body, inputs)) {
    const { name = '' } = parameter
    const definition = definitionOf(name)
    if (!definition) continue
    const value = givenValue(definition.type, parameter)
    if (value === undefined) issues.push(fault('value', `${name}: give a ${definition.type}.`))
    else input.add(name, value)
  }
  for (const [name, { min, max }] of Object.entries(inputs)) {
    const count = input.all(name).length
    if (count < min) issues.push(fault('required', `${name} is required.`))
    else if (max !== '*' && count > Number(max)) issues.push(fault('invalid', `${name} is given once at most.`))
  }
  if (issues.length > 0) refuse('FHIR_OPERATION_INPUT_INVALID', { issues: issues.slice(0, 20) })
  return input
}

function parametersIn(body: unknown, inputs: InputRules['inputs']): ParametersParameter[] {
  if (body === undefined || body === null) return []
  if (typeof body !== 'object' || Array.isArray(body)) return refuse('INPUT_MALFORMED')
  // Structure is what the code below relies on. Rules of content, such as a comment on each inexact mapping, are for what is
  // stored: a question is answered all the same.
  const issues = validate(body).filter(({ severity, code }) => severity === 'error' && code !== 'invariant')
  if (issues.length > 0) refuse('RECORD_INVALID', { issues })
  const resource = body as Resource | Parameters
  if (resource.resourceType === 'Parameters') return resource.parameter ?? []
  const name = Object.keys(inputs).find((one) => inputs[one]?.type === resource.resourceType || inputs[one]?.type === 'Resource')
  return name === undefined ? refuse('FHIR_OPERATION_BODY_UNSUPPORTED') : [{ name, resource }]
}

/** A Parameters resource of what an operation answers; undefined ones are left out. */
export function parametersOf(parameters: readonly (ParametersParameter | undefined)[]): Parameters {
  return { resourceType: 'Parameters', parameter: parameters.flatMap((one) => one ?? []) }
}
