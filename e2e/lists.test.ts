import { startEncounter } from '@carespine/encounters/contract'
import { collectSpecimen, enterResults, getWorklist, listReports, receiveSpecimen, releaseResult, viewResult } from '@carespine/lab/contract'
import { analyserMessage } from '@carespine/link-hl7v2/mllp-client'
import { receiveFrame } from '@carespine/link-hl7v2/receive-message'
import { listUnmatched } from '@carespine/link-hl7v2/contract'
import { placeOrder } from '@carespine/orders/contract'
import { panelByCode } from '@carespine/pack-core/panels'
import { registerPatient, searchPatients } from '@carespine/registration/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type SignedInUser, startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
let provider: SignedInUser
let lab: SignedInUser
const patients: { patientId: string; mrn: string }[] = []
const visits: string[] = []
const orders: { orderId: string; number: string }[] = []

const people = [
  { given: 'Amal', family: 'Haddad', birthDate: '1950-01-05' },
  { given: 'Badr', family: 'Qabbani', birthDate: '1961-02-11' },
  { given: 'Dana', family: 'Rashidi', birthDate: '1972-05-19' },
  { given: 'Farid', family: 'Zahrani', birthDate: '1983-07-23' },
  { given: 'Huda', family: 'Thaqafi', birthDate: '1994-10-29' },
]
const priorities = ['routine', 'stat', 'urgent'] as const

/** All pages of a list, in order. */
async function allOf<T>(page: (cursor: string | undefined) => Promise<{ rows: T[]; next?: string | undefined }>): Promise<T[]> {
  const rows: T[] = []
  let cursor: string | undefined
  do {
    const answer = await page(cursor)
    rows.push(...answer.rows)
    cursor = answer.next
  } while (cursor !== undefined && rows.length < 1000)
  return rows
}

beforeAll(async () => {
  hospital = await startTestHospital()
  const desk = await hospital.signIn('hub')
  provider = await hospital.signIn('provider')
  lab = await hospital.signIn('lab')
  for (const [at, { birthDate, ...name }] of people.entries()) {
    const patient = await desk.call(registerPatient, { name, sex: 'male', birthDate, phone: `+96650123400${at}` })
    patients.push(patient)
    const { encounterId } = await provider.call(startEncounter, { patientId: patient.patientId })
    visits.push(encounterId)
    for (const [nth, panel] of ['cbc', 'bmp'].entries()) {
      const placed = await provider.call(placeOrder, { encounterId, panels: [panel], priority: priorities[(at + nth) % 3] })
      orders.push(...placed.orders)
    }
  }
  await hospital.settle()
}, 60_000)
afterAll(async () => {
  await hospital?.close()
})

describe('the work list', () => {
  test('comes in pages: urgent before routine over all of them, then the oldest, each order once', async () => {
    const rows = await allOf((cursor) => lab.call(getWorklist, { queue: 'collect', limit: 3, ...(cursor ? { cursor } : {}) }))
    expect(rows.map(({ orderId }) => orderId).sort()).toEqual(orders.map(({ orderId }) => orderId).sort())
    const rank = { stat: 0, urgent: 1, routine: 2 }
    const expected = rows.toSorted((a, b) => rank[a.priority] - rank[b.priority] || (a.orderedAt < b.orderedAt ? -1 : a.orderedAt > b.orderedAt ? 1 : 0))
    expect(rows).toEqual(expected)
    expect(new Set(rows.map(({ priority }) => priority)).size).toBe(3)
  })

  test('says with its first page how much waits in each queue', async () => {
    const first = await lab.call(getWorklist, { queue: 'collect', limit: 2 })
    expect(first.counts).toMatchObject({ collect: orders.length, receive: 0 })
    expect((await lab.call(getWorklist, { queue: 'collect', limit: 2, cursor: first.next })).counts).toBeUndefined()
  })

  test('finds by name, MRN, order number and accession number whatever page the order would be on', async () => {
    const found = async (text: string) => (await lab.call(getWorklist, { queue: 'collect', limit: 1, text })).rows.map(({ patientName }) => patientName)
    expect(await found('zah')).toEqual(['Farid Zahrani'])
    expect(await found('far zah')).toEqual(['Farid Zahrani'])
    expect(await found('nobody')).toEqual([])
    expect(await found(patients[4]?.mrn ?? '')).toEqual(['Huda Thaqafi', 'Huda Thaqafi'])
    expect(await found(orders[2]?.number ?? '')).toEqual(['Badr Qabbani'])
    const { accession } = await lab.call(collectSpecimen, { orderId: orders[4]?.orderId ?? '' })
    const { rows } = await lab.call(getWorklist, { queue: 'receive', text: accession })
    expect(rows.map(({ patientName }) => patientName)).toEqual(['Dana Rashidi'])
  })

  test('refuses a cursor that it did not give', async () => {
    for (const cursor of ['x', '7', '0~%00', '0~eyJ4IjoxfQ']) {
      await expect(lab.call(getWorklist, { cursor })).rejects.toMatchObject({ message: 'SEARCH_CURSOR_INVALID' })
    }
  })
})

