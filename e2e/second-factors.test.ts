import { beginTotp, confirmTotp, demandFactor, factorsOf, myFactors, removeTotp, renewRecoveryCodes, resetFactors, type SecondStep } from '@carespine/identity/factor-contract'
import { listUsers } from '@carespine/identity/contract'
import { listNotifications } from '@carespine/notifications/contract'
import { clockAt } from '@carespine/testing/database'
import { Secret, TOTP } from 'otpauth'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PASSWORD, type SignedInUser, startTestHospital, type TestHospital } from './test-hospital.ts'

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
  code: string
  accessToken: string
  secondStep: SecondStep
  cookie: string
  text: string
}

async function post(path: string, body: object, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(hospital.url + path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })
  const text = await response.text()
  return { ...(JSON.parse(text) as Answer), status: response.status, cookie: (response.headers.get('set-cookie') ?? '').split(';')[0] ?? '', text }
}
const signIn = (role: string) => post('/api/auth/login', { email: `${role}@main.example`, password: PASSWORD, portal: role })
const secondStep = (token: string, proof: object) => post('/api/auth/second-step', { token, proof })
const codeOf = (secret: string, steps = 0) => new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: clock.now().getTime() + steps * 30_000 })
const wrongFor = (secret: string) => String((Number(codeOf(secret)) + 500_000) % 1_000_000).padStart(6, '0')
const nextStep = () => clock.advance(60_000)
const stepUp = (token: string, proof: object) => post('/api/auth/step-up', { proof }, { authorization: `Bearer ${token}` })
const trail = async (action: string, outcome: string): Promise<number> => (await owner.query('select 1 from audit.entry where action = $1 and outcome = $2', [action, outcome])).rowCount ?? 0
const said = async (call: Promise<unknown>): Promise<string> => await call.then(() => 'done', (error: Error) => error.message)

/** With an authenticator app added: its secret, and the recovery codes that were shown. */
async function enrol(user: SignedInUser): Promise<{ secret: string; codes: string[] }> {
  const { secret, uri } = await user.call(beginTotp, {})
  expect(uri).toContain(`secret=${secret}`)
  const { recoveryCodes = [] } = await user.call(confirmTotp, { code: codeOf(secret) })
  nextStep()
  return { secret, codes: recoveryCodes }
}

