import { randomUUID } from 'node:crypto'
import type { Actor, EventEnvelope, EventType } from '@carespine/store/contract'
import type { Database, Statement } from '@carespine/store/database'
import { keysInEnvironment } from '@carespine/store/key-encryption'
import { migrate } from '@carespine/store/migrate'
import { Refusal } from '@carespine/store/refusal'
import { Store } from '@carespine/store/store'
import { testDatabase, type TestDatabase } from '@carespine/testing/database'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { backoff, type Consumer, MAX_ATTEMPTS } from './bus.ts'
import { listDeadLetters, replayDeadLetters } from './dead-letters.ts'
import { InProcessBus } from './in-process.ts'

const BRANCH = '40000000-0000-4000-8000-000000000001'
const actor: Actor = { kind: 'system', id: '40000000-0000-4000-8000-0000000000aa', display: 'test', roles: [], permissions: ['*'], branches: [BRANCH], branch: BRANCH }
const origin = { correlationId: 'bus-test', action: 'test', module: 'test' }

interface Rung {
  nth: number
}
const Bell: EventType<Rung> = { type: 'test.bell.v1', parse: (data) => data as Rung }

let database: TestDatabase
let store: Store
let owner: pg.Client
let running: InProcessBus[] = []

beforeAll(async () => {
  database = await testDatabase()
  await migrate(database.url, [{ name: 'store', folder: new URL('../../store/migrations/', import.meta.url) }])
  store = await Store.open({ url: database.url, kek: keysInEnvironment(Buffer.alloc(32, 9).toString('base64')), now: () => new Date() })
  owner = new pg.Client({ connectionString: database.url })
  await owner.connect()
  await owner.query('create table public.effect (consumer text, event uuid, nth int, at timestamptz default clock_timestamp()); grant all on public.effect to carespine_app')
})
afterAll(async () => {
  await owner?.end()
  await store?.close()
  await database?.drop()
})
beforeEach(async () => {
  await owner.query('truncate bus.delivery, bus.dead_letter, bus.outbox, bus.handled, public.effect')
})
afterEach(async () => {
  await Promise.all(running.map((bus) => bus.close()))
  running = []
})

async function startBus(consumers: readonly Consumer[], options: { database?: Database; poll?: number } = {}): Promise<InProcessBus> {
  const bus = new InProcessBus({ database: options.database ?? store.database, open: (row) => store.openEvent(row), pollMilliseconds: options.poll ?? 30 })
  running.push(bus)
  await bus.start(consumers)
  return bus
}

/** The store's database with a look at each statement on its way. */
function watched(around: (statement: Statement, query: () => Promise<unknown>) => Promise<unknown>): Database {
  return new Proxy(store.database, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (name !== 'query') return typeof value === 'function' ? value.bind(target) : value
      return (scope: { branches: string; patient: string }, statement: Statement) => around(statement, () => target.query(scope, statement))
    },
  })
}

async function ring(nth: number, patient?: string): Promise<void> {
  await store.transact(actor, origin, async (tx) => tx.emit(Bell, { nth }, patient === undefined ? {} : { patient }))
}

/** Does what modules' reactions do: the event's id and the effect in one transaction. */
const record = (name: string) => async (event: EventEnvelope): Promise<void> =>
  await store.transact(actor, origin, async (tx) => {
    const fresh = await tx.sql('insert into bus.handled (consumer, event_id) values ($1, $2) on conflict do nothing returning 1', [name, event.id])
    if (fresh.length > 0) await tx.sql('insert into public.effect (consumer, event, nth) values ($1, $2, $3)', [name, event.id, (event.data as Rung).nth])
  })

const consumer = (name: string, handle: Consumer['handle']): Consumer => ({ name, type: Bell.type, handle })

async function effects(name: string): Promise<number[]> {
  const { rows } = await owner.query<{ nth: number }>('select nth from public.effect where consumer = $1 order by at', [name])
  return rows.map(({ nth }) => nth)
}

async function until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 8000; waited += 15) {
    if (await done()) return
    await new Promise((resolve) => setTimeout(resolve, 15))
  }
  throw new Error(`waited in vain until ${what}`)
}

/** Waiting times pass at once: what is due later becomes due now. */
async function skipWaiting(): Promise<void> {
  await owner.query('update bus.delivery set due_at = now()')
}

