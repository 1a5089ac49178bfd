import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Observation } from '@carespine/fhir/resource'
import { addClient } from '@carespine/identity/accounts'
import { readConfig } from '@carespine/kit/config'
import { startHospital } from '@carespine/server/hospital-server'
import { type TestDatabase, testDatabase } from '@carespine/testing/database'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bulkClient, namesOf } from './bulk-client.ts'
import { fillDatabase, ServerProcess } from './server-process.ts'

const RESOURCES = 6000

let database: TestDatabase
let dataFolder: string
let api: ServerProcess
let worker: ServerProcess
let client: { client_id: string; client_secret: string }
let bulk: ReturnType<typeof bulkClient>

beforeAll(async () => {
  database = await testDatabase()
  dataFolder = await mkdtemp(join(tmpdir(), 'carespine-bulk-'))
  await fillDatabase(database.url, dataFolder)
  const hospital = await startHospital(readConfig({ PORT: '0', CARESPINE_DATA: dataFolder, DATABASE_URL: database.url, ROLES: 'api', LOG_LEVEL: 'error' }), { ownerUrl: database.url })
  const { services } = hospital
  client = await services.transact(services.system('identity'), { correlationId: randomUUID(), action: 'test.fill', module: 'identity' }, ({ tx }) => addClient(tx, { display: 'Exporter', roles: ['system'] }))
  await hospital.close()
  // The key of the worker is the one in the folder of the other.
  const settings = { DATABASE_URL: database.url, CARESPINE_KEK_FILE: join(dataFolder, 'keys', 'key-encryption-key') }
  api = await ServerProcess.on(dataFolder, {}, { ...settings, ROLES: 'api' })
  worker = await ServerProcess.on(join(dataFolder, 'worker'), {}, { ...settings, ROLES: 'worker' })
  await api.start()
  await worker.start()
  const response = await fetch(`${api.url}/oauth2/token`, { method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials', ...client }) })
  const { access_token: token } = (await response.json()) as { access_token: string }
  bulk = bulkClient(api.url, (path, init) => fetch(api.url + path, { ...init, headers: { authorization: `Bearer ${token}`, ...init?.headers } }))
}, 180_000)

afterAll(async () => {
  for (const server of [worker, api]) if (server?.hasEnded === false) await server.kill('SIGTERM')
  await database?.drop()
  await rm(dataFolder, { recursive: true, force: true })
})

/** Kills the worker each time the job has come further, until it is done. Returns how often. */
async function killUntilDone(status: string, times: number): Promise<number> {
  let killed = 0
  let before = ''
  for (;;) {
    const response = await bulk.fetch(status)
    if (response.status === 200) return killed
    if (response.status !== 202) throw new Error(await response.text())
    const progress = response.headers.get('x-progress') ?? ''
    if (killed < times && progress !== before && !/^(waiting|0 )/.test(progress)) {
      await worker.kill()
      killed += 1
      before = progress
      await worker.start()
    } else await new Promise((done) => setTimeout(done, 5))
  }
}

test('the worker is killed in the middle of an import and of an export: each goes on where it was, nothing is lost or comes twice', async () => {
  const lines = Array.from({ length: RESOURCES }, (_one, nth): Observation => ({ resourceType: 'Observation', id: `o-${nth}`, status: 'final', code: { text: `made ${nth}` }, valueInteger: nth, note: [{ text: 'x'.repeat(200) }] }))
  const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
  const brought = await bulk.start('/$import', { method: 'POST', body, headers: { 'content-type': 'application/fhir+ndjson' } })
  expect(await killUntilDone(brought, 2)).toBe(2)
  const { manifest: first } = await bulk.export('/$export?_type=Observation')
  expect(first.output.map(({ count }) => count)).toEqual([RESOURCES])

  const status = await bulk.start('/$export?_type=Observation,Practitioner&_elements=id,Observation.value')
  expect(await killUntilDone(status, 2)).toBeGreaterThan(0)
  const { output } = await bulk.wait(status)
  const observations = await bulk.lines(output.filter(({ type }) => type === 'Observation'))
  expect(namesOf(observations)).toEqual(namesOf(lines))
}, 180_000)