describe('an authenticator app', () => {
  let secret = ''
  let codes: string[] = []

  test('counts once a code of it was sent; until then the password is enough', async () => {
    const nurse = await hospital.signIn('nurse')
    const begun = await nurse.call(beginTotp, {})
    expect(await said(nurse.call(confirmTotp, { code: wrongFor(begun.secret) }))).toBe('IDENTITY_FACTOR_WRONG')
    expect((await signIn('nurse')).accessToken).toBeDefined()
    ;({ secret, codes } = await enrol(nurse))
    expect(codes).toHaveLength(10)
    expect(new Set(codes).size).toBe(10)
    expect(await nurse.call(myFactors, {})).toMatchObject({ recoveryCodes: 10, totpSince: expect.any(String), passkeys: [] })
    expect(await said(nurse.call(beginTotp, {}))).toBe('IDENTITY_TOTP_THERE')
  })

  test('is asked for after the password: what is given then is no session, and opens nothing else', async () => {
    const { status, accessToken, cookie, secondStep: step } = await signIn('nurse')
    expect([status, accessToken, cookie]).toEqual([200, undefined, ''])
    expect(step.methods).toEqual(['totp', 'recovery'])
    const asToken = await fetch(`${hospital.url}/api/auth/me`, { headers: { authorization: `Bearer ${step.token}` } })
    expect(asToken.status).toBe(401)
    const asCookie = await fetch(`${hospital.url}/api/auth/refresh`, { method: 'POST', headers: { 'x-carespine-csrf': '1', cookie: `carespine_refresh=${step.token}` } })
    expect(asCookie.status).toBe(401)
    // Nor is an access token good for the second step.
    const { token } = await hospital.signIn('lab')
    expect(await secondStep(token.slice(0, 90), { code: codeOf(secret) })).toMatchObject({ status: 401, code: 'IDENTITY_SECOND_STEP_OVER' })
    const done = await secondStep(step.token, { code: codeOf(secret) })
    expect(done.status).toBe(200)
    expect(done.cookie).toMatch(/^carespine_refresh=/)
    // Nor twice.
    nextStep()
    expect((await secondStep(step.token, { code: codeOf(secret) })).code).toBe('IDENTITY_SECOND_STEP_OVER')
  })

  test('a code works once, and none before it works after it', async () => {
    const code = codeOf(secret)
    const earlier = codeOf(secret, -1)
    const first = await signIn('nurse')
    expect((await secondStep(first.secondStep.token, { code })).status).toBe(200)
    const again = await signIn('nurse')
    expect((await secondStep(again.secondStep.token, { code })).code).toBe('IDENTITY_FACTOR_WRONG')
    expect((await secondStep(again.secondStep.token, { code: earlier })).code).toBe('IDENTITY_FACTOR_WRONG')
    nextStep()
    expect((await secondStep(again.secondStep.token, { code: codeOf(secret) })).status).toBe(200)
    nextStep()
  })

  test('the same code sent twice at once opens one session', async () => {
    const [one, other] = await Promise.all([signIn('nurse'), signIn('nurse')])
    const code = codeOf(secret)
    const done = await Promise.all([secondStep(one.secondStep.token, { code }), secondStep(other.secondStep.token, { code })])
    expect(done.map(({ status }) => status).sort()).toEqual([200, 401])
    nextStep()
  })

  test('five wrong codes end the second step, and then each takes longer; the wait says how long', async () => {
    const { secondStep: before } = await signIn('nurse')
    expect((await secondStep(before.token, { code: codeOf(secret) })).status).toBe(200)
    nextStep()
    const { secondStep: step } = await signIn('nurse')
    for (let nth = 0; nth < 5; nth++) expect((await secondStep(step.token, { code: wrongFor(secret) })).code).toBe('IDENTITY_FACTOR_WRONG')
    expect((await secondStep(step.token, { code: codeOf(secret) })).code).toBe('IDENTITY_SECOND_STEP_OVER')
    const { secondStep: next } = await signIn('nurse')
    expect((await secondStep(next.token, { code: codeOf(secret) })).code).toBe('IDENTITY_WAIT')
    clock.advance(3000)
    expect((await secondStep(next.token, { code: codeOf(secret) })).status).toBe(200)
    nextStep()
  })

  test('a second step is over after five minutes', async () => {
    const { secondStep: step } = await signIn('nurse')
    clock.advance(5 * 60_000 + 1000)
    expect((await secondStep(step.token, { code: codeOf(secret) })).code).toBe('IDENTITY_SECOND_STEP_OVER')
  })

  test('a recovery code works once, however it is typed, and its person is told', async () => {
    const { secondStep: step } = await signIn('nurse')
    const typed = (codes[0] ?? '').toLowerCase().replaceAll('-', ' ')
    const { accessToken } = await secondStep(step.token, { recoveryCode: typed })
    expect(accessToken).toBeDefined()
    const { secondStep: next } = await signIn('nurse')
    expect((await secondStep(next.token, { recoveryCode: codes[0] })).code).toBe('IDENTITY_FACTOR_WRONG')
    await hospital.settle()
    const body = JSON.stringify({ open: true })
    const told = await fetch(`${hospital.url}/api/notifications/list`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${accessToken}` }, body })
    const { notifications } = listNotifications.output.parse(await told.json())
    expect(notifications.map(({ text }) => text.key)).toContain('recovery-code-used')
    // New ones take the place of the old.
    const renewed = await fetch(`${hospital.url}/api/identity/renew-recovery-codes`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${accessToken}` }, body: '{}' })
    const fresh = renewRecoveryCodes.output.parse(await renewed.json()).recoveryCodes
    expect((await secondStep(next.token, { recoveryCode: codes[1] })).code).toBe('IDENTITY_FACTOR_WRONG')
    expect((await secondStep(next.token, { recoveryCode: fresh[1] })).status).toBe(200)
  })

  test('neither its secret nor a recovery code lies open in the database', async () => {
    const bytes = Buffer.from(Secret.fromBase32(secret).buffer)
    const { rows } = await owner.query<{ row: string }>("select t::text as row from identity.totp t union all select r::text from identity.recovery_code r union all select encode(answer, 'escape') from store.idempotency")
    const all = rows.map(({ row }) => row).join('\n')
    for (const open of [secret, Buffer.from(secret).toString('hex'), bytes.toString('hex'), ...codes, ...codes.map((code) => code.replaceAll('-', ''))]) expect(all).not.toContain(open)
  })

  test('each of these is in the audit trail', async () => {
    expect(await trail('identity.factor-added', 'success')).toBeGreaterThan(0)
    expect(await trail('identity.factor', 'success')).toBeGreaterThan(3)
    expect(await trail('identity.factor', 'failure')).toBeGreaterThan(7)
  })
})

