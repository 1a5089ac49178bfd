import { placesOf, type Place } from './fhirpath-places.ts'
import { type Expression, ExpressionFault, parseExpression } from './fhirpath-syntax.ts'
import { isObject } from './fhirpath-values.ts'
import { CopyBudget, listOf, setSlot, type Slot, slotAt, slotsOf, tellDigits } from './json-slots.ts'
import { MOST_OPERATIONS, PatchFault } from './patch-fault.ts'
import { planOf, type Property } from './plans.ts'

/**
 * Applies a FHIRPath Patch (http://hl7.org/fhir/R4/fhirpatch.html) to a copy: all operations or none. What comes out has
 * still to be validated.
 *
 * @param parameters The Parameters resource that holds the operations.
 * @throws PatchFault that names the operation.
 */
export function applyFhirPathPatch(resource: object, parameters: unknown): Record<string, unknown> {
  const { parameter } = (isObject(parameters) ? parameters : {}) as { parameter?: unknown }
  if (!Array.isArray(parameter)) throw new PatchFault('malformed', 'Parameters', 'A FHIRPath Patch is a Parameters resource with a parameter named operation for each change.')
  if (parameter.length > MOST_OPERATIONS) throw new PatchFault('malformed', 'Parameters', `At most ${MOST_OPERATIONS} operations at once.`)
  const budget = new CopyBudget()
  const root = budget.copyOf({ value: resource })?.value as Record<string, unknown>
  for (const [at, one] of parameter.entries()) new Change(root, one, `Parameters.parameter[${at}]`, budget).run()
  tellDigits(root)
  return root
}

/** A value to be put somewhere: what it is, and for a primitive what stands beside it. */
interface Given {
  /** Name of the FHIR type; undefined for one that is made of parts. */
  type?: string
  slot: Slot
  beside?: unknown
}

/** One element of a list of primitives, or of anything else. */
interface Element {
  slot: Slot
  beside?: unknown
}

type Parts = ReadonlyMap<string, Record<string, unknown>>

const KINDS = ['add', 'insert', 'delete', 'replace', 'move'] as const

class Change {
  readonly #root: Record<string, unknown>
  readonly #where: string
  readonly #parts: Parts
  readonly #kind: (typeof KINDS)[number]
  readonly #path: Expression
  readonly #budget: CopyBudget

  constructor(root: Record<string, unknown>, given: unknown, where: string, budget: CopyBudget) {
    this.#root = root
    this.#where = where
    this.#budget = budget
    const { name, part } = (isObject(given) ? given : {}) as { name?: unknown; part?: unknown }
    if (name !== 'operation' || !Array.isArray(part)) throw new PatchFault('malformed', where, 'A parameter named operation with parts is expected.')
    const parts = part.filter(isObject)
    this.#parts = new Map(parts.map((one) => [String(one.name), one]))
    if (this.#parts.size < parts.length) throw new PatchFault('malformed', where, 'A part stands there twice.')
    const kind = KINDS.find((known) => known === this.#text('type', ['valueCode', 'valueString']))
    if (!kind) throw new PatchFault('malformed', where, `The part type must be one of ${KINDS.join(', ')}.`)
    this.#kind = kind
    const path = this.#text('path', ['valueString'])
    if (path === undefined) this.#malformed('the part path is missing.')
    this.#path = this.#reading(() => parseExpression(path as string))
  }

  run(): void {
    switch (this.#kind) {
      case 'add':
        this.#add()
        break
      case 'insert':
        this.#insert()
        break
      case 'delete':
        this.#delete()
        break
      case 'replace':
        this.#replace()
        break
      case 'move':
        this.#move()
        break
    }
  }

  #fail(diagnostics: string): never {
    throw new PatchFault('unprocessable', this.#where, `${this.#kind}: ${diagnostics}`)
  }

  #malformed(diagnostics: string): never {
    throw new PatchFault('malformed', this.#where, `${this.#kind}: ${diagnostics}`)
  }

  #reading<T>(read: () => T): T {
    try {
      return read()
    } catch (error) {
      if (error instanceof ExpressionFault) return this.#malformed(`the path cannot be followed: ${error.message}.`)
      throw error
    }
  }

  #text(part: string, properties: readonly string[]): string | undefined {
    const one = this.#parts.get(part)
    const value = one && properties.map((property) => one[property]).find((found) => found !== undefined)
    return typeof value === 'string' ? value : undefined
  }

