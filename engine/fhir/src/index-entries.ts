import { createHash } from 'node:crypto'
import { type Span, spanOf } from './dates.ts'
import { isPatientColumn, isWithoutSystem, namesEachTarget, partsOf } from './implied-entries.ts'
import { cellsOf } from './near.ts'
import { digitsOf, wordsOf } from './normalize.ts'
import type { Resource, ResourceType } from './resource.ts'
import { type ParameterLookup, type SearchParameterDefinition, searchParametersOf } from './search-parameters.ts'
import { amountOf, dateSpanOf, existenceOf, phoneDigitsOf, positionOf, referenceOf, textsOf, tokensOf, valuesOf } from './search-values.ts'

/** Longest beginning of a word that is indexed; longer terms are checked after decryption. */
export const LONGEST_PREFIX = 10

/**
 * How resources are indexed. It goes up when an entry of an R4 parameter changes; rows of an older form are looked at
 * after decryption until they are indexed again (see `isStableSince` in the store).
 */
export const INDEX_FORM = 2

export interface IndexColumn {
  name: string
  sqlType: 'timestamptz' | 'float8' | 'int8'
}

export interface IndexEntries {
  /** Index terms, to be hashed. */
  facts: string[]
  /** Typed columns: ISO times or numbers; `present` has a bit for each parameter with a value. */
  columns: Record<string, string | number | null>
}

// Birth and death dates identify people: they are hashed like names, never stored as dates.
const HASHED_DATES: ReadonlySet<string> = new Set(['birthdate', 'death-date'])

/** True for date parameters that are hashed by year, month and day. */
export function isHashedDate(code: string): boolean {
  return HASHED_DATES.has(code)
}

const columnNames = new Map<string, { low: string; high: string }>()

/** Column names of a parameter's lower and upper end. */
export function columnsOf({ code }: Pick<SearchParameterDefinition, 'code'>): { low: string; high: string } {
  let names = columnNames.get(code)
  if (!names) {
    const column = code.replace(/^_/, '').replaceAll('-', '_')
    names = { low: `${column}_lo`, high: `${column}_hi` }
    columnNames.set(code, names)
  }
  return names
}

/**
 * True for parameters with typed columns. Those added to an installation have none, and those of usage contexts, which
 * stand on definitions only, would cost more than they give.
 */
export function hasColumns({ type, code, bit }: SearchParameterDefinition): boolean {
  if (bit === undefined || code.startsWith('_') || code.startsWith('context-')) return false
  return (type === 'date' && !isHashedDate(code)) || type === 'number' || type === 'quantity'
}

const columnLists = new Map<ResourceType, readonly IndexColumn[]>()

/** The typed columns of a resource type's table, in order. */
export function indexColumns(type: ResourceType): readonly IndexColumn[] {
  let columns = columnLists.get(type)
  if (!columns) {
    const spans = [...searchParametersOf(type).values()]
      .filter(hasColumns)
      .sort((a, b) => (a.code < b.code ? -1 : 1))
      .flatMap((parameter): IndexColumn[] => {
        const sqlType = parameter.type === 'date' ? 'timestamptz' : 'float8'
        const { low, high } = columnsOf(parameter)
        return [
          { name: low, sqlType },
          { name: high, sqlType },
        ]
      })
    columns = [...spans, { name: 'present', sqlType: 'int8' }]
    columnLists.set(type, columns)
  }
  return columns
}

const MAIN_DATES = ['date', 'authored-on', 'authoredon', 'authored', 'issued', 'recorded-date', 'onset-date', 'period', 'effective', 'occurrence', 'whenhandedover', 'created', 'sent', 'collected']

