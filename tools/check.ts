// `npm run check`: everything a change must pass, in one run. All steps run, so that one run tells all that is wrong.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

const steps: readonly (readonly [name: string, ...script: string[]])[] = [
  ['types of the server', 'node_modules/typescript/bin/tsc', '--noEmit', '-p', 'tsconfig.json'],
  ['types of the screens', 'node_modules/typescript/bin/tsc', '--noEmit', '-p', 'tsconfig.web.json'],
  ['lint', 'node_modules/@biomejs/biome/bin/biome', 'lint', '--error-on-warnings', '--diagnostic-level=warn'],
  ['unused code', 'node_modules/knip/bin/knip.js', '--no-progress'],
  ['who imports whom', 'tools/boundaries.ts'],
  ['tests', 'tools/run-tests.ts'],
]

const results = steps.map(([name, ...script]) => {
  process.stdout.write(`\n— ${name}\n`)
  const began = performance.now()
  const { status } = spawnSync(process.execPath, script, { cwd: root, stdio: 'inherit' })
  const line = `${status === 0 ? 'passed' : 'FAILED'}  ${name}  ${((performance.now() - began) / 1000).toFixed(1)} s`
  process.stdout.write(`${line}\n`)
  return { passed: status === 0, line }
})

process.stdout.write(`\n${results.map(({ line }) => line).join('\n')}\n`)
process.exit(results.every(({ passed }) => passed) ? 0 : 1)
