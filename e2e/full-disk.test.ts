import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MllpClient } from '@carespine/link-hl7v2/mllp-client'
import { acknowledgeNotification, listNotifications } from '@carespine/notifications/contract'
import { registerPatient, searchPatients } from '@carespine/registration/contract'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Caller, criticalResult, fillDataFolder, ServerProcess } from './server-process.ts'

const MEGABYTE = 1024 * 1024
const disk = await smallDisk()
if (disk === undefined) console.warn('e2e/full-disk.test.ts is skipped: this account may not mount a small file system (on Linux, run it as root)')

let server: ServerProcess
let hub: Caller
let provider: Caller
let lab: Caller

const pause = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds))

/** A file system of 400 MB in memory; undefined where none can be mounted. */
async function smallDisk(): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'carespine-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=400m,mode=755', 'tmpfs', folder], { stdio: 'ignore' })
    return folder
  } catch {
    await rm(folder, { recursive: true, force: true })
    return undefined
  }
}

const filler = join(disk ?? '', 'filler')

function freeBytes(): number {
  const { bavail, bsize } = statfsSync(disk ?? '')
  return bavail * bsize
}

/** Takes the disk until so much is free, as a log or a backup in the wrong place would. */
function fillUntil(free: number): void {
  const file = openSync(filler, 'a')
  try {
    for (const step of [MEGABYTE, 4096]) {
      const bytes = Buffer.alloc(step, 1)
      while (freeBytes() > free && freeBytes() >= step) writeSync(file, bytes)
    }
  } finally {
    closeSync(file)
  }
}

const makeRoom = (): void => rmSync(filler, { force: true })

beforeAll(async () => {
  if (disk === undefined) return
  const dataFolder = join(disk, 'data')
  await fillDataFolder(dataFolder)
  server = await ServerProcess.on(dataFolder)
  await server.start()
  ;[hub, provider, lab] = [await server.signIn('hub'), await server.signIn('provider'), await server.signIn('lab')]
})
beforeEach(async () => {
  if (disk === undefined) return
  makeRoom()
  await until('new work is accepted', async () => (await register()) === '200')
})
afterAll(async () => {
  if (disk === undefined) return
  if (server?.hasEnded === false) await server.kill('SIGTERM').catch(() => server.kill())
  execFileSync('umount', ['-l', disk])
  await rm(disk, { recursive: true, force: true })
})

let newcomers = 0
const word = (): string => randomBytes(10).toString('base64').replaceAll(/[^a-z]/gi, 'o').toLowerCase()
/** Registers somebody whom nobody is like; 200, or the refusal. */
async function register(): Promise<string> {
  newcomers += 1
  const birthDate = new Date(Date.UTC(1930, 0, 1 + 97 * newcomers)).toISOString().slice(0, 10)
  return await hub(registerPatient, { name: { family: word(), given: word() }, sex: 'female', birthDate }).then(
    () => '200',
    ({ status, message }) => `${status} ${message}`,
  )
}

const search = async (): Promise<string> =>
  await hub(searchPatients, { text: 'Alpha' }).then(
    ({ patients }) => `${patients.length} found`,
    ({ status, message }) => `${status} ${message}`,
  )

async function send(message: string): Promise<string> {
  const analyser = await MllpClient.open(server.hl7Port)
  try {
    return await Promise.race([analyser.send(message), pause(25_000).then(() => 'no answer')])
  } catch {
    return 'no answer'
  } finally {
    analyser.close()
  }
}

const alertsAbout = async (patientId: string) => (await provider(listNotifications, { open: false })).notifications.filter((one) => one.patientId === patientId)

async function until(what: string, done: () => boolean | Promise<boolean>, patience = 30_000): Promise<void> {
  for (let waited = 0; waited < patience; waited += 100) {
    if (await done()) return
    await pause(100)
  }
  throw new Error(`waited in vain until ${what}; the server said:\n${server.said.slice(-1500)}`)
}

let results = 0
async function waitingResult() {
  results += 1
  return await criticalResult({ hub, provider, lab }, results)
}

