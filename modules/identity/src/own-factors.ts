import { command, query, refuse, type ServedAction } from '@carespine/kit/module'
import type { Transaction } from '@carespine/store/contract'
import type { Account } from './accounts.ts'
import { addPasskey, beginPasskey, beginTotp, confirmTotp, myFactors, removePasskey, removeTotp, renewRecoveryCodes } from './factor-contract.ts'
import { keepPasskey, passkeysOf, passkeyToMake, type RelyingParty } from './passkeys.ts'
import { newRecoveryCodes } from './recovery-codes.ts'
import { isFactorDemanded, methodsOf, noteChange } from './second-factors.ts'
import { ownAccount } from './step-up.ts'
import { newTotp, takeCode, totpSince } from './totp.ts'

/** Second factors of who is signed in: what there is, one more, one less, recovery codes. */
export function ownFactorActions(party: RelyingParty): ServedAction[] {
  return [
    query(myFactors, async (_input, { view, actor }) => {
      const account = await ownAccount(view, actor)
      const [more] = await view.sql<{ codes: number; pin: Date | null; badge: Date | null }>(
        'select (select count(*)::int from identity.recovery_code where user_id = $1 and used_at is null) as codes, ' +
          '(select set_at from identity.pin where user_id = $1) as pin, (select added_at from identity.badge where user_id = $1) as badge',
        [account.id],
      )
      const since = await totpSince(view, account.id)
      return {
        ...(since ? { totpSince: since.toISOString() } : {}),
        passkeys: await passkeysOf(view, account.id),
        passkeyHost: party.id,
        recoveryCodes: more?.codes ?? 0,
        ...(more?.pin ? { pinSince: more.pin.toISOString() } : {}),
        ...(more?.badge ? { badgeSince: more.badge.toISOString() } : {}),
        demanded: await isFactorDemanded(view, account),
      }
    }),
    command(beginTotp, async (_input, { tx, actor, now }) => await newTotp(tx, await ownAccount(tx, actor), now)),
    command(confirmTotp, async ({ code }, { tx, actor, now }) => {
      const account = await ownAccount(tx, actor)
      const isFirst = (await methodsOf(tx, account.id)).length === 0
      if (!(await takeCode(tx, account.id, code, now, 'new'))) refuse('IDENTITY_FACTOR_WRONG')
      return await added(tx, account, 'totp', isFirst)
    }),
    command(removeTotp, async (_input, { tx, actor }) => {
      const account = await ownAccount(tx, actor)
      const gone = await tx.sql('delete from identity.totp where user_id = $1 returning 1', [account.id])
      return await removed(tx, account, 'totp', gone.length)
    }),
    command(beginPasskey, async (_input, { tx, actor, now }) => ({ options: await passkeyToMake(tx, await ownAccount(tx, actor), party, now) })),
    command(addPasskey, async ({ name, passkey }, { tx, actor, now }) => {
      const account = await ownAccount(tx, actor)
      const isFirst = (await methodsOf(tx, account.id)).length === 0
      if (!(await keepPasskey(tx, account, { name, response: passkey, party, now }))) refuse('IDENTITY_PASSKEY_REFUSED')
      return await added(tx, account, 'passkey', isFirst)
    }),
    command(removePasskey, async ({ id }, { tx, actor }) => {
      const account = await ownAccount(tx, actor)
      const gone = await tx.sql('delete from identity.passkey where id = $1 and user_id = $2 returning 1', [id, account.id])
      return await removed(tx, account, 'passkey', gone.length)
    }),
    command(renewRecoveryCodes, async (_input, { tx, actor }) => {
      const account = await ownAccount(tx, actor)
      if ((await methodsOf(tx, account.id)).length === 0) refuse('IDENTITY_FACTOR_GONE')
      tx.record({ action: renewRecoveryCodes.name, outcome: 'success' })
      return { recoveryCodes: await newRecoveryCodes(tx, account.id) }
    }),
  ]
}

async function added(tx: Transaction, account: Account, kind: string, isFirst: boolean): Promise<{ recoveryCodes?: string[] }> {
  tx.record({ action: 'identity.factor-added', outcome: 'success', reason: kind })
  noteChange(tx, account, 'factor-added')
  return isFirst ? { recoveryCodes: await newRecoveryCodes(tx, account.id) } : {}
}

async function removed(tx: Transaction, account: Account, kind: string, gone: number): Promise<Record<string, never>> {
  if (gone === 0) refuse('IDENTITY_FACTOR_GONE')
  if ((await methodsOf(tx, account.id)).length === 0) {
    if (await isFactorDemanded(tx, account)) refuse('IDENTITY_FACTOR_DEMANDED')
    // They stand in for a factor; without one they would be passwords that nobody chose.
    await tx.sql('delete from identity.recovery_code where user_id = $1', [account.id])
  }
  tx.record({ action: 'identity.factor-removed', outcome: 'success', reason: kind })
  noteChange(tx, account, 'factor-removed')
  return {}
}
