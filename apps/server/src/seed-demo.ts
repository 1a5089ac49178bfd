import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { addBranch, addClient, addUser, findByEmail, listBranches, userActor } from '@carespine/identity/accounts'
import { recordVitals, startEncounter } from '@carespine/encounters/contract'
import { collectSpecimen, enterResults, receiveSpecimen, recordCallBack, releaseResult } from '@carespine/lab/contract'
import { analyserMessage } from '@carespine/link-hl7v2/mllp-client'
import { receiveFrame } from '@carespine/link-hl7v2/receive-message'
import { placeOrder } from '@carespine/orders/contract'
import type { DemoHospital, DemoStep } from '@carespine/pack-demo-hospital/contract'
import { generateHospital } from '@carespine/pack-demo-hospital/generate'
import { type Actor, SHARED_BRANCH } from '@carespine/store/contract'
import type { RunningHospital } from './hospital-server.ts'

/** What a person needs to try the demo; written to the data folder, readable by its owner alone. */
export interface DemoAccess {
  users: { role: string; email: string; password: string; branch: string }[]
  client: { client_id: string; client_secret: string }
}

const SEED = 'carespine-demo'
const FILL_LOCK = 4_203_119

/**
 * The log-ins of the demo hospital; fills the hospital first when it was never filled or not to the end. Undefined when
 * another process, with a data folder of its own, has filled it.
 */
export async function demoAccess(
  hospital: RunningHospital,
  dataFolder: string,
  options: { onProgress(step: string): void; patients?: number },
): Promise<DemoAccess | undefined> {
  const file = join(dataFolder, 'demo-access.json')
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as DemoAccess
  const lock = await hospital.services.store.database.begin({ branches: '', patient: '' })
  try {
    // Held until it is filled, which takes longer than a transaction may otherwise last.
    await lock.query({ text: "select set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true)" })
    await lock.query({ text: 'select pg_advisory_xact_lock($1)', values: [FILL_LOCK] })
    const filled = await lock.query({ text: 'select 1 from bus.job where name = $1', values: [SEED] })
    if (filled.length > 0) return undefined
    const access = await fill(hospital, options)
    writeFileSync(file, `${JSON.stringify(access, null, 2)}\n`, { mode: 0o600 })
    await lock.query({ text: 'insert into bus.job (name, ran_at) values ($1, $2)', values: [SEED, hospital.services.now()] })
    await lock.commit()
    return access
  } finally {
    await lock.rollback()
  }
}

async function fill(hospital: RunningHospital, options: { onProgress(step: string): void; patients?: number }): Promise<DemoAccess> {
  const today = hospital.services.now().toISOString().slice(0, 10)
  const demo = generateHospital({ seed: SEED, today, patients: options.patients ?? 300 })
  await seedBranches(hospital, demo)
  await seedRecord(hospital, demo, options.onProgress)
  const access = await seedAccounts(hospital, demo)
  options.onProgress('Putting today’s work into the queues')
  await doTodaysWork(hospital, demo)
  return access
}

const originOf = (action: string) => ({ correlationId: randomUUID(), action, module: 'import' })

async function seedBranches({ services }: RunningHospital, demo: DemoHospital): Promise<void> {
  const system = services.system('demo')
  await services.transact(system, originOf('demo.branches'), async ({ tx }) => {
    const known = await listBranches(tx)
    for (const { id, code, name, nameAr, timezone } of demo.branches) {
      await services.store.keyring.ensure(id)
      if (!known.some((branch) => branch.id === id)) {
        await addBranch(tx, { id, code, name, nameArabic: nameAr, timeZone: timezone })
      }
    }
  })
}