test('patients who are found by a number come in pages, by MRN before by phone', async () => {
  const found = await allOf(async (cursor) => {
    const page = await provider.call(searchPatients, { text: '+9665012', limit: 2, ...(cursor ? { cursor } : {}) })
    return { rows: page.patients, next: page.next }
  })
  expect(new Set(found.map(({ id }) => id))).toEqual(new Set(patients.map(({ patientId }) => patientId)))
})

test('unmatched messages come in pages, oldest first', async () => {
  for (const nth of [1, 2, 3, 4, 5]) {
    const message = analyserMessage({ controlId: `U-${nth}`, accession: '00-0000000', panel: 'CBC', at: new Date(), values: [{ code: '718-7', value: 12.9, unit: 'g/dL' }] })
    await receiveFrame(hospital.hospital.services, Buffer.from(message))
  }
  await hospital.settle()
  const messages = await allOf(async (cursor) => {
    const page = await lab.call(listUnmatched, { limit: 2, ...(cursor ? { cursor } : {}) })
    expect(page.total).toBe(5)
    return { rows: page.messages, next: page.next }
  })
  expect(messages.map(({ controlId }) => controlId)).toEqual(['U-1', 'U-2', 'U-3', 'U-4', 'U-5'])
  await expect(lab.call(listUnmatched, { cursor: 'x' })).rejects.toMatchObject({ message: 'SEARCH_CURSOR_INVALID' })
})

describe('results', () => {
  const usual = { '6690-2': 7.1, '789-8': 4.8, '718-7': 14.2, '4544-3': 42, '787-2': 88, '785-6': 29, '786-4': 33.5, '788-0': 13, '777-3': 260 } as Record<string, number>

  async function release(encounterId: string): Promise<string> {
    const placed = await provider.call(placeOrder, { encounterId, panels: ['cbc'], repeat: true })
    await hospital.settle()
    const orderId = placed.orders[0]?.orderId ?? ''
    const { accession } = await lab.call(collectSpecimen, { orderId })
    await lab.call(receiveSpecimen, { accession })
    const analytes = panelByCode('cbc')?.analytes.filter(({ derived }) => derived === undefined) ?? []
    await lab.call(enterResults, { orderId, values: analytes.map(({ code }) => ({ code, value: usual[code] ?? 1 })) })
    return (await lab.call(releaseResult, { orderId })).reportId
  }

  async function timesTold(): Promise<number> {
    const { services } = hospital.hospital
    const rows = await services.view(services.system('test'), { correlationId: 'test-of-events', action: 'test', module: 'lab' }, async ({ view }) =>
      view.sql<{ n: number }>("select count(*)::int as n from bus.outbox where type = 'lab.result.viewed.v1'"),
    )
    return rows[0]?.n ?? 0
  }

  test('of a patient come in pages, latest first, with what is abnormal in each', async () => {
    const made: string[] = []
    for (const _ of [1, 2, 3]) made.push(await release(visits[0] ?? ''))
    const reports = await allOf(async (cursor) => {
      const page = await provider.call(listReports, { patientId: patients[0]?.patientId ?? '', limit: 2, ...(cursor ? { cursor } : {}) })
      return { rows: page.reports, next: page.next }
    })
    expect(reports.map(({ reportId }) => reportId)).toEqual(made.toReversed())
    expect(reports[0]).toMatchObject({ panel: 'cbc', status: 'final', critical: 0 })
  })

  test('that they were seen is told of a provider who answers for them, and of nobody else', async () => {
    const reportId = await release(visits[1] ?? '')
    expect(await lab.call(viewResult, { reportId })).toEqual({ reportId, recorded: false })
    expect(await (await hospital.signIn('nurse')).call(viewResult, { reportId })).toEqual({ reportId, recorded: false })
    expect(await timesTold()).toBe(0)
    expect(await provider.call(viewResult, { reportId })).toEqual({ reportId, recorded: true })
    await provider.call(viewResult, { reportId })
    expect(await timesTold()).toBe(1)
  })
})