  #index(part: string): number {
    const value = this.#parts.get(part)?.valueInteger
    return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : this.#malformed(`the part ${part} must be an integer from 0.`)
  }

  #places(expression = this.#path): Place[] {
    return this.#reading(() => placesOf(expression, this.#root))
  }

  #one(expression = this.#path): Place {
    const [place, ...others] = this.#places(expression)
    if (!place) return this.#fail('the path leads to nothing.')
    if (others.length > 0) return this.#fail('the path leads to several elements; it must lead to one.')
    return place
  }

  // add: what is named is appended, or set where nothing is yet.
  #add(): void {
    const name = this.#text('name', ['valueString', 'valueCode', 'valueId']) ?? this.#malformed('the part name is missing.')
    const place = this.#one()
    const { holder, type } = this.#holderOf(place)
    const property = this.#propertyFor(type, name)
    const given = this.#given(property)
    const { many } = property.property.element
    if (many) {
      const elements = elementsOf(holder, property.property)
      setElements(holder, property.property, [...elements, given])
      return
    }
    if (property.all.some(({ name: one }) => holder[one] !== undefined || holder[`_${one}`] !== undefined)) {
      this.#fail('the element is there already, and does not repeat.')
    }
    setElement(holder, property.property, given)
  }

  // insert and move: the path names a list, which for insert may be empty.
  #list(): { holder: Record<string, unknown>; property: Property; elements: Element[]; type: string; name: string } {
    const path = this.#path
    if (path.kind !== 'step') return this.#malformed('the path must end with the name of a list.')
    const place = path.on ? this.#one(path.on) : { item: { value: this.#root, type: String(this.#root.resourceType) } }
    const { holder, type } = this.#holderOf(place)
    const [property] = planOf(type)?.elements.get(path.name) ?? []
    if (!property) return this.#fail('there is no such element.')
    if (!property.element.many) return this.#fail('the element does not repeat.')
    return { holder, property, elements: elementsOf(holder, property), type, name: path.name }
  }

  #insert(): void {
    const { holder, elements, type, name } = this.#list()
    const index = this.#index('index')
    if (index > elements.length) this.#fail(`the index is past the end of the list, which has ${elements.length}.`)
    const { property } = this.#propertyFor(type, name)
    setElements(holder, property, elements.toSpliced(index, 0, this.#given({ property, all: [property] })))
  }

  #move(): void {
    const { holder, property, elements } = this.#list()
    const [source, destination] = [this.#index('source'), this.#index('destination')]
    const [moved] = elements.splice(source, 1)
    if (!moved || destination > elements.length) this.#fail(`source and destination must be in the list, which has ${elements.length + (moved ? 1 : 0)}.`)
    setElements(holder, property, elements.toSpliced(destination, 0, moved))
  }

  #delete(): void {
    const [place, ...others] = this.#places()
    // What is not there needs no deletion (R4 fhirpatch.html: "if found").
    if (!place) return
    if (others.length > 0) this.#fail('the path leads to several elements; one at a time is deleted.')
    if (!place.within) this.#fail('the whole resource cannot be deleted.')
    removeAt(place)
  }

  #replace(): void {
    const place = this.#one()
    if (!place.within) this.#fail('the whole resource cannot be replaced.')
    const { holder, property, index, of } = place.within
    const { value, type } = of.item
    const { property: wanted, ...rest } = this.#propertyFor(isObject(value) ? type : 'Element', elementName(property, isObject(value) ? type : 'Element'))
    const given = this.#given({ property: wanted, ...rest })
    if (index !== undefined) {
      setElements(holder, property, elementsOf(holder, property).toSpliced(index, 1, given))
      return
    }
    delete holder[property.name]
    delete holder[`_${property.name}`]
    setElement(holder, wanted, given)
  }

  /** The object whose elements are changed: that of the place, or what stands beside a primitive. */
  #holderOf({ item, within }: Place): { holder: Record<string, unknown>; type: string } {
    if (isObject(item.value)) return { holder: item.value, type: item.type }
    if (!within) return this.#fail('the path leads to nothing that has elements.')
    const { holder, property, index } = within
    if (isObject(item.beside)) return { holder: item.beside, type: 'Element' }
    const beside: Record<string, unknown> = {}
    const name = `_${property.name}`
    if (index === undefined) holder[name] = beside
    else {
      const length = Array.isArray(holder[property.name]) ? (holder[property.name] as unknown[]).length : index + 1
      const side = Array.isArray(holder[name]) ? (holder[name] as unknown[]) : []
      holder[name] = Array.from({ length }, (_none, at) => (at === index ? beside : (side[at] ?? null)))
    }
    return { holder: beside, type: 'Element' }
  }

  /** The property that takes the given value under a name: for a choice, that of the value's type. */
  #propertyFor(type: string, name: string): { property: Property; all: readonly Property[] } {
    const all = planOf(type)?.elements.get(name) ?? []
    const [first] = all
    if (!first) return this.#fail('there is no such element.')
    if (all.length === 1) return { property: first, all }
    const given = this.#typeGiven()
    const property = all.find((one) => one.type === given)
    return property ? { property, all } : this.#fail(`the value must be one of ${all.map((one) => one.type).join(', ')}.`)
  }

  #typeGiven(): string | undefined {
    const part = this.#parts.get('value')
    const property = part && valueProperty(part)
    return property && parameterValues().find(({ name }) => name === property)?.type
  }

  #given({ property }: { property: Property; all: readonly Property[] }): Given {
    const part = this.#parts.get('value')
    if (!part) return this.#malformed('the part value is missing.')
    return this.#valueOf(part, property)
  }

  #valueOf(part: Record<string, unknown>, property: Property): Given {
    if (part.resource !== undefined) {
      if (property.type !== 'Resource') this.#fail('a resource cannot stand there.')
      return { type: 'Resource', slot: this.#copied(slotAt(part, 'resource')) }
    }
    const name = valueProperty(part)
    if (name === undefined) return this.#composed(part, property)
    const type = parameterValues().find((one) => one.name === name)?.type
    const beside = part[`_${name}`]
    if (!type || !this.#fits(type, part[name], property)) this.#fail(`a ${property.type} is expected there.`)
    return { type, slot: this.#copied(slotAt(part, name)), ...(beside === undefined ? {} : { beside: this.#copied({ value: beside }).value }) }
  }

  // Types that a parameter cannot hold come as what their JSON would be; a code may come as the string it is.
  #fits(type: string, value: unknown, property: Property): boolean {
    if (type === property.type) return true
    return property.primitive !== undefined && (value === undefined || property.primitive.is(value)) && typeof value !== 'object'
  }

  /** A value that is made of parts, such as a contact: each part is one of its elements. */
  #composed(part: Record<string, unknown>, property: Property): Given {
    const parts = Array.isArray(part.part) ? part.part.filter(isObject) : []
    const plan = planOf(property.type)
    if (parts.length === 0 || !plan || property.primitive) return this.#malformed('the part value has no value, or an empty one.')
    const made: Record<string, unknown> = {}
    for (const inner of parts) {
      const all = plan.elements.get(String(inner.name)) ?? []
      const named = valueProperty(inner)
      const type = named && parameterValues().find((one) => one.name === named)?.type
      const [only] = all
      const element = all.length === 1 ? only : all.find((one) => one.type === type)
      if (!element) return this.#fail(`${property.type} has no element for one of the parts of the value.`)
      const given = this.#valueOf(inner, element)
      if (element.element.many) setElements(made, element, [...elementsOf(made, element), given])
      else if (made[element.name] === undefined) setElement(made, element, given)
      else this.#fail('a part of the value repeats an element that does not repeat.')
    }
    return { slot: { value: made } }
  }

  #copied(slot: Slot): Slot {
    return this.#budget.copyOf(slot) ?? this.#fail('the patch makes too much of it.')
  }
}