async function seedRecord({ services }: RunningHospital, demo: DemoHospital, onProgress: (step: string) => void): Promise<void> {
  const system = services.system('demo')
  const load = (entries: readonly { resource: { resourceType: string; id: string }; branch: string }[]) =>
    services.transact(system, originOf('demo.record'), async ({ tx }) => {
      const [first] = entries
      // A record is loaded whole or not at all: when its first resource is there, so is the rest.
      if (!first || (await tx.versionOf(first.resource.resourceType as 'Patient', first.resource.id))) return
      for (const { resource, branch } of entries) {
        tx.write(resource as Parameters<typeof tx.write>[0], { branch: branch === 'shared' ? SHARED_BRANCH : branch })
      }
    })
  await load(demo.shared)
  let done = 0
  const records = demo.patients[Symbol.iterator]()
  const worker = async (): Promise<void> => {
    for (let next = records.next(); !next.done; next = records.next()) {
      await load(next.value.entries)
      done += 1
      if (done % 25 === 0) onProgress(`Filling the demo hospital: ${done} of ${demo.patientCount} patients`)
      // Lets requests that came meanwhile through.
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await Promise.all([worker(), worker(), worker()])
}

async function seedAccounts({ services }: RunningHospital, demo: DemoHospital): Promise<DemoAccess> {
  const system = services.system('identity')
  return await services.transact(system, originOf('demo.accounts'), async ({ tx }) => {
    const users: DemoAccess['users'] = []
    for (const user of demo.staff) {
      const password = randomBytes(9).toString('base64url')
      const known = await findByEmail(tx, user.email)
      if (known) await tx.sql('delete from identity.user_account where id = $1', [known.id])
      await addUser(tx, {
        id: user.id,
        email: user.email,
        password,
        display: user.displayName,
        roles: [user.role],
        branches: user.branches,
        branch: user.branch,
        ...(user.practitioner ? { practitioner: user.practitioner } : {}),
        ...(user.patient ? { patient: user.patient } : {}),
      })
      users.push({ role: user.role, email: user.email, password, branch: user.branch })
    }
    const [first] = demo.branches
    const client = await addClient(tx, {
      display: 'Demo client',
      roles: ['system'],
      branches: demo.branches.map(({ id }) => id),
      ...(first ? { branch: first.id } : {}),
    })
    return { users, client }
  })
}

// Through the same commands that people use, as those people.
async function doTodaysWork({ services }: RunningHospital, demo: DemoHospital): Promise<void> {
  const actors = new Map<string, Actor>()
  const encounters = new Map<string, string>()
  const orders = new Map<string, { orderId: string; accession?: string; reportId?: string }>()
  const actorOf = async (email: string, branch: string): Promise<Actor> => {
    const key = `${email}/${branch}`
    const known = actors.get(key)
    if (known) return known
    const account = await services.view(services.system('identity'), originOf('demo.work'), ({ view }) => findByEmail(view, email))
    if (!account) throw new Error('The demo names somebody who has no account')
    const role = account.roles[0] ?? ''
    const actor = { ...userActor(account, { id: '', portal: role }), branch, permissions: ['*'] }
    actors.set(key, actor)
    return actor
  }
  const now = services.now().getTime()
  const before = (minutes: number): string => new Date(now - minutes * 60_000).toISOString()
  const act = async (step: DemoStep): Promise<void> => {
    const actor = await actorOf(step.actorEmail, step.branch)
    const order = 'orderRef' in step ? orders.get(step.orderRef) : undefined
    const orderId = order?.orderId ?? ''
    switch (step.kind) {
      case 'start-encounter': {
        const provider = demo.staff.find(({ email }) => email === step.providerEmail)?.practitioner
        const { encounterId } = await services.perform(
          startEncounter,
          { patientId: step.patientId, class: step.class, reasonCode: step.reason, start: before(step.minutesAgo), ...(provider ? { practitioners: [provider] } : {}) },
          actor,
        )
        encounters.set(step.encounterRef, encounterId)
        return
      }
      case 'record-vitals':
        await services.perform(recordVitals, { encounterId: encounters.get(step.encounterRef) ?? '', vitals: step.vitals, at: before(step.minutesAgo) }, actor)
        return
      case 'place-order': {
        const placed = await services.perform(
          placeOrder,
          { encounterId: encounters.get(step.encounterRef) ?? '', panels: [step.panel], priority: step.priority, repeat: true },
          actor,
        )
        orders.set(step.orderRef, { orderId: placed.orders[0]?.orderId ?? '' })
        return
      }
      case 'collect':
        orders.set(step.orderRef, { orderId, accession: (await services.perform(collectSpecimen, { orderId }, actor)).accession })
        return
      case 'receive':
        await services.perform(receiveSpecimen, { accession: order?.accession ?? '' }, actor)
        return
      case 'enter-results':
        await services.perform(enterResults, { orderId, values: [...step.values], ...(step.comment ? { comment: step.comment } : {}) }, actor)
        return
      case 'release': {
        const { reportId } = await services.perform(releaseResult, { orderId }, actor)
        orders.set(step.orderRef, { orderId, reportId })
        return
      }
      case 'record-call-back':
        await services.perform(recordCallBack, { reportId: order?.reportId ?? '', calledTo: step.calledTo, readBack: step.readBack }, actor)
        return
      case 'book-appointment':
        await services.transact(actor, originOf('demo.work'), async ({ tx }) => {
          if (!(await tx.versionOf('Appointment', step.appointment.id))) tx.write(step.appointment)
        })
    }
  }
  for (const step of demo.todaysWork) await act(step)
  await sendUnmatched(services)
}

// An analyser's result for a number that nobody gave: it waits on the laboratory's list until a person places it.
async function sendUnmatched(services: RunningHospital['services']): Promise<void> {
  const values = [
    { code: '6690-2', value: 8.4, unit: '10*3/uL' },
    { code: '718-7', value: 12.9, unit: 'g/dL' },
    { code: '777-3', value: 268, unit: '10*3/uL' },
  ]
  const message = analyserMessage({ controlId: 'DEMO-1', accession: '00-0000000', panel: 'CBC', at: services.now(), values })
  await receiveFrame(services, Buffer.from(message))
}
