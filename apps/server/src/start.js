// `npm start`. JavaScript, and nothing else is imported before compiled code is looked for: then a warm start never loads
// what strips types, which takes a tenth of a second. It also tells a Node that cannot read types so.
import { mkdirSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

const [major] = process.versions.node.split('.').map(Number)
if (major < 24) {
  process.stderr.write(`\nCarespine needs Node 24; this is ${process.version}. Run it with: npm start\n`)
  process.exit(1)
}
const folder = process.env.CARESPINE_DATA || './data'
try {
  mkdirSync(folder, { recursive: true, mode: 0o711 })
  enableCompileCache(join(folder, 'code-cache'))
} catch {
  // What is wrong with the folder is said where it is needed.
}
await import('./serve.ts')
