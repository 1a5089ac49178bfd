import { type Action, actionPath, type z } from '@carespine/kit/contract'
import type { SignedIn } from '@carespine/identity/contract'

/** A "no" of the server, or its silence (`OFFLINE`). */
export class ApiError extends Error {
  readonly code: string
  readonly status: number
  readonly details: Readonly<Record<string, unknown>>
  readonly correlationId: string | undefined

  constructor(status: number, body: { code?: string; message?: string; details?: Record<string, unknown>; correlationId?: string }) {
    super(body.message ?? body.code ?? 'error')
    this.code = body.code ?? 'INTERNAL'
    this.status = status
    this.details = body.details ?? {}
    this.correlationId = body.correlationId
  }
}

export interface Session {
  accessToken: string
  user: SignedIn
}

type Listener = (session: Session | undefined) => void

// The access token lives in memory alone; a reload gets a new one with the refresh cookie.
let session: Session | undefined
const listeners = new Set<Listener>()
let refreshing: Promise<Session | undefined> | undefined
/** How the last session ended. */
let end: 'expired' | 'signed-out' | undefined

export function currentSession(): Session | undefined {
  return session
}

export function onSession(listener: Listener): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** True when the last session ended by itself. */
export function hasExpired(): boolean {
  return end === 'expired'
}

/** True when the last one here signed out. */
export function hasSignedOut(): boolean {
  return end === 'signed-out'
}

function setSession(next: Session | undefined): void {
  session = next
  for (const listener of listeners) listener(next)
}

async function send(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init)
  } catch {
    throw new ApiError(0, { code: 'OFFLINE' })
  }
}

async function readError(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => ({}))) as ConstructorParameters<typeof ApiError>[1]
  return new ApiError(response.status, body)
}

const json = { 'content-type': 'application/json' }

export async function signIn(input: { email: string; password: string; portal: string }): Promise<Session> {
  const response = await send('/api/auth/login', { method: 'POST', headers: json, body: JSON.stringify(input) })
  if (!response.ok) throw await readError(response)
  const next = (await response.json()) as Session
  end = undefined
  setSession(next)
  return next
}

/** A new access token from the refresh cookie; undefined when nobody is signed in. Calls at one time share one request. */
export function refresh(): Promise<Session | undefined> {
  refreshing ??= send('/api/auth/refresh', { method: 'POST', headers: { 'x-carespine-csrf': '1' } })
    .then(async (response) => {
      // A server that is ill says nothing about who is signed in.
      if (response.status >= 500 || response.status === 429) throw await readError(response)
      const next = response.ok ? ((await response.json()) as Session) : undefined
      if (next === undefined && session !== undefined) end = 'expired'
      setSession(next)
      return next
    })
    .finally(() => {
      refreshing = undefined
    })
  return refreshing
}

export async function signOut(): Promise<void> {
  await send('/api/auth/logout', { method: 'POST', headers: { 'x-carespine-csrf': '1' } }).catch(() => undefined)
  end = 'signed-out'
  setSession(undefined)
}

export async function setUp(input: { token: string; email: string; password: string; displayName: string }): Promise<void> {
  const response = await send('/api/auth/setup', { method: 'POST', headers: json, body: JSON.stringify(input) })
  if (!response.ok) throw await readError(response)
}

/** Calls an action. A command carries an idempotency key, so that a repetition after a lost answer does nothing twice. */
export async function call<I extends z.ZodType, O extends z.ZodType>(action: Action<I, O>, input: z.input<I>): Promise<z.output<O>> {
  const key: Record<string, string> = action.kind === 'command' ? { 'idempotency-key': crypto.randomUUID() } : {}
  const request = (): Promise<Response> =>
    send(actionPath(action.name), {
      method: 'POST',
      headers: { ...json, ...key, ...(session ? { authorization: `Bearer ${session.accessToken}` } : {}) },
      body: JSON.stringify(input),
    })
  let response = await request()
  if (response.status === 401 && (await refresh())) response = await request()
  if (!response.ok) throw await readError(response)
  return (await response.json()) as z.output<O>
}
