import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addClient } from '@carespine/identity/accounts'
import type { Observation, Subscription } from '@carespine/fhir/resource'
import { readConfig } from '@carespine/kit/config'
import { startHospital } from '@carespine/server/hospital-server'
import { type TestDatabase, testDatabase } from '@carespine/testing/database'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fhirClient, type FhirClient } from './fhir-client.ts'
import { fillDatabase, ServerProcess } from './server-process.ts'
import { receiver, told, until } from './subscription-receivers.ts'

let database: TestDatabase
let dataFolder: string
let server: ServerProcess
let fhir: FhirClient
let client: { client_id: string; client_secret: string }
let hook: Awaited<ReturnType<typeof receiver>>

async function signIn(): Promise<void> {
  const response = await fetch(`${server.url}/oauth2/token`, { method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials', ...client }) })
  const { access_token: token } = (await response.json()) as { access_token: string }
  fhir = fhirClient((path, init) => fetch(server.url + path, { ...init, headers: { authorization: `Bearer ${token}`, ...init?.headers } }))
}

beforeAll(async () => {
  hook = await receiver()
  database = await testDatabase()
  dataFolder = await mkdtemp(join(tmpdir(), 'carespine-subscriptions-'))
  await fillDatabase(database.url, dataFolder)
  const hospital = await startHospital(readConfig({ PORT: '0', CARESPINE_DATA: dataFolder, DATABASE_URL: database.url, ROLES: 'api', LOG_LEVEL: 'error' }), { ownerUrl: database.url })
  const { services } = hospital
  client = await services.transact(services.system('identity'), { correlationId: randomUUID(), action: 'test.fill', module: 'identity' }, ({ tx }) => addClient(tx, { display: 'Subscriber', roles: ['system'] }))
  await hospital.close()
  server = await ServerProcess.on(dataFolder, {}, { DATABASE_URL: database.url, SUBSCRIPTION_HOSTS: '127.0.0.1' })
  await server.start()
  await signIn()
})

afterAll(async () => {
  if (server?.hasEnded === false) await server.kill('SIGTERM')
  await hook.close()
  await database.drop()
  await rm(dataFolder, { recursive: true, force: true })
})

test('the server is killed right after it stored what is followed: all of it is told after the next start, in order', async () => {
  const extension = (name: string, value: object) => ({ extension: [{ url: `http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-${name}`, ...value }] })
  const { id } = await fhir.create({
    resourceType: 'Subscription',
    status: 'requested',
    reason: 'a test',
    criteria: 'https://carespine.example/fhir/SubscriptionTopic/resource-changed',
    _criteria: extension('filter-criteria', { valueString: 'Observation?code=8867-4' }),
    channel: { type: 'rest-hook', endpoint: hook.url, _payload: extension('payload-content', { valueCode: 'id-only' }) },
  } as Subscription)
  await until(async () => (await fhir.send<Subscription>('GET', `/Subscription/${id}`)).body.status === 'active')
  const stored: string[] = []
  for (const delay of [0, 3, 10, 40]) {
    const batch = await Promise.all(
      [1, 2, 3].map((value) => fhir.create<Observation>({ resourceType: 'Observation', status: 'final', code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] }, valueQuantity: { value } })),
    )
    stored.push(...batch.map((one) => one.id))
    if (delay > 0) await new Promise((done) => setTimeout(done, delay))
    await server.kill()
    await server.start()
    await signIn()
  }
  const events = () => hook.received.map(({ bundle }) => told(bundle)).filter(({ type }) => type === 'event-notification')
  await until(() => new Set(events().flatMap(({ focus }) => focus)).size === stored.length, 30_000)
  // At least once: what was under way when the server was killed may come twice, under its number.
  expect(events().flatMap(({ focus }) => focus).filter((reference, at, all) => all.indexOf(reference) === at).toSorted()).toEqual(stored.map((one) => `Observation/${one}`).toSorted())
  const numbers = events().flatMap((event) => event.numbers)
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
  expect([...new Set(numbers)]).toEqual(stored.map((_, at) => at + 1))
}, 120_000)
