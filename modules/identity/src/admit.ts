import { randomUUID } from 'node:crypto'
import { refuse } from '@carespine/kit/module'
import type { Refusal } from '@carespine/kit/module'
import type { Transaction } from '@carespine/store/contract'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Account, userActor } from './accounts.ts'
import { demandSecondStep } from './demand-second-step.ts'
import type { SessionClock, SignedIn } from './contract.ts'
import type { Desk } from './desk.ts'
import type { Method, SecondStep } from './factor-contract.ts'
import { openPin } from './pin.ts'
import { deviceName } from './device-name.ts'
import { type Started, signedIn, startSession, type Whereabouts } from './sessions.ts'

const COOKIE = 'carespine_refresh'

/** What became of a sign-in: a session, or the reason why there is none. What was counted and recorded is kept either way. */
export type Admission = { refusal: Refusal } | { secondStep: SecondStep } | Admitted
type Admitted = Started & { account: Account; portal: string }

/** Where somebody wants to go, and from where they come. */
export interface Entry {
  portal: string
  at: Whereabouts
  now: Date
}

/** What a session began with; a PIN goes on where a full sign-in was, on an enrolled computer. */
type Beginning = Entry & { proof: Method | 'pin'; computer?: string }

export function entryOf(request: FastifyRequest, portal: string, now: Date): Entry {
  return { portal, at: { device: deviceName(request.headers['user-agent']), address: request.ip }, now }
}

/**
 * Somebody has shown who they are, by whichever way. What else is demanded before the session starts is demanded here;
 * it is the only way to a session.
 */
export async function admit(desk: Desk, tx: Transaction, account: Account, entry: Entry): Promise<Admission> {
  return (await demandSecondStep(tx, account, entry.portal, entry.now)) ?? (await begin(desk, tx, account, { ...entry, proof: 'password' }))
}

/** The session of somebody of whom nothing more is demanded. A full sign-in is a proof for a step-up and opens the PIN. */
export async function begin(desk: Desk, tx: Transaction, account: Account, entry: Beginning): Promise<Admission> {
  const { portal, proof, computer, now } = entry
  tx.record({ action: 'identity.login', outcome: 'success', reason: `account ${account.id} by ${proof}${computer === undefined ? '' : ` at computer ${computer}`}` })
  if (proof !== 'pin') await openPin(tx, account.id, now)
  const started = await startSession(tx, account.id, { ...entry, limit: desk.limits(portal) })
  await tx.sql('update identity.session set proof = $2, proven_at = $3, ward_computer = $4 where id = $1', [started.session, proof, proof === 'pin' ? null : now, computer ?? null])
  return { account, portal, ...started }
}

/**
 * What a browser is answered: with a session, the refresh token as a cookie and the rest as JSON; or what is demanded before
 * there is one.
 */
export async function answerWith(desk: Desk, request: FastifyRequest, reply: FastifyReply, admission: Admission): Promise<{ accessToken: string; user: SignedIn; clock: SessionClock } | { secondStep: SecondStep }> {
  if ('refusal' in admission) throw admission.refusal
  if ('secondStep' in admission) return { secondStep: admission.secondStep }
  const { account, session, portal, refresh, startedAt } = admission
  const now = desk.services.now()
  const { idleMinutes, minutes } = desk.limits(portal)
  const clock = { idleSeconds: idleMinutes * 60, secondsLeft: Math.max(0, Math.floor(minutes * 60 - (now.getTime() - startedAt.getTime()) / 1000)) }
  setCookie(reply, request, refresh, clock.secondsLeft)
  const origin = { correlationId: randomUUID(), action: 'identity.me', module: 'identity' }
  const user = await desk.services.view(desk.system(), origin, ({ view }) => signedIn(view, account, userActor(account, { id: session, portal })))
  return { accessToken: await desk.tokens().issue({ sub: account.id, kind: 'user', session, portal }, now), user, clock }
}

/** The refresh token of a request. Refuses without the header that a page of another site cannot set. */
export function refreshTokenOf(request: FastifyRequest): string | undefined {
  if (request.headers['x-carespine-csrf'] === undefined) refuse('IDENTITY_CSRF_HEADER')
  return request.cookies[COOKIE]
}

export function clearCookie(reply: FastifyReply): void {
  reply.clearCookie(COOKIE, { path: '/api/auth' })
}

function setCookie(reply: FastifyReply, request: FastifyRequest, refresh: string, seconds: number): void {
  reply.setCookie(COOKIE, refresh, {
    path: '/api/auth',
    httpOnly: true,
    sameSite: 'strict',
    secure: request.protocol === 'https',
    maxAge: seconds,
  })
}
