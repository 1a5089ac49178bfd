import { columnsOf, FIRST_YEAR, hasColumns, idKey, isHashedDate, LAST_YEAR, LONGEST_PREFIX } from '@carespine/fhir/index-entries'
import { isPatientColumn, isWithoutSystem, namesEachTarget, partsOf } from '@carespine/fhir/implied-entries'
import { askedDates, askedNumber } from '@carespine/fhir/match'
import { cellsAround } from '@carespine/fhir/near'
import { digitsOf, wordsOf } from '@carespine/fhir/normalize'
import type { ResourceType } from '@carespine/fhir/resource'
import type { ParameterLookup, SearchParameterDefinition } from '@carespine/fhir/search-parameters'
import type { AskedValue, Comparator, ValueFilter } from '@carespine/fhir/search-query'
import { localReference, phoneDigitsOf, UCUM } from '@carespine/fhir/search-values'
import { scaleOf } from '@carespine/fhir/units'

/** Gives a value its place in a statement, with its SQL type: `$3::uuid[]`. */
export type Parameter = (value: unknown, type: string) => string

/** What the index can be asked: terms, or SQL over the columns of a row. */
export type Clause =
  | 'everything'
  | 'nothing'
  | { terms: readonly string[] }
  | { anyTerm: readonly string[] }
  | { sql: (parameter: Parameter, alias: string) => string }
  /** Says nothing new, but leads PostgreSQL to an index; left out where another index is better. */
  | { hint: (parameter: Parameter, alias: string) => string }
  | { and: readonly Clause[] }
  | { or: readonly Clause[] }
  | { not: Clause }

/** A clause lets through whatever matches; when it is not exact, also more: the resource has to be looked at. */
export interface Translated {
  clause: Clause
  exact: boolean
}

export interface Translation {
  type: ResourceType
  now: Date
  parametersOf: ParameterLookup
  /** Rows of the type that were indexed by an older form are still there. */
  hasOldForm: boolean
}

const exactly = (clause: Clause): Translated => ({ clause, exact: true })
const roughly = (clause: Clause): Translated => ({ clause, exact: false })

/** What the index can tell of a filter that asks for nothing beyond the resource. */
export function translate(filter: ValueFilter, translation: Translation): Translated {
  const { parameter, modifier, values } = filter
  if (translation.hasOldForm && !isStable(parameter, modifier)) return roughly('everything')
  if (modifier === 'missing') return translateMissing(parameter, values[0]?.text === 'true', translation)
  if (modifier === 'unequal') return roughly('everything')
  const parts = values.map((value) => translateValue(translation, parameter, modifier, value))
  const exact = parts.every((part) => part.exact)
  const clause = anyOf(parts.map((part) => part.clause))
  if (modifier !== 'not') return { clause, exact }
  return exact ? exactly({ not: clause }) : roughly('everything')
}

// Entries that the first form of the index had already.
function isStable({ code, type, paths, bit }: SearchParameterDefinition, modifier: string | undefined): boolean {
  if (code === '_id' || code === '_lastUpdated') return true
  if (bit === undefined || modifier === 'missing' || modifier === 'identifier') return false
  if (type === 'token') return paths.every((path) => path.type !== 'ContactPoint' && path.exists === undefined)
  if (type === 'reference') return paths.every((path) => path.type === 'Reference')
  return type === 'string' || (type === 'date' && !isHashedDate(code))
}

/** `or` of clauses; terms become one condition. */
export function anyOf(clauses: readonly Clause[]): Clause {
  if (clauses.includes('everything')) return 'everything'
  const rest: Clause[] = []
  const terms: string[] = []
  for (const clause of clauses) {
    if (clause === 'nothing') continue
    if (typeof clause === 'object' && 'anyTerm' in clause) terms.push(...clause.anyTerm)
    else if (typeof clause === 'object' && 'terms' in clause && clause.terms.length === 1) terms.push(...clause.terms)
    else rest.push(clause)
  }
  if (terms.length > 0) rest.push({ anyTerm: terms })
  return rest.length === 0 ? 'nothing' : rest.length === 1 ? (rest[0] as Clause) : { or: rest }
}

