import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addBranch, addClient, addUser } from '@carespine/identity/accounts'
import { actionPath, type Action, type z } from '@carespine/kit/contract'
import { readConfig } from '@carespine/kit/config'
import { type RunningHospital, startHospital } from '@carespine/server/hospital-server'
import { testDatabase } from '@carespine/testing/database'
import { io, type Socket } from 'socket.io-client'

export const PASSWORD = 'a-long-test-password'

export const BRANCHES = {
  main: '10000000-0000-4000-8000-000000000001',
  other: '10000000-0000-4000-8000-000000000002',
} as const

export interface SignedInUser {
  token: string
  cookie: string
  /** Calls an action as this user; throws the refusal's body with its status. */
  call<I extends z.ZodType, O extends z.ZodType>(action: Action<I, O>, input: z.input<I>, headers?: Record<string, string>): Promise<z.output<O>>
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** A live connection that collects events by name. */
  listen(): Promise<{ events: { name: string; data: never; at: number }[]; socket: Socket; waitFor(name: string): Promise<never> }>
}

export interface TestHospital {
  hospital: RunningHospital
  url: string
  dataFolder: string
  databaseUrl: string
  client: { client_id: string; client_secret: string }
  signIn(role: string, branch?: keyof typeof BRANCHES): Promise<SignedInUser>
  /** An account that a test made, with the password of all of them. */
  signInAs(email: string, portal: string): Promise<SignedInUser>
  /** As this client; as the hospital's own when none is given. */
  asClient(other?: { client_id: string; client_secret: string }): Promise<SignedInUser>
  /** Waits until every event has been handled. */
  settle(): Promise<void>
  /** Ends and starts the server on the same data. */
  restart(): Promise<void>
  close(): Promise<void>
}

const practitionerId = (role: string, branch: string): string => `${role}-${branch}`

/**
 * A hospital of two branches with one user of each role at each, on a database and a port of its own.
 *
 * @param options.settings Environment variables beside those of every test.
 */
export async function startTestHospital({ settings = {}, ...options }: { now?(): Date; settings?: Readonly<Record<string, string>> } = {}): Promise<TestHospital> {
  const database = await testDatabase()
  const dataFolder = await mkdtemp(join(tmpdir(), 'carespine-hospital-'))
  const config = readConfig({ PORT: '0', HL7_PORT: '0', CARESPINE_DATA: dataFolder, DATABASE_URL: database.url, LOG_LEVEL: 'error', ...settings })
  let hospital = await startHospital(config, { ownerUrl: database.url, ...options })
  const client = await fill(hospital)
  const test: TestHospital = {
    get hospital() {
      return hospital
    },
    get url() {
      return hospital.url
    },
    dataFolder,
    databaseUrl: database.url,
    client,
    signIn: (role, branch = 'main') => test.signInAs(`${role}@${branch}.example`, role),
    async signInAs(email, portal) {
      const response = await fetch(`${hospital.url}/api/auth/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ email, password: PASSWORD, portal }),
      })
      if (response.status !== 200) throw new Error(`sign-in of ${email}: ${response.status} ${await response.text()}`)
      const { accessToken } = (await response.json()) as { accessToken: string }
      return user(accessToken, (response.headers.get('set-cookie') ?? '').split(';')[0] ?? '')
    },
    async asClient(other = client) {
      const response = await fetch(`${hospital.url}/oauth2/token`, {
        method: 'POST',
        body: new URLSearchParams({ grant_type: 'client_credentials', ...other }),
      })
      return user(((await response.json()) as { access_token: string }).access_token, '')
    },
    async settle() {
      for (let waited = 0; waited < 10_000; waited += 20) {
        if ((await hospital.bus.waiting()) === 0) return
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      throw new Error('events were not handled within 10 s')
    },
    async restart() {
      await hospital.close()
      hospital = await startHospital(config, { ownerUrl: database.url, ...options })
    },
    async close() {
      await hospital.close()
      await database.drop()
      await rm(dataFolder, { recursive: true, force: true })
    },
  }

  function user(token: string, cookie: string): SignedInUser {
    const request = (path: string, init: RequestInit = {}): Promise<Response> =>
      fetch(hospital.url + path, { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } })
    return {
      token,
      cookie,
      fetch: request,
      async call(action, input, headers = {}) {
        const response = await request(actionPath(action.name), {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body: JSON.stringify(input),
        })
        const body: unknown = await response.json()
        if (!response.ok) throw Object.assign(new Error((body as { code: string }).code), { status: response.status, body })
        return action.output.parse(body) as never
      },
      async listen() {
        const events: { name: string; data: never; at: number }[] = []
        const socket = io(hospital.url, { auth: { token }, transports: ['websocket'], reconnection: false })
        socket.onAny((name: string, data) => {
          events.push({ name, data: data as never, at: performance.now() })
        })
        await new Promise<void>((resolve, reject) => {
          socket.on('connect', resolve)
          socket.on('connect_error', reject)
        })
        return {
          events,
          socket,
          async waitFor(name) {
            for (let waited = 0; waited < 5000; waited += 5) {
              const found = events.find((event) => event.name === name)
              if (found) return found.data
              await new Promise((resolve) => setTimeout(resolve, 5))
            }
            throw new Error(`no ${name} within 5 s; there were: ${events.map((event) => event.name).join(', ')}`)
          },
        }
      },
    }
  }
  return test
}

async function fill({ services }: RunningHospital): Promise<TestHospital['client']> {
  const origin = { correlationId: randomUUID(), action: 'test.fill', module: 'identity' }
  for (const branch of Object.values(BRANCHES)) await services.store.keyring.ensure(branch)
  return await services.transact(services.system('identity'), origin, async ({ tx }) => {
    for (const [code, id] of Object.entries(BRANCHES)) {
      await addBranch(tx, { id, code: code.toUpperCase(), name: code, nameArabic: code })
      for (const role of ['hub', 'provider', 'lab', 'nurse', 'admin', 'it', 'patient']) {
        const practitioner = practitionerId(role, code)
        tx.write({ resourceType: 'Practitioner', id: practitioner, name: [{ text: `${role} ${code}` }] })
        await addUser(tx, {
          email: `${role}@${code}.example`,
          password: PASSWORD,
          display: `${role} ${code}`,
          roles: [role],
          branches: [id],
          branch: id,
          ...(role === 'patient' ? { patient: 'nobody-yet' } : { practitioner }),
        })
      }
    }
    return await addClient(tx, { display: 'Test client', roles: ['system'], branch: BRANCHES.main, branches: Object.values(BRANCHES) })
  })
}
