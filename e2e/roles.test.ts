import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MllpClient } from '@carespine/link-hl7v2/mllp-client'
import { acknowledgeNotification, listNotifications } from '@carespine/notifications/contract'
import { searchPatients } from '@carespine/registration/contract'
import { type TestDatabase, testDatabase } from '@carespine/testing/database'
import pg from 'pg'
import { io, type Socket } from 'socket.io-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Caller, criticalResult, fillDatabase, ServerProcess } from './server-process.ts'

const kek = randomBytes(32).toString('base64')
let database: TestDatabase
let owner: pg.Client
let folder: string
/** Answers HTTP. */
let front: ServerProcess
/** Keeps the live connections. */
let live: ServerProcess
/** Handles events and jobs, and listens for HL7. */
let back: ServerProcess
/** The same, beside it. */
let spare: ServerProcess
const started = new Set<ServerProcess>()
let hub: Caller
let provider: Caller
let lab: Caller

const pause = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds))

async function until(what: string, done: () => boolean | Promise<boolean>, patience = 20_000): Promise<void> {
  for (let waited = 0; waited < patience; waited += 25) {
    if (await done()) return
    await pause(25)
  }
  throw new Error(`waited in vain until ${what}; the worker said:\n${back.said.slice(-1500)}`)
}

/** A process on the database, with a data folder of its own. */
async function processOf(roles: string, settings: Record<string, string> = {}, url = database.url): Promise<ServerProcess> {
  const server = await ServerProcess.on(join(folder, `data-${started.size}`), {}, { DATABASE_URL: url, ROLES: roles, CARESPINE_KEK: kek, LOG_LEVEL: 'warn', ...settings })
  started.add(server)
  return server
}

beforeAll(async () => {
  database = await testDatabase()
  folder = await mkdtemp(join(tmpdir(), 'carespine-roles-'))
  owner = new pg.Client({ connectionString: database.url })
  await owner.connect()
  ;[front, live, back] = [await processOf('api'), await processOf('sockets'), await processOf('worker,links')]
  await Promise.all([front, live, back].map((server) => server.start()))
  // The branch and its key are made when the others run already.
  await fillDatabase(database.url, join(folder, 'filler'), kek)
  ;[hub, provider, lab] = [await front.signIn('hub'), await front.signIn('provider'), await front.signIn('lab')]
})

afterAll(async () => {
  for (const server of started) if (!server.hasEnded) await server.kill('SIGTERM').catch(() => server.kill())
  await owner?.end()
  await database?.drop()
  if (folder) await rm(folder, { recursive: true, force: true })
})

async function send(message: string, to = back): Promise<string> {
  const analyser = await MllpClient.open(to.hl7Port)
  try {
    return await analyser.send(message)
  } finally {
    analyser.close()
  }
}

async function listen(token: string): Promise<{ socket: Socket; alerts: { id: string; patientId?: string; at: number }[] }> {
  const alerts: { id: string; patientId?: string; at: number }[] = []
  const socket = io(live.url, { auth: { token }, transports: ['websocket'], reconnection: false })
  socket.on('critical_alert', (alert: { id: string; patientId?: string }) => alerts.push({ ...alert, at: performance.now() }))
  await new Promise<void>((resolve, reject) => socket.on('connect', resolve).on('connect_error', reject))
  return { socket, alerts }
}

const alertsAbout = async (patientId: string, of: Caller = provider) =>
  (await of(listNotifications, { open: false })).notifications.filter((one) => one.patientId === patientId && one.type === 'lab.critical')

let results = 0
async function waitingResult() {
  results += 1
  return await criticalResult({ hub, provider, lab }, results)
}

async function waitingEvents(): Promise<number> {
  const { rows } = await owner.query('select (select count(*) from bus.outbox where published_at is null) + (select count(*) from bus.delivery) as n')
  return Number(rows[0].n)
}

const statusOf = async (server: ServerProcess, path: string, init: RequestInit = {}): Promise<number> => (await fetch(server.url + path, init)).status

