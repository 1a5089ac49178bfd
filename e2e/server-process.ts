import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { addBranch, addUser } from '@carespine/identity/accounts'
import { type Action, actionPath, type z } from '@carespine/kit/contract'
import { readConfig } from '@carespine/kit/config'
import { startHospital } from '@carespine/server/hospital-server'
import { freePort, startPostgres } from '@carespine/store/embedded-postgres'
import { BRANCHES, PASSWORD } from './test-hospital.ts'

const start = fileURLToPath(new URL('../apps/server/src/start.ts', import.meta.url))
const pause = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds))

/** A hospital of one branch with a provider and a laboratory user, in a data folder that nothing runs on. */
export async function fillDataFolder(dataFolder: string): Promise<void> {
  const postgres = await startPostgres({ folder: join(dataFolder, 'postgres') })
  const config = readConfig({ PORT: '0', HL7_PORT: '0', CARESPINE_DATA: dataFolder, DATABASE_URL: postgres.url, LOG_LEVEL: 'error' })
  const hospital = await startHospital(config, { ownerUrl: postgres.url })
  const { services } = hospital
  await services.store.keyring.ensure(BRANCHES.main)
  const origin = { correlationId: randomUUID(), action: 'test.fill', module: 'identity' }
  await services.transact(services.system('identity'), origin, async ({ tx }) => {
    await addBranch(tx, { id: BRANCHES.main, code: 'MAIN', name: 'main', nameArabic: 'main' })
    for (const role of ['hub', 'provider', 'lab']) {
      const practitioner = `${role}-main`
      tx.write({ resourceType: 'Practitioner', id: practitioner, name: [{ text: role }] })
      await addUser(tx, { email: `${role}@main.example`, password: PASSWORD, display: role, roles: [role], branches: [BRANCHES.main], branch: BRANCHES.main, practitioner })
    }
  })
  await hospital.close()
  await postgres.stop()
}

/** The server as a user starts it: a process of its own, on a data folder and two ports. */
export class ServerProcess {
  readonly dataFolder: string
  readonly port: number
  readonly hl7Port: number
  #child: ChildProcess | undefined
  /** What it has printed since it was last started. */
  said = ''

  private constructor(dataFolder: string, port: number, hl7Port: number) {
    this.dataFolder = dataFolder
    this.port = port
    this.hl7Port = hl7Port
  }

  static async on(dataFolder: string, ports: { port?: number; hl7Port?: number } = {}): Promise<ServerProcess> {
    return new ServerProcess(dataFolder, ports.port ?? (await freePort()), ports.hl7Port ?? (await freePort()))
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  launch(): void {
    this.said = ''
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, PORT: String(this.port), HL7_PORT: String(this.hl7Port), CARESPINE_DATA: this.dataFolder, CARESPINE_DEMO: 'off', LOG_LEVEL: 'error' }
    const child = spawn(process.execPath, [start], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const hear = (text: Buffer): void => {
      this.said += text.toString()
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    this.#child = child
  }

  async start(): Promise<void> {
    this.launch()
    for (let waited = 0; waited < 60_000; waited += 25) {
      if (this.said.includes('Ready')) return
      if (this.hasEnded) break
      await pause(25)
    }
    throw new Error(`the server did not start:\n${this.said}`)
  }

  get hasEnded(): boolean {
    return this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Waits for its end; resolves with the exit code, null when a signal ended it. */
  async ended(): Promise<number | null> {
    for (let waited = 0; waited < 20_000 && !this.hasEnded; waited += 10) await pause(10)
    if (!this.hasEnded) throw new Error(`the server did not end:\n${this.said}`)
    return this.#child?.exitCode ?? null
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    this.#child?.kill(signal)
    await this.ended()
  }

  async postmaster(): Promise<number> {
    return Number((await readFile(join(this.dataFolder, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0])
  }

  /** Status of /health/ready; 0 when nothing answers. */
  async readiness(): Promise<number> {
    return await fetch(`${this.url}/health/ready`).then(({ status }) => status, () => 0)
  }

  async signIn(role: string): Promise<Caller> {
    const response = await fetch(`${this.url}/api/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: `${role}@main.example`, password: PASSWORD, portal: role }),
    })
    if (response.status !== 200) throw new Error(`sign-in of ${role}: ${response.status}`)
    const { accessToken } = (await response.json()) as { accessToken: string }
    return async (action, input) => {
      const answer = await fetch(this.url + actionPath(action.name), {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${accessToken}` },
        body: JSON.stringify(input),
      })
      const body: unknown = await answer.json()
      if (!answer.ok) throw Object.assign(new Error((body as { code: string }).code), { status: answer.status })
      return action.output.parse(body) as never
    }
  }
}

export type Caller = <I extends z.ZodType, O extends z.ZodType>(action: Action<I, O>, input: z.input<I>) => Promise<z.output<O>>
