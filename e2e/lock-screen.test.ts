import { buildWeb } from '@carespine/server/build-web'
import { clockAt } from '@carespine/testing/database'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import ar from '@carespine/shell/locales/ar.json' with { type: 'json' }
import en from '@carespine/shell/locales/en.json' with { type: 'json' }
import { accessibilityFaults, openBrowser, picture } from './browser.ts'
import { PASSWORD, startTestHospital, type TestHospital } from './test-hospital.ts'

const clock = clockAt(new Date().toISOString())
let hospital: TestHospital
let browser: Browser

beforeAll(async () => {
  await buildWeb(() => undefined)
  hospital = await startTestHospital({ now: clock.now })
  browser = await openBrowser()
}, 120_000)
afterAll(async () => {
  await browser?.close()
  await hospital?.close()
})

describe.each(['en', 'ar'] as const)('a computer that is left, in %s', (language) => {
  const words = language === 'ar' ? ar : en
  const faults: string[] = []
  const broken: string[] = []
  const look = async (page: Page, name: string): Promise<void> => {
    await picture(page, `${name}-${language}`)
    for (const fault of await accessibilityFaults(page)) faults.push(`${name}: ${fault}`)
  }
  /** Time goes by in the browser and on the server alike. */
  const pass = async (page: Page, seconds: number): Promise<void> => {
    for (let left = seconds; left > 0; left -= 60) {
      const step = Math.min(60, left)
      clock.advance(step * 1000)
      await page.clock.fastForward(step * 1000)
    }
  }
  const open = async (role: string, email = `${role}@main.example`): Promise<Page> => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: language === 'ar' ? 'ar-SA' : 'en-GB' })
    const page = await context.newPage()
    page.setDefaultTimeout(10_000)
    page.on('pageerror', (error) => broken.push(`${role}: ${error.message}`))
    await page.clock.install({ time: clock.now() })
    await page.goto(`${hospital.url}/${role}`)
    await signIn(page, email)
    await page.waitForURL(`**/${role}`)
    return page
  }
  const signIn = async (page: Page, email: string): Promise<void> => {
    await page.getByLabel(words.signIn.email).fill(email)
    await page.getByLabel(words.signIn.password, { exact: false }).first().fill(PASSWORD)
    await page.keyboard.press('Enter')
  }
  const startForm = async (page: Page) => {
    await page.getByRole('navigation').getByRole('link', { name: words.hub.menu.register }).click()
    const given = page.getByRole('textbox', { name: words.register.given, exact: true })
    await given.fill('Half-written')
    return given
  }

  test('warns, covers what is on it, and gives it back to the same person alone', { timeout: 120_000 }, async () => {
    const page = await open('hub')
    const given = await startForm(page)
    await pass(page, 14 * 60 + 15)
    const warning = page.getByRole('dialog', { name: words.lock.soon })
    await warning.waitFor()
    await look(page, 'lock-warning')
    // Any key is a sign of life.
    await page.keyboard.press('Enter')
    await warning.waitFor({ state: 'detached' })
    await pass(page, 10 * 60)
    expect(await given.isVisible()).toBe(true)

    await pass(page, 6 * 60)
    const unlock = page.getByRole('button', { name: words.lock.open })
    await unlock.waitFor()
    await look(page, 'locked')
    expect(await given.isVisible()).toBe(false)
    expect(await page.locator('body').innerText()).not.toContain(words.register.given)
    // The keyboard is where the password goes, and Escape opens nothing.
    await page.keyboard.press('Escape')
    await page.keyboard.type('wrong')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText(words.refusals.IDENTITY_WRONG_PASSWORD).waitFor()
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press('Enter')
    await unlock.waitFor({ state: 'detached' })
    expect(await given.inputValue()).toBe('Half-written')
    expect(await given.isVisible()).toBe(true)

    // Locked by hand, and another person comes: nothing of the first is there, also after going back.
    await page.getByRole('button', { name: words.shell.account }).click()
    await page.getByRole('menuitem', { name: words.lock.now }).click()
    await unlock.waitFor()
    await page.getByRole('button', { name: words.lock.somebodyElse }).click()
    await page.waitForURL('**/sign-in')
    await page.goBack()
    await page.getByLabel(words.signIn.email).waitFor()
    await signIn(page, 'hub@other.example')
    await page.waitForURL('**/hub**')
    await page.getByRole('navigation').getByRole('link', { name: words.hub.menu.register }).click()
    expect(await given.inputValue()).toBe('')
    await page.context().close()
    expect({ faults, broken }).toEqual({ faults: [], broken: [] })
  })

  test('a locked screen does not open by loading the page again', { timeout: 60_000 }, async () => {
    const page = await open('lab')
    await page.getByRole('button', { name: words.shell.account }).click()
    await page.getByRole('menuitem', { name: words.lock.now }).click()
    await page.getByRole('button', { name: words.lock.open }).waitFor()
    await page.reload()
    await page.getByLabel(words.signIn.email).waitFor()
    await page.context().close()
  })

  test('the account page shows where one is signed in, and ends it there', { timeout: 60_000 }, async () => {
    const here = await open('provider')
    const there = await open('provider')
    await here.getByRole('button', { name: words.shell.account }).click()
    await here.getByRole('menuitem', { name: words.account.title }).click()
    await here.getByRole('heading', { name: words.account.sessions }).waitFor()
    await here.getByText(words.account.thisOne).waitFor()
    await look(here, 'account')
    await there.keyboard.press('Control+k')
    await there.getByRole('combobox', { name: words.search.label }).fill('somebody')
    await here.getByRole('button', { name: words.account.endOthers }).click()
    await here.getByRole('button', { name: words.account.endOthers }).waitFor({ state: 'detached' })
    // The other browser finds out when it next asks, and keeps what was on it for its person.
    await there.waitForTimeout(5200)
    await there.keyboard.press('Backspace')
    await there.getByText(words.lock.why.ended).waitFor()
    await look(there, 'ended-elsewhere')
    await there.keyboard.type(PASSWORD)
    await there.keyboard.press('Enter')
    await there.getByText(words.lock.why.ended).waitFor({ state: 'detached' })
    expect(await there.getByRole('combobox', { name: words.search.label }).inputValue()).toMatch(/^somebod/)
    await here.setViewportSize({ width: 390, height: 844 })
    await look(here, 'account-phone')
    expect(await here.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390)
    await here.context().close()
    await there.context().close()
    expect({ faults, broken }).toEqual({ faults: [], broken: [] })
  })
})