describe('processes that start at the same moment on an empty database', () => {
  test('apply each migration once and serve one record', async () => {
    const said = [front, live, back].flatMap((server) => [...server.said.matchAll(/Updating the database: (\S+)/g)].map(([, file]) => file))
    const { rows } = await owner.query<{ file: string }>("select set || '/' || file as file from migration")
    expect(said.length).toBeGreaterThan(5)
    expect(said.toSorted()).toEqual(rows.map(({ file }) => file).toSorted())
  })

  test('with everything in each: one first branch, and a link to set up the first administrator', async () => {
    const empty = await testDatabase()
    const both = [await processOf('', {}, empty.url), await processOf('', {}, empty.url)]
    try {
      await Promise.all(both.map((server) => server.start()))
      await until('both have said how to begin', () => both.every(({ said }) => said.includes('/setup#')))
      const client = new pg.Client({ connectionString: empty.url })
      await client.connect()
      const { rows } = await client.query('select code from identity.branch')
      await client.end()
      expect(rows).toEqual([{ code: 'MAIN' }])
      const links = both.map(({ said }) => /\/setup#(\S+)/.exec(said)?.[1] ?? '')
      const tries = await Promise.all(
        links.map((token) =>
          fetch(`${both[0]?.url}/api/auth/setup`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ token, email: 'first@main.example', password: 'a-long-test-password', displayName: 'First', branchName: 'North', branchNameArabic: 'الشمال' }),
          }),
        ),
      )
      expect(tries.map(({ status }) => status).toSorted()).toEqual([200, 410])
    } finally {
      await Promise.all(both.map((server) => server.kill('SIGTERM')))
      await empty.drop()
    }
  }, 90_000)
})

describe('a process does what its roles name and no more', () => {
  test('says in the line that it has started what that is', () => {
    expect(front.said).toMatch(/Ready: api \(HTTP API, FHIR and portals\)\n/)
    expect(live.said).toMatch(/Ready: sockets \(live connections\)\n/)
    expect(back.said).toContain(`Ready: worker (events and scheduled jobs), links (HL7 v2 on port ${back.hl7Port})\n`)
  })

  test('routes of modules, FHIR and portals on the api alone, live connections on sockets alone', async () => {
    const authorization = `Bearer ${await front.token('lab')}`
    const call = { method: 'POST', headers: { authorization, 'content-type': 'application/json' }, body: '{}' }
    const statuses = async (path: string, init: RequestInit = {}) => await Promise.all([front, live, back].map((server) => statusOf(server, path, init)))
    expect(await statuses('/api/notifications/list', call)).toEqual([200, 404, 404])
    expect(await statuses('/fhir/R4/metadata')).toEqual([200, 404, 404])
    expect(await statuses('/docs/json')).toEqual([200, 404, 404])
    expect(await statuses('/.well-known/jwks.json')).toEqual([200, 404, 404])
    expect(await statuses('/socket.io/?EIO=4&transport=polling')).toEqual([404, 200, 404])
    const refused = await fetch(`${back.url}/api/notifications/list`, call)
    expect(await refused.json()).toMatchObject({ code: 'NOT_SERVED_HERE', details: { roles: ['worker', 'links'] } })
  })

  test('HL7 on links alone', async () => {
    for (const { hl7Port } of [front, live]) {
      const socket = connect(hl7Port, '127.0.0.1')
      expect(await new Promise((said) => socket.on('error', (error: NodeJS.ErrnoException) => said(error.code)).on('connect', () => said('connected')))).toBe('ECONNREFUSED')
    }
  })

  test('health and metrics on each', async () => {
    for (const server of [front, live, back]) {
      for (const path of ['/health/live', '/health/ready', '/metrics']) expect(await statusOf(server, path)).toBe(200)
    }
    expect(await (await fetch(`${back.url}/metrics`)).text()).toMatch(/^carespine_events_waiting \d+$/m)
  })
})

