import { idKey } from '@carespine/fhir/index-entries'
import type { Issue } from '@carespine/fhir/outcome'
import type { Resource, ResourceType, Stored } from '@carespine/fhir/resource'
import { parseSearch, type Include, type SearchQuery } from '@carespine/fhir/search-query'
import { valuesAt } from '@carespine/fhir/search-parameters'
import { allows } from '@carespine/kit/permission'
import { refuse } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import type { Actor, Origin, Transaction } from '@carespine/store/contract'
import type { StoredRow } from '@carespine/store/read-records'
import { announce, readBefore } from './announce.ts'

export interface Caller {
  actor: Actor
  origin: Origin
}

/** A stored version as it goes out: the bytes of its JSON. */
export interface Served {
  body: Buffer
  version: number
  updated: Date
}

export function requirePermission(actor: Actor, type: string, access: 'read' | 'write'): void {
  const permission = `fhir:${type}:${access}`
  if (!allows(actor.permissions, permission)) refuse('PERMISSION_MISSING', { permission })
}

/** The current version. Refuses when it is absent, hidden or deleted. */
export async function readResource(services: Services, caller: Caller, type: ResourceType, id: string): Promise<Served> {
  requirePermission(caller.actor, type, 'read')
  const { store } = services
  const row = await store.reader.read({ ...caller, now: services.now() }, store.scopeOf(caller.actor), type, id)
  return serve(services, type, row)
}

function serve(services: Services, type: ResourceType, row: StoredRow | undefined): Served {
  if (!row) return refuse('RECORD_NOT_FOUND', { resourceType: type })
  if (row.deleted) return refuse('RECORD_DELETED', { resourceType: type })
  return { body: services.store.bodyOf(type, row), version: row.version, updated: row.updated }
}

export async function readVersion(services: Services, caller: Caller, type: ResourceType, id: string, version: string): Promise<Served> {
  requirePermission(caller.actor, type, 'read')
  const { store } = services
  const number = /^\d{1,9}$/.test(version) ? Number(version) : refuse('RECORD_NOT_FOUND', { resourceType: type })
  const row = await store.reader.readVersion(store.scopeOf(caller.actor), type, id, number)
  await auditRead(services, caller, type, row ? [row] : [], id)
  return serve(services, type, row)
}

/** Versions of one resource as a history Bundle, newest first. */
export async function readHistory(
  services: Services,
  caller: Caller,
  type: ResourceType,
  id: string,
  page: { count: number; before?: number },
  base: string,
): Promise<Buffer> {
  requirePermission(caller.actor, type, 'read')
  const { store } = services
  const rows = await store.reader.readHistory(store.scopeOf(caller.actor), type, id, {
    limit: page.count + 1,
    ...(page.before === undefined ? {} : { before: page.before }),
  })
  await auditRead(services, caller, type, rows, id)
  if (rows.length === 0) refuse('RECORD_NOT_FOUND', { resourceType: type })
  const shown = rows.slice(0, page.count)
  const entries = shown.map((row) => {
    const method = row.deleted ? 'DELETE' : row.version === 1 ? 'POST' : 'PUT'
    const request = { method, url: method === 'POST' ? type : `${type}/${id}` }
    const response = { status: method === 'POST' ? '201' : row.deleted ? '204' : '200', etag: `W/"${row.version}"`, lastModified: row.updated.toISOString() }
    return {
      before: `{"fullUrl":${JSON.stringify(`${base}/${type}/${id}`)},`,
      ...(row.deleted ? {} : { body: store.bodyOf(type, row) }),
      after: `"request":${JSON.stringify(request)},"response":${JSON.stringify(response)}}`,
    }
  })
  const last = shown.at(-1)
  const links = [{ relation: 'self', url: `${base}/${type}/${id}/_history` }]
  if (rows.length > page.count && last) {
    links.push({ relation: 'next', url: `${base}/${type}/${id}/_history?_count=${page.count}&_before=${last.version}` })
  }
  return bundleBytes({ resourceType: 'Bundle', type: 'history', link: links }, entries)
}

async function auditRead(services: Services, caller: Caller, type: ResourceType, rows: readonly StoredRow[], id?: string): Promise<void> {
  const patients = [...new Set(rows.flatMap((row) => row.patient ?? []))]
  if (patients.length === 0) return
  await services.store.trail.store([
    services.store.auditEntry(caller, services.now(), {
      resourceType: type,
      ...(id === undefined ? {} : { resource: idKey(id) }),
      ...(patients.length === 1 ? { patient: patients[0] as string } : { patients }),
    }),
  ])
}

