import type { ResourceType } from '@carespine/fhir/resource'
import type { SortKey } from '@carespine/fhir/search-query'
import type { StoredRow } from './read-records.ts'
import { refuse } from './refusal.ts'
import type { SearchContext } from './search-context.ts'
import type { Key } from './search-cursor.ts'
import type { SearchPlan } from './search-plan.ts'
import { lookUpOf, type SortedRow, StatementBuilder } from './search-statement.ts'

/** A row whose body may have to be looked at. */
export class Candidate {
  readonly row: SortedRow
  readonly #open: () => Buffer
  #body: Buffer | undefined
  #resource: unknown

  constructor(row: SortedRow, open: () => Buffer) {
    this.row = row
    this.#open = open
  }

  /** Resources within it that match, for a search of contained ones. */
  contained: readonly unknown[] | undefined

  /** A resource that lies in this one, to be looked at by itself. */
  inside(resource: unknown): Candidate {
    const candidate = new Candidate(this.row, this.#open)
    candidate.#resource = resource
    return candidate
  }

  get body(): Buffer {
    this.#body ??= this.#open()
    return this.#body
  }

  get resource(): unknown {
    this.#resource ??= JSON.parse(this.body.toString())
    return this.#resource
  }
}

/** Rows looked at for one answer of a coarse search before it gives up and asks for a narrower one. */
const MOST_LOOKED_AT = 100_000
const SMALLEST_LOOK = 200
const LARGEST_LOOK = 1000

export interface Reading {
  type: ResourceType
  plan: SearchPlan
  sort: readonly SortKey[]
  after?: { key: Key; including?: boolean }
}

/** The first resources that match after a place in an order, at most `limit`. */
export async function readMatches({ type, plan, sort, after }: Reading, limit: number, context: SearchContext): Promise<{ found: Candidate[]; keyOf(row: SortedRow): Key }> {
  const { verify } = plan
  const build = new StatementBuilder({ type, ...plan }, sort, context.hashes)
  const keyOf = (row: SortedRow): Key => build.keyOf(row)
  if (!verify) {
    const rows = await readRows(build, limit, after, context)
    return { found: rows.map((row) => new Candidate(row, () => context.open(type, row))), keyOf }
  }
  const found: Candidate[] = []
  let from = after
  let looked = 0
  let size = Math.max(SMALLEST_LOOK, limit * 2)
  for (;;) {
    const rows = await readRows(build, size, from, context)
    const candidates = rows.map((row) => new Candidate(row, () => context.peek(type, row)))
    const fits = await verify(candidates)
    found.push(...candidates.filter((_candidate, at) => fits[at]))
    const last = rows.at(-1)
    if (found.length >= limit || rows.length < size || !last) return { found: found.slice(0, limit), keyOf }
    looked += rows.length
    if (looked >= MOST_LOOKED_AT) refuse('SEARCH_TOO_WIDE')
    from = { key: build.keyOf(last) }
    size = Math.min(LARGEST_LOOK, size * 2)
  }
}

async function readRows(build: StatementBuilder, limit: number, after: Reading['after'], context: SearchContext): Promise<SortedRow[]> {
  const statement = build.page(limit, after)
  const { patient } = build
  return patient === undefined
    ? await context.query<SortedRow>(statement)
    : await context.lookUp<SortedRow>(lookUpOf(statement), statement.values ?? [], patient)
}

/** How many match. */
export async function countMatches({ type, plan }: Pick<Reading, 'type' | 'plan'>, context: SearchContext): Promise<number> {
  if (!plan.verify) {
    const [row] = await context.query<{ count: number }>(new StatementBuilder({ type, ...plan }, [], context.hashes).count())
    return row?.count ?? 0
  }
  let count = 0
  for await (const page of allMatches({ type, plan }, context)) count += page.length
  return count
}

/** Every match, some at a time, by id. */
export async function* allMatches({ type, plan }: Pick<Reading, 'type' | 'plan'>, context: SearchContext): AsyncGenerator<Candidate[]> {
  const { verify } = plan
  const build = new StatementBuilder({ type, ...plan }, [], context.hashes)
  let after: Reading['after']
  let looked = 0
  let size = SMALLEST_LOOK
  for (;;) {
    const rows = await readRows(build, size, after, context)
    const candidates = rows.map((row: StoredRow & SortedRow) => new Candidate(row, () => context.peek(type, row)))
    const fits = verify ? await verify(candidates) : undefined
    yield fits ? candidates.filter((_candidate, at) => fits[at]) : candidates
    const last = rows.at(-1)
    if (rows.length < size || !last) return
    looked += rows.length
    if (looked >= MOST_LOOKED_AT) refuse('SEARCH_TOO_WIDE')
    after = { key: build.keyOf(last) }
    size = LARGEST_LOOK
  }
}
