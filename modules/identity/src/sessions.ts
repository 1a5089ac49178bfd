import { randomBytes, randomUUID } from 'node:crypto'
import type { ScheduledJob } from '@carespine/kit/module'
import type { Actor, ReadView, Transaction } from '@carespine/store/contract'
import { type Account, digest, findAccount, listBranches } from './accounts.ts'
import { PORTALS, type SessionEnd, type SignedIn } from './contract.ts'
import { factorDue } from './second-factors.ts'
import { type SessionLimit, whyOver } from './session-limits.ts'

/** Two tabs may refresh at once: the token that was just used still works this long, and leads to the same session. */
const RACE_SECONDS = 10
/** Sessions that ended are known this long. */
const KEPT_DAYS = 90

/** A session and the refresh token that keeps it. */
export interface Started {
  session: string
  refresh: string
  startedAt: Date
}

/** Which device a session is on, for the person to know it by. */
export interface Whereabouts {
  device: string
  address: string
}

interface SessionRow {
  id: string
  user_id: string
  portal: string
  started_at: Date
  active_at: Date
  ended_at: Date | null
  end_reason: string | null
}

export async function startSession(tx: Transaction, user: string, { portal, at, limit, now }: { portal: string; at: Whereabouts; limit: SessionLimit; now: Date }): Promise<Started> {
  const session = randomUUID()
  await tx.sql('insert into identity.session (id, user_id, portal, started_at, active_at, device, address) values ($1, $2, $3, $4, $4, $5, $6)', [session, user, portal, now, at.device, at.address])
  return { session, startedAt: now, refresh: await addRefreshToken(tx, session, endOf(now, limit)) }
}

function endOf(startedAt: Date, limit: SessionLimit): Date {
  return new Date(startedAt.getTime() + limit.minutes * 60_000)
}

async function addRefreshToken(tx: Transaction, session: string, expires: Date): Promise<string> {
  const refresh = randomBytes(32).toString('base64url')
  await tx.sql('insert into identity.refresh_token (hash, session, expires_at) values ($1, $2, $3)', [digest(refresh), session, expires])
  return refresh
}

type Rotated = (Started & { account: Account; portal: string }) | { over: SessionEnd }

/**
 * Exchanges a refresh token for the next one (RFC 9700, section 4.14.2). A token that comes a second time was copied:
 * its session ends. Says why when there is no session to go on with.
 */
export async function rotate(tx: Transaction, given: string, { idleSeconds, limits, now }: { idleSeconds: number; limits(portal: string): SessionLimit; now: Date }): Promise<Rotated> {
  const [row] = await tx.sql<SessionRow & { expires_at: Date; used_at: Date | null }>(
    'select s.id, s.user_id, s.portal, s.started_at, s.active_at, s.ended_at, s.end_reason, r.expires_at, r.used_at from identity.refresh_token r ' +
      'join identity.session s on s.id = r.session where r.hash = $1 for update',
    [digest(given)],
  )
  if (!row) return { over: 'unknown' }
  if (row.ended_at) return { over: row.end_reason === 'idle' ? 'idle' : row.end_reason === 'too long' ? 'too long' : 'ended' }
  const limit = limits(row.portal)
  const over = whyOver(row, limit, now) ?? (row.expires_at <= now ? 'too long' : undefined)
  if (over) {
    await endSessions(tx, { ids: [row.id], reason: over, now })
    return { over }
  }
  if (row.used_at && now.getTime() - row.used_at.getTime() > RACE_SECONDS * 1000) {
    await endSessions(tx, { ids: [row.id], reason: 'token reuse', now })
    tx.record({ action: 'identity.refresh', outcome: 'failure', reason: 'A refresh token came twice; the session was ended.' })
    return { over: 'ended' }
  }
  const account = await findAccount(tx, row.user_id)
  if (!account?.active) return { over: 'ended' }
  await tx.sql('update identity.refresh_token set used_at = coalesce(used_at, $2) where hash = $1', [digest(given), now])
  await noteActivity(tx, row.id, new Date(now.getTime() - idleSeconds * 1000))
  return { account, session: row.id, portal: row.portal, startedAt: row.started_at, refresh: await addRefreshToken(tx, row.id, endOf(row.started_at, limit)) }
}

/** Moves a session's last activity forward; never back. */
export async function noteActivity(tx: Transaction, session: string, at: Date): Promise<void> {
  await tx.sql('update identity.session set active_at = greatest(active_at, $2) where id = $1 and ended_at is null', [session, at])
}

