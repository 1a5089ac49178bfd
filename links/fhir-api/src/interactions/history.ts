import { isResourceType, resourceTypes } from '@carespine/fhir/definitions'
import { spanOf } from '@carespine/fhir/dates'
import type { Issue } from '@carespine/fhir/outcome'
import type { ResourceType } from '@carespine/fhir/resource'
import { refuse } from '@carespine/kit/module'
import { allows } from '@carespine/kit/permission'
import { type HistoryAsked, type HistoryPlace, readVersions, type Version } from '@carespine/store/read-history'
import type { StoredRow } from '@carespine/store/read-records'
import { bundleBytes, type Entry, idOf } from '../bundle-bytes.ts'
import type { Asked, Interaction } from '../interaction.ts'
import { auditRead, type Caller, requirePermission } from '../interactions.ts'
import { preferencesOf } from '../preferences.ts'
import { baseOf, queryOf } from '../read-request.ts'
import { send } from '../send.ts'
import type { Services } from '@carespine/kit/services'

/** Of what history is asked: one resource, a type, or everything. */
interface HistoryOf {
  type?: ResourceType
  id?: string
}

type Parameters = readonly (readonly [string, string])[]
type Asking = Omit<HistoryAsked, 'types' | 'id'>

const DEFAULT_COUNT = 50
const MAX_COUNT = 1000
const CURSOR = /^(\d{4}-\d{2}-\d{2}T[\d:.]+Z) ([A-Za-z]+) ([0-9a-f-]{36}) (\d{1,9})$/

/** Reads `_since`, `_at`, `_count`, `_sort` and the cursor of a page (R4 RESTful API, 3.1.0.12). */
function readAsking(parameters: Parameters, handling: 'strict' | 'lenient'): Asking {
  const issues: Issue[] = []
  const fault = (name: string, code: Issue['code'], diagnostics: string): void => {
    issues.push({ severity: 'error', code, diagnostics: `${name}: ${diagnostics}` })
  }
  const asking: { -readonly [K in keyof Asking]: Asking[K] } = { limit: DEFAULT_COUNT }
  for (const [name, text] of parameters) {
    if (text === '' || name === '_format' || name === '_pretty') continue
    switch (name) {
      case '_count': {
        const count = Number(text)
        if (Number.isInteger(count) && count >= 0) asking.limit = Math.min(count, MAX_COUNT)
        else fault(name, 'value', 'give a whole number from 0.')
        break
      }
      case '_since': {
        const span = spanOf(text)
        if (span) asking.since = new Date(span.low)
        else fault(name, 'value', 'give an instant, such as 2024-05-01T08:00:00Z.')
        break
      }
      case '_at': {
        const span = spanOf(text)
        if (span) asking.at = { from: new Date(span.low), until: new Date(span.high) }
        else fault(name, 'value', 'give a date or an instant, such as 2024-05.')
        break
      }
      case '_sort':
        if (/^-?_lastUpdated$|^none$/.test(text)) asking.oldestFirst = text === '_lastUpdated'
        else fault(name, 'not-supported', 'history is sorted by _lastUpdated or -_lastUpdated.')
        break
      case '_cursor': {
        const place = placeIn(text)
        if (place) asking.after = place
        else refuse('SEARCH_CURSOR_INVALID')
        break
      }
      default:
        if (handling === 'strict') fault(/^[\w:.-]{1,60}$/.test(name) ? name : 'a parameter', 'not-supported', 'history takes _since, _at, _count and _sort.')
    }
  }
  return issues.length > 0 ? refuse('SEARCH_INVALID', { issues }) : asking
}

// A cursor holds a time, a type and a key that the client has just been sent.
function placeIn(cursor: string): HistoryPlace | undefined {
  const [, updated, type, id, version] = CURSOR.exec(Buffer.from(cursor, 'base64url').toString()) ?? []
  if (!updated || !type || !id || !isResourceType(type) || !spanOf(updated)) return undefined
  return { updated, type, id, version: Number(version) }
}

function cursorAt({ type, row }: Version): string {
  return Buffer.from(`${row.updated.toISOString()} ${type} ${row.id} ${row.version}`).toString('base64url')
}