interface Entry {
  before: string
  body?: Buffer
  after: string
}

const comma = Buffer.from(',')

/** A Bundle put together from stored bytes: bodies are copied, not parsed. */
function bundleBytes(head: object, entries: readonly Entry[]): Buffer {
  const parts: Buffer[] = []
  const text = JSON.stringify(head)
  if (entries.length === 0) return Buffer.from(text)
  parts.push(Buffer.from(`${text.slice(0, -1)},"entry":[`))
  entries.forEach(({ before, body, after }, at) => {
    if (at > 0) parts.push(comma)
    if (body) parts.push(Buffer.from(`${before}"resource":`), body, Buffer.from(`,${after}`))
    else parts.push(Buffer.from(before + after))
  })
  parts.push(Buffer.from(']}'))
  return Buffer.concat(parts)
}

function entryOf(base: string, type: string, body: Buffer, mode: 'match' | 'include', row: StoredRow): Entry {
  return { before: `{"fullUrl":"${base}/${type}/${idOf(body, row)}",`, body, after: `"search":{"mode":"${mode}"}}` }
}

// Most ids are their own key, and stand near the beginning of the body when the client gave one, near the end when the
// store did. Looking only at the beginning, bodies of the second kind were parsed whole: 15 % of the processor time of
// $everything.
function idOf(body: Buffer, row: StoredRow): string {
  const own = `"id":"${row.id}"`
  if (body.toString('latin1', 0, 400).includes(own) || body.toString('latin1', Math.max(0, body.length - 200)).includes(own)) return row.id
  return (JSON.parse(body.toString()) as { id: string }).id
}

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
  const page = await store.search(scope, query)
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
  await auditRead(services, caller, type, rows)
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

/** Everything of one patient as a searchset Bundle (R4 operation Patient/$everything). */
export async function everything(services: Services, caller: Caller, id: string, base: string): Promise<Buffer> {
  requirePermission(caller.actor, 'Patient', 'read')
  const { store } = services
  const scope = store.scopeOf(caller.actor)
  const found = await store.reader.readCompartment(scope, id)
  await auditRead(services, caller, 'Patient', found.map(({ row }) => row), id)
  if (found[0]?.type !== 'Patient') refuse('RECORD_NOT_FOUND', { resourceType: 'Patient' })
  const readable = found.filter(({ type }) => allows(caller.actor.permissions, `fhir:${type}:read`))
  const entries = readable.map(({ type, row }) => entryOf(base, type, store.bodyOf(type, row), 'match', row))
  const link = [{ relation: 'self', url: `${base}/Patient/${id}/$everything` }]
  return bundleBytes({ resourceType: 'Bundle', type: 'searchset', total: entries.length, link }, entries)
}

/** A resource as it came in, without what only the server sets. */
export function withoutServerMeta<R extends Resource>(resource: R): R {
  if (resource.meta === undefined) return resource
  if (typeof resource.meta !== 'object' || resource.meta === null || Array.isArray(resource.meta)) {
    const expression = `${resource.resourceType}.meta`
    refuse('RECORD_INVALID', { issues: [{ severity: 'error', code: 'structure', expression, diagnostics: 'The value must be a JSON object (Meta).' }] })
  }
  const { versionId: _version, lastUpdated: _updated, ...meta } = resource.meta
  const { meta: _meta, ...rest } = resource
  return (Object.keys(meta).length > 0 ? { ...rest, meta } : rest) as R
}

/** Writes the next version of a resource, or its first. */
export async function putResource(
  tx: Transaction,
  resource: Resource,
  options: { ifMatch?: string } = {},
): Promise<{ stored: Stored<Resource>; created: boolean }> {
  const before = await tx.versionOf(resource.resourceType, resource.id ?? '')
  if (options.ifMatch !== undefined && options.ifMatch !== before?.version) {
    refuse('RECORD_VERSION_CONFLICT', { current: before?.version ?? null })
  }
  const plain = withoutServerMeta(resource)
  const previous = before && !before.deleted ? await readBefore(tx, resource.resourceType, resource.id ?? '') : undefined
  const stored = tx.write(
    before && !before.deleted ? { ...plain, meta: { ...plain.meta, versionId: before.version } } : plain,
  ) as Stored<Resource>
  const created = before === undefined || before.deleted
  announce(tx, stored, { created, previous })
  return { stored, created }
}

export function postResource(tx: Transaction, resource: Resource): Stored<Resource> {
  const { id: _id, ...fresh } = withoutServerMeta(resource)
  const stored = tx.write(fresh as Resource) as Stored<Resource>
  announce(tx, stored, { created: true })
  return stored
}
