import { randomUUID } from 'node:crypto'
import { keysInEnvironment } from '@carespine/store/key-encryption'
import { migrate } from '@carespine/store/migrate'
import type { Actor } from '@carespine/store/contract'
import { Store } from '@carespine/store/store'
import { testDatabase, type TestDatabase } from '@carespine/testing/database'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { action, z } from './contract.ts'
import { createHttp, type HttpOptions } from './http.ts'
import { outlineOf } from './json-body.ts'
import { command, defineModule, type ModuleDefinition, refuse } from './module.ts'
import { createServices, registryOf } from './runtime.ts'

const BRANCH = '30000000-0000-4000-8000-000000000001'
const kek = Buffer.alloc(32, 7).toString('base64')

const actor = (id: string): Actor => ({ kind: 'user', id, display: 'somebody', roles: [], permissions: ['ward.*'], branches: [BRANCH], branch: BRANCH })
const users: Readonly<Record<string, Actor>> = {
  ann: actor('30000000-0000-4000-8000-00000000000a'),
  bob: actor('30000000-0000-4000-8000-00000000000b'),
  monitor: { ...actor('30000000-0000-4000-8000-00000000000d'), permissions: ['system.metrics'] },
  guest: { ...actor('30000000-0000-4000-8000-00000000000c'), permissions: [] },
}

let database: TestDatabase
let store: Store
let app: FastifyInstance
/** How often each bed was made, as committed. */
const beds = async (name: string): Promise<number> =>
  await store.view(users.ann as Actor, { correlationId: 'test', action: 'test', module: 'ward' }, async (view) =>
    (await view.search('Location', { name })).length,
  )

const makeBed = action({
  kind: 'command',
  name: 'ward.make-bed',
  allow: 'ward.make',
  summary: 'Adds a bed.',
  input: z.object({ name: z.string(), broken: z.boolean().default(false) }),
  output: z.object({ id: z.string() }),
})
const ward = defineModule({
  name: 'ward',
  refusals: { WARD_BED_BROKEN: { status: 422, message: 'The bed is broken.' } },
  actions: [
    command(makeBed, async ({ name, broken }, { tx }) => {
      const { id } = tx.write({ resourceType: 'Location', name })
      if (broken) refuse('WARD_BED_BROKEN')
      return { id }
    }),
  ],
})

async function serverOf(modules: readonly ModuleDefinition[], more: Partial<HttpOptions> = {}): Promise<FastifyInstance> {
  const registry = registryOf(modules)
  const services = createServices({ registry, store, log: pino({ level: 'silent' }) })
  return await createHttp({
    registry,
    services,
    authenticator: { actorOf: async (token) => users[token] ?? refuse('SIGN_IN_NEEDED'), forgetActors: () => undefined },
    health: { faults: async () => [] },
    roles: ['api'],
    gauges: [],
    metricsAccess: 'local',
    ...more,
  })
}

beforeAll(async () => {
  database = await testDatabase()
  await migrate(database.url, [{ name: 'store', folder: new URL('../../store/migrations/', import.meta.url) }])
  store = await Store.open({ url: database.url, kek: keysInEnvironment(kek), now: () => new Date() })
  app = await serverOf([ward])
  await app.ready()
})
afterAll(async () => {
  await app?.close()
  await store?.close()
  await database?.drop()
})

async function make(user: string, body: object, key?: string): Promise<{ status: number; body: { id?: string; code?: string } }> {
  const answer = await app.inject({
    method: 'POST',
    url: '/api/ward/make-bed',
    headers: { authorization: `Bearer ${user}`, ...(key === undefined ? {} : { 'idempotency-key': key }) },
    payload: body,
  })
  return { status: answer.statusCode, body: answer.json() }
}

describe('a command sent with an Idempotency-Key', () => {
  test('happens once, and its repetition gets the same answer', async () => {
    const key = randomUUID()
    const first = await make('ann', { name: 'once' }, key)
    const again = await make('ann', { name: 'once' }, key)
    expect(first.status).toBe(200)
    expect(again).toEqual(first)
    expect(await beds('once')).toBe(1)
    await make('ann', { name: 'once' }, randomUUID())
    await make('ann', { name: 'once' })
    expect(await beds('once')).toBe(3)
  })

  test('happens once when its repetitions come at the same moment', async () => {
    const key = randomUUID()
    const answers = await Promise.all(Array.from({ length: 8 }, () => make('ann', { name: 'together' }, key)))
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200))
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1)
    expect(await beds('together')).toBe(1)
  })

  test('is refused when the key came with another request', async () => {
    const key = randomUUID()
    await make('ann', { name: 'mine' }, key)
    expect(await make('ann', { name: 'other' }, key)).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_KEY_REUSED' } })
    expect(await beds('other')).toBe(0)
  })

  test('shares its key with nobody', async () => {
    const key = randomUUID()
    const [ann, bob] = [await make('ann', { name: 'shared' }, key), await make('bob', { name: 'shared' }, key)]
    expect(ann.body.id).not.toBe(bob.body.id)
  })

  test('that differs from another key only at its end is another command', async () => {
    const key = 'k'.repeat(300)
    const [one, two] = [await make('ann', { name: 'long' }, `${key}1`), await make('ann', { name: 'long' }, `${key}2`)]
    expect(one.body.id).not.toBe(two.body.id)
  })

  test('may be sent again under the same key after it was refused', async () => {
    const key = randomUUID()
    expect((await make('ann', { name: 'again', broken: true }, key)).status).toBe(422)
    expect(await beds('again')).toBe(0)
    expect((await make('ann', { name: 'again' }, key)).status).toBe(200)
  })
})