/** Ends the session that a refresh token keeps. Its id; undefined when it had ended. */
export async function endSessionOf(tx: Transaction, refresh: string, now: Date, reason: 'logout' | 'changed over' = 'logout'): Promise<string | undefined> {
  const [row] = await tx.sql<{ id: string }>(
    'update identity.session set ended_at = $2, end_reason = $3 where ended_at is null and id = ' +
      '(select session from identity.refresh_token where hash = $1) returning id',
    [digest(refresh), now, reason],
  )
  return row?.id
}

/**
 * Ends sessions that are open: those of `ids`, or all of a user but `except`. Their access tokens are refused within
 * seconds, everywhere.
 */
export async function endSessions(
  tx: Transaction,
  { ids, user, except, reason, now }: { ids?: readonly string[]; user?: string; except?: string; reason: string; now: Date },
): Promise<string[]> {
  const rows = await tx.sql<{ id: string }>(
    'update identity.session set ended_at = $1, end_reason = $2 where ended_at is null and ($3::uuid[] is null or id = any ($3)) and ' +
      '($4::uuid is null or user_id = $4) and ($3::uuid[] is not null or $4::uuid is not null) and ($5::uuid is null or id <> $5) returning id',
    [now, reason, ids ?? null, user ?? null, except ?? null],
  )
  // Whose sign-ins all end signs in in full before the PIN works again.
  if (ids === undefined) await tx.sql('update identity.pin set open_until = null where user_id = $1', [user])
  return rows.map(({ id }) => id)
}

export interface OpenSession extends Whereabouts {
  id: string
  portal: string
  startedAt: Date
  activeAt: Date
}

/** Sessions of a user that go on, the one used last first. */
export async function openSessions(view: ReadView, user: string, limits: (portal: string) => SessionLimit, now: Date): Promise<OpenSession[]> {
  const rows = await view.sql<SessionRow & Whereabouts>(
    'select id, user_id, portal, started_at, active_at, ended_at, end_reason, device, address from identity.session where user_id = $1 and ended_at is null order by active_at desc, id',
    [user],
  )
  return rows
    .filter((row) => !whyOver(row, limits(row.portal), now))
    .map(({ id, portal, started_at, active_at, device, address }) => ({ id, portal, startedAt: started_at, activeAt: active_at, device, address }))
}

/** Marks the sessions that are over by their clock, and forgets those that ended long ago. */
export function tidySessions(limits: (portal: string) => SessionLimit): ScheduledJob {
  return {
    name: 'identity.tidy-sessions',
    everySeconds: 300,
    async run({ tx, now }) {
      const known = PORTALS.map((portal) => ({ portal, ...limits(portal) }))
      await tx.sql(
        "update identity.session s set ended_at = $1, end_reason = case when s.active_at <= $1::timestamptz - l.idle * interval '1 minute' then 'idle' else 'too long' end " +
          'from unnest($2::text[], $3::float8[], $4::float8[]) as l (portal, idle, whole) where s.ended_at is null and s.portal = l.portal and ' +
          "(s.active_at <= $1::timestamptz - l.idle * interval '1 minute' or s.started_at <= $1::timestamptz - l.whole * interval '1 minute')",
        [now, known.map(({ portal }) => portal), known.map(({ idleMinutes }) => idleMinutes), known.map(({ minutes }) => minutes)],
      )
      const before = new Date(now.getTime() - KEPT_DAYS * 86_400_000)
      await tx.sql('delete from identity.refresh_token r using identity.session s where s.id = r.session and s.ended_at < $1', [before])
      await tx.sql('delete from identity.session where ended_at < $1', [before])
    },
  }
}

/** Who is signed in, as screens see it. */
export async function signedIn(view: ReadView, account: Account, actor: Actor): Promise<SignedIn> {
  const branches = await listBranches(view)
  const due = await factorDue(view, account.id)
  return {
    id: account.id,
    email: account.email,
    display: account.display,
    roles: account.roles,
    permissions: [...actor.permissions],
    branches: branches.filter(({ id }) => account.branches.includes(id)),
    branch: account.branch,
    ...(actor.portal ? { portal: actor.portal } : {}),
    ...(actor.practitioner ? { practitioner: actor.practitioner } : {}),
    ...(actor.patient ? { patient: actor.patient } : {}),
    ...(due ? { factorDue: due.toISOString() } : {}),
    locale: account.locale,
  }
}
