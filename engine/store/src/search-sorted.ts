import { hasColumns } from '@carespine/fhir/index-entries'
import { normalizeText } from '@carespine/fhir/normalize'
import type { SortKey } from '@carespine/fhir/search-query'
import { amountOf, dateSpanOf, existenceOf, referenceOf, textsOf, tokensOf, valuesOf } from '@carespine/fhir/search-values'
import { refuse } from './refusal.ts'
import type { SearchContext } from './search-context.ts'
import type { Key } from './search-cursor.ts'
import { allMatches, type Candidate, type Reading } from './search-pages.ts'

/** Matches that are put in order after decryption; beyond, the search asks for a narrower one. */
const MOST_SORTED = 20_000

/** True when the database cannot order by it: texts and codes are in no column. */
export function needsDecryption({ parameter }: SortKey): boolean {
  return typeof parameter !== 'string' && !hasColumns(parameter)
}

type Value = string | number | null

interface Sorted {
  keys: readonly Value[]
  id: string
  branch: string
}

/**
 * A page in an order that only the resources themselves tell. All matches are looked at, so there is a bound to how many
 * there may be. The cursor holds texts of a record and goes out sealed.
 */
export async function readSorted(
  reading: Omit<Reading, 'after'>,
  limit: number,
  cursor: string | undefined,
  context: SearchContext,
): Promise<{ found: Candidate[]; cursorOf(row: { id: string; branch: string }): string }> {
  const { sort } = reading
  const all: Sorted[] = []
  for await (const page of allMatches(reading, context)) {
    for (const candidate of page) all.push({ keys: sort.map((key) => sortValueOf(candidate, key)), id: candidate.row.id, branch: candidate.row.branch })
    if (all.length > MOST_SORTED) refuse('SEARCH_SORT_TOO_WIDE')
  }
  const compare = (a: Sorted, b: Sorted): number => {
    for (const [at, { descending, parameter }] of sort.entries()) {
      const order = parameter === '_id' ? compareValues(a.id, b.id, descending) : compareValues(a.keys[at] ?? null, b.keys[at] ?? null, descending)
      if (order !== 0) return order
    }
    return compareValues(a.id + a.branch, b.id + b.branch, false)
  }
  const last = cursor === undefined ? undefined : readSealed(cursor, sort.length, context)
  const page = all
    .filter((one) => !last || compare(one, last) > 0)
    .sort(compare)
    .slice(0, limit)
  const found = await context.find(reading.type, { keys: page.map(({ id }) => id), limit: limit * 2 })
  const byPlace = new Map(found.map((candidate) => [candidate.row.id + candidate.row.branch, candidate]))
  const keys = new Map(page.map(({ id, branch, keys }) => [id + branch, keys]))
  return {
    found: page.flatMap(({ id, branch }) => byPlace.get(id + branch) ?? []),
    cursorOf: ({ id, branch }) => context.seal(JSON.stringify([...(keys.get(id + branch) ?? []), id, branch])),
  }
}

function readSealed(cursor: string, keys: number, context: SearchContext): Sorted {
  const opened = context.unseal(cursor)
  const key = opened === undefined ? undefined : (JSON.parse(opened) as Key)
  if (!key || key.length !== keys + 2) return refuse('SEARCH_CURSOR_INVALID')
  return { keys: key.slice(0, -2), id: String(key.at(-2)), branch: String(key.at(-1)) }
}

// What has no value stands last, whichever way the order goes.
function compareValues(a: Value, b: Value, descending: boolean): number {
  if (a === b) return 0
  if (a === null) return 1
  if (b === null) return -1
  return (a < b ? -1 : 1) * (descending ? -1 : 1)
}

/** Of several values the smallest, or the largest in a descending order (R4 Search, 3.1.1.5.1). */
function sortValueOf({ resource, row }: Candidate, { parameter, descending }: SortKey): Value {
  if (parameter === '_id') return row.id
  if (parameter === '_lastUpdated') return row.updated.getTime()
  const existence = existenceOf(resource, parameter)
  if (existence !== undefined) return existence
  const values = valuesOf(resource, parameter).flatMap(({ value, path }): Value[] => {
    switch (parameter.type) {
      case 'string':
        return textsOf(value).map(normalizeText)
      case 'token':
        return tokensOf(value, path.type).map(({ code }) => code.toLowerCase())
      case 'reference':
        return [referenceOf(value, resource)?.text ?? null]
      case 'date': {
        const span = dateSpanOf(value, path.type)
        return span ? [span.low] : []
      }
      case 'number':
      case 'quantity': {
        const amount = amountOf(value)
        return amount ? [descending ? amount.canonical.high : amount.canonical.low] : []
      }
      default:
        return [String(value)]
    }
  })
  return values.toSorted((a, b) => compareValues(a, b, descending))[0] ?? null
}

