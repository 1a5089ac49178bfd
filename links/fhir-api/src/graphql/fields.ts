import { isResourceType, resourceTypes, structureNames } from '@carespine/fhir/definitions'
import { planOf } from '@carespine/fhir/plans'
import type { ResourceType } from '@carespine/fhir/resource'
import type { ParameterLookup } from '@carespine/fhir/search-parameters'
import { introspectionFields } from './introspection-fields.ts'

// The types of http://hl7.org/fhir/R4/graphql.html, asked of the definitions field by field: nothing is built before.

/** Where the value of a field comes from. */
type Source = 'element' | 'beside' | 'type-name' | 'target' | 'read' | 'list' | 'connection' | 'schema' | 'type'

export interface Field {
  name: string
  from: Source
  /** Name of a scalar, or path of a structure: `Patient`, `Observation.component`, `Patient#edge`. */
  type: string
  isScalar: boolean
  many: boolean
  /** The definitions ask for it. */
  required?: true
  /** Of a search or a read: what it finds. */
  of?: ResourceType
}

/** Any resource: what stands there tells which. */
export const ANY = 'Resource'
export const QUERY = 'Query'

const besides = 'Element'

/** Types of R4 that GraphQL has names of its own for (R4, type definitions of GraphQL). */
const scalarNames: Readonly<Record<string, string>> = { boolean: 'Boolean', integer: 'Int', string: 'String', id: 'ID' }

export const isResource = (path: string): boolean => isResourceType(path) || path === 'Parameters' || path === ANY

