import { randomBytes, randomUUID } from 'node:crypto'
import type { Actor, ReadView, Transaction } from '@carespine/store/contract'
import { type Account, digest, findAccount, listBranches } from './accounts.ts'
import type { SignedIn } from './contract.ts'

export const SESSION_SECONDS = 12 * 3600
/** Two tabs may refresh at once: the token that was just used still works this long, and leads to the same session. */
const RACE_SECONDS = 10

/** A session and the refresh token that keeps it. */
export interface Started {
  session: string
  refresh: string
}

export async function startSession(tx: Transaction, user: string, portal: string, now: Date): Promise<Started> {
  const session = randomUUID()
  await tx.sql('insert into identity.session (id, user_id, portal, started_at) values ($1, $2, $3, $4)', [session, user, portal, now])
  return { session, refresh: await addRefreshToken(tx, session, now) }
}

async function addRefreshToken(tx: Transaction, session: string, now: Date): Promise<string> {
  const refresh = randomBytes(32).toString('base64url')
  await tx.sql('insert into identity.refresh_token (hash, session, expires_at) values ($1, $2, $3)', [
    digest(refresh),
    session,
    new Date(now.getTime() + SESSION_SECONDS * 1000),
  ])
  return refresh
}

/**
 * Exchanges a refresh token for the next one (RFC 9700, section 4.14.2). A token that comes a second time was copied:
 * its session ends. Undefined when there is no session to go on with.
 */
export async function rotate(tx: Transaction, given: string, now: Date): Promise<(Started & { account: Account; portal: string }) | undefined> {
  const [row] = await tx.sql<{ session: string; expires_at: Date; used_at: Date | null; user_id: string; portal: string; ended_at: Date | null }>(
    'select r.session, r.expires_at, r.used_at, s.user_id, s.portal, s.ended_at from identity.refresh_token r ' +
      'join identity.session s on s.id = r.session where r.hash = $1 for update',
    [digest(given)],
  )
  if (!row || row.ended_at || row.expires_at < now) return undefined
  if (row.used_at && now.getTime() - row.used_at.getTime() > RACE_SECONDS * 1000) {
    await tx.sql("update identity.session set ended_at = $2, end_reason = 'token reuse' where id = $1", [row.session, now])
    tx.record({ action: 'identity.refresh', outcome: 'failure', reason: 'A refresh token came twice; the session was ended.' })
    return undefined
  }
  const account = await findAccount(tx, row.user_id)
  if (!account?.active) return undefined
  await tx.sql('update identity.refresh_token set used_at = coalesce(used_at, $2) where hash = $1', [digest(given), now])
  return { account, session: row.session, portal: row.portal, refresh: await addRefreshToken(tx, row.session, now) }
}

/** Ends the session that a refresh token keeps. Its id; undefined when it had ended. */
export async function endSessionOf(tx: Transaction, refresh: string, now: Date): Promise<string | undefined> {
  const [row] = await tx.sql<{ id: string }>(
    "update identity.session set ended_at = $2, end_reason = 'logout' where ended_at is null and id = " +
      '(select session from identity.refresh_token where hash = $1) returning id',
    [digest(refresh), now],
  )
  return row?.id
}

/** Who is signed in, as screens see it. */
export async function signedIn(view: ReadView, account: Account, actor: Actor): Promise<SignedIn> {
  const branches = await listBranches(view)
  return {
    id: account.id,
    display: account.display,
    roles: account.roles,
    permissions: [...actor.permissions],
    branches: branches.filter(({ id }) => account.branches.includes(id)),
    branch: account.branch,
    ...(actor.portal ? { portal: actor.portal } : {}),
    ...(account.practitioner ? { practitioner: account.practitioner } : {}),
    ...(account.patient ? { patient: account.patient } : {}),
    locale: account.locale,
  }
}
