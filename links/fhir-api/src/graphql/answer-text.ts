import type { AnsweredError } from './graphql-fault.ts'

/** A number that is written as it was: 1.00 stays 1.00. */
export class Written {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** How the values of one name come out: `list` for what repeats, `single` where @singleton says that it does not. */
export type Shape = 'one' | 'list' | 'single'

/** What stands, or will stand, under one name, where that is not simply a value. */
class Slot {
  shape: Shape
  /** Type of the values: those that are collected under one name must be of one (R4 GraphQL, Flattening a node). */
  readonly type: string
  values: unknown[] = []
  /** A list stands even when it is empty; anything else is then null. */
  stands = false
  /** Several stood where one may, or of several types: none of them does. */
  isFailed = false

  constructor(shape: Shape, type: string) {
    this.shape = shape
    this.type = type
  }

  put(shape: Shape, type: string, value: unknown): boolean {
    if (this.isFailed) return true
    if (this.type !== type || this.shape !== shape || (shape !== 'list' && this.values.length > 0)) return false
    this.values.push(value)
    return true
  }

  fail(): void {
    Object.assign(this, { shape: 'one', values: [], stands: true, isFailed: true })
  }
}

/** An object of the answer while it is put together, names in the order of the query; `__proto__` is no name. */
export class Out {
  // Most values stand alone under their name, and most objects have the shape of many others: a Map with a slot for each
  // name took three times the memory.
  readonly #fields: Record<string, unknown> = {}
  /** What describes types tells of each name, null included. */
  readonly tellsAll: boolean

  constructor(tellsAll = false) {
    this.tellsAll = tellsAll
  }

  /** Keeps a place for values that come later. */
  reserve(name: string, shape: Shape, type: string): void {
    if (!Object.hasOwn(this.#fields, name)) this.#fields[name] = new Slot(shape, type)
  }

  /** Says of a list that it stands, and of anything else that it is null. */
  stand(name: string): void {
    const slot = this.#fields[name]
    if (slot instanceof Slot) slot.stands = true
  }

  /** Adds a value. False when there is one already and only one may be, or when those that are there are of another type. */
  put(name: string, shape: Shape, type: string, value: unknown): boolean {
    if (!Object.hasOwn(this.#fields, name)) {
      if (shape === 'one') {
        this.#fields[name] = value
        return true
      }
      this.#fields[name] = new Slot(shape, type)
    }
    const slot = this.#fields[name]
    return slot instanceof Slot && slot.put(shape, type, value)
  }

  /** Null from now on: values came that cannot stand together. */
  fail(name: string): void {
    const known = this.#fields[name]
    const slot = known instanceof Slot ? known : new Slot('one', '')
    slot.fail()
    this.#fields[name] = slot
  }

  text(): string {
    const parts: string[] = []
    this.write(parts)
    return parts.join('')
  }

  write(parts: string[]): void {
    let before = '{'
    for (const name in this.#fields) {
      const field = this.#fields[name]
      const isSlot = field instanceof Slot
      if (isSlot && field.values.length === 0 && !field.stands && !this.tellsAll) continue
      parts.push(before, JSON.stringify(name), ':')
      before = ','
      if (!isSlot) writeValue(field, parts)
      else if (field.shape === 'list' && (field.values.length > 0 || field.stands)) writeList(field.values, parts)
      else writeValue(field.values[0], parts)
    }
    parts.push(before === '{' ? '{}' : '}')
  }
}

function writeList(values: readonly unknown[], parts: string[]): void {
  parts.push('[')
  for (const [at, value] of values.entries()) {
    if (at > 0) parts.push(',')
    writeValue(value, parts)
  }
  parts.push(']')
}

function writeValue(value: unknown, parts: string[]): void {
  if (value instanceof Out) value.write(parts)
  else if (value instanceof Written) parts.push(value.text)
  else parts.push(JSON.stringify(value ?? null))
}

/** The answer to a query as JSON. */
export function answerText(data: Out | null, errors: readonly AnsweredError[]): string {
  const parts: string[] = ['{"data":']
  writeValue(data, parts)
  if (errors.length > 0) parts.push(',"errors":', JSON.stringify(errors))
  parts.push('}')
  return parts.join('')
}
