import { type Action, actionPath, type z } from '@carespine/kit/contract'
import type { SessionClock, SessionEnd, SignedIn } from '@carespine/identity/contract'
import type { SecondStep } from '@carespine/identity/factor-contract'
import { beginActivity, idleSeconds } from './activity.ts'

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
  clock: SessionClock
}

/** Why a screen is locked: by its person, or by the end of their session. */
export type LockReason = 'by-hand' | SessionEnd

/** Who is signed in. While the screen is locked, whose it is. */
export interface Standing {
  session: Session | undefined
  locked: LockReason | undefined
  /** When the session ends whatever is done, by this machine's clock. */
  endsAt: number
}

type Listener = (standing: Standing) => void

// The access token lives in memory alone; a reload gets a new one with the refresh cookie.
let standing: Standing = { session: undefined, locked: undefined, endsAt: 0 }
const listeners = new Set<Listener>()
let refreshing: Promise<Session | undefined> | undefined
let wakers: (() => void)[] = []
let hasLeft = false
/** Tells other tabs that somebody signed in (its value is the id) or out (empty). */
const WHO = 'carespine-who'

export function currentStanding(): Standing {
  return standing
}

export function currentSession(): Session | undefined {
  return standing.session
}

export function onStanding(listener: Listener): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** True when the last one here signed out. */
export function hasSignedOut(): boolean {
  return hasLeft
}

function stand(next: Standing): void {
  standing = next
  for (const listener of listeners) listener(next)
}

function begin(session: Session): Session {
  stand({ session, locked: undefined, endsAt: Date.now() + session.clock.secondsLeft * 1000 })
  const waiting = wakers
  wakers = []
  for (const wake of waiting) wake()
  return session
}

/** Resolves at once, or when whose screen it is has unlocked it. Somebody else begins with a fresh page: it never does. */
function unlocked(): Promise<void> {
  return standing.locked === undefined ? Promise.resolve() : new Promise((resolve) => wakers.push(resolve))
}

// What one tab learns, all do: nobody stays on a screen in one that they left in another.
window.addEventListener('storage', ({ key, newValue }) => {
  if (key !== WHO || !standing.session) return
  if (newValue !== standing.session.user.id) window.location.assign('/sign-in')
  else if (standing.locked !== undefined) void refresh().catch(() => undefined)
})

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
const csrf = { 'x-carespine-csrf': '1' }

/** What the server wants before it gives a session. */
export interface StepDemanded {
  secondStep: SecondStep
}

export async function signIn(input: { email: string; password: string; portal: string }): Promise<Session | StepDemanded> {
  const answer = await askSignIn<Session | StepDemanded>('/api/auth/login', input)
  return 'secondStep' in answer ? answer : welcome(answer)
}

/** One of the routes on the way in. */
export async function askSignIn<T>(path: string, body: object): Promise<T> {
  const response = await send(path, { method: 'POST', headers: { ...json, ...csrf }, body: JSON.stringify(body) })
  if (!response.ok) throw await readError(response)
  return (await response.json()) as T
}

/** Takes over a session that a sign-in gave, whichever way it went. A locked screen opens for the person whose it is. */
export function welcome(next: Session): Session {
  const { session, locked } = standing
  // Somebody else: nothing of what the former one had in memory may be left.
  if (locked !== undefined && session && (session.user.id !== next.user.id || session.user.portal !== next.user.portal)) {
    window.location.assign(`/${next.user.portal ?? ''}`)
    return next
  }
  hasLeft = false
  beginActivity()
  localStorage.setItem(WHO, next.user.id)
  return begin(next)
}

