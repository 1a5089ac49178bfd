import { Refusal } from '@carespine/store/refusal'
import type { FastifyInstance } from 'fastify'

/** Levels of arrays and objects. FHIR needs about 80; code that walks a body calls itself once a level. */
const DEEPEST = 200

/** True when JSON text is nested deeper than any body has reason to be. */
export function isTooDeep(text: string): boolean {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22: // a text: what stands in it counts for nothing
        for (at++; at < text.length && text.charCodeAt(at) !== 0x22; at++) if (text.charCodeAt(at) === 0x5c) at++
        break
      case 0x5b:
      case 0x7b:
        if (++depth > DEEPEST) return true
        break
      case 0x5d:
      case 0x7d:
        depth--
    }
  }
  return false
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

/**
 * Reads bodies of these content types as JSON in this scope: refused when malformed, too deep, or when a name in it
 * would change a prototype.
 *
 * @param read Gives the value of JSON text, or throws; default: JSON.parse.
 */
export function readJsonBodies(app: FastifyInstance, types: readonly string[], read?: (text: string) => unknown): void {
  const check = app.getDefaultJsonParser('error', 'error')
  for (const type of types) if (app.hasContentTypeParser(type)) app.removeContentTypeParser(type)
  app.addContentTypeParser([...types], { parseAs: 'string' }, (request, body, done) => {
    const text = (body as string).replace(/^\uFEFF/, '')
    if (isTooDeep(text)) return done(new Refusal('INPUT_TOO_DEEP'))
    const once = readOnce(text, read ?? JSON.parse)
    if (once) return done(null, once.value)
    check(request, text, (error, value) => {
      if (error) done(error)
      else done(null, read ? read(text) : value)
    })
  })
}
