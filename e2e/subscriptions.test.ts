import { randomUUID } from 'node:crypto'
import { addClient } from '@carespine/identity/accounts'
import type { Bundle, CapabilityStatement, Observation, Parameters, Patient, Subscription } from '@carespine/fhir/resource'
import { idKey } from '@carespine/fhir/index-entries'
import { replayEvents, signingSecret } from '@carespine/subscriptions/contract'
import { isGenuine } from '@carespine/subscriptions/sign-notification'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { type FhirClient, fhirClient } from './fhir-client.ts'
import { mailbox, receiver, type Received, told, until } from './subscription-receivers.ts'
import { BRANCHES, type SignedInUser, startTestHospital, type TestHospital } from './test-hospital.ts'

const TOPICS = 'https://carespine.example/fhir/SubscriptionTopic'
const BACKPORT = 'http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport'
const MINUTE = 60_000

let hospital: TestHospital
let mail: Awaited<ReturnType<typeof mailbox>>
let hook: Awaited<ReturnType<typeof receiver>>
let clock = Date.parse('2024-06-01T08:00:00Z')
let subscriber: SignedInUser
let fhir: FhirClient
let patientId: string
/** A client that works in both branches, as who writes. */
let writer: FhirClient

async function clientOf(branches: readonly string[], roles = ['system']): Promise<{ id: string; signIn(): Promise<SignedInUser> }> {
  const { services } = hospital.hospital
  const origin = { correlationId: randomUUID(), action: 'test.client', module: 'identity' }
  const client = await services.transact(services.system('identity'), origin, ({ tx }) => addClient(tx, { display: 'Subscriber', roles, branch: branches[0] ?? '', branches }))
  return { id: client.client_id, signIn: () => hospital.asClient(client) }
}

beforeAll(async () => {
  mail = await mailbox()
  hospital = await startTestHospital({
    now: () => new Date(clock),
    settings: { SUBSCRIPTION_HOSTS: '127.0.0.1', MAIL_URL: mail.url, MAIL_FROM: 'hospital@main.example', MAIL_TLS: 'optional' },
  })
  await signIn()
  patientId = (await writer.create({ resourceType: 'Patient', active: true } as Patient)).id
})
afterAll(async () => {
  await hospital.close()
  await mail.close()
})
afterEach(async () => {
  await hook?.close().catch(() => undefined)
})

let main: Awaited<ReturnType<typeof clientOf>> | undefined
async function signIn(): Promise<void> {
  writer = fhirClient((await hospital.asClient()).fetch)
  main ??= await clientOf([BRANCHES.main])
  subscriber = await main.signIn()
  fhir = fhirClient(subscriber.fetch)
}

interface Wish {
  topic?: string
  filters?: string[]
  payload?: string
  type?: Subscription['channel']['type']
  endpoint?: string
  header?: string[]
  maxCount?: number
  heartbeatPeriod?: number
}

function subscription({ topic = 'resource-changed', filters = ['Observation?code=8867-4'], payload = 'id-only', type = 'rest-hook', endpoint = hook?.url, header, maxCount, heartbeatPeriod }: Wish = {}): Subscription {
  const limits = [
    ...(maxCount === undefined ? [] : [{ url: `${BACKPORT}-max-count`, valuePositiveInt: maxCount }]),
    ...(heartbeatPeriod === undefined ? [] : [{ url: `${BACKPORT}-heartbeat-period`, valueUnsignedInt: heartbeatPeriod }]),
  ]
  return {
    resourceType: 'Subscription',
    status: 'requested',
    reason: 'a test',
    criteria: `${TOPICS}/${topic}`,
    _criteria: { extension: filters.map((valueString) => ({ url: `${BACKPORT}-filter-criteria`, valueString })) },
    channel: {
      ...(limits.length > 0 ? { extension: limits } : {}),
      type,
      ...(type === 'websocket' ? {} : { endpoint }),
      payload: 'application/fhir+json',
      _payload: { extension: [{ url: `${BACKPORT}-payload-content`, valueCode: payload }] },
      ...(header ? { header } : {}),
    },
  } as Subscription
}

