import { randomUUID } from 'node:crypto'
import type { CapabilityStatement, Observation, OperationOutcome, Patient, Resource } from '@carespine/fhir/resource'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultsOf, fhirClient, type FhirClient } from './fhir-client.ts'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
let fhir: FhirClient

beforeAll(async () => {
  hospital = await startTestHospital()
  fhir = fhirClient((await hospital.asClient()).fetch)
})
afterAll(() => hospital?.close())

const numbered = (value: string, changes: Partial<Patient> = {}): Patient => ({ resourceType: 'Patient', identifier: [{ system: 'urn:mrn', value }], ...changes })
const withNumber = (value: string): string => `identifier=urn:mrn|${value}`

describe('a condition instead of an id', () => {
  test('a create on condition makes what is not there, gives what is, and refuses where it cannot tell', async () => {
    const number = randomUUID()
    const create = (condition = withNumber(number)) => fhir.send<Patient>('POST', '/Patient', numbered(number), { 'if-none-exist': condition })
    const first = await create()
    expect(first.status).toBe(201)
    const second = await create(`Patient?${withNumber(number)}`)
    expect([second.status, second.body.id, second.headers.get('etag')]).toEqual([200, first.body.id, 'W/"1"'])
    expect(second.headers.get('location')).toBe(first.headers.get('location'))
    await fhir.create(numbered(number))
    const third = await create()
    expect([third.status, ...faultsOf(third)]).toEqual([412, 'conflict'])
    expect(await fhir.ids(`/Patient?${withNumber(number)}`)).toHaveLength(2)
  })

  test('of twenty creates on one condition at once, one makes the resource and the others find it', async () => {
    for (let round = 0; round < 5; round++) {
      const number = randomUUID()
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, at) => fhir.send<Patient>('POST', '/Patient', numbered(number, { name: [{ text: `${at}` }] }), { 'if-none-exist': withNumber(number) })),
      )
      expect(answers.map(({ status }) => status).toSorted()).toEqual([...Array<number>(19).fill(200), 201])
      expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1)
      expect(await fhir.ids(`/Patient?${withNumber(number)}`)).toHaveLength(1)
    }
  })

  test('of twenty updates on one condition at once, one makes the resource and the others change it', async () => {
    const number = randomUUID()
    const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => fhir.send<Patient>('PUT', `/Patient?${withNumber(number)}`, numbered(number, { name: [{ text: `${at}` }] }))))
    // Who lost five times to others is told to try again; nobody makes a second one.
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(answers.every(({ status }) => [200, 201, 409].includes(status))).toBe(true)
    expect(await fhir.ids(`/Patient?${withNumber(number)}`)).toHaveLength(1)
  })

  test('what was deleted is not there: a create on condition makes it again', async () => {
    const number = randomUUID()
    const create = () => fhir.send<Patient>('POST', '/Patient', numbered(number), { 'if-none-exist': withNumber(number) })
    const { body } = await create()
    await fhir.send('DELETE', `/Patient/${body.id}`)
    const again = await create()
    expect(again.status).toBe(201)
    expect(again.body.id).not.toBe(body.id)
  })

  test('an update on condition makes, changes or refuses as the specification says', async () => {
    const number = randomUUID()
    const put = (changes: Partial<Patient> = {}, headers = {}) => fhir.send<Patient>('PUT', `/Patient?${withNumber(number)}`, numbered(number, changes), headers)
    expect((await put({}, { 'if-match': 'W/"1"' })).status).toBe(412)
    const made = await put()
    expect(made.status).toBe(201)
    const { id } = made.body
    const changed = await put({ active: true })
    expect([changed.status, changed.body.id, changed.body.meta?.versionId]).toEqual([200, id, '2'])
    expect((await put({ id: id as string })).body.meta?.versionId).toBe('3')
    const other = await put({ id: 'another' })
    expect([other.status, ...faultsOf(other)]).toEqual([400, 'structure'])
    expect((await put({}, { 'if-match': 'W/"1"' })).status).toBe(412)
    expect((await put({}, { 'if-match': 'W/"3"' })).status).toBe(200)
    await fhir.create(numbered(number))
    expect((await put()).status).toBe(412)

    const chosen = randomUUID()
    const mine = { ...numbered(chosen), id: `mine-${chosen.slice(0, 8)}` }
    const created = await fhir.send<Patient>('PUT', `/Patient?${withNumber(chosen)}`, mine)
    expect([created.status, created.body.id]).toEqual([201, mine.id])
    const elsewhere = await fhir.send('PUT', `/Patient?${withNumber(randomUUID())}`, mine)
    expect([elsewhere.status, ...faultsOf(elsewhere)]).toEqual([409, 'conflict'])
  })

  test('a delete on condition takes the one away, and none of several', async () => {
    const number = randomUUID()
    const remove = (headers = {}) => fhir.send('DELETE', `/Patient?${withNumber(number)}`, undefined, headers)
    expect((await remove()).status).toBe(204)
    const { id } = await fhir.create(numbered(number))
    expect((await remove({ 'if-match': 'W/"7"' })).status).toBe(412)
    const gone = await remove()
    expect([gone.status, gone.headers.get('etag')]).toEqual([204, 'W/"2"'])
    expect((await fhir.send('GET', `/Patient/${id}`)).status).toBe(410)
    await Promise.all([fhir.create(numbered(number)), fhir.create(numbered(number))])
    expect((await remove()).status).toBe(412)
    expect(await fhir.ids(`/Patient?${withNumber(number)}`)).toHaveLength(2)
  })

  test.each<[string, string, string]>([
    ['DELETE', '/Patient', 'required'],
    ['DELETE', '/Patient?_format=json', 'required'],
    ['DELETE', '/Patient?identifier=', 'required'],
    ['DELETE', '/Patient?_count=1&active=true', 'not-supported'],
    ['PUT', '/Patient', 'required'],
    ['PUT', '/Patient?colour=blue', 'not-supported'],
  ])('%s %s is about everything or about nothing, and is refused', async (method, path, code) => {
    const answer = await fhir.send(method, path, method === 'PUT' ? { resourceType: 'Patient' } : undefined)
    expect([answer.status, ...faultsOf(answer)]).toEqual([400, code])
  })

  test('needs the permission to read, since it tells what is there', async () => {
    const nurse = fhirClient((await hospital.signIn('billing').catch(() => hospital.signIn('nurse'))).fetch)
    const answer = await nurse.send('PUT', `/Observation?identifier=x|${randomUUID()}`, { resourceType: 'Observation', status: 'final', code: { text: 'x' } })
    expect([201, 403]).toContain(answer.status)
  })
})

