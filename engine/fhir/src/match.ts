import { type Span, spanOf } from './dates.ts'
import { kilometresBetween } from './near.ts'
import { digitsOf, normalizeText, wordsOf } from './normalize.ts'
import { type ElementPath, type ParameterType, valuesAt } from './search-parameters.ts'
import type { AskedValue, Comparator, ValueFilter } from './search-query.ts'
import { amountOf, dateSpanOf, existenceOf, labelsOf, phoneDigitsOf, positionOf, referenceOf, textsOf, type Token, tokensOf, UCUM, valuesOf } from './search-values.ts'
import { scaleOf } from './units.ts'

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
    case 'overlaps':
      return value.low <= asked.high && value.high >= asked.low
  }
}

/**
 * What a date in a search covers; for `ap` a tenth of the time between it and now more on each side, as R4 recommends.
 * Undefined when it is no date.
 */
export function askedDates({ text, comparator }: AskedValue, now: Date): Span | undefined {
  const span = spanOf(text)
  if (!span || comparator !== 'ap') return span
  const distance = Math.max(span.low - now.getTime(), now.getTime() - span.high, 0)
  const most = 253_402_300_799_999
  return { low: Math.max(-62_135_596_800_000, span.low - distance * 0.1), high: Math.min(most, span.high + distance * 0.1) }
}

/**
 * What a number in a search covers: as precise as it is written, `5.4` is 5.35 up to but not 5.45 and `1e2` 95 up to but
 * not 105 (R4 Search, 3.1.1.4.6); `ap` a tenth each way.
 */
