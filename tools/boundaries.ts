// Who may import whom. `exports` of the packages stop deep imports at the type checker; these rules stop the rest:
// what a package exports for somebody else, relative paths out of a package, cycles, and server code in a browser.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cruise, type IFlattenedRuleSet } from 'dependency-cruiser'

const FOLDERS = ['engine', 'modules', 'links', 'packs', 'web', 'portals', 'apps', 'bench', 'e2e', 'tools']

/** Code a browser loads. Vite's configuration runs in Node. */
const BROWSER = { path: '^(web|portals|apps/web|modules/[^/]+/web)/', pathNot: '\\.(config|test)\\.ts$' }
const CONTRACTS = ['^(modules|links)/[^/]+/src/contract\\.ts$', '^modules/identity/src/factor-contract\\.ts$', '^engine/kit/src/contract\\.ts$', '^packs/[^/]+/src/contract\\.ts$', '^packs/core/']
/** What another module may read a resource with: pure functions from a resource to the shape in the contract. */
const READINGS = '^modules/[^/]+/src/([^/]+-summary|vital-signs)\\.ts$'
const FHIR_TYPES = '^engine/fhir/src/resource\\.ts$'
/** Everything of ours, which tells it from packages of others. */
const OURS = `^(${FOLDERS.join('|')})/`
/** They put the hospital together, or try it as a whole. */
const WHOLE = '^(apps|bench|e2e|tools)/'

const rules: IFlattenedRuleSet = {
  forbidden: [
    {
      name: 'engine-knows-no-module',
      comment: 'The engine imports no module, link, pack, portal or app.',
      severity: 'error',
      from: { path: '^engine/' },
      to: { path: OURS, pathNot: '^engine/' },
    },
    {
      name: 'modules-meet-at-contracts',
      comment: 'A module or link imports another module at its contract, or at a reading of its resources.',
      severity: 'error',
      from: { path: '^(modules|links)/([^/]+)/' },
      to: { path: '^modules/', pathNot: ['^$1/$2/', ...CONTRACTS, READINGS] },
    },
    {
      name: 'contracts-and-readings-are-plain',
      comment: 'Both sides load them, so they import contracts, panels and FHIR types only.',
      severity: 'error',
      from: { path: [...CONTRACTS, READINGS] },
      to: { path: OURS, pathNot: [...CONTRACTS, READINGS, FHIR_TYPES] },
    },
    {
      name: 'contracts-use-no-node',
      severity: 'error',
      from: { path: [...CONTRACTS, READINGS] },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'packs-are-data',
      comment: 'A pack holds content; it knows the shape of a resource and nothing of the modules that use it.',
      severity: 'error',
      from: { path: '^packs/', pathNot: '\\.test\\.ts$' },
      to: { path: OURS, pathNot: ['^packs/', FHIR_TYPES, '^engine/kit/src/contract\\.ts$'] },
    },
    {
      name: 'browser-sees-contracts',
      comment: 'Code in a browser sees contracts, panels and FHIR types, never server code.',
      severity: 'error',
      from: BROWSER,
      to: { path: OURS, pathNot: ['^(web|portals|apps/web|modules/[^/]+/web)/', ...CONTRACTS, FHIR_TYPES] },
    },
    {
      name: 'browser-has-no-node',
      severity: 'error',
      from: BROWSER,
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'portals-stand-alone',
      comment: 'Portals never import each other.',
      severity: 'error',
      from: { path: '^portals/([^/]+)/' },
      to: { path: '^portals/', pathNot: '^portals/$1/' },
    },
    {
      name: 'screens-know-no-portal',
      comment: 'Nothing imports a portal except apps.',
      severity: 'error',
      from: { pathNot: [WHOLE, '^portals/'] },
      to: { path: '^portals/' },
    },
    {
      name: 'links-are-leaves',
      comment: 'Nothing imports a link except apps.',
      severity: 'error',
      from: { path: '^(engine|modules|links|packs)/([^/]+)/' },
      to: { path: '^links/', pathNot: '^$1/$2/' },
    },
    {
      name: 'screens-see-contracts-of-links',
      comment: 'A screen that shows what a link keeps uses its contract.',
      severity: 'error',
      from: { path: '^(portals|web)/' },
      to: { path: '^links/', pathNot: CONTRACTS },
    },
    {
      name: 'apps-are-the-top',
      comment: 'Nothing imports an app but apps and what tries the whole.',
      severity: 'error',
      from: { pathNot: WHOLE },
      to: { path: '^(apps|bench|e2e|tools)/' },
    },
    {
      name: 'no-way-out-of-a-package',
      comment: 'Another package is imported by its name, which its exports then check.',
      severity: 'error',
      from: { path: '^((engine|modules|links|packs|web|portals|apps)/[^/]+|bench|e2e|tools)/' },
      to: { dependencyTypes: ['local'], pathNot: '^$1/' },
    },
    {
      name: 'everything-resolves',
      severity: 'error',
      from: {},
      // It holds types only, for which there is nothing to resolve at run time.
      to: { couldNotResolve: true, pathNot: '^@medplum/fhirtypes$' },
    },
  ],
}

