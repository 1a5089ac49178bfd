import { testDatabase, type TestDatabase } from '@carespine/testing/database'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Database } from './database.ts'
import { migrate } from './migrate.ts'

const everywhere = { branches: '', patient: '' }
let owned: TestDatabase

beforeAll(async () => {
  owned = await testDatabase()
  await migrate(owned.url, [])
})
afterAll(() => owned?.drop())

test('transactions that each ask for a statement on the side all come to an end', async () => {
  const database = new Database(owned.url, { connections: 4 })
  let open = 0
  const work = async (): Promise<number> => {
    const session = await database.begin(everywhere)
    open += 1
    await session.query({ text: 'select 1' })
    // Until every transaction that may begin has begun, so that none is lucky.
    for (let waited = 0; waited < 300 && open < 4; waited += 10) await new Promise((resolve) => setTimeout(resolve, 10))
    const [row] = await database.query<{ n: number }>(everywhere, { text: 'select 2 as n' })
    await session.commit()
    return row?.n ?? 0
  }
  const stuck = new Promise<never>((_done, fail) => setTimeout(() => fail(new Error('they wait for each other')), 5000).unref())
  expect(await Promise.race([Promise.all(Array.from({ length: 12 }, work)), stuck])).toEqual(Array(12).fill(2))
  await database.close()
})

test('a connection that is lost gives its place to the next one', async () => {
  const database = new Database(owned.url, { connections: 1 })
  const session = await database.begin(everywhere)
  const [row] = await session.query<{ pid: number }>({ text: 'select pg_backend_pid() as pid' })
  const owner = new pg.Client({ connectionString: owned.url })
  await owner.connect()
  await owner.query('select pg_terminate_backend($1)', [row?.pid])
  await owner.end()
  await expect(session.query({ text: 'select 1' })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await session.rollback()
  const again = await database.begin(everywhere)
  expect(await again.query({ text: 'select 3 as n' })).toEqual([{ n: 3 }])
  await again.commit()
  await database.close()
})

test('a statement that outlasts its limit is refused, and the connection goes on', async () => {
  const database = new Database(owned.url, { connections: 1 })
  const limit = (time: string) => ({ text: `select set_config('statement_timeout', '${time}', false)` })
  await database.query(everywhere, limit('50ms'))
  await expect(database.query(everywhere, { text: 'select pg_sleep(20)' })).rejects.toMatchObject({ code: 'STORE_BUSY' })
  const session = await database.begin(everywhere)
  await expect(session.query({ text: 'select pg_sleep(20)' })).rejects.toMatchObject({ code: 'STORE_BUSY' })
  await session.rollback()
  await database.query(everywhere, limit('1min'))
  expect(await database.query(everywhere, { text: 'select 4 as n' })).toEqual([{ n: 4 }])
  await database.close()
})

test('a database that is away is said to be away at once, though a query would wait for it', async () => {
  const here = new Database(owned.url, { connections: 1 })
  expect(await here.isReachable()).toBe(true)
  await here.close()
  const url = new URL(owned.url)
  url.port = '1'
  const away = new Database(url.href, { connections: 1 })
  const began = performance.now()
  expect(await away.isReachable(10_000)).toBe(false)
  expect(performance.now() - began).toBeLessThan(2000)
  await away.close()
})

test('who listens goes on listening when its connection was lost, and hears each message once', async () => {
  const database = new Database(owned.url, { connections: 2 })
  const heard: string[] = []
  const stop = await database.listen(['bell'], (_channel, payload) => void heard.push(payload))
  const owner = new pg.Client({ connectionString: owned.url })
  await owner.connect()
  const listeners = "select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen %bell%' and datname = current_database()"
  for (const ring of ['one', 'two']) {
    await owner.query(listeners)
    for (let waited = 0; waited < 5000 && !heard.includes(ring); waited += 100) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      if (!heard.includes(ring)) await owner.query('select pg_notify($1, $2)', ['bell', ring])
    }
  }
  await owner.query('select pg_notify($1, $2)', ['bell', 'last'])
  for (let waited = 0; waited < 5000 && !heard.includes('last'); waited += 20) await new Promise((resolve) => setTimeout(resolve, 20))
  expect([...new Set(heard)]).toEqual(['one', 'two', 'last'])
  expect(heard.filter((ring) => ring === 'last')).toHaveLength(1)
  stop()
  await owner.end()
  await database.close()
})
