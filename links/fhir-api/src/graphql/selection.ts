import { type Compiled, compileExpression } from '@carespine/fhir/fhirpath'
import { ExpressionFault } from '@carespine/fhir/fhirpath-syntax'
import type { ParameterLookup } from '@carespine/fhir/search-parameters'
import { type DirectiveNode, type FieldNode, Kind, print, type SelectionSetNode } from 'graphql'
import { argumentOf, argumentsOf, type Arguments, readArguments, type Standing } from './arguments.ts'
import { ANY, concretesOf, type Field, fieldOf, isResource, nameOf, pathNamed, QUERY, referencesTo } from './fields.ts'
import { faultAt, GraphqlFault, tooMuch } from './graphql-fault.ts'
import type { Query } from './read-document.ts'

/** More fields than a person selects in a day; each fragment counts wherever it is spread. */
const MOST_FIELDS = 2000
/** Levels of fields: FHIR's own structures have up to eight, references lead on. */
const DEEPEST = 25
/** Searches that stand in a query; each may be run for many resources. */
const MOST_SEARCHES = 50

/** A field as it is selected on one type. */
export interface Selected {
  /** Name in the answer. */
  key: string
  node: FieldNode
  field: Field
  arguments: Arguments
  below: Selection
  first: boolean
  flatten: boolean
  singleton: boolean
  slice?: Compiled
  /** Of the argument. */
  fhirpath?: Compiled
}

/** Where a query begins: at the whole record, or at one resource. */
export interface Start {
  root: string
  parametersOf: ParameterLookup
}

/** The fields that are selected at one place, for each type that may stand there. */
export class Selection {
  readonly #query: Query
  readonly #start: Start
  readonly #nodes: readonly SelectionSetNode[]
  readonly isRoot: boolean
  /** What stands here may be of any type: a field counts where it fits. */
  readonly #isAny: boolean
  readonly #byType = new Map<string, readonly Selected[]>()

  constructor(query: Query, start: Start, nodes: readonly SelectionSetNode[], { isRoot = false, isAny = false } = {}) {
    this.#query = query
    this.#start = start
    this.#nodes = nodes
    this.isRoot = isRoot
    this.#isAny = isAny
  }

  /** On a type; of what may be any resource, the fields that this type has. Refuses two fields of one name. */
  of(path: string): readonly Selected[] {
    let selected = this.#byType.get(path)
    if (!selected) {
      selected = this.#collect(path)
      this.#byType.set(path, selected)
    }
    return selected
  }