/** `Observation.component` is ObservationComponent; what extends a primitive is ElementBase. */
export function nameOf(path: string): string {
  if (path === besides) return 'ElementBase'
  return path.split(/[.#]/).map((part) => (part.startsWith('_') ? part : (part[0]?.toUpperCase() ?? '') + part.slice(1))).join('')
}

let paths: Map<string, string> | undefined

/** The path of an object type; undefined when there is none of this name. */
export function pathNamed(name: string): string | undefined {
  paths ??= new Map([
    ...structurePaths().map((path): [string, string] => [nameOf(path), path]),
    ...resourceTypes.flatMap((type): [string, string][] => [[`${type}Connection`, `${type}#connection`], [`${type}Edge`, `${type}#edge`]]),
    ...Object.keys(introspectionFields).map((path): [string, string] => [path, path]),
    [QUERY, QUERY],
    [ANY, ANY],
  ])
  return paths.get(name)
}

const abstracts = new Set(['BackboneElement', 'Resource', 'DomainResource'])

/** Every structure of R4 of which there are instances. */
export const structurePaths = (): string[] => structureNames().filter((path) => !abstracts.has(path))

let resources: readonly string[] | undefined

/** What may stand where a type is asked for: for any resource, all of them. */
export function concretesOf(path: string): readonly string[] {
  if (path !== ANY) return [path]
  resources ??= [...resourceTypes, 'Parameters']
  return resources
}

const scalar = (name: string, type: string, from: Source = 'element'): Field => ({ name, from, type, isScalar: true, many: false })

const ofConnection = (type: string): Record<string, Field> => ({
  count: scalar('count', 'Int'),
  offset: scalar('offset', 'Int'),
  pagesize: scalar('pagesize', 'Int'),
  first: scalar('first', 'ID'),
  previous: scalar('previous', 'ID'),
  next: scalar('next', 'ID'),
  last: scalar('last', 'ID'),
  edges: { name: 'edges', from: 'element', type: `${type}#edge`, isScalar: false, many: true },
})

const ofEdge = (type: string): Record<string, Field> => ({
  mode: scalar('mode', 'code'),
  score: scalar('score', 'decimal'),
  resource: { name: 'resource', from: 'element', type, isScalar: false, many: false },
})

const own = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined => (Object.hasOwn(table, name) ? table[name] : undefined)

const SEARCHES = /^([A-Z][A-Za-z]*?)(List|Connection)$/

function searchNamed(name: string): Field | undefined {
  const [, type = '', form] = SEARCHES.exec(name) ?? []
  if (!isResourceType(type)) return undefined
  return form === 'List'
    ? { name, from: 'list', type, isScalar: false, many: true, of: type }
    : { name, from: 'connection', type: `${type}#connection`, isScalar: false, many: false, of: type }
}

/** What is asked at the start of a query, wherever it starts. */
function atRoot(name: string): Field | undefined {
  if (name === '__schema') return { name, from: 'schema', type: '__Schema', isScalar: false, many: false }
  if (name === '__type') return { name, from: 'type', type: '__Type', isScalar: false, many: false }
  return undefined
}

/** Codes of the reference parameters of a type that may lead to another. */
export function referencesTo(target: string, source: ResourceType, parametersOf: ParameterLookup): string[] {
  return [...parametersOf(source).values()]
    .filter((parameter) => parameter.type === 'reference' && (parameter.targets.length === 0 || parameter.targets.includes(target)))
    .map(({ code }) => code)
}

/** A field of a type by its name; undefined when there is none. */
export function fieldOf(path: string, name: string, { isRoot = false } = {}): Field | undefined {
  if (name === '__typename') return scalar(name, 'String', 'type-name')
  if (isRoot) {
    const found = atRoot(name)
    if (found) return found
  }
  if (path === QUERY) return isResourceType(name) ? { name, from: 'read', type: name, isScalar: false, many: false, of: name } : searchNamed(name)
  if (path.startsWith('__')) return own(introspectionFields[path] ?? {}, name)
  const [structure = '', part] = path.split('#')
  if (part !== undefined) return own(part === 'edge' ? ofEdge(structure) : ofConnection(structure), name)
  return ofStructure(path, name) ?? (isResourceType(path) ? searchNamed(name) : undefined)
}

function ofStructure(path: string, name: string): Field | undefined {
  const { properties } = planOf(path) ?? {}
  const property = properties?.get(name)
  if (property) {
    const { type, element } = property
    const isScalar = property.primitive !== undefined
    return {
      name,
      from: 'element',
      type: name === 'id' && isResource(path) ? 'ID' : isScalar ? (scalarNames[type] ?? type) : type,
      isScalar,
      many: element.many === 1,
      ...(element.min && !isScalar && !element.x ? { required: true } : {}),
    }
  }
  const beside = name.startsWith('_') ? properties?.get(name.slice(1)) : undefined
  if (beside?.primitive) return { name, from: 'beside', type: besides, isScalar: false, many: beside.element.many === 1 }
  if (name === 'resourceType' && isResource(path)) return scalar(name, 'code')
  // R4 GraphQL, Resource references.
  if (name === 'resource' && path === 'Reference') return { name, from: 'target', type: ANY, isScalar: false, many: false }
  return undefined
}

/** Every field of a type, for who asks what there is; `reverse` with the searches for what refers to a resource. */
export function fieldsOf(path: string, parametersOf: ParameterLookup, { reverse = false } = {}): Field[] {
  const names = path === QUERY ? resourceTypes.flatMap((type) => [type, `${type}List`, `${type}Connection`]) : path.startsWith('__') ? Object.keys(introspectionFields[path] ?? {}) : namesIn(path)
  if (reverse && isResourceType(path)) {
    names.push(...resourceTypes.filter((source) => referencesTo(path, source, parametersOf).length > 0).flatMap((source) => [`${source}List`, `${source}Connection`]))
  }
  return names.flatMap((name) => fieldOf(path, name) ?? [])
}

function namesIn(path: string): string[] {
  const [structure = '', part] = path.split('#')
  if (part !== undefined) return Object.keys(part === 'edge' ? ofEdge(structure) : ofConnection(structure))
  const names = [...(planOf(path)?.properties.entries() ?? [])].flatMap(([name, { primitive }]) => (primitive && !(isResource(path) && name === 'id') ? [name, `_${name}`] : [name]))
  if (isResource(path)) names.unshift('resourceType')
  if (path === 'Reference') names.push('resource')
  return names
}