function translateMissing(parameter: SearchParameterDefinition, isMissing: boolean, { hasOldForm }: Translation): Translated {
  const { code, bit } = parameter
  if (code === '_id' || code === '_lastUpdated') return exactly(isMissing ? 'nothing' : 'everything')
  if (bit === undefined) return exactly(isMissing ? { not: { terms: [`${code}?`] } } : { terms: [`${code}?`] })
  const mask = (1n << BigInt(bit)).toString()
  const sql = (alias: string): string => `(${alias}.present & ${mask}::int8) ${isMissing ? '=' : '<>'} 0`
  return hasOldForm ? roughly('everything') : exactly({ sql: (_parameter, alias) => sql(alias) })
}

function translateValue(translation: Translation, parameter: SearchParameterDefinition, modifier: string | undefined, asked: AskedValue): Translated {
  const { code } = parameter
  switch (parameter.type) {
    case 'token': {
      const told = [parameter, ...partsOf(translation.parametersOf(translation.type), parameter)].map((one) => translateToken(one, modifier, asked))
      return { clause: anyOf(told.map(({ clause }) => clause)), exact: told.every(({ exact }) => exact) }
    }
    case 'reference':
      return translateReference(translation.type, parameter, modifier, asked)
    case 'uri':
      if (modifier === 'below') return roughly('everything')
      return modifier === 'above' ? exactly({ anyTerm: outerUris(asked.text).map((uri) => `${code}=${uri}`) }) : exactly({ terms: [`${code}=${asked.text}`] })
    case 'string':
      return translateString([code, ...partsOf(translation.parametersOf(translation.type), parameter).map((part) => part.code)], modifier, asked.text)
    case 'date':
      return translateDate(translation, parameter, asked)
    case 'composite':
      return translateComposite(translation, parameter, asked)
    case 'special': {
      const cells = asked.circle && cellsAround(asked.circle)
      return roughly(cells ? { anyTerm: cells.map((cell) => `${code}#${cell}`) } : 'everything')
    }
    default:
      return translateAmount(parameter, asked)
  }
}

function translateToken(parameter: SearchParameterDefinition, modifier: string | undefined, { code: value = '', system, text }: AskedValue): Translated {
  const { code, paths } = parameter
  if (code === '_id') return exactly({ sql: (place, alias) => `${alias}.id = ${place(idKey(text), 'uuid')}` })
  switch (modifier) {
    case 'text':
      return roughly('everything')
    case 'of-type':
      return roughly({ terms: [`${code}||${value}`] })
    case 'starts-with': {
      const digits = code === 'phone' ? digitsOf(text) : text.toLowerCase()
      return { clause: { terms: [`${code}^${digits.slice(0, 14)}`] }, exact: digits.length <= 14 }
    }
  }
  const isContact = paths.every(({ type }) => type === 'ContactPoint')
  const contact = isContact && value.includes('@') ? value.toLowerCase() : value
  if (system === undefined) {
    const digits = isContact ? phoneDigitsOf(value) : ''
    return exactly(digits === '' ? { terms: [`${code}||${contact}`] } : { anyTerm: [`${code}||${contact}`, `${code}=${digits}`] })
  }
  if (contact === '') return exactly({ terms: [`${code}|${system}|`] })
  if (isWithoutSystem(parameter)) {
    const isBound = paths.filter(({ systems }) => system === '' || systems?.includes(system))
    return isBound.length === 0 ? exactly('nothing') : { clause: { terms: [`${code}||${contact}`] }, exact: isBound.length === paths.length }
  }
  const fact = `${code}|${system || '-'}|${contact}`
  // A `code` does not carry the system that its binding gives it.
  if (!paths.some(({ systems }) => systems?.includes(system))) return exactly({ terms: [fact] })
  return { clause: { anyTerm: [fact, `${code}|-|${contact}`] }, exact: paths.every(({ systems }) => systems?.includes(system)) }
}

