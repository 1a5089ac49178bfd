import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { findViolations } from './boundaries.ts'

/** A hospital of a few files that keeps every rule. */
const clean: Readonly<Record<string, string>> = {
  'engine/kit/package.json': exporting('kit', ['contract', 'module']),
  'engine/kit/src/contract.ts': 'export const action = 1',
  'engine/kit/src/module.ts': "import { readFile } from 'node:fs/promises'\nimport { action } from './contract.ts'\nexport const command = [action, readFile]",
  'engine/fhir/package.json': exporting('fhir', ['resource']),
  'engine/fhir/src/resource.ts': 'export interface Patient { id: string }',
  'modules/lab/package.json': exporting('lab', ['contract', 'release', 'report-summary']),
  'modules/lab/src/contract.ts': "import { action } from '@carespine/kit/contract'\nexport const release = action",
  'modules/lab/src/release.ts': "import { command } from '@carespine/kit/module'\nexport const run = command",
  'modules/lab/src/report-summary.ts': "import type { Patient } from '@carespine/fhir/resource'\nexport const summaryOf = (patient: Patient): string => patient.id",
  'modules/chart/package.json': exporting('chart', ['contract']),
  'modules/chart/src/contract.ts': "import { release } from '@carespine/lab/contract'\nexport const chart = release",
  'modules/chart/src/build-chart.ts': "import { summaryOf } from '@carespine/lab/report-summary'\nexport const build = summaryOf",
  'links/hl7v2/package.json': exporting('link-hl7v2', ['contract', 'listener']),
  'links/hl7v2/src/contract.ts': "import { action } from '@carespine/kit/contract'\nexport const resolve = action",
  'links/hl7v2/src/listener.ts': "import { release } from '@carespine/lab/contract'\nexport const listen = release",
  'packs/core/package.json': exporting('pack-core', ['panels']),
  'packs/core/src/panels.ts': 'export const panels = []',
  'web/shell/package.json': exporting('shell', ['page']),
  'web/shell/src/page.tsx': "import { release } from '@carespine/lab/contract'\nexport const Page = () => <p title={String(release)} hidden />",
  'portals/hub/package.json': exporting('portal-hub', ['routes']),
  'portals/hub/src/routes.tsx': "import { Page } from '@carespine/shell/page'\nexport const hub = <Page />",
  'portals/lab/package.json': exporting('portal-lab', ['routes']),
  'portals/lab/src/routes.tsx': "import { resolve } from '@carespine/link-hl7v2/contract'\nimport { panels } from '@carespine/pack-core/panels'\nexport const lab = [resolve, panels]",
  'apps/web/package.json': exporting('web', ['main']),
  'apps/web/src/main.tsx': "export const hub = () => import('@carespine/portal-hub/routes')",
  'apps/server/package.json': exporting('server', ['serve']),
  'apps/server/src/serve.ts': "import { listen } from '@carespine/link-hl7v2/listener'\nimport { run } from '@carespine/lab/release'\nexport const serve = [listen, run]",
}

function exporting(name: string, files: readonly string[]): string {
  const tsx = ['page', 'routes', 'main']
  const exports = Object.fromEntries(files.map((file) => [`./${file}`, `./src/${file}.${tsx.includes(file) ? 'tsx' : 'ts'}`]))
  return JSON.stringify({ name: `@carespine/${name}`, type: 'module', exports })
}

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function build(planted: Readonly<Record<string, string>>): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'carespine-boundaries-')))
  folders.push(root)
  writeFileSync(join(root, 'package.json'), JSON.stringify({ name: 'planted', type: 'module' }))
  mkdirSync(join(root, 'node_modules/@carespine'), { recursive: true })
  for (const [path, text] of Object.entries({ ...clean, ...planted })) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
    if (path.endsWith('package.json')) symlinkSync(join(root, dirname(path)), join(root, 'node_modules', (JSON.parse(text) as { name: string }).name))
  }
  return root
}

