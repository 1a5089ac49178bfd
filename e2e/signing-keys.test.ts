import { execFile } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { hospitalModules } from '@carespine/server/modules'
import { clockAt, testDatabase, type TestDatabase } from '@carespine/testing/database'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fillDatabase, ServerProcess } from './server-process.ts'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

const me = async (url: string, token: string) => (await fetch(`${url}/api/auth/me`, { headers: { authorization: `Bearer ${token}` } })).status
const jwks = async (url: string) => (await (await fetch(`${url}/.well-known/jwks.json`)).json()) as Parameters<typeof createLocalJWKSet>[0]
const kidOf = (token: string) => decodeProtectedHeader(token).kid ?? ''

describe('a hospital whose keys change by the clock', () => {
  const clock = clockAt(new Date().toISOString())
  let hospital: TestHospital
  beforeAll(async () => {
    hospital = await startTestHospital({ now: clock.now })
  })
  afterAll(() => hospital?.close())

  const runJob = async (): Promise<void> => {
    const job = hospitalModules().identity.module.jobs?.find(({ name }) => name === 'identity.rotate-signing-keys')
    if (!job) throw new Error('there is no such job')
    const { services } = hospital.hospital
    await services.transact(services.system('identity'), { correlationId: randomUUID(), action: job.name, module: 'identity' }, (context) => job.run(context))
  }
  // The server looks at its keys again after five seconds by a clock that nobody moves, at once for a kid it does not know.
  const keysAreLookedAt = () => new Promise((done) => setTimeout(done, 5200))

  test('a token names its key, and anybody can check it with the published ones', async () => {
    const { token } = await hospital.signIn('lab')
    const { protectedHeader, payload } = await jwtVerify(token, createLocalJWKSet(await jwks(hospital.url)), { currentDate: clock.now() })
    expect(protectedHeader).toMatchObject({ alg: 'ES256', kid: kidOf(token) })
    expect(payload).toMatchObject({ iss: 'carespine', portal: 'lab' })
    expect(JSON.stringify(await jwks(hospital.url))).not.toContain('"d"')
  })

  test('a young key stays; after a month there is a new one, the former is published while its tokens live, and then refused', { timeout: 30_000 }, async () => {
    const before = await hospital.signIn('lab')
    await runJob()
    expect((await jwks(hospital.url)).keys).toHaveLength(1)
    clock.advance(31 * 86_400_000)
    const old = await hospital.signIn('lab')
    expect(kidOf(old.token)).toBe(kidOf(before.token))
    await runJob()
    await keysAreLookedAt()
    const fresh = await hospital.signIn('lab')
    expect(kidOf(fresh.token)).not.toBe(kidOf(old.token))
    expect((await jwks(hospital.url)).keys.map(({ kid }) => kid).toSorted()).toEqual([kidOf(old.token), kidOf(fresh.token)].toSorted())
    expect([await me(hospital.url, old.token), await me(hospital.url, fresh.token)]).toEqual([200, 200])
    clock.advance(601_000)
    expect((await jwks(hospital.url)).keys.map(({ kid }) => kid)).toEqual([kidOf(fresh.token)])
    await runJob()
    const owner = new pg.Client({ connectionString: hospital.databaseUrl })
    await owner.connect()
    // Its private part is gone as well.
    expect((await owner.query('select kid from identity.signing_key')).rows).toEqual([{ kid: kidOf(fresh.token) }])
    await owner.end()
  })
})

describe('two processes on one database', () => {
  let database: TestDatabase
  let folder: string
  const servers: ServerProcess[] = []
  const kek = randomBytes(32).toString('base64')
  const rotate = async (...args: string[]) =>
    await promisify(execFile)(process.execPath, [fileURLToPath(new URL('../apps/cli/src/cli.ts', import.meta.url)), 'signing-key', 'rotate', ...args], {
      env: { PATH: process.env.PATH, DATABASE_URL: database.url, CARESPINE_KEK: kek, CARESPINE_DATA: join(folder, 'cli') },
    })

  beforeAll(async () => {
    database = await testDatabase()
    folder = await mkdtemp(join(tmpdir(), 'carespine-keys-'))
    for (const name of ['one', 'two']) {
      const server = await ServerProcess.on(join(folder, name), {}, { DATABASE_URL: database.url, CARESPINE_KEK: kek })
      servers.push(server)
      await server.start()
    }
    await fillDatabase(database.url, join(folder, 'filler'), kek)
  }, 60_000)
  afterAll(async () => {
    for (const server of servers) await server.kill('SIGTERM')
    await database?.drop()
    await rm(folder, { recursive: true, force: true })
  })

  test('a key that the command line made signs and is accepted in both without a restart; with --at-once the former one is refused', { timeout: 60_000 }, async () => {
    const [one, two] = servers as [ServerProcess, ServerProcess]
    const old = await one.token('lab')
    expect(await me(two.url, old)).toBe(200)
    expect((await rotate()).stdout).toContain('signs from now on')
    // The first signs with it as soon as it looks; the second has never seen it.
    let fresh = old
    for (let waited = 0; waited < 10_000 && kidOf(fresh) === kidOf(old); waited += 500) {
      await new Promise((done) => setTimeout(done, 500))
      fresh = await one.token('lab')
    }
    expect(kidOf(fresh)).not.toBe(kidOf(old))
    expect([await me(two.url, fresh), await me(one.url, old), await me(two.url, old)]).toEqual([200, 200, 200])
    await rotate('--at-once')
    await new Promise((done) => setTimeout(done, 5500))
    expect([await me(one.url, fresh), await me(two.url, fresh), await me(two.url, old)]).toEqual([401, 401, 401])
    expect(await me(two.url, await one.token('lab'))).toBe(200)
  })
})
