import { existsSync, readFileSync } from 'node:fs'
import type { ResourceType } from './resource.ts'
import type { ElementPath, Step } from './search-expression.ts'

export type { ElementPath } from './search-expression.ts'

export type ParameterType = 'string' | 'token' | 'reference' | 'uri' | 'date' | 'number' | 'quantity' | 'composite' | 'special'

export interface SearchParameterDefinition {
  code: string
  type: ParameterType
  /** Canonical URL of its SearchParameter. */
  url: string
  paths: readonly ElementPath[]
  targets: readonly string[]
  /** A resource may have several values. */
  many: boolean
  /** Bit of a row that says whether the resource has a value; none for composites and for parameters added here. */
  bit?: number
  /** Of a composite, in the order of their values; paths start at each place of the composite. */
  components?: readonly Component[]
}

export interface Component {
  /** The parameter of the same resource type that is indexed. */
  code: string
  type: ParameterType
  paths: readonly ElementPath[]
  /** The paths start at the resource. */
  whole: boolean
}

/** Parameters of a type by code. */
export type ParameterLookup = (type: ResourceType) => ReadonlyMap<string, SearchParameterDefinition>

/** A path as it is written to the generated file: `telecom[system=phone]`, its type, and what else is known of it. */
type CompiledPath = [path: string, type: string, more?: { many?: 1; target?: string; exists?: 1; systems?: readonly string[]; expression?: string }]

export interface CompiledParameter {
  type: ParameterType
  /** Last part of the URL. */
  id: string
  paths: CompiledPath[]
  targets?: string[]
  bit?: number
  components?: { code: string; type: ParameterType; paths: CompiledPath[]; whole?: 1 }[]
}

/** The form in which a path is kept. */
export function writePath({ steps, type, many, target, exists, systems, expression }: ElementPath): CompiledPath {
  const path = steps
    .map((step, at) => (typeof step === 'string' ? `${at === 0 ? '' : '.'}${step}` : 'at' in step ? `[${step.at}]` : `[${step.property}=${step.is}]`))
    .join('')
  const more = { ...(many ? { many: 1 as const } : {}), ...(target ? { target } : {}), ...(exists ? { exists: 1 as const } : {}), ...(systems ? { systems } : {}), ...(expression ? { expression } : {}) }
  return Object.keys(more).length > 0 ? [path, type, more] : [path, type]
}

function readPath([path, type, more = {}]: CompiledPath): ElementPath {
  const { many, target, exists, systems, expression } = more
  // What a property is compared with may hold dots, but no closing bracket: a URL or a code.
  const steps = (path.match(/\[[^\]]*\]|[^.[\]]+/g) ?? []).map((part): Step => {
    if (!part.startsWith('[')) return part
    const inner = part.slice(1, -1)
    const equals = inner.indexOf('=')
    return equals > 0 ? { property: inner.slice(0, equals), is: inner.slice(equals + 1) } : { at: Number(inner) }
  })
  return { steps, type, many: many === 1, ...(target ? { target } : {}), ...(exists ? { exists: true } : {}), ...(systems ? { systems } : {}), ...(expression ? { expression } : {}) }
}

const source = new URL('../generated/search.json', import.meta.url)
// Absent only while it is being generated.
const compiled = existsSync(source) ? (JSON.parse(readFileSync(source, 'utf8')) as Record<string, Record<string, CompiledParameter>>) : {}
const byType = new Map<string, ReadonlyMap<string, SearchParameterDefinition>>()

/** The R4 search parameters of a type by code; those that R4 gives no element to, such as `_text`, apart. */
export function searchParametersOf(type: ResourceType): ReadonlyMap<string, SearchParameterDefinition> {
  let parameters = byType.get(type)
  if (!parameters) {
    parameters = new Map(Object.entries(compiled[type] ?? {}).map(([code, parameter]) => [code, readParameter(code, parameter)]))
    byType.set(type, parameters)
  }
  return parameters
}

/** A parameter as it was compiled. */
export function readParameter(code: string, { type, id, paths, targets = [], bit, components }: CompiledParameter): SearchParameterDefinition {
  const read = paths.map(readPath)
  return {
    code,
    type,
    url: `http://hl7.org/fhir/SearchParameter/${id}`,
    targets,
    paths: read,
    many: read.some(({ many }) => many),
    ...(bit === undefined ? {} : { bit }),
    ...(components ? { components: components.map(({ whole, ...one }) => ({ ...one, paths: one.paths.map(readPath), whole: whole === 1 })) } : {}),
  }
}

const nothing: readonly unknown[] = []

/** Values at a path, from a resource or an element; arrays on the way are walked through. */
export function valuesAt(from: unknown, { steps }: ElementPath): readonly unknown[] {
  let values: readonly unknown[] = [from]
  for (const step of steps) {
    values = typeof step === 'string' ? childrenOf(values, step) : 'at' in step ? values.slice(step.at, step.at + 1) : values.filter((value) => has(value, step))
    if (values.length === 0) return nothing
  }
  return values
}

function has(value: unknown, { property, is }: { property: string; is: string }): boolean {
  const found = (value as Record<string, unknown> | null)?.[property]
  return Array.isArray(found) ? found.includes(is) : found === is
}

function childrenOf(values: readonly unknown[], name: string): readonly unknown[] {
  if (values.length === 1) {
    const found = (values[0] as Record<string, unknown> | null)?.[name]
    if (found === undefined || found === null) return nothing
    return Array.isArray(found) ? found.flat().filter((one) => one !== null && one !== undefined) : [found]
  }
  return values.flatMap((value) => {
    const found = (value as Record<string, unknown> | null)?.[name]
    if (found === undefined || found === null) return []
    return Array.isArray(found) ? found.filter((one) => one !== null && one !== undefined) : [found]
  })
}
