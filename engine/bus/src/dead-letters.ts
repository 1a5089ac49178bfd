import type { Database } from '@carespine/store/database'
import type { DeadLetter } from './bus.ts'

const everywhere = { branches: '', patient: '' }

/** Events that their consumer could not handle and that nobody replayed yet, oldest first. */
export async function listDeadLetters(database: Database): Promise<DeadLetter[]> {
  return await database.query<DeadLetter>(everywhere, {
    text:
      'select id::text, consumer, type, event_id as "eventId", attempts, error, at from bus.dead_letter ' +
      'where replayed_at is null order by id limit 500',
  })
}

/** Puts dead letters back to their consumers. Returns how many; none when another call was faster. */
export async function replayDeadLetters(database: Database, ids: readonly string[]): Promise<number> {
  const rows = await database.query(everywhere, {
    text:
      'with again as (update bus.dead_letter set replayed_at = now() where id = any ($1::bigint[]) and ' +
      'replayed_at is null returning consumer, sequence, key) ' +
      'insert into bus.delivery (consumer, sequence, key) select consumer, sequence, key from again ' +
      'on conflict (consumer, sequence) do nothing returning 1',
    values: [ids],
  })
  return rows.length
}
