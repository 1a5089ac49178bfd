import { startNote } from '@carespine/documents/contract'
import { startEncounter } from '@carespine/encounters/contract'
import { registerPatient } from '@carespine/registration/contract'
import { buildWeb } from '@carespine/server/build-web'
import ar from '@carespine/shell/locales/ar.json' with { type: 'json' }
import en from '@carespine/shell/locales/en.json' with { type: 'json' }
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
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

const texts = {
  en: { plan: 'Give iron 100 mg daily', amended: 'Give iron 200 mg daily', reason: 'The dose was too low', addendum: 'Tolerated well', mine: 'Mine: rest', theirs: 'Theirs: walk', kind: 'Progress note' },
  ar: { plan: 'يُعطى الحديد 100 ملغ يوميًا', amended: 'يُعطى الحديد 200 ملغ يوميًا', reason: 'الجرعة كانت منخفضة', addendum: 'تحمّل المريض العلاج', mine: 'نصي: راحة', theirs: 'نص الآخر: مشي', kind: 'ملاحظة متابعة' },
} as const

describe.each(['en', 'ar'] as const)('a note from the draft to the amendment, in %s', (language) => {
  const words = language === 'ar' ? ar : en
  const said = texts[language]
  const faults: string[] = []

  const look = async (page: Page, name: string): Promise<void> => {
    await picture(page, `note-${name}-${language}`)
    for (const fault of await accessibilityFaults(page)) faults.push(`${name}: ${fault}`)
  }

  const signIn = async (size = { width: 1440, height: 900 }): Promise<Page> => {
    const context = await browser.newContext({ viewport: size, locale: language === 'ar' ? 'ar-SA' : 'en-GB' })
    const page = await context.newPage()
    page.setDefaultTimeout(10_000)
    page.on('pageerror', (error) => faults.push(`broken: ${error.message}`))
    await page.goto(`${hospital.url}/provider`)
    await page.getByLabel(words.signIn.email).fill('provider@main.example')
    await page.getByLabel(words.signIn.password, { exact: false }).first().fill(PASSWORD)
    await page.keyboard.press('Enter')
    await page.waitForURL('**/provider')
    await page.getByRole('status', { name: words.live.live }).waitFor()
    return page
  }

  test('written and signed by keyboard, amended, compared; two tabs never overwrite one another', { timeout: 180_000 }, async () => {
    const doctor = await hospital.signIn('provider')
    const hub = await hospital.signIn('hub')
    const { patientId } = await hub.call(registerPatient, { name: { family: `Noted${language}`, given: 'Nadia' }, nameArabic: { family: 'نوري', given: 'نادية' }, sex: 'female', birthDate: language === 'en' ? '1971-01-01' : '1972-02-02' })
    await doctor.call(startEncounter, { patientId })
    const page = await signIn()
    await page.goto(`${hospital.url}/provider/patients/${patientId}`)
    const section = page.getByRole('region', { name: words.note.title })
    await section.getByRole('button', { name: words.note.new }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').getByRole('button', { name: said.kind }).waitFor()
    await look(page, 'kinds')
    await page.getByRole('dialog').getByRole('button', { name: said.kind }).press('Enter')
    await page.waitForURL('**/write')
    await page.getByRole('textbox').last().fill(said.plan)
    // It saves itself.
    await page.getByText(words.noteSaved.saved, { exact: true }).waitFor()
    await page.getByRole('textbox').last().fill(`${said.plan}.`)
    await page.getByText(words.noteSaved.changed, { exact: true }).waitFor()
    await look(page, 'write')
    await page.getByRole('button', { name: words.note.readAndSign }).press('Enter')
    const article = page.getByRole('article')
    await article.getByText(said.plan).waitFor()
    await look(page, 'draft')
    await page.getByRole('button', { name: words.note.sign, exact: true }).press('Enter')
    await page.getByRole('dialog').waitFor()
    await look(page, 'sign')
    await page.getByRole('dialog').getByRole('button', { name: words.note.sign, exact: true }).press('Enter')
    await article.getByText(words.noteState.signed, { exact: true }).waitFor()

    await page.getByRole('button', { name: words.note.amend, exact: true }).press('Enter')
    const amend = page.getByRole('dialog')
    await amend.getByRole('textbox').nth(3).fill(said.amended)
    await amend.getByRole('textbox', { name: words.note.reason }).fill(said.reason)
    await look(page, 'amend')
    await amend.getByRole('button', { name: words.note.amend, exact: true }).press('Enter')
    await amend.waitFor({ state: 'detached' })
    await page.getByRole('button', { name: words.note.addAddendum, exact: true }).press('Enter')
    await page.getByRole('dialog').getByRole('textbox').fill(said.addendum)
    await page.getByRole('dialog').getByRole('button', { name: words.note.addAddendum, exact: true }).press('Enter')
    await article.getByText(said.addendum).waitFor()
    await look(page, 'amended')

    await page.getByRole('link', { name: words.note.history }).press('Enter')
    await page.getByText(said.reason).waitFor()
    await page.getByRole('combobox', { name: words.note.compareTo }).click()
    await page.getByRole('option').nth(1).click()
    await page.getByRole('combobox', { name: words.note.compareFrom }).click()
    await page.getByRole('option').nth(2).click()
    await page.locator('del', { hasText: '100' }).waitFor()
    expect(await page.locator('ins').first().innerText()).toContain('200')
    expect(await page.locator('del').first().innerText()).toContain(words.note.takenOut)
    await look(page, 'history')

    // Somebody saves in another tab while this one is being written.
    const draft = await doctor.call(startNote, { patientId, kind: 'progress' })
    await page.goto(`${hospital.url}/provider/notes/${draft.noteId}/write`)
    await page.getByRole('textbox').first().waitFor()
    const other = await page.context().newPage()
    await other.goto(`${hospital.url}/provider/notes/${draft.noteId}/write`)
    await other.getByRole('textbox').last().fill(said.theirs)
    await other.getByText(words.noteSaved.saved, { exact: true }).waitFor()
    await page.getByRole('textbox').last().fill(said.mine)
    await page.getByText(words.note.conflict).waitFor()
    expect(await page.locator('main').innerText()).toContain(said.theirs.split(' ').at(-1))
    await look(page, 'conflict')
    await page.getByRole('button', { name: words.note.keepMine }).press('Enter')
    await page.getByText(words.noteSaved.saved, { exact: true }).waitFor()
    await page.getByRole('button', { name: words.note.readAndSign }).press('Enter')
    await article.getByText(said.mine).waitFor()
    await page.getByRole('button', { name: words.note.markInError }).press('Enter')
    await page.getByRole('dialog').getByRole('textbox').fill(said.reason)
    await page.getByRole('dialog').getByRole('button', { name: words.note.markInError }).press('Enter')
    await article.getByText(words.noteState['entered-in-error'], { exact: true }).first().waitFor()

    await page.goto(`${hospital.url}/provider/patients/${patientId}/notes`)
    await page.getByRole('link', { name: said.kind }).first().waitFor()
    expect(await page.getByRole('link', { name: said.kind }).count()).toBe(1)
    await page.getByRole('checkbox', { name: words.note.showInError }).check()
    await page.getByText(words.noteState['entered-in-error'], { exact: true }).waitFor()
    await look(page, 'list')
    await page.goto(`${hospital.url}/provider/unsigned`)
    await page.getByText(words.note.noneToSign).waitFor()
    await look(page, 'to-sign')

    const phone = await signIn({ width: 390, height: 844 })
    for (const path of [`patients/${patientId}`, `patients/${patientId}/notes`, `notes/${draft.noteId}`, `notes/${draft.noteId}/history`]) {
      await phone.goto(`${hospital.url}/provider/${path}`)
      await phone.getByRole('heading', { level: 1 }).waitFor({ state: 'attached' })
      await phone.waitForTimeout(400)
      expect(await phone.evaluate('document.documentElement.scrollWidth'), path).toBeLessThanOrEqual(390)
      await look(phone, `phone-${path.split('/')[0]}-${path.split('/')[2] ?? 'one'}`)
    }
    await phone.context().close()
    await page.context().close()
    expect(faults).toEqual([])
  })
})
