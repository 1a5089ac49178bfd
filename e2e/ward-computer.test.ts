import { endMySessions } from '@carespine/identity/contract'
import { removePin, revokeWardComputer, setBadge, setPin, wardComputers, type WardPeople } from '@carespine/identity/factor-contract'
import { listUsers } from '@carespine/identity/contract'
import { registerPatient } from '@carespine/registration/contract'
import { buildWeb } from '@carespine/server/build-web'
import { clockAt } from '@carespine/testing/database'
import type { Browser, Page } from 'playwright-core'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import ar from '@carespine/shell/locales/ar.json' with { type: 'json' }
import en from '@carespine/shell/locales/en.json' with { type: 'json' }
import { accessibilityFaults, openBrowser, picture } from './browser.ts'
import { PASSWORD, startTestHospital, type TestHospital } from './test-hospital.ts'

const clock = clockAt(new Date().toISOString())
let hospital: TestHospital
let owner: pg.Client
let browser: Browser

beforeAll(async () => {
  await buildWeb(() => undefined)
  hospital = await startTestHospital({ now: clock.now })
  owner = new pg.Client({ connectionString: hospital.databaseUrl })
  await owner.connect()
  browser = await openBrowser()
}, 120_000)
afterAll(async () => {
  await browser?.close()
  await owner?.end()
  await hospital?.close()
})

interface Answer {
  status: number
  code: string
  accessToken: string
  user: { id: string; portal: string; display: string }
  cookies: Record<string, string>
}

async function post(path: string, body: object, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(hospital.url + path, { method: 'POST', headers: { 'content-type': 'application/json', 'x-carespine-csrf': '1', ...headers }, body: JSON.stringify(body) })
  const cookies = Object.fromEntries(response.headers.getSetCookie().map((line) => [line.split('=')[0] ?? '', line]))
  return { ...((await response.json()) as Answer), status: response.status, cookies }
}
const pairOf = (line: string | undefined): string => (line ?? '').split(';')[0] ?? ''
const people = async (computer: string) => (await post('/api/auth/ward-computer/people', {}, { cookie: computer })) as unknown as WardPeople
const goOn = (computer: string, who: object, pin: string, more: object = {}, cookie = '') => post('/api/auth/ward-computer/sign-in', { who, pin, ...more }, { cookie: `${computer}; ${cookie}` })
const enrol = async (name: string, branch: 'main' | 'other' = 'main'): Promise<string> => {
  const admin = await hospital.signIn('admin', branch)
  const { status, cookies } = await post('/api/auth/ward-computer', { name }, { authorization: `Bearer ${admin.token}` })
  expect(status).toBe(200)
  expect(cookies.carespine_ward).toMatch(/HttpOnly.*SameSite=Strict|SameSite=Strict.*HttpOnly/)
  return pairOf(cookies.carespine_ward)
}