  #collect(path: string): Selected[] {
    const gathered: { key: string; field: Field; nodes: FieldNode[] }[] = []
    for (const node of fieldsIn(this.#query, this.#nodes, (condition) => isOfType(path, condition))) {
      const field = fieldOf(path, node.name.value, { isRoot: this.isRoot })
      if (!field || field.isScalar !== (node.selectionSet === undefined)) continue
      const key = node.alias?.value ?? node.name.value
      if (key === '__proto__') faultAt(node, 'A field cannot have this name.')
      const same = gathered.find((one) => one.key === key && isSame(one.nodes[0] as FieldNode, node))
      if (same) same.nodes.push(node)
      else {
        const other = gathered.find((one) => one.key === key)
        // R4 GraphQL, Resource references: one `resource` for each type.
        if (other && !(other.field.from === 'target' && field.from === 'target')) faultAt(node, `${key} is selected twice, and not the same. Give one of them another name: other: ${node.name.value}.`)
        gathered.push({ key, field, nodes: [node] })
      }
    }
    return gathered.flatMap(({ key, field, nodes }): Selected[] => {
      try {
        return [this.#selected(path, key, field, nodes)]
      } catch (error) {
        if (this.#isAny && error instanceof GraphqlFault) return []
        throw error
      }
    })
  }

  #selected(path: string, key: string, field: Field, nodes: readonly FieldNode[]): Selected {
    const [node] = nodes as [FieldNode]
    const below = new Selection(this.#query, this.#start, nodes.flatMap(({ selectionSet }) => selectionSet ?? []), { isAny: field.type === ANY })
    const given = argumentsAt(this.#query, this.#start, path, field, node)
    const fhirpath = given.get('fhirpath')
    const slice = node.directives?.find(({ name }) => name.value === 'slice')
    return {
      key,
      node,
      field,
      arguments: given,
      below,
      first: has(node, 'first'),
      flatten: has(node, 'flatten'),
      singleton: has(node, 'singleton'),
      ...(slice ? { slice: sliceOf(this.#query, slice) } : {}),
      ...(typeof fhirpath === 'string' ? { fhirpath: expressionOf(node, fhirpath) } : {}),
    }
  }
}

const has = ({ directives }: FieldNode, directive: string): boolean => directives?.some(({ name }) => name.value === directive) ?? false

function argumentsAt({ variables }: Query, { parametersOf }: Start, path: string, field: Field, node: FieldNode): Arguments {
  const standing: Standing = { parametersOf, isWithin: path !== QUERY }
  const given = readArguments(node.arguments ?? [], (name) => argumentOf(field, name, standing), variables)
  if (field.of || field.from === 'type') {
    for (const [name, { required }] of argumentsOf(field, standing)) if (required && !given.has(name)) faultAt(node, `${node.name.value}: give the argument ${name}.`, 'required')
  }
  const reference = given.get('_reference')
  if (field.of && reference !== undefined && !referencesTo(path, field.of, parametersOf).some((code) => code.replaceAll('-', '_') === reference)) {
    faultAt(node, `_reference: give a search parameter of ${field.of} that refers to ${path}.`, 'value')
  }
  return given
}

function expressionOf(node: FieldNode | DirectiveNode, text: string): Compiled {
  try {
    return compileExpression(text)
  } catch (error) {
    if (!(error instanceof ExpressionFault)) throw error
    return faultAt(node, `The FHIRPath expression cannot be used: ${error.message}.`, 'value')
  }
}

function sliceOf({ variables }: Query, node: DirectiveNode): Compiled {
  const given = readArguments(node.arguments ?? [], (name) => (name === 'path' || name === 'fhirpath' ? { form: 'text', type: 'String' } : undefined), variables)
  const [text, ...others] = given.values()
  return typeof text === 'string' && others.length === 0 ? expressionOf(node, text) : faultAt(node, '@slice takes path: a FHIRPath expression.', 'required')
}

function isSame(one: FieldNode, other: FieldNode): boolean {
  const told = ({ name, arguments: given = [], directives = [] }: FieldNode): string => [name.value, ...given.map(print).toSorted(), ...directives.filter((each) => !isConditional(each)).map(print).toSorted()].join(' ')
  return told(one) === told(other)
}

const isConditional = ({ name }: DirectiveNode): boolean => name.value === 'skip' || name.value === 'include'

// An interface that is no type of its own: what stands there is always of one that is.
function isOfType(path: string, condition: string): boolean {
  return path === condition || (condition === ANY && isResource(path)) || (path === ANY && isResource(condition))
}

/** Fields of selections, those of fragments that apply included; each fragment once. */
function* fieldsIn(query: Query, nodes: readonly SelectionSetNode[], applies: (condition: string) => boolean, seen = new Set<string>()): Generator<FieldNode> {
  for (const { selections } of nodes) {
    for (const one of selections) {
      if (!isWanted(query, one.directives ?? [])) continue
      if (one.kind === Kind.FIELD) yield one
      else if (one.kind === Kind.INLINE_FRAGMENT) {
        const condition = one.typeCondition && pathNamed(one.typeCondition.name.value)
        if (!one.typeCondition || (condition !== undefined && applies(condition))) yield* fieldsIn(query, [one.selectionSet], applies, seen)
      } else if (!seen.has(one.name.value)) {
        seen.add(one.name.value)
        const fragment = query.fragments.get(one.name.value)
        const condition = fragment && pathNamed(fragment.typeCondition.name.value)
        if (fragment && condition !== undefined && applies(condition)) yield* fieldsIn(query, [fragment.selectionSet], applies, seen)
      }
    }
  }
}

function isWanted({ variables }: Query, directives: readonly DirectiveNode[]): boolean {
  return directives.every((node) => {
    if (!isConditional(node)) return true
    const given = readArguments(node.arguments ?? [], (name) => (name === 'if' ? { form: 'flag', type: 'Boolean' } : undefined), variables).get('if')
    if (typeof given !== 'boolean') return faultAt(node, `@${node.name.value} takes if: true or false.`, 'required')
    return given === (node.name.value === 'include')
  })
}

/** Checks a query against the types of FHIR, and gives what it selects. Refuses what has faults or is too much. */
export function checkedSelection(query: Query, start: Start): Selection {
  const counts = { fields: 0, searches: 0 }
  const nodes = [query.operation.selectionSet]
  const selection = new Selection(query, start, nodes, { isRoot: true })
  checkLevel(query, start, counts, nodes, concretesOf(start.root), 1)
  return selection
}

function checkLevel(query: Query, start: Start, counts: { fields: number; searches: number }, nodes: readonly SelectionSetNode[], paths: readonly string[], depth: number): void {
  const isRoot = depth === 1
  if (paths.length === 1) new Selection(query, start, nodes, { isRoot }).of(paths[0] as string)
  for (const { node, on } of placesIn(query, nodes, paths)) {
    counts.fields += 1
    if (counts.fields > MOST_FIELDS) tooMuch(`The query selects more than ${MOST_FIELDS} fields.`, node)
    if (depth > DEEPEST) tooMuch(`The query selects fields more than ${DEEPEST} levels deep.`, node)
    const found = fieldsOn(node, on, isRoot)
    checkShape(node, found)
    checkArguments(query, start, node, found)
    if (found.some(({ field }) => field.from === 'list' || field.from === 'connection')) {
      counts.searches += 1
      if (counts.searches > MOST_SEARCHES) tooMuch(`The query has more than ${MOST_SEARCHES} searches.`, node)
    }
    if (node.selectionSet) checkLevel(query, start, counts, [node.selectionSet], belowOf(query, node, found), depth + 1)
  }
}

interface Place {
  path: string
  field: Field
}

// Each selected field with the types that it is selected on, as fragments narrow them.
function* placesIn(query: Query, nodes: readonly SelectionSetNode[], paths: readonly string[]): Generator<{ node: FieldNode; on: readonly string[] }> {
  for (const { selections } of nodes) {
    for (const one of selections) {
      isWanted(query, one.directives ?? [])
      if (one.kind === Kind.FIELD) {
        yield { node: one, on: paths }
        continue
      }
      const fragment = one.kind === Kind.INLINE_FRAGMENT ? one : query.fragments.get(one.name.value)
      if (!fragment) continue
      const name = fragment.typeCondition?.name.value
      const condition = name === undefined ? undefined : (pathNamed(name) ?? faultAt(fragment.typeCondition, `There is no type ${name} to select fields of.`, 'not-supported'))
      const on = condition === undefined ? paths : paths.filter((path) => isOfType(path, condition))
      if (on.length === 0) faultAt(one, `What stands here is never of the type ${name}.`)
      yield* placesIn(query, [fragment.selectionSet], on)
    }
  }
}

function fieldsOn(node: FieldNode, on: readonly string[], isRoot: boolean): Place[] {
  const name = node.name.value
  const found = on.flatMap((path): Place[] => {
    const field = fieldOf(path, name, { isRoot })
    return field ? [{ path, field }] : []
  })
  if (found.length > 0) return found
  return faultAt(node, on.length === 1 ? `${nameOf(on[0] as string)} has no field ${name}.` : `No resource that may stand here has a field ${name}.`, 'not-supported')
}

function checkShape(node: FieldNode, found: readonly Place[]): void {
  const name = node.name.value
  if (node.selectionSet && found.every(({ field }) => field.isScalar)) faultAt(node, `${name} is a value: nothing can be selected in it.`)
  if (!node.selectionSet && found.every(({ field }) => !field.isScalar)) faultAt(node, `${name} holds several fields: select some of them, such as ${name} { … }.`)
  if (has(node, 'flatten') && !node.selectionSet) faultAt(node, '@flatten stands at a field that others are selected in.')
}

// Of what may be of several types, one has to take the arguments.
function checkArguments(query: Query, start: Start, node: FieldNode, found: readonly Place[]): void {
  let fault: GraphqlFault | undefined
  for (const { path, field } of found) {
    try {
      argumentsAt(query, start, path, field, node)
      return
    } catch (error) {
      if (!(error instanceof GraphqlFault)) throw error
      fault ??= error
    }
  }
  if (fault) throw fault
}

function belowOf(query: Query, node: FieldNode, found: readonly Place[]): string[] {
  const paths = new Set(found.filter(({ field }) => !field.isScalar).flatMap(({ field }) => concretesOf(field.type)))
  const [place] = found
  if (place?.field.from !== 'target') return [...paths]
  const standing: Standing = { parametersOf: () => new Map(), isWithin: true }
  const types = readArguments(node.arguments ?? [], (name) => argumentOf(place.field, name, standing), query.variables).get('type') as readonly string[] | undefined
  for (const type of types ?? []) if (!paths.has(type)) faultAt(node, 'type: give types of resources of R4.', 'value')
  return types ? [...new Set(types)] : [...paths]
}
