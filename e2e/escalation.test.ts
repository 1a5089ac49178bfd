import { randomUUID } from 'node:crypto'
import { startEncounter } from '@carespine/encounters/contract'
import { collectSpecimen, enterResults, receiveSpecimen, releaseResult } from '@carespine/lab/contract'
import { acknowledgeNotification, listNotifications } from '@carespine/notifications/contract'
import { placeOrder } from '@carespine/orders/contract'
import { registerPatient } from '@carespine/registration/contract'
import { readConfig } from '@carespine/kit/config'
import { startHospital } from '@carespine/server/hospital-server'
import { hospitalModules } from '@carespine/server/modules'
import { clockAt } from '@carespine/testing/database'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

const MINUTE = 60_000
const clock = clockAt(new Date().toISOString())
let hospital: TestHospital

beforeAll(async () => {
  hospital = await startTestHospital({ now: clock.now })
})
afterAll(() => hospital?.close())

async function escalate(by = hospital.hospital): Promise<void> {
  const job = hospitalModules()
    .modules.flatMap(({ jobs = [] }) => jobs)
    .find(({ name }) => name === 'notifications.escalate')
  if (!job) throw new Error('there is no such job')
  const { services } = by
  const origin = { correlationId: randomUUID(), action: job.name, module: 'notifications' }
  await services.transact(services.system('notifications'), origin, (context) => job.run(context))
}

const open = async (role: string, branch: 'main' | 'other' = 'main') => {
  const user = await hospital.signIn(role, branch)
  return { user, notifications: (await user.call(listNotifications, { open: true })).notifications }
}

/** How often each alert was passed on that waits for somebody, as a user of the role sees it. */
const levels = async (role: string, branch: 'main' | 'other' = 'main') =>
  (await open(role, branch)).notifications.filter(({ acknowledgedAt }) => acknowledgedAt === undefined).map(({ escalation }) => escalation)

/** The levels of the events that say that an alert went to more people. */
async function escalations(alertId: string): Promise<number[]> {
  const { services } = hospital.hospital
  const rows = await services.store.database.query<{ id: string; branch: string; body: Buffer }>(
    { branches: '', patient: '' },
    { text: "select id, branch, body from bus.outbox where type = 'notification.escalated.v1' order by sequence" },
  )
  return rows
    .map((row) => services.store.openEvent(row).data as { alertId: string; level: number })
    .filter((data) => data.alertId === alertId)
    .map(({ level }) => level)
}

let patients = 0
/** A potassium of 7.1 mmol/L is released; gives whom it is about. */
async function criticalResult(): Promise<string> {
  patients += 1
  const provider = await hospital.signIn('provider')
  const lab = await hospital.signIn('lab')
  const birthDate = `${1950 + 7 * patients}-05-0${patients}`
  const { patientId } = await provider.call(registerPatient, { name: { family: ['Wait', 'Delay', 'Hurry', 'Twice'][patients - 1] ?? '', given: 'Long' }, sex: 'male', birthDate })
  const { encounterId } = await provider.call(startEncounter, { patientId })
  const { orders } = await provider.call(placeOrder, { encounterId, panels: ['bmp'] })
  const orderId = orders[0]?.orderId ?? ''
  await hospital.settle()
  const { accession } = await lab.call(collectSpecimen, { orderId })
  await lab.call(receiveSpecimen, { accession })
  const values = { '2345-7': 95, '3094-0': 14, '2160-0': 1, '2951-2': 139, '2823-3': 7.1, '2075-0': 102, '2028-9': 24, '17861-6': 9.4 }
  await lab.call(enterResults, { orderId, values: Object.entries(values).map(([code, value]) => ({ code, value })) })
  await lab.call(releaseResult, { orderId })
  await hospital.settle()
  return patientId
}

