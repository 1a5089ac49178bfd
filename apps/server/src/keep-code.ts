import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

/** Keeps compiled code in the data folder, from the first call on. */
export function keepCode(dataFolder: string): void {
  enableCompileCache(join(dataFolder, 'code-cache'))
}