describe('an alert', () => {
  test('from an analyser at one process reaches a browser at another within a second, and is acknowledged at a third', async () => {
    const { socket, alerts } = await listen(await front.token('provider'))
    const took: number[] = []
    // Three, because other tests share the processor.
    for (const nth of [1, 2, 3]) {
      const waiting = await waitingResult()
      const sent = performance.now()
      expect(await send(waiting.message)).toContain(`MSA|AA|${waiting.controlId}`)
      await until('the alert is in the browser', () => alerts.length === nth)
      expect(alerts[nth - 1]?.patientId).toBe(waiting.patientId)
      took.push((alerts[nth - 1]?.at ?? 0) - sent)
    }
    expect(Math.min(...took)).toBeLessThan(1000)
    const open = async () => /^carespine_alerts_unacknowledged (\d+)$/m.exec(await (await fetch(`${back.url}/metrics`)).text())?.[1]
    expect(await open()).toBe('3')
    for (const { id, patientId = '' } of alerts) {
      await provider(acknowledgeNotification, { id })
      expect((await alertsAbout(patientId))[0]?.acknowledgedBy).toBe('provider')
    }
    expect(await open()).toBe('0')
    socket.disconnect()
  })

  test('is not lost with the worker: it comes once when that is back', async () => {
    const { socket, alerts } = await listen(await front.token('provider'))
    for (const delay of [0, 15]) {
      const waiting = await waitingResult()
      expect(await send(waiting.message)).toContain(`MSA|AA|${waiting.controlId}`)
      await pause(delay)
      await back.kill()
      // The rest of the hospital goes on without it.
      expect(await statusOf(front, '/health/ready')).toBe(200)
      await back.start()
      expect(await send(waiting.message)).toContain(`MSA|AA|${waiting.controlId}`)
      await until('the alert is on the list', async () => (await alertsAbout(waiting.patientId)).length > 0)
      await until('all is handled', async () => (await waitingEvents()) === 0)
      expect(await alertsAbout(waiting.patientId)).toHaveLength(1)
      expect(alerts.filter(({ patientId }) => patientId === waiting.patientId).length).toBeLessThan(2)
    }
    socket.disconnect()
  })
})