describe('who may import whom', () => {
  test('a hospital that keeps the rules passes, and all of its files were read', async () => {
    const { files, violations } = await findViolations(build({}))
    expect(violations).toEqual([])
    expect(files).toBe(Object.keys(clean).filter((path) => !path.endsWith('package.json')).length)
  })

  test.each<[sentence: string, rule: string, path: string, text: string]>([
    ['the engine that uses a module', 'engine-knows-no-module', 'engine/kit/src/http.ts', "import { release } from '@carespine/lab/contract'\nexport const x = release"],
    ['a module that uses another one behind its contract', 'modules-meet-at-contracts', 'modules/chart/src/read.ts', "import { run } from '@carespine/lab/release'\nexport const x = run"],
    ['a link that uses a module behind its contract', 'modules-meet-at-contracts', 'links/hl7v2/src/apply.ts', "import { run } from '@carespine/lab/release'\nexport const x = run"],
    ['a contract that brings server code along', 'contracts-and-readings-are-plain', 'modules/lab/src/contract.ts', "import { command } from '@carespine/kit/module'\nexport const release = command"],
    ['a contract that uses Node', 'contracts-use-no-node', 'modules/lab/src/contract.ts', "import { readFile } from 'node:fs'\nexport const release = readFile"],
    ['a reading that brings server code along', 'contracts-and-readings-are-plain', 'modules/lab/src/report-summary.ts', "import { run } from './release.ts'\nexport const summaryOf = run"],
    ['a pack that uses a module', 'packs-are-data', 'packs/core/src/load.ts', "import { release } from '@carespine/lab/contract'\nexport const x = release"],
    ['a screen that uses server code', 'browser-sees-contracts', 'web/shell/src/api.ts', "import { command } from '@carespine/kit/module'\nexport const x = command"],
    ['a screen that uses no more than a type of server code', 'browser-sees-contracts', 'portals/hub/src/home.tsx', "import type { run } from '@carespine/lab/release'\nexport const Home = (): typeof run => <b hidden />"],
    ['a screen of a module that uses its own server code', 'browser-sees-contracts', 'modules/lab/web/tube.tsx', "import { run } from '../src/release.ts'\nexport const Tube = () => <b hidden>{run}</b>"],
    ['the browser that loads server code late', 'browser-sees-contracts', 'apps/web/src/late.ts', "export const x = () => import('@carespine/kit/module')"],
    ['a screen that uses Node', 'browser-has-no-node', 'web/shell/src/file.ts', "import { readFile } from 'node:fs'\nexport const x = readFile"],
    ['a portal that uses another portal', 'portals-stand-alone', 'portals/lab/src/home.tsx', "import { hub } from '@carespine/portal-hub/routes'\nexport const Home = () => <b hidden>{hub}</b>"],
    ['the shell that knows a portal', 'screens-know-no-portal', 'web/shell/src/app.ts', "import { hub } from '@carespine/portal-hub/routes'\nexport const x = hub"],
    ['a module that uses a link', 'links-are-leaves', 'modules/lab/src/send.ts', "import { resolve } from '@carespine/link-hl7v2/contract'\nexport const x = resolve"],
    ['a portal that uses a link behind its contract', 'screens-see-contracts-of-links', 'portals/lab/src/send.ts', "import { listen } from '@carespine/link-hl7v2/listener'\nexport const x = listen"],
    ['a module that uses an app', 'apps-are-the-top', 'modules/lab/src/boot.ts', "import { serve } from '@carespine/server/serve'\nexport const x = serve"],
    ['a path that leaves its package', 'no-way-out-of-a-package', 'modules/chart/src/read.ts', "import { release } from '../../lab/src/contract.ts'\nexport const x = release"],
    ['a file that is not there', 'everything-resolves', 'modules/chart/src/read.ts', "import { x } from './gone.ts'\nexport const y = x"],
  ])('%s is caught', async (_sentence, rule, path, text) => {
    const { violations } = await findViolations(build({ [path]: text }))
    expect(violations.map((violation) => `${violation.rule}: ${violation.from}`)).toContain(`${rule}: ${path}`)
  })

  test('two files that need each other are caught', async () => {
    const { violations } = await findViolations(
      build({ 'modules/chart/src/a.ts': "import { b } from './b.ts'\nexport const a = (): unknown => b", 'modules/chart/src/b.ts': "import { a } from './a.ts'\nexport const b = a" }),
    )
    expect(violations).toEqual([{ rule: 'no-cycles', from: 'modules/chart/src/a.ts', to: 'modules/chart/src/b.ts' }])
  })

  test('two files that need no more than types of each other pass', async () => {
    const { violations } = await findViolations(
      build({ 'modules/chart/src/a.ts': "import type { b } from './b.ts'\nexport const a: typeof b | 1 = 1", 'modules/chart/src/b.ts': "import { a } from './a.ts'\nexport const b = a as number" }),
    )
    expect(violations).toEqual([])
  })
})
