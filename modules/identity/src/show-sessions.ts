import { command, query, refuse, type ServedAction } from '@carespine/kit/module'
import type { Actor } from '@carespine/store/contract'
import { endMySessions, endSessionsOf, mySessions, type OpenSession as ShownSession, sessionsOf } from './contract.ts'
import type { SessionLimit } from './session-limits.ts'
import { endSessions, type OpenSession, openSessions } from './sessions.ts'

/** Sessions listed and ended, by who is signed in and by an administrator. */
export function sessionActions(limits: (portal: string) => SessionLimit): ServedAction[] {
  return [
    query(mySessions, async (_input, { view, actor, now }) => ({
      sessions: (await openSessions(view, personOf(actor), limits, now)).map((session) => shown(session, actor)),
    })),
    command(endMySessions, async ({ sessionId }, { tx, actor, now }) => {
      const user = personOf(actor)
      const ended = await endSessions(tx, { user, ...(sessionId === undefined ? { except: actor.session ?? '' } : { ids: [sessionId] }), reason: 'ended by its user', now })
      if (sessionId !== undefined && ended.length === 0) refuse('IDENTITY_SESSION_GONE')
      tx.record({ action: endMySessions.name, outcome: 'success', reason: `${ended.length} sessions` })
      return { ended: ended.length }
    }),
    query(sessionsOf, async ({ userId }, { view, actor, now }) => ({
      sessions: (await openSessions(view, userId, limits, now)).map((session) => shown(session, actor)),
    })),
    command(endSessionsOf, async ({ userId, sessionId }, { tx, now }) => {
      const ended = await endSessions(tx, { user: userId, ...(sessionId === undefined ? {} : { ids: [sessionId] }), reason: 'ended by an administrator', now })
      if (sessionId !== undefined && ended.length === 0) refuse('IDENTITY_SESSION_GONE')
      tx.record({ action: endSessionsOf.name, outcome: 'success', reason: `${ended.length} sessions of ${userId}` })
      return { ended: ended.length }
    }),
  ]
}

/** Clients have no sessions. */
function personOf(actor: Actor): string {
  return actor.kind === 'user' ? actor.id : refuse('IDENTITY_PERSON_NEEDED')
}

function shown({ id, portal, startedAt, activeAt, device, address }: OpenSession, actor: Actor): ShownSession {
  return { id, portal, startedAt: startedAt.toISOString(), activeAt: activeAt.toISOString(), device, address, current: id === actor.session }
}
