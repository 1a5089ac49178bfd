import { randomUUID } from 'node:crypto'
import type { Bundle, BundleEntry, Observation, OperationOutcome, Patient, Resource } from '@carespine/fhir/resource'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultsOf, fhirClient, type FhirClient } from './fhir-client.ts'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
let fhir: FhirClient

beforeAll(async () => {
  hospital = await startTestHospital()
  const client = await hospital.asClient()
  fhir = fhirClient(client.fetch)
})
afterAll(() => hospital?.close())

const observation = (subject: string, changes: Partial<Observation> = {}): Observation => ({
  resourceType: 'Observation',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '29463-7' }] },
  subject: { reference: subject },
  ...changes,
})

describe('one record over its life', () => {
  test('what is created is read again as it was sent, with id, version and time', async () => {
    const sent: Patient = { resourceType: 'Patient', name: [{ family: 'Ås', given: ['Ólafur', 'محمد'] }], birthDate: '1980-02-29' }
    const { status, body, headers } = await fhir.send<Patient>('POST', '/Patient', { ...sent, id: 'mine', meta: { versionId: '9' } })
    expect(status).toBe(201)
    expect(body).toMatchObject({ ...sent, meta: { versionId: '1' } })
    expect(body.id).not.toBe('mine')
    expect(headers.get('location')).toBe(`${hospital.url}/fhir/R4/Patient/${body.id}/_history/1`)
    const again = await fhir.send<Patient>('GET', `/Patient/${body.id}`)
    expect(again.status).toBe(200)
    expect(again.body).toEqual(body)
    expect(again.headers.get('etag')).toBe('W/"1"')
    expect((await fhir.send('GET', `/Patient/${body.id}`, undefined, { 'if-none-match': 'W/"1"' })).status).toBe(304)
    expect(faultsOf(await fhir.send('GET', '/Patient/nobody'))).toEqual(['not-found'])
  })

  test('every version stays readable after updates and after the deletion', async () => {
    const { id } = await fhir.create({ resourceType: 'Patient', active: true } as Patient)
    const second = await fhir.send<Patient>('PUT', `/Patient/${id}`, { resourceType: 'Patient', id, active: false })
    expect([second.status, second.body.meta?.versionId]).toEqual([200, '2'])
    expect((await fhir.send('DELETE', `/Patient/${id}`)).status).toBe(204)
    expect((await fhir.send('DELETE', `/Patient/${id}`)).status).toBe(204)

    const gone = await fhir.send('GET', `/Patient/${id}`)
    expect([gone.status, ...faultsOf(gone)]).toEqual([410, 'deleted'])
    expect((await fhir.send('GET', `/Patient/${id}/_history/3`)).status).toBe(410)
    expect((await fhir.send<Patient>('GET', `/Patient/${id}/_history/1`)).body.active).toBe(true)
    expect((await fhir.send<Patient>('GET', `/Patient/${id}/_history/2`)).body.active).toBe(false)
    expect((await fhir.send('GET', `/Patient/${id}/_history/4`)).status).toBe(404)
    expect(await fhir.ids(`/Patient?_id=${id}`)).toEqual([])

    const history = await fhir.search(`/Patient/${id}/_history`)
    expect(history.type).toBe('history')
    expect(history.entry?.map(({ request, resource }) => [request?.method, resource?.meta?.versionId])).toEqual([
      ['DELETE', undefined],
      ['PUT', '2'],
      ['POST', '1'],
    ])
    const page = await fhir.search(`/Patient/${id}/_history?_count=2`)
    const next = new URL(page.link?.find(({ relation }) => relation === 'next')?.url ?? '')
    expect((await fhir.search(next.pathname.replace('/fhir/R4', '') + next.search)).entry).toHaveLength(1)

    const back = await fhir.send<Patient>('PUT', `/Patient/${id}`, { resourceType: 'Patient', id, active: true })
    expect([back.status, back.body.meta?.versionId]).toEqual([201, '4'])
  })

  test('an update of an id that nobody has makes it, whatever letters it has', async () => {
    const id = `Ward-7.${randomUUID().slice(0, 8)}`
    expect((await fhir.send('PUT', `/Location/${id}`, { resourceType: 'Location', id, name: 'Ward' })).status).toBe(201)
    expect((await fhir.send<Resource>('GET', `/Location/${id}`)).body.id).toBe(id)
    expect(await fhir.ids(`/Location?_id=${id}`)).toEqual([id])
    expect((await fhir.send('PUT', '/Location/other', { resourceType: 'Location', id })).status).toBe(400)
    expect((await fhir.send('PUT', '/Location/a_b', { resourceType: 'Location', id: 'a_b' })).status).toBe(422)
  })

  test('a change to a version that is not the current one is refused', async () => {
    const { id } = await fhir.create({ resourceType: 'Patient', active: true } as Patient)
    const put = (version: string) => fhir.send('PUT', `/Patient/${id}`, { resourceType: 'Patient', id, active: false }, { 'if-match': version })
    expect((await put('W/"1"')).status).toBe(200)
    const stale = await put('W/"1"')
    expect([stale.status, ...faultsOf(stale)]).toEqual([412, 'conflict'])
    expect((await fhir.send('DELETE', `/Patient/${id}`, undefined, { 'if-match': 'W/"1"' })).status).toBe(412)
    expect((await put('latest')).status).toBe(400)
    expect((await fhir.send<Patient>('GET', `/Patient/${id}`)).body.meta?.versionId).toBe('2')
  })

  test('of many writers on one version exactly one wins', async () => {
    for (let round = 0; round < 5; round++) {
      const { id } = await fhir.create({ resourceType: 'Patient', active: true } as Patient)
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, at) =>
          fhir.send('PUT', `/Patient/${id}`, { resourceType: 'Patient', id, name: [{ text: `writer ${at}` }] }, { 'if-match': 'W/"1"' }),
        ),
      )
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 412, 412, 412, 412, 412])
      const winner = answers.findIndex(({ status }) => status === 200)
      const { body } = await fhir.send<Patient>('GET', `/Patient/${id}`)
      expect([body.meta?.versionId, body.name?.[0]?.text]).toEqual(['2', `writer ${winner}`])
      expect((await fhir.search(`/Patient/${id}/_history`)).entry).toHaveLength(2)
    }
  })

  test('decimals keep the digits they were written with, through every way in and out', async () => {
    const quantity = '{"value":1.00,"unit":"mg"}'
    const body = (id = '') =>
      `{"resourceType":"Observation",${id}"status":"final","code":{"text":"dose"},"valueQuantity":${quantity},` +
      '"component":[{"code":{"text":"a"},"valueQuantity":{"value":0.010}},{"code":{"text":"b"},"valueQuantity":{"value":1.50e2}}]}'
    const created = await fhir.send<Observation>('POST', '/Observation', body())
    const { id } = created.body
    const transaction = `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":${body()},"request":{"method":"POST","url":"Observation"}}]}`
    const put = await fhir.send<Bundle>('POST', '/', transaction)
    const location = put.body.entry?.[0]?.response?.location?.split('/')[1]
    const batch = { resourceType: 'Bundle', type: 'batch', entry: [{ request: { method: 'GET', url: `Observation/${id}` } }] }
    for (const { text, status } of [
      created,
      await fhir.send('GET', `/Observation/${id}`),
      await fhir.send('GET', `/Observation/${location}`),
      await fhir.send('GET', `/Observation?_id=${id}`),
      await fhir.send('GET', `/Observation/${id}/_history`),
      await fhir.send('POST', '/', batch),
    ]) {
      expect(status).toBeLessThan(300)
      expect(text).toContain('"value":1.00,')
      expect(text).toContain('"value":0.010}')
      expect(text).toContain('"value":1.50e2}')
    }
  })
})

