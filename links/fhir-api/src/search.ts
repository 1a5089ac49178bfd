import { idKey } from '@carespine/fhir/index-entries'
import type { Issue } from '@carespine/fhir/outcome'
import type { Resource, ResourceType } from '@carespine/fhir/resource'
import { parseSearch, type Include, type SearchQuery } from '@carespine/fhir/search-query'
import { valuesAt } from '@carespine/fhir/search-parameters'
import { refuse } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import type { StoredRow } from '@carespine/store/read-records'
import { bundleBytes, type Entry, entryOf, idOf } from './bundle-bytes.ts'
import { auditRead, type Caller, requirePermission } from './interactions.ts'

/** A search as a searchset Bundle. Refuses with the faults of the parameters. */
export async function searchResources(
  services: Services,
  caller: Caller,
  type: ResourceType,
  parameters: readonly (readonly [string, string])[],
  base: string,
): Promise<Buffer> {
  requirePermission(caller.actor, type, 'read')
  const { query, issues } = parseSearch(type, parameters)
  if (!query) return refuse('SEARCH_INVALID', { issues: issues as Issue[] })
  const { store } = services
  const scope = store.scopeOf(caller.actor)
  const page = await store.search(scope, query, {
    note: (patient) => store.auditEntry(caller, services.now(), { resourceType: type, patient }),
  })
  const entries = page.rows.map(({ row, body }) => entryOf(base, type, body, 'match', row))
  const rows = page.rows.map(({ row }) => row)
  const seen = new Set(page.rows.map(({ row }) => `${type}/${row.id}`))
  for (const include of query.includes) {
    requirePermission(caller.actor, include.target ?? '*', 'read')
    entries.push(...(await included(services, caller, include, page.rows, seen, base)))
  }
  for (const include of query.revincludes) {
    requirePermission(caller.actor, include.source, 'read')
    entries.push(...(await revIncluded(services, caller, include, query, page.rows, seen, base, rows)))
  }
  await auditRead(services, caller, type, page.noted ? rows.slice(page.rows.length) : rows)
  const link = [{ relation: 'self', url: linkTo(base, type, parameters) }]
  if (page.next !== undefined) {
    const others = parameters.filter(([name]) => name !== '_cursor')
    link.push({ relation: 'next', url: linkTo(base, type, [...others, ['_cursor', page.next]]) })
  }
  const total = page.total === undefined ? {} : { total: page.total }
  return bundleBytes({ resourceType: 'Bundle', type: 'searchset', ...total, link }, entries)
}

function linkTo(base: string, type: string, parameters: readonly (readonly [string, string])[]): string {
  const query = new URLSearchParams(parameters.map(([name, value]): [string, string] => [name, value])).toString()
  return `${base}/${type}${query === '' ? '' : `?${query}`}`
}

type Found = readonly { row: StoredRow; body: Buffer }[]

async function included(services: Services, caller: Caller, include: Include, found: Found, seen: Set<string>, base: string): Promise<Entry[]> {
  const { store } = services
  const scope = store.scopeOf(caller.actor)
  const wanted: { type: ResourceType; id: string }[] = []
  for (const { body } of found) {
    const resource = JSON.parse(body.toString()) as Resource
    if (resource.resourceType !== include.source) continue
    for (const path of include.parameter.paths) {
      for (const value of valuesAt(resource, path)) {
        const [type, id] = ((value as { reference?: string }).reference ?? '').split('/')
        if (!type || !id || (include.target !== undefined && type !== include.target)) continue
        const key = `${type}/${idKey(id)}`
        if (seen.has(key) || !/^[A-Z][A-Za-z]+$/.test(type)) continue
        seen.add(key)
        wanted.push({ type: type as ResourceType, id })
      }
    }
  }
  const now = services.now()
  const rows = await Promise.all(
    wanted.map(async ({ type, id }) => ({ type, row: await store.reader.read({ ...caller, now }, scope, type, id) })),
  )
  return rows.flatMap(({ type, row }) =>
    row && !row.deleted ? [entryOf(base, type, store.bodyOf(type, row), 'include', row)] : [],
  )
}

async function revIncluded(
  services: Services,
  caller: Caller,
  include: Include,
  query: SearchQuery,
  found: Found,
  seen: Set<string>,
  base: string,
  audited: StoredRow[],
): Promise<Entry[]> {
  if (found.length === 0) return []
  const { store } = services
  const targets = found.map(({ row, body }) => `${query.type}/${idOf(body, row)}`).join(',')
  const parsed = parseSearch(include.source, [
    [include.parameter.code, targets],
    ['_count', '1000'],
  ])
  if (!parsed.query) return []
  const page = await store.search(store.scopeOf(caller.actor), parsed.query)
  return page.rows.flatMap(({ row, body }) => {
    const key = `${include.source}/${row.id}`
    if (seen.has(key)) return []
    seen.add(key)
    audited.push(row)
    return [entryOf(base, include.source, body, 'include', row)]
  })
}