/** Versions as a history Bundle, newest first unless `_sort` says otherwise. */
async function readHistory(services: Services, caller: Caller, { type, id }: HistoryOf, request: { base: string; parameters: Parameters; handling: 'strict' | 'lenient' }): Promise<Buffer> {
  const { actor } = caller
  if (type !== undefined) requirePermission(actor, type, 'read', id === undefined ? 's' : 'r')
  const types = type === undefined ? resourceTypes.filter((one) => allows(actor.permissions, `fhir:${one}:read`)) : [type]
  if (types.length === 0) requirePermission(actor, '*', 'read')
  const { base, parameters, handling } = request
  const asking = readAsking(parameters, handling)
  const { store } = services
  const scope = store.scopeOf(actor)
  const found = await readVersions(store, scope, { ...asking, types, ...(id === undefined ? {} : { id }), limit: asking.limit + 1 })
  // A filter may leave nothing of what is there; a resource that is not there has no history to filter.
  if (type !== undefined && id !== undefined && found.length === 0 && !(await store.reader.peek(scope, type, id))) {
    return refuse('RECORD_NOT_FOUND', { resourceType: type })
  }
  const shown = found.slice(0, asking.limit)
  await auditShown(services, caller, shown, id)
  const path = `${base}/${[type, id, '_history'].filter((part) => part !== undefined).join('/')}`
  const linkTo = (more: Parameters): string => {
    const query = new URLSearchParams(more.map(([name, value]): [string, string] => [name, value])).toString()
    return query === '' ? path : `${path}?${query}`
  }
  const link = [{ relation: 'self', url: linkTo(parameters) }]
  const last = shown.at(-1)
  if (found.length > shown.length && last) {
    const others = parameters.filter(([name]) => name !== '_cursor')
    link.push({ relation: 'next', url: linkTo([...others, ['_cursor', cursorAt(last)]]) })
  }
  return bundleBytes({ resourceType: 'Bundle', type: 'history', link }, shown.map((version) => entryFor(services, base, version)))
}

async function auditShown(services: Services, caller: Caller, shown: readonly Version[], id: string | undefined): Promise<void> {
  const byType = new Map<ResourceType, StoredRow[]>()
  for (const { type, row } of shown) byType.set(type, [...(byType.get(type) ?? []), row])
  await Promise.all([...byType].map(([type, rows]) => auditRead(services, caller, type, rows, id)))
}

const SERVER_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

// How a version came to be is not kept beside it. The first of an id that the server could have given is told as a
// POST, which it mostly was.
function entryFor(services: Services, base: string, { type, row, revived }: Version): Entry {
  const body = services.store.bodyOf(type, row)
  const id = idOf(body, row)
  const created = row.version === 1 || revived
  const posted = row.version === 1 && SERVER_ID.test(id)
  const request = row.deleted ? { method: 'DELETE', url: `${type}/${id}` } : posted ? { method: 'POST', url: type } : { method: 'PUT', url: `${type}/${id}` }
  const response = {
    status: row.deleted ? '204' : created ? '201' : '200',
    etag: `W/"${row.version}"`,
    lastModified: row.updated.toISOString(),
  }
  return {
    before: `{"fullUrl":"${base}/${type}/${id}",`,
    ...(row.deleted ? {} : { body }),
    after: `"request":${JSON.stringify(request)},"response":${JSON.stringify(response)}}`,
  }
}

async function run(asked: Asked, of: HistoryOf) {
  const { services, caller, request, reply } = asked
  const { handling } = preferencesOf(request.headers)
  return send(reply, await readHistory(services, caller, of, { base: baseOf(request), parameters: queryOf(request), handling }))
}

export const historyOfInstance: Interaction = {
  method: 'GET',
  url: '/:type/:id/_history',
  action: 'fhir.history',
  ofType: ['history-instance'],
  run: (asked) => run(asked, { type: asked.type, id: asked.id }),
}

export const historyOfType: Interaction = {
  method: 'GET',
  url: '/:type/_history',
  action: 'fhir.history',
  ofType: ['history-type'],
  run: (asked) => run(asked, { type: asked.type }),
}

export const historyOfSystem: Interaction = {
  method: 'GET',
  url: '/_history',
  action: 'fhir.history',
  ofSystem: ['history-system'],
  run: (asked) => run(asked, {}),
}