function translateReference(type: ResourceType, parameter: SearchParameterDefinition, modifier: string | undefined, { text, system, code: value = '' }: AskedValue): Translated {
  const { code, paths, targets } = parameter
  if (modifier === 'text' || modifier === 'below' || modifier === 'above') return roughly('everything')
  if (modifier === 'identifier') {
    // The system alone is not indexed: identifiers of references are few.
    if (value === '') return roughly('everything')
    return exactly({ terms: [system === undefined ? `${code}:identifier||${value}` : `${code}:identifier|${system || '-'}|${value}`] })
  }
  const filed = isPatientColumn(type, parameter)
  const local = localReference(text)
  if (filed && local?.type === 'Patient') return keysClause([idKey(local.id)], 'patient')
  if (/[/:]/.test(text)) return exactly({ terms: [`${code}=${text}`] })
  if (namesEachTarget(parameter) || filed) {
    const others = targets.filter((target) => !filed || target !== 'Patient').map((target) => `${code}=${target}/${text}`)
    const terms = namesEachTarget(parameter) ? others : [`${code}=/${text}`]
    return exactly(anyOf([...(filed ? [keysClause([idKey(text)], 'patient').clause] : []), ...(terms.length > 0 ? [{ anyTerm: terms }] : [])]))
  }
  return exactly(paths.every(({ type }) => type === 'Reference') ? { terms: [`${code}=/${text}`] } : { anyTerm: [`${code}=/${text}`, `${code}=${text}`] })
}

/** `http://a/b/c` and the addresses that it lies within: `http://a/b/`, `http://a/b`, and so on. */
function outerUris(uri: string): string[] {
  const found = [uri]
  for (let at = uri.length - 1; at > 0; at--) {
    const outer = uri.slice(0, at)
    if (/[^\p{L}\p{N}]/u.test(uri[at] as string) || /[^\p{L}\p{N}]$/u.test(outer)) found.push(outer)
  }
  return found
}

// Each word may be in another part of the whole.
function translateString(codes: readonly string[], modifier: string | undefined, text: string): Translated {
  if (modifier === 'exact') return exactly(anyOf(codes.map((code) => ({ terms: [`${code}=${text}`] }))))
  const words = wordsOf(text)
  if (words.length === 0 || modifier === 'contains' || modifier === 'ends') return roughly('everything')
  const and = words.map((word): Clause => {
    const terms = codes.map((code) => `${code}^${word.slice(0, LONGEST_PREFIX)}`)
    return terms.length === 1 ? { terms } : { anyTerm: terms }
  })
  return { clause: { and }, exact: modifier === undefined && words.every((word) => word.length <= LONGEST_PREFIX) }
}

function translateDate({ now }: Translation, parameter: SearchParameterDefinition, asked: AskedValue): Translated {
  const { code, many } = parameter
  const span = askedDates(asked, now)
  if (!span) return roughly('everything')
  const { comparator } = asked
  if (code === '_lastUpdated') return exactly(spanClause({ low: 'updated', high: 'updated' }, comparator, iso(span), 'timestamptz', false))
  if (hasColumns(parameter)) {
    return { clause: spanClause(columnsOf(parameter), comparator, iso(span), 'timestamptz', many), exact: !many || !seesOneValue.has(comparator) }
  }
  if (isHashedDate(code)) {
    if (comparator === 'eq' && /^\d{4}(-\d{2}){0,2}$/.test(asked.text)) return exactly({ terms: [`${code}=${asked.text}`] })
    return roughly(hashedDates(code, windowOf(comparator, span)))
  }
  const years = yearsOf(windowOf(comparator, span))
  return roughly(years ? { anyTerm: [...years.map((year) => `${code}=${year}`), `${code}~long`] } : { terms: [`${code}?`] })
}

// Of several values, the outermost ends are known: enough for comparators that look at one end.
const seesOneValue: ReadonlySet<Comparator> = new Set<Comparator>(['eq', 'sa', 'eb', 'ap', 'overlaps'])

/** A time from when and until when, without end where undefined. */
export interface Window {
  from?: number
  until?: number
}

/** Where values lie that stand so to a span. */
function windowOf(comparator: Comparator, { low, high }: { low: number; high: number }): Window {
  switch (comparator) {
    case 'eq':
    case 'ap':
    case 'overlaps':
      return { from: low, until: high }
    case 'gt':
    case 'ge':
    case 'sa':
      return { from: low }
    case 'lt':
    case 'le':
    case 'eb':
      return { until: high }
    case 'ne':
      return {}
  }
}

function yearsOf({ from, until }: Window): string[] | undefined {
  if (from === undefined || until === undefined) return undefined
  const [first, last] = [new Date(from).getUTCFullYear(), new Date(until).getUTCFullYear()]
  if (last - first > 200) return undefined
  return Array.from({ length: last - first + 1 }, (_none, at) => String(first + at).padStart(4, '0'))
}

