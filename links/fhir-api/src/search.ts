import { randomUUID } from 'node:crypto'
import { type CompartmentType, compartmentMembers, ITSELF } from '@carespine/fhir/compartment-members'
import { readJson, writeJson } from '@carespine/fhir/decimal-digits'
import { isResourceType, resourceTypes } from '@carespine/fhir/definitions'
import { type Issue, outcome } from '@carespine/fhir/outcome'
import type { ResourceType } from '@carespine/fhir/resource'
import { type Filter, parseSearch, type SearchQuery } from '@carespine/fhir/search-query'
import { subsetOf } from '@carespine/fhir/subset'
import { refuse } from '@carespine/kit/module'
import { allows } from '@carespine/kit/permission'
import type { Services } from '@carespine/kit/services'
import type { Found, Page } from '@carespine/store/search'
import { bundleBytes, type Entry, entryOf } from './bundle-bytes.ts'
import { codeQuestions } from './code-questions.ts'
import { auditRead, type Caller, requirePermission } from './interactions.ts'
import { gatherIncludes } from './search-includes.ts'

type Parameters = readonly (readonly [string, string])[]

export interface SearchRequest {
  base: string
  parameters: Parameters
  /** `Prefer: handling=lenient`: what is not known or supported is left out, and said. */
  handling?: 'strict' | 'lenient'
  /** The parameters came in a body: what they hold is not written into an address. */
  posted?: boolean
}

export interface Compartment {
  type: CompartmentType
  id: string
}

interface Parsed {
  query: SearchQuery
  ignored: Issue[]
  used: [string, string][]
}

/** Reads a search of one type. Refuses what it must not ask, or does not know. */
export function parseQuery(services: Services, type: ResourceType, caller: Caller, { base, parameters, handling = 'strict' }: SearchRequest): Parsed {
  const { searchIndex } = services.store
  const mayRead = (target: ResourceType): boolean => allows(caller.actor.permissions, `fhir:${target}:read`)
  const { query, issues, ignored, used } = parseSearch(type, parameters, {
    base,
    handling,
    mayRead,
    ...searchIndex.reading,
  })
  if (!query) return refuse(issues.some(({ code }) => code === 'forbidden') ? 'PERMISSION_MISSING' : 'SEARCH_INVALID', { issues })
  if (query.filters.some(usesList)) requirePermission(caller.actor, 'List', 'read')
  return { query, ignored, used }
}

export function usesList(filter: Filter): boolean {
  if (filter.kind === 'list') return true
  return ('filters' in filter && filter.filters.some(usesList)) || (filter.kind === 'not' && usesList(filter.filter))
}

/** A search of one type as a searchset Bundle, within a compartment when one is given. */
export async function searchResources(services: Services, caller: Caller, type: ResourceType, asked: SearchRequest, compartment?: Compartment): Promise<Buffer> {
  requirePermission(caller.actor, type, 'read', 's')
  const request = unsealed(services, asked)
  const { query, ignored, used } = parseQuery(services, type, caller, request)
  const path = compartment ? `${compartment.type}/${compartment.id}/${type}` : type
  const within = compartment ? [...query.filters, memberOf(services, compartment, type)] : query.filters
  if (query.contained) {
    const page = await searchContained(services, caller, { ...query, filters: within })
    return await answer(services, caller, { ...request, path }, { query, ignored, used }, page)
  }
  const { store } = services
  const page = await store.search(store.scopeOf(caller.actor), { ...query, filters: within }, {
    note: (patient) => store.auditEntry(caller, services.now(), { resourceType: type, patient }),
    codes: codeQuestions(services),
  })
  return await answer(services, caller, { ...request, path }, { query, ignored, used }, page, page.noted)
}

/** Refuses a type that is never in the compartment. */
function memberOf({ store }: Services, { type: compartment, id }: Compartment, type: ResourceType): Filter {
  const codes = compartmentMembers(compartment).get(type)
  if (!codes) return refuse('SEARCH_INVALID', { issues: [{ severity: 'error', code: 'not-supported', diagnostics: `${type} is not part of the ${compartment} compartment.` }] })
  const filters = codes.flatMap((code): Filter[] => {
    const parameter = store.searchIndex.searched(type).get(code)
    const text = code === ITSELF ? id : `${compartment}/${id}`
    return parameter ? [{ kind: 'value', parameter, values: [{ comparator: 'eq', text }] }] : []
  })
  return filters.length === 1 ? (filters[0] as Filter) : { kind: 'any', filters }
}