describe('permissions', () => {
  test('a command is closed to those who lack its permission, with or without a key', async () => {
    expect(await make('guest', { name: 'x' })).toMatchObject({ status: 403, body: { code: 'PERMISSION_MISSING' } })
    expect(await make('nobody', { name: 'x' }, 'k')).toMatchObject({ status: 401 })
    expect(await beds('x')).toBe(0)
  })

  test('a route that names no permission keeps the server from starting', async () => {
    const forgetful = defineModule({
      name: 'forgetful',
      routes: (scope) => {
        scope.get('/forgotten', async () => 'open to all')
      },
    })
    const broken = await serverOf([forgetful])
    await expect(broken.ready()).rejects.toThrow('/forgotten names no permission')
    const careful = await serverOf([defineModule({ name: 'careful', routes: (scope) => void scope.get('/said', { config: { allow: 'anyone' } }, async () => 'x') })])
    await careful.ready()
    expect((await careful.inject('/said')).statusCode).toBe(200)
    await careful.close()
  })

  test('two modules cannot serve one action', () => {
    expect(() => registryOf([ward, { ...ward, name: 'copy', refusals: {} }])).toThrow('Two modules serve ward.make-bed')
  })
})

describe('bodies', () => {
  test('nesting and names are counted, not what stands in texts', () => {
    const isTooDeep = (text: string): boolean => outlineOf(text).tooDeepAt !== undefined
    const nested = (levels: number) => `${'[1,{"a":'.repeat(levels / 2)}0${'}]'.repeat(levels / 2)}`
    expect([isTooDeep(nested(200)), isTooDeep(nested(202))]).toEqual([false, true])
    expect(isTooDeep(JSON.stringify({ text: '[{'.repeat(1000), quote: '"[\\"'.repeat(1000) }))).toBe(false)
    expect(isTooDeep(`[${'[],'.repeat(5000)}[]]`)).toBe(false)
    expect(outlineOf('{"a:":{"b":":"},"c":[1,{"d\\":":2}]}').names).toBe(4)
  })

  test('that are no JSON are refused with line and column, and so is a name that stands twice', async () => {
    const send = async (payload: string) => {
      const answer = await app.inject({ method: 'POST', url: '/api/ward/make-bed', headers: { authorization: 'Bearer ann', 'content-type': 'application/json' }, payload })
      return { status: answer.statusCode, ...(answer.json() as { code: string; details?: unknown }) }
    }
    expect(await send('{"name":\n  bed}')).toMatchObject({ status: 400, code: 'INPUT_MALFORMED', details: { line: 2, column: 3, problem: 'A value is expected here.' } })
    expect(await send('{"name":"a","broken":true,\n "na\\u006de":"b"}')).toMatchObject({ status: 400, code: 'INPUT_MALFORMED', details: { line: 2, column: 2, problem: expect.stringContaining('twice') } })
    expect(await send(`{"name":${'['.repeat(300)}`)).toMatchObject({ status: 400, code: 'INPUT_TOO_DEEP', details: { line: 1, column: 208 } })
    expect(await send('{"__proto__":{"name":"a"}}')).toMatchObject({ status: 400, code: 'INPUT_MALFORMED' })
    expect(await beds('b')).toBe(0)
  })
})

