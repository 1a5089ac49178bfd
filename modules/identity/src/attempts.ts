import type { ScheduledJob } from '@carespine/kit/module'
import type { ReadView, Transaction } from '@carespine/store/contract'
import { LRUCache } from 'lru-cache'
import { waitAfter } from './accounts.ts'

/** Attempts of one address at once, and a second after that. A ward behind one router signs in at a change of shift. */
const AT_ONCE = 100
const A_SECOND = 10

/**
 * How fast an address may try to sign in, right or wrong. Each attempt costs an Argon2 hash and a transaction: a flood of
 * them would keep everybody else waiting. Counted by each process for itself, on a clock that nobody moves.
 */
export class Attempts {
  readonly #buckets = new LRUCache<string, { left: number; at: number }>({ max: 20_000 })

  /** Takes one attempt. Gives the seconds to wait when there is none left, else 0. */
  take(address: string, at = performance.now()): number {
    const bucket = this.#buckets.get(address) ?? { left: AT_ONCE, at }
    const left = Math.min(AT_ONCE, bucket.left + ((at - bucket.at) / 1000) * A_SECOND)
    this.#buckets.set(address, { left: left < 1 ? left : left - 1, at })
    return left < 1 ? Math.ceil((1 - left) / A_SECOND) : 0
  }
}

/** Whose failures count together: who was tried, and from where. */
export interface Tried {
  who: string
  address: string
}

/** Seconds until the next attempt will be looked at. */
export async function remainingWait(view: ReadView, { who, address }: Tried, now: Date): Promise<number> {
  const rows = await view.sql<{ count: number; last_at: Date }>('select count, last_at from identity.failure where key = any ($1)', [[who, address]])
  const waits = rows.map(({ count, last_at }) => waitAfter(count) - (now.getTime() - last_at.getTime()) / 1000)
  return Math.ceil(Math.max(0, ...waits))
}

export async function countFailure(tx: Transaction, { who, address }: Tried, now: Date): Promise<void> {
  // An address may stand for a whole ward behind one router: its delay starts after twenty times as many.
  for (const [key, first] of [
    [who, 1],
    [address, -95],
  ] as const) {
    await tx.sql(
      'insert into identity.failure as f (key, count, last_at) values ($1, $3, $2) on conflict (key) do update set ' +
        "count = case when f.last_at < $2::timestamptz - interval '1 hour' then $3 else f.count + 1 end, last_at = $2",
      [key, now, first],
    )
  }
}

/** Forgets failures that no longer count, and tokens and challenges that have expired. */
export const forgetAttempts: ScheduledJob = {
  name: 'identity.forget-attempts',
  everySeconds: 600,
  async run({ tx, now }) {
    await tx.sql("delete from identity.failure where last_at < $1::timestamptz - interval '1 hour'", [now])
    await tx.sql('delete from identity.pending_step where expires_at < $1', [now])
    await tx.sql('delete from identity.challenge where expires_at < $1', [now])
    await tx.sql("delete from identity.refresh_token where expires_at < $1::timestamptz - interval '1 day'", [now])
  },
}
