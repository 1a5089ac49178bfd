import { command, query, refuse, type ServedAction } from '@carespine/kit/module'
import { findAccount } from './accounts.ts'
import { demandFactor, factorPolicy, factorsOf, resetFactors } from './factor-contract.ts'
import { noteChange } from './second-factors.ts'
import { endSessions } from './sessions.ts'

/** Second factors of others, and of whom they are demanded: for administrators. */
export const manageFactorActions: readonly ServedAction[] = [
  query(factorsOf, async ({ userId }, { view }) => {
    const [row] = await view.sql<{ totp: boolean; passkeys: number; recoveryCodes: number; pin: boolean; badge: boolean }>(
      'select exists (select 1 from identity.totp where user_id = u.id and confirmed_at is not null) as totp, ' +
        '(select count(*)::int from identity.passkey where user_id = u.id) as passkeys, ' +
        '(select count(*)::int from identity.recovery_code where user_id = u.id and used_at is null) as "recoveryCodes", ' +
        'exists (select 1 from identity.pin where user_id = u.id) as pin, exists (select 1 from identity.badge where user_id = u.id) as badge ' +
        'from identity.user_account u where u.id = $1',
      [userId],
    )
    return row ?? refuse('IDENTITY_ACCOUNT_UNKNOWN')
  }),
  command(resetFactors, async ({ userId }, { tx, now }) => {
    const account = await findAccount(tx, userId)
    if (!account) return refuse('IDENTITY_ACCOUNT_UNKNOWN')
    for (const table of ['totp', 'passkey', 'recovery_code', 'pending_step', 'pin', 'badge']) await tx.sql(`delete from identity.${table} where user_id = $1`, [userId])
    await tx.sql('update identity.user_account set factors_reset_at = $2 where id = $1', [userId, now])
    const ended = await endSessions(tx, { user: userId, reason: 'factors reset', now })
    tx.record({ action: resetFactors.name, outcome: 'success', reason: `account ${userId}, ${ended.length} sessions` })
    noteChange(tx, account, 'factors-reset')
    return { ended: ended.length }
  }),
  query(factorPolicy, async (_input, { view }) => {
    const rows = await view.sql<{ role: string; days: number; since: Date }>('select role, days, since from identity.factor_policy order by role')
    return { demanded: rows.map(({ role, days, since }) => ({ role, days, since: since.toISOString() })) }
  }),
  command(demandFactor, async ({ role, days }, { tx, now }) => {
    if (days === null) await tx.sql('delete from identity.factor_policy where role = $1', [role])
    else {
      // Other days for a rule that stands count from its own beginning.
      await tx.sql('insert into identity.factor_policy (role, days, since) values ($1, $2, $3) on conflict (role) do update set days = $2', [role, days, now])
    }
    tx.record({ action: demandFactor.name, outcome: 'success', reason: `${role}: ${days === null ? 'not demanded' : `after ${days} days`}` })
    return {}
  }),
]
