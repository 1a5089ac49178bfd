import { spanOf } from '@carespine/fhir/dates'
import { refuse } from './refusal.ts'

/** Sort keys of a row, then its id and its branch: an id may be known in two. */
export type Key = readonly (string | number | null)[]

// A cursor holds sort keys and an id: times and numbers that the client has just been sent, never a name.
export function writeCursor(key: Key): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url')
}

export function readCursor(text: string, casts: readonly string[]): Key {
  try {
    const key: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    if (isKey(key, casts)) return key
  } catch {
    // Falls through to the refusal.
  }
  return refuse('SEARCH_CURSOR_INVALID')
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

function isKey(key: unknown, casts: readonly string[]): key is Key {
  if (!Array.isArray(key) || key.length !== casts.length + 2 || !key.slice(-2).every((one) => UUID.test(String(one)))) return false
  return casts.every((cast, at) => key[at] === null || (cast === 'float8' ? typeof key[at] === 'number' : isTime(key[at])))
}

function isTime(value: unknown): boolean {
  return typeof value === 'string' && /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/.test(value) && spanOf(value) !== undefined
}

/** A cursor of a search over several types: the type stands first. */
export function writeTypedCursor(type: string, key: Key): string {
  return writeCursor([type, ...key])
}

export function readTypedCursor(text: string, casts: readonly string[]): { type: string; key: Key } {
  try {
    const [type, ...key] = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown[]
    if (typeof type === 'string' && isKey(key, casts)) return { type, key }
  } catch {
    // Falls through to the refusal.
  }
  return refuse('SEARCH_CURSOR_INVALID')
}
