import { randomBytes } from 'node:crypto'
import { Refusal } from '@carespine/kit/module'
import type { Transaction } from '@carespine/store/contract'
import { type Account, digest } from './accounts.ts'
import type { SecondStep } from './factor-contract.ts'
import { factorDue, methodsOf } from './second-factors.ts'

const MINUTES = 5

/**
 * What an account has to do between its password and the session: show its second factor, when it has one; or nothing, as
 * long as none of its roles has to have one or there is time to add it. Kept by a token that is no access token and opens
 * nothing else.
 */
export async function demandSecondStep(tx: Transaction, account: Account, portal: string, now: Date): Promise<{ secondStep: SecondStep } | { refusal: Refusal } | undefined> {
  const methods = await methodsOf(tx, account.id)
  if (methods.length === 0) {
    const due = await factorDue(tx, account.id)
    if (!due || due > now) return undefined
    tx.record({ action: 'identity.login', outcome: 'failure', reason: `account ${account.id} lacks a second factor` })
    return { refusal: new Refusal('IDENTITY_FACTOR_OVERDUE', { since: due.toISOString() }) }
  }
  const token = randomBytes(32).toString('base64url')
  await tx.sql('insert into identity.pending_step (hash, user_id, portal, expires_at) values ($1, $2, $3, $4)', [digest(token), account.id, portal, new Date(now.getTime() + MINUTES * 60_000)])
  return { secondStep: { token, methods, secondsLeft: MINUTES * 60 } }
}
