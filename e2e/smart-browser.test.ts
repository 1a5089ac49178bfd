import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import type { Patient } from '@carespine/fhir/resource'
import { addUser } from '@carespine/identity/accounts'
import { registerApp } from '@carespine/link-smart/contract'
import { buildWeb } from '@carespine/server/build-web'
import ar from '@carespine/shell/locales/ar.json' with { type: 'json' }
import en from '@carespine/shell/locales/en.json' with { type: 'json' }
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accessibilityFaults, openBrowser, picture } from './browser.ts'
import { fhirClient } from './fhir-client.ts'
import { BRANCHES, PASSWORD, startTestHospital, type TestHospital } from './test-hospital.ts'

const LIBRARY = readFileSync(createRequire(import.meta.url).resolve('fhirclient/build/fhir-client.js'))

let hospital: TestHospital
let browser: Browser
let appServer: Server
let appUrl: string
let patient: Patient & { id: string }
/** Where the app launches: set when it is registered. */
let client: string

/** Pages of an app that is made with the public SMART client library, and with nothing of ours. */
function pages(path: string): { type: string; body: string | Buffer } | undefined {
  const html = (script: string) => ({ type: 'text/html', body: `<!doctype html><title>App</title><script src="/fhir-client.js"></script><pre id="out"></pre><script>const out = document.getElementById('out'); ${script}</script>` })
  const authorize = (scope: string) => `FHIR.oauth2.authorize({ clientId: '${client}', scope: '${scope}', redirectUri: '/index.html', pkceMode: 'required' }).catch((error) => { out.textContent = 'failed: ' + error.message })`
  if (path === '/fhir-client.js') return { type: 'text/javascript', body: LIBRARY }
  if (path === '/launch.html') return html(authorize('launch openid fhirUser patient/*.rs online_access'))
  if (path === '/standalone.html') return html(authorize('launch/patient openid fhirUser patient/Patient.rs patient/Observation.rs offline_access'))
  if (path !== '/index.html') return undefined
  return html(`FHIR.oauth2.ready().then(async (client) => {
    const who = await client.patient.read()
    const found = await client.request('Observation?patient=' + client.patient.id, { flat: true })
    const user = await client.user.read()
    out.textContent = JSON.stringify({ patient: who.id, encounter: client.encounter.id, observations: found.map(({ code }) => code.text), user: user.resourceType + '/' + user.id, scope: client.state.tokenResponse.scope })
  }).catch((error) => { out.textContent = 'failed: ' + error.message })`)
}

beforeAll(async () => {
  await buildWeb(() => undefined)
  appServer = createServer((request, response) => {
    const page = pages(new URL(request.url ?? '', 'http://app').pathname)
    if (!page) return void response.writeHead(404).end()
    response.setHeader('content-type', page.type).end(page.body)
  })
  await new Promise<void>((done) => appServer.listen(0, '127.0.0.1', done))
  appUrl = `http://127.0.0.1:${(appServer.address() as AddressInfo).port}`
  hospital = await startTestHospital({ settings: { CORS_ORIGINS: appUrl } })
  const fhir = fhirClient((await hospital.asClient()).fetch)
  patient = await fhir.create<Patient>({
    resourceType: 'Patient',
    gender: 'female',
    birthDate: '1986-03-02',
    identifier: [{ system: 'https://carespine.example/mrn', value: 'M-1' }],
    name: [{ given: ['Salma'], family: 'Haddadin' }, { given: ['سلمى'], family: 'حدادين' }],
  })
  await fhir.create({ resourceType: 'Observation', status: 'final', code: { text: 'Hemoglobin' }, subject: { reference: `Patient/${patient.id}` } } as never)
  const { services } = hospital.hospital
  await services.transact(services.system('identity'), { correlationId: randomUUID(), action: 'test.account', module: 'identity' }, ({ tx }) =>
    addUser(tx, { email: 'salma@patients.example', password: PASSWORD, display: 'Salma Haddadin', roles: ['patient'], branches: [BRANCHES.main], branch: BRANCHES.main, patient: patient.id }),
  )
  const admin = await hospital.signIn('admin')
  ;({ client } = await admin.call(registerApp, {
    name: 'Growth chart',
    nameArabic: 'مخطط النمو',
    kind: 'public',
    authMethod: 'none',
    redirectUris: [`${appUrl}/index.html`],
    launchUrl: `${appUrl}/launch.html`,
    scopes: ['openid', 'fhirUser', 'launch', 'launch/patient', 'online_access', 'offline_access', 'patient/*.rs'],
  }))
  browser = await openBrowser()
}, 120_000)
afterAll(async () => {
  await browser?.close()
  await hospital?.close()
  appServer?.close()
})

