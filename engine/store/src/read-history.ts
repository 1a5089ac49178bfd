import { idKey } from '@carespine/fhir/index-entries'
import type { ResourceType } from '@carespine/fhir/resource'
import type { Scope } from './database.ts'
import type { StoredRow } from './read-records.ts'
import type { Store } from './store.ts'
import { onlyMeant } from './twins.ts'

/** One version, deletions included. */
export interface Version {
  type: ResourceType
  row: StoredRow
  /** The version before it was a deletion. */
  revived: boolean
}

/** Where a page ends: the last version on it. No write changes the order of what is there. */
export interface HistoryPlace {
  type: ResourceType
  /** Key of the id. */
  id: string
  version: number
  updated: string
}

export interface HistoryAsked {
  types: readonly ResourceType[]
  /** One resource of the one type. */
  id?: string
  /** Written at or after. */
  since?: Date
  /** The current one at some time of this span. */
  at?: { from: Date; until: Date }
  /** Default: newest first. */
  oldestFirst?: boolean
  after?: HistoryPlace
  limit: number
}

// Tables in one statement, half of them of superseded versions. All 292 with their indexes would take a third of
// PostgreSQL's lock table, and half a second to plan.
const TYPES_AT_ONCE = 24

/** Versions in the order of their times, then types and ids. Does not audit: the caller does, with what it answers. */
export async function readVersions(store: Store, scope: Scope, asked: HistoryAsked): Promise<Version[]> {
  const { types, limit, oldestFirst } = asked
  if (types.length === 0) return []
  if (types.length <= 1) return await readRows(store, scope, types, asked, 'rows')
  const filled = await filledTypes(store, scope, types)
  const places: Version[] = []
  for (let at = 0; at < filled.length; at += TYPES_AT_ONCE) {
    places.push(...(await readRows(store, scope, filled.slice(at, at + TYPES_AT_ONCE), asked, 'places')))
  }
  const wanted = places.sort(compare).slice(oldestFirst ? -limit : 0, oldestFirst ? undefined : limit)
  if (oldestFirst) wanted.reverse()
  return await withBodies(store, scope, wanted)
}

/**
 * Types that may have resources. Most hospitals use a few dozen; a table that takes no room on the disk has no rows, and
 * planning for one costs a hundred times more than asking for its size.
 */
export async function filledTypes(store: Store, scope: Scope, types: readonly ResourceType[]): Promise<ResourceType[]> {
  const text = "select c.relname as name from pg_class c where c.relnamespace = 'fhir'::regnamespace and c.relkind = 'r' and pg_relation_size(c.oid) > 0"
  const tables = new Set((await store.database.query<{ name: string }>(scope, { text }, { retry: 'reads' })).map(({ name }) => name))
  return types.filter((type) => tables.has(type.toLowerCase()))
}

function compare(a: Version, b: Version): number {
  const time = b.row.updated.getTime() - a.row.updated.getTime()
  if (time !== 0) return time
  if (a.type !== b.type) return a.type < b.type ? -1 : 1
  if (a.row.id !== b.row.id) return a.row.id < b.row.id ? -1 : 1
  return b.row.version - a.row.version
}

async function readRows(store: Store, scope: Scope, types: readonly ResourceType[], asked: HistoryAsked, what: 'rows' | 'places'): Promise<Version[]> {
  const values: unknown[] = []
  const parameter = (value: unknown, type: string): string => `$${values.push(value)}::${type}`
  const limit = parameter(asked.limit, 'int')
  const conditions = conditionsFor(scope, asked, parameter)
  const order = asked.oldestFirst
    ? { within: 'updated, id desc, version', across: 'updated, place desc, id desc, version' }
    : { within: 'updated desc, id, version desc', across: 'updated desc, place, id, version desc' }
  const body = what === 'rows' ? 't.body' : "''::bytea as body"
  const parts = types.flatMap((type, place) =>
    (['current', 'superseded'] as const).map((which) => {
      const { current, superseded } = tablesOf(type)
      const revived = `exists (select from ${superseded} p where p.id = t.id and p.branch = t.branch and p.version = t.version - 1 and p.deleted)`
      return (
        `(select ${place} as place, t.id, t.version, t.updated, t.branch, t.patient, t.deleted, ${revived} as revived, ${body} ` +
        `from ${which === 'current' ? current : superseded} t where ${conditions(type, which)} order by ${order.within} limit ${limit})`
      )
    }),
  )
  const text = `select * from (${parts.join(' union all ')}) t order by ${order.across} limit ${limit}`
  const rows = await store.database.query<Omit<StoredRow, 'owner'> & { place: number; revived: boolean }>(scope, { text, values }, { retry: 'reads' })
  return rows.map(({ place, revived, ...row }) => ({ type: types[place] as ResourceType, row: { ...row, owner: null }, revived }))
}