/** The date that orders resources of a type in time; its columns have indexes of their own. */
export function mainDateOf(type: ResourceType): SearchParameterDefinition | undefined {
  const parameters = searchParametersOf(type)
  const code = MAIN_DATES.find((name) => parameters.get(name)?.type === 'date')
  return code === undefined ? undefined : parameters.get(code)
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Key of a resource id: the id itself when it is a uuid in lower case, else a uuid made from its hash. */
export function idKey(id: string): string {
  if (UUID.test(id)) return id
  const hex = createHash('sha256').update(`carespine-id:${id}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-9${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** True when a key may be of an id that is no uuid: the id is then in the body alone. */
export function mayHideId(key: string): boolean {
  return key[14] === '8' && key[19] === '9'
}

interface Indexed {
  parameter: SearchParameterDefinition
  /** Properties of the resource that its values lie in; absent when that cannot be told. */
  firsts?: readonly string[]
  isExistence: boolean
  /** Codes of parameters whose entries are not made again. */
  parts: readonly string[]
}

const lists = new WeakMap<ReadonlyMap<string, SearchParameterDefinition>, readonly Indexed[]>()

function indexed(parameters: ReadonlyMap<string, SearchParameterDefinition>): readonly Indexed[] {
  let list = lists.get(parameters)
  if (!list) {
    list = [...parameters.values()].flatMap((parameter): Indexed[] => {
      if (parameter.code === '_id' || parameter.code === '_lastUpdated' || parameter.type === 'composite') return []
      const firsts = [...new Set(parameter.paths.map(({ steps: [first] }) => first))]
      const isExistence = parameter.paths.some(({ exists }) => exists)
      const parts = partsOf(parameters, parameter).map(({ code }) => code)
      return [{ parameter, isExistence, parts, ...(firsts.every((one) => typeof one === 'string') ? { firsts } : {}) }]
    })
    // Parts before what they are parts of. A part of a part is a part of the whole, so the whole has more of them.
    list = list.toSorted((a, b) => a.parts.length - b.parts.length)
    lists.set(parameters, list)
  }
  return list
}

/** Index terms and typed columns of a resource, for the search parameters of its type. */
export function indexEntries(resource: Resource, parametersOf: ParameterLookup = searchParametersOf): IndexEntries {
  const facts = new Set<string>()
  const columns: IndexEntries['columns'] = {}
  const present: [number, number] = [0, 0]
  for (const { parameter, firsts, isExistence, parts } of indexed(parametersOf(resource.resourceType))) {
    if (isExistence) addToken(facts, parameter.code, { code: existenceOf(resource, parameter) ?? '' })
    // Most parameters have no value in most resources.
    else if (firsts && !firsts.some((name) => (resource as unknown as Record<string, unknown>)[name] !== undefined)) continue
    const found = valuesOf(resource, parameter)
    if (found.length === 0) continue
    if (parameter.bit === undefined) facts.add(`${parameter.code}?`)
    else if (parameter.bit < 31) present[0] |= 1 << parameter.bit
    else present[1] |= 1 << (parameter.bit - 31)
    if (isExistence) continue
    const made = parts.length > 0 ? new Set<string>() : facts
    for (const { value, path } of found) addValue(made, columns, resource, parameter, value, path.type)
    if (parts.length === 0) continue
    for (const fact of made) {
      const said = fact.slice(parameter.code.length)
      if (!parts.some((part) => facts.has(part + said))) facts.add(fact)
    }
  }
  addContained(facts, resource as { contained?: unknown })
  columns.present = present[1] === 0 ? present[0] : ((BigInt(present[1]) << 31n) | BigInt(present[0])).toString()
  return { facts: [...facts], columns: datesAsText(resource.resourceType, columns) }
}

function addValue(
  facts: Set<string>,
  columns: IndexEntries['columns'],
  resource: Resource,
  parameter: SearchParameterDefinition,
  value: unknown,
  type: string,
): void {
  const { code } = parameter
  switch (parameter.type) {
    case 'token':
      for (const token of tokensOf(value, type)) {
        if (isWithoutSystem(parameter)) facts.add(`${code}||${token.code}`)
        else addToken(facts, code, token)
      }
      if (type === 'ContactPoint') addPhone(facts, code, value)
      if (resource.resourceType === 'Patient') addNumberPrefixes(facts, code, value)
      return
    case 'reference':
      addReference(facts, parameter, value, resource)
      return
    case 'string':
      for (const text of textsOf(value)) addString(facts, code, text)
      return
    case 'uri':
      if (typeof value === 'string') addUri(facts, code, value)
      return
    case 'date':
      if (isHashedDate(code)) addHashedDate(facts, code, value)
      else if (hasColumns(parameter)) widen(columns, parameter, dateSpanOf(value, type))
      else if (parameter.bit === undefined) addYears(facts, code, dateSpanOf(value, type))
      return
    case 'special': {
      const position = positionOf(value)
      for (const cell of position ? cellsOf(position) : []) facts.add(`${code}#${cell}`)
      return
    }
    default:
      if (hasColumns(parameter)) addAmount(facts, columns, parameter, value)
  }
}

// Which types lie in it says where `_contained=true` has to look.
function addContained(facts: Set<string>, { contained }: { contained?: unknown }): void {
  if (!Array.isArray(contained)) return
  for (const one of contained as ({ resourceType?: unknown } | null)[]) {
    if (typeof one?.resourceType === 'string') facts.add(`contained=${one.resourceType}`)
  }
}

function datesAsText(type: ResourceType, columns: IndexEntries['columns']): IndexEntries['columns'] {
  for (const { name, sqlType } of indexColumns(type)) {
    const value = columns[name]
    if (sqlType === 'timestamptz' && typeof value === 'number') columns[name] = new Date(value).toISOString()
  }
  return columns
}

function addToken(facts: Set<string>, parameter: string, { system, code }: { system?: string; code: string }): void {
  facts.add(`${parameter}||${code}`)
  facts.add(`${parameter}|${system ?? '-'}|${code}`)
  if (system !== undefined) facts.add(`${parameter}|${system}|`)
}

