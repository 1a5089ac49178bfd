import { getChart } from '@carespine/chart/contract'
import { completeEncounter, recordVitals, startEncounter } from '@carespine/encounters/contract'
import { collectSpecimen, enterResults, getReport, getResultForm, getWorklist, receiveSpecimen, recordCallBack, releaseResult, viewResult } from '@carespine/lab/contract'
import { analyserMessage, MllpClient } from '@carespine/link-hl7v2/mllp-client'
import { listUnmatched, resolveMessage } from '@carespine/link-hl7v2/contract'
import { acknowledgeNotification, listNotifications } from '@carespine/notifications/contract'
import { placeOrder } from '@carespine/orders/contract'
import { panelByCode } from '@carespine/pack-core/panels'
import { addAllergy, getBanner, registerPatient, searchPatients } from '@carespine/registration/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type SignedInUser, startTestHospital, type TestHospital } from './test-hospital.ts'

let test_: TestHospital
let hub: SignedInUser
let provider: SignedInUser
let lab: SignedInUser
let patientId = ''
let encounterId = ''

const normal: Record<string, number> = { '6690-2': 7, '789-8': 4.6, '718-7': 14, '4544-3': 41, '787-2': 88, '785-6': 29, '786-4': 33, '788-0': 13, '777-3': 250 }
const values = (changes: Record<string, number> = {}) => Object.entries({ ...normal, ...changes }).map(([code, value]) => ({ code, value }))

beforeAll(async () => {
  test_ = await startTestHospital()
  hub = await test_.signIn('hub')
  provider = await test_.signIn('provider')
  lab = await test_.signIn('lab')
})
afterAll(() => test_?.close())

