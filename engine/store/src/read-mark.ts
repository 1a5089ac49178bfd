import type { Store } from './store.ts'

const everywhere = { branches: '', patient: '' }
/** A statement gets its transaction id when it first writes, moments after it has looked at the mark. */
const SETTLE_MILLISECONDS = 250
const LOOK_MILLISECONDS = 50

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

/**
 * Takes the time of a whole reading of the record. What bears this time or an earlier one is stored when this resolves; a
 * unit of work that began before it and was slower runs again, and gets a later time (`commit.ts`). A time that was only
 * read off the clock would not do: units bear the time when they began, and may commit much later, after a reading that
 * has passed their place.
 */
export async function markReading({ database, now }: Store): Promise<Date> {
  const [mark] = await database.query<{ at: Date }>(everywhere, {
    text:
      'insert into store.read_mark as m (at) values ($1) on conflict (one) do update set at = greatest(m.at, excluded.at) returning at',
    values: [now()],
  })
  await pause(SETTLE_MILLISECONDS)
  const [begun] = await database.query<{ next: string }>(everywhere, { text: 'select pg_snapshot_xmax(pg_current_snapshot())::text as next' })
  for (;;) {
    const [left] = await database.query<{ some: boolean }>(everywhere, {
      text: 'select pg_snapshot_xmin(pg_current_snapshot()) < $1::xid8 as some',
      values: [begun?.next],
    })
    if (left?.some !== true) return mark?.at ?? now()
    await pause(LOOK_MILLISECONDS)
  }
}

/** A time for a unit of work that is later than the last reading, also where the clock of this process is behind. */
export async function timeAfterMark({ database, now }: Store): Promise<Date> {
  const [mark] = await database.query<{ at: Date }>(everywhere, { text: 'select at from store.read_mark' })
  return new Date(Math.max(now().getTime(), (mark?.at.getTime() ?? 0) + 1))
}
