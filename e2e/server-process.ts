import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startEncounter } from '@carespine/encounters/contract'
import { addUser, firstBranch } from '@carespine/identity/accounts'
import { type Action, actionPath, type z } from '@carespine/kit/contract'
import { readConfig } from '@carespine/kit/config'
import { collectSpecimen } from '@carespine/lab/contract'
import { analyserMessage } from '@carespine/link-hl7v2/mllp-client'
import { placeOrder } from '@carespine/orders/contract'
import { registerPatient } from '@carespine/registration/contract'
import { startHospital } from '@carespine/server/hospital-server'
import { freePort, startPostgres } from '@carespine/store/embedded-postgres'
import { PASSWORD } from './test-hospital.ts'

const start = fileURLToPath(new URL('../apps/server/src/start.js', import.meta.url))
const pause = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds))

/** A hospital of one branch with a user of each of these roles, in a data folder that nothing runs on. */
export async function fillDataFolder(dataFolder: string): Promise<void> {
  const postgres = await startPostgres({ folder: join(dataFolder, 'postgres') })
  await fillDatabase(postgres.url, dataFolder)
  await postgres.stop()
}

/** The same in a database; the key-encryption key is the given one, or lies in the data folder. */
export async function fillDatabase(url: string, dataFolder: string, kek = ''): Promise<void> {
  const config = readConfig({ PORT: '0', CARESPINE_DATA: dataFolder, DATABASE_URL: url, ROLES: 'api', CARESPINE_KEK: kek, LOG_LEVEL: 'error' })
  const hospital = await startHospital(config, { ownerUrl: url })
  const { services } = hospital
  const origin = { correlationId: randomUUID(), action: 'test.fill', module: 'identity' }
  await services.transact(services.system('identity'), origin, async ({ tx }) => {
    const branch = await firstBranch(tx)
    await services.store.keyring.ensure(branch)
    for (const role of ['hub', 'provider', 'lab', 'it']) {
      const practitioner = `${role}-main`
      tx.write({ resourceType: 'Practitioner', id: practitioner, name: [{ text: role }] })
      await addUser(tx, { email: `${role}@main.example`, password: PASSWORD, display: role, roles: [role], branches: [branch], branch, practitioner })
    }
  })
  await hospital.close()
}

/** The server as a user starts it: a process of its own, on a data folder and two ports. */
export class ServerProcess {
  readonly dataFolder: string
  readonly port: number
  readonly hl7Port: number
  readonly #settings: Readonly<Record<string, string>>
  #child: ChildProcess | undefined
  /** What it has printed since it was last started. */
  said = ''

  private constructor(dataFolder: string, port: number, hl7Port: number, settings: Readonly<Record<string, string>>) {
    this.dataFolder = dataFolder
    this.port = port
    this.hl7Port = hl7Port
    this.#settings = settings
  }

  /** @param settings Environment variables beside those that every test needs. */
  static async on(dataFolder: string, ports: { port?: number; hl7Port?: number } = {}, settings: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
    return new ServerProcess(dataFolder, ports.port ?? (await freePort()), ports.hl7Port ?? (await freePort()), settings)
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  launch(): void {
    this.said = ''
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, PORT: String(this.port), HL7_PORT: String(this.hl7Port), CARESPINE_DATA: this.dataFolder, CARESPINE_DEMO: 'off', LOG_LEVEL: 'error', ...this.#settings }
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

  async token(role: string): Promise<string> {
    const response = await fetch(`${this.url}/api/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: `${role}@main.example`, password: PASSWORD, portal: role }),
    })
    if (response.status !== 200) throw new Error(`sign-in of ${role}: ${response.status}`)
    return ((await response.json()) as { accessToken: string }).accessToken
  }

  async signIn(role: string): Promise<Caller> {
    return this.as(await this.token(role))
  }

  /** Calls actions on this process with a token that any process may have given. */
  as(accessToken: string): Caller {
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

// Far enough from each other that nobody is taken for the one before.
const people = ['Alpha Nora', 'Bravo Khalid', 'Cortez Muna', 'Dogan Yusuf', 'Ekström Hind', 'Faraj Omar', 'Ghanem Layla', 'Hosseini Reza', 'Ito Kenji']

/** The nth blood count (from 1) that was ordered and collected, with a critical result that an analyser has ready. */
export async function criticalResult({ hub, provider, lab }: { hub: Caller; provider: Caller; lab: Caller }, nth: number) {
  const [family = '', given = ''] = people[nth - 1]?.split(' ') ?? []
  const { patientId } = await hub(registerPatient, { name: { family, given }, sex: 'male', birthDate: `${1940 + 5 * nth}-0${nth}-1${nth}` })
  const { encounterId } = await provider(startEncounter, { patientId })
  const { orders } = await provider(placeOrder, { encounterId, panels: ['cbc'] })
  // Without a reaction that ran already: the laboratory finds the order in the record.
  const { accession } = await lab(collectSpecimen, { orderId: orders[0]?.orderId ?? '' })
  const controlId = `K-${nth}`
  const message = analyserMessage({ controlId, accession, panel: 'CBC', at: new Date(), values: [{ code: '718-7', value: 5.5, unit: 'g/dL' }] })
  return { patientId, controlId, message }
}
