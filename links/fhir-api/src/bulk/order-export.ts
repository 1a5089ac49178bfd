import { compartmentMembers } from '@carespine/fhir/compartment-members'
import { spanOf } from '@carespine/fhir/dates'
import { elementsOf, isResourceType, resourceTypes } from '@carespine/fhir/definitions'
import type { Issue } from '@carespine/fhir/outcome'
import type { Group, Reference, ResourceType } from '@carespine/fhir/resource'
import { localReference } from '@carespine/fhir/search-values'
import { refuse } from '@carespine/kit/module'
import { allows } from '@carespine/kit/permission'
import type { Services } from '@carespine/kit/services'
import { type Caller, readResource, requirePermission } from '../interactions.ts'
import type { OperationInput } from '../operation-input.ts'
import { parseQuery } from '../search.ts'
import type { ExportOrder, TypeOrder } from './job.ts'

export type ExportLevel = 'system' | 'patient' | 'group'

interface Asking {
  services: Services
  caller: Caller
  base: string
  level: ExportLevel
  /** Of the Group. */
  id: string
  input: OperationInput
  handling: 'strict' | 'lenient'
}

const FORMATS = new Set(['application/fhir+ndjson', 'application/ndjson', 'ndjson'])
const MOST_FILTERS = 100

function invalid(diagnostics: string, code: Issue['code'] = 'value'): never {
  return refuse('FHIR_OPERATION_INPUT_INVALID', { issues: [{ severity: 'error', code, diagnostics }] })
}

/** What is to be exported, checked against what the caller may read. `ignored`: what leniency left out. */
export async function orderExport(asking: Asking): Promise<{ order: ExportOrder; ignored: Issue[] }> {
  const { caller, level, input } = asking
  const ignored: Issue[] = []
  // A plus sign stands for a space in a URL.
  const format = input.text('_outputFormat')?.replace(/^application\/fhir ndjson$/, 'application/fhir+ndjson')
  if (format !== undefined && !FORMATS.has(format)) invalid(`_outputFormat: files are given as ${[...FORMATS].join(', ')}.`, 'not-supported')
  if (level !== 'system') requirePermission(caller.actor, 'Patient', 'read')
  const named = typesOf(asking, ignored)
  const filters = filtersOf(asking, named, ignored)
  const types = named ?? resourceTypes.filter((type) => allows(caller.actor.permissions, `fhir:${type}:read`)).toSorted()
  if (types.length === 0) refuse('PERMISSION_MISSING', { permission: 'fhir:*:read' })
  const elements = elementsAsked(input, types)
  const order = types.map((type): TypeOrder => {
    const of = elements.filter(([target]) => target === undefined || target === type).map(([, name]) => name)
    return {
      type,
      queries: filters.get(type) ?? [],
      ...(of.length > 0 ? { elements: of } : {}),
      // Who and where and with what: no patient's, and needed to understand what is.
      whole: level === 'system' || (named !== undefined && !ofPatients.has(type)),
    }
  })
  const since = input.text('_since')
  const patients = await patientsOf(asking)
  return {
    order: {
      types: order,
      ...(since === undefined ? {} : { since: new Date(spanOf(since)?.low ?? 0).toISOString() }),
      ...(patients === undefined ? {} : { patients }),
    },
    ignored,
  }
}

const ofPatients: ReadonlySet<string> = new Set(compartmentMembers('Patient').keys())

function typesOf({ caller, input, handling }: Asking, ignored: Issue[]): ResourceType[] | undefined {
  const given = input.texts('_type')
  const types = given.filter((name): name is ResourceType => {
    if (isResourceType(name)) return true
    if (handling !== 'lenient') invalid('_type: give types of R4, with commas between.')
    ignored.push({ severity: 'warning', code: 'not-supported', diagnostics: 'Ignored: a type in _type that R4 has not.' })
    return false
  })
  for (const type of types) requirePermission(caller.actor, type, 'read')
  if (given.length > 0 && types.length === 0) invalid('_type: none of these is a type of R4.')
  return given.length > 0 ? [...new Set(types)].toSorted() : undefined
}