describe.each(['en', 'ar'] as const)('an app made with fhirclient, in %s', (language) => {
  const words = language === 'ar' ? ar : en
  const faults: string[] = []
  const open = (width = 1280): Promise<BrowserContext> => browser.newContext({ viewport: { width, height: 900 }, locale: language === 'ar' ? 'ar-SA' : 'en-GB' })
  const look = async (page: Page, name: string): Promise<void> => {
    await picture(page, `smart-${name}-${language}`)
    for (const fault of await accessibilityFaults(page)) faults.push(`${name}: ${fault}`)
  }
  const fillSignIn = async (page: Page, email: string): Promise<void> => {
    await page.getByLabel(words.signIn.email).fill(email)
    await page.getByLabel(words.signIn.password, { exact: false }).first().fill(PASSWORD)
    await page.keyboard.press('Enter')
  }
  const shownBy = async (page: Page): Promise<Record<string, unknown>> => {
    await page.waitForURL(`${appUrl}/index.html**`)
    await page.waitForFunction("document.getElementById('out')?.textContent")
    const text = (await page.locator('#out').textContent()) ?? ''
    expect(text).not.toContain('failed')
    return JSON.parse(text) as Record<string, unknown>
  }

  test('opens from a chart with its patient, asks the doctor, and reads the record', { timeout: 90_000 }, async () => {
    const context = await open()
    const page = await context.newPage()
    page.setDefaultTimeout(15_000)
    await page.goto(`${hospital.url}/provider`)
    await fillSignIn(page, 'provider@main.example')
    await page.waitForURL('**/provider')
    await page.goto(`${hospital.url}/provider/patients/${patient.id}`)
    await page.getByRole('button', { name: words.apps.menu, exact: true }).click()
    await page.getByRole('dialog').waitFor()
    await look(page, 'apps-menu')
    const [tab] = await Promise.all([context.waitForEvent('page'), page.getByRole('dialog').getByRole('button', { name: language === 'ar' ? 'مخطط النمو' : 'Growth chart' }).click()])
    tab.setDefaultTimeout(15_000)
    await tab.getByRole('button', { name: words.apps.allow, exact: true }).waitFor()
    expect(await tab.locator('main').textContent()).toContain(language === 'ar' ? 'سلمى حدادين' : 'Salma Haddadin')
    expect(tab.url()).toBe(`${hospital.url}/authorize`)
    await look(tab, 'consent-doctor')
    await tab.getByRole('button', { name: words.apps.allow, exact: true }).click()
    expect(await shownBy(tab)).toMatchObject({ patient: patient.id, observations: ['Hemoglobin'], user: 'Practitioner/provider-main' })
    await context.close()
  })

  test('lets a patient in by itself, with less than it wanted; by keyboard, in a narrow window; taken back on the account page', { timeout: 120_000 }, async () => {
    const context = await open(390)
    const page = await context.newPage()
    page.setDefaultTimeout(15_000)
    await page.goto(`${appUrl}/standalone.html?iss=${encodeURIComponent(`${hospital.url}/fhir/R4`)}`)
    await page.waitForURL(`${hospital.url}/sign-in**`)
    await page.getByRole('combobox', { name: words.signIn.portal }).click()
    await page.getByRole('option', { name: words.portal.patient, exact: true }).click()
    await fillSignIn(page, 'salma@patients.example')
    await page.getByRole('button', { name: words.apps.allow, exact: true }).waitFor()
    await look(page, 'consent-patient')
    const stay = page.getByRole('checkbox', { name: words.apps.stay })
    expect(await stay.isChecked()).toBe(true)
    await stay.focus()
    await page.keyboard.press('Space')
    expect(await stay.isChecked()).toBe(false)
    await page.getByRole('button', { name: words.apps.allow, exact: true }).focus()
    await page.keyboard.press('Enter')
    const shown = await shownBy(page)
    expect(shown).toMatchObject({ patient: patient.id, observations: ['Hemoglobin'], user: `Patient/${patient.id}` })
    expect(shown.scope).not.toContain('offline_access')

    // Again, and nothing more than before: nobody is asked. With what was left out, the patient is.
    await page.goto(`${hospital.url}/apps`)
    await page.waitForURL('**/patient/account')
    await page.getByRole('button', { name: words.apps.takeBackFrom.replace('{{app}}', language === 'ar' ? 'مخطط النمو' : 'Growth chart') }).waitFor()
    await look(page, 'account')
    await page.getByRole('button', { name: words.apps.takeBackFrom.replace('{{app}}', language === 'ar' ? 'مخطط النمو' : 'Growth chart') }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText(words.apps.takeBackMeans).waitFor()
    await look(page, 'take-back')
    await dialog.getByRole('button', { name: words.apps.takeBack, exact: true }).click()
    await page.getByText(words.apps.none).waitFor()
    await context.close()
  })

  test('that a patient does not let in hears so', { timeout: 60_000 }, async () => {
    const context = await open(390)
    const page = await context.newPage()
    page.setDefaultTimeout(15_000)
    await page.goto(`${hospital.url}/patient`)
    await fillSignIn(page, 'salma@patients.example')
    await page.waitForURL('**/patient')
    await page.goto(`${appUrl}/standalone.html?iss=${encodeURIComponent(`${hospital.url}/fhir/R4`)}`)
    await page.getByRole('button', { name: words.apps.deny, exact: true }).click()
    await page.waitForURL(`${appUrl}/index.html**`)
    expect(new URL(page.url()).searchParams.get('error')).toBe('access_denied')
    await page.goto(`${hospital.url}/authorize#!redirect_uri`)
    await page.getByText(words.apps.wrongAddress).waitFor()
    await look(page, 'wrong-address')
    await context.close()
  })

  test('is registered by an administrator, who sees its secret once', { timeout: 90_000 }, async () => {
    const context = await open()
    const page = await context.newPage()
    page.setDefaultTimeout(15_000)
    await page.goto(`${hospital.url}/admin`)
    await fillSignIn(page, 'admin@main.example')
    await page.waitForURL('**/admin')
    await page.goto(`${hospital.url}/admin/apps`)
    await page.getByRole('button', { name: words.admin.apps.add }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('button', { name: words.admin.apps.register }).click()
    await dialog.getByText(words.fault.required).first().waitFor()
    await look(page, 'register-faults')
    await dialog.getByLabel(words.admin.apps.nameEnglish).fill(`Registry ${language}`)
    await dialog.getByLabel(words.admin.apps.nameArabic).fill('السجل')
    await dialog.getByRole('combobox', { name: words.admin.apps.kind }).click()
    await page.getByRole('option', { name: words.admin.apps.kinds.confidential }).click()
    await dialog.getByLabel(words.admin.apps.redirects).fill('https://registry.example.org/back')
    await dialog.getByRole('button', { name: words.admin.apps.register }).click()
    await dialog.getByText(words.admin.apps.secretOnce).waitFor()
    await look(page, 'secret')
    expect(await dialog.locator('pre').nth(1).textContent()).toMatch(/^[\w-]{43}$/)
    await dialog.getByRole('button', { name: words.common.close }).last().click()
    await page.getByText(language === 'ar' ? 'السجل' : 'Registry en').first().waitFor()
    await look(page, 'apps')
    await context.close()
  })

  test('nothing on these screens is out of reach', () => {
    expect(faults).toEqual([])
  })
})