/** A new access token from the refresh cookie; undefined when nobody is signed in. Calls at one time share one request. */
export function refresh(): Promise<Session | undefined> {
  refreshing ??= send('/api/auth/refresh', { method: 'POST', headers: { ...json, ...csrf }, body: JSON.stringify({ idleSeconds: standing.session ? idleSeconds() : 0 }) })
    .then(async (response) => {
      if (response.ok) {
        const next = (await response.json()) as Session
        // The cookie is another person's: they signed in at another tab.
        if (standing.session && standing.session.user.id !== next.user.id) window.location.assign('/')
        return begin(next)
      }
      const fault = await readError(response)
      // A server that is ill says nothing about who is signed in.
      if (fault.code !== 'IDENTITY_REFRESH_INVALID') throw fault
      if (standing.session && standing.locked === undefined) stand({ ...standing, locked: fault.details.end as SessionEnd })
      else if (!standing.session) stand({ session: undefined, locked: undefined, endsAt: 0 })
      return undefined
    })
    .finally(() => {
      refreshing = undefined
    })
  return refreshing
}

/** Tells the server that somebody is here. */
export async function reportActivity(): Promise<void> {
  const { session, locked } = standing
  if (!session || locked !== undefined) return
  await send('/api/auth/active', { method: 'POST', headers: { ...json, authorization: `Bearer ${session.accessToken}` }, body: JSON.stringify({ idleSeconds: idleSeconds() }) })
}

/** Ends the session and covers the screen; what is on it stays in memory for the one whose it is. */
export async function lock(reason: LockReason): Promise<void> {
  if (!standing.session || standing.locked !== undefined) return
  stand({ ...standing, locked: reason })
  await send('/api/auth/logout', { method: 'POST', headers: csrf }).catch(() => undefined)
}

export async function signOut(): Promise<void> {
  await send('/api/auth/logout', { method: 'POST', headers: csrf }).catch(() => undefined)
  hasLeft = true
  localStorage.setItem(WHO, '')
  stand({ session: undefined, locked: undefined, endsAt: 0 })
}

export async function setUp(input: { token: string; email: string; password: string; displayName: string }): Promise<void> {
  const response = await send('/api/auth/setup', { method: 'POST', headers: json, body: JSON.stringify(input) })
  if (!response.ok) throw await readError(response)
}

/**
 * Calls an action. A command carries an idempotency key, so that a repetition after a lost answer does nothing twice. While
 * the screen is locked it waits; what was under way when the session ended is done when the screen is unlocked.
 */
export async function call<I extends z.ZodType, O extends z.ZodType>(action: Action<I, O>, input: z.input<I>): Promise<z.output<O>> {
  const key: Record<string, string> = action.kind === 'command' ? { 'idempotency-key': crypto.randomUUID() } : {}
  return await ask(actionPath(action.name), input, key)
}

/**
 * Asks a route as the one who is signed in. When the server wants to know again who that is, they are asked, and the call is
 * repeated with the same key.
 */
export async function ask<T>(path: string, body: unknown, headers: Record<string, string> = {}): Promise<T> {
  const request = (): Promise<Response> => authorized(path, { method: 'POST', headers: { ...json, ...headers }, body: JSON.stringify(body) })
  let response = await request()
  if (response.status === 403) {
    const fault = await readError(response)
    if (fault.code !== 'STEP_UP_NEEDED' || !(await askForProof())) throw fault
    response = await request()
  }
  if (!response.ok) throw await readError(response)
  return (await response.json()) as T
}

let proving: Promise<boolean> | undefined
let asker: () => Promise<boolean> = async () => false

/** Calls that want a proof at the same time share one question. */
function askForProof(): Promise<boolean> {
  proving ??= asker().finally(() => {
    proving = undefined
  })
  return proving
}

/** Who asks the person for a proof of who they are; resolves to false when they would not give one. */
export function onProofNeeded(next: () => Promise<boolean>): void {
  asker = next
}

/** Asks as the one who is signed in, with a fresh token when the first has expired. */
export async function authorized(path: string, init: RequestInit & { headers?: Record<string, string> }): Promise<Response> {
  const request = async (): Promise<Response> => {
    await unlocked()
    const { session } = standing
    return await send(path, { ...init, headers: { ...init.headers, ...(session ? { authorization: `Bearer ${session.accessToken}` } : {}) } })
  }
  const response = await request()
  if (response.status !== 401) return response
  await refresh()
  return standing.session ? await request() : response
}
