import { randomUUID } from 'node:crypto'
import { endMySessions, endSessionsOf, mySessions, sessionsOf, type SessionClock } from '@carespine/identity/contract'
import { addUser } from '@carespine/identity/accounts'
import { searchPatients } from '@carespine/registration/contract'
import { hospitalModules } from '@carespine/server/modules'
import { clockAt } from '@carespine/testing/database'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BRANCHES, PASSWORD, startTestHospital, type SignedInUser, type TestHospital } from './test-hospital.ts'

const clock = clockAt(new Date().toISOString())
let hospital: TestHospital
let owner: pg.Client

beforeAll(async () => {
  hospital = await startTestHospital({ now: clock.now, settings: { SESSION_LIMITS: 'lab=5/60' } })
  owner = new pg.Client({ connectionString: hospital.databaseUrl })
  await owner.connect()
  const { services } = hospital.hospital
  await services.transact(services.system('identity'), { correlationId: randomUUID(), action: 'test.user', module: 'identity' }, ({ tx }) =>
    addUser(tx, { email: 'both@main.example', password: PASSWORD, display: 'Both', roles: ['provider', 'patient'], branches: [BRANCHES.main], branch: BRANCHES.main, patient: 'own-record', practitioner: 'provider-main' }),
  )
})
afterAll(async () => {
  await owner?.end()
  await hospital?.close()
})

