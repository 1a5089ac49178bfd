import type { Transaction, ReadView } from '@carespine/store/contract'
import { Refusal } from '@carespine/kit/module'
import { type Account, emailKey, passwordFits } from './accounts.ts'
import { countFailure, remainingWait } from './attempts.ts'
import { FactorChanged, type Method, type Proof } from './factor-contract.ts'
import { type Purpose, type RelyingParty, takePasskey } from './passkeys.ts'
import { takeRecoveryCode } from './recovery-codes.ts'
import { takeCode } from './totp.ts'

/** What an account can show beside its password; recovery codes stand in for a factor and are none themselves. */
export async function methodsOf(view: ReadView, user: string): Promise<Method[]> {
  const [row] = await view.sql<{ totp: boolean; passkey: boolean; recovery: boolean }>(
    'select exists (select 1 from identity.totp where user_id = $1 and confirmed_at is not null) as totp, ' +
      'exists (select 1 from identity.passkey where user_id = $1) as passkey, ' +
      'exists (select 1 from identity.recovery_code where user_id = $1 and used_at is null) as recovery',
    [user],
  )
  if (!row?.totp && !row?.passkey) return []
  return [...(row.passkey ? (['passkey'] as const) : []), ...(row.totp ? (['totp'] as const) : []), ...(row.recovery ? (['recovery'] as const) : [])]
}

/**
 * Until when an account may sign in without a second factor. Undefined when none of its roles has to have one, or when it
 * has one. The days begin with the rule, with the account, or when an administrator reset its factors, whichever is last.
 */
export async function factorDue(view: ReadView, user: string): Promise<Date | undefined> {
  const [row] = await view.sql<{ due: Date | null }>(
    "select min(greatest(p.since, u.created_at, u.factors_reset_at) + p.days * interval '1 day') as due from identity.user_account u " +
      'join identity.factor_policy p on p.role = any (u.roles) where u.id = $1 ' +
      'and not exists (select 1 from identity.totp t where t.user_id = u.id and t.confirmed_at is not null) ' +
      'and not exists (select 1 from identity.passkey k where k.user_id = u.id)',
    [user],
  )
  return row?.due ?? undefined
}

/** True when a role of the account has to have a second factor. */
export async function isFactorDemanded(view: ReadView, account: Account): Promise<boolean> {
  return (await view.sql('select 1 from identity.factor_policy where role = any ($1)', [account.roles])).length > 0
}

/** What is told to the person when something that they sign in with changed (NIST SP 800-63B-4, section 4.6). */
export function noteChange(tx: Transaction, account: Account, change: 'factor-added' | 'factor-removed' | 'factors-reset' | 'recovery-code-used'): void {
  tx.emit(FactorChanged, { userId: account.id, change }, { branch: account.branch, lane: account.id })
}

/** Who tries to prove something, for what, and from where. */
export interface Attempt {
  purpose: Purpose
  party: RelyingParty
  address: string
  now: Date
}

/**
 * Looks at one proof of an account. Wrong ones are counted and each makes the next wait longer, whichever way was tried;
 * who has a second factor is not known by the password alone.
 */
export async function lookAt(tx: Transaction, account: Account, proof: Proof, attempt: Attempt): Promise<{ by: Method } | { refusal: Refusal }> {
  const { address, now } = attempt
  const isPassword = 'password' in proof
  const tried = { who: isPassword ? emailKey(tx, account.email) : tx.blind(`factor:${account.id}`), address: tx.blind(`address:${address}`) }
  const wait = await remainingWait(tx, tried, now)
  if (wait > 0) return { refusal: new Refusal('IDENTITY_WAIT', { retryAfter: wait }) }
  const by = await shown(tx, account, proof, attempt)
  if (by === undefined) {
    await countFailure(tx, tried, now)
    tx.record({ action: 'identity.factor', outcome: 'failure', reason: `${attempt.purpose} of account ${account.id}: ${Object.keys(proof).join()}` })
    return { refusal: new Refusal('IDENTITY_FACTOR_WRONG') }
  }
  await tx.sql('delete from identity.failure where key = $1', [tried.who])
  tx.record({ action: 'identity.factor', outcome: 'success', reason: `${attempt.purpose} of account ${account.id}: ${by}` })
  if (by === 'recovery') noteChange(tx, account, 'recovery-code-used')
  return { by }
}

async function shown(tx: Transaction, account: Account, proof: Proof, { purpose, party, now }: Attempt): Promise<Method | undefined> {
  if ('code' in proof) return (await takeCode(tx, account.id, proof.code, now)) ? 'totp' : undefined
  if ('recoveryCode' in proof) return (await takeRecoveryCode(tx, account.id, proof.recoveryCode, now)) ? 'recovery' : undefined
  if ('passkey' in proof) return (await takePasskey(tx, proof.passkey, { purpose, user: account.id, party, now })) === undefined ? undefined : 'passkey'
  const isEnough = (await methodsOf(tx, account.id)).length === 0
  return isEnough && (await passwordFits(account, proof.password)) ? 'password' : undefined
}
