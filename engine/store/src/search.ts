import { spanOf } from '@carespine/fhir/dates'
import { columnsOf, idKey, isHashedDate, LONGEST_PREFIX } from '@carespine/fhir/index-entries'
import { askedNumber, matches } from '@carespine/fhir/match'
import { digitsOf, wordsOf } from '@carespine/fhir/normalize'
import { type Comparator, type Filter, type SearchQuery, splitQuantity, splitToken } from '@carespine/fhir/search-query'
import { canonicalUnit } from '@carespine/fhir/units'
import { plainArray } from './array-literal.ts'
import type { Statement } from './database.ts'
import type { StoredRow } from './read-records.ts'
import { refuse } from './refusal.ts'

/** One way to answer a part of a filter: an index term that must be there, or SQL over typed columns. */
type Condition = { all: readonly string[] } | { sql: (parameter: (value: unknown) => string) => string }

interface Translated {
  /** Any of them, or with `negated` none of them. */
  any: readonly Condition[]
  negated: boolean
  /** The conditions let through more than was asked: look at the resource. */
  coarse: boolean
}

export interface Page {
  rows: { row: StoredRow; body: Buffer }[]
  next?: string
  total?: number
}

export interface SearchRuntime {
  query<R>(statement: Statement): Promise<R[]>
  open(row: StoredRow): Buffer
  hash(fact: string): string
}

type SortedRow = StoredRow & Record<`sort${number}`, Date | number | string | null>

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
    const found = await runtime.query<SortedRow>(build.page(limit, cursor))
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

type Key = readonly (string | number | null)[]

// A cursor holds sort keys and an id: times and numbers that the client has just been sent, never a name.
function writeCursor(key: Key): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url')
}

function readCursor(text: string, casts: readonly string[]): Key {
  try {
    const key: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    const isKey =
      Array.isArray(key) &&
      key.length === casts.length + 1 &&
      /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(String(key.at(-1))) &&
      casts.every((cast, at) => key[at] === null || (cast === 'float8' ? typeof key[at] === 'number' : isTime(key[at])))
    if (isKey) return key as Key
  } catch {
    // Falls through to the refusal.
  }
  return refuse('SEARCH_CURSOR_INVALID')
}

function isTime(value: unknown): boolean {
  return typeof value === 'string' && /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/.test(value) && spanOf(value) !== undefined
}

class StatementBuilder {
  readonly #query: SearchQuery
  readonly #filters: readonly Translated[]
  readonly #hash: (fact: string) => string
  readonly #sorts: { column: string; descending: boolean; cast: string }[]

  constructor(query: SearchQuery, filters: readonly Translated[], hash: (fact: string) => string) {
    this.#query = query
    this.#filters = filters
    this.#hash = hash
    const asked = query.sort.length > 0 ? query.sort : [{ parameter: '_lastUpdated' as const, descending: true }]
    this.#sorts = asked
      .filter(({ parameter }) => parameter !== '_id')
      .map(({ parameter, descending }) => {
        if (parameter === '_lastUpdated' || parameter === '_id') return { column: 'updated', descending, cast: 'timestamptz' }
        const { low, high } = columnsOf(parameter)
        return { column: parameter.type === 'date' || !descending ? low : high, descending, cast: parameter.type === 'date' ? 'timestamptz' : 'float8' }
      })
  }

  get sortCasts(): readonly string[] {
    return this.#sorts.map(({ cast }) => cast)
  }