describe('/metrics', () => {
  const elsewhere = { url: '/metrics', remoteAddress: '10.1.2.3' }
  const bearer = (user: string) => ({ headers: { authorization: `Bearer ${user}` } })

  test('is open on the machine itself, and elsewhere to a token with its permission', async () => {
    for (const remoteAddress of ['127.0.0.1', '127.0.9.9', '::1', '::ffff:127.0.0.1']) {
      const { statusCode, body } = await app.inject({ url: '/metrics', remoteAddress })
      expect([statusCode, body.includes('process_cpu_seconds_total')]).toEqual([200, true])
    }
    expect((await app.inject(elsewhere)).statusCode).toBe(401)
    expect((await app.inject({ ...elsewhere, remoteAddress: '::ffff:10.1.2.3' })).statusCode).toBe(401)
    expect((await app.inject({ ...elsewhere, ...bearer('ann') })).statusCode).toBe(403)
    expect((await app.inject({ ...elsewhere, ...bearer('monitor') })).statusCode).toBe(200)
  })

  test('is not open to what a proxy on the machine passes on', async () => {
    for (const header of ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via']) {
      expect((await app.inject({ url: '/metrics', headers: { [header]: '127.0.0.1' } })).statusCode).toBe(401)
    }
  })

  test('wants a token of everybody when it is told so', async () => {
    const strict = await serverOf([ward], { metricsAccess: 'token' })
    expect((await strict.inject('/metrics')).statusCode).toBe(401)
    expect((await strict.inject({ url: '/metrics', ...bearer('monitor') })).statusCode).toBe(200)
    await strict.close()
  })

  test('shows what a module counts, and leaves out what cannot be read', async () => {
    const counting = defineModule({
      name: 'counting',
      gauges: { help: { ward_beds: 'Beds' }, read: async ({ view }) => ({ ward_beds: (await view.sql('select 1')).length }) },
    })
    const broken = { help: { ward_broken: 'Broken' }, read: async () => Promise.reject(new Error('no')) }
    const counted = await serverOf([counting], { gauges: [broken] })
    const { statusCode, body } = await counted.inject('/metrics')
    expect(statusCode).toBe(200)
    expect(body).toContain('# HELP ward_beds Beds\n# TYPE ward_beds gauge\nward_beds 1\n')
    expect(body).not.toContain('ward_broken')
    await counted.close()
  })
})

test('a process without the role api answers for its health and metrics, and says what it is asked in vain', async () => {
  const worker = await serverOf([ward], { roles: ['worker', 'links'] })
  for (const url of ['/health/live', '/health/ready', '/metrics']) expect((await worker.inject(url)).statusCode).toBe(200)
  const refused = await worker.inject({ method: 'POST', url: '/api/ward/make-bed', headers: { authorization: 'Bearer ann' }, payload: { name: 'x' } })
  expect([refused.statusCode, refused.json()]).toMatchObject([404, { code: 'NOT_SERVED_HERE', details: { roles: ['worker', 'links'] } }])
  expect((await worker.inject('/docs')).statusCode).toBe(404)
  await worker.close()
})

test('behind a trusted proxy, and only there, an address is the one that the proxy names', async () => {
  const addresses = defineModule({
    name: 'addresses',
    routes: (scope) => void scope.get('/address', { config: { allow: 'anyone' } }, async ({ ip, protocol }) => ({ ip, protocol })),
  })
  const behind = await serverOf([addresses], { trustedProxies: ['10.0.0.0/8'] })
  const headers = { 'x-forwarded-for': '192.0.2.7', 'x-forwarded-proto': 'https' }
  expect((await behind.inject({ url: '/address', remoteAddress: '10.1.1.1', headers })).json()).toEqual({ ip: '192.0.2.7', protocol: 'https' })
  expect((await behind.inject({ url: '/address', remoteAddress: '11.1.1.1', headers })).json()).toEqual({ ip: '11.1.1.1', protocol: 'http' })
  await behind.close()
})

describe('an action that asks for a proof of who calls', () => {
  const burn = action({ kind: 'command', name: 'ward.burn-bed', allow: 'ward.make', summary: 'Burns a bed.', stepUp: 5, secret: true, input: z.object({ name: z.string() }), output: z.object({ nth: z.number() }) })
  let burnt = 0
  const minutesAgo = (minutes: number) => async () => new Date(store.now().getTime() - minutes * 60_000)
  const burning = (lastProof?: ModuleDefinition['lastProof']): ModuleDefinition => ({ name: 'ward', actions: [command(burn, async () => ({ nth: ++burnt }))], ...(lastProof ? { lastProof } : {}) })
  const ask = (server: FastifyInstance, name: string) =>
    server.inject({ method: 'POST', url: '/api/ward/burn-bed', headers: { authorization: `Bearer ${name}`, 'idempotency-key': 'once' }, payload: { name: 'B' } })

  test('is done within the minutes, and refused after them with where to give one', async () => {
    expect((await ask(await serverOf([burning(minutesAgo(4))]), 'ann')).statusCode).toBe(200)
    for (const proof of [minutesAgo(6), async () => undefined]) {
      const { statusCode, body } = await ask(await serverOf([burning(proof)]), 'ann')
      expect([statusCode, JSON.parse(body)]).toMatchObject([403, { code: 'STEP_UP_NEEDED', details: { minutes: 5, at: '/api/auth/step-up' } }])
    }
    const refused = await ask(await serverOf([burning(minutesAgo(1))]), 'guest')
    expect(JSON.parse(refused.body)).toMatchObject({ code: 'PERMISSION_MISSING' })
  })

  test('does not start when no module keeps proofs', () => {
    expect(() => registryOf([burning()])).toThrow('ward.burn-bed asks for a proof')
  })

  test('and whose words are secret keeps none of them for a repetition', async () => {
    const server = await serverOf([burning(minutesAgo(0))])
    const before = burnt
    await ask(server, 'ann')
    await ask(server, 'ann')
    expect(burnt).toBe(before + 2)
  })
})