function parameterValues(): readonly Property[] {
  return planOf('Parameters.parameter')?.elements.get('value') ?? []
}

function valueProperty(part: Record<string, unknown>): string | undefined {
  for (const key of Object.keys(part)) if (key.startsWith('value')) return key
  for (const key of Object.keys(part)) if (key.startsWith('_value')) return key.slice(1)
  return undefined
}

/** The element that a property belongs to: `value` for valueQuantity. */
function elementName({ name }: Property, type: string): string {
  for (const [element, properties] of planOf(type)?.elements ?? []) if (properties.some((one) => one.name === name)) return element
  return name
}

/** The elements of a list, those of primitives with what stands beside them. */
function elementsOf(holder: Record<string, unknown>, { name, primitive }: Property): Element[] {
  const [list, side] = [holder[name], primitive ? holder[`_${name}`] : undefined]
  const slots = Array.isArray(list) ? slotsOf(list) : []
  const besides: readonly unknown[] = Array.isArray(side) ? side : []
  return Array.from({ length: Math.max(slots.length, besides.length) }, (_none, at) => ({
    slot: slots[at] ?? { value: null },
    ...(besides[at] === undefined || besides[at] === null ? {} : { beside: besides[at] }),
  }))
}

function setElements(holder: Record<string, unknown>, { name, primitive }: Property, elements: readonly Element[]): void {
  delete holder[name]
  delete holder[`_${name}`]
  if (elements.length === 0) return
  // A place that only extensions fill is null in the list of values, and the other way round.
  if (elements.some(({ slot }) => slot.value !== null && slot.value !== undefined)) {
    setSlot(holder, name, { value: listOf(elements.map(({ slot }) => (slot.value === undefined ? { value: null } : slot))) })
  }
  if (primitive && elements.some(({ beside }) => beside !== undefined)) holder[`_${name}`] = elements.map(({ beside }) => beside ?? null)
}

function setElement(holder: Record<string, unknown>, { name }: Property, { slot, beside }: Given): void {
  if (slot.value !== undefined) setSlot(holder, name, slot)
  if (beside !== undefined) holder[`_${name}`] = beside
}

// An element that has lost its last child is gone itself: FHIR has no empty ones.
function removeAt({ within }: Place): void {
  if (!within) return
  const { holder, property, index, of } = within
  if (index === undefined) {
    delete holder[property.name]
    delete holder[`_${property.name}`]
  } else {
    setElements(holder, property, elementsOf(holder, property).toSpliced(index, 1))
  }
  if (Object.keys(holder).length > 0) return
  if (isObject(of.item.value)) removeAt(of)
  else if (of.within) removeBeside(of.within)
}

function removeBeside({ holder, property, index }: NonNullable<Place['within']>): void {
  if (index === undefined) delete holder[`_${property.name}`]
  else setElements(holder, property, elementsOf(holder, property).map(({ slot, beside }, at) => (at === index || beside === undefined ? { slot } : { slot, beside })))
}
