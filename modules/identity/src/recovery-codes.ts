import { randomInt } from 'node:crypto'
import type { Transaction } from '@carespine/store/contract'
import { digest } from './accounts.ts'

const COUNT = 10
/** Without letters that look like another. */
const LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'

/**
 * Ten codes of sixteen letters, 80 bits each, so that a plain hash keeps them; those before stop working.
 *
 * @returns As they are shown, this once: `ABCD-EFGH-JKLM-NPQR`.
 */
export async function newRecoveryCodes(tx: Transaction, user: string): Promise<string[]> {
  const codes = Array.from({ length: COUNT }, () => Array.from({ length: 16 }, () => LETTERS[randomInt(LETTERS.length)]).join(''))
  await tx.sql('delete from identity.recovery_code where user_id = $1', [user])
  await tx.sql('insert into identity.recovery_code (hash, user_id) select h, $2 from unnest($1::bytea[]) h', [codes.map((code) => hashOf(user, code)), user])
  return codes.map((code) => code.replaceAll(/(.{4})(?=.)/g, '$1-'))
}

/** Uses a code, however it is typed. True when it was there and unused. */
export async function takeRecoveryCode(tx: Transaction, user: string, typed: string, now: Date): Promise<boolean> {
  const code = typed.toUpperCase().replaceAll(/[^A-Z0-9]/g, '')
  const taken = await tx.sql('update identity.recovery_code set used_at = $3 where hash = $1 and user_id = $2 and used_at is null returning 1', [hashOf(user, code), user, now])
  return taken.length > 0
}

function hashOf(user: string, code: string): Buffer {
  return digest(`${user}/${code}`)
}
