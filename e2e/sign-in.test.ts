import { randomUUID } from 'node:crypto'
import { hospitalModules } from '@carespine/server/modules'
import { clockAt } from '@carespine/testing/database'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PASSWORD, startTestHospital, type TestHospital } from './test-hospital.ts'

const clock = clockAt(new Date().toISOString())
let hospital: TestHospital
let owner: pg.Client

beforeAll(async () => {
  hospital = await startTestHospital({ now: clock.now })
  owner = new pg.Client({ connectionString: hospital.databaseUrl })
  await owner.connect()
})
afterAll(async () => {
  await owner?.end()
  await hospital?.close()
})

interface Answer {
  status: number
  retryAfter: number
  body: { code?: string; error?: string; access_token?: string }
}

async function post(path: string, body: string, type: string): Promise<Answer> {
  const response = await fetch(hospital.url + path, { method: 'POST', headers: { 'content-type': type }, body })
  return { status: response.status, retryAfter: Number(response.headers.get('retry-after') ?? 0), body: (await response.json()) as Answer['body'] }
}

const signIn = (password: string, email = 'lab@main.example') => post('/api/auth/login', JSON.stringify({ email, password, portal: 'lab' }), 'application/json')
const token = (client_secret: string, client_id = hospital.client.client_id) =>
  post('/oauth2/token', new URLSearchParams({ grant_type: 'client_credentials', client_id, client_secret }).toString(), 'application/x-www-form-urlencoded')

describe('wrong passwords', () => {
  test('after the fifth each takes longer, for this account alone, and Retry-After says how long', async () => {
    for (let nth = 0; nth < 5; nth++) expect((await signIn('wrong')).status).toBe(401)
    const waits = []
    for (let nth = 0; nth < 3; nth++) {
      // The right one is not looked at either.
      const { status, retryAfter, body } = await signIn(PASSWORD)
      expect([status, body.code]).toEqual([429, 'IDENTITY_WAIT'])
      waits.push(retryAfter)
      clock.advance(retryAfter * 1000)
      expect((await signIn('wrong')).status).toBe(401)
    }
    expect(waits).toEqual([2, 4, 8])
    expect((await signIn(PASSWORD, 'lab@other.example')).status).toBe(200)
    clock.advance(16_000)
    expect((await signIn(PASSWORD)).status).toBe(200)
    expect((await signIn('wrong')).status).toBe(401)
  })
})

describe('wrong secrets of a client', () => {
  test('after the fifth each takes longer, for this client alone, and are in the audit trail', async () => {
    for (let nth = 0; nth < 5; nth++) expect(await token('wrong')).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
    expect(await token(hospital.client.client_secret)).toMatchObject({ status: 429, retryAfter: 2, body: { error: 'temporarily_unavailable' } })
    expect((await token('wrong', randomUUID())).status).toBe(401)
    clock.advance(2000)
    const { status, body } = await token(hospital.client.client_secret)
    expect([status, typeof body.access_token]).toEqual([200, 'string'])
    const { rows } = await owner.query("select count(*)::int as n from audit.entry where action = 'identity.token' and outcome = 'failure'")
    expect(rows[0].n).toBe(6)
  })
})

test('failures are forgotten when they no longer count', async () => {
  const count = async () => (await owner.query('select 1 from identity.failure')).rowCount
  const forget = async (): Promise<void> => {
    const job = hospitalModules().identity.module.jobs?.find(({ name }) => name === 'identity.forget-attempts')
    if (!job) throw new Error('there is no such job')
    const { services } = hospital.hospital
    await services.transact(services.system('identity'), { correlationId: randomUUID(), action: job.name, module: 'identity' }, (context) => job.run(context))
  }
  await signIn('wrong')
  await forget()
  expect(await count()).toBeGreaterThan(0)
  clock.advance(61 * 60_000)
  await forget()
  expect(await count()).toBe(0)
})

test('an address that floods sign-in is held back at every door of it, the server answers others, and a second later there is room again', async () => {
  const flood = await Promise.all(Array.from({ length: 250 }, (_one, nth) => token('wrong', `nobody-${nth}`)))
  const refused = flood.filter(({ status }) => status === 429)
  expect(refused.length).toBeGreaterThan(0)
  expect(refused.every(({ retryAfter }) => retryAfter >= 1)).toBe(true)
  const doors = await Promise.all(
    Array.from({ length: 30 }, async () => [(await signIn(PASSWORD)).status, (await fetch(`${hospital.url}/api/auth/refresh`, { method: 'POST' })).status, (await fetch(`${hospital.url}/api/auth/setup`, { method: 'POST' })).status]),
  )
  for (const door of [0, 1, 2]) expect(doors.map((statuses) => statuses[door])).toContain(429)
  expect((await fetch(`${hospital.url}/health/ready`)).status).toBe(200)
  clock.advance(61 * 60_000)
  await new Promise((resolve) => setTimeout(resolve, 1500))
  expect((await signIn(PASSWORD)).status).toBe(200)
})
