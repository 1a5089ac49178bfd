import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { addBranch, addClient, addUser } from '@carespine/identity/accounts'
import { type Action, actionPath, type z } from '@carespine/kit/contract'
import { readConfig } from '@carespine/kit/config'
import { type RunningHospital, startHospital } from '@carespine/server/hospital-server'
import { type EmbeddedPostgres, startPostgres } from '@carespine/store/embedded-postgres'
import pg from 'pg'
import type { BareTask } from './bare-handler.ts'
import { sampleObservation, samplePatient } from './sample-record.ts'

export const BRANCH = '10000000-0000-4000-8000-000000000001'
/** As `npm start` starts it. */
const AS_STARTED = '--max-semi-space-size=16 --heap-growing-percent=100'
const PASSWORD = randomBytes(18).toString('base64url')
const COPY = 'bench_bare'

export interface Person {
  token: string
  call<I extends z.ZodType, O extends z.ZodType>(action: Action<I, O>, input: z.input<I>): Promise<z.output<O>>
  fetch(path: string, init?: RequestInit): Promise<Response>
}

/** The data and accounts of a bench run: PostgreSQL in a temporary folder that goes away with it. */
export class BenchHospital {
  readonly folder: string
  readonly postgres: EmbeddedPostgres
  readonly say: (line: string) => void
  /** Patients with an ordinary record, then those with a long one. */
  readonly patients: string[] = []
  readonly longRecords: string[] = []
  client: { client_id: string; client_secret: string } = { client_id: '', client_secret: '' }
  readonly #children = new Set<ChildProcess>()

  private constructor(folder: string, postgres: EmbeddedPostgres, say: (line: string) => void) {
    this.folder = folder
    this.postgres = postgres
    this.say = say
  }

  static async make(say: (line: string) => void): Promise<BenchHospital> {
    const folder = await mkdtemp(join(tmpdir(), 'carespine-bench-'))
    try {
      const postgres = await startPostgres({ folder: join(folder, 'postgres') })
      return new BenchHospital(folder, postgres, say)
    } catch (error) {
      await rm(folder, { recursive: true, force: true })
      throw error
    }
  }