describe('a sign-in', () => {
  test('at one process is valid at another, and ends at both', async () => {
    const second = await processOf('api')
    await second.start()
    const response = await fetch(`${front.url}/api/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'lab@main.example', password: 'a-long-test-password', portal: 'lab' }),
    })
    const { accessToken } = (await response.json()) as { accessToken: string }
    const cookie = (response.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
    await second.as(accessToken)(listNotifications, {})
    expect(await (await fetch(`${second.url}/.well-known/jwks.json`)).json()).toEqual(await (await fetch(`${front.url}/.well-known/jwks.json`)).json())
    const headers = { cookie, 'x-carespine-csrf': '1' }
    const refreshed = await fetch(`${second.url}/api/auth/refresh`, { method: 'POST', headers })
    expect(refreshed.status).toBe(200)
    await fetch(`${second.url}/api/auth/logout`, { method: 'POST', headers: { ...headers, cookie: (refreshed.headers.get('set-cookie') ?? '').split(';')[0] ?? '' } })
    const me = { headers: { authorization: `Bearer ${accessToken}` } }
    expect(await statusOf(second, '/api/auth/me', me)).toBe(401)
    await until('the other process has noticed', async () => (await statusOf(front, '/api/auth/me', me)) === 401, 7000)
    await second.kill('SIGTERM')
  })
})

describe('two workers', () => {
  test('handle each event once and in order per patient, also when the one at work is killed', async () => {
    spare = await processOf('worker,links')
    await spare.start()
    const numbers = ['81', '82', '83', '84']
    const towns = Array.from({ length: 25 }, (_one, at) => `Town${at}`)
    const analyser = await MllpClient.open(spare.hl7Port)
    let answered = 0
    const answers = towns.flatMap((town, at) =>
      numbers.map(async (number) => {
        const message = [
          `MSH|^~\\&|HIS|NORTH|CARESPINE|MAIN|20260301101500||ADT^${at === 0 ? 'A04' : 'A08'}|W-${number}-${at}|P|2.5.1||||||UNICODE UTF-8`,
          `PID|1||${number}^^^NORTH^MR||Ordered${number}^Given||1979041${number.slice(1)}|F|||1 King Rd^^${town}`,
        ].join('\r')
        const answer = await analyser.send(`${message}\r`)
        answered += 1
        return answer
      }),
    )
    await until('a third is answered', () => answered > 30)
    // It started first, so it is the one that dispatches.
    await back.kill()
    for (const answer of await Promise.all(answers)) expect(answer).toContain('MSA|AA|')
    analyser.close()
    await until('all is handled', async () => (await waitingEvents()) === 0)

    const authorization = `Bearer ${await front.token('lab')}`
    for (const number of numbers) {
      const { patients } = await hub(searchPatients, { text: `Ordered${number}` })
      expect(patients).toHaveLength(1)
      const history = await fetch(`${front.url}/fhir/R4/Patient/${patients[0]?.id}/_history?_count=100`, { headers: { authorization } })
      const { entry } = (await history.json()) as { entry: { resource: { address?: { city?: string }[] } }[] }
      expect(entry.map(({ resource }) => resource.address?.[0]?.city).toReversed()).toEqual(towns)
    }
    const { rows } = await owner.query('select count(*)::int as n from bus.dead_letter')
    expect(rows).toEqual([{ n: 0 }])
  })

  test('escalate an alert once', async () => {
    await back.start()
    const waiting = await waitingResult()
    expect(await send(waiting.message, spare)).toContain(`MSA|AA|${waiting.controlId}`)
    await until('the alert is there', async () => (await alertsAbout(waiting.patientId)).length > 0)
    const [alert] = await alertsAbout(waiting.patientId)
    await owner.query("update notifications.alert set escalate_at = now() - interval '1 second' where id = $1", [alert?.id])
    const escalations = async () => (await owner.query("select id from bus.outbox where type = 'notification.escalated.v1'")).rowCount ?? 0
    await until('it is escalated', async () => (await escalations()) > 0)
    // Long enough for the clock of the other one to come round.
    await pause(16_000)
    expect(await escalations()).toBe(1)
    expect((await alertsAbout(waiting.patientId))[0]?.escalation).toBe(1)
  }, 60_000)
})

describe('a process with the wrong key-encryption key', () => {
  const lastLine = (server: ServerProcess) => server.said.trim().split('\n').at(-1)

  test('says so in one line and ends', async () => {
    const foreign = await processOf('worker', { CARESPINE_KEK: randomBytes(32).toString('base64') })
    foreign.launch()
    expect(await foreign.ended()).toBe(1)
    expect(lastLine(foreign)).toMatch(/^The key-encryption key in CARESPINE_KEK or CARESPINE_KEK_FILE is not the one/)
  })

  test('or with none: says where to put it, and leaves no key that would be taken for the right one', async () => {
    const bare = await processOf('worker', { CARESPINE_KEK: '' })
    for (const _time of [1, 2]) {
      bare.launch()
      expect(await bare.ended()).toBe(1)
      expect(lastLine(bare)).toMatch(/^This database was made with a key-encryption key that is not here\. Set CARESPINE_KEK/)
      expect(existsSync(join(bare.dataFolder, 'keys', 'key-encryption-key'))).toBe(false)
    }
  })

  test('or a file that is not there: names the variable and the file', async () => {
    const lost = await processOf('worker', { CARESPINE_KEK: '', CARESPINE_KEK_FILE: join(folder, 'no-such-file') })
    lost.launch()
    expect(await lost.ended()).toBe(1)
    expect(lastLine(lost)).toBe(`CARESPINE_KEK_FILE: ${join(folder, 'no-such-file')} cannot be read (ENOENT)`)
  })
})