const pulse = (value: number, more: Partial<Observation> = {}): Observation => ({
  resourceType: 'Observation',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
  subject: { reference: `Patient/${patientId}` },
  valueQuantity: { value, unit: '/min', system: 'http://unitsofmeasure.org', code: '/min' },
  ...more,
})

const read = async (id: string): Promise<Subscription> => (await fhir.send<Subscription>('GET', `/Subscription/${id}`)).body
async function subscribe(wish: Wish = {}): Promise<string> {
  const { id } = await fhir.create(subscription(wish))
  await until(async () => (await read(id)).status === 'active')
  return id
}
const events = (from: readonly Received[]): Received[] => from.filter(({ bundle }) => told(bundle).type === 'event-notification')

describe('a rest-hook', () => {
  test('is greeted, becomes active, and is told of what matches, in order, with references alone', async () => {
    hook = await receiver()
    const id = await subscribe({ header: ['Authorization: Bearer of-the-subscriber'] })
    expect(told(hook.received[0]?.bundle as Bundle)).toMatchObject({ type: 'handshake', numbers: [] })
    const made = [await writer.create(pulse(60)), await writer.create(pulse(61)), await writer.create(pulse(62))]
    await writer.create({ ...pulse(63), code: { coding: [{ system: 'http://loinc.org', code: '8310-5' }] } })
    await until(() => events(hook.received).length >= 3)
    await hospital.settle()
    expect(events(hook.received).map(({ bundle }) => told(bundle))).toEqual(
      made.map((one, at) => ({ type: 'event-notification', status: 'active', numbers: [at + 1], focus: [`Observation/${one.id}`], resources: [undefined] })),
    )
    expect(hook.received[0]?.headers).toMatchObject({ authorization: 'Bearer of-the-subscriber', 'content-type': 'application/fhir+json' })
    const status = await fhir.send<Bundle>('GET', `/Subscription/${id}/$status`)
    expect((status.body.entry?.[0]?.resource as Parameters | undefined)?.parameter).toContainEqual({ name: 'events-since-subscription-start', valueString: '3' })
  })

  test('hears that its line is alive when there was nothing to tell, once in its period', async () => {
    hook = await receiver()
    const id = await subscribe({ heartbeatPeriod: 60 })
    const beats = (): Received[] => (hook?.received ?? []).filter(({ bundle }) => told(bundle).type === 'heartbeat')
    await new Promise((done) => setTimeout(done, 1500))
    expect(beats()).toHaveLength(0)
    clock += 61_000
    await until(() => beats().length === 1)
    expect(told(beats()[0]?.bundle as Bundle)).toMatchObject({ type: 'heartbeat', numbers: [] })
    await new Promise((done) => setTimeout(done, 1500))
    expect(beats()).toHaveLength(1)
    clock += 30_000
    await writer.create(pulse(64))
    await until(() => events(hook?.received ?? []).length === 1)
    // What it was told just now says the same.
    clock += 40_000
    await new Promise((done) => setTimeout(done, 1500))
    expect(beats()).toHaveLength(1)
    clock += 21_000
    await until(() => beats().length === 2)
    await fhir.send('DELETE', `/Subscription/${id}`)
  })

  test('is signed: its secret proves body, id and time', async () => {
    hook = await receiver()
    const id = await subscribe()
    const { secret } = await subscriber.call(signingSecret, { id })
    const [{ headers, text }] = hook.received as [Received]
    const at = new Date(clock)
    expect(isGenuine(secret, headers, text, at)).toBe(true)
    expect(isGenuine(secret, headers, text.replace('handshake', 'heartbeat'), at)).toBe(false)
    expect(isGenuine(secret, { ...headers, 'webhook-id': 'another' }, text, at)).toBe(false)
    expect(isGenuine(secret, headers, text, new Date(clock + 6 * MINUTE))).toBe(false)
    expect(isGenuine(secret.toLowerCase(), headers, text, at)).toBe(false)
  })

  test('empty says that something happened; full-resource brings it, and is a read of the subscriber', async () => {
    hook = await receiver()
    await subscribe({ payload: 'empty' })
    const { id } = await writer.create(pulse(70))
    await until(() => events(hook.received).length === 1)
    expect(events(hook.received)[0]?.text).not.toContain(id)
    await hook.close()
    hook = await receiver()
    await subscribe({ payload: 'full-resource', topic: 'resource-changed' })
    const stored = await writer.create(pulse(71))
    await until(() => events(hook.received).length === 1)
    expect(told(events(hook.received)[0]?.bundle as Bundle).resources).toEqual([stored])
    const { store } = hospital.hospital.services
    const rows = await store.database.query<{ actor: string }>(store.scopeOf(hospital.hospital.services.system('audit')), {
      text: "select actor::text from audit.entry where action = 'subscriptions.notify' and resource = $1 and patient = $2",
      values: [idKey(stored.id), idKey(patientId)],
    })
    expect(rows).toContainEqual({ actor: main?.id })
  })

  test('is told again after 1, 5, 15, 60 and 360 minutes with one id, then it is a dead letter, and replay brings it', async () => {
    hook = await receiver()
    const id = await subscribe()
    hook.state.answer = 503
    await writer.create(pulse(80))
    await until(() => events(hook.received).length === 1)
    let seen = 1
    const { store } = hospital.hospital.services
    const attempts = async (): Promise<number> =>
      (await store.database.query<{ attempts: number }>({ branches: '', patient: '' }, { text: 'select attempts from subscriptions.event e join subscriptions.subscription s on s.row = e.subscription where s.key = $1', values: [idKey(id)] }))[0]?.attempts ?? 0
    for (const minutes of [1, 5, 15, 60, 360]) {
      await until(async () => (await attempts()) === seen)
      clock += minutes * MINUTE - 1000
      await new Promise((done) => setTimeout(done, 1300))
      expect(events(hook.received)).toHaveLength(seen)
      clock += 1000
      seen += 1
      await until(() => events(hook.received).length === seen)
    }
    expect(new Set(events(hook.received).map(({ headers }) => headers['webhook-id'])).size).toBe(1)
    await signIn()
    const failed = await until(async () => ((one) => one.status === 'error' && one)(await read(id)))
    expect(failed.error).toContain('HTTP_503')
    hook.state.answer = 200
    expect(await subscriber.call(replayEvents, { id, from: 1 })).toEqual({ events: 1 })
    await until(() => events(hook.received).length === seen + 1)
    await until(async () => (await read(id)).status === 'active')
  }, 60_000)

  test('whose receiver was away for a while gets everything in order when it is back', async () => {
    hook = await receiver()
    const port = Number(new URL(hook.url).port)
    const id = await subscribe({ maxCount: 10 })
    await hook.close()
    for (const value of [90, 91, 92]) await writer.create(pulse(value))
    await hospital.settle()
    hook = await receiver(port)
    clock += MINUTE + 1000
    await until(() => events(hook.received).flatMap(({ bundle }) => told(bundle).numbers).length >= 3)
    expect(events(hook.received).flatMap(({ bundle }) => told(bundle).numbers)).toEqual([1, 2, 3])
    const again = await fhir.send<Bundle>('GET', `/Subscription/${id}/$events?eventsSinceNumber=2&content=full-resource`)
    expect(told(again.body)).toMatchObject({ type: 'query-event', numbers: [2, 3] })
    expect(told(again.body).resources.map((one) => (one as Observation).valueQuantity?.value)).toEqual([91, 92])
  })

  test('survives a restart of the server: what waits is told after it', async () => {
    hook = await receiver()
    const id = await subscribe()
    hook.state.answer = 500
    await writer.create(pulse(95))
    await until(() => events(hook.received).length === 1)
    await hospital.restart()
    hook.state.answer = 200
    clock += MINUTE + 1000
    await until(() => events(hook.received).length === 2)
    await signIn()
    expect((await read(id)).status).toBe('active')
  })
})

