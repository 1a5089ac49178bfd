import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { AxeBuilder } from '@axe-core/playwright'
import chromium from '@sparticuz/chromium'
import { type Browser, chromium as driver, type Page } from 'playwright-core'

const SYSTEM_CHROMIUM = '/usr/bin/chromium'

/** The system's Chromium, or the one that comes with the packages. Root may not use its sandbox. */
export async function openBrowser(): Promise<Browser> {
  return await driver.launch({
    executablePath: existsSync(SYSTEM_CHROMIUM) ? SYSTEM_CHROMIUM : await chromium.executablePath(),
    // Not the package's own arguments: they put everything into one process, which ends with its first page.
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  })
}

/** WCAG 2.2 AA faults of the page as it is, as `rule: selector`. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  // Colours are judged when nothing fades any more.
  await page.waitForTimeout(350)
  const { violations } = await new AxeBuilder({ page: page as never })
    // The other mode opens a tab beside the page, which takes the focus away from it.
    .setLegacyMode(true)
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'])
    .analyze()
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')} ${failureSummary ?? ''}`))
}

/** Keeps a picture of the page when CARESPINE_SCREENSHOTS names a folder. */
export async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env.CARESPINE_SCREENSHOTS
  if (!folder) return
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`) })
}