  keyOf(row: SortedRow): Key {
    const keys = this.#sorts.map((_sort, at) => {
      const value = row[`sort${at}`]
      return value instanceof Date ? value.toISOString() : (value ?? null)
    })
    return [...keys, row.id]
  }

  page(limit: number, cursor: Key | undefined): Statement {
    const values: unknown[] = []
    const parameter = (value: unknown): string => `$${values.push(value)}`
    const conditions = this.#conditions(parameter)
    if (cursor) conditions.push(this.#after(cursor, parameter))
    const order = [
      ...this.#sorts.map(({ column, descending }) => `t.${column} ${descending ? 'desc' : 'asc'} nulls last`),
      't.id',
    ]
    const sortColumns = this.#sorts.map(({ column }, at) => `, t.${column} as sort${at}`).join('')
    const text =
      `select t.id, t.version, t.updated, t.branch, t.patient, t.owner, t.deleted, t.body${sortColumns} ` +
      `from fhir.${this.#query.type.toLowerCase()} t where ${conditions.join(' and ')} ` +
      `order by ${order.join(', ')} limit ${parameter(limit)}`
    return named(text, values)
  }

  count(): Statement {
    const values: unknown[] = []
    const conditions = this.#conditions((value) => `$${values.push(value)}`)
    const text = `select count(*)::int as count from fhir.${this.#query.type.toLowerCase()} t where ${conditions.join(' and ')}`
    return named(text, values)
  }

  #conditions(parameter: (value: unknown) => string): string[] {
    const conditions = ['not t.deleted']
    const { ids, filters } = this.#query
    if (ids) conditions.push(`t.id = any (${parameter(ids.map(idKey))}::uuid[])`)
    const patients = filters.map((filter) => patientOf(filter))
    const patient = patients.find((id) => id !== undefined)
    if (patient !== undefined) conditions.push(`t.patient = ${parameter(idKey(patient))}`)
    const must: string[] = []
    this.#filters.forEach(({ any, negated }, at) => {
      if (patient !== undefined && patients[at] === patient) return
      if (any.length === 0) return
      const [only] = any
      if (any.length === 1 && !negated && only && 'all' in only) {
        must.push(...only.all.map(this.#hash))
        return
      }
      const alternative = (condition: Condition): string =>
        'sql' in condition
          ? `(${condition.sql(parameter)})`
          : `t.facts @> ${parameter(plainArray(condition.all.map(this.#hash)))}::int8[]`
      const single = any.every((condition) => 'all' in condition && condition.all.length === 1)
      const together = single
        ? `t.facts && ${parameter(plainArray(any.flatMap((c) => ('all' in c ? c.all.map(this.#hash) : []))))}::int8[]`
        : `(${any.map(alternative).join(' or ')})`
      conditions.push(negated ? `not ${together}` : this.#shy(together, patient))
    })
    if (must.length > 0) conditions.push(this.#shy(`t.facts @> ${parameter(plainArray(must))}::int8[]`, patient))
    return conditions
  }

  // Within one patient the btree finds a few hundred rows in 0.1 ms; the planner would add the GIN index, at 9 ms.
  // Wrapped like this, the condition cannot use it.
  #shy(condition: string, patient: string | undefined): string {
    return patient === undefined ? condition : `(${condition}) is true`
  }

  #after(cursor: Key, parameter: (value: unknown) => string): string {
    const alternatives: string[] = []
    const equal: string[] = []
    this.#sorts.forEach(({ column, descending, cast }, at) => {
      const value = cursor[at]
      if (value === null || value === undefined) {
        equal.push(`t.${column} is null`)
        return
      }
      const bound = `${parameter(value)}::${cast}`
      const beyond = `(t.${column} ${descending ? '<' : '>'} ${bound} or t.${column} is null)`
      alternatives.push([...equal, beyond].join(' and '))
      equal.push(`t.${column} = ${bound}`)
    })
    alternatives.push([...equal, `t.id > ${parameter(cursor.at(-1))}::uuid`].join(' and '))
    return `(${alternatives.map((one) => `(${one})`).join(' or ')})`
  }
}

// Names of prepared statements are cut at 63 bytes by PostgreSQL; a counter is short and unique in this process.
const names = new Map<string, string>()
function named(text: string, values: unknown[]): Statement {
  let name = names.get(text)
  if (name === undefined && names.size < 400) {
    name = `search-${names.size}`
    names.set(text, name)
  }
  return { text, values, ...(name === undefined ? {} : { name }) }
}

/** The patient that a filter narrows the search to, when it names exactly one. */
function patientOf({ parameter, modifier, values }: Filter): string | undefined {
  const isPatient = parameter.code === 'patient' || parameter.code === 'subject' || parameter.code === 'beneficiary'
  if (!isPatient || values.length !== 1) return undefined
  const text = values[0]?.text ?? ''
  if (text.startsWith('Patient/')) return modifier === undefined || modifier === 'Patient' ? text.slice(8) : undefined
  if (text.includes('/')) return undefined
  return modifier === 'Patient' || (modifier === undefined && parameter.code === 'patient') ? text : undefined
}

function translate(filter: Filter): Translated {
  const { modifier, values } = filter
  if (modifier === 'missing') return { any: [], negated: false, coarse: true }
  const coarseParts: boolean[] = []
  const any = values.flatMap(({ comparator, text }): Condition[] => {
    const { condition, coarse } = translateValue(filter, comparator, text)
    coarseParts.push(coarse)
    return condition ? [condition] : []
  })
  // One alternative without an index entry opens the whole filter.
  const coarse = coarseParts.includes(true)
  const open = any.length < values.length
  return { any: open ? [] : any, negated: modifier === 'not', coarse: coarse || open }
}