describe('from order to live alert', () => {
  test('a patient is registered, found by beginnings of names in either script, by MRN and by phone', async () => {
    const { patientId: id, mrn } = await hub.call(registerPatient, {
      name: { family: 'Al-Harbi', given: 'Mohammed Ahmed' },
      nameArabic: { family: 'الحربي', given: 'محمد أحمد' },
      sex: 'male',
      birthDate: '1979-04-11',
      phone: '+966 51 234 5678',
    })
    patientId = id
    for (const text of ['moh har', 'محمد', 'احمد الحرب', mrn, mrn.slice(0, 5), '051234', '1979-04-11', 'mohammed 1979-04-11']) {
      const { patients } = await hub.call(searchPatients, { text })
      expect(patients.map((patient) => patient.id), text).toEqual([id])
    }
    expect((await hub.call(searchPatients, { text: 'zzz' })).patients).toEqual([])
  })

  test('the same person again is questioned, and somebody else is registered on saying so', async () => {
    const twin = { name: { family: 'Alharbi', given: 'Mohamed' }, sex: 'male' as const, birthDate: '1979-04-11', phone: '0512345678' }
    await expect(hub.call(registerPatient, twin)).rejects.toMatchObject({
      status: 409,
      body: { code: 'REGISTRATION_POSSIBLE_DUPLICATE', details: { candidates: [patientId] } },
    })
    await hub.call(registerPatient, { ...twin, notDuplicateOf: [patientId] })
  })

  test('an allergy shows in the banner, once', async () => {
    await provider.call(addAllergy, { patientId, substance: 'Penicillin', criticality: 'high' })
    await expect(provider.call(addAllergy, { patientId, substance: 'penicillin' })).rejects.toMatchObject({ status: 409 })
    expect((await hub.call(getBanner, { patientId })).allergies.map(({ substance }) => substance)).toEqual(['Penicillin'])
  })

  test('vital signs that nobody can have are refused by name', async () => {
    ;({ encounterId } = await provider.call(startEncounter, { patientId, reason: 'Fatigue' }))
    await provider.call(recordVitals, { encounterId, vitals: { systolic: 128, diastolic: 82, temperature: 36.8, weight: 80, height: 178 } })
    await expect(provider.call(recordVitals, { encounterId, vitals: { temperature: 368 } })).rejects.toMatchObject({
      status: 422,
      body: { details: { fields: ['temperature'] } },
    })
  })

  test('a critical haemoglobin typed in the laboratory reaches the provider live, and is acknowledged once', async () => {
    const live = await provider.listen()
    const { orders } = await provider.call(placeOrder, { encounterId, panels: ['cbc'], priority: 'stat' })
    const orderId = orders[0]?.orderId ?? ''
    await expect(provider.call(placeOrder, { encounterId, panels: ['cbc'] })).rejects.toMatchObject({ status: 409 })
    await test_.settle()
    expect((await lab.call(getWorklist, { queue: 'collect' })).rows.map((row) => row.orderId)).toEqual([orderId])

    const { accession } = await lab.call(collectSpecimen, { orderId })
    await lab.call(receiveSpecimen, { accession })
    const form = await lab.call(getResultForm, { orderId })
    expect(form.items.find(({ code }) => code === '718-7')?.range).toEqual({ low: 13.3, high: 16.2 })
    await expect(lab.call(enterResults, { orderId, values: values({ '718-7': 610 }) })).rejects.toMatchObject({
      body: { code: 'LAB_VALUE_IMPLAUSIBLE', details: { fields: ['718-7'] } },
    })
    const entered = await lab.call(enterResults, { orderId, values: values({ '718-7': 6.1 }) })
    expect(entered.items.find(({ code }) => code === '718-7')?.flag).toBe('LL')
    const { critical, reportId } = await lab.call(releaseResult, { orderId })
    expect(critical).toBe(true)

    const alert = (await live.waitFor('critical_alert')) as { id: string; details: object; requiresAcknowledgment: boolean; action: { url: string } }
    expect(alert).toMatchObject({
      type: 'lab.critical',
      priority: 'urgent',
      patientId,
      reportId,
      requiresAcknowledgment: true,
      details: { testName: 'Hemoglobin', value: 6.1, unit: 'g/dL', criticalReason: 'below 7 g/dL' },
      action: { url: `/provider/results/${reportId}` },
    })
    // It is still there after a reload and on a second device, until somebody takes responsibility.
    const again = await test_.signIn('provider')
    expect((await again.call(listNotifications, {})).unacknowledged).toBe(1)
    const { acknowledgedBy } = await provider.call(acknowledgeNotification, { id: alert.id })
    expect(acknowledgedBy).toBe('provider main')
    expect((await again.call(listNotifications, {})).unacknowledged).toBe(0)

    expect((await lab.call(getWorklist, { queue: 'call' })).rows).toHaveLength(1)
    await lab.call(recordCallBack, { reportId, calledTo: 'Dr Provider', readBack: true })
    expect((await lab.call(getWorklist, { queue: 'call' })).rows).toHaveLength(0)
    await provider.call(viewResult, { reportId })
    const { report, trends } = await provider.call(getReport, { reportId })
    expect(report).toMatchObject({ status: 'final', viewed: true, callBack: { calledTo: 'Dr Provider', readBack: true } })
    expect(trends.find(({ code }) => code === '718-7')?.points).toHaveLength(1)
    live.socket.close()
  })

  test('an analyser’s message takes the same road, in its own units, and its repetition changes nothing', async () => {
    const live = await provider.listen()
    const { orders } = await provider.call(placeOrder, { encounterId, panels: ['cbc'] })
    const orderId = orders[0]?.orderId ?? ''
    await test_.settle()
    const { accession } = await lab.call(collectSpecimen, { orderId })
    const analyser = await MllpClient.open(test_.hospital.hl7Port ?? 0)
    const units = new Map(panelByCode('cbc')?.analytes.map(({ code, unit }) => [code, unit]))
    const message = analyserMessage({
      controlId: 'A-1',
      accession,
      panel: 'CBC',
      at: new Date(),
      values: values().map(({ code, value }) =>
        code === '718-7' ? { code, value: 62, unit: 'g/L' } : { code, value, unit: units.get(code) ?? '' },
      ),
    })
    const first = await analyser.send(message)
    expect(first).toContain('MSA|AA|A-1')
    const alert = (await live.waitFor('critical_alert')) as { details: object }
    expect(alert.details).toMatchObject({ value: 6.2, unit: 'g/dL' })
    expect(await analyser.send(message)).toBe(first)
    await test_.settle()
    expect(live.events.filter(({ name }) => name === 'critical_alert')).toHaveLength(1)
    analyser.close()
    live.socket.close()
  })

  test('a result that matches nobody waits on the work list and is applied once it is resolved', async () => {
    const { orders } = await provider.call(placeOrder, { encounterId, panels: ['bmp'] })
    await test_.settle()
    const analyser = await MllpClient.open(test_.hospital.hl7Port ?? 0)
    const answer = await analyser.send(
      analyserMessage({ controlId: 'A-2', accession: 'UNKNOWN', panel: '', at: new Date(), values: [{ code: '2823-3', value: 4.1, unit: 'mmol/L' }] }),
    )
    expect(answer).toContain('MSA|AA|A-2')
    await test_.settle()
    const { messages } = await lab.call(listUnmatched, {})
    expect(messages.map(({ controlId, reason }) => [controlId, reason])).toEqual([['A-2', 'LAB_ORDER_UNKNOWN']])
    await lab.call(resolveMessage, { id: messages[0]?.id ?? '', orderId: orders[0]?.orderId ?? '' })
    await test_.settle()
    expect((await lab.call(listUnmatched, {})).total).toBe(0)
    analyser.close()
  })

  test('the chart gives everything in one call and says how fresh it is', async () => {
    await provider.call(getChart, { patientId })
    const chart = await provider.call(getChart, { patientId })
    expect(chart.freshness.rebuilt).toBe(false)
    expect(chart.allergies).toHaveLength(1)
    expect(chart.vitals.latest.map(({ code }) => code)).toContain('39156-5')
    // The analyser tells its time in whole seconds, so which of the two came first is the analyser's word.
    const haemoglobin = chart.trends.find(({ code }) => code === '718-7')?.points ?? []
    expect(haemoglobin.map(({ value }) => value).toSorted()).toEqual([6.1, 6.2])
    expect(haemoglobin.map(({ at }) => at)).toEqual(haemoglobin.map(({ at }) => at).toSorted())
    expect(chart.reports[0]).toMatchObject({ panel: expect.stringMatching(/cbc|bmp/) })
    await provider.call(completeEncounter, { encounterId })
    const after = await provider.call(getChart, { patientId })
    expect(after.freshness.rebuilt).toBe(true)
    expect(after.encounters[0]?.status).toBe('finished')
    await expect(provider.call(placeOrder, { encounterId, panels: ['cmp'] })).rejects.toMatchObject({ status: 409 })
  })

  test('a colleague of another branch sees the person and nothing clinical', async () => {
    const other = await test_.signIn('provider', 'other')
    const chart = await other.call(getChart, { patientId })
    expect(chart.patient.id).toBe(patientId)
    expect([...chart.reports, ...chart.encounters, ...chart.allergies]).toEqual([])
    expect((await other.call(listNotifications, {})).notifications).toEqual([])
  })
})