describe('what a subscriber may not have', () => {
  test('another branch is not told of, though the same client writes in both', async () => {
    hook = await receiver()
    await subscribe()
    const other = await clientOf([BRANCHES.other])
    const elsewhere = fhirClient((await other.signIn()).fetch)
    await elsewhere.create(pulse(100))
    const here = await writer.create(pulse(101))
    await until(() => events(hook.received).length > 0)
    await hospital.settle()
    expect(events(hook.received).map(({ bundle }) => told(bundle))).toMatchObject([{ numbers: [1], focus: [`Observation/${here.id}`] }])
  })

  test('what it may not read any more when it is sent is not sent', async () => {
    hook = await receiver()
    const own = await clientOf([BRANCHES.main])
    fhir = fhirClient((await own.signIn()).fetch)
    await subscribe({ payload: 'full-resource' })
    hook.state.answer = 503
    await writer.create(pulse(110))
    await until(() => events(hook.received).length === 1)
    const { store } = hospital.hospital.services
    const everywhere = { branches: '', patient: '' }
    await store.database.query(everywhere, { text: 'update identity.client set roles = array[$2] where id = $1', values: [own.id, 'monitor'] })
    hook.state.answer = 200
    clock += MINUTE + 1000
    await until(async () => (await store.database.query(everywhere, { text: "select 1 from subscriptions.event e join subscriptions.subscription s on s.row = e.subscription where s.owner = $1 and e.state = 'withheld'", values: [own.id] })).length === 1)
    expect(events(hook.received)).toHaveLength(1)
    await signIn()
  })

  test('a subscription belongs to who made it: another client has neither events nor secret', async () => {
    hook = await receiver()
    const id = await subscribe()
    const other = await (await clientOf([BRANCHES.main])).signIn()
    await expect(other.call(signingSecret, { id })).rejects.toThrow('SUBSCRIPTION_NOT_YOURS')
    expect((await fhirClient(other.fetch).send('GET', `/Subscription/${id}/$events`)).status).toBe(404)
    expect((await fhirClient(other.fetch).send<Bundle>('GET', `/Subscription/${id}/$status`)).body.total).toBe(0)
  })

  test.each([
    ['http to a host that is not named', { endpoint: 'http://receiver.example/hook' }, 'must be https'],
    ['the metadata address of a cloud', { endpoint: 'https://169.254.169.254/latest' }, 'does not send to'],
    ['an unknown topic', { topic: 'nothing' }, 'no topic'],
    ['a filter that asks other resources', { filters: ['Observation?patient.name=x'] }, 'looks at the resource itself'],
    ['whole resources by mail', { type: 'email', endpoint: 'mailto:who@main.example', payload: 'full-resource' }, 'not sent by e-mail'],
  ] as const)('%s is answered with the status error and the reason', async (_name, wish, reason) => {
    hook = await receiver()
    const { id } = await fhir.create(subscription(wish as Wish))
    const failed = await until(async () => ((one) => one.status === 'error' && one)(await read(id)))
    expect(failed.error).toContain(reason)
  })

  test('a redirect is not followed', async () => {
    hook = await receiver()
    const elsewhere = await receiver()
    hook.state.answer = 307
    hook.state.location = elsewhere.url
    const { id } = await fhir.create(subscription())
    const failed = await until(async () => ((one) => one.status === 'error' && one)(await read(id)))
    expect(failed.error).toContain('HTTP_307')
    expect(elsewhere.received).toHaveLength(0)
    await elsewhere.close()
  })
})