  #environment(more: Record<string, string> = {}): Record<string, string> {
    return { PORT: '0', HL7_PORT: '0', CARESPINE_DEMO: 'off', CARESPINE_DATA: this.folder, DATABASE_URL: this.postgres.url, LOG_LEVEL: 'error', ...more }
  }

  /** Runs `work` with a hospital in this process that only answers requests: nothing happens that nobody asked for. */
  async withQuietHospital<T>(work: (hospital: RunningHospital) => Promise<T>): Promise<T> {
    const hospital = await startHospital(readConfig(this.#environment({ ROLES: 'api' })), { ownerUrl: this.postgres.url })
    try {
      return await work(hospital)
    } finally {
      await hospital.close()
    }
  }

  async addAccounts({ services }: RunningHospital): Promise<void> {
    await services.store.keyring.ensure(BRANCH)
    const origin = { correlationId: randomUUID(), action: 'bench.accounts', module: 'identity' }
    this.client = await services.transact(services.system('identity'), origin, async ({ tx }) => {
      await addBranch(tx, { id: BRANCH, code: 'MAIN', name: 'Main', nameArabic: 'الرئيسي' })
      for (const role of ['hub', 'provider', 'lab']) {
        tx.write({ resourceType: 'Practitioner', id: role, name: [{ text: role }] })
        await addUser(tx, { email: `${role}@bench.example`, password: PASSWORD, display: role, roles: [role], branches: [BRANCH], branch: BRANCH, practitioner: role })
      }
      return await addClient(tx, { display: 'Bench client', roles: ['system'], branch: BRANCH, branches: [BRANCH] })
    })
  }

  /** Fills the record through the store's own write path, one unit of work for at most 500 resources. */
  async load({ services }: RunningHospital, wanted: { patients: number; observations: number; long: number; longEntries: number }): Promise<void> {
    const { patients, observations, long, longEntries } = wanted
    const actor = services.system('import', [BRANCH])
    const ofLong = long * (longEntries - 1)
    const now = services.now()
    let done = 0
    let written = 0
    let told = 0
    const began = performance.now()
    const loadOne = async (nth: number): Promise<void> => {
      const isLong = nth < long
      const rest = nth - long
      const share = (observations - ofLong) / Math.max(1, patients - long)
      const count = isLong ? longEntries - 1 : Math.floor((rest + 1) * share) - Math.floor(rest * share)
      const id = randomUUID()
      const origin = { correlationId: randomUUID(), action: 'bench.load', module: 'import' }
      await services.transact(actor, origin, async ({ tx }) => {
        tx.write({ ...samplePatient(nth), id })
        for (let at = 0; at < count; at++) tx.write(sampleObservation(`Patient/${id}`, at, now), { branch: BRANCH })
      })
      ;(isLong ? this.longRecords : this.patients).push(id)
      done += 1
      written += count
      if (done === patients || performance.now() - told > 5000) {
        told = performance.now()
        const rate = Math.round((written + done) / ((told - began) / 1000))
        this.say(`  ${done} of ${patients} patients, ${written} observations, ${rate} resources a second`)
      }
    }
    let next = 0
    const worker = async (): Promise<void> => {
      while (next < patients) await loadOne(next++)
    }
    await Promise.all([worker(), worker(), worker()])
    await this.asOwner(async (client) => {
      await client.query('vacuum analyze')
      await client.query('checkpoint')
    })
  }

  async asOwner<T>(work: (client: pg.Client) => Promise<T>, database?: string): Promise<T> {
    const url = new URL(this.postgres.url)
    if (database !== undefined) url.pathname = `/${database}`
    const client = new pg.Client({ connectionString: url.href })
    await client.connect()
    try {
      return await work(client)
    } finally {
      await client.end()
    }
  }

  async #spawn<T>(file: string, environment: Record<string, string>, first?: object): Promise<{ child: ChildProcess; said: T }> {
    const child = fork(fileURLToPath(new URL(file, import.meta.url)), [], {
      env: { ...process.env, ...environment },
      execArgv: (file.startsWith('hospital') ? process.env.BENCH_SERVER_ARGS ?? AS_STARTED : '').split(' ').filter(Boolean),
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    if (first) child.send(first)
    const said = await new Promise<T>((resolve, reject) => {
      child.once('message', (message) => resolve(message as T))
      child.once('error', reject)
      child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)))
    })
    return { child, said }
  }

  /** The hospital in a process of its own, with everything on; other settings than those of the bench may be given. */
  async startServer(settings: Record<string, string> = {}): Promise<{ url: string; hl7Port: number; pid: number }> {
    const { child, said } = await this.#spawn<{ url: string; hl7Port: number }>('hospital-process.ts', this.#environment(settings))
    return { ...said, pid: child.pid ?? 0 }
  }

  /** Copies the database as it is, and returns the address of the copy. Nothing may be connected to it meanwhile. */
  async copyDatabase(name: string): Promise<string> {
    const url = new URL(this.postgres.url)
    await this.asOwner((client) => client.query(`create database ${name} template ${url.pathname.slice(1)} strategy file_copy`), 'postgres')
    await this.asOwner((client) => client.query('vacuum analyze'), name)
    url.pathname = `/${name}`
    return url.href
  }

  /**
   * The bare handler in a process of its own, on a copy of the database: the same rows and indexes, and what it writes
   * does not reach the hospital's event consumers. Nothing may be connected to the database meanwhile.
   */
  async startBareHandler(recordings: BareTask['recordings']): Promise<{ url: string; pid: number }> {
    const databaseUrl = await this.copyDatabase(COPY)
    const { child, said } = await this.#spawn<{ url: string }>('bare-handler.ts', {}, { databaseUrl, recordings } satisfies BareTask)
    return { ...said, pid: child.pid ?? 0 }
  }

  /** Signs in as the user of a role, or as the client. */
  async signIn(url: string, role: 'hub' | 'provider' | 'lab' | 'client'): Promise<Person> {
    const response =
      role === 'client'
        ? await fetch(`${url}/oauth2/token`, { method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials', ...this.client }) })
        : await fetch(`${url}/api/auth/login`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ email: `${role}@bench.example`, password: PASSWORD, portal: role }),
          })
    if (!response.ok) throw new Error(`Sign-in as ${role}: ${response.status}`)
    const answer = (await response.json()) as { accessToken?: string; access_token?: string }
    const token = answer.accessToken ?? answer.access_token ?? ''
    const request = (path: string, init: RequestInit = {}): Promise<Response> =>
      fetch(url + path, { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } })
    return {
      token,
      fetch: request,
      async call(action, input) {
        const answered = await request(actionPath(action.name), { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(input) })
        const body: unknown = await answered.json()
        if (!answered.ok) throw new Error(`${action.name}: ${answered.status} ${(body as { code?: string }).code}`)
        return action.output.parse(body) as never
      },
    }
  }

  /** Waits until every event has been handled. */
  async settle(seconds = 60): Promise<void> {
    await this.asOwner(async (client) => {
      for (const until = performance.now() + seconds * 1000; performance.now() < until; ) {
        const { rows } = await client.query<{ waiting: boolean }>(
          'select exists (select 1 from bus.outbox where published_at is null) or exists (select 1 from bus.delivery) as waiting',
        )
        if (!rows[0]?.waiting) return
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      throw new Error(`Events were not handled within ${seconds} s`)
    })
  }

  get postmaster(): number {
    return Number(readFileSync(join(this.folder, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0])
  }

  /** Ends what was started and removes the data. */
  async close(): Promise<void> {
    const ending = [...this.#children].map(
      (child) =>
        new Promise<void>((resolve) => {
          child.once('exit', () => resolve())
          child.kill('SIGTERM')
          setTimeout(() => child.kill('SIGKILL'), 10_000).unref()
        }),
    )
    await Promise.all(ending)
    await this.postgres.stop()
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** The most memory a process has held so far, in MB (VmHWM); undefined where the system does not say. */
export function peakMemory(pid: number): number | undefined {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1024
  } catch {
    return undefined
  }
}

/** Processor time of a PostgreSQL server so far, in milliseconds: of its postmaster and of every process it started. */
export function databaseTime(postmaster: number): number {
  const server = timesOf(postmaster)
  if (!server) return Number.NaN
  const serving = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (timesOf(Number(name)) ?? []) : []))
  return serving.reduce((sum, { parent, own }) => (parent === postmaster ? sum + own : sum), server.own + server.ended)
}

/** Processor time that a process has used so far, in milliseconds; NaN where the system does not say. */
export function processorTime(pid: number): number {
  const times = timesOf(pid)
  return times ? times.own : Number.NaN
}

// utime, stime and those of children that were waited for, in ticks of 10 ms.
function timesOf(pid: number): { parent: number; own: number; ended: number } | undefined {
  try {
    const fields = (readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []).map(Number)
    const at = (place: number): number => fields[place] ?? Number.NaN
    return { parent: at(1), own: (at(11) + at(12)) * 10, ended: (at(13) + at(14)) * 10 }
  } catch {
    return undefined
  }
}