const DAY = 86_400_000
// Few terms, so that PostgreSQL does not take their sum for half of the table: thirty days of births are one or two months.
const MOST_DAYS = 7
const MOST_DAYS_AS_MONTHS = 400

/** Terms of every day, month or year that a hashed date within a window may have. */
export function hashedDates(code: string, window: Window): Clause {
  const from = Math.max(window.from ?? Number.NEGATIVE_INFINITY, Date.UTC(FIRST_YEAR, 0, 1))
  const until = Math.min(window.until ?? Number.POSITIVE_INFINITY, Date.UTC(LAST_YEAR + 1, 0, 1) - 1)
  const isFar = (window.from ?? Number.NEGATIVE_INFINITY) < from || (window.until ?? Number.POSITIVE_INFINITY) > until
  const far = isFar ? [`${code}~far`] : []
  if (from > until) return far.length > 0 ? { anyTerm: far } : 'nothing'
  const days = Math.ceil((until - from) / DAY)
  const steps = new Set<string>()
  if (days <= MOST_DAYS) for (let at = from; at < until + DAY; at += DAY) steps.add(new Date(Math.min(at, until)).toISOString().slice(0, 10))
  const months = new Set<string>()
  const years = new Set<string>()
  const last = new Date(until)
  for (let year = new Date(from).getUTCFullYear(); year <= last.getUTCFullYear(); year++) {
    years.add(String(year))
    if (days > MOST_DAYS_AS_MONTHS) continue
    for (let month = 0; month < 12; month++) {
      if (Date.UTC(year, month + 1, 1) > from && Date.UTC(year, month, 1) <= until) months.add(`${year}-${String(month + 1).padStart(2, '0')}`)
    }
  }
  // Dates that are known to the month or the year only carry a term of their own.
  const exact = (one: string): string => `${code}=${one}`
  const partial = (one: string): string => `${code}~${one}`
  if (days <= MOST_DAYS) return { anyTerm: [...[...steps].map(exact), ...[...months, ...years].map(partial), ...far] }
  if (days <= MOST_DAYS_AS_MONTHS) return { anyTerm: [...[...months].map(exact), ...[...years].map(partial), ...far] }
  return { anyTerm: [...[...years].map(exact), ...far] }
}

function iso({ low, high }: { low: number; high: number }): { low: string; high: string } {
  return { low: new Date(low).toISOString(), high: new Date(high).toISOString() }
}

const LAST_TIME = 253_402_300_799_999
// Most things take less; those that take longer have an index of their own (0004-search-form.sql).
const LONG = "interval '2 days'"

// The SQL of `compareSpans`; of several values that share the columns, true wherever one may match.
function spanClause(
  columns: { low: string; high: string },
  comparator: Comparator,
  asked: { low: string | number; high: string | number },
  cast: string,
  many: boolean,
): Clause {
  const on = (write: (low: string, high: string, lower: () => string, upper: () => string) => string) => (parameter: Parameter, alias: string) =>
    write(`${alias}.${columns.low}`, `${alias}.${columns.high}`, () => parameter(asked.low, cast), () => parameter(asked.high, cast))
  switch (many && seesOneValue.has(comparator) ? `many ${comparator}` : comparator) {
    case 'eq':
      return { sql: on((low, high, lower, upper) => `${low} >= ${lower()} and ${low} <= ${upper()} and ${high} <= ${upper()}`) }
    case 'ne':
      return { sql: on((low, high, lower, upper) => `(${low} < ${lower()} or ${high} > ${upper()})`) }
    case 'gt':
    case 'many sa':
      return { sql: on((_low, high, _lower, upper) => `${high} > ${upper()}`) }
    case 'ge':
      return { sql: on((_low, high, lower) => `${high} >= ${lower()}`) }
    case 'lt':
    case 'many eb':
      return { sql: on((low, _high, lower) => `${low} < ${lower()}`) }
    case 'le':
      return { sql: on((low, _high, _lower, upper) => `${low} <= ${upper()}`) }
    case 'sa':
      return { sql: on((low, _high, _lower, upper) => `${low} > ${upper()}`) }
    case 'eb':
      return { sql: on((_low, high, lower) => `${high} < ${lower()}`) }
    default:
      return { sql: on((low, high, lower, upper) => `${low} <= ${upper()} and ${high} >= ${lower()}`) }
  }
}

