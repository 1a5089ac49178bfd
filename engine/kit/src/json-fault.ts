/** Where JSON text stops being JSON, or says one name twice. Lines and columns count from 1. Quotes nothing of the text. */
export interface JsonFault {
  line: number
  column: number
  problem: string
}

class Fault extends Error {
  readonly at: number

  constructor(at: number, problem: string) {
    super(problem)
    this.at = at
  }
}

/**
 * The first fault of JSON text (RFC 8259), for who has to find it in what was sent. Goes as deep as the text does: the
 * caller has looked how deep that is.
 */
export function jsonFaultIn(text: string): JsonFault | undefined {
  try {
    new Reader(text).whole()
    return undefined
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return { ...placeIn(text, error.at), problem: error.message }
  }
}

/** Line and column of a character. */
export function placeIn(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at)
  return { line: before.split('\n').length, column: at - before.lastIndexOf('\n') }
}

const SPACE = /[ \t\n\r]*/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /true|false|null/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  whole(): void {
    this.#value()
    this.#take(SPACE)
    if (this.#at < this.#text.length) throw new Fault(this.#at, 'The JSON has ended before this.')
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found
  }

  #value(): void {
    this.#take(SPACE)
    const next = this.#text[this.#at]
    if (next === '{') this.#object()
    else if (next === '[') this.#array()
    else if (next === '"') this.#string()
    else if (this.#take(WORD) === undefined && this.#take(NUMBER) === undefined) throw this.#unexpected('A value is expected here.')
  }

  #string(): string {
    const start = this.#at
    this.#at += 1
    while (this.#at < this.#text.length) {
      const code = this.#text.charCodeAt(this.#at)
      if (code === 0x22) {
        this.#at += 1
        return this.#text.slice(start, this.#at)
      }
      if (code < 0x20) throw new Fault(this.#at, 'A control character in a text is written as an escape.')
      if (code !== 0x5c) this.#at += 1
      else if (this.#take(ESCAPE) === undefined) throw new Fault(this.#at, 'JSON has no such escape.')
    }
    throw new Fault(start, 'This text has no end.')
  }

  #array(): void {
    this.#at += 1
    if (this.#ends(']')) return
    for (;;) {
      this.#value()
      if (this.#ends(']')) return
      this.#comma(']')
    }
  }

  #object(): void {
    this.#at += 1
    const names = new Set<string>()
    if (this.#ends('}')) return
    for (;;) {
      this.#take(SPACE)
      const start = this.#at
      if (this.#text[start] !== '"') throw this.#unexpected('A name between double quotes is expected here.')
      const name = JSON.parse(this.#string()) as string
      if (names.has(name)) throw new Fault(start, 'This name stands twice in one object: which is meant?')
      names.add(name)
      this.#take(SPACE)
      if (this.#text[this.#at] !== ':') throw this.#unexpected('A colon is expected here.')
      this.#at += 1
      this.#value()
      if (this.#ends('}')) return
      this.#comma('}')
    }
  }

  #ends(bracket: string): boolean {
    this.#take(SPACE)
    if (this.#text[this.#at] !== bracket) return false
    this.#at += 1
    return true
  }

  #comma(bracket: string): void {
    if (this.#text[this.#at] !== ',') throw this.#unexpected(`A comma or ${bracket} is expected here.`)
    this.#at += 1
  }

  #unexpected(problem: string): Fault {
    return new Fault(this.#at, this.#at < this.#text.length ? problem : 'The JSON ends too early.')
  }
}
