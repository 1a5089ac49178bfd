import { refuse } from '@carespine/kit/module'
import { SHARED_BRANCH, type ReadView, type Transaction } from '@carespine/store/contract'
import { Secret, TOTP } from 'otpauth'
import type { Account } from './accounts.ts'

const SECONDS = 30
/** Steps that a clock may be off, either way (RFC 6238, section 5.2). */
const WINDOW = 1

/** What authenticator apps understand: SHA-1, six digits, 30 seconds. */
function generator(secret: string, label = ''): TOTP {
  return new TOTP({ issuer: 'Carespine', label, algorithm: 'SHA1', digits: 6, period: SECONDS, secret: Secret.fromBase32(secret) })
}

/**
 * The time step whose code this is, one step early or late at most; undefined when the code is wrong.
 *
 * @param secret In base32.
 */
export function stepOf(secret: string, code: string, now: Date): number | undefined {
  const drift = generator(secret).validate({ token: code, timestamp: now.getTime(), window: WINDOW })
  return drift === null ? undefined : Math.floor(now.getTime() / 1000 / SECONDS) + drift
}

/** A new secret of 160 bits (RFC 4226, section 4), unconfirmed; one that was never confirmed goes. */
export async function newTotp(tx: Transaction, account: Account, now: Date): Promise<{ secret: string; uri: string }> {
  const secret = new Secret({ size: 20 }).base32
  const kept = await tx.sql(
    'insert into identity.totp (user_id, secret, added_at) values ($1, $2, $3) on conflict (user_id) do update set secret = $2, added_at = $3 ' +
      'where identity.totp.confirmed_at is null returning 1',
    [account.id, tx.seal(secret, SHARED_BRANCH), now],
  )
  if (kept.length === 0) refuse('IDENTITY_TOTP_THERE')
  return { secret, uri: generator(secret, account.email).toString() }
}

/** Takes the code of an app: once, and none before it. True when it fits. */
export async function takeCode(tx: Transaction, user: string, code: string, now: Date, state: 'confirmed' | 'new' = 'confirmed'): Promise<boolean> {
  const [row] = await tx.sql<{ secret: Buffer }>(`select secret from identity.totp where user_id = $1 and confirmed_at is ${state === 'new' ? '' : 'not'} null`, [user])
  if (!row) return state === 'new' ? refuse('IDENTITY_TOTP_NOT_BEGUN') : false
  const step = stepOf(tx.open(row.secret), code, now)
  if (step === undefined) return false
  const taken = await tx.sql('update identity.totp set last_step = $2, confirmed_at = coalesce(confirmed_at, $3) where user_id = $1 and last_step < $2 returning 1', [user, step, now])
  return taken.length > 0
}

export async function totpSince(view: ReadView, user: string): Promise<Date | undefined> {
  const [row] = await view.sql<{ confirmed_at: Date }>('select confirmed_at from identity.totp where user_id = $1 and confirmed_at is not null', [user])
  return row?.confirmed_at
}