function tablesOf(type: ResourceType): { current: string; superseded: string } {
  const current = `fhir.${type.toLowerCase()}`
  return { current, superseded: `${current}_history` }
}

type Parameter = (value: unknown, type: string) => string

function conditionsFor(scope: Scope, { id, since, at, after, oldestFirst }: HistoryAsked, parameter: Parameter) {
  const same: string[] = []
  if (id !== undefined) same.push(`t.id = ${parameter(idKey(id), 'uuid')}`)
  if (since) same.push(`t.updated >= ${parameter(since, 'timestamptz')}`)
  if (at) same.push(`t.updated <= ${parameter(at.until, 'timestamptz')}`)
  const from = at && parameter(at.from, 'timestamptz')
  const updated = after && parameter(after.updated, 'timestamptz')
  return (type: ResourceType, which: 'current' | 'superseded'): string => {
    const conditions = [...same]
    const { current, superseded } = tablesOf(type)
    if (from && which === 'superseded') {
      const next = (table: string): string => `(select n.updated from ${table} n where n.id = t.id and n.branch = t.branch and n.version = t.version + 1)`
      conditions.push(`coalesce(${next(superseded)}, ${next(current)}) > ${from}`)
    }
    if (after) {
      const [beyond, ids, versions] = oldestFirst ? ['>', '<', '>'] : ['<', '>', '<']
      if (type === after.type) {
        const [key, version] = [parameter(after.id, 'uuid'), parameter(after.version, 'int')]
        const tie = `t.updated = ${updated} and (t.id ${ids} ${key} or (t.id = ${key} and t.version ${versions} ${version}))`
        // The first says it in a way that the index can use.
        conditions.push(`t.updated ${beyond}= ${updated}`, `(t.updated ${beyond} ${updated} or (${tie}))`)
      } else {
        const comesAfter = type > after.type === !oldestFirst
        conditions.push(`t.updated ${beyond}${comesAfter ? '=' : ''} ${updated}`)
      }
    }
    const meant = onlyMeant(scope, type, 't', (branch) => parameter(branch, 'uuid'))
    if (meant) conditions.push(meant)
    return conditions.length === 0 ? 'true' : conditions.join(' and ')
  }
}

/** The bodies of versions found across types. */
async function withBodies(store: Store, scope: Scope, places: readonly Version[]): Promise<Version[]> {
  const bodies = new Map<string, Buffer>()
  const keyOf = (type: ResourceType, { id, branch, version }: Pick<StoredRow, 'id' | 'branch' | 'version'>): string => `${type}/${id}/${branch}/${version}`
  await Promise.all(
    [...new Set(places.map(({ type }) => type))].map(async (type) => {
      const rows = places.filter((place) => place.type === type).map(({ row }) => row)
      const part = (table: string): string =>
        `select t.id, t.branch, t.version, t.body from ${table} t join asked a on t.id = a.id and t.branch = a.branch and t.version = a.version`
      const { current, superseded } = tablesOf(type)
      const text =
        'with asked as materialized (select * from unnest($1::uuid[], $2::uuid[], $3::int[]) as a(id, branch, version)) ' +
        `${part(current)} union all ${part(superseded)}`
      const values = [rows.map(({ id }) => id), rows.map(({ branch }) => branch), rows.map(({ version }) => version)]
      const found = await store.database.query<Pick<StoredRow, 'id' | 'branch' | 'version' | 'body'>>(scope, { text, values }, { retry: 'reads' })
      for (const row of found) bodies.set(keyOf(type, row), row.body)
    }),
  )
  // What moved from one table to the other between the two statements is in both or in one, never in none.
  return places.map((place) => ({ ...place, row: { ...place.row, body: bodies.get(keyOf(place.type, place.row)) ?? place.row.body } }))
}