describe('what the client has already', () => {
  test('is not sent again, by version or by time', async () => {
    const { id } = await fhir.create({ resourceType: 'Patient', active: true } as Patient)
    const first = await fhir.send('GET', `/Patient/${id}`)
    const modified = first.headers.get('last-modified') as string
    const read = (headers: Record<string, string>, path = `/Patient/${id}`) => fhir.send('GET', path, undefined, headers).then(({ status }) => status)
    expect(await read({ 'if-none-match': 'W/"1"' })).toBe(304)
    expect(await read({ 'if-none-match': '"1"' })).toBe(304)
    expect(await read({ 'if-none-match': 'W/"7", W/"1"' })).toBe(304)
    expect(await read({ 'if-none-match': '*' })).toBe(304)
    expect(await read({ 'if-none-match': 'W/"2"' })).toBe(200)
    expect(await read({ 'if-modified-since': modified })).toBe(304)
    expect(await read({ 'if-modified-since': new Date(Date.parse(modified) - 1000).toUTCString() })).toBe(200)
    expect(await read({ 'if-modified-since': 'yesterday' })).toBe(200)
    // The version decides when both are given.
    expect(await read({ 'if-none-match': 'W/"2"', 'if-modified-since': modified })).toBe(200)
    expect(await read({ 'if-none-match': 'W/"1"' }, `/Patient/${id}/_history/1`)).toBe(304)
    const unchanged = await fhir.send('GET', `/Patient/${id}`, undefined, { 'if-none-match': 'W/"1"' })
    expect([unchanged.text, unchanged.headers.get('etag'), unchanged.headers.get('last-modified')]).toEqual(['', 'W/"1"', modified])
    expect(await read({}, `/Patient/${id}`)).toBe(200)
  })

  test('HEAD answers as GET does, without the body', async () => {
    const { id } = await fhir.create({ resourceType: 'Patient', active: true } as Patient)
    const [got, head] = [await fhir.send('GET', `/Patient/${id}`), await fhir.send('HEAD', `/Patient/${id}`)]
    expect([head.status, head.text, head.headers.get('etag'), head.headers.get('content-length')]).toEqual([200, '', 'W/"1"', String(Buffer.byteLength(got.text))])
    expect((await fhir.send('HEAD', '/Patient/nobody')).status).toBe(404)
  })

  test('an update may be made to depend on there being nothing yet', async () => {
    const id = randomUUID()
    const put = () => fhir.send('PUT', `/Patient/${id}`, { resourceType: 'Patient', id }, { 'if-none-match': '*' }).then(({ status }) => status)
    expect([await put(), await put()]).toEqual([201, 412])
    expect((await fhir.send('DELETE', `/Patient/${id}`, undefined, { 'if-match': '*' })).status).toBe(204)
    expect((await fhir.send('DELETE', `/Patient/${id}`, undefined, { 'if-match': '*' })).status).toBe(412)
    expect(await put()).toBe(201)
  })
})

