import { columnsOf, idKey } from '@carespine/fhir/index-entries'
import type { ResourceType } from '@carespine/fhir/resource'
import type { SortKey } from '@carespine/fhir/search-query'
import { plainArray } from './array-literal.ts'
import type { LookUp } from './contract.ts'
import type { Statement } from './database.ts'
import type { StoredRow } from './read-records.ts'
import type { Clause, Parameter } from './search-clauses.ts'
import type { Key } from './search-cursor.ts'

export type SortedRow = StoredRow & Record<`sort${number}`, Date | number | string | null>

export interface Conditions {
  type: ResourceType
  /** All of them. */
  clauses: readonly Clause[]
  /** The one patient that the search is about. */
  patient?: string
}

/** Sort keys that are columns; anything else is sorted after decryption. */
type ColumnSort = SortKey & { column: string; cast: 'timestamptz' | 'float8' | 'uuid' }

/** The column that a sort key stands for. */
function sortColumn(key: SortKey): ColumnSort {
  const { parameter, descending } = key
  if (parameter === '_lastUpdated') return { ...key, column: 'updated', cast: 'timestamptz' }
  if (parameter === '_id') return { ...key, column: 'id', cast: 'uuid' }
  const { low, high } = columnsOf(parameter)
  const isDate = parameter.type === 'date'
  return { ...key, column: isDate || !descending ? low : high, cast: isDate ? 'timestamptz' : 'float8' }
}

const columns = 't.id, t.version, t.updated, t.branch, t.patient, t.owner, t.deleted, t.body'

/** The SQL of one search: its pages and its count. */
export class StatementBuilder {
  readonly #conditions: Conditions
  readonly #hashes: TermHashes
  readonly #sorts: readonly ColumnSort[]
  /** Direction of id and branch, which stand last in every order. */
  readonly #idDescends: boolean

  constructor(conditions: Conditions, sort: readonly SortKey[], hashes: TermHashes) {
    this.#conditions = conditions
    this.#hashes = hashes
    // What stands after the id in an order changes nothing.
    const byId = sort.findIndex(({ parameter }) => parameter === '_id')
    this.#sorts = (byId < 0 ? sort : sort.slice(0, byId)).map(sortColumn)
    this.#idDescends = byId >= 0 && sort[byId]?.descending === true
  }

  /** The one patient that the search is about. */
  get patient(): string | undefined {
    return this.#conditions.patient
  }

  get sortCasts(): readonly string[] {
    return this.#sorts.map(({ cast }) => cast)
  }

  keyOf(row: SortedRow): Key {
    const keys = this.#sorts.map((_sort, at) => {
      const value = row[`sort${at}`]
      return value instanceof Date ? value.toISOString() : (value ?? null)
    })
    return [...keys, row.id, row.branch]
  }

  /** @param after Keys of the last row seen; `including` a row of the same keys, for another resource type. */
  page(limit: number, after: { key: Key; including?: boolean } | undefined): Statement {
    const values: unknown[] = []
    const parameter: Parameter = (value, type) => `$${values.push(value)}::${type}`
    const conditions = this.#where(parameter)
    if (after) conditions.push(this.#after(after.key, after.including === true, parameter))
    const order = [
      ...this.#sorts.map(({ column, descending }) => `t.${column} ${descending ? 'desc' : 'asc'} nulls last`),
      ...(this.#idDescends ? ['t.id desc', 't.branch desc'] : ['t.id', 't.branch']),
    ]
    const sortColumns = this.#sorts.map(({ column }, at) => `, t.${column} as sort${at}`).join('')
    const text =
      `select ${columns}${sortColumns} from ${tableOf(this.#conditions.type)} t where ${conditions.join(' and ')} ` +
      `order by ${order.join(', ')} limit ${parameter(limit, 'int')}`
    return { text, values }
  }

  count(): Statement {
    const values: unknown[] = []
    const conditions = this.#where((value, type) => `$${values.push(value)}::${type}`)
    const text = `select count(*)::int as count from ${tableOf(this.#conditions.type)} t where ${conditions.join(' and ')}`
    return { text, values }
  }

  #where(parameter: Parameter): string[] {
    return conditionsOf(this.#conditions, parameter, 't', this.#hashes)
  }

  #after(cursor: Key, including: boolean, parameter: Parameter): string {
    const alternatives: string[] = []
    const equal: string[] = []
    this.#sorts.forEach(({ column, descending, cast }, at) => {
      const value = cursor[at]
      if (value === null || value === undefined) {
        equal.push(`t.${column} is null`)
        return
      }
      const bound = parameter(value, cast)
      const beyond = `(t.${column} ${descending ? '<' : '>'} ${bound} or t.${column} is null)`
      alternatives.push([...equal, beyond].join(' and '))
      equal.push(`t.${column} = ${bound}`)
    })
    const comparison = `${this.#idDescends ? '<' : '>'}${including ? '=' : ''}`
    const [id, branch] = cursor.slice(-2)
    alternatives.push([...equal, `(t.id, t.branch) ${comparison} (${parameter(id, 'uuid')}, ${parameter(branch, 'uuid')})`].join(' and '))
    return alternatives.length === 1 ? (alternatives[0] as string) : `(${alternatives.map((one) => `(${one})`).join(' or ')})`
  }
}

