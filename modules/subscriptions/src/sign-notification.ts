import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

// Standard Webhooks (https://www.standardwebhooks.com, 1.0): receivers find libraries that verify it in most languages.

const PREFIX = 'whsec_'
/** A receiver refuses what is older or newer than this; the libraries do. */
const TOLERANCE_SECONDS = 300

const OWN = new Set(['host', 'content-length', 'content-type', 'transfer-encoding', 'connection', 'upgrade', 'te', 'trailer', 'expect', 'webhook-id', 'webhook-timestamp', 'webhook-signature'])

/** Whether a header that a subscriber asks for may be sent. */
export function isForwarded(name: string, value: string): boolean {
  return /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/.test(name) && /^[\t\x20-\x7e]{0,4000}$/.test(value) && !OWN.has(name.toLowerCase())
}

export function newSecret(): string {
  return PREFIX + randomBytes(32).toString('base64')
}

function keyOf(secret: string): Buffer {
  return secret.startsWith(PREFIX) ? Buffer.from(secret.slice(PREFIX.length), 'base64') : Buffer.from(secret)
}

function signatureOf(secret: string, id: string, timestamp: string, body: string): string {
  return `v1,${createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.${body}`).digest('base64')}`
}

/**
 * The headers that prove where a notification comes from. The id is the same when it is sent again: a receiver that has
 * seen it drops it. The time is that of this attempt.
 */
export function signedHeaders(secret: string, id: string, at: Date, body: string): Record<string, string> {
  const timestamp = String(Math.floor(at.getTime() / 1000))
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatureOf(secret, id, timestamp, body) }
}

/** What a receiver does: whether the signature is right and the time near. */
export function isGenuine(secret: string, headers: Readonly<Record<string, unknown>>, body: string, now: Date): boolean {
  const [id, timestamp, signature] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => String(headers[name] ?? ''))
  if (Math.abs(now.getTime() / 1000 - Number(timestamp)) > TOLERANCE_SECONDS) return false
  const [given, right] = [Buffer.from(signature ?? ''), Buffer.from(signatureOf(secret, id ?? '', timestamp ?? '', body))]
  return given.length === right.length && timingSafeEqual(given, right)
}