export function askedNumber(text: string, comparator: Comparator, scale: { factor: number; offset: number } = { factor: 1, offset: 0 }): Span {
  const value = Number(text)
  const [, decimals = '', exponent = '0'] = /^[+-]?\d*(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? []
  const places = decimals.length > 0 || Number(exponent) <= 0 ? decimals.length : 1
  const isRange = comparator === 'eq' || comparator === 'ne'
  const half = comparator === 'ap' ? Math.abs(value) * 0.1 : isRange ? 0.5 * 10 ** (Number(exponent) - places) : 0
  // Against binary rounding of the unit's factor.
  const hair = Math.abs(value) * 1e-9
  const base = (number: number): number => number * scale.factor + scale.offset
  return { low: base(value - half - hair), high: base(value + half + (isRange ? -hair : hair)) }
}

/** True when a value under a code or a unit's name is what a token asks for. */
export function fitsToken({ system, code }: Token, asked: Pick<AskedValue, 'system' | 'code'>, implied: readonly string[] = []): boolean {
  if (asked.code !== '' && asked.code !== code) return false
  if (asked.system === undefined) return asked.code !== ''
  if (asked.system === '') return system === undefined
  return asked.system === system || (system === undefined && implied.includes(asked.system))
}

/**
 * Looks at a resource itself, for filters whose index entries are coarser than the question. Filters that ask for other
 * resources or for code systems are not decided here.
 */
export function matches(resource: unknown, { parameter, modifier, values }: ValueFilter, now: Date): boolean {
  if (modifier === 'missing') return (valuesOf(resource, parameter).length === 0) === (values[0]?.text === 'true')
  if (parameter.type === 'composite') return values.some((asked) => matchesComposite(resource, parameter, asked, now))
  const existence = existenceOf(resource, parameter)
  const found = existence === undefined ? valuesOf(resource, parameter) : [{ value: existence, path: parameter.paths[0] as ElementPath }]
  const fitsAny = (asked: AskedValue): boolean => found.some(({ value, path }) => fits(value, path, parameter.type, modifier, asked, resource, now))
  if (modifier === 'not') return !values.some(fitsAny)
  if (modifier === 'unequal') {
    return values.some((asked) => found.some(({ value, path }) => !fits(value, path, parameter.type, undefined, asked, resource, now)))
  }
  return values.some(fitsAny)
}

function matchesComposite(resource: unknown, { paths, components = [] }: ValueFilter['parameter'], asked: AskedValue, now: Date): boolean {
  return paths.some((root) =>
    valuesAt(resource, root).some((place) =>
      components.every(({ type, paths: inner, whole }, at) => {
        const part = asked.parts?.[at]
        return part !== undefined && valuesOf(whole ? resource : place, { type, paths: inner }).some(({ value, path }) => fits(value, path, type, undefined, part, resource, now))
      }),
    ),
  )
}

function fits(value: unknown, path: ElementPath, type: ParameterType, modifier: string | undefined, asked: AskedValue, resource: unknown, now: Date): boolean {
  switch (type) {
    case 'token':
      return fitsTokenValue(value, path, modifier, asked)
    case 'reference':
      return fitsReference(value, modifier, asked, resource)
    case 'string':
      return fitsString(value, modifier, asked.text)
    case 'uri':
      return typeof value === 'string' && fitsUri(value, modifier, asked.text)
    case 'date': {
      const span = dateSpanOf(value, path.type)
      const dates = askedDates(asked, now)
      return span !== undefined && dates !== undefined && compareSpans(span, asked.comparator, dates)
    }
    case 'special': {
      const position = positionOf(value)
      return position !== undefined && asked.circle !== undefined && kilometresBetween(position, asked.circle) <= asked.circle.kilometres
    }
    default:
      return fitsAmount(value, asked)
  }
}

function fitsTokenValue(value: unknown, path: ElementPath, modifier: string | undefined, asked: AskedValue): boolean {
  switch (modifier) {
    case 'text':
      return labelsOf(value).some((label) => startsWords(label, asked.text))
    case 'of-type': {
      const { type, value: number } = (value ?? {}) as { type?: unknown; value?: unknown }
      return number === asked.code && tokensOf(type, 'CodeableConcept').some((token) => asked.kind !== undefined && fitsToken(token, asked.kind))
    }
    case 'starts-with': {
      const number = (value as { value?: unknown } | null)?.value
      if (typeof number !== 'string') return false
      const digits = digitsOf(asked.text)
      return number.toLowerCase().startsWith(asked.text.toLowerCase()) || (digits !== '' && digitsOf(number).includes(digits))
    }
  }
  if (path.type === 'ContactPoint' && asked.code !== undefined) {
    const digits = phoneDigitsOf(asked.code)
    const number = (value as { value?: unknown } | null)?.value
    if (asked.system === undefined && digits !== '' && typeof number === 'string' && phoneDigitsOf(number) === digits) return true
    const contact = { ...asked, ...(asked.code.includes('@') ? { code: asked.code.toLowerCase() } : {}) }
    return tokensOf(value, path.type).some((token) => fitsToken(token, contact))
  }
  return tokensOf(value, path.type).some((token) => fitsToken(token, asked, path.systems))
}

function fitsReference(value: unknown, modifier: string | undefined, asked: AskedValue, resource: unknown): boolean {
  if (modifier === 'text') return labelsOf(value).some((label) => startsWords(label, asked.text))
  const reference = referenceOf(value, resource)
  if (!reference) return false
  if (modifier === 'identifier') return tokensOf(reference.identifier, 'Identifier').some((token) => fitsToken(token, asked))
  const { text, type, id } = reference
  if (id !== undefined) return asked.text === `${type}/${id}` || asked.text === id
  return text !== undefined && fitsUri(text, modifier, asked.text)
}

function fitsUri(value: string, modifier: string | undefined, asked: string): boolean {
  if (modifier === 'below') return isWithin(value, asked)
  if (modifier === 'above') return isWithin(asked, value)
  return value === asked || (!asked.includes('|') && value.startsWith(`${asked}|`))
}

/** `http://a/b/c` lies within `http://a/b` and `http://a/`; `http://a/bc` does not lie within `http://a/b`. */
function isWithin(inner: string, outer: string): boolean {
  return inner === outer || (inner.startsWith(outer) && (/[^\p{L}\p{N}]$/u.test(outer) || /^[^\p{L}\p{N}]/u.test(inner.slice(outer.length))))
}

function fitsString(value: unknown, modifier: string | undefined, asked: string): boolean {
  const texts = textsOf(value)
  switch (modifier) {
    case 'exact':
      return texts.includes(asked)
    case 'contains':
      return texts.some((text) => normalizeText(text).includes(normalizeText(asked)))
    case 'equal':
      return texts.some((text) => normalizeText(text) === normalizeText(asked))
    case 'starts':
      return texts.some((text) => normalizeText(text).startsWith(normalizeText(asked)))
    case 'ends':
      return texts.some((text) => normalizeText(text).endsWith(normalizeText(asked)))
    default: {
      const words = texts.flatMap(wordsOf)
      return wordsOf(asked).every((term) => words.some((word) => word.startsWith(term)))
    }
  }
}

function startsWords(text: string, asked: string): boolean {
  const words = wordsOf(text)
  return wordsOf(asked).every((term) => words.some((word) => word.startsWith(term)))
}

function fitsAmount(value: unknown, { comparator, number = '', system, unit }: AskedValue): boolean {
  const amount = amountOf(value)
  if (!amount) return false
  if (unit === undefined) return (system === undefined || system === amount.system) && compareSpans(amount.raw, comparator, askedNumber(number, comparator))
  if (system !== undefined && system !== UCUM) {
    return amount.system === system && amount.units.includes(unit) && compareSpans(amount.raw, comparator, askedNumber(number, comparator))
  }
  const scale = scaleOf(unit)
  const isMeasured = amount.system === undefined || amount.system === UCUM
  if (isMeasured && amount.dimension === scale.dimension) return compareSpans(amount.canonical, comparator, askedNumber(number, comparator, scale))
  return system === undefined && amount.units.includes(unit) && compareSpans(amount.raw, comparator, askedNumber(number, comparator))
}