describe('bundles', () => {
  const bundle = (type: 'transaction' | 'batch', entry: BundleEntry[]): Bundle => ({ resourceType: 'Bundle', type, entry })
  const post = (resource: Resource, fullUrl?: string): BundleEntry => ({
    ...(fullUrl ? { fullUrl } : {}),
    resource,
    request: { method: 'POST', url: resource.resourceType },
  })

  test('a transaction turns references between its entries into stored ids, forward and backward', async () => {
    const [patient, encounter] = [`urn:uuid:${randomUUID()}`, `urn:uuid:${randomUUID()}`]
    const { status, body } = await fhir.send<Bundle>('POST', '/', bundle('transaction', [
      post(observation(patient, { encounter: { reference: encounter } })),
      post({ resourceType: 'Encounter', status: 'finished', class: { code: 'AMB' }, subject: { reference: patient } }, encounter),
      post({ resourceType: 'Patient', name: [{ family: 'Bundled' }] }, patient),
    ]))
    expect(status).toBe(200)
    expect(body.type).toBe('transaction-response')
    expect(body.entry?.map(({ response }) => response?.status)).toEqual(['201', '201', '201'])
    const [observed, met, person] = body.entry?.map(({ response }) => response?.location?.replace(/\/_history.*/, '') ?? '') ?? []
    const stored = await fhir.send<Observation>('GET', `/${observed}`)
    expect(stored.body.subject?.reference).toBe(person)
    expect(stored.body.encounter?.reference).toBe(met)
  })

  test('a transaction with one bad entry leaves nothing of the others', async () => {
    const tag = randomUUID()
    const good = { resourceType: 'Patient', identifier: [{ system: 'urn:test', value: tag }] } as Patient
    for (const bad of [
      post({ resourceType: 'Patient', birthDate: 'yesterday' } as Patient),
      post(observation(`urn:uuid:${randomUUID()}`)),
      { request: { method: 'GET', url: `Patient/${randomUUID()}` } } as BundleEntry,
      { resource: { resourceType: 'Patient', id: 'x1', active: true }, request: { method: 'PUT', url: 'Patient/x1', ifMatch: 'W/"7"' } } as BundleEntry,
    ]) {
      const answer = await fhir.send('POST', '/', bundle('transaction', [post(good), bad]))
      expect(answer.status).toBeGreaterThanOrEqual(400)
      expect(answer.status).toBeLessThan(500)
      faultsOf(answer)
      expect(await fhir.ids(`/Patient?identifier=urn:test|${tag}`)).toEqual([])
    }
    const named = await fhir.send('POST', '/', bundle('transaction', [post(good), post({ resourceType: 'Patient', birthDate: 'x' } as Patient)]))
    expect(faultsOf(named)).toEqual(['value Bundle.entry[1].resource.birthDate'])
  })

  test('a transaction that writes one resource twice is refused, a batch takes one after the other', async () => {
    const id = randomUUID()
    const entry = ['a', 'b'].map((text): BundleEntry => ({ resource: { resourceType: 'Patient', id, name: [{ text }] }, request: { method: 'PUT', url: `Patient/${id}` } }))
    const refused = await fhir.send('POST', '/', bundle('transaction', entry))
    expect([refused.status, ...faultsOf(refused)]).toEqual([400, 'invalid Bundle.entry[1]'])
    expect((await fhir.send('GET', `/Patient/${id}`)).status).toBe(404)
    const { body } = await fhir.send<Bundle>('POST', '/', bundle('batch', entry))
    expect(body.entry?.map(({ response }) => response?.status)).toEqual(['201', '200'])
  })

  test('each entry of a batch has its own outcome', async () => {
    const { id } = await fhir.create({ resourceType: 'Patient', active: true } as Patient)
    const { status, body } = await fhir.send<Bundle>('POST', '/', bundle('batch', [
      post({ resourceType: 'Patient', gender: 'sometimes' } as unknown as Patient),
      post({ resourceType: 'Patient', active: true }),
      { request: { method: 'GET', url: `Patient/${id}` } },
      { request: { method: 'GET', url: 'Patient/nobody' } },
      { request: { method: 'DELETE', url: `Patient/${id}` } },
      { request: { method: 'PATCH', url: `Patient/${id}` } } as BundleEntry,
    ]))
    expect(status).toBe(200)
    expect(body.type).toBe('batch-response')
    expect(body.entry?.map(({ response }) => response?.status)).toEqual(['422', '201', '200', '404', '204', '400'])
    expect((body.entry?.[0]?.response?.outcome as OperationOutcome | undefined)?.issue[0]?.expression).toEqual(['Bundle.entry[0].resource.gender'])
    expect((await fhir.send('GET', `/Patient/${id}`)).status).toBe(410)
  })

  test('a create on condition finds what is there and makes nothing twice', async () => {
    const value = randomUUID()
    const entry: BundleEntry = {
      resource: { resourceType: 'Patient', identifier: [{ system: 'urn:test', value }] },
      request: { method: 'POST', url: 'Patient', ifNoneExist: `identifier=urn:test|${value}` },
    }
    const status = async () => (await fhir.send<Bundle>('POST', '/', bundle('transaction', [entry]))).body.entry?.[0]?.response?.status
    expect([await status(), await status()]).toEqual(['201', '200'])
    expect(await fhir.ids(`/Patient?identifier=urn:test|${value}`)).toHaveLength(1)
    const wrong = { ...entry, request: { method: 'POST' as const, url: 'Patient', ifNoneExist: 'colour=blue' } }
    expect((await fhir.send('POST', '/', bundle('transaction', [wrong]))).status).toBe(400)
  })
})

