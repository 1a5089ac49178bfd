import type { ResourceType } from '@carespine/fhir/resource'
import type { SearchQuery } from '@carespine/fhir/search-query'
import type { StoredRow } from './read-records.ts'
import type { SearchContext } from './search-context.ts'
import { type Key, readCursor, readTypedCursor, writeCursor, writeTypedCursor } from './search-cursor.ts'
import { allMatches, type Candidate, countMatches, readMatches } from './search-pages.ts'
import { keysClause } from './search-clauses.ts'
import { planSearch } from './search-plan.ts'
import { needsDecryption, readSorted } from './search-sorted.ts'
import { StatementBuilder } from './search-statement.ts'

export interface Found {
  type: ResourceType
  row: StoredRow
  body: Buffer
  /** Of a search of contained resources: those of them that match. */
  contained?: readonly unknown[]
}

export interface Page {
  rows: Found[]
  next?: string
  total?: number
}

/**
 * Runs a search: hashed terms and typed columns in one statement, pages by the keys of the last row, and a look at the
 * resource itself where the index is coarser than the question.
 */
export async function runSearch(query: SearchQuery, context: SearchContext): Promise<Page> {
  const { type, sort, count } = query
  const plan = await planSearch(query, context)
  let total: number | undefined
  if (query.countOnly || query.total === 'accurate') total = await countMatches({ type, plan }, context)
  const counted = total === undefined ? {} : { total }
  if (query.countOnly) return { rows: [], ...counted }

  if (sort.some(needsDecryption)) {
    const { found, cursorOf } = await readSorted({ type, plan, sort }, count + 1, query.cursor, context)
    return { ...pageOf(type, found, count, cursorOf), ...counted }
  }
  const { sortCasts } = new StatementBuilder({ type, ...plan }, sort, context.hashes)
  const after = query.cursor === undefined ? {} : { after: { key: readCursor(query.cursor, sortCasts) } }
  const { found, keyOf } = await readMatches({ type, plan, sort, ...after }, count + 1, context)
  return { ...pageOf(type, found, count, (row) => writeCursor(keyOf(row))), ...counted }
}

function pageOf(type: ResourceType, found: readonly Candidate[], count: number, cursorOf: (row: Candidate['row']) => string): Page {
  const shown = found.slice(0, count)
  const last = shown.at(-1)
  return {
    rows: shown.map((candidate) => foundIn(type, candidate)),
    ...(found.length > count && last ? { next: cursorOf(last.row) } : {}),
  }
}

function foundIn(type: ResourceType, { row, body, contained }: Candidate): Found {
  return { type, row, body, ...(contained ? { contained } : {}) }
}

/** Searches of several types that are under way at once. */
const AT_ONCE = 4

/**
 * One search over several types, in one order: by id or by time, which every type has. All take count, cursor and order
 * from the first.
 */
export async function runAcross(queries: readonly SearchQuery[], context: SearchContext): Promise<Page> {
  const [first] = queries
  if (!first) return { rows: [] }
  const { sort, count } = first
  const plans = await eachOf(queries, async (query) => ({ type: query.type, plan: await planSearch(query, context) }))
  const { sortCasts } = new StatementBuilder({ type: first.type, clauses: [] }, sort, context.hashes)
  const counts = first.countOnly || first.total === 'accurate' ? await eachOf(plans, (one) => countMatches(one, context)) : undefined
  const counted = counts ? { total: counts.reduce((sum, one) => sum + one, 0) } : {}
  if (first.countOnly) return { rows: [], ...counted }

  const cursor = first.cursor === undefined ? undefined : readTypedCursor(first.cursor, sortCasts)
  const pages = await eachOf(plans, async ({ type, plan }) => {
    // Rows of one key stand in the order of their types.
    const after = cursor ? { after: { key: cursor.key, including: type > cursor.type } } : {}
    const { found, keyOf } = await readMatches({ type, plan, sort, ...after }, count + 1, context)
    return found.map((candidate) => ({ type, candidate, key: keyOf(candidate.row) }))
  })
  const descends = sort.map(({ descending }) => descending)
  const all = pages.flat().sort((a, b) => compareKeys(a.key, b.key, descends) || (a.type < b.type ? -1 : 1))
  const shown = all.slice(0, count)
  const last = shown.at(-1)
  return {
    rows: shown.map(({ type, candidate }) => foundIn(type, candidate)),
    ...(all.length > count && last ? { next: writeTypedCursor(last.type, last.key) } : {}),
    ...counted,
  }
}

async function eachOf<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const at = next++
      results[at] = await work(items[at] as T)
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker))
  return results
}

function compareKeys(a: Key, b: Key, descends: readonly boolean[]): number {
  for (const [at, value] of a.entries()) {
    const other = b[at] ?? null
    if (value === other) continue
    if (value === null || other === null) return value === null ? 1 : -1
    return (value < other ? -1 : 1) * (descends[at] ? -1 : 1)
  }
  return 0
}

type Fundamentals = Omit<SearchContext, 'find' | 'pages'>

/** Adds to what a search works with the searches that its own filters need. */
export function searchContext(fundamentals: Fundamentals): SearchContext {
  const context: SearchContext = {
    ...fundamentals,
    async find(type, { keys, filters = [], limit = MOST_FOUND }) {
      const plan = await planSearch({ type, filters }, context)
      const wanted = keys ? { ...plan, clauses: [...plan.clauses, keysClause(keys).clause] } : plan
      return (await readMatches({ type, plan: wanted, sort: [] }, limit, context)).found
    },
    async *pages(type: ResourceType, filters) {
      yield* allMatches({ type, plan: await planSearch({ type, filters }, context) }, context)
    },
  }
  return context
}

const MOST_FOUND = 1000
