import { isResourceType } from './definitions.ts'
import { spanOf } from './dates.ts'
import { ExpressionFault } from './fhirpath-syntax.ts'
import { planOf } from './plans.ts'
import { primitives } from './primitives.ts'
import { canonicalUnit } from './units.ts'

/** One value of a collection, with its type: `Observation.component`, `Quantity`, `code`, `System.Boolean`. */
export interface Item {
  value: unknown
  type: string
  /** Id and extensions of a primitive: what JSON has under `_name`. */
  beside?: unknown
}

export type Items = readonly Item[]

export const NOTHING: Items = []

/**
 * Nothing as well, but because it cannot be known: partial dates of which neither is the earlier, a reference to what is not
 * at hand, a code of a value set that is not here. An invariant that comes to it is not broken.
 */
export const UNDECIDED: Items = []

export const boolean = (value: boolean): Items => (value ? TRUE : FALSE)
const TRUE: Items = [{ value: true, type: 'System.Boolean' }]
const FALSE: Items = [{ value: false, type: 'System.Boolean' }]
/** The longest text of R4 (http://hl7.org/fhir/R4/datatypes.html#string). */
const LONGEST_TEXT = 1_048_576

/** A text that was made. One that is made from itself again and again would have no end. */
export function text(value: string): Items {
  if (value.length > LONGEST_TEXT) throw new ExpressionFault('its text becomes too long')
  if (value.length > 1000) spend(value.length >> 6)
  return [{ value, type: 'System.String' }]
}
export const integer = (value: number): Items => [{ value, type: 'System.Integer' }]

