import { hash as hashPassword, verify as verifyPassword } from '@node-rs/argon2'
import { command, refuse, type ServedAction } from '@carespine/kit/module'
import { SHARED_BRANCH, type Transaction } from '@carespine/store/contract'
import { ARGON2 } from './accounts.ts'
import { removeBadge, removePin, setBadge, setPin } from './factor-contract.ts'
import { ownAccount } from './step-up.ts'

/** Wrong PINs in a row after which it takes a full sign-in to use the PIN again. */
const TRIES = 5
/** A shift: so long after a full sign-in the PIN works. */
const SHIFT_HOURS = 12

// The middle column of the keypad, and others that lists of common PINs begin with.
const COMMON: ReadonlySet<string> = new Set(['2580', '0852', '1004', '1379', '9731', '1590', '7531', '159753', '147258', '147258369'])

/** True when a PIN is among the first that somebody would try: a row, a repetition, a year, a pattern of the keypad. */
export function isTrivial(pin: string): boolean {
  const digits = [...pin].map(Number)
  const steps = new Set(digits.slice(1).map((digit, at) => (digit - (digits[at] ?? 0) + 10) % 10))
  const isRow = steps.size === 1 && [0, 1, 9].includes([...steps][0] ?? -1)
  const isRepetition = /^(\d{1,4})\1+$/.test(pin)
  const isPairs = /^(\d)\1(\d)\2((\d)\4)*$/.test(pin)
  const isYear = /^(19|20)\d\d$/.test(pin)
  const isMirrored = pin.length > 4 ? false : pin[0] === pin[3] && pin[1] === pin[2]
  return isRow || isRepetition || isPairs || isYear || isMirrored || COMMON.has(pin)
}

/** A full sign-in opens the PIN of its person for a shift. */
export async function openPin(tx: Transaction, user: string, now: Date): Promise<void> {
  await tx.sql('update identity.pin set failures = 0, open_until = $2 where user_id = $1', [user, new Date(now.getTime() + SHIFT_HOURS * 3_600_000)])
}

/** Looks at a PIN. Five wrong ones close it, for whoever tries and from wherever. */
export async function takePin(tx: Transaction, user: string | undefined, pin: string, now: Date): Promise<'fits' | 'wrong' | 'closed'> {
  const [row] = await tx.sql<{ hash: Buffer; failures: number; open_until: Date | null }>('select hash, failures, open_until from identity.pin where user_id = $1 for update', [user ?? null])
  // Without a PIN it takes as long as with one.
  const fits = await verifyPassword(row ? tx.open(row.hash) : await decoy, pin)
  if (!row) return 'wrong'
  if (row.failures >= TRIES || !row.open_until || row.open_until <= now) return 'closed'
  if (!fits) {
    await tx.sql('update identity.pin set failures = failures + 1 where user_id = $1', [user])
    return 'wrong'
  }
  await tx.sql('update identity.pin set failures = 0 where user_id = $1', [user])
  return 'fits'
}

const decoy = hashPassword('none', ARGON2)

/** People of a branch who may go on by PIN now. */
export async function peopleWithPin(tx: Transaction, branch: string, now: Date): Promise<{ id: string; display: string }[]> {
  const rows = await tx.sql<{ id: string; display: Buffer }>(
    'select u.id, u.display from identity.user_account u join identity.pin p on p.user_id = u.id where u.active and $1::uuid = any (u.branches) and p.open_until > $2 and p.failures < $3',
    [branch, now, TRIES],
  )
  return rows.map(({ id, display }) => ({ id, display: tx.open(display) })).sort((one, other) => one.display.localeCompare(other.display))
}

export function badgeKey(tx: Transaction, code: string): string {
  return tx.blind(`badge:${code.trim()}`)
}

/** PIN and badge of who is signed in. A session is proof of a full sign-in or follows one, so a new PIN is open. */
export const pinActions: readonly ServedAction[] = [
  command(setPin, async ({ pin }, { tx, actor, now }) => {
    const account = await ownAccount(tx, actor)
    if (isTrivial(pin)) refuse('IDENTITY_PIN_TRIVIAL', { field: 'pin' })
    const hash = tx.seal(await hashPassword(pin, ARGON2), SHARED_BRANCH)
    await tx.sql('insert into identity.pin (user_id, hash, set_at) values ($1, $2, $3) on conflict (user_id) do update set hash = $2, set_at = $3', [account.id, hash, now])
    await openPin(tx, account.id, now)
    tx.record({ action: 'identity.factor-added', outcome: 'success', reason: 'pin' })
    return {}
  }),
  command(removePin, async (_input, { tx, actor }) => {
    const account = await ownAccount(tx, actor)
    const gone = await tx.sql('delete from identity.pin where user_id = $1 returning 1', [account.id])
    if (gone.length === 0) refuse('IDENTITY_FACTOR_GONE')
    tx.record({ action: 'identity.factor-removed', outcome: 'success', reason: 'pin' })
    return {}
  }),
  command(setBadge, async ({ code }, { tx, actor, now }) => {
    const account = await ownAccount(tx, actor)
    await tx.sql('delete from identity.badge where user_id = $1', [account.id])
    const kept = await tx.sql('insert into identity.badge (code, user_id, added_at) values ($1, $2, $3) on conflict (code) do nothing returning 1', [badgeKey(tx, code), account.id, now])
    if (kept.length === 0) refuse('IDENTITY_BADGE_TAKEN', { field: 'code' })
    tx.record({ action: 'identity.factor-added', outcome: 'success', reason: 'badge' })
    return {}
  }),
  command(removeBadge, async (_input, { tx, actor }) => {
    const account = await ownAccount(tx, actor)
    const gone = await tx.sql('delete from identity.badge where user_id = $1 returning 1', [account.id])
    if (gone.length === 0) refuse('IDENTITY_FACTOR_GONE')
    tx.record({ action: 'identity.factor-removed', outcome: 'success', reason: 'badge' })
    return {}
  }),
]
