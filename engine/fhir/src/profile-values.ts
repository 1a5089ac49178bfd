import { isObject, type Item, itemOf } from './fhirpath-values.ts'
import type { AskedCoding } from './knowledge.ts'
import { planOf } from './plans.ts'

/** A value with the steps that lead to it from the element it is in. */
export interface Found {
  item: Item
  steps: readonly (string | number)[]
}

/** The values of an element; undefined when the type has no such element. */
export function childrenOf(item: Item, name: string): Found[] | undefined {
  const value = item.value
  if (!isObject(value)) {
    if (name !== 'extension' || !isObject(item.beside)) return name === 'extension' ? [] : undefined
    return childrenOf({ value: item.beside, type: 'Element' }, name)
  }
  const properties = planOf(item.type)?.elements.get(name)
  if (!properties) return undefined
  const found: Found[] = []
  for (const { name: property, type, primitive } of properties) {
    const one = value[property]
    const beside = primitive ? value[`_${property}`] : undefined
    if (one === undefined && beside === undefined) continue
    const add = (inner: unknown, side: unknown, steps: (string | number)[]): void => {
      const isAbsent = inner === undefined || inner === null
      if (isAbsent && (side === undefined || side === null)) return
      const ofType = type === 'Resource' && isObject(inner) ? itemOf(inner) : { value: isAbsent ? undefined : inner, type }
      found.push({ item: side === undefined || side === null ? ofType : { ...ofType, beside: side }, steps })
    }
    if (Array.isArray(one) || Array.isArray(beside)) {
      const values: unknown[] = Array.isArray(one) ? one : []
      const besides: unknown[] = Array.isArray(beside) ? beside : []
      for (let at = 0; at < Math.max(values.length, besides.length); at++) add(values[at], besides[at], [property, at])
    } else add(one, beside, [property])
  }
  return found
}

/** True when a value has all that a pattern has: http://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.pattern_x_ */
export function fitsPattern(value: unknown, pattern: unknown): boolean {
  if (Array.isArray(pattern)) {
    return Array.isArray(value) && pattern.every((wanted) => value.some((one) => fitsPattern(one, wanted)))
  }
  if (!isObject(pattern)) return value === pattern
  return isObject(value) && Object.entries(pattern).every(([name, wanted]) => fitsPattern(value[name], wanted))
}

/** The codes of a value; undefined when it is of a type that has none. */
export function codingsOf({ value, type }: Item): AskedCoding[] | undefined {
  if (typeof value === 'string') return [{ code: value }]
  if (!isObject(value)) return undefined
  if (type === 'CodeableConcept') {
    return Array.isArray(value.coding) ? value.coding.flatMap((coding) => codingsOf({ value: coding, type: 'Coding' }) ?? []) : []
  }
  if (type !== 'Coding' && type !== 'Quantity') return undefined
  return typeof value.code === 'string' ? [{ ...(typeof value.system === 'string' ? { system: value.system } : {}), code: value.code }] : []
}
