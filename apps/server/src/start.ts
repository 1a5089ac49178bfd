// `npm start`: what this process imports from here on is kept without its types, which took a fifth of a warm start.
import { existsSync } from 'node:fs'
import { keepCode } from './keep-code.ts'

const folder = process.env.CARESPINE_DATA || './data'
// A folder that is not there yet is made with the rights that it needs.
if (existsSync(folder)) keepCode(folder)
await import('./serve.ts')