describe('faults are named by element', () => {
  test.each<[string, object, string]>([
    ['a missing required element', { resourceType: 'Observation', status: 'final' }, 'required Observation.code'],
    ['a number for a text', { resourceType: 'Patient', name: [{ family: 7 }] }, 'value Patient.name[0].family'],
    ['one value for a list', { resourceType: 'Patient', name: { family: 'x' } }, 'structure Patient.name'],
    ['a code outside its required value set', { resourceType: 'Patient', gender: 'm' }, 'code-invalid Patient.gender'],
    ['an element that R4 does not have', { resourceType: 'Patient', colour: 'blue' }, 'structure Patient.colour'],
    ['a day that does not exist', { resourceType: 'Patient', birthDate: '2023-02-29' }, 'value Patient.birthDate'],
    ['a date with a time but no zone', { resourceType: 'Patient', deceasedDateTime: '2023-02-28T10:00:00' }, 'value Patient.deceasedDateTime'],
    ['two values of one choice', { resourceType: 'Patient', deceasedBoolean: true, deceasedDateTime: '2020' }, 'structure Patient'],
    ['a reference to a type that is not allowed', { resourceType: 'Patient', generalPractitioner: [{ reference: 'Patient/1' }] }, 'value Patient.generalPractitioner[0]'],
    ['meta that is no object', { resourceType: 'Patient', meta: null }, 'structure Patient.meta'],
    ['an empty list', { resourceType: 'Patient', name: [] }, 'structure Patient.name'],
  ])('%s', async (_what, resource, fault) => {
    const type = (resource as Resource).resourceType
    const answer = await fhir.send('POST', `/${type}`, resource)
    expect(answer.status).toBe(422)
    expect(faultsOf(answer)).toContain(fault)
  })

  test('a record that belongs to a workflow is not written past it, and the refusal names the operation', async () => {
    const { id } = await fhir.create({ resourceType: 'Patient', active: true } as Patient)
    const answer = await fhir.send('POST', '/Observation', observation(`Patient/${id}`, { identifier: [{ system: 'https://carespine.example/fhir/sid/lab-result', value: 'x' }] }))
    expect(answer.status).toBe(422)
    expect((answer.body as unknown as OperationOutcome).issue[0]?.diagnostics).toContain('POST /api/lab/enter-results')
  })
})