// `import type` is erased and closes no circle at run time, but it does tie one part to another: the rules above count
// it and this one does not.
const atRunTime: IFlattenedRuleSet = {
  forbidden: [{ name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } }],
}

export interface Violation {
  rule: string
  from: string
  to: string
}

interface Parsed {
  body: { type: string; typeOnly?: boolean }[]
}

const swc = createRequire(import.meta.url)('@swc/core') as { parseFileSync: (path: string, options: object) => Parsed }
const parseFileSync = swc.parseFileSync
let typeImports: 'counted' | 'left out' = 'counted'
// dependency-cruiser hands every file to swc as TypeScript without JSX, and the screens then do not parse; nor does it
// tell type imports from others.
swc.parseFileSync = (path, options) => {
  const parsed = parseFileSync(path, { ...options, tsx: path.endsWith('.tsx') })
  return typeImports === 'counted' ? parsed : { ...parsed, body: parsed.body.filter(({ typeOnly }) => typeOnly !== true) }
}

async function look(root: string, ruleSet: IFlattenedRuleSet): Promise<{ files: number; violations: Violation[] }> {
  const { output } = await cruise(
    FOLDERS.filter((folder) => existsSync(join(root, folder))),
    { ruleSet, validate: true, baseDir: root, parser: 'swc', doNotFollow: { path: 'node_modules' }, exclude: { path: '(^|/)dist/' } },
    { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node'], extensions: ['.ts', '.tsx', '.js', '.json'] },
  )
  if (typeof output === 'string') throw new Error(output)
  const ours = new RegExp(OURS)
  return {
    files: output.modules.filter(({ source }) => ours.test(source)).length,
    violations: output.summary.violations.map(({ rule, from, to }) => ({ rule: rule.name, from, to })),
  }
}

/** The violations in the workspace at `root` (a real path), and how many of its files were looked at. */
export async function findViolations(root: string): Promise<{ files: number; violations: Violation[] }> {
  typeImports = 'counted'
  const { files, violations } = await look(root, rules)
  typeImports = 'left out'
  const cycles = await look(root, atRunTime)
  return { files, violations: [...violations, ...cycles.violations] }
}

if (import.meta.main) {
  const { files, violations } = await findViolations(fileURLToPath(new URL('..', import.meta.url)))
  for (const { rule, from, to } of violations) process.stdout.write(`${rule}: ${from} -> ${to}\n`)
  process.stdout.write(`${files} files, ${violations.length} violations\n`)
  // A parser that reads nothing finds nothing: no files is a failure.
  process.exit(files > 0 && violations.length === 0 ? 0 : 1)
}