describe('a critical value that nobody acknowledges', () => {
  test('goes to more people after 5 and 15 minutes, stays in its branch, and rests when somebody takes it', async () => {
    const patientId = await criticalResult()
    clock.advance(4 * MINUTE)
    await escalate()
    expect(await levels('provider')).toEqual([0])
    clock.advance(2 * MINUTE)
    await escalate()
    expect(await levels('provider')).toEqual([1])
    expect(await levels('nurse')).toEqual([])
    clock.advance(11 * MINUTE)
    await escalate()
    const { user: nurse, notifications } = await open('nurse')
    expect(notifications.map(({ escalation, patientId: whose }) => [escalation, whose])).toEqual([[2, patientId]])
    expect(await levels('nurse', 'other')).toEqual([])
    expect(await levels('provider', 'other')).toEqual([])

    const { acknowledgedBy } = await nurse.call(acknowledgeNotification, { id: notifications[0]?.id ?? '' })
    expect(acknowledgedBy).toBe('nurse main')
    clock.advance(60 * MINUTE)
    await escalate()
    expect(await levels('admin')).toEqual([])
  })

  test('reaches the administrators after 35 minutes and stays open with all of them until one takes it', async () => {
    const patientId = await criticalResult()
    const { notifications } = await open('provider')
    const id = notifications[0]?.id ?? ''
    // Minutes after the result at which the job runs, and how often it was passed on by then.
    for (const [minute, level] of [[4.9, 0], [5.1, 1], [14.9, 1], [15.2, 2], [34.9, 2]] as const) {
      clock.advance(Date.parse(notifications[0]?.createdAt ?? '') + minute * MINUTE - clock.now().getTime())
      await escalate()
      expect([minute, await levels('provider')]).toEqual([minute, [level]])
    }
    expect(await levels('admin')).toEqual([])
    const { socket, waitFor } = await (await hospital.signIn('admin')).listen()
    clock.advance(0.5 * MINUTE)
    await escalate()
    expect(await waitFor('critical_alert')).toMatchObject({ id, patientId, escalation: 3 })
    socket.disconnect()
    for (const role of ['provider', 'nurse', 'admin']) expect([role, await levels(role)]).toEqual([role, [3]])
    expect(await levels('admin', 'other')).toEqual([])

    // There is nobody left to tell; it stays where it is.
    clock.advance(600 * MINUTE)
    await escalate()
    expect(await levels('provider')).toEqual([3])
    expect(await escalations(id)).toEqual([1, 2, 3])
    await (await hospital.signIn('admin')).call(acknowledgeNotification, { id })
    for (const role of ['provider', 'nurse', 'admin']) expect([role, await levels(role)]).toEqual([role, []])
  })

  test('goes no further when it is acknowledged between two steps', async () => {
    await criticalResult()
    const { user: provider, notifications } = await open('provider')
    const id = notifications[0]?.id ?? ''
    clock.advance(6 * MINUTE)
    await escalate()
    expect(await escalations(id)).toEqual([1])
    await provider.call(acknowledgeNotification, { id })
    for (const minutes of [10, 20, 60]) {
      clock.advance(minutes * MINUTE)
      await escalate()
    }
    expect(await escalations(id)).toEqual([1])
    expect([await levels('provider'), await levels('nurse'), await levels('admin')]).toEqual([[], [], []])
  })

  test('is passed on once, however many processes look at the same moment', async () => {
    await criticalResult()
    const { notifications } = await open('provider')
    const id = notifications[0]?.id ?? ''
    const config = readConfig({ PORT: '0', HL7_PORT: '0', CARESPINE_DATA: hospital.dataFolder, DATABASE_URL: hospital.databaseUrl, LOG_LEVEL: 'error' })
    const other = await startHospital(config, { ownerUrl: hospital.databaseUrl, now: clock.now })
    try {
      clock.advance(6 * MINUTE)
      await Promise.all([hospital.hospital, other, hospital.hospital, other, hospital.hospital, other].map((one) => escalate(one)))
      expect(await escalations(id)).toEqual([1])
      expect(await levels('provider')).toEqual([1])
    } finally {
      await other.close()
    }
  })
})