// Resources of the type that lie in others; with `both`, also those that stand for themselves.
async function searchContained(services: Services, caller: Caller, query: SearchQuery): Promise<Page> {
  if (query.sort.length > 0) {
    refuse('SEARCH_INVALID', { issues: [{ severity: 'error', code: 'not-supported', diagnostics: '_sort: cannot be combined with _contained.' }] })
  }
  const { store } = services
  const containers = resourceTypes.filter((type) => allows(caller.actor.permissions, `fhir:${type}:read`))
  const inside: Filter = { kind: 'contained', type: query.type, filters: query.filters }
  const queries = containers.map((type): SearchQuery => {
    const isBoth = query.contained === 'both' && type === query.type
    return { ...query, type, filters: [isBoth ? { kind: 'any', filters: [{ kind: 'all', filters: query.filters }, inside] } : inside] }
  })
  return await store.searchAcross(store.scopeOf(caller.actor), queries, { codes: codeQuestions(services) })
}

/** A search over several types, or all, which may be those of a compartment. */
export async function searchSystem(services: Services, caller: Caller, asked: SearchRequest, compartment?: Compartment): Promise<Buffer> {
  const request = unsealed(services, asked)
  const named = request.parameters.filter(([name]) => name === '_type').flatMap(([, text]) => text.split(','))
  const members = compartment ? [...compartmentMembers(compartment.type).keys()] : resourceTypes
  for (const type of named) {
    if (!isResourceType(type)) return refuse('SEARCH_INVALID', { issues: [{ severity: 'error', code: 'value', diagnostics: '_type: give types of R4, with commas between.' }] })
    requirePermission(caller.actor, type, 'read')
  }
  const parameters = request.parameters.filter(([name]) => name !== '_type')
  if (!compartment && named.length === 0 && parameters.every(([name]) => name.startsWith('_') && CONTROLS.has(name))) {
    refuse('SEARCH_INVALID', { issues: [{ severity: 'error', code: 'too-costly', diagnostics: 'A search of the whole record needs _type or another parameter.' }] })
  }
  const types = (named.length > 0 ? [...new Set(named as ResourceType[])] : members.filter((type) => allows(caller.actor.permissions, `fhir:${type}:read`))).toSorted()
  // Each type has to know every parameter; without _type, those count that all types have.
  const parsed = types.map((type) => parseQuery(services, type, caller, { ...request, parameters }))
  const [first] = parsed
  if (!first) return refuse('PERMISSION_MISSING', { permission: 'fhir:*:read' })
  const { sort, contained } = first.query
  if (contained || sort.some(({ parameter }) => typeof parameter !== 'string')) {
    refuse('SEARCH_INVALID', {
      issues: [{ severity: 'error', code: 'not-supported', diagnostics: 'Over several types, results are sorted by _lastUpdated and _id, and _contained is not supported.' }],
    })
  }
  const { store } = services
  const queries = parsed.map(({ query }) => (compartment ? { ...query, filters: [...query.filters, memberOf(services, compartment, query.type)] } : query))
  const page = await store.searchAcross(store.scopeOf(caller.actor), queries, { codes: codeQuestions(services) })
  const used = request.parameters.filter(([name]) => name === '_type').map(([name, text]): [string, string] => [name, text])
  const path = compartment ? `${compartment.type}/${compartment.id}/*` : ''
  return await answer(services, caller, { ...request, path }, { ...first, used: [...used, ...first.used] }, page)
}

const CONTROLS: ReadonlySet<string> = new Set(['_count', '_sort', '_total', '_summary', '_elements', '_format', '_pretty', '_cursor', '_include', '_revinclude'])

interface Answered extends SearchRequest {
  /** Address of the search below the base. */
  path: string
}

