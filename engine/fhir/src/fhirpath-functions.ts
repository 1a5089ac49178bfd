import { ExpressionFault } from './fhirpath-syntax.ts'
import {
  addChildren,
  allChildren,
  boolean,
  descendantsOf,
  distinct,
  integer,
  isObject,
  isOfType,
  type Item,
  type Items,
  NOTHING,
  numberOf,
  sameItem,
  single,
  spend,
  stringOf,
  text,
  truthOf,
  UNDECIDED,
} from './fhirpath-values.ts'
import { narrativeFault } from './narrative.ts'
import { matchesPattern, replacedPattern } from './patterns.ts'

/** What an expression may ask about beyond the value it stands on. */
export interface Surroundings {
  /** `%resource`: the resource that the value stands in. */
  resource: Item
  /** `%rootResource`: what contains that resource, or itself. */
  root: Item
  /** `%extension`: the one whose condition is looked at. */
  extension?: Item
  /** The time that now() and today() tell; the clock's when absent. */
  now?: Date
  /** What several expressions may look at together, in values; each takes from it. */
  budget?: { left: number }
  /** What a reference or a URL leads to, as far as it is at hand. */
  resolve?(reference: string): Item | undefined
  /** Whether a code is in a value set; undefined when that is not known. */
  isMember?(valueSet: string, coding: { system?: string; code: string }): boolean | undefined
  /** Whether a value fits a profile; undefined when the profile is not known. */
  conformsTo?(item: Item, profile: string): boolean | undefined
}

/** Where an expression stands while it is evaluated. */
export interface Frame {
  context: Item
  /** `$this`. */
  focus: Items
  /** `$index`. */
  index: number
  /** `$total`. */
  total?: Items
  around: Surroundings
}

export type Evaluate = (frame: Frame) => Items

interface Call {
  on: Items
  args: readonly Evaluate[]
  frame: Frame
}

interface Builtin {
  /** Fewest and most arguments. */
  args: readonly [number, number]
  run(call: Call): Items
}

const none = [0, 0] as const
const one = [1, 1] as const
const maybe = [0, 1] as const

const within = (frame: Frame, item: Item, index: number): Frame => ({ ...frame, focus: [item], index })

