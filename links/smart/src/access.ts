import type { Actor, AppAccess, ReadView, Transaction } from '@carespine/store/contract'
import { actorWithin, type TermsOf } from './scopes.ts'

/** What somebody allowed an app, as a row has it. */
export interface Access {
  id: string
  client: string
  user_id: string
  portal: string
  session: string | null
  scopes: string[]
  patient: string | null
  encounter: string | null
  created_at: Date
  used_at: Date
  expires_at: Date
}

const columns = 'a.id, a.client, a.user_id, a.portal, a.session, a.scopes, a.patient, a.encounter, a.created_at, a.used_at, a.expires_at'

/** Access that has not ended; of an app that is not shut out. */
export const openAccess = `select ${columns} from smart.access a join smart.app p on p.client = a.client and p.active where a.ended_at is null`

export async function findAccess(view: ReadView, id: string, now: Date): Promise<Access | undefined> {
  const [row] = await view.sql<Access>(`${openAccess} and a.id = $1 and a.expires_at > $2`, [id, now])
  return row
}

/** An actor as an app acts for it, with what the token says at most; see `actorWithin`. */
export async function asApp(view: ReadView, actor: Actor, app: AppAccess, { termsOf, now }: { termsOf: TermsOf; now: Date }): Promise<Actor | undefined> {
  const scopes = app.scope.split(' ')
  if (app.grant === undefined) {
    // A client for itself: what was made for it outlives no shutting out.
    const [shut] = await view.sql('select 1 from smart.app where client = $1 and not active', [app.client])
    return shut ? undefined : { ...actorWithin(actor, scopes.filter((scope) => scope.startsWith('system/')), { termsOf }), app }
  }
  const access = await findAccess(view, app.grant, now)
  if (!access || access.client !== app.client || access.user_id !== actor.id) return undefined
  const within = scopes.filter((scope) => access.scopes.includes(scope) && !scope.startsWith('system/'))
  return { ...actorWithin(actor, within, { termsOf, ...(access.patient === null ? {} : { patient: access.patient }) }), app, session: access.session ?? access.id }
}

/** Ends access, with its codes and refresh tokens. Those that were open. */
export async function endAccess(tx: Transaction, which: { id?: string; client?: string; user?: string }, reason: string, now: Date): Promise<Access[]> {
  return await tx.sql<Access>(
    'update smart.access a set ended_at = $1, end_reason = $2 where a.ended_at is null and ($3::uuid is null or a.id = $3) and ($4::uuid is null or a.client = $4) and ' +
      `($5::uuid is null or a.user_id = $5) and ($3::uuid is not null or $4::uuid is not null) returning ${columns}`,
    [now, reason, which.id ?? null, which.client ?? null, which.user ?? null],
  )
}