async function answer(services: Services, caller: Caller, request: Answered, { query, ignored, used }: Parsed, page: Page, noted = false): Promise<Buffer> {
  const { base } = request
  const { included, notes, audited } = await gatherIncludes(services, caller, query, page.rows)
  const said = [...ignored, ...notes]
  const entries: Entry[] = [
    ...page.rows.flatMap((found) => matchEntries(base, found, query)),
    ...included.map(({ type, row, body }) => entryOf(base, type, subsetBytes(body, query), 'include', row)),
    ...(said.length > 0 ? [outcomeEntry(said)] : []),
  ]
  await auditFound(services, caller, [...(noted ? [] : page.rows), ...included.filter((found) => !audited.has(found))])
  const link = [{ relation: 'self', url: linkTo(base, request.path, used) }]
  if (page.next !== undefined) link.push({ relation: 'next', url: nextLink(services, request, used, page.next) })
  const total = page.total === undefined ? {} : { total: page.total }
  return bundleBytes({ resourceType: 'Bundle', type: 'searchset', ...total, link }, entries)
}

function subsetBytes(body: Buffer, { summary, elements }: SearchQuery): Buffer {
  if (summary === undefined && elements === undefined) return body
  const subset = subsetOf(readJson(body.toString()) as Record<string, unknown>, { ...(summary ? { summary } : {}), ...(elements ? { elements } : {}) })
  return Buffer.from(writeJson(subset))
}

function matchEntries(base: string, { type, row, body, contained }: Found, query: SearchQuery): Entry[] {
  if (!contained || contained.length === 0 || query.containedType === 'container') return [entryOf(base, type, subsetBytes(body, query), 'match', row)]
  // The resource that holds it is named first, then its own id (R4 Search, 3.1.1.5.6).
  const { id } = JSON.parse(body.toString()) as { id: string }
  const whole = readJson(body.toString()) as { contained?: { id?: string }[] }
  const ids = new Set(contained.map((one) => (one as { id?: string }).id))
  return (whole.contained ?? [])
    .filter((one) => ids.has(one.id))
    .map((one) => ({
      before: `{"fullUrl":${JSON.stringify(`${base}/${type}/${id}#${one.id}`)},`,
      body: subsetBytes(Buffer.from(writeJson(one)), query),
      after: '"search":{"mode":"match"}}',
    }))
}

function outcomeEntry(issues: readonly Issue[]): Entry {
  return {
    before: `{"fullUrl":"urn:uuid:${randomUUID()}",`,
    body: Buffer.from(JSON.stringify(outcome(issues))),
    after: '"search":{"mode":"outcome"}}',
  }
}

async function auditFound(services: Services, caller: Caller, found: readonly Found[]): Promise<void> {
  const byType = new Map<ResourceType, Found['row'][]>()
  for (const { type, row } of found) byType.set(type, [...(byType.get(type) ?? []), row])
  for (const [type, rows] of byType) await auditRead(services, caller, type, rows)
}

function linkTo(base: string, path: string, parameters: Parameters): string {
  const query = new URLSearchParams(parameters.map(([name, value]): [string, string] => [name, value])).toString()
  return `${base}${path === '' ? '' : `/${path}`}${query === '' ? '' : `?${query}`}`
}

const SEALED = '~'

// What came in a body goes into the link sealed: a name that was posted shall not stand in an address after all.
function nextLink({ store }: Services, { base, path, posted }: Answered, used: Parameters, cursor: string): string {
  const others = used.filter(([name]) => name !== '_cursor')
  if (!posted) return linkTo(base, path, [...others, ['_cursor', cursor]])
  return linkTo(base, path, [['_cursor', SEALED + store.sealText(JSON.stringify([...others, ['_cursor', cursor]]), 'page')]])
}

function unsealed(services: Services, request: SearchRequest): SearchRequest {
  const sealed = request.parameters.find(([name, text]) => name === '_cursor' && text.startsWith(SEALED))
  if (!sealed) return request
  const text = services.store.unsealText(sealed[1].slice(SEALED.length), 'page') ?? refuse('SEARCH_CURSOR_INVALID')
  const others = request.parameters.filter(([name]) => name !== '_cursor')
  return { ...request, parameters: [...(JSON.parse(text) as [string, string][]), ...others], posted: true }
}