describe('a computer that a ward shares', () => {
  let computer = ''
  let nurse = ''

  test('is enrolled by who may, and nobody else', async () => {
    const provider = await hospital.signIn('provider')
    expect((await post('/api/auth/ward-computer', { name: 'Mine' }, { authorization: `Bearer ${provider.token}` })).status).toBe(403)
    computer = await enrol('Ward 3')
    const admin = await hospital.signIn('admin')
    expect((await admin.call(wardComputers, {})).computers).toMatchObject([{ name: 'Ward 3', enrolledBy: 'admin main' }])
    expect((await (await hospital.signIn('admin', 'other')).call(wardComputers, {})).computers).toEqual([])
    nurse = (await admin.call(listUsers, {})).users.find(({ email }) => email === 'nurse@main.example')?.id ?? ''
  })

  test('takes a badge and a PIN, or a name and a PIN, within a shift of a full sign-in', async () => {
    const full = await hospital.signIn('nurse')
    await expect(full.call(setPin, { pin: '1234' })).rejects.toMatchObject({ body: { code: 'IDENTITY_PIN_TRIVIAL' } })
    await full.call(setPin, { pin: '4071' })
    await full.call(setBadge, { code: 'N-000417' })
    expect((await people(computer)).people).toEqual([{ id: nurse, display: 'nurse main' }])
    const scanned = await goOn(computer, { badge: 'N-000417' }, '4071')
    expect(scanned).toMatchObject({ status: 200, user: { id: nurse, portal: 'nurse' } })
    expect((await goOn(computer, { userId: nurse }, '4071')).status).toBe(200)
    // Not where nobody enrolled it, not without the header, not for another's badge.
    expect((await goOn('carespine_ward=made-up', { badge: 'N-000417' }, '4071')).code).toBe('IDENTITY_COMPUTER_UNKNOWN')
    expect(await people('carespine_ward=made-up')).toMatchObject({ people: [] })
    expect((await post('/api/auth/ward-computer/sign-in', { who: { userId: nurse }, pin: '4071' }, { cookie: computer, 'x-carespine-csrf': '' })).status).not.toBe(500)
    const bare = await fetch(`${hospital.url}/api/auth/ward-computer/sign-in`, { method: 'POST', headers: { 'content-type': 'application/json', cookie: computer }, body: JSON.stringify({ who: { userId: nurse }, pin: '4071' }) })
    expect(bare.status).toBe(403)
    expect((await goOn(computer, { badge: 'N-000418' }, '4071')).code).toBe('IDENTITY_PIN_WRONG')
    const lab = await hospital.signIn('lab')
    await expect(lab.call(setBadge, { code: 'N-000417' })).rejects.toMatchObject({ body: { code: 'IDENTITY_BADGE_TAKEN' } })
  })

  test('ends the session of the one before, and audits who changed over where', async () => {
    const before = await hospital.signIn('lab')
    expect((await goOn(computer, { badge: 'N-000417' }, '4071', {}, before.cookie)).status).toBe(200)
    expect((await before.fetch('/api/auth/me')).status).toBe(401)
    const { rows } = await owner.query("select proof, s.ward_computer = c.id as there from identity.session s join identity.ward_computer c on c.id = s.ward_computer where user_id = $1", [nurse])
    expect(rows.length).toBeGreaterThan(1)
    expect(rows.every((row) => row.proof === 'pin' && row.there)).toBe(true)
    const failures = await owner.query("select 1 from audit.entry where action = 'identity.login' and outcome = 'failure' and reason is not null")
    expect(failures.rowCount).toBeGreaterThan(1)
  })

  test('a session by PIN is no proof for what is sensitive', async () => {
    const { accessToken } = await goOn(computer, { badge: 'N-000417' }, '4071')
    expect((await post('/api/identity/set-pin', { pin: '83614' }, { authorization: `Bearer ${accessToken}` })).code).toBe('STEP_UP_NEEDED')
  })

  test('five wrong PINs close it, for whoever tries, until the next full sign-in', async () => {
    for (let nth = 0; nth < 5; nth++) expect((await goOn(computer, { userId: nurse }, '9053')).code).toBe('IDENTITY_PIN_WRONG')
    expect((await goOn(computer, { userId: nurse }, '4071')).code).toBe('IDENTITY_PIN_CLOSED')
    expect((await people(computer)).people).toEqual([])
    await hospital.signIn('nurse')
    expect((await goOn(computer, { userId: nurse }, '4071')).status).toBe(200)
  })

  test('wrong ones sent at once are all counted', async () => {
    await hospital.signIn('nurse')
    const sent = await Promise.all(Array.from({ length: 9 }, () => goOn(computer, { userId: nurse }, '9053')))
    expect(sent.filter(({ code }) => code === 'IDENTITY_PIN_WRONG')).toHaveLength(5)
    expect(sent.filter(({ code }) => code === 'IDENTITY_PIN_CLOSED')).toHaveLength(4)
  })

  test('after twelve hours, and when all sign-ins were ended, it takes a full one', async () => {
    const full = await hospital.signIn('nurse')
    expect((await goOn(computer, { userId: nurse }, '4071')).status).toBe(200)
    await full.call(endMySessions, {})
    expect((await goOn(computer, { userId: nurse }, '4071')).code).toBe('IDENTITY_PIN_CLOSED')
    await hospital.signIn('nurse')
    clock.advance(12 * 3_600_000 - 60_000)
    const late = await goOn(computer, { userId: nurse }, '4071')
    expect(late.status).toBe(200)
    // Going on by PIN does not make the shift longer.
    clock.advance(120_000)
    expect((await goOn(computer, { userId: nurse }, '4071')).code).toBe('IDENTITY_PIN_CLOSED')
  })

  test('of another branch knows nobody of this one', async () => {
    const elsewhere = await enrol('Other ward', 'other')
    await hospital.signIn('nurse')
    expect((await people(elsewhere)).people).toEqual([])
    expect((await goOn(elsewhere, { userId: nurse }, '4071')).code).toBe('IDENTITY_PIN_WRONG')
  })

  test('that is taken out signs nobody in, and ends who went on there', async () => {
    const { accessToken } = await goOn(computer, { userId: nurse }, '4071')
    const admin = await hospital.signIn('admin')
    const [known] = (await admin.call(wardComputers, {})).computers
    const stranger = await hospital.signIn('admin', 'other')
    await expect(stranger.call(revokeWardComputer, { id: known?.id ?? '' })).rejects.toMatchObject({ status: 404 })
    await admin.call(revokeWardComputer, { id: known?.id ?? '' })
    expect((await goOn(computer, { userId: nurse }, '4071')).code).toBe('IDENTITY_COMPUTER_UNKNOWN')
    const { rows } = await owner.query("select 1 from identity.session where user_id = $1 and ward_computer is not null and ended_at is null", [nurse])
    expect(rows).toEqual([])
    expect(accessToken).toBeDefined()
  })

  test('a PIN lies in the database as no hash that can be guessed from', async () => {
    const { rows } = await owner.query<{ hash: Buffer }>('select hash from identity.pin')
    expect(rows.length).toBeGreaterThan(0)
    expect(rows.every(({ hash }) => !hash.toString('latin1').includes('argon2'))).toBe(true)
    const kept = await owner.query("select 1 from store.idempotency where action like 'identity.set-%'")
    expect(kept.rowCount).toBe(0)
    await (await hospital.signIn('nurse')).call(removePin, {})
  })
})

