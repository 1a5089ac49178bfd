import { buildWeb } from '@carespine/server/build-web'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import ar from '@carespine/shell/locales/ar.json' with { type: 'json' }
import en from '@carespine/shell/locales/en.json' with { type: 'json' }
import { accessibilityFaults, openBrowser, picture } from './browser.ts'
import { PASSWORD, startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
let browser: Browser

beforeAll(async () => {
  await buildWeb(() => undefined)
  hospital = await startTestHospital()
  browser = await openBrowser()
}, 120_000)
afterAll(async () => {
  await browser?.close()
  await hospital?.close()
})

const people = {
  en: { given: 'Salma Omar', family: 'Haddadin', givenArabic: 'سلمى عمر', familyArabic: 'حدادين', typed: '2/3/1986', phone: '+966500001111', find: 'sal had', shown: 'Salma Omar Haddadin', reason: 'Fatigue' },
  ar: { given: 'Faris Adel', family: 'Qabbani', givenArabic: 'فارس عادل', familyArabic: 'قباني', typed: '٢٩/٧/١٣٩١', phone: '+966500002222', find: 'فار قبا', shown: 'فارس عادل قباني', reason: 'إرهاق' },
} as const

test('an address that nothing is at is answered as such: to a person by a page, to a program in JSON', async () => {
  const ask = async (path: string, accept: string): Promise<string> => {
    const response = await fetch(hospital.url + path, { headers: { accept } })
    return `${response.status} ${response.headers.get('content-type')?.split(';')[0]}`
  }
  for (const path of ['/', '/sign-in', '/hub', '/lab/orders/1']) expect(await ask(path, 'text/html,*/*'), path).toBe('200 text/html')
  expect(await ask('/nope', 'text/html,*/*')).toBe('404 text/html')
  expect(await ask('/nope/deeper', 'text/html,*/*')).toBe('404 text/html')
  for (const path of ['/api/nope', '/api', '/fhir', '/fhir/nope', '/assets/nope.js', '/.well-known/nope']) expect(await ask(path, 'text/html,*/*'), path).toBe('404 application/json')
  for (const path of ['/favicon.ico', '/nope']) expect(await ask(path, '*/*'), path).toBe('404 application/json')
})

describe.each(['en', 'ar'] as const)('a blood count from the desk to the live alert, in %s', (language) => {
  const words = language === 'ar' ? ar : en
  const person = people[language]
  const faults: string[] = []
  const broken: string[] = []

  const look = async (page: Page, name: string): Promise<void> => {
    await picture(page, `${name}-${language}`)
    for (const fault of await accessibilityFaults(page)) faults.push(`${name}: ${fault}`)
  }

  const signIn = async (role: string, size = { width: 1440, height: 900 }): Promise<Page> => {
    const context = await browser.newContext({ viewport: size, locale: language === 'ar' ? 'ar-SA' : 'en-GB' })
    const page = await context.newPage()
    page.setDefaultTimeout(10_000)
    page.on('pageerror', (error) => broken.push(`${role}: ${error.message}`))
    await page.goto(`${hospital.url}/${role}`)
    await page.getByLabel(words.signIn.email).fill(`${role}@main.example`)
    await page.getByLabel(words.signIn.password, { exact: false }).first().fill(PASSWORD)
    if (role === 'hub') await look(page, 'sign-in')
    await page.keyboard.press('Enter')
    await page.waitForURL(`**/${role}`)
    await page.getByRole('status', { name: words.live.live }).waitFor()
    expect(await page.locator('html').getAttribute('dir')).toBe(language === 'ar' ? 'rtl' : 'ltr')
    return page
  }

  test('everything is done in the browser, and the critical value is there as it is released', { timeout: 240_000 }, async () => {
    // The desk registers, and a second try at the same person is questioned.
    const hub = await signIn('hub')
    await look(hub, 'hub')
    const menu = hub.getByRole('navigation')
    await menu.getByRole('link', { name: words.hub.menu.register }).click()
    const send = hub.getByRole('button', { name: words.register.submit })
    await send.click()
    await hub.getByText(words.fault.required).first().waitFor()
    await look(hub, 'register-faults')
    const register = async (): Promise<void> => {
      for (const [label, value] of [
        [words.register.given, person.given],
        [words.register.family, person.family],
        [words.register.givenArabic, person.givenArabic],
        [words.register.familyArabic, person.familyArabic],
        [words.register.birthDate, person.typed],
        [words.register.phone, person.phone],
      ] as const) {
        await hub.getByRole('textbox', { name: label, exact: true }).fill(value)
      }
      await hub.getByRole('combobox', { name: words.register.sex }).click()
      await hub.getByRole('option', { name: words.sex.female, exact: true }).click()
    }
    await register()
    await look(hub, 'register')
    await send.focus()
    await hub.keyboard.press('Enter')
    await hub.waitForURL('**/hub/patients/*')
    await hub.getByRole('heading', { name: person.shown }).first().waitFor()
    await look(hub, 'hub-patient')
    // The desk says why somebody comes in its own language, and names nobody to answer for the visit.
    await hub.getByRole('combobox', { name: words.visit.reason }).fill(person.reason)
    await hub.keyboard.press('Escape')
    await hub.getByRole('button', { name: words.visit.start }).click()
    await hub.waitForURL('**/hub/visits')
    const visit = hub.getByRole('row', { name: person.shown })
    await visit.getByText(words.visit.nobody).waitFor()
    expect(await visit.innerText()).toContain(person.reason)
    await look(hub, 'hub-visits')
    await menu.getByRole('link', { name: words.hub.menu.register }).click()
    await register()
    await send.focus()
    await hub.keyboard.press('Enter')
    await hub.getByRole('alert').filter({ hasText: words.register.maybe }).waitFor()
    await look(hub, 'register-duplicate')
    // An address that nothing is at says so, in the frame of the portal.
    await hub.goto(`${hospital.url}/hub/nothing/here`)
    await hub.getByRole('heading', { name: words.notFound.title }).waitFor()
    await look(hub, 'not-found')
    await hub.context().close()

    // The provider finds the patient and orders with the keyboard alone.
    const provider = await signIn('provider')
    await look(provider, 'provider')
    await provider.keyboard.press('Control+k')
    await provider.getByRole('combobox', { name: words.search.label }).waitFor()
    await provider.keyboard.type(person.find)
    await provider.getByRole('option', { name: person.shown }).waitFor()
    await look(provider, 'find-patient')
    await provider.keyboard.press('Enter')
    await provider.waitForURL('**/provider/patients/*')
    await provider.getByRole('button', { name: words.order.place }).waitFor()
    // Nobody answered for the visit; now this provider does.
    await provider.getByRole('link', { name: words.provider.menu.today }).click()
    await provider.getByRole('radio', { name: words.provider.unclaimed }).focus()
    await provider.keyboard.press('Space')
    await provider.getByRole('button', { name: words.provider.takeOverOne.replace('{{name}}', person.shown) }).focus()
    await look(provider, 'provider-unclaimed')
    await provider.keyboard.press('Enter')
    await provider.getByText(words.provider.noneUnclaimed).waitFor()
    // As a scanner types: Enter comes before anybody was found.
    await provider.keyboard.press('Control+k')
    await provider.getByRole('combobox', { name: words.search.label }).waitFor()
    await provider.keyboard.type(person.phone)
    await provider.keyboard.press('Enter')
    await provider.waitForURL('**/provider/patients/*')
    await provider.getByRole('link', { name: words.provider.menu.today }).click()
    await provider.getByRole('radio', { name: words.provider.mine }).focus()
    await provider.keyboard.press('Space')
    await provider.getByRole('link', { name: person.shown }).focus()
    await provider.keyboard.press('Enter')
    await provider.waitForURL('**/provider/patients/*')
    await provider.getByRole('button', { name: words.order.place }).waitFor()
    await provider.getByRole('button', { name: words.vitals.record }).focus()
    await provider.keyboard.press('Enter')
    const vitals = provider.getByRole('dialog')
    const measured = ['118', '74', '82', '15', '36.9', '98', '64', '166']
    for (const [at, value] of measured.entries()) await vitals.locator('input').nth(at).fill(value)
    await look(provider, 'vitals')
    await provider.keyboard.press('Enter')
    await vitals.waitFor({ state: 'detached' })
    await provider.getByRole('button', { name: words.order.place }).focus()
    await provider.keyboard.press('Enter')
    const order = provider.getByRole('dialog')
    await order.getByRole('checkbox').first().focus()
    await provider.keyboard.press('Space')
    await look(provider, 'order')
    await order.getByRole('button', { name: words.order.submit }).focus()
    await provider.keyboard.press('Enter')
    await order.waitFor({ state: 'detached' })
    await provider.getByText(words.orderState.ordered).first().waitFor()
    await look(provider, 'chart')

    // The laboratory collects, scans, results and releases.
    const lab = await signIn('lab')
    await look(lab, 'lab')
    await lab.getByRole('row', { name: person.shown }).getByRole('button').first().click()
    const label = lab.getByRole('dialog')
    const accession = (await label.locator('#tube-label').innerText()).match(/[A-Z0-9-]*\d{6,}/)?.[0] ?? ''
    expect(accession).not.toBe('')
    await look(lab, 'label')
    await lab.keyboard.press('Escape')
    await label.waitFor({ state: 'detached' })
    await lab.getByLabel(words.lab.scan).fill(accession)
    await lab.keyboard.press('Enter')
    await lab.getByRole('tab', { name: words.queue.result }).click()
    await lab.getByRole('row', { name: person.shown }).getByRole('link').click()
    await lab.locator('input[data-analyte]').first().focus()
    for (const value of ['7.1', '2.31', '6.1', '19.8', '85.7', '26.4', '30.8', '14.9', '212']) {
      await lab.keyboard.type(value)
      await lab.keyboard.press('Enter')
    }
    await lab.getByRole('alert').waitFor()
    await look(lab, 'result-entry')
    const began = performance.now()
    const alert = provider.getByRole('dialog', { name: (language === 'ar' ? 'الهيموغلوبين' : 'Hemoglobin') })
    await lab.getByRole('button', { name: words.lab.release, exact: true }).click()
    await alert.waitFor()
    // Two requests and a browser lie between the click and the picture, on a machine that may be busy: `npm run bench` has
    // the figures from commit to alert.
    expect(performance.now() - began).toBeLessThan(8000)
    expect(await alert.innerText()).toContain('6.1')
    await alert.getByText(person.shown).waitFor()
    await look(provider, 'critical-alert')

    // It survives a reload; the one who acknowledges is on record.
    await provider.reload()
    await alert.waitFor()
    await alert.getByRole('button', { name: words.critical.acknowledge }).focus()
    await provider.keyboard.press('Enter')
    await alert.waitFor({ state: 'detached' })
    await provider.locator('a[href*="/provider/results/"]').first().click()
    await provider.getByRole('table', { name: words.result.values }).waitFor()
    await provider.locator('canvas').first().waitFor()
    await look(provider, 'result')

    await lab.waitForURL('**/lab')
    await lab.getByRole('tab', { name: words.queue.call }).click()
    await lab.getByRole('row', { name: person.shown }).getByRole('button').click()
    await lab.getByLabel(words.callBack.to).fill('Dr Provider')
    await lab.getByRole('checkbox').check()
    await look(lab, 'call-back')
    await lab.getByRole('dialog').getByRole('button', { name: words.common.save }).click()
    await lab.getByText(words.emptyQueue.call).waitFor()
    await lab.context().close()
    await provider.context().close()

    const phone = await signIn('provider', { width: 390, height: 844 })
    await look(phone, 'provider-phone')
    expect(await phone.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390)
    await phone.context().close()
    expect({ faults, broken }).toEqual({ faults: [], broken: [] })
  })
})
