// `npm test`: runs every test and ends with the line `N passed, N failed, N skipped`.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Report {
  testResults: { name: string; status: string; message?: string; assertionResults: { status: string; fullName: string }[] }[]
}

const root = fileURLToPath(new URL('../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'carespine-report-'))
const file = join(folder, 'report.json')
const vitest = join(root, 'node_modules/vitest/vitest.mjs')
const run = spawnSync(
  process.execPath,
  [vitest, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`, ...process.argv.slice(2)],
  { cwd: root, stdio: 'inherit' },
)

let [passed, failed, skipped] = [0, 0, 0]
try {
  const report = JSON.parse(readFileSync(file, 'utf8')) as Report
  for (const { status, assertionResults, name } of report.testResults) {
    // A file that broke before its tests ran counts as a failure.
    if (status === 'failed' && assertionResults.length === 0) failed += 1
    for (const { status: one, fullName } of assertionResults) {
      if (one === 'passed') passed += 1
      else if (one === 'failed') failed += 1
      else {
        skipped += 1
        process.stdout.write(`skipped: ${name.replace(root, '')}: ${fullName}\n`)
      }
    }
  }
} catch {
  failed += 1
}
rmSync(folder, { recursive: true, force: true })
if (run.status !== 0 && failed === 0) failed += 1
process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`)
process.exit(failed === 0 ? 0 : 1)