function translateValue(
  { parameter, modifier }: Filter,
  comparator: Comparator,
  text: string,
): { condition?: Condition; coarse: boolean } {
  const { code } = parameter
  switch (parameter.type) {
    case 'token': {
      if (modifier === 'starts-with') {
        const digits = code === 'phone' ? digitsOf(text) : text.toLowerCase()
        return { condition: { all: [`${code}^${digits.slice(0, 14)}`] }, coarse: digits.length > 14 }
      }
      const { system, code: value } = splitToken(text)
      if (code === 'phone' && system === undefined) {
        return { condition: { all: [`phone=${digitsOf(value).slice(-9)}`] }, coarse: false }
      }
      const fact = system === undefined ? `${code}||${value}` : value === '' ? `${code}|${system}|` : `${code}|${system || '-'}|${value}`
      return { condition: { all: [fact] }, coarse: false }
    }
    case 'reference': {
      if (modifier === 'identifier') {
        const { system, code: value } = splitToken(text)
        return { condition: { all: [`${code}:identifier|${system || '-'}|${value}`] }, coarse: false }
      }
      const fact = text.includes('/') || text.includes(':') ? text : modifier === undefined ? `/${text}` : `${modifier}/${text}`
      return { condition: { all: [`${code}=${fact}`] }, coarse: false }
    }
    case 'uri':
      return { condition: { all: [`${code}=${text}`] }, coarse: false }
    case 'string': {
      if (modifier === 'exact') return { condition: { all: [`${code}=${text}`] }, coarse: false }
      if (modifier === 'contains') return { coarse: true }
      const words = wordsOf(text)
      if (words.length === 0) return { coarse: true }
      const all = words.map((word) => `${code}^${word.slice(0, LONGEST_PREFIX)}`)
      return { condition: { all }, coarse: words.some((word) => word.length > LONGEST_PREFIX) }
    }
    case 'date': {
      const isExact = /^\d{4}(-\d{2}){0,2}$/.test(text)
      if (isHashedDate(code)) {
        return comparator === 'eq' && isExact ? { condition: { all: [`${code}=${text}`] }, coarse: false } : { coarse: true }
      }
      const span = spanOf(text)
      if (!span) return { coarse: true }
      if (code === '_lastUpdated') return { condition: spanCondition('updated', 'updated', comparator, iso(span), 'timestamptz'), coarse: false }
      const { low, high } = columnsOf(parameter)
      return {
        condition: spanCondition(low, high, comparator, iso(span), 'timestamptz'),
        coarse: comparator === 'eq' || comparator === 'sa' || comparator === 'eb' || repeats(parameter),
      }
    }
    default: {
      const { number, unit } = splitQuantity(text)
      if (parameter.type === 'quantity' && unit === undefined) return { coarse: true }
      const { factor, dimension } = unit === undefined ? { factor: 1, dimension: undefined } : canonicalUnit(unit)
      const span = askedNumber(number, comparator, factor)
      const { low, high } = columnsOf(parameter)
      const inSpan = spanCondition(low, high, comparator, span, 'float8')
      if (dimension === undefined || !('sql' in inSpan)) return { condition: inSpan, coarse: repeats(parameter) }
      return { condition: inSpan, coarse: true }
    }
  }
}

function repeats(parameter: Filter['parameter']): boolean {
  return parameter.code.startsWith('combo-') || parameter.code.startsWith('component-') || parameter.paths.some(({ steps }) => steps.length > 1)
}

function iso({ low, high }: { low: number; high: number }): { low: string; high: string } {
  return { low: new Date(low).toISOString(), high: new Date(high).toISOString() }
}

// The coarse form of `compareSpans`: true wherever one of several values may match.
function spanCondition(
  low: string,
  high: string,
  comparator: Comparator,
  asked: { low: string | number; high: string | number },
  cast: string,
): Condition {
  return {
    sql: (parameter) => {
      const lower = () => `${parameter(asked.low)}::${cast}`
      const upper = () => `${parameter(asked.high)}::${cast}`
      switch (comparator) {
        case 'eq':
        case 'ap':
          return `t.${low} <= ${upper()} and t.${high} >= ${lower()}`
        case 'ne':
          return `t.${low} < ${lower()} or t.${high} > ${upper()}`
        case 'gt':
          return `t.${high} > ${upper()}`
        case 'ge':
          return `t.${high} >= ${lower()}`
        case 'lt':
          return `t.${low} < ${lower()}`
        case 'le':
          return `t.${low} <= ${upper()}`
        case 'sa':
          return `t.${high} > ${upper()}`
        case 'eb':
          return `t.${low} < ${lower()}`
      }
    },
  }
}
