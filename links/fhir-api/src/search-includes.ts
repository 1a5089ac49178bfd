import { resourceTypes } from '@carespine/fhir/definitions'
import { idKey } from '@carespine/fhir/index-entries'
import type { Issue } from '@carespine/fhir/outcome'
import type { Resource, ResourceType } from '@carespine/fhir/resource'
import type { ParameterLookup, SearchParameterDefinition } from '@carespine/fhir/search-parameters'
import type { AskedValue, Include, SearchQuery } from '@carespine/fhir/search-query'
import { referenceOf, valuesOf } from '@carespine/fhir/search-values'
import { allows } from '@carespine/kit/permission'
import type { Services } from '@carespine/kit/services'
import type { Found } from '@carespine/store/search'
import { type Caller, requirePermission } from './interactions.ts'

/** Resources that come along with one page. What is beyond is said, never left out in silence. */
const MOST_INCLUDED = 5000
/** Links of a chain of :iterate. */
const MOST_ROUNDS = 20
const AT_ONCE = 4
const PAGE = 1000

interface Gathering {
  services: Services
  caller: Caller
  parametersOf: ParameterLookup
  seen: Set<string>
  included: Found[]
  /** Read by id: their audit entries are written. */
  audited: Set<Found>
  /** Types that were not looked at for want of a permission. */
  unread: Set<string>
  /** Types of which some were left out. */
  cut: Set<string>
}

/** Resources that `_include` and `_revinclude` bring along, each once, and what there is to say about them. */
export async function gatherIncludes(
  services: Services,
  caller: Caller,
  query: SearchQuery,
  matches: readonly Found[],
): Promise<{ included: readonly Found[]; notes: Issue[]; audited: ReadonlySet<Found> }> {
  const { includes, revincludes } = query
  if (includes.length === 0 && revincludes.length === 0) return { included: [], notes: [], audited: new Set() }
  for (const { target } of includes) if (target) requirePermission(caller.actor, target, 'read')
  for (const { source } of revincludes) if (source !== '*') requirePermission(caller.actor, source, 'read')
  const gathering: Gathering = {
    services,
    caller,
    parametersOf: services.store.searchIndex.searched,
    seen: new Set(matches.map(keyOf)),
    included: [],
    audited: new Set(),
    unread: new Set(),
    cut: new Set(),
  }
  let edge = matches
  for (let round = 0; edge.length > 0 && round < MOST_ROUNDS; round++) {
    const before = gathering.included.length
    const again = (include: Include): boolean => round === 0 || include.iterate
    await followForward(gathering, includes.filter(again), edge)
    await followBack(gathering, revincludes.filter(again), edge)
    edge = gathering.included.slice(before)
  }
  return { included: gathering.included, notes: notesOf(gathering), audited: gathering.audited }
}

function keyOf({ type, row }: Pick<Found, 'type' | 'row'>): string {
  return `${type}/${row.id}`
}

function notesOf({ unread, cut }: Gathering): Issue[] {
  const warn = (code: Issue['code'], diagnostics: string): Issue => ({ severity: 'warning', code, diagnostics })
  return [
    ...(unread.size > 0 ? [warn('forbidden', `This sign-in may not read ${[...unread].sort().join(', ')}: such resources did not come along.`)] : []),
    ...(cut.size > 0
      ? [warn('too-costly', `At most ${MOST_INCLUDED} resources come along with one page; some of ${[...cut].sort().join(', ')} are left out. Ask for fewer matches at once (_count), or search for them.`)]
      : []),
  ]
}

function mayRead({ caller, unread }: Gathering, type: string): boolean {
  if (allows(caller.actor.permissions, `fhir:${type}:read`)) return true
  unread.add(type)
  return false
}

function references(parametersOf: ParameterLookup, type: ResourceType): SearchParameterDefinition[] {
  return [...parametersOf(type).values()].filter((parameter) => parameter.type === 'reference')
}

async function followForward(gathering: Gathering, includes: readonly Include[], from: readonly Found[]): Promise<void> {
  if (includes.length === 0) return
  const ids = new Map<ResourceType, Set<string>>()
  const canonicals = new Map<string, { text: string; targets: readonly string[] }>()
  for (const { type, body } of from) {
    const ofType = includes.filter(({ source }) => source === '*' || source === type)
    if (ofType.length === 0) continue
    const resource = JSON.parse(body.toString()) as Resource
    for (const { parameter, target } of ofType) {
      for (const one of parameter === '*' ? references(gathering.parametersOf, type) : [parameter]) {
        for (const { value } of valuesOf(resource, one)) {
          const reference = referenceOf(value, resource)
          if (reference?.id !== undefined && isStored(reference.type)) {
            if (target !== undefined && reference.type !== target) continue
            ids.set(reference.type, (ids.get(reference.type) ?? new Set()).add(reference.id))
          } else if (reference?.text?.includes(':') && reference.text.length < 2000) {
            canonicals.set(reference.text, { text: reference.text, targets: target === undefined ? one.targets : [target] })
          }
        }
      }
    }
  }
  for (const [type, some] of ids) await addByIds(gathering, type, [...some])
  await addByCanonical(gathering, [...canonicals.values()])
}