async function owner(): Promise<pg.Client> {
  const [pid, password] = await Promise.all(['postgres/postmaster.pid', 'keys/database-password'].map((file) => readFile(join(server.dataFolder, file), 'utf8')))
  const client = new pg.Client({ connectionString: `postgres://carespine_owner:${password?.trim()}@127.0.0.1:${pid?.split('\n')[3]}/carespine` })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

/** Writes to the log of PostgreSQL until it stops: without room for that, it cannot go on at all. */
async function fillLogOfDatabase(): Promise<void> {
  const client = await owner()
  try {
    for (let written = 0; written < 400; written++) await client.query("select pg_logical_emit_message(true, 'full-disk', repeat(md5(random()::text), 32768))")
  } catch {
    // The end of the database, which was to be.
  } finally {
    await client.end().catch(() => undefined)
  }
}

describe.skipIf(disk === undefined)('a disk that is nearly full (a file system of 400 MB, mounted as root)', () => {
  test('takes no new work, and serves who reads, signs in or acknowledges; what was accepted before goes on', async () => {
    const [before, during] = [await waitingResult(), await waitingResult()]
    expect(await send(before.message)).toContain(`MSA|AA|${before.controlId}`)
    await until('the alert is there', async () => (await alertsAbout(before.patientId)).length > 0)
    fillUntil(80 * MEGABYTE)
    await until('new work is refused', async () => (await register()) === '503 STORE_FULL', 5000)
    const refused = await fetch(`${server.url}/fhir/R4/Patient`, {
      method: 'POST',
      headers: { 'content-type': 'application/fhir+json', authorization: `Bearer ${await server.token('hub')}` },
      body: JSON.stringify({ resourceType: 'Patient' }),
    })
    expect([refused.status, refused.headers.get('retry-after'), ((await refused.json()) as { resourceType: string }).resourceType]).toEqual([503, '2', 'OperationOutcome'])
    expect(await send(during.message)).toContain(`MSA|AE|${during.controlId}`)
    expect(await search()).toBe('1 found')
    const [alert] = await alertsAbout(before.patientId)
    await provider(acknowledgeNotification, { id: alert?.id ?? '' })
    expect((await alertsAbout(before.patientId))[0]?.acknowledgedBy).toBe('provider')
    expect(await server.readiness()).toBe(200)
    expect(await (await fetch(`${server.url}/metrics`)).text()).toMatch(/^carespine_data_free_bytes [78]\d{7}$/m)

    makeRoom()
    await until('new work is accepted', async () => (await register()) === '200', 5000)
    expect(await send(during.message)).toContain(`MSA|AA|${during.controlId}`)
    await until('the alert is there', async () => (await alertsAbout(during.patientId)).length > 0)
    expect(await alertsAbout(during.patientId)).toHaveLength(1)
  })
})

describe.skipIf(disk === undefined)('a disk that is full to the last byte (a file system of 400 MB, mounted as root)', () => {
  test('stores nothing and says so, never AA; with room it goes on as it was', async () => {
    const waiting = await waitingResult()
    const database = await server.postmaster()
    fillUntil(0)
    // Longer than the server takes to notice: until then what still fits is stored, and may be AA.
    await pause(1500)
    expect(await register()).toBe('503 STORE_FULL')
    // What reads and what is allowed in the reserve goes on until PostgreSQL finds no more room, and is then refused too.
    const reads = new Set<string>()
    for (let nth = 0; nth < 60; nth++) reads.add(await search())
    expect([...reads].filter((read) => read !== '1 found' && read !== '503 STORE_FULL')).toEqual([])
    expect(await send(waiting.message)).toContain(`MSA|AE|${waiting.controlId}`)
    expect(server.hasEnded).toBe(false)

    makeRoom()
    await until('new work is accepted', async () => (await register()) === '200', 5000)
    expect(await search()).toBe('1 found')
    expect(await server.postmaster()).toBe(database)
    expect(await send(waiting.message)).toContain(`MSA|AA|${waiting.controlId}`)
    await until('the alert is there', async () => (await alertsAbout(waiting.patientId)).length > 0)
    expect(await alertsAbout(waiting.patientId)).toHaveLength(1)
  })

  test('so that PostgreSQL stops: it is started again, as often as it takes, until there is room', async () => {
    const waiting = await waitingResult()
    expect(await send(waiting.message)).toContain(`MSA|AA|${waiting.controlId}`)
    const database = await server.postmaster()
    fillUntil(0)
    await fillLogOfDatabase()
    await until('it says that it is not ready', async () => (await server.readiness()) === 503)
    expect(await register()).toMatch(/^503 STORE_/)
    expect(await send(waiting.message)).not.toContain('MSA|AA|')
    await pause(3000)
    expect([server.hasEnded, await server.readiness()]).toEqual([false, 503])

    makeRoom()
    await until('it is ready', async () => (await server.readiness()) === 200)
    expect(await server.postmaster()).not.toBe(database)
    await until('new work is accepted', async () => (await register()) === '200', 5000)
    expect(await send(waiting.message)).toContain(`MSA|AA|${waiting.controlId}`)
    await until('the alert is there', async () => (await alertsAbout(waiting.patientId)).length > 0)
    expect(await alertsAbout(waiting.patientId)).toHaveLength(1)
  }, 120_000)
})