describe('a step-up', () => {
  test('is asked for ten minutes after the sign-in: the password of who has no factor, and that of nobody else', async () => {
    const lab = await hospital.signIn('lab')
    clock.advance(8 * 60_000)
    const refreshed = await post('/api/auth/refresh', {}, { cookie: lab.cookie, 'x-carespine-csrf': '1' })
    clock.advance(3 * 60_000)
    const pin = () => post('/api/identity/set-pin', { pin: '4071' }, { authorization: `Bearer ${refreshed.accessToken}` })
    expect(await pin()).toMatchObject({ status: 403, code: 'STEP_UP_NEEDED', details: { minutes: 10, at: '/api/auth/step-up' } })
    const options = await post('/api/auth/step-up/options', {}, { authorization: `Bearer ${refreshed.accessToken}` })
    expect(options).toMatchObject({ status: 200, methods: ['password'] })
    expect((await stepUp(refreshed.accessToken, { password: 'wrong' })).code).toBe('IDENTITY_FACTOR_WRONG')
    expect((await stepUp(refreshed.accessToken, { password: PASSWORD })).status).toBe(200)
    expect((await pin()).status).toBe(200)
  })

  test('asks who has a factor for the factor: the password is not enough', async () => {
    const hub = await hospital.signIn('hub')
    const { secret } = await enrol(hub)
    expect((await stepUp(hub.token, { password: PASSWORD })).code).toBe('IDENTITY_FACTOR_WRONG')
    expect((await stepUp(hub.token, { code: codeOf(secret) })).status).toBe(200)
    expect(await said(hub.call(removeTotp, {}))).toBe('done')
    expect(await hub.call(myFactors, {})).toMatchObject({ recoveryCodes: 0, passkeys: [] })
  })

  test('is for people: a client has no factors', async () => {
    const client = await hospital.asClient()
    expect((await stepUp(client.token, { password: PASSWORD })).code).toBe('IDENTITY_PERSON_NEEDED')
    expect(await said(client.call(beginTotp, {}))).toBe('IDENTITY_PERSON_NEEDED')
  })
})

describe('a role that has to have a second factor', () => {
  test('is let in until the days are over, and refused after them; an administrator gives time anew', async () => {
    const admin = await hospital.signIn('admin')
    await admin.call(demandFactor, { role: 'provider', days: 7 })
    const { accessToken } = await signIn('provider')
    const me = await (await fetch(`${hospital.url}/api/auth/me`, { headers: { authorization: `Bearer ${accessToken}` } })).json()
    expect(Date.parse((me as { user: { factorDue: string } }).user.factorDue) - clock.now().getTime()).toBeGreaterThan(6 * 86_400_000)
    clock.advance(8 * 86_400_000)
    expect(await signIn('provider')).toMatchObject({ status: 403, code: 'IDENTITY_FACTOR_OVERDUE' })
    expect((await signIn('lab')).status).toBe(200)
    const later = await hospital.signIn('admin')
    const provider = (await later.call(listUsers, {})).users.find(({ email }) => email === 'provider@main.example')
    await later.call(resetFactors, { userId: provider?.id ?? '' })
    const again = await hospital.signIn('provider')
    const { secret } = await enrol(again)
    // Who has to have one keeps one.
    expect(await said(again.call(removeTotp, {}))).toBe('IDENTITY_FACTOR_DEMANDED')
    clock.advance(8 * 86_400_000)
    const { secondStep: step } = await signIn('provider')
    expect((await secondStep(step.token, { code: codeOf(secret) })).status).toBe(200)
    await (await hospital.signIn('admin')).call(demandFactor, { role: 'provider', days: null })
  })

  test('an administrator resets factors: the sessions end at once, and the password is enough again', async () => {
    const admin = await hospital.signIn('admin')
    const nurse = (await admin.call(listUsers, {})).users.find(({ email }) => email === 'nurse@main.example')
    const userId = nurse?.id ?? ''
    expect(await admin.call(factorsOf, { userId })).toMatchObject({ totp: true })
    const it = await hospital.signIn('it')
    expect(await said(it.call(resetFactors, { userId }))).toBe('PERMISSION_MISSING')
    const { ended } = await admin.call(resetFactors, { userId })
    expect(ended).toBeGreaterThanOrEqual(0)
    expect(await admin.call(factorsOf, { userId })).toEqual({ totp: false, passkeys: 0, recoveryCodes: 0, pin: false, badge: false })
    expect((await signIn('nurse')).accessToken).toBeDefined()
    expect(await trail('identity.reset-factors', 'success')).toBe(2)
  })

  test('of others’ accounts an administrator proves who they are every five minutes', async () => {
    const admin = await hospital.signIn('admin')
    clock.advance(6 * 60_000)
    expect(await said(admin.call(demandFactor, { role: 'nurse', days: 1 }))).toBe('STEP_UP_NEEDED')
  })
})