describe('every event reaches every consumer', () => {
  test('also what was committed before the bus ran, each consumer once', async () => {
    await ring(1)
    await ring(2)
    const bus = await startBus([consumer('a', record('a')), consumer('b', record('b')), { ...consumer('deaf', record('deaf')), type: 'test.other.v1' }])
    await ring(3)
    bus.wake()
    await until('all is handled', async () => (await bus.waiting()) === 0)
    expect((await effects('a')).toSorted()).toEqual([1, 2, 3])
    expect((await effects('b')).toSorted()).toEqual([1, 2, 3])
    expect(await effects('deaf')).toEqual([])
  })

  test('a transaction that fails sends none', async () => {
    const bus = await startBus([consumer('a', record('a'))])
    const failed = store.transact(actor, origin, async (tx) => {
      tx.emit(Bell, { nth: 1 }, {})
      throw new Refusal('NO')
    })
    await expect(failed).rejects.toMatchObject({ code: 'NO' })
    await ring(2)
    bus.wake()
    await until('the good one is handled', async () => (await effects('a')).length > 0)
    expect(await effects('a')).toEqual([2])
  })

  test('a wake while the bus is at work is not forgotten until the next poll', async () => {
    const seen: number[] = []
    let meanwhile: (() => Promise<void>) | undefined
    const slow = watched(async (statement, query) => {
      const found = await query()
      const now = statement.name === 'due' ? meanwhile : undefined
      if (now) meanwhile = undefined
      await now?.()
      return found
    })
    const bus = await startBus([consumer('a', async ({ data }) => void seen.push((data as Rung).nth))], { database: slow, poll: 60_000 })
    // The bus has rested at least once: it is the wake after a rest that used to get lost.
    await ring(1)
    bus.wake()
    await until('the first was seen', () => seen.length === 1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    meanwhile = async () => {
      await ring(2)
      bus.wake()
    }
    bus.wake()
    await until('the second was seen', () => seen.length === 2)
  })

  test('two processes on one database do the work of one', async () => {
    const count = new Map<number, number>()
    const counting = consumer('a', async ({ data }) => void count.set((data as Rung).nth, (count.get((data as Rung).nth) ?? 0) + 1))
    const [first] = [await startBus([counting]), await startBus([counting])]
    for (let nth = 0; nth < 20; nth++) await ring(nth)
    await until('all is handled', async () => count.size === 20 && (await first.waiting()) === 0)
    expect([...count.values()]).toEqual(Array(20).fill(1))
    await first.close()
    await ring(20)
    await until('the other has taken over', () => count.has(20))
  })
})

describe('a crash', () => {
  /** The database as a process sees it that dies right after the effect: the delivery is never taken away. */
  const dyingAfterEffect = (): Database =>
    watched(async (statement, query) => {
      if (statement.name === 'delivered' || statement.text.startsWith('update bus.delivery')) throw new Refusal('STORE_UNAVAILABLE')
      return await query()
    })

  test('between an effect and the note that it was done brings the event again, and the effect stays single', async () => {
    let calls = 0
    const counted = consumer('a', async (event) => {
      calls += 1
      await record('a')(event)
    })
    const dying = await startBus([counted], { database: dyingAfterEffect() })
    await ring(1, randomUUID())
    await until('the effect is there', async () => (await effects('a')).length === 1)
    await dying.close()
    expect(await dying.waiting()).toBe(1)

    const before = calls
    const next = await startBus([counted])
    await until('the event is done with', async () => (await next.waiting()) === 0)
    expect(calls).toBeGreaterThan(before)
    expect(await effects('a')).toEqual([1])
  })
})

describe('a consumer that fails', () => {
  test('is tried again later and later, at most a minute apart', () => {
    const waits = Array.from({ length: MAX_ATTEMPTS + 4 }, (_, at) => backoff(at + 1, 0.5))
    expect(waits.slice(0, 4)).toEqual([250, 500, 1000, 2000])
    expect(Math.max(...waits)).toBe(60_000)
    expect([backoff(1, 0), backoff(1, 1)]).toEqual([225, 275])
  })

  test('gets the event again after a pause and may succeed', async () => {
    const at: number[] = []
    const bus = await startBus([
      consumer('a', async (event) => {
        at.push(performance.now())
        if (at.length < 3) throw new Error('not yet')
        await record('a')(event)
      }),
    ])
    await ring(1)
    bus.wake()
    await until('it succeeded', async () => (await effects('a')).length === 1)
    expect(at).toHaveLength(3)
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThan(200)
    expect((at[2] ?? 0) - (at[1] ?? 0)).toBeGreaterThan(430)
    expect(await listDeadLetters(store.database)).toEqual([])
  })

  test('holds back later events of its patient, not those of others nor other consumers', async () => {
    const [ill, well] = [randomUUID(), randomUUID()]
    let broken = true
    const bus = await startBus([
      consumer('a', async (event) => {
        if (broken && (event.data as Rung).nth === 1) throw new Error('stuck')
        await record('a')(event)
      }),
      consumer('b', record('b')),
    ])
    for (const [nth, patient] of [[1, ill], [2, ill], [3, well], [4, ill], [5, well]] as const) await ring(nth, patient)
    bus.wake()
    await until('others went on', async () => (await effects('a')).length === 2 && (await effects('b')).length === 5)
    await skipWaiting()
    await new Promise((resolve) => setTimeout(resolve, 120))
    expect(await effects('a')).toEqual([3, 5])
    broken = false
    await until('all is handled', async () => {
      await skipWaiting()
      return (await bus.waiting()) === 0
    })
    expect(await effects('a')).toEqual([3, 5, 1, 2, 4])
    const ofIll = (await effects('b')).filter((nth) => nth !== 3 && nth !== 5)
    expect(ofIll).toEqual([1, 2, 4])
  })

  test('hundreds of events of a few patients are each handled in the order of their patient', async () => {
    const patients = Array.from({ length: 5 }, () => randomUUID())
    const seen = new Map<string, number[]>()
    const bus = await startBus([
      consumer('a', async ({ data, patient = '' }) => {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 3))
        seen.set(patient, [...(seen.get(patient) ?? []), (data as Rung).nth])
      }),
    ])
    for (let nth = 0; nth < 100; nth++) {
      await ring(nth, patients[nth % 5])
      bus.wake()
    }
    await until('all is handled', async () => (await bus.waiting()) === 0)
    for (const [at, patient] of patients.entries()) expect(seen.get(patient)).toEqual(Array.from({ length: 20 }, (_, nth) => nth * 5 + at))
  })

  test('leaves a dead letter that names no content, lets the patient’s next event go on, and can be replayed once', async () => {
    const patient = randomUUID()
    let broken = true
    const bus = await startBus([
      consumer('a', async (event) => {
        if (broken && (event.data as Rung).nth === 1) throw new Error('Mrs Secret has no bed')
        await record('a')(event)
      }),
    ])
    await ring(1, patient)
    await ring(2, patient)
    await until('it is given up', async () => {
      await skipWaiting()
      bus.wake()
      return (await listDeadLetters(store.database)).length === 1
    })
    await until('the next event went on', async () => (await effects('a')).length === 1)
    expect(await bus.waiting()).toBe(0)
    const [letter] = await listDeadLetters(store.database)
    expect(letter).toMatchObject({ consumer: 'a', type: Bell.type, attempts: MAX_ATTEMPTS })
    expect(JSON.stringify(letter)).not.toContain('Secret')
    expect(letter?.error).toMatch(/^Error /)

    broken = false
    const id = letter?.id ?? ''
    expect((await Promise.all([replayDeadLetters(store.database, [id]), replayDeadLetters(store.database, [id])])).toSorted()).toEqual([0, 1])
    bus.wake()
    await until('it is handled', async () => (await effects('a')).length === 2)
    expect(await effects('a')).toEqual([2, 1])
    expect(await listDeadLetters(store.database)).toEqual([])
    expect(await replayDeadLetters(store.database, [id])).toBe(0)
  })

  test('for want of the database loses no attempt', async () => {
    let calls = 0
    const bus = await startBus([
      consumer('a', async (event) => {
        calls += 1
        if (calls <= MAX_ATTEMPTS + 2) throw new Refusal('STORE_UNAVAILABLE')
        await record('a')(event)
      }),
    ])
    await ring(1)
    await until('it is handled', async () => {
      await skipWaiting()
      bus.wake()
      return (await effects('a')).length === 1
    })
    expect(calls).toBe(MAX_ATTEMPTS + 3)
    expect(await listDeadLetters(store.database)).toEqual([])
  })
})
