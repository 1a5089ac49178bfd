import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '@carespine/store/embedded-postgres'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** PostgreSQL of this test run, as its owner. */
    ownerUrl: string
  }
}

/** One PostgreSQL for the whole run: the one in TEST_DATABASE_URL, or an embedded one in a folder of its own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env.TEST_DATABASE_URL
  if (given) {
    project.provide('ownerUrl', given)
    return async () => undefined
  }
  const folder = await mkdtemp(join(tmpdir(), 'carespine-test-'))
  const postgres = await startPostgres({ folder: join(folder, 'postgres') })
  project.provide('ownerUrl', postgres.url)
  return async () => {
    await postgres.stop()
    await rm(folder, { recursive: true, force: true })
  }
}