// A phone number is found however it is punctuated, with and without its country code.
function addPhone(facts: Set<string>, parameter: string, value: unknown): void {
  const { value: text } = value as { value?: unknown }
  const digits = typeof text === 'string' ? phoneDigitsOf(text) : ''
  if (digits !== '') facts.add(`${parameter}=${digits}`)
}

// Search as one types, by the beginning of an MRN or of a phone number: the whole digits and the last nine.
function addNumberPrefixes(facts: Set<string>, parameter: string, value: unknown): void {
  const { value: text } = value as { value?: unknown }
  if (typeof text !== 'string' || (parameter !== 'identifier' && parameter !== 'phone')) return
  const digits = parameter === 'phone' ? digitsOf(text) : text.toLowerCase()
  for (const form of parameter === 'phone' ? [digits, digits.slice(-9)] : [digits, digitsOf(text)]) {
    for (let length = 3; length <= Math.min(form.length, 14); length++) facts.add(`${parameter}^${form.slice(0, length)}`)
  }
}

function addReference(facts: Set<string>, parameter: SearchParameterDefinition, value: unknown, resource: Resource): void {
  const { text, type, id, identifier } = referenceOf(value, resource) ?? {}
  const { code } = parameter
  if (type !== undefined && id !== undefined) {
    if (type !== 'Patient' || !isPatientColumn(resource.resourceType, parameter)) {
      facts.add(`${code}=${type}/${id}`)
      if (!namesEachTarget(parameter)) facts.add(`${code}=/${id}`)
    }
  } else if (text !== undefined) addUri(facts, code, text)
  addLogical(facts, code, identifier)
}

function addLogical(facts: Set<string>, parameter: string, identifier: unknown): void {
  for (const { system, code } of tokensOf(identifier, 'Identifier')) {
    facts.add(`${parameter}:identifier|${system ?? '-'}|${code}`)
    facts.add(`${parameter}:identifier||${code}`)
  }
}

// A canonical is found with its version and without.
function addUri(facts: Set<string>, parameter: string, uri: string): void {
  facts.add(`${parameter}=${uri}`)
  const bar = uri.indexOf('|')
  if (bar > 0) facts.add(`${parameter}=${uri.slice(0, bar)}`)
}

function addString(facts: Set<string>, parameter: string, text: string): void {
  facts.add(`${parameter}=${text}`)
  for (const word of wordsOf(text)) {
    for (let length = 1; length <= Math.min(word.length, LONGEST_PREFIX); length++) {
      facts.add(`${parameter}^${word.slice(0, length)}`)
    }
  }
}

// A date known to the year or the month only is also found as that, for ranges that begin or end within it.
function addHashedDate(facts: Set<string>, parameter: string, value: unknown): void {
  if (typeof value !== 'string') return
  const span = spanOf(value)
  if (!span) return
  const day = value.length <= 10 ? value : new Date(span.low).toISOString().slice(0, 10)
  for (const length of [4, 7, 10]) if (day.length >= length) facts.add(`${parameter}=${day.slice(0, length)}`)
  if (day.length < 10) facts.add(`${parameter}~${day}`)
  const year = Number(day.slice(0, 4))
  if (year < FIRST_YEAR || year > LAST_YEAR) facts.add(`${parameter}~far`)
}

/** Births and deaths outside of these years are indexed as far away: years without end cannot be listed. */
export const FIRST_YEAR = 1800
export const LAST_YEAR = 2200

/** Spans of more years than this are indexed as long, and looked at by every search. */
const MOST_YEARS = 60

function addYears(facts: Set<string>, parameter: string, span: Span | undefined): void {
  if (!span) return
  const [first, last] = [new Date(span.low).getUTCFullYear(), new Date(span.high).getUTCFullYear()]
  if (last - first > MOST_YEARS) facts.add(`${parameter}~long`)
  else for (let year = first; year <= last; year++) facts.add(`${parameter}=${String(year).padStart(4, '0')}`)
}

function widen(columns: IndexEntries['columns'], parameter: SearchParameterDefinition, span: Span | undefined): void {
  if (!span) return
  const { low, high } = columnsOf(parameter)
  const [lower, upper] = [columns[low], columns[high]]
  columns[low] = typeof lower === 'number' ? Math.min(lower, span.low) : span.low
  columns[high] = typeof upper === 'number' ? Math.max(upper, span.high) : span.high
}

function addAmount(facts: Set<string>, columns: IndexEntries['columns'], parameter: SearchParameterDefinition, value: unknown): void {
  const amount = amountOf(value)
  if (!amount) return
  widen(columns, parameter, amount.canonical)
  if (amount.dimension !== undefined) facts.add(`${parameter.code}~${amount.dimension}`)
}
