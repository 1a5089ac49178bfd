import { buildWeb } from '@carespine/server/build-web'
import { clockAt } from '@carespine/testing/database'
import { Secret, TOTP } from 'otpauth'
import type { Browser, CDPSession, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import ar from '@carespine/shell/locales/ar.json' with { type: 'json' }
import en from '@carespine/shell/locales/en.json' with { type: 'json' }
import { accessibilityFaults, openBrowser, picture } from './browser.ts'
import { PASSWORD, startTestHospital, type TestHospital } from './test-hospital.ts'

const clock = clockAt(new Date().toISOString())
let hospital: TestHospital
let browser: Browser
/** Passkeys belong to a name, not to an address of numbers. */
let site = ''

beforeAll(async () => {
  await buildWeb(() => undefined)
  hospital = await startTestHospital({ now: clock.now })
  site = hospital.url.replace('127.0.0.1', 'localhost')
  browser = await openBrowser()
}, 120_000)
afterAll(async () => {
  await browser?.close()
  await hospital?.close()
})

/** A phone or a key of a browser's own (WebAuthn's virtual authenticator), whose bearer is always the right one. */
async function addAuthenticator(page: Page): Promise<CDPSession> {
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('WebAuthn.enable')
  await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  })
  return devtools
}

describe.each([
  ['en', 'hub', { width: 1280, height: 900 }],
  ['ar', 'lab', { width: 400, height: 860 }],
] as const)('second factors on screen, in %s', (language, role, viewport) => {
  const words = language === 'ar' ? ar : en
  const faults: string[] = []
  const broken: string[] = []
  const look = async (page: Page, name: string): Promise<void> => {
    for (const fault of await accessibilityFaults(page)) faults.push(`${name}: ${fault}`)
    await picture(page, `${name}-${language}`)
    const wide = await page.locator('html').evaluate((html: unknown) => (html as { scrollWidth: number; clientWidth: number }).scrollWidth - (html as { clientWidth: number }).clientWidth)
    if (wide > 0) faults.push(`${name}: ${wide} px wider than the window`)
  }
  const signIn = async (page: Page): Promise<void> => {
    await page.getByLabel(words.signIn.email).fill(`${role}@main.example`)
    await page.getByLabel(words.signIn.password, { exact: false }).first().fill(PASSWORD)
    await page.keyboard.press('Enter')
  }
  const signOut = async (page: Page): Promise<void> => {
    await page.getByRole('button', { name: words.shell.account }).click()
    await page.getByRole('menuitem', { name: words.shell.signOut }).click()
    await page.getByLabel(words.signIn.email).waitFor()
  }

  test('an app and a passkey are added, asked for, and a sensitive change asks again', { timeout: 180_000 }, async () => {
    const context = await browser.newContext({ viewport, locale: language === 'ar' ? 'ar-SA' : 'en-GB' })
    const page = await context.newPage()
    page.setDefaultTimeout(10_000)
    page.on('pageerror', (error) => broken.push(error.message))
    await page.goto(`${site}/${role}/account`)
    await signIn(page)
    const section = page.getByRole('region', { name: words.factors.title })
    await section.getByText(words.factors.noApp).waitFor()
    await look(page, 'factors-none')

    // By keyboard alone.
    await section.getByRole('button', { name: words.factors.addApp }).focus()
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog', { name: words.factors.addApp })
    await dialog.getByAltText(words.factors.qr).waitFor()
    await look(page, 'factors-app')
    const secret = (await dialog.locator('pre').innerText()).replaceAll(/\s/g, '')
    const code = () => new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: clock.now().getTime() })
    await page.keyboard.type('12')
    await page.keyboard.press('Enter')
    await dialog.getByText(words.factors.sixDigits).waitFor()
    await dialog.getByLabel(words.factors.code).fill(code())
    await page.keyboard.press('Enter')
    const codes = page.getByRole('dialog', { name: words.factors.codes })
    await codes.getByRole('listitem').nth(9).waitFor()
    expect(await codes.getByRole('listitem').count()).toBe(10)
    await look(page, 'factors-codes')
    await codes.getByRole('button', { name: words.factors.kept }).click()
    clock.advance(60_000)

    await signOut(page)
    await signIn(page)
    await page.getByText(words.factors.stepLead).waitFor()
    await look(page, 'second-step')
    await page.keyboard.type('000000')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText(words.refusals.IDENTITY_FACTOR_WRONG).waitFor()
    await page.keyboard.type(code())
    await page.keyboard.press('Enter')
    await page.waitForURL(`**/${role}`)

    // A passkey signs in by itself.
    const devtools = await addAuthenticator(page)
    await page.goto(`${site}/${role}/account`)
    await section.getByRole('button', { name: words.factors.addPasskey }).click()
    await page.getByRole('dialog').getByLabel(words.factors.passkeyName).fill('Phone 📱')
    await look(page, 'factors-passkey')
    await page.keyboard.press('Enter')
    await section.getByText('Phone 📱').waitFor()
    await signOut(page)
    await look(page, 'sign-in-passkey')
    await page.getByRole('button', { name: words.factors.signInByPasskey }).click()
    await page.waitForURL(`**/${role}`)

    // Some time later a change of factors asks who is there, and goes on by itself.
    clock.advance(11 * 60_000)
    await page.goto(`${site}/${role}/account`)
    const remove = section.getByRole('button', { name: words.factors.removePasskey.replace('{{name}}', 'Phone 📱') })
    await remove.click()
    const stepUp = page.getByRole('dialog', { name: words.factors.stepUp })
    await stepUp.getByRole('button', { name: words.factors.usePasskey }).waitFor()
    await look(page, 'step-up')
    // Who will not say who they are changes nothing, and is told so.
    await page.keyboard.press('Escape')
    await section.getByRole('alert').getByText(words.refusals.STEP_UP_NEEDED).waitFor()
    await remove.click()
    await stepUp.getByRole('button', { name: words.factors.usePasskey }).click()
    await stepUp.waitFor({ state: 'detached' })
    await section.getByText('Phone 📱').waitFor({ state: 'detached' })

    // Gone here, it opens nothing any more, though the phone still has it.
    await signOut(page)
    await page.getByRole('button', { name: words.factors.signInByPasskey }).click()
    await page.getByRole('alert').getByText(words.refusals.IDENTITY_PASSKEY_UNKNOWN).waitFor()
    await devtools.detach()
    await context.close()
    expect({ faults, broken }).toEqual({ faults: [], broken: [] })
  })
})
