import { isResourceType } from '@carespine/fhir/definitions'
import type { ResourceType } from '@carespine/fhir/resource'
import type { SearchQuery } from '@carespine/fhir/search-query'
import { refuse } from '@carespine/kit/module'
import type { Json, RecordInSight } from './record.ts'

/** A page of a search, as the cursors of a connection name it: sealed, since the search may hold a name. */
interface Place {
  type: ResourceType
  parameters: [string, string][]
  /** Of the first match on the page; -1 for the last page, wherever that is. */
  offset: number
  /** Where pages begin that were met on the way, as the store finds them again. */
  marks: [offset: number, cursor: string][]
}

const LAST = -1
const PURPOSE = 'graphql-page'
const MOST_MARKS = 20
const STEP = 1000

/** A connection as R4 GraphQL describes it; `count` when it was asked for. */
export interface Connection {
  count?: number
  offset: number
  pagesize: number
  first: string
  previous?: string
  next?: string
  last: string
  edges: { mode: 'match'; resource: Json }[]
}

interface Asked {
  isCounted: boolean
  keep(resource: Json): boolean
}

/** The first page of a search. */
export function firstPage(record: RecordInSight, type: ResourceType, parameters: [string, string][], asked: Asked): Promise<Connection> {
  return pageAt(record, { type, parameters, offset: 0, marks: [] }, asked)
}

/** The page that a cursor names. Refuses a cursor that is not one of ours, or of another type. */
export function pageOfCursor(record: RecordInSight, type: ResourceType, cursor: string, asked: Asked): Promise<Connection> {
  const text = record.services.store.unsealText(cursor, PURPOSE) ?? refuse('SEARCH_CURSOR_INVALID')
  const place = JSON.parse(text) as Place
  return isResourceType(place.type) && place.type === type ? pageAt(record, place, asked) : refuse('SEARCH_CURSOR_INVALID')
}

async function pageAt(record: RecordInSight, asked: Place, { isCounted, keep }: Asked): Promise<Connection> {
  const { type, parameters } = asked
  const query = record.searchOf(type, parameters)
  const total = isCounted || asked.offset === LAST ? ((await record.page({ ...query, countOnly: true })).total ?? 0) : undefined
  const offset = asked.offset === LAST ? Math.floor(Math.max(0, (total ?? 0) - 1) / Math.max(1, query.count)) * query.count : asked.offset
  const place = { ...asked, offset }
  const from = await markAt(record, query, place)
  const page = from === 'beyond' || query.countOnly ? { rows: [], noted: true } : await record.page({ ...query, ...from })
  const resources = await record.shown(page)
  const marks = from !== 'beyond' && from.cursor !== undefined ? withMark(place.marks, [offset, from.cursor]) : place.marks
  const at = (where: number, known = marks): string => record.services.store.sealText(JSON.stringify({ ...place, offset: where, marks: known }), PURPOSE)
  return {
    ...(total === undefined ? {} : { count: total }),
    offset,
    pagesize: query.count,
    first: at(0, []),
    ...(offset > 0 ? { previous: at(Math.max(0, offset - query.count)) } : {}),
    ...(page.next === undefined ? {} : { next: at(offset + query.count, withMark(marks, [offset + query.count, page.next])) }),
    last: at(page.next === undefined ? offset : LAST),
    edges: resources.filter(keep).map((resource) => ({ mode: 'match', resource })),
  }
}

function withMark(marks: Place['marks'], mark: Place['marks'][number]): Place['marks'] {
  return [...marks.filter(([offset]) => offset !== mark[0]), mark].toSorted(([a], [b]) => a - b).slice(-MOST_MARKS)
}

/** The cursor of the store for an offset, walked to from the nearest that is known. */
async function markAt(record: RecordInSight, query: SearchQuery, { offset, marks }: Place): Promise<{ cursor?: string } | 'beyond'> {
  let [at, cursor] = marks.findLast(([known]) => known <= offset) ?? [0, undefined]
  record.pass(offset - at)
  while (at < offset) {
    const count = Math.min(STEP, offset - at)
    const { next } = await record.page({ ...query, count, ...(cursor === undefined ? {} : { cursor }) })
    if (next === undefined) return 'beyond'
    cursor = next
    at += count
  }
  return cursor === undefined ? {} : { cursor }
}