// Searches may hold commas themselves: the next one begins with a type and a question mark.
const BETWEEN = /,(?=[A-Z][A-Za-z]+\?)/
/** Parameters that say how a Bundle is made, and nothing of what is in it. */
const OF_BUNDLES = /^_(sort|count|include|revinclude|summary|elements|total|contained|containedType|cursor|format|pretty)(:|$)/

function filtersOf({ services, caller, base, input, handling }: Asking, named: readonly ResourceType[] | undefined, ignored: Issue[]): Map<ResourceType, string[]> {
  const searches = input.all<string>('_typeFilter').flatMap((text) => text.split(BETWEEN)).filter((text) => text !== '')
  if (searches.length > MOST_FILTERS) invalid(`_typeFilter: give at most ${MOST_FILTERS} searches.`, 'too-costly')
  const filters = new Map<ResourceType, string[]>()
  for (const search of searches) {
    const at = search.indexOf('?')
    const type = search.slice(0, at)
    if (at < 0 || !isResourceType(type)) invalid('_typeFilter: give searches such as Observation?status=final, with commas between.')
    if (named && !named.includes(type)) {
      if (handling !== 'lenient') invalid(`_typeFilter: ${type} is not among the types in _type.`, 'invalid')
      ignored.push({ severity: 'warning', code: 'invalid', diagnostics: `Ignored: _typeFilter of ${type}, which is not among the types in _type.` })
      continue
    }
    requirePermission(caller.actor, type, 'read')
    const parameters = [...new URLSearchParams(search.slice(at + 1))]
    const misplaced = parameters.find(([name]) => OF_BUNDLES.test(name))
    if (misplaced) invalid('_typeFilter: leave out parameters that say how results are shown, such as _sort, _count and _include.', 'not-supported')
    const parsed = parseQuery(services, type, caller, { base, parameters, handling })
    ignored.push(...parsed.ignored)
    filters.set(type, [...(filters.get(type) ?? []), new URLSearchParams(parsed.used).toString()])
  }
  return filters
}

const always = new Set(['id', 'meta', 'resourceType'])

function elementsAsked(input: OperationInput, types: readonly ResourceType[]): [ResourceType | undefined, string][] {
  return input.texts('_elements').map((text): [ResourceType | undefined, string] => {
    const [, type, name = ''] = /^(?:([A-Z][A-Za-z]+)\.)?([a-z][A-Za-z]*)$/.exec(text) ?? []
    if (name === '' || (type !== undefined && !isResourceType(type))) invalid('_elements: give elements such as id or Patient.name, with commas between.')
    const among = type === undefined ? types : [type as ResourceType]
    if (!always.has(name) && !among.some((one) => Object.hasOwn(elementsOf(one) ?? {}, name))) invalid(`_elements: ${type ?? 'No type that is exported'} has no element of one of these names.`)
    return [type as ResourceType | undefined, name]
  })
}

/** Whose data are exported; undefined where it is not only somebody's. */
async function patientsOf({ services, caller, level, id, input }: Asking): Promise<ExportOrder['patients']> {
  const named = input.all<Reference>('patient').map(({ reference = '' }) => {
    const local = localReference(reference)
    return local?.type === 'Patient' ? local.id : invalid('patient: give references such as Patient/123.')
  })
  const members = level === 'group' ? await membersOf(services, caller, id) : undefined
  if (named.length === 0) return level === 'patient' ? 'any' : members
  const { store } = services
  const scope = store.scopeOf(caller.actor)
  const rows = await Promise.all(named.map((one) => store.reader.peek(scope, 'Patient', one)))
  if (rows.some((row) => !row || row.deleted) || (members && named.some((one) => !members.includes(one)))) {
    invalid(level === 'group' ? 'patient: one of them is not a member of the group.' : 'patient: one of them is not known here.', 'not-found')
  }
  return [...new Set(named)]
}

/** Patients who are in the group now. */
async function membersOf(services: Services, caller: Caller, id: string): Promise<string[]> {
  const { member = [] } = JSON.parse((await readResource(services, caller, 'Group', id)).body.toString()) as Group
  const ids = member.flatMap(({ entity, inactive }) => {
    const local = inactive === true ? undefined : localReference(entity.reference ?? '')
    return local?.type === 'Patient' ? local.id : []
  })
  return [...new Set(ids)].toSorted()
}