const CHROME = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36'
interface Begun {
  token: string
  cookie: string
  clock: SessionClock
}
async function begin(portal: string, email = `${portal}@main.example`, userAgent = CHROME): Promise<Begun> {
  const response = await fetch(`${hospital.url}/api/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json', 'user-agent': userAgent }, body: JSON.stringify({ email, password: PASSWORD, portal }) })
  const { accessToken, clock: lasts } = (await response.json()) as { accessToken: string; clock: SessionClock }
  return { token: accessToken, cookie: (response.headers.get('set-cookie') ?? '').split(';')[0] ?? '', clock: lasts }
}
async function refresh(session: Begun, body: object = {}) {
  const response = await fetch(`${hospital.url}/api/auth/refresh`, { method: 'POST', headers: { cookie: session.cookie, 'x-carespine-csrf': '1', 'content-type': 'application/json' }, body: JSON.stringify(body) })
  const answer = (await response.json()) as { accessToken: string; clock: SessionClock; code?: string; details?: { end: string } }
  if (response.status === 200) Object.assign(session, { token: answer.accessToken, cookie: (response.headers.get('set-cookie') ?? '').split(';')[0] })
  return { status: response.status, ...answer }
}
const me = async ({ token }: Pick<Begun, 'token'>) => (await fetch(`${hospital.url}/api/auth/me`, { headers: { authorization: `Bearer ${token}` } })).status
const touch = (session: Begun, idleSeconds = 0) =>
  fetch(`${hospital.url}/api/auth/active`, { method: 'POST', headers: { authorization: `Bearer ${session.token}`, 'content-type': 'application/json' }, body: JSON.stringify({ idleSeconds }) })
// What the server remembers of a session it remembers for five seconds, by a clock that nobody moves.
const remembered = () => new Promise((done) => setTimeout(done, 5200))
const minutes = (count: number) => clock.advance(count * 60_000)

describe('a session without its person', () => {
  test('says how long it lasts: a ward’s computer shorter than a patient’s phone, and as the installation sets it', async () => {
    expect((await begin('nurse')).clock).toEqual({ idleSeconds: 600, secondsLeft: 12 * 3600 })
    expect((await begin('patient')).clock).toEqual({ idleSeconds: 3600, secondsLeft: 24 * 3600 })
    expect((await begin('lab')).clock).toEqual({ idleSeconds: 300, secondsLeft: 3600 })
  })

  test('ends on the server when nobody is there, whatever its screens fetch meanwhile', { timeout: 20_000 }, async () => {
    const session = await begin('lab')
    minutes(4)
    // A screen that refreshes by itself says that nobody touched it.
    expect(await refresh(session, { idleSeconds: 240 })).toMatchObject({ status: 200, clock: { secondsLeft: 56 * 60 } })
    expect(await me(session)).toBe(200)
    minutes(1)
    await remembered()
    expect(await me(session)).toBe(401)
    expect(await refresh(session)).toMatchObject({ status: 401, code: 'IDENTITY_REFRESH_INVALID', details: { end: 'idle' } })
    // It stays over.
    expect(await refresh(session)).toMatchObject({ status: 401, details: { end: 'idle' } })
  })

  test('goes on while its person does something, up to its end', async () => {
    const session = await begin('lab')
    for (let nth = 0; nth < 14; nth++) {
      minutes(4)
      expect((await refresh(session)).status, `after ${(nth + 1) * 4} minutes`).toBe(200)
    }
    expect((await touch(session)).status).toBe(200)
    minutes(4)
    expect(await refresh(session)).toMatchObject({ status: 401, details: { end: 'too long' } })
  })

  test('counts activity that is told, and none that lies behind what it knows', async () => {
    const session = await begin('lab')
    minutes(3)
    await touch(session)
    await touch(session, 120)
    minutes(4)
    expect((await refresh(session, { idleSeconds: 240 })).status).toBe(200)
    minutes(1)
    expect((await refresh(session)).status).toBe(401)
  })

  test('is marked as ended when nobody asks for it, and forgotten after three months', async () => {
    const job = hospitalModules({ sessions: { lab: { idleMinutes: 5, minutes: 60 } } }).identity.module.jobs?.find(({ name }) => name === 'identity.tidy-sessions')
    const tidy = async () => {
      const { services } = hospital.hospital
      await services.transact(services.system('identity'), { correlationId: randomUUID(), action: 'identity.tidy-sessions', module: 'identity' }, (context) => job?.run(context) ?? Promise.reject(new Error('no job')))
    }
    await begin('lab')
    const count = async (condition: string) => Number((await owner.query(`select count(*) from identity.session where ${condition}`)).rows[0].count)
    minutes(6)
    const over = await count("ended_at is null and portal = 'lab'")
    expect(over).toBeGreaterThan(0)
    await tidy()
    expect(await count("ended_at is null and portal = 'lab'")).toBe(0)
    expect(await count("end_reason = 'idle' and portal = 'lab'")).toBeGreaterThanOrEqual(over)
    clock.advance(91 * 86_400_000)
    await tidy()
    await tidy()
    expect(await count("end_reason = 'idle' and ended_at < now() - interval '1 day'")).toBe(0)
  })
})

describe('sessions are seen and ended', () => {
  const as = (begun: Begun): Pick<SignedInUser, 'call'> => ({
    async call(action, input) {
      const response = await fetch(`${hospital.url}/api/${action.name.replaceAll('.', '/')}`, { method: 'POST', headers: { authorization: `Bearer ${begun.token}`, 'content-type': 'application/json' }, body: JSON.stringify(input) })
      const body: unknown = await response.json()
      if (!response.ok) throw Object.assign(new Error((body as { code: string }).code), { status: response.status })
      return action.output.parse(body) as never
    },
  })

  test('by the one they belong to: device, address and portal of each, one by one or all others', async () => {
    const phone = await begin('provider', 'provider@main.example', 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1')
    minutes(1)
    const desk = await begin('provider')
    minutes(1)
    const home = await begin('provider')
    const { sessions } = await as(desk).call(mySessions, {})
    expect(sessions.map(({ device, address, portal, current }) => [device, address, portal, current])).toEqual([
      ['Chrome, Linux', '127.0.0.1', 'provider', false],
      ['Chrome, Linux', '127.0.0.1', 'provider', true],
      ['Safari, iPhone', '127.0.0.1', 'provider', false],
    ])
    const lost = sessions.find(({ device }) => device === 'Safari, iPhone')?.id ?? ''
    expect(await as(desk).call(endMySessions, { sessionId: lost })).toEqual({ ended: 1 })
    expect((await refresh(phone)).status).toBe(401)
    await expect(as(desk).call(endMySessions, { sessionId: lost })).rejects.toThrow('IDENTITY_SESSION_GONE')
    expect(await as(desk).call(endMySessions, {})).toEqual({ ended: 1 })
    expect((await refresh(home)).status).toBe(401)
    expect((await refresh(desk)).status).toBe(200)
  })

  test('nobody sees or ends those of others, and clients have none', async () => {
    const lab = await begin('lab')
    const provider = await begin('provider')
    const mine = (await as(provider).call(mySessions, {})).sessions.find(({ current }) => current)?.id ?? ''
    await expect(as(lab).call(endMySessions, { sessionId: mine })).rejects.toThrow('IDENTITY_SESSION_GONE')
    await expect(as(lab).call(sessionsOf, { userId: randomUUID() })).rejects.toMatchObject({ status: 403 })
    await expect(as(lab).call(endSessionsOf, { userId: randomUUID() })).rejects.toMatchObject({ status: 403 })
    expect((await refresh(provider)).status).toBe(200)
    await expect((await hospital.asClient()).call(mySessions, {})).rejects.toThrow('IDENTITY_PERSON_NEEDED')
  })

  test('by an administrator, who leaves it in the audit trail', async () => {
    const admin = await begin('admin')
    const provider = await begin('provider')
    const { rows } = await owner.query<{ id: string }>("select distinct user_id as id from identity.session where portal = 'provider' and ended_at is null")
    const userId = rows[0]?.id ?? ''
    const { sessions } = await as(admin).call(sessionsOf, { userId })
    expect(sessions.length).toBeGreaterThan(0)
    expect((await as(admin).call(endSessionsOf, { userId })).ended).toBe(sessions.length)
    expect((await refresh(provider)).status).toBe(401)
    const { rows: entries } = await owner.query("select 1 from audit.entry where action = 'identity.end-sessions-of' and outcome = 'success'")
    expect(entries).toHaveLength(1)
  })
})

describe('a token is for the portal it was given for', () => {
  test('who works here and is treated here is a patient in the patient portal, and nothing else', async () => {
    const asPatient = await hospital.signInAs('both@main.example', 'patient')
    const asProvider = await hospital.signInAs('both@main.example', 'provider')
    const whoami = async (user: SignedInUser) => ((await (await user.fetch('/api/auth/me')).json()) as { user: { permissions: string[]; patient?: string; practitioner?: string } }).user
    const patient = await whoami(asPatient)
    expect([patient.patient, patient.practitioner, patient.permissions.includes('orders.*')]).toEqual(['own-record', undefined, false])
    const provider = await whoami(asProvider)
    expect([provider.patient, provider.practitioner, provider.permissions.includes('orders.*')]).toEqual([undefined, 'provider-main', true])
    const refused = await asPatient.fetch('/api/orders/place', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([403, 'PERMISSION_MISSING'])
    expect((await asProvider.call(searchPatients, { text: 'nobody' })).patients).toEqual([])
  })

  test('somebody who lost the role of a portal may do nothing there, not what their other roles allow', { timeout: 20_000 }, async () => {
    const user = await hospital.signInAs('both@main.example', 'patient')
    await owner.query("update identity.user_account set roles = '{provider}' where 'patient' = any (roles) and practitioner is not null")
    await remembered()
    const { user: now } = (await (await user.fetch('/api/auth/me')).json()) as { user: { permissions: string[] } }
    expect(now.permissions).toEqual([])
  })
})
