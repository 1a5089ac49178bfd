import { Refusal } from '@carespine/store/refusal'
import type { FastifyInstance } from 'fastify'
import { jsonFaultIn, placeIn } from './json-fault.ts'

/** Levels of arrays and objects. FHIR needs about 80; code that walks a body calls itself once a level. */
const DEEPEST = 200

/** What a look over JSON text tells, before it is read: whether it is nested deeper than any body has reason to be, and how many names it gives. */
export function outlineOf(text: string): { tooDeepAt?: number; names: number } {
  let depth = 0
  let names = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22: // a text: what stands in it counts for nothing
        for (at++; at < text.length && text.charCodeAt(at) !== 0x22; at++) if (text.charCodeAt(at) === 0x5c) at++
        break
      case 0x3a:
        names++
        break
      case 0x5b:
      case 0x7b:
        if (++depth > DEEPEST) return { tooDeepAt: at, names }
        break
      case 0x5d:
      case 0x7d:
        depth--
    }
  }
  return { names }
}

/** Names in a value that was read: fewer than in its text when one stood twice, of which the first is lost. */
function namesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let names = 0
  if (Array.isArray(value)) for (const inner of value) names += namesIn(inner)
  else {
    for (const name in value) {
      const inner = (value as Record<string, unknown>)[name]
      names += typeof inner === 'object' ? 1 + namesIn(inner) : 1
    }
  }
  return names
}

// A name that would change a prototype, also when it is written with escapes. Most bodies hold neither, and are read
// once: reading twice was 11 % of the processor time of a 20-entry transaction.
const SUSPECT = /__proto__|constructor|\\u00/

function readOnce(text: string, read: (text: string) => unknown): { value: unknown } | undefined {
  if (SUSPECT.test(text)) return undefined
  try {
    return { value: read(text) }
  } catch {
    // The parser below says what is wrong, and where.
    return undefined
  }
}

function malformed(text: string): Refusal {
  const fault = jsonFaultIn(text)
  return new Refusal('INPUT_MALFORMED', fault && { ...fault })
}

/**
 * Reads JSON text that came from outside, a line of a file for example, with the same refusals as a body: malformed, too
 * deep, a name that stands twice or would change a prototype.
 *
 * @param read Gives the value of JSON text, or throws.
 */
export function readJsonText(text: string, read: (text: string) => unknown): unknown {
  const { tooDeepAt, names } = outlineOf(text)
  if (tooDeepAt !== undefined) throw new Refusal('INPUT_TOO_DEEP', placeIn(text, tooDeepAt))
  let value: unknown
  try {
    value = read(text)
  } catch {
    throw malformed(text)
  }
  if (namesIn(value) !== names || (SUSPECT.test(text) && changesPrototype(value))) throw malformed(text)
  return value
}

function changesPrototype(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (Object.hasOwn(value, '__proto__')) return true
  const made: unknown = Object.hasOwn(value, 'constructor') ? value.constructor : undefined
  if (typeof made === 'object' && made !== null && Object.hasOwn(made, 'prototype')) return true
  return Object.values(value).some(changesPrototype)
}

/**
 * Reads bodies of these content types as JSON in this scope: refused when malformed, too deep, when a name stands twice in
 * an object, or when a name would change a prototype.
 *
 * @param read Gives the value of JSON text, or throws; default: JSON.parse.
 */
export function readJsonBodies(app: FastifyInstance, types: readonly string[], read?: (text: string) => unknown): void {
  const check = app.getDefaultJsonParser('error', 'error')
  for (const type of types) if (app.hasContentTypeParser(type)) app.removeContentTypeParser(type)
  app.addContentTypeParser([...types], { parseAs: 'string' }, (request, body, done) => {
    const text = (body as string).replace(/^\uFEFF/, '')
    const { tooDeepAt, names } = outlineOf(text)
    if (tooDeepAt !== undefined) return done(new Refusal('INPUT_TOO_DEEP', placeIn(text, tooDeepAt)))
    const finish = (value: unknown): void => {
      if (namesIn(value) === names) done(null, value)
      else done(malformed(text))
    }
    const once = readOnce(text, read ?? JSON.parse)
    if (once) return finish(once.value)
    check(request, text, (error, value) => {
      if (error) done(malformed(text))
      else finish(read ? read(text) : value)
    })
  })
}
