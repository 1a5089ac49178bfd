import { spanOf } from '@carespine/fhir/dates'
import { columnsOf, isHashedDate, LONGEST_PREFIX } from '@carespine/fhir/index-entries'
import { askedNumber } from '@carespine/fhir/match'
import { digitsOf, wordsOf } from '@carespine/fhir/normalize'
import { type Comparator, type Filter, splitQuantity, splitToken } from '@carespine/fhir/search-query'
import { canonicalUnit } from '@carespine/fhir/units'

/** One way to answer a part of a filter: an index term that must be there, or SQL over typed columns. */
export type Condition = { all: readonly string[] } | { sql: (parameter: (value: unknown) => string) => string }

export interface Translated {
  /** Any of them, or with `negated` none of them. */
  any: readonly Condition[]
  negated: boolean
  /** The conditions let through more than was asked: look at the resource. */
  coarse: boolean
}

/** The patient that a filter narrows the search to, when it names exactly one. */
export function patientOf({ parameter, modifier, values }: Filter): string | undefined {
  const isPatient = parameter.code === 'patient' || parameter.code === 'subject' || parameter.code === 'beneficiary'
  if (!isPatient || values.length !== 1) return undefined
  const text = values[0]?.text ?? ''
  if (text.startsWith('Patient/')) return modifier === undefined || modifier === 'Patient' ? text.slice(8) : undefined
  if (text.includes('/')) return undefined
  return modifier === 'Patient' || (modifier === undefined && parameter.code === 'patient') ? text : undefined
}

/** What the index can tell of a filter. */
export function translate(filter: Filter): Translated {
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
