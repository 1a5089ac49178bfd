import type { EventEnvelope } from '@carespine/store/contract'
import type { Database, Session } from '@carespine/store/database'
import { isOutage } from '@carespine/store/refusal'
import { backoff, type Bus, type Consumer, faultName, MAX_ATTEMPTS } from './bus.ts'

interface Delivery {
  consumer: string
  sequence: string
  key: string | null
  attempts: number
  id: string
  type: string
  branch: string
  body: Buffer
}

export interface InProcessOptions {
  database: Database
  open(row: { id: string; branch: string; body: Buffer }): Omit<EventEnvelope, 'sequence'>
  /** Told of every failure, by name and never by content. */
  onFault?(fault: { consumer: string; sequence: string; attempts: number; error: string; dead: boolean }): void
  /** How often to look for work that no wake announced. Default 1 s. */
  pollMilliseconds?: number
}

const everywhere = { branches: '', patient: '' }
const DISPATCHER_LOCK = 4_203_117
const AT_ONCE = 6
// Should its connection be lost without a word, another may dispatch beside it for so long: a consumer that gets an event
// twice knows it. Asked at each turn, the question was a third of the statements that events take.
const LOCK_TRUSTED_MILLISECONDS = 500

/**
 * The bus without a broker: a row per consumer and event in PostgreSQL. One process dispatches at a time, elected by
 * an advisory lock that its connection holds; when it dies, the database frees the lock and another takes over.
 * Deliveries of one consumer about one patient run one after the other, others side by side.
 */
export class InProcessBus implements Bus {
  readonly #options: InProcessOptions
  readonly #consumers = new Map<string, Consumer>()
  readonly #busy = new Set<string>()
  readonly #running = new Set<Promise<void>>()
  /** Ended since the last look for due deliveries began: that look may still see them. */
  readonly #ended = new Set<string>()
  #lock: Session | undefined
  #heldAt = 0
  #closed = false
  #woken = false
  #loop: Promise<void> = Promise.resolve()
  #signal: () => void = () => undefined

  constructor(options: InProcessOptions) {
    this.#options = options
  }

  async start(consumers: readonly Consumer[]): Promise<void> {
    for (const consumer of consumers) this.#consumers.set(consumer.name, consumer)
    this.#loop = this.#run()
  }

  wake(): void {
    this.#woken = true
    this.#signal()
  }

