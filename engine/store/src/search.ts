import { matches } from '@carespine/fhir/match'
import type { SearchQuery } from '@carespine/fhir/search-query'
import type { LookUp } from './contract.ts'
import type { Statement } from './database.ts'
import type { StoredRow } from './read-records.ts'
import { refuse } from './refusal.ts'
import { translate } from './search-clauses.ts'
import { readCursor, writeCursor } from './search-cursor.ts'
import { lookUpOf, type SortedRow, StatementBuilder } from './search-statement.ts'

export interface Page {
  rows: { row: StoredRow; body: Buffer }[]
  next?: string
  total?: number
}

export interface SearchRuntime {
  query<R>(statement: Statement): Promise<R[]>
  /** A search within one patient: cheap, and asked together with those of the same moment. */
  lookUp<R>(lookUp: LookUp, values: readonly unknown[], patient: string): Promise<R[]>
  open(row: StoredRow): Buffer
  hash(fact: string): string
}

/** Rows looked at for one page of a coarse search before it gives up and asks for a narrower one. */
const MOST_LOOKED_AT = 100_000

/**
 * Runs a search: hashed terms and typed columns in one statement, pages by the keys of the last row, and a look at the
 * resource itself where the index is coarser than the question.
 */
export async function runSearch(query: SearchQuery, runtime: SearchRuntime): Promise<Page> {
  const filters = query.filters.map((filter) => ({ filter, translated: translate(filter) }))
  const coarse = filters.filter(({ translated }) => translated.coarse).map(({ filter }) => filter)
  const verify = (body: Buffer): boolean => {
    if (coarse.length === 0) return true
    const resource: unknown = JSON.parse(body.toString())
    return coarse.every((filter) => matches(resource, filter))
  }
  const build = new StatementBuilder(query, filters.map(({ translated }) => translated), runtime.hash)

  let total: number | undefined
  if (query.countOnly || query.total === 'accurate') {
    total = coarse.length === 0 ? await countRows(build, runtime) : await countVerified(build, runtime, verify)
    if (query.countOnly || query.count === 0) return { rows: [], total }
  }
  if (query.count === 0) return { rows: [] }

  const rows: Page['rows'] = []
  const keys: SortedRow[] = []
  let cursor = query.cursor === undefined ? undefined : readCursor(query.cursor, build.sortCasts)
  let looked = 0
  for (;;) {
    const limit = coarse.length === 0 ? query.count + 1 : Math.max(200, query.count * 4)
    const statement = build.page(limit, cursor)
    const { patient } = build
    const found =
      patient === undefined
        ? await runtime.query<SortedRow>(statement)
        : await runtime.lookUp<SortedRow>(lookUpOf(statement), statement.values ?? [], patient)
    looked += found.length
    for (const row of found) {
      const body = runtime.open(row)
      if (!verify(body)) continue
      rows.push({ row, body })
      keys.push(row)
      if (rows.length > query.count) break
    }
    const last = found.at(-1)
    if (rows.length > query.count || found.length < limit || !last) break
    if (looked >= MOST_LOOKED_AT) refuse('SEARCH_TOO_WIDE')
    cursor = build.keyOf(last)
  }
  const hasMore = rows.length > query.count
  const lastShown = keys[query.count - 1]
  return {
    rows: hasMore ? rows.slice(0, query.count) : rows,
    ...(hasMore && lastShown ? { next: writeCursor(build.keyOf(lastShown)) } : {}),
    ...(total === undefined ? {} : { total }),
  }
}

async function countRows(build: StatementBuilder, runtime: SearchRuntime): Promise<number> {
  const [row] = await runtime.query<{ count: number }>(build.count())
  return row?.count ?? 0
}

async function countVerified(
  build: StatementBuilder,
  runtime: SearchRuntime,
  verify: (body: Buffer) => boolean,
): Promise<number> {
  const found = await runtime.query<SortedRow>(build.page(MOST_LOOKED_AT, undefined))
  return found.filter((row) => verify(runtime.open(row))).length
}