function translateAmount(parameter: SearchParameterDefinition, { comparator, number = '', system, unit }: AskedValue): Translated {
  const { code, many, type } = parameter
  const hasSpan = hasColumns(parameter)
  if (!hasSpan) return roughly(parameter.bit === undefined ? { terms: [`${code}?`] } : 'everything')
  const within = (scale?: { factor: number; offset: number }): Clause =>
    spanClause(columnsOf(parameter), comparator, askedNumber(number, comparator, scale), 'float8', many)
  const exact = !many || !seesOneValue.has(comparator)
  if (type === 'number') return { clause: within(), exact }
  // Without a unit the number as it stands is meant; the columns hold base units.
  if (unit === undefined) return roughly('everything')
  const own: Clause = { and: [{ terms: [`${code}~unit:${unit}`] }, within()] }
  if (system !== undefined && system !== UCUM) return roughly(own)
  const scale = scaleOf(unit)
  // A unit that UCUM does not know may be the name of one that it does.
  if (scale.dimension === `unit:${unit}`) return roughly(system === undefined ? 'everything' : own)
  const measured: Clause = { and: [{ terms: [`${code}~${scale.dimension}`] }, within(scale)] }
  return { clause: system === undefined ? { or: [measured, own] } : measured, exact: exact && !many }
}

function translateComposite(translation: Translation, { paths, components = [], many }: SearchParameterDefinition, { parts = [] }: AskedValue): Translated {
  const parameters = translation.parametersOf(translation.type)
  let exact = !many && paths.length === 1
  const clauses = components.map((component, at): Clause => {
    const parameter = parameters.get(component.code)
    const part = parts[at]
    if (!parameter || !part || (translation.hasOldForm && !isStable(parameter, undefined))) {
      exact = false
      return 'everything'
    }
    const translated = translateValue(translation, parameter, undefined, part)
    exact &&= translated.exact && parameter.paths.length === component.paths.length && !parameter.many
    return translated.clause
  })
  return { clause: { and: clauses }, exact }
}

/** The time that a filter with one date speaks of. */
export function windowOfFilter({ parameter, modifier, values }: ValueFilter, now: Date): Window | undefined {
  const [value, ...others] = values
  if (parameter.type !== 'date' || modifier !== undefined || others.length > 0 || !value) return undefined
  const span = askedDates(value, now)
  return span && windowOf(value.comparator, span)
}

/** What is within both. */
export function narrowest(a: Window | undefined, b: Window): Window {
  const from = Math.max(a?.from ?? Number.NEGATIVE_INFINITY, b.from ?? Number.NEGATIVE_INFINITY)
  const until = Math.min(a?.until ?? Number.POSITIVE_INFINITY, b.until ?? Number.POSITIVE_INFINITY)
  return { ...(Number.isFinite(from) ? { from } : {}), ...(Number.isFinite(until) ? { until } : {}) }
}

/**
 * What goes on within a time began within it or shortly before, unless it is long: a range of the index on the begin, and
 * a few more by their end. Without a begin of the time, the bound on the begin of things is range enough.
 */
export function rangeHint(parameter: SearchParameterDefinition, { from, until }: Window): Clause {
  if (from === undefined) return 'everything'
  const { low, high } = columnsOf(parameter)
  return {
    hint: (place, alias) => {
      const time = (at: number): string => place(new Date(Math.min(at, LAST_TIME)).toISOString(), 'timestamptz')
      const before = (more: number): string => (until === undefined ? '' : ` and ${alias}.${low} <= ${time(until + more)}`)
      // A second later in one of the two: what both say alike PostgreSQL takes out of the `or`, and with it the range.
      return (
        `(${alias}.${low} >= ${time(from)} - ${LONG}${before(0)} or ` +
        `${alias}.${high} - ${alias}.${low} > ${LONG} and ${alias}.${high} >= ${time(from)}${before(1000)})`
      )
    },
  }
}

/** The resources of these keys. */
export function keysClause(keys: readonly string[], column = 'id'): Translated {
  if (keys.length === 0) return { clause: 'nothing', exact: true }
  return { clause: { sql: (parameter, alias) => `${alias}.${column} = any (${parameter(keys, 'uuid[]')})` }, exact: true }
}