// A text put in place of each character of another; $` and $' of JavaScript, which FHIRPath does not have, put the rest there.
function bounded(value: string, by: string): string {
  if ((value.length + 1) * by.length > 16_000_000 || /\$[`']/.test(by)) throw new ExpressionFault('its text becomes too long')
  return by
}

function keep({ on, args: [criteria], frame }: Call): Items {
  return criteria ? on.filter((item, at) => truthOf(criteria(within(frame, item, at))) === true) : on
}

function each({ on, args: [projection], frame }: Call): Items {
  return on.flatMap((item, at) => projection?.(within(frame, item, at)) ?? [])
}

function argument({ args, frame }: Call, nth = 0): Items {
  return args[nth]?.(frame) ?? NOTHING
}

/** A function of one text, and of further texts; nothing when one of them is absent. */
function ofText(count: 0 | 1 | 2, run: (value: string, first: string, second: string) => Items): Builtin {
  return {
    args: [count, count],
    run(call) {
      const value = stringOf(call.on)
      const first = count > 0 ? stringOf(argument(call)) : ''
      const second = count > 1 ? stringOf(argument(call, 1)) : ''
      return value === undefined || first === undefined || second === undefined ? NOTHING : run(value, first, second)
    },
  }
}

function ofNumber(run: (value: number) => Items): Builtin {
  return {
    args: none,
    run({ on }) {
      const value = numberOf(on)
      return value === undefined ? NOTHING : run(value)
    },
  }
}

const quantify = (run: (values: (boolean | undefined)[]) => boolean): Builtin => ({
  args: none,
  run: ({ on }) => boolean(run(on.map((item) => truthOf([item])))),
})

function among(items: Items): (item: Item) => boolean {
  return (item) => {
    spend(items.length)
    return items.some((known) => sameItem(known, item) === true)
  }
}

function except(items: Items, others: Items): Items {
  const isOther = among(others)
  return items.filter((item) => !isOther(item))
}

const decimal = (value: number): Items => [{ value, type: 'System.Decimal' }]

function converts(to: (items: Items) => Items): Builtin {
  return { args: none, run: ({ on }) => (on.length === 0 ? NOTHING : boolean(to(on).length > 0)) }
}

const toInteger = (items: Items): Items => {
  const value = single(items)?.value
  if (typeof value === 'boolean') return integer(value ? 1 : 0)
  if (typeof value === 'number') return Number.isInteger(value) ? integer(value) : NOTHING
  return typeof value === 'string' && /^[+-]?\d{1,10}$/.test(value) ? integer(Number(value)) : NOTHING
}

const toDecimal = (items: Items): Items => {
  const value = single(items)?.value
  if (typeof value === 'boolean') return decimal(value ? 1 : 0)
  if (typeof value === 'number') return decimal(value)
  return typeof value === 'string' && /^[+-]?\d+(\.\d+)?$/.test(value) ? decimal(Number(value)) : NOTHING
}

const toBoolean = (items: Items): Items => {
  const value = single(items)?.value
  if (typeof value === 'boolean') return boolean(value)
  const said = String(value).toLowerCase()
  if (['true', 't', 'yes', 'y', '1', '1.0'].includes(said)) return boolean(true)
  return ['false', 'f', 'no', 'n', '0', '0.0'].includes(said) ? boolean(false) : NOTHING
}

const toText = (items: Items): Items => {
  const value = stringOf(items)
  return value === undefined ? NOTHING : text(value)
}

const toDate = (type: string, pattern: RegExp) => (items: Items): Items => {
  const value = single(items)?.value
  return typeof value === 'string' && pattern.test(value) ? [{ value, type }] : NOTHING
}

const toDay = toDate('System.Date', /^\d{4}(-\d{2}(-\d{2})?)?$/)
const toMoment = toDate('System.DateTime', /^\d{4}(-\d{2}(-\d{2}(T\d{2}(:\d{2}(:\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}:\d{2})?)?)?)?$/)
const toTime = toDate('System.Time', /^\d{2}(:\d{2}(:\d{2}(\.\d+)?)?)?$/)

function codingsOf({ value, type }: Item): { system?: string; code: string }[] {
  if (typeof value === 'string') return [{ code: value }]
  if (!isObject(value)) return []
  if (type === 'CodeableConcept') {
    return Array.isArray(value.coding) ? value.coding.flatMap((coding) => codingsOf({ value: coding, type: 'Coding' })) : []
  }
  if (typeof value.code !== 'string') return []
  return [{ ...(typeof value.system === 'string' ? { system: value.system } : {}), code: value.code }]
}

const convert = (run: (items: Items) => Items): Builtin => ({ args: none, run: ({ on }) => (on.length === 0 ? NOTHING : run(on)) })
const nowOf = ({ around }: Frame): string => (around.now ?? new Date()).toISOString()
const round = (value: number, digits: number): number => Math.round(value * 10 ** digits) / 10 ** digits

/** The functions of FHIRPath (http://hl7.org/fhirpath/N1) and of FHIR (http://hl7.org/fhir/R4/fhirpath.html#functions). */
export const builtins: Readonly<Record<string, Builtin>> = {
  // Existence
  empty: { args: none, run: ({ on }) => boolean(on.length === 0) },
  exists: { args: maybe, run: (call) => boolean(keep(call).length > 0) },
  all: { args: one, run: (call) => boolean(keep(call).length === call.on.length) },
  allTrue: quantify((values) => values.every((value) => value === true)),
  anyTrue: quantify((values) => values.includes(true)),
  allFalse: quantify((values) => values.every((value) => value === false)),
  anyFalse: quantify((values) => values.includes(false)),
  subsetOf: { args: one, run: (call) => boolean(call.on.every(among(argument(call)))) },
  supersetOf: { args: one, run: (call) => boolean(argument(call).every(among(call.on))) },
  count: { args: none, run: ({ on }) => integer(on.length) },
  distinct: { args: none, run: ({ on }) => distinct(on) },
  isDistinct: { args: none, run: ({ on }) => boolean(distinct(on).length === on.length) },
  not: {
    args: none,
    run({ on }) {
      const truth = truthOf(on)
      return truth === undefined ? NOTHING : boolean(!truth)
    },
  },

  // Filtering, projection and subsetting
  where: { args: one, run: keep },
  select: { args: one, run: each },
  repeat: {
    args: one,
    run(call) {
      const found: Item[] = []
      for (let next = each(call); next.length > 0; next = each({ ...call, on: next })) {
        next = except(next, found)
        found.push(...next)
        if (found.length > 10_000) throw new ExpressionFault('it reads too much')
      }
      return found
    },
  },
  aggregate: {
    args: [1, 2],
    run({ on, args: [step, start], frame }) {
      let total = start?.(frame) ?? NOTHING
      on.forEach((item, index) => {
        total = step?.({ ...within(frame, item, index), total }) ?? NOTHING
      })
      return total
    },
  },
  first: { args: none, run: ({ on }) => on.slice(0, 1) },
  last: { args: none, run: ({ on }) => on.slice(-1) },
  tail: { args: none, run: ({ on }) => on.slice(1) },
  skip: { args: one, run: (call) => call.on.slice(Math.max(0, numberOf(argument(call)) ?? 0)) },
  take: { args: one, run: (call) => call.on.slice(0, Math.max(0, numberOf(argument(call)) ?? 0)) },
  single: {
    args: none,
    run({ on }) {
      const item = single(on)
      return item ? [item] : NOTHING
    },
  },
  intersect: { args: one, run: (call) => distinct(call.on.filter(among(argument(call)))) },
  exclude: { args: one, run: (call) => except(call.on, argument(call)) },
  union: { args: one, run: (call) => distinct([...call.on, ...argument(call)]) },
  combine: { args: one, run: (call) => [...call.on, ...argument(call)] },
  iif: {
    args: [2, 3],
    run({ on, args: [criterion, yes, no], frame }) {
      const [item] = on
      const inner = item && on.length === 1 ? within(frame, item, 0) : { ...frame, focus: on }
      const branch = truthOf(criterion?.(inner) ?? NOTHING) === true ? yes : no
      return branch?.(inner) ?? NOTHING
    },
  },

  // Conversion
  toInteger: convert(toInteger),
  toDecimal: convert(toDecimal),
  toBoolean: convert(toBoolean),
  toString: convert(toText),
  toDate: convert(toDay),
  toDateTime: convert(toMoment),
  toTime: convert(toTime),
  convertsToInteger: converts(toInteger),
  convertsToDecimal: converts(toDecimal),
  convertsToBoolean: converts(toBoolean),
  convertsToString: converts(toText),
  convertsToDate: converts(toDay),
  convertsToDateTime: converts(toMoment),
  convertsToTime: converts(toTime),

  // Texts
  length: ofText(0, (value) => integer(value.length)),
  upper: ofText(0, (value) => text(value.toUpperCase())),
  lower: ofText(0, (value) => text(value.toLowerCase())),
  trim: ofText(0, (value) => text(value.trim())),
  toChars: ofText(0, (value) => [...value].flatMap((one) => text(one))),
  startsWith: ofText(1, (value, start) => boolean(value.startsWith(start))),
  endsWith: ofText(1, (value, end) => boolean(value.endsWith(end))),
  contains: ofText(1, (value, part) => boolean(value.includes(part))),
  indexOf: ofText(1, (value, part) => integer(value.indexOf(part))),
  matches: ofText(1, (value, pattern) => boolean(matchesPattern(value, pattern))),
  matchesFull: ofText(1, (value, pattern) => boolean(matchesPattern(value, `^(?:${pattern})$`))),
  split: ofText(1, (value, separator) => value.split(separator).flatMap((part) => text(part))),
  replace: ofText(2, (value, pattern, by) => text(value.replaceAll(pattern, bounded(value, by)))),
  replaceMatches: ofText(2, (value, pattern, by) => text(replacedPattern(value, pattern, bounded(value, by)))),
  join: { args: maybe, run: (call) => text(call.on.map((item) => stringOf([item]) ?? '').join(stringOf(argument(call)) ?? '')) },
  substring: {
    args: [1, 2],
    run(call) {
      const value = stringOf(call.on)
      const start = numberOf(argument(call))
      const length = numberOf(argument(call, 1))
      if (value === undefined || start === undefined || start < 0 || start >= value.length) return NOTHING
      return text(value.slice(start, length === undefined ? undefined : start + length))
    },
  },

  // Numbers
  abs: ofNumber((value) => decimal(Math.abs(value))),
  ceiling: ofNumber((value) => integer(Math.ceil(value))),
  floor: ofNumber((value) => integer(Math.floor(value))),
  truncate: ofNumber((value) => integer(Math.trunc(value))),
  sqrt: ofNumber((value) => (value < 0 ? NOTHING : decimal(Math.sqrt(value)))),
  exp: ofNumber((value) => decimal(Math.exp(value))),
  ln: ofNumber((value) => decimal(Math.log(value))),
  round: {
    args: maybe,
    run(call) {
      const value = numberOf(call.on)
      return value === undefined ? NOTHING : decimal(round(value, numberOf(argument(call)) ?? 0))
    },
  },

  // Time, of the server and in UTC
  now: { args: none, run: ({ frame }) => [{ value: nowOf(frame), type: 'System.DateTime' }] },
  today: { args: none, run: ({ frame }) => [{ value: nowOf(frame).slice(0, 10), type: 'System.Date' }] },
  timeOfDay: { args: none, run: ({ frame }) => [{ value: nowOf(frame).slice(11, 23), type: 'System.Time' }] },

  // Tree
  children: {
    args: none,
    run({ on }) {
      const found: Item[] = []
      for (const item of on) allChildren(item, found)
      return found
    },
  },
  descendants: { args: none, run: ({ on }) => descendantsOf(on) },
  trace: { args: [1, 2], run: ({ on }) => on },

  // FHIR
  hasValue: { args: none, run: ({ on: [item, second] }) => boolean(item !== undefined && !second && item.value !== undefined && !isObject(item.value)) },
  getValue: { args: none, run: ({ on }) => on.filter(({ value }) => value !== undefined && !isObject(value)) },
  htmlChecks: { args: none, run: ({ on }) => boolean(on.every(({ value }) => typeof value === 'string' && narrativeFault(value) === undefined)) },
  extension: {
    args: one,
    run(call) {
      const url = stringOf(argument(call))
      const found: Item[] = []
      for (const item of call.on) addChildren(item, 'extension', found)
      return found.filter(({ value }) => (value as { url?: unknown }).url === url)
    },
  },
  resolve: {
    args: none,
    run({ on, frame }) {
      const found = on.flatMap(({ value }) => {
        const reference = isObject(value) ? value.reference : value
        return (typeof reference === 'string' && frame.around.resolve?.(reference)) || []
      })
      return found.length === 0 && on.length > 0 ? UNDECIDED : found
    },
  },
  memberOf: {
    args: one,
    run(call) {
      const valueSet = stringOf(argument(call))
      const item = single(call.on)
      if (valueSet === undefined || !item) return NOTHING
      const answers = codingsOf(item).map((coding) => call.frame.around.isMember?.(valueSet, coding))
      if (answers.includes(true)) return boolean(true)
      return answers.includes(undefined) ? UNDECIDED : boolean(false)
    },
  },
  conformsTo: {
    args: one,
    run(call) {
      const profile = stringOf(argument(call))
      const item = single(call.on)
      const answer = profile === undefined || !item ? undefined : call.frame.around.conformsTo?.(item, profile)
      return answer === undefined ? UNDECIDED : boolean(answer)
    },
  },
}

function narrowed(items: Items, type: string): Items {
  return items.length === 0 ? items : items.filter((item) => isOfType(item, type))
}

/** Functions whose argument is the name of a type. */
export const typeFunctions: Readonly<Record<string, (items: Items, type: string) => Items>> = {
  ofType: narrowed,
  as: narrowed,
  is(items, type) {
    const item = single(items)
    return item ? boolean(isOfType(item, type)) : items
  },
}
