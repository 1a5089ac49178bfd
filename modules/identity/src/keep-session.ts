import { refuse } from '@carespine/kit/module'
import type { FastifyInstance } from 'fastify'
import { findAccount } from './accounts.ts'
import { answerWith, clearCookie, refreshTokenOf } from './admit.ts'
import { Activity, type SessionEnd } from './contract.ts'
import { type Desk, parse, schema } from './desk.ts'
import { endSessionOf, noteActivity, rotate, signedIn } from './sessions.ts'

/** Going on with a session, ending it, and whose it is. */
export function sessionRoutes(app: FastifyInstance, desk: Desk): void {
  const { services } = desk

  app.post('/api/auth/refresh', { config: { allow: 'anyone' }, onRequest: desk.limited, schema: schema('A new access token for the session') }, async (request, reply) => {
    const given = refreshTokenOf(request)
    const { idleSeconds } = parse(Activity, request.body)
    if (given === undefined) return refuse('IDENTITY_REFRESH_INVALID', { end: 'unknown' satisfies SessionEnd })
    const result = await desk.transact(request, 'identity.refresh', (tx) => rotate(tx, given, { idleSeconds, limits: desk.limits, now: services.now() }))
    if (!('over' in result)) return await answerWith(desk, request, reply, result)
    clearCookie(reply)
    return refuse('IDENTITY_REFRESH_INVALID', { end: result.over })
  })

  app.post('/api/auth/active', { config: { allow: 'signed-in' }, schema: schema('Somebody is at the screen: the session is not idle') }, async (request) => {
    const { idleSeconds } = parse(Activity, request.body)
    const { session } = request.actor
    if (session === undefined) return refuse('IDENTITY_PERSON_NEEDED')
    await desk.transact(request, 'identity.active', (tx) => noteActivity(tx, session, new Date(services.now().getTime() - idleSeconds * 1000)))
    return {}
  })

  app.post('/api/auth/logout', { config: { allow: 'anyone' }, schema: schema('End the session') }, async (request, reply) => {
    const given = refreshTokenOf(request)
    clearCookie(reply)
    if (given === undefined) return {}
    const session = await desk.transact(request, 'identity.logout', async (tx) => {
      const ended = await endSessionOf(tx, given, services.now())
      if (ended !== undefined) tx.record({ action: 'identity.logout', outcome: 'success' })
      return ended
    })
    if (session !== undefined) desk.forget(session)
    return {}
  })

  app.get('/api/auth/me', { config: { allow: 'signed-in' }, schema: schema('Who is signed in') }, async (request) => {
    const { actor } = request
    if (actor.kind !== 'user') return { user: { id: actor.id, display: actor.display, roles: actor.roles } }
    const user = await services.view(desk.system(), request.origin, async ({ view }) => {
      const account = await findAccount(view, actor.id)
      return account && (await signedIn(view, account, actor))
    })
    return { user: user ?? refuse('IDENTITY_TOKEN_INVALID') }
  })
}
