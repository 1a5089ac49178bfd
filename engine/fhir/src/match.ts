import { type Span, spanOf, spanOfValue } from './dates.ts'
import { numberSpanOf, textsOf } from './index-entries.ts'
import { digitsOf, normalizeText, wordsOf } from './normalize.ts'
import { valuesAt } from './search-parameters.ts'
import { type Comparator, type Filter, splitQuantity } from './search-query.ts'
import { canonicalUnit } from './units.ts'

/** True when a value's span stands to the asked span as the comparator says (R4 Search, section Prefixes). */
export function compareSpans(value: Span, comparator: Comparator, asked: Span): boolean {
  switch (comparator) {
    case 'eq':
      return value.low >= asked.low && value.high <= asked.high
    case 'ne':
      return !(value.low >= asked.low && value.high <= asked.high)
    case 'gt':
      return value.high > asked.high
    case 'ge':
      return value.high >= asked.low
    case 'lt':
      return value.low < asked.low
    case 'le':
      return value.low <= asked.high
    case 'sa':
      return value.low > asked.high
    case 'eb':
      return value.high < asked.low
    case 'ap':
      return value.low <= asked.high && value.high >= asked.low
  }
}

/** What a number in a search covers: as precise as it is written, `5.4` is 5.35 up to but not 5.45; `ap` a tenth each way. */
export function askedNumber(text: string, comparator: Comparator, factor = 1): Span {
  const value = Number(text)
  const decimals = /\.(\d+)/.exec(text)?.[1]?.length ?? 0
  const isRange = comparator === 'eq' || comparator === 'ne'
  const half = comparator === 'ap' ? Math.abs(value) * 0.1 : isRange ? 0.5 * 10 ** -decimals : 0
  // Against binary rounding of the unit's factor.
  const hair = Math.abs(value) * 1e-9
  return { low: (value - half - hair) * factor, high: (value + half + (isRange ? -hair : hair)) * factor }
}

/**
 * Looks at a resource itself, for filters whose index entries are coarser than the question: long words, `:contains`,
 * birth dates in a range, quantities without a unit, repeated dates, `:missing`.
 */
export function matches(resource: unknown, { parameter, modifier, values }: Filter): boolean {
  const found = parameter.paths.flatMap((path) => valuesAt(resource, path))
  if (modifier === 'missing') return (found.length === 0) === (values[0]?.text === 'true')
  return values.some(({ comparator, text }) =>
    found.some((value) => {
      switch (parameter.type) {
        case 'string': {
          const asked = normalizeText(text)
          if (modifier === 'exact') return textsOf(value).includes(text)
          if (modifier === 'contains') return textsOf(value).some((one) => normalizeText(one).includes(asked))
          const words = textsOf(value).flatMap(wordsOf)
          return wordsOf(text).every((term) => words.some((word) => word.startsWith(term)))
        }
        case 'date': {
          const span = spanOfValue(value)
          const asked = spanOf(text)
          return span !== undefined && asked !== undefined && compareSpans(span, comparator, asked)
        }
        case 'token': {
          const number = (value as { value?: unknown }).value
          return typeof number === 'string' && digitsOf(number).includes(digitsOf(text))
        }
        default:
          return matchesNumber(value, comparator, text)
      }
    }),
  )
}

function matchesNumber(value: unknown, comparator: Comparator, text: string): boolean {
  const { number, unit } = splitQuantity(text)
  if (unit === undefined) {
    const raw = typeof value === 'number' ? value : (value as { value?: unknown }).value
    return typeof raw === 'number' && compareSpans({ low: raw, high: raw }, comparator, askedNumber(number, comparator))
  }
  const { factor, dimension } = canonicalUnit(unit)
  const span = numberSpanOf(value)
  return span !== undefined && span.dimension === dimension && compareSpans(span, comparator, askedNumber(number, comparator, factor))
}
