import { randomUUID } from 'node:crypto'
import { refuse } from '@carespine/kit/module'
import type { Refusal } from '@carespine/kit/module'
import type { Transaction } from '@carespine/store/contract'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Account, userActor } from './accounts.ts'
import type { SignedIn } from './contract.ts'
import type { Desk } from './desk.ts'
import { SESSION_SECONDS, type Started, signedIn, startSession } from './sessions.ts'

const COOKIE = 'carespine_refresh'

/** What became of a sign-in: a session, or the reason why there is none. What was counted and recorded is kept either way. */
export type Admission = { refusal: Refusal } | Admitted
type Admitted = Started & { account: Account; portal: string }

/**
 * Somebody has shown who they are, by whichever way. What else is demanded before the session starts is demanded here;
 * it is the only way to a session.
 */
export async function admit(tx: Transaction, account: Account, { portal, now }: { portal: string; now: Date }): Promise<Admission> {
  tx.record({ action: 'identity.login', outcome: 'success' })
  return { account, portal, ...(await startSession(tx, account.id, portal, now)) }
}

/** What a browser is answered that begins or goes on with a session: the refresh token as a cookie, the rest as JSON. */
export async function answerWith(desk: Desk, request: FastifyRequest, reply: FastifyReply, admission: Admission): Promise<{ accessToken: string; user: SignedIn }> {
  if ('refusal' in admission) throw admission.refusal
  const { account, session, portal, refresh } = admission
  setCookie(reply, request, refresh)
  const origin = { correlationId: randomUUID(), action: 'identity.me', module: 'identity' }
  const user = await desk.services.view(desk.system(), origin, ({ view }) => signedIn(view, account, userActor(account, { id: session, portal })))
  return { accessToken: await desk.tokens().issue({ sub: account.id, kind: 'user', session, portal }, desk.services.now()), user }
}

/** The refresh token of a request. Refuses without the header that a page of another site cannot set. */
export function refreshTokenOf(request: FastifyRequest): string | undefined {
  if (request.headers['x-carespine-csrf'] === undefined) refuse('IDENTITY_CSRF_HEADER')
  return request.cookies[COOKIE]
}

export function clearCookie(reply: FastifyReply): void {
  reply.clearCookie(COOKIE, { path: '/api/auth' })
}

function setCookie(reply: FastifyReply, request: FastifyRequest, refresh: string): void {
  reply.setCookie(COOKIE, refresh, {
    path: '/api/auth',
    httpOnly: true,
    sameSite: 'strict',
    secure: request.protocol === 'https',
    maxAge: SESSION_SECONDS,
  })
}