function isStored(type: string | undefined): type is ResourceType {
  return type !== undefined && (resourceTypes as readonly string[]).includes(type)
}

async function addByIds(gathering: Gathering, type: ResourceType, ids: readonly string[]): Promise<void> {
  const { services, caller, seen } = gathering
  const wanted = ids.filter((id) => !seen.has(`${type}/${idKey(id)}`))
  if (wanted.length === 0 || !mayRead(gathering, type)) return
  const { store } = services
  const scope = store.scopeOf(caller.actor)
  const now = services.now()
  for (let at = 0; at < wanted.length; at += PAGE) {
    const rows = await Promise.all(wanted.slice(at, at + PAGE).map((id) => store.reader.read({ ...caller, now }, scope, type, id)))
    for (const row of rows) {
      if (!row || row.deleted) continue
      const found = { type, row, body: store.bodyOf(type, row) }
      gathering.audited.add(found)
      add(gathering, found)
    }
  }
}

function add({ seen, included, cut }: Gathering, found: Found): boolean {
  const key = keyOf(found)
  if (seen.has(key)) return true
  if (included.length >= MOST_INCLUDED) {
    cut.add(found.type)
    return false
  }
  seen.add(key)
  included.push(found)
  return true
}

// A canonical leads to the definitions that carry it as their URL, of one version when it names one.
async function addByCanonical(gathering: Gathering, canonicals: readonly { text: string; targets: readonly string[] }[]): Promise<void> {
  const byTarget = new Map<ResourceType, string[]>()
  for (const { text, targets } of canonicals) {
    for (const target of targets) {
      if (isStored(target) && gathering.parametersOf(target).has('url')) byTarget.set(target, [...(byTarget.get(target) ?? []), text])
    }
  }
  for (const [type, texts] of byTarget) {
    const byUrl = gathering.parametersOf(type).get('url')
    if (!byUrl || !allows(gathering.caller.actor.permissions, `fhir:${type}:read`)) continue
    const values = [...new Set(texts.map((text) => text.split('|')[0] as string))].map((text): AskedValue => ({ comparator: 'eq', text }))
    await addMatches(gathering, { type, filters: [{ kind: 'value', parameter: byUrl, values }] }, (resource) => {
      const { url, version } = resource as { url?: string; version?: string }
      return texts.some((text) => text === url || text === `${url}|${version}`)
    })
  }
}

async function followBack(gathering: Gathering, includes: readonly Include[], to: readonly Found[]): Promise<void> {
  const targets = new Map<ResourceType, AskedValue[]>()
  for (const { type, body } of to) {
    const { id, url } = JSON.parse(body.toString()) as { id: string; url?: unknown }
    const values = targets.get(type) ?? []
    values.push({ comparator: 'eq', text: `${type}/${id}` }, ...(typeof url === 'string' ? [{ comparator: 'eq' as const, text: url }] : []))
    targets.set(type, values)
  }
  for (const include of includes) {
    const sources = include.source === '*' ? resourceTypes.filter((type) => leadsHere(gathering, type, include, targets).length > 0) : [include.source]
    const readable = sources.filter((source) => mayRead(gathering, source))
    for (let at = 0; at < readable.length; at += AT_ONCE) {
      await Promise.all(readable.slice(at, at + AT_ONCE).map((source) => addReferring(gathering, source, include, targets)))
    }
  }
}

function leadsHere({ parametersOf }: Gathering, source: ResourceType, { parameter, target }: Include, targets: ReadonlyMap<ResourceType, AskedValue[]>): { parameter: SearchParameterDefinition; values: AskedValue[] }[] {
  return (parameter === '*' ? references(parametersOf, source) : [parameter]).flatMap((one) => {
    const values = [...targets].flatMap(([type, some]) => {
      const fits = (target === undefined || target === type) && (one.targets.length === 0 || one.targets.includes(type))
      return fits ? some : []
    })
    return values.length > 0 ? [{ parameter: one, values }] : []
  })
}

async function addReferring(gathering: Gathering, source: ResourceType, include: Include, targets: ReadonlyMap<ResourceType, AskedValue[]>): Promise<void> {
  const filters = leadsHere(gathering, source, include, targets).map((one) => ({ kind: 'value' as const, ...one }))
  if (filters.length > 0) await addMatches(gathering, { type: source, filters: [filters.length === 1 ? (filters[0] as (typeof filters)[0]) : { kind: 'any', filters }] }, () => true)
}

async function addMatches(gathering: Gathering, search: Pick<SearchQuery, 'type' | 'filters'>, fits: (resource: unknown) => boolean): Promise<void> {
  const { store } = gathering.services
  const scope = store.scopeOf(gathering.caller.actor)
  let cursor: string | undefined
  do {
    const page = await store.search(scope, { ...plainSearch, ...search, count: PAGE, ...(cursor === undefined ? {} : { cursor }) })
    for (const found of page.rows) {
      if (!fits(JSON.parse(found.body.toString()))) continue
      if (!add(gathering, found)) return
    }
    cursor = page.next
  } while (cursor !== undefined)
}

const plainSearch: Omit<SearchQuery, 'type' | 'filters' | 'count'> = { sort: [], includes: [], revincludes: [], total: 'none', countOnly: false, containedType: 'container' }
