import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addClient } from '@carespine/identity/accounts'
import type { DiagnosticReport, Observation, Subscription } from '@carespine/fhir/resource'
import { readConfig } from '@carespine/kit/config'
import { startHospital } from '@carespine/server/hospital-server'
import { MllpClient } from '@carespine/link-hl7v2/mllp-client'
import { type TestDatabase, testDatabase } from '@carespine/testing/database'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fhirClient, type FhirClient } from './fhir-client.ts'
import { criticalResult, fillDatabase, ServerProcess } from './server-process.ts'
import { receiver, told, until } from './subscription-receivers.ts'

let database: TestDatabase
let dataFolder: string
let server: ServerProcess
let fhir: FhirClient
let client: { client_id: string; client_secret: string }
let id: string
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
  id = await subscribe('resource-changed', 'Observation?code=8867-4')
})

afterAll(async () => {
  if (server?.hasEnded === false) await server.kill('SIGTERM')
  await hook.close()
  await database.drop()
  await rm(dataFolder, { recursive: true, force: true })
})

async function subscribe(topic: string, filter?: string): Promise<string> {
  const extension = (name: string, value: object) => ({ extension: [{ url: `http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-${name}`, ...value }] })
  const made = await fhir.create({
    resourceType: 'Subscription',
    status: 'requested',
    reason: 'a test',
    criteria: `https://carespine.example/fhir/SubscriptionTopic/${topic}`,
    ...(filter === undefined ? {} : { _criteria: extension('filter-criteria', { valueString: filter }) }),
    channel: { type: 'rest-hook', endpoint: hook.url, _payload: extension('payload-content', { valueCode: 'id-only' }) },
  } as Subscription)
  await until(async () => (await fhir.send<Subscription>('GET', `/Subscription/${made.id}`)).body.status === 'active')
  return made.id
}

const eventsOf = (subscription: string) =>
  hook.received
    .filter(({ text }) => text.includes(`Subscription/${subscription}/`))
    .map(({ bundle }) => told(bundle))
    .filter(({ type }) => type === 'event-notification')

test('a critical result that an analyser sent is told of with its report', async () => {
  const critical = await subscribe('critical-result')
  const [hub, provider, lab] = [await server.signIn('hub'), await server.signIn('provider'), await server.signIn('lab')]
  const { message, controlId } = await criticalResult({ hub, provider, lab }, 1)
  const analyser = await MllpClient.open(server.hl7Port)
  expect(await analyser.send(message)).toContain(`MSA|AA|${controlId}`)
  analyser.close()
  const [event] = await until(() => ((found) => found.length > 0 && found)(eventsOf(critical)))
  expect(event?.focus).toEqual([expect.stringMatching(/^DiagnosticReport\//)])
  const report = await fhir.send<DiagnosticReport>('GET', `/${event?.focus[0]}`)
  expect(report.body.status).toBe('final')
})

test('the server is killed right after it stored what is followed: all of it is told after the next start, in order', async () => {
  const stored: string[] = []
  for (const delay of [0, 10]) {
    const batch = await Promise.all(
      [1, 2, 3].map((value) => fhir.create<Observation>({ resourceType: 'Observation', status: 'final', code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] }, valueQuantity: { value } })),
    )
    stored.push(...batch.map((one) => one.id))
    if (delay > 0) await new Promise((done) => setTimeout(done, delay))
    await server.kill()
    await server.start()
    await signIn()
  }
  const events = () => eventsOf(id)
  await until(() => new Set(events().flatMap(({ focus }) => focus)).size === stored.length, 30_000)
  // At least once: what was under way when the server was killed may come twice, under its number.
  expect(events().flatMap(({ focus }) => focus).filter((reference, at, all) => all.indexOf(reference) === at).toSorted()).toEqual(stored.map((one) => `Observation/${one}`).toSorted())
  const numbers = events().flatMap((event) => event.numbers)
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
  expect([...new Set(numbers)]).toEqual(stored.map((_, at) => at + 1))
}, 120_000)