  async waiting(): Promise<number> {
    const [row] = await this.#options.database.query<{ count: number }>(everywhere, {
      text:
        'select ((select count(*) from bus.outbox where published_at is null) + ' +
        '(select count(*) from bus.delivery))::int as count',
    })
    return row?.count ?? 0
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#signal()
    await this.#loop
    await Promise.all(this.#running)
    await this.#lock?.rollback()
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      try {
        if (await this.#elected()) {
          const moved = await this.#relay()
          const started = await this.#dispatch()
          if (moved || started) continue
        }
      } catch (error) {
        await this.#lock?.rollback()
        this.#lock = undefined
        if (!isOutage(error)) {
          this.#options.onFault?.({ consumer: 'relay', sequence: '', attempts: 1, error: faultName(error), dead: false })
        }
        await this.#rest(500)
        continue
      }
      await this.#rest(this.#options.pollMilliseconds ?? 1000)
    }
  }

  #rest(milliseconds: number): Promise<void> {
    if (this.#woken || this.#closed) {
      this.#woken = false
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      // Taken away at once: a wake that comes while nothing rests must be remembered, not answered by the last rest.
      const rise = (): void => {
        this.#signal = () => undefined
        this.#woken = false
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(rise, milliseconds)
      this.#signal = rise
    })
  }

  async #elected(): Promise<boolean> {
    if (this.#lock) {
      if (performance.now() - this.#heldAt < LOCK_TRUSTED_MILLISECONDS) return true
      await this.#lock.query({ name: 'lock-alive', text: 'select 1' })
      this.#heldAt = performance.now()
      return true
    }
    const session = await this.#options.database.begin(everywhere)
    const [row] = await session.query<{ held: boolean }>({
      text: 'select pg_try_advisory_xact_lock($1) as held',
      values: [DISPATCHER_LOCK],
    })
    if (row?.held) {
      this.#lock = session
      this.#heldAt = performance.now()
      return true
    }
    await session.rollback()
    return false
  }

  // Takes events out of the outbox in order and leaves one delivery for each consumer of their type.
  async #relay(): Promise<boolean> {
    const consumers = [...this.#consumers.values()]
    const rows = await this.#options.database.query<{ moved: number }>(everywhere, {
      name: 'relay',
      text:
        'with ready as (select sequence, type, patient from bus.outbox where published_at is null ' +
        'order by sequence limit 500 for update skip locked), ' +
        'delivered as (insert into bus.delivery (consumer, sequence, key) ' +
        'select c.name, r.sequence, r.patient from ready r join unnest($1::text[], $2::text[]) as c(name, type) ' +
        'on c.type = r.type on conflict (consumer, sequence) do nothing), ' +
        'done as (update bus.outbox o set published_at = now() from ready r where o.sequence = r.sequence returning 1) ' +
        'select count(*)::int as moved from done',
      values: [consumers.map(({ name }) => name), consumers.map(({ type }) => type)],
    })
    return (rows[0]?.moved ?? 0) > 0
  }

  // Only the oldest delivery of each consumer and patient may run: one that waits for its next attempt holds back
  // those behind it.
  async #dispatch(): Promise<boolean> {
    if (this.#busy.size >= AT_ONCE) return false
    this.#ended.clear()
    const due = await this.#options.database.query<Delivery>(everywhere, {
      name: 'due',
      text:
        'select d.consumer, d.sequence::text, d.key, d.attempts, o.id, o.type, o.branch, o.body ' +
        'from bus.delivery d join bus.outbox o using (sequence) ' +
        'where d.due_at <= now() and d.consumer = any ($1::text[]) and not exists (select 1 from bus.delivery e ' +
        'where e.consumer = d.consumer and e.key = d.key and e.sequence < d.sequence) ' +
        'order by d.sequence limit 64',
      values: [[...this.#consumers.keys()]],
    })
    let started = false
    for (const delivery of due) {
      const lane = `${delivery.consumer}/${delivery.key ?? delivery.sequence}`
      const name = `${delivery.consumer}/${delivery.sequence}`
      if (this.#busy.has(lane) || this.#ended.has(name) || this.#busy.size >= AT_ONCE) continue
      this.#busy.add(lane)
      started = true
      const run = this.#deliver(delivery).finally(() => {
        this.#busy.delete(lane)
        this.#ended.add(name)
        this.#running.delete(run)
        this.wake()
      })
      this.#running.add(run)
    }
    return started
  }

  async #deliver(delivery: Delivery): Promise<void> {
    try {
      const event = { ...this.#options.open(delivery), sequence: delivery.sequence }
      await this.#consumers.get(delivery.consumer)?.handle(event)
      await this.#remove(delivery)
    } catch (error) {
      await this.#fail(delivery, error)
    }
  }

  // After the effect, not with it: a crash in between brings the event again, and its consumer knows it.
  async #remove(delivery: Delivery): Promise<void> {
    await this.#options.database.query(everywhere, {
      name: 'delivered',
      text: 'delete from bus.delivery where consumer = $1 and sequence = $2',
      values: [delivery.consumer, delivery.sequence],
    })
  }

  async #fail(delivery: Delivery, error: unknown): Promise<void> {
    const outage = isOutage(error)
    const attempts = delivery.attempts + (outage ? 0 : 1)
    const dead = attempts >= MAX_ATTEMPTS
    const name = faultName(error)
    this.#options.onFault?.({ consumer: delivery.consumer, sequence: delivery.sequence, attempts, error: name, dead })
    const values = [delivery.consumer, delivery.sequence, attempts, name]
    const statement = dead
      ? {
          text:
            'with gone as (delete from bus.delivery where consumer = $1 and sequence = $2 returning key) ' +
            'insert into bus.dead_letter (consumer, sequence, attempts, error, event_id, type, branch, key) ' +
            'select $1, $2, $3, $4, $5, $6, $7, key from gone',
          values: [...values, delivery.id, delivery.type, delivery.branch],
        }
      : {
          text:
            'update bus.delivery set attempts = $3, last_error = $4, due_at = now() + $5 * interval \'1 millisecond\' ' +
            'where consumer = $1 and sequence = $2',
          values: [...values, backoff(Math.max(1, attempts))],
        }
    // When even this cannot be written, the delivery stays as it was and comes again.
    await this.#options.database.query(everywhere, statement).catch(() => undefined)
  }
}
