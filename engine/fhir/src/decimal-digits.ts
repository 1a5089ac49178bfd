// FHIR decimals keep their precision: 1.00 is not 1.0 (http://hl7.org/fhir/R4/datatypes.html#decimal). JSON.parse gives
// numbers that have forgotten it, so what was written is kept beside them, under a symbol that spreads along with a
// copy and that nothing else sees.
const DIGITS = Symbol('decimal digits')

interface Holder {
  [DIGITS]?: Record<string, string>
}

interface RawJson {
  /** Absent before V8 11.4: digits are then those of the number. */
  rawJSON?(text: string): unknown
}

type Reviver = (this: Holder, key: string, value: unknown, context?: { source?: string }) => unknown

// A last zero after the point, an exponent, minus zero, or more digits than a double holds, where a number may stand:
// after a name or in an array. Something in a text may look the same, which costs time and does no harm.
const UNUSUAL = /(?:"\s*:|[[,])\s*-?(?:\d+(?:\.\d*0(?=[\s,}\]])|(?:\.\d+)?[eE]|\.\d{14}|\d{15})|(?<=-)0(?=[\s,}\]]))/

const keepDigits: Reviver = function (key, value, context) {
  if (typeof value === 'number') {
    if (context?.source !== undefined && context.source !== String(value)) {
      this[DIGITS] ??= {}
      this[DIGITS][key] = context.source
    }
  } else if (typeof value === 'object' && value !== null && (value as Holder)[DIGITS] !== undefined) {
    // So that the root of a resource tells whether there are any below.
    this[DIGITS] ??= {}
  }
  return value
}

/** As JSON.parse, keeping how decimals were written for `writeJson`. */
export function readJson(text: string): unknown {
  return UNUSUAL.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text)
}

/**
 * As JSON.stringify, with decimals as `readJson` found them; a number that was changed since has its own digits. Pretty:
 * over several lines, for people.
 */
export function writeJson(value: unknown, options: { pretty?: boolean } = {}): string {
  const { rawJSON } = JSON as RawJson
  const indent = options.pretty ? 2 : undefined
  if (rawJSON === undefined || (value as Holder | null | undefined)?.[DIGITS] === undefined) return JSON.stringify(value, null, indent)
  const withDigits = function (this: Holder, key: string, inner: unknown): unknown {
    const source = typeof inner === 'number' ? this[DIGITS]?.[key] : undefined
    return source !== undefined && Number(source) === inner ? rawJSON(source) : inner
  }
  return JSON.stringify(value, withDigits, indent)
}

/** How a number of this object or array was written, when that is not how it would be written without `writeJson`. */
export function keptDigits(holder: object, key: string | number): string | undefined {
  const source = (holder as Holder)[DIGITS]?.[key]
  return source !== undefined && Number(source) === (holder as Record<string, unknown>)[key] ? source : undefined
}

/** Sets a number that is written as `source` says, as `readJson` would. */
export function setDecimal(holder: object, key: string, source: string): void {
  const value = Number(source)
  ;(holder as Record<string, unknown>)[key] = value
  const known = (holder as Holder)[DIGITS]
  if (source !== String(value) || known?.[key] !== undefined) (holder as Holder)[DIGITS] = { ...known, [key]: source }
}

/** Lets `holder` tell, as after `readJson`, that there are kept digits below it. */
export function tellDigitsBelow(holder: object, below: object): void {
  if ((below as Holder)[DIGITS] !== undefined) (holder as Holder)[DIGITS] ??= {}
}

/** Copies the kept digits from an object to its changed copy. */
export function withDigitsOf<T extends object>(copy: T, original: object): T {
  const digits = (original as Holder)[DIGITS]
  if (digits !== undefined) (copy as Holder)[DIGITS] = digits
  return copy
}