describe('other channels', () => {
  test('e-mail brings a reference and no more', async () => {
    await subscribe({ type: 'email', endpoint: 'mailto:who@main.example' })
    const { id } = await writer.create(pulse(120))
    const found = await until(() => mail.mails.find(({ text }) => text.includes('Events 1 to 1')))
    expect(found.to).toEqual(['who@main.example'])
    const attached = Buffer.from(/notification\.json[\s\S]*?\r\n\r\n([A-Za-z0-9+/=\r\n]+)/.exec(found.text)?.[1] ?? '', 'base64').toString()
    expect(told(JSON.parse(attached) as Bundle)).toMatchObject({ focus: [`Observation/${id}`], resources: [undefined] })
  })

  test('a websocket that is bound with its token hears what waited and what comes; the token works once', async () => {
    const id = await subscribe({ type: 'websocket', payload: 'full-resource', heartbeatPeriod: 60 })
    await writer.create(pulse(130))
    await hospital.settle()
    const { body } = await fhir.send<Parameters>('GET', `/Subscription/${id}/$get-ws-binding-token`)
    const parameterOf = (name: string) => body.parameter?.find((one) => one.name === name)
    const token = parameterOf('token')?.valueString ?? ''
    const open = async () => {
      const socket = new WebSocket(parameterOf('websocket-url')?.valueUrl ?? '')
      const heard: Bundle[] = []
      const closed: number[] = []
      socket.on('message', (data) => heard.push(JSON.parse(String(data)) as Bundle))
      socket.on('close', (code) => closed.push(code))
      await new Promise((done, fail) => socket.once('open', done).once('error', fail))
      socket.send(`bind-with-token ${token}`)
      return { socket, heard, closed }
    }
    const first = await open()
    await until(() => first.heard.length >= 2)
    await writer.create(pulse(131))
    await until(() => first.heard.length >= 3)
    expect(first.heard.map((bundle) => told(bundle).type)).toEqual(['handshake', 'event-notification', 'event-notification'])
    expect(first.heard.slice(1).flatMap((bundle) => told(bundle).resources.map((one) => (one as Observation).valueQuantity?.value))).toEqual([130, 131])
    const second = await open()
    await until(() => second.closed.length > 0)
    expect(second.closed).toEqual([1008])
    // Longer than Socket.IO leaves an upgrade that is none of its own.
    await new Promise((done) => setTimeout(done, 1500))
    expect(first.socket.readyState).toBe(WebSocket.OPEN)
    expect(first.heard).toHaveLength(3)
    clock += 61_000
    await until(() => first.heard.length >= 4)
    expect(told(first.heard[3] as Bundle)).toMatchObject({ type: 'heartbeat', numbers: [] })
    first.socket.close()
  })
})

test('the capability statement names topics, operations and the websocket; what nobody follows leaves no event', async () => {
  const { body } = await fhir.send<CapabilityStatement>('GET', '/metadata')
  const [rest] = body.rest ?? []
  const ofSubscription = rest?.resource?.find(({ type }) => type === 'Subscription')
  expect(ofSubscription?.extension?.map(({ valueCanonical }) => valueCanonical)).toContain(`${TOPICS}/resource-changed`)
  expect(ofSubscription?.operation?.map(({ name }) => name)).toEqual(expect.arrayContaining(['status', 'events', 'get-ws-binding-token']))
  const { store } = hospital.hospital.services
  const count = async (): Promise<number> =>
    (await store.database.query<{ count: number }>({ branches: '', patient: '' }, { text: "select count(*)::int as count from bus.outbox where type = 'record.resource.changed.v1'" }))[0]?.count ?? 0
  const before = await count()
  await writer.create({ resourceType: 'Condition', subject: { reference: `Patient/${patientId}` } })
  expect(await count()).toBe(before)
})
