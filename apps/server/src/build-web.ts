import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const dist = join(root, 'apps/web/dist')
const stamp = join(dist, 'sources.txt')

/** Whatever the built portals come from: screens, contracts, content, and the versions of what they import. */
const sources = ['web', 'portals', 'apps/web', 'modules', 'links', 'packs/core', 'engine/kit/src/contract.ts', 'package-lock.json']
const skipped = /(^|\/)(node_modules|dist|migrations)$|\.test\.tsx?$|\.sql$|\.md$/

function* filesUnder(path: string): Generator<string> {
  if (!existsSync(path) || skipped.test(path)) return
  if (statSync(path).isDirectory()) {
    for (const name of readdirSync(path).sort()) yield* filesUnder(join(path, name))
  } else yield path
}

function fingerprint(): string {
  const hash = createHash('sha256')
  for (const source of sources) {
    for (const file of filesUnder(join(root, source))) hash.update(file.slice(root.length)).update(readFileSync(file))
  }
  return hash.digest('hex')
}

/** Builds the portals unless the last build is of the same sources. */
export async function buildWeb(onProgress: (step: string) => void): Promise<void> {
  const config = join(root, 'apps/web/vite.config.ts')
  if (!existsSync(config)) return
  const now = fingerprint()
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === now) return
  onProgress('Building the portals')
  // In a process of its own: the bundler's memory goes away with it.
  const vite = join(root, 'node_modules/vite/bin/vite.js')
  const build = promisify(execFile)(process.execPath, [vite, 'build', join(root, 'apps/web'), '--config', config, '--logLevel', 'error'])
  await build.catch((error: { stderr?: string }) => {
    throw new Error(`The portals could not be built:\n${error.stderr ?? ''}`)
  })
  writeFileSync(stamp, now)
}