describe.each(['en', 'ar'] as const)('people change over at a ward computer, in %s', (language) => {
  const words = language === 'ar' ? ar : en
  const faults: string[] = []
  const broken: string[] = []
  const look = async (page: Page, name: string): Promise<void> => {
    for (const fault of await accessibilityFaults(page)) faults.push(`${name}: ${fault}`)
    await picture(page, `${name}-${language}`)
  }
  const signIn = async (page: Page, role: string): Promise<void> => {
    await page.getByLabel(words.signIn.email).fill(`${role}@main.example`)
    await page.getByLabel(words.signIn.password, { exact: false }).first().fill(PASSWORD)
    await page.keyboard.press('Enter')
  }
  const menu = async (page: Page, item: string): Promise<void> => {
    await page.getByRole('button', { name: words.shell.account }).click()
    await page.getByRole('menuitem', { name: item }).click()
  }

  test('by scanner and PIN alone, and nothing of the one before can be seen', { timeout: 180_000 }, async () => {
    const family = language === 'ar' ? 'Quettrick' : 'Zwoelfender'
    const hub = await hospital.signIn('hub')
    const { patientId } = await hub.call(registerPatient, { name: { family, given: language === 'ar' ? 'Mariam' : 'Ann' }, sex: 'female', birthDate: language === 'ar' ? '1951-11-30' : '1980-04-05', phone: language === 'ar' ? '+966500004444' : '+966500003333' }, { 'idempotency-key': `ward-${language}` })
    const badge = `LAB-${language}-0815`
    const lab = await hospital.signIn('lab')
    await lab.call(setPin, { pin: '83614' })
    await lab.call(setBadge, { code: badge })

    const context = await browser.newContext({ viewport: { width: language === 'ar' ? 420 : 1280, height: 900 }, locale: language === 'ar' ? 'ar-SA' : 'en-GB' })
    const page = await context.newPage()
    page.setDefaultTimeout(10_000)
    page.on('pageerror', (error) => broken.push(error.message))
    // An administrator makes it the ward's.
    await page.goto(`${hospital.url}/admin/account`)
    await signIn(page, 'admin')
    await page.getByRole('button', { name: words.ward.enrol }).click()
    await page.getByLabel(words.ward.computerName).fill('Ward 5')
    await look(page, 'ward-enrol')
    await page.keyboard.press('Enter')
    await page.getByText(words.ward.enrolled).waitFor()
    await menu(page, words.ward.changeOver)
    await page.getByRole('textbox', { name: words.ward.badge, exact: true }).waitFor()
    await look(page, 'ward-sign-in')

    // The front desk signs in in full, sets a PIN and opens a patient.
    await page.getByRole('button', { name: words.ward.full }).click()
    await page.getByRole('combobox', { name: words.signIn.portal }).click()
    await page.getByRole('option', { name: words.portal.hub }).click()
    await signIn(page, 'hub')
    await page.waitForURL('**/hub')
    await page.goto(`${hospital.url}/hub/account`)
    await page.getByRole('button', { name: words.ward.pinChange }).click()
    await page.getByRole('dialog').getByLabel(words.ward.pin, { exact: true }).fill('2222')
    await page.getByRole('dialog').getByLabel(words.ward.pinAgain).fill('2222')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText(words.refusals.IDENTITY_PIN_TRIVIAL).waitFor()
    await look(page, 'ward-pin')
    await page.getByRole('dialog').getByLabel(words.ward.pin, { exact: true }).fill('50517')
    await page.getByRole('dialog').getByLabel(words.ward.pinAgain).fill('50517')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.goto(`${hospital.url}/hub`)
    await page.goto(`${hospital.url}/hub/patients/${patientId}`)
    await page.getByRole('heading', { name: family }).first().waitFor()
    await menu(page, words.ward.changeOver)

    // A scanner types and presses Enter; then the PIN, and Enter.
    await page.getByRole('textbox', { name: words.ward.badge, exact: true }).waitFor()
    expect(await page.locator('html').innerHTML()).not.toContain(family)
    await page.keyboard.type(badge)
    await page.keyboard.press('Enter')
    await page.keyboard.type('83615')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText(words.refusals.IDENTITY_PIN_WRONG).waitFor()
    await page.keyboard.type('83614')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/lab')
    await page.getByRole('status', { name: words.live.live }).waitFor()
    // Not on the page, not on the way back, not in what the browser keeps.
    const seen = async (): Promise<string> =>
      await page.evaluate(`document.documentElement.innerHTML + document.title + JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage })`)
    expect(await seen()).not.toContain(family)
    for (let nth = 0; nth < 4; nth++) {
      await page.goBack().catch(() => undefined)
      await page.waitForTimeout(300)
      expect(await seen(), `${nth + 1} back`).not.toContain(family)
    }
    expect(await page.evaluate("caches.keys().then((keys) => keys.length)")).toBe(0)

    // The desk comes back by name, without a badge.
    await page.goto(`${hospital.url}/lab`)
    await menu(page, words.ward.changeOver)
    await page.getByRole('combobox', { name: words.ward.name }).click()
    await page.getByRole('option', { name: 'hub main' }).click()
    await page.getByLabel(words.ward.pin, { exact: true }).fill('50517')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/hub')
    await context.close()
    expect({ faults, broken }).toEqual({ faults: [], broken: [] })
  })
})
