import { randomUUID } from 'node:crypto'
import { startEncounter } from '@carespine/encounters/contract'
import { collectSpecimen, enterResults, receiveSpecimen, releaseResult } from '@carespine/lab/contract'
import { acknowledgeNotification, listNotifications } from '@carespine/notifications/contract'
import { placeOrder } from '@carespine/orders/contract'
import { registerPatient } from '@carespine/registration/contract'
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

async function escalate(): Promise<void> {
  const job = hospitalModules()
    .modules.flatMap(({ jobs = [] }) => jobs)
    .find(({ name }) => name === 'notifications.escalate')
  if (!job) throw new Error('there is no such job')
  const { services } = hospital.hospital
  const origin = { correlationId: randomUUID(), action: job.name, module: 'notifications' }
  await services.transact(services.system('notifications'), origin, (context) => job.run(context))
  await hospital.settle()
}

const open = async (role: string, branch: 'main' | 'other' = 'main') => {
  const user = await hospital.signIn(role, branch)
  return { user, notifications: (await user.call(listNotifications, { open: true })).notifications }
}

describe('a critical value that nobody acknowledges', () => {
  test('goes to more people after 5 and 15 minutes, stays in its branch, and rests when somebody takes it', async () => {
    const provider = await hospital.signIn('provider')
    const lab = await hospital.signIn('lab')
    const { patientId } = await provider.call(registerPatient, { name: { family: 'Wait', given: 'Long' }, sex: 'male', birthDate: '1950-05-05' })
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

    clock.advance(4 * MINUTE)
    await escalate()
    expect((await open('provider')).notifications.map(({ escalation }) => escalation)).toEqual([0])
    clock.advance(2 * MINUTE)
    await escalate()
    expect((await open('provider')).notifications.map(({ escalation }) => escalation)).toEqual([1])
    expect((await open('nurse')).notifications).toEqual([])
    clock.advance(11 * MINUTE)
    await escalate()
    const { user: nurse, notifications } = await open('nurse')
    expect(notifications.map(({ escalation, patientId: whose }) => [escalation, whose])).toEqual([[2, patientId]])
    expect((await open('nurse', 'other')).notifications).toEqual([])
    expect((await open('provider', 'other')).notifications).toEqual([])

    const { acknowledgedBy } = await nurse.call(acknowledgeNotification, { id: notifications[0]?.id ?? '' })
    expect(acknowledgedBy).toBe('nurse main')
    clock.advance(60 * MINUTE)
    await escalate()
    expect((await open('admin')).notifications).toEqual([])
  })
})