/** Hashes that a row of the type may bear for a term: one, and more while the index key changes. */
export type TermHashes = (type: ResourceType, term: string) => readonly string[]

export function tableOf(type: ResourceType): string {
  return `fhir.${type.toLowerCase()}`
}

/** The conditions of a search as SQL over one table. */
export function conditionsOf({ type, clauses, patient }: Conditions, parameter: Parameter, alias: string, hashes: TermHashes): string[] {
  const conditions = [`not ${alias}.deleted`]
  if (patient !== undefined) conditions.push(`${alias}.patient = ${parameter(idKey(patient), 'uuid')}`)
  const writer = new ClauseWriter(parameter, alias, (term) => hashes(type, term))
  const must: string[] = []
  for (const clause of clauses.flatMap(flat)) {
    if (clause === 'everything' || (typeof clause === 'object' && 'hint' in clause && patient !== undefined)) continue
    if (typeof clause === 'object' && 'terms' in clause) must.push(...clause.terms)
    else conditions.push(shy(writer.write(clause), patient))
  }
  if (must.length > 0) conditions.push(shy(writer.terms([...new Set(must)]), patient))
  return conditions
}

function flat(clause: Clause): readonly Clause[] {
  return typeof clause === 'object' && 'and' in clause ? clause.and.flatMap(flat) : [clause]
}

// Within one patient the btree finds a few hundred rows in 0.1 ms; the planner would add the GIN index, at 9 ms.
// Wrapped like this, the condition cannot use it.
function shy(condition: string, patient: string | undefined): string {
  return patient === undefined ? condition : `(${condition}) is true`
}

class ClauseWriter {
  readonly #parameter: Parameter
  readonly #alias: string
  readonly #hashes: (term: string) => readonly string[]

  constructor(parameter: Parameter, alias: string, hashes: (term: string) => readonly string[]) {
    this.#parameter = parameter
    this.#alias = alias
    this.#hashes = hashes
  }

  terms(terms: readonly string[]): string {
    const hashes = terms.map(this.#hashes)
    if (hashes.every(({ length }) => length === 1)) return `${this.#alias}.facts @> ${this.#parameter(plainArray(hashes.flat()), 'int8[]')}`
    // While the index key changes, a row bears the hash of a term under one key or under another.
    return hashes.map((any) => `${this.#alias}.facts && ${this.#parameter(plainArray(any), 'int8[]')}`).join(' and ')
  }

  write(clause: Clause): string {
    if (clause === 'everything') return 'true'
    if (clause === 'nothing') return 'false'
    if ('terms' in clause) return this.terms(clause.terms)
    if ('anyTerm' in clause) return `${this.#alias}.facts && ${this.#parameter(plainArray(clause.anyTerm.flatMap(this.#hashes)), 'int8[]')}`
    if ('sql' in clause) return clause.sql(this.#parameter, this.#alias)
    if ('hint' in clause) return clause.hint(this.#parameter, this.#alias)
    if ('not' in clause) return `(${this.write(clause.not)}) is not true`
    const parts = ('and' in clause ? clause.and : clause.or).map((one) => `(${this.write(one)})`)
    if (parts.length === 0) return 'and' in clause ? 'true' : 'false'
    return `(${parts.join('and' in clause ? ' and ' : ' or ')})`
  }
}

// The statement of one search, turned so that it serves all that ask it at the same moment.
const lookUps = new Map<string, LookUp>()

/** Its parameters, each written with its type as `$1::uuid`, become columns of `asked`. */
export function lookUpOf({ text }: Statement): LookUp {
  let lookUp = lookUps.get(text)
  if (!lookUp) {
    const types: string[] = []
    const turned = text.replace(/\$(\d+)(?:::(\w+(?:\[\])?))?/g, (_match, nth: string, type: string | undefined) => {
      if (type === undefined) throw new Error(`Parameter ${nth} of a search has no type: ${text}`)
      types[Number(nth) - 1] = type
      return `q.p${nth}`
    })
    lookUp = {
      text: `select q.nth, found.* from asked q cross join lateral (${turned}) found`,
      columns: Object.fromEntries(types.map((type, at) => [`p${at + 1}`, type])),
    }
    if (lookUps.size < 400) lookUps.set(text, lookUp)
  }
  return lookUp
}
