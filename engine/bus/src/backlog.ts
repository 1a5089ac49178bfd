import type { Database } from '@carespine/store/database'

export interface Backlog {
  /** Deliveries that wait for their consumer, and events that no delivery was made of yet. */
  waiting: number
  /** Age of the oldest of them. */
  oldestSeconds: number
  /** Put aside after the last attempt, and not replayed. */
  dead: number
}

/** How far the consumers are behind. */
export async function backlog(database: Database): Promise<Backlog> {
  const [row] = await database.query<Backlog>(
    { branches: '', patient: '' },
    {
      name: 'backlog',
      text:
        'with waiting as (select at from bus.outbox where published_at is null union all ' +
        'select o.at from bus.delivery d join bus.outbox o using (sequence)) ' +
        'select count(*)::int as waiting, ' +
        'coalesce(greatest(0, extract(epoch from now() - min(at))), 0)::float8 as "oldestSeconds", ' +
        '(select count(*) from bus.dead_letter where replayed_at is null)::int as dead from waiting',
    },
    { retry: 'reads' },
  )
  return row ?? { waiting: 0, oldestSeconds: 0, dead: 0 }
}