describe('as much of the answer as is wanted', () => {
  test.each(['POST', 'PUT'])('%s gives the resource, nothing or an outcome', async (method) => {
    const id = randomUUID()
    const path = method === 'POST' ? '/Patient' : `/Patient/${id}`
    const send = (prefer: string) => fhir.send(method, path, { resourceType: 'Patient', id, active: true }, { prefer })
    for (const prefer of ['return=representation', 'handling=strict', 'return=everything', 'respond-async']) {
      expect((await send(prefer)).body.resourceType, prefer).toBe('Patient')
    }
    for (const prefer of ['return=minimal', 'handling=lenient; return=minimal', 'respond-async,return="minimal"']) {
      const { text, headers } = await send(prefer)
      expect(text, prefer).toBe('')
      expect(headers.get('location')).toContain('/Patient/')
    }
    const { body } = await send('return=OperationOutcome')
    expect((body as unknown as OperationOutcome).issue).toMatchObject([{ severity: 'information', code: 'informational' }])
  })

  test('DELETE gives nothing, or an outcome', async () => {
    const { id } = await fhir.create({ resourceType: 'Patient', active: true } as Patient)
    const { status, body } = await fhir.send('DELETE', `/Patient/${id}`, undefined, { prefer: 'return=OperationOutcome' })
    expect([status, body.resourceType]).toEqual([200, 'OperationOutcome'])
  })

  test('an update that changes nothing is a version all the same', async () => {
    const { id } = await fhir.create({ resourceType: 'Patient', active: true } as Patient)
    const { body } = await fhir.send<Patient>('PUT', `/Patient/${id}`, { resourceType: 'Patient', id, active: true })
    expect(body.meta?.versionId).toBe('2')
  })
})

test('the capability statement tells what there is', async () => {
  const { body } = await fhir.send<CapabilityStatement>('GET', '/metadata')
  const [rest] = body.rest ?? []
  const patient = rest?.resource?.find(({ type }) => type === 'Patient')
  expect(patient).toMatchObject({
    versioning: 'versioned-update',
    readHistory: true,
    updateCreate: true,
    conditionalCreate: true,
    conditionalRead: 'full-support',
    conditionalUpdate: true,
    conditionalDelete: 'single',
  })
})
