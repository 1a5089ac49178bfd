import { idKey } from '@carespine/fhir/index-entries'
import type { ResourceType } from '@carespine/fhir/resource'
import type { Filter } from '@carespine/fhir/search-query'
import type { Scope } from './database.ts'
import type { StoredRow } from './read-records.ts'
import type { Found } from './search.ts'
import type { Clause } from './search-clauses.ts'
import type { SearchContext } from './search-context.ts'
import { readCursor, writeCursor } from './search-cursor.ts'
import { Candidate } from './search-pages.ts'
import { planSearch } from './search-plan.ts'
import { type SortedRow, StatementBuilder } from './search-statement.ts'
import type { Store } from './store.ts'
import { onlyMeant } from './twins.ts'

/** A walk over everything of a type that matches, by id: an order that no write changes. */
export interface Walk {
  type: ResourceType
  filters: readonly Filter[]
  /** Only what is filed under a patient: any, or one of these. */
  patients?: 'any' | readonly string[]
  changedAfter?: Date
  /** Where the last part ended. */
  after?: string
  /** Rows to look at. */
  limit: number
}

export interface Walked {
  found: Found[]
  /** Where to go on; absent at the end. What was looked at and did not match counts: a part may be empty. */
  next?: string
}

/**
 * The next part of a walk. Unlike a search it gives up at no number of rows: who walks goes on until the end, part by
 * part, and holds no more than one of them.
 */
export async function walkMatches({ type, filters, patients, changedAfter, after, limit }: Walk, context: SearchContext): Promise<Walked> {
  const plan = await planSearch({ type, filters }, context)
  const clauses: Clause[] = [...plan.clauses]
  if (patients === 'any') clauses.push({ sql: (_place, alias) => `${alias}.patient is not null` })
  else if (patients) clauses.push({ sql: (place, alias) => `${alias}.patient = any (${place(patients.map(idKey), 'uuid[]')})` })
  if (changedAfter) clauses.push({ sql: (place, alias) => `${alias}.updated > ${place(changedAfter, 'timestamptz')}` })
  const build = new StatementBuilder({ type, ...plan, clauses }, [], context.hashes)
  const rows = await context.query<SortedRow>(build.page(limit, after === undefined ? undefined : { key: readCursor(after, build.sortCasts) }))
  const candidates = rows.map((row) => new Candidate(row, () => context.peek(type, row)))
  const fits = plan.verify ? await plan.verify(candidates) : undefined
  const last = rows.at(-1)
  return {
    found: candidates.filter((_candidate, at) => fits?.[at] ?? true).map(({ row, body }) => ({ type, row, body })),
    ...(rows.length === limit && last ? { next: writeCursor(build.keyOf(last)) } : {}),
  }
}

export interface DeletionsAsked {
  type: ResourceType
  patients?: Walk['patients']
  after: Date
  until: Date
  /** Key of the last one seen. */
  from?: { id: string; branch: string }
  limit: number
}

/** Deletions of a time, by id. The body of each is its tombstone, which bears the id. Does not audit. */
export async function readDeletions({ database }: Store, scope: Scope, { type, patients, after, until, from, limit }: DeletionsAsked): Promise<StoredRow[]> {
  const values: unknown[] = [after, until, limit]
  const place = (value: unknown, sqlType: string): string => `$${values.push(value)}::${sqlType}`
  const conditions = ['t.deleted', 't.updated > $1::timestamptz', 't.updated <= $2::timestamptz']
  if (patients === 'any') conditions.push('t.patient is not null')
  else if (patients) conditions.push(`t.patient = any (${place(patients.map(idKey), 'uuid[]')})`)
  if (from) conditions.push(`(t.id, t.branch) > (${place(from.id, 'uuid')}, ${place(from.branch, 'uuid')})`)
  const meant = onlyMeant(scope, type, 't', (branch) => place(branch, 'uuid'))
  if (meant) conditions.push(meant)
  const text =
    'select t.id, t.version, t.updated, t.branch, t.patient, t.owner, t.deleted, t.body ' +
    `from fhir.${type.toLowerCase()} t where ${conditions.join(' and ')} order by t.id, t.branch limit $3::int`
  return await database.query<StoredRow>(scope, { text, values }, { retry: 'reads' })
}
