import { spanOf } from '@carespine/fhir/dates'
import { refuse } from './refusal.ts'

/** Sort keys of a row, then its id. */
export type Key = readonly (string | number | null)[]

// A cursor holds sort keys and an id: times and numbers that the client has just been sent, never a name.
export function writeCursor(key: Key): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url')
}

export function readCursor(text: string, casts: readonly string[]): Key {
  try {
    const key: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    const isKey =
      Array.isArray(key) &&
      key.length === casts.length + 1 &&
      /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(String(key.at(-1))) &&
      casts.every((cast, at) => key[at] === null || (cast === 'float8' ? typeof key[at] === 'number' : isTime(key[at])))
    if (isKey) return key as Key
  } catch {
    // Falls through to the refusal.
  }
  return refuse('SEARCH_CURSOR_INVALID')
}

function isTime(value: unknown): boolean {
  return typeof value === 'string' && /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/.test(value) && spanOf(value) !== undefined
}