/** A resource as the start of an expression. */
export function itemOf(resource: object): Item {
  return { value: resource, type: (resource as { resourceType?: string }).resourceType ?? 'Resource' }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function typeOf(value: unknown, type: string): string {
  if (type !== 'Resource' || !isObject(value)) return type
  const { resourceType } = value
  return typeof resourceType === 'string' && (isResourceType(resourceType) || resourceType === 'Parameters') ? resourceType : type
}

function add(found: Item[], value: unknown, beside: unknown, type: string): void {
  if (value === undefined && beside === undefined) return
  if (Array.isArray(value) || Array.isArray(beside)) {
    const values: readonly unknown[] = Array.isArray(value) ? value : []
    const besides: readonly unknown[] = Array.isArray(beside) ? beside : []
    for (let at = 0; at < Math.max(values.length, besides.length); at++) {
      const one = values[at] ?? undefined
      const side = besides[at] ?? undefined
      if (one !== undefined || side !== undefined) found.push({ value: one, type: typeOf(one, type), ...(side === undefined ? {} : { beside: side }) })
    }
    return
  }
  found.push({ value, type: typeOf(value, type), ...(beside === undefined ? {} : { beside }) })
}

/** Adds the children of one name to what was found. */
export function addChildren(item: Item, name: string, found: Item[]): void {
  const value = item.value
  if (!isObject(value)) {
    if (isObject(item.beside)) add(found, item.beside[name], undefined, name === 'extension' ? 'Extension' : 'string')
    return
  }
  const properties = planOf(item.type)?.elements.get(name)
  if (properties) {
    for (const { name: property, type, primitive } of properties) {
      const one = value[property]
      if (one !== undefined || primitive) add(found, one, primitive ? value[`_${property}`] : undefined, type)
    }
  } else if (item.type === 'System.Quantity' && (name === 'value' || name === 'code' || name === 'unit')) {
    add(found, value[name === 'unit' ? 'code' : name], undefined, name === 'value' ? 'decimal' : 'string')
  }
}

/** Every child, in the order of the definitions. */
export function allChildren(item: Item, found: Item[]): void {
  if (isObject(item.value)) for (const name of planOf(item.type)?.elements.keys() ?? []) addChildren(item, name, found)
  else if (isObject(item.beside)) addChildren(item, 'extension', found)
}

const MOST_WORK = 3_000_000
let left = MOST_WORK

/** Counts what an expression looks at; one that takes in the whole again and again is given up before it takes minutes. */
export function spend(work: number): void {
  left -= work
  if (left < 0) throw new ExpressionFault('it looks at too much')
}

/** @param most Where several expressions share what there is to spend. */
export function startSpending(most = MOST_WORK): void {
  left = Math.min(MOST_WORK, most)
}

/** What is left of it. */
export function leftToSpend(): number {
  return left
}

export function descendantsOf(items: Items): Item[] {
  const found: Item[] = []
  for (const item of items) allChildren(item, found)
  for (let at = 0; at < found.length; at++) {
    allChildren(found[at] as Item, found)
    spend(1)
  }
  return found
}

/** Yes, no, or nothing to say. */
export function truthOf(items: Items): boolean | undefined {
  const [first, second] = items
  if (!first) return undefined
  if (second) throw new ExpressionFault('one value was expected where there are several')
  return typeof first.value === 'boolean' ? first.value : true
}

export function single(items: Items): Item | undefined {
  if (items.length > 1) throw new ExpressionFault('one value was expected where there are several')
  return items[0]
}

export function stringOf(items: Items): string | undefined {
  const value = single(items)?.value
  return typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}

export function numberOf(items: Items): number | undefined {
  const value = single(items)?.value
  return typeof value === 'number' ? value : undefined
}

const dateTypes: ReadonlySet<string> = new Set(['date', 'dateTime', 'instant', 'System.Date', 'System.DateTime'])
const quantityTypes: ReadonlySet<string> = new Set(['Quantity', 'Age', 'Count', 'Distance', 'Duration', 'MoneyQuantity', 'SimpleQuantity', 'System.Quantity'])

export const isQuantity = ({ type }: Item): boolean => quantityTypes.has(type)

// As far as both are written: what differs only where one of them is silent cannot be told apart.
function compareDates(left: string, right: string): number | undefined {
  const isDay = left.length <= 10 || right.length <= 10
  if (isDay) {
    const length = Math.min(left.length, right.length)
    const [a, b] = [left.slice(0, length), right.slice(0, length)]
    return a < b ? -1 : a > b ? 1 : left.length === right.length ? 0 : undefined
  }
  const a = spanOf(left)?.low
  const b = spanOf(right)?.low
  return a === undefined || b === undefined ? undefined : Math.sign(a - b)
}

interface QuantityValue {
  value?: unknown
  system?: unknown
  code?: unknown
  unit?: unknown
}

function compareQuantities(left: QuantityValue, right: QuantityValue): number | undefined {
  if (typeof left.value !== 'number' || typeof right.value !== 'number') return undefined
  const a = left.code ?? left.unit
  const b = right.code ?? right.unit
  if (a === b) return Math.sign(left.value - right.value)
  if (typeof a !== 'string' || typeof b !== 'string') return undefined
  const first = canonicalUnit(a)
  const second = canonicalUnit(b)
  return first.dimension === second.dimension ? Math.sign(left.value * first.factor - right.value * second.factor) : undefined
}

/** Below, the same or above; undefined when it cannot be said. */
export function compare(left: Item, right: Item): number | undefined {
  const [a, b] = [left.value, right.value]
  if (typeof a === 'number' && typeof b === 'number') return Math.sign(a - b)
  if (typeof a === 'string' && typeof b === 'string') {
    if (dateTypes.has(left.type) || dateTypes.has(right.type)) return compareDates(a, b)
    return a < b ? -1 : a > b ? 1 : 0
  }
  if (isQuantity(left) && isQuantity(right)) return compareQuantities(a as QuantityValue, b as QuantityValue)
  return undefined
}

/** Deep equality of JSON, whatever the order of the properties. */
export function sameJson(left: unknown, right: unknown): boolean {
  if (left === right) return true
  if (Array.isArray(left)) {
    return Array.isArray(right) && left.length === right.length && left.every((one, at) => sameJson(one, right[at]))
  }
  if (!isObject(left) || !isObject(right)) return false
  const names = Object.keys(left)
  return names.length === Object.keys(right).length && names.every((name) => Object.hasOwn(right, name) && sameJson(left[name], right[name]))
}

/** Equality of two values; undefined when it cannot be said. */
export function sameItem(left: Item, right: Item): boolean | undefined {
  if (isQuantity(left) && isQuantity(right)) {
    const order = compareQuantities(left.value as QuantityValue, right.value as QuantityValue)
    return order === undefined ? undefined : order === 0
  }
  if (typeof left.value === 'string' && typeof right.value === 'string' && (dateTypes.has(left.type) || dateTypes.has(right.type))) {
    const order = compareDates(left.value, right.value)
    return order === undefined ? undefined : order === 0
  }
  return sameJson(left.value, right.value)
}

/** A collection without what repeats. */
export function distinct(items: Items): Item[] {
  const seen = new Set<unknown>()
  const found: Item[] = []
  for (const item of items) {
    if (typeof item.value === 'object') {
      spend(found.length)
      if (found.some((known) => sameItem(known, item) === true)) continue
    } else if (seen.has(item.value)) continue
    else seen.add(item.value)
    found.push(item)
  }
  return found
}

const parents: Readonly<Record<string, string>> = {
  code: 'string', id: 'string', markdown: 'string',
  url: 'uri', canonical: 'uri', uuid: 'uri', oid: 'uri',
  positiveInt: 'integer', unsignedInt: 'integer',
  Age: 'Quantity', Count: 'Quantity', Distance: 'Quantity', Duration: 'Quantity', MoneyQuantity: 'Quantity', SimpleQuantity: 'Quantity',
}

const notDomain: ReadonlySet<string> = new Set(['Bundle', 'Binary', 'Parameters'])

/** Whether a value is of a type or of one derived from it: `Quantity`, `FHIR.Patient`, `System.Boolean`, `Boolean`. */
export function isOfType({ type }: Item, asked: string): boolean {
  if (asked.startsWith('System.')) return type === asked
  const name = asked.replace('FHIR.', '')
  if (type === name || parents[type] === name) return true
  if (type.startsWith('System.')) return type.slice(7) === name || type.slice(7).toLowerCase() === name
  if (name === 'Resource' || name === 'DomainResource') {
    return (isResourceType(type) || type === 'Parameters') && (name === 'Resource' || !notDomain.has(type))
  }
  if (name === 'BackboneElement') return type.includes('.')
  if (name === 'Element') return !isResourceType(type)
  // R4 writes `answer is Boolean` where the element's type is boolean.
  return primitives.has(type) && type === name[0]?.toLowerCase() + name.slice(1)
}
