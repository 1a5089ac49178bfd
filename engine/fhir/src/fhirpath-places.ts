import { compileParsed } from './fhirpath.ts'
import { type Expression, ExpressionFault } from './fhirpath-syntax.ts'
import { isObject, isOfType, type Item, itemOf, numberOf, truthOf } from './fhirpath-values.ts'
import { planOf, type Property } from './plans.ts'

/** Where a value stands: a property of an object, one place in it when it is a list. */
export interface Place {
  item: Item
  /** Absent for the resource itself. */
  within?: { holder: Record<string, unknown>; property: Property; index?: number; of: Place }
}

/**
 * The places that a path leads to, for paths that stay among the elements of the resource: steps, indexes, `where`,
 * `first`, `last`, `tail`, `skip`, `take`, `single`, `ofType`, `as`, `extension` and `$this`. Conditions may be any FHIRPath.
 */
export function placesOf(expression: Expression, resource: Record<string, unknown>): Place[] {
  refuseCostly(expression)
  const root: Place = { item: itemOf(resource) }
  return walk(expression, root)
}

const COSTLY = new Set(['matches', 'matchesFull', 'replaceMatches', 'repeat'])

// Paths come from whoever may write: a regular expression of theirs could hold the server for hours.
function refuseCostly(expression: Expression): void {
  for (const part of Object.values(expression)) {
    for (const one of Array.isArray(part) ? part : [part]) if (typeof one === 'object' && one !== null && 'kind' in one) refuseCostly(one as Expression)
  }
  if (expression.kind === 'call' && COSTLY.has(expression.name)) throw new ExpressionFault(`${expression.name}() is not supported in a path`)
}

function walk(expression: Expression, root: Place): Place[] {
  switch (expression.kind) {
    case 'this':
      return [root]
    case 'step': {
      const { on, name } = expression
      if (!on) return isOfType(root.item, name) ? [root] : childrenOf(root, name)
      return walk(on, root).flatMap((place) => childrenOf(place, name))
    }
    case 'at': {
      const at = numberOf(compileParsed(expression.index)(root.item, around(root)))
      const place = walk(expression.on, root)[at ?? -1]
      return place ? [place] : []
    }
    case 'typed':
      if (expression.operator === 'as') return walk(expression.on, root).filter(({ item }) => isOfType(item, expression.type))
      throw new ExpressionFault('the path must lead to elements')
    case 'call':
      return select(expression, expression.on ? walk(expression.on, root) : [root], root)
    default:
      throw new ExpressionFault('the path must lead to elements')
  }
}

function select({ name, args }: Expression & { kind: 'call' }, places: Place[], root: Place): Place[] {
  const [argument] = args
  const number = (): number => {
    const given = argument && numberOf(compileParsed(argument)(root.item, around(root)))
    if (given === undefined) throw new ExpressionFault(`${name}() takes a number`)
    return given
  }
  switch (name) {
    case 'first':
      return places.slice(0, 1)
    case 'last':
      return places.slice(-1)
    case 'tail':
      return places.slice(1)
    case 'skip':
      return places.slice(Math.max(0, number()))
    case 'take':
      return places.slice(0, Math.max(0, number()))
    case 'single':
      if (places.length > 1) throw new ExpressionFault('single() found several')
      return places
    case 'where': {
      if (!argument) throw new ExpressionFault('where() takes a condition')
      const fits = compileParsed(argument)
      return places.filter(({ item }) => truthOf(fits(item, around(root))) === true)
    }
    case 'ofType':
    case 'as': {
      const type = argument?.kind === 'step' ? argument.name : undefined
      if (type === undefined) throw new ExpressionFault(`${name}() takes a type`)
      return places.filter(({ item }) => isOfType(item, type))
    }
    case 'extension': {
      const url = argument?.kind === 'literal' ? argument.value : undefined
      return places.flatMap((place) => childrenOf(place, 'extension')).filter(({ item }) => isObject(item.value) && item.value.url === url)
    }
    default:
      throw new ExpressionFault(`${name}() is not supported in a path`)
  }
}

const around = ({ item }: Place) => ({ resource: item, root: item })

/** What stands beside a primitive: its id and extensions, under the name of the property with `_` before it. */
function besideOf({ within }: Place): Record<string, unknown> | undefined {
  if (!within) return undefined
  const { holder, property, index } = within
  const side = holder[`_${property.name}`]
  const one = index === undefined ? side : Array.isArray(side) ? side[index] : undefined
  return isObject(one) ? one : undefined
}

function childrenOf(place: Place, name: string): Place[] {
  const { value, type } = place.item
  const holder = isObject(value) ? value : besideOf(place)
  if (!holder) return []
  const places: Place[] = []
  // A primitive has what every element has.
  for (const property of planOf(isObject(value) ? type : 'Element')?.elements.get(name) ?? []) {
    const found = holder[property.name]
    const beside = property.primitive ? holder[`_${property.name}`] : undefined
    if (Array.isArray(found) || Array.isArray(beside)) {
      const [values, besides] = [found, beside].map((list) => (Array.isArray(list) ? (list as unknown[]) : []))
      const length = Math.max(values?.length ?? 0, besides?.length ?? 0)
      for (let index = 0; index < length; index++) places.push(placeAt(place, holder, property, values?.[index], besides?.[index], index))
    } else if (found !== undefined || beside !== undefined) {
      places.push(placeAt(place, holder, property, found, beside))
    }
  }
  return places
}

function placeAt(of: Place, holder: Record<string, unknown>, property: Property, value: unknown, beside: unknown, index?: number): Place {
  const isInner = property.type === 'Resource' && isObject(value) && typeof value.resourceType === 'string'
  const type = isInner ? (value.resourceType as string) : property.type
  return {
    item: { value: value ?? undefined, type, ...(isObject(beside) ? { beside } : {}) },
    within: { holder, property, of, ...(index === undefined ? {} : { index }) },
  }
}
