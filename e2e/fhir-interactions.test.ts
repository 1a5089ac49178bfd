import { randomUUID } from 'node:crypto'
import type { Bundle, CapabilityStatement, Observation, OperationOutcome, Parameters, Patient } from '@carespine/fhir/resource'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { forgetClaims } from '@carespine/link-fhir-api/forget-claims'
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

  test('claims are forgotten after a day, and what they were about is made once all the same', async () => {
    const { services } = hospital.hospital
    const claims = async () => await services.store.database.query<{ key: string; at: Date }>({ branches: '', patient: '' }, { text: 'select key, at from store.claim' })
    const number = randomUUID()
    const create = () => fhir.send<Patient>('POST', '/Patient', numbered(number), { 'if-none-exist': withNumber(number) })
    const { body } = await create()
    expect((await claims()).length).toBeGreaterThan(0)
    await services.store.database.query({ branches: '', patient: '' }, { text: "update store.claim set at = now() - interval '25 hours'" })
    const origin = { correlationId: randomUUID(), action: 'test.job', module: 'fhir-api' }
    await services.transact(services.system('fhir-api'), origin, (context) => forgetClaims.run(context))
    expect(await claims()).toEqual([])
    await fhir.send('DELETE', `/Patient/${body.id}`)
    const answers = await Promise.all(Array.from({ length: 8 }, create))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([...Array<number>(7).fill(200), 201])
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

  test('looks at nothing that the caller may not read', async () => {
    const desk = fhirClient((await hospital.signIn('hub')).fetch)
    const answer = await desk.send('PUT', '/Patient?organization.name=x', { resourceType: 'Patient' })
    expect([answer.status, ...faultsOf(answer)]).toEqual([403, 'forbidden'])
  })
})

describe('a patch', () => {
  const JSON_PATCH = { 'content-type': 'application/json-patch+json' }
  const fhirPath = (...operations: [type: string, path: string, ...parts: NonNullable<Parameters['parameter']>][]): Parameters => ({
    resourceType: 'Parameters',
    parameter: operations.map(([type, path, ...parts]) => ({ name: 'operation', part: [{ name: 'type', valueCode: type }, { name: 'path', valueString: path }, ...parts] })),
  })
  const male = fhirPath(['add', 'Patient', { name: 'name', valueString: 'gender' }, { name: 'value', valueCode: 'male' }])

  test('in JSON changes what it names, keeps the rest to the digit, and is a version', async () => {
    const sent = '{"resourceType":"Observation","status":"final","code":{"text":"dose"},"valueQuantity":{"value":1.00},"component":[{"code":{"text":"a"},"valueQuantity":{"value":2.50}}]}'
    const { body } = await fhir.send('POST', '/Observation', sent)
    const patched = await fhir.send('PATCH', `/Observation/${body.id}`, '[{"op":"replace","path":"/status","value":"amended"},{"op":"add","path":"/component/0/valueQuantity/value","value":3.0}]', JSON_PATCH)
    expect([patched.status, patched.headers.get('etag'), patched.body.meta?.versionId]).toEqual([200, 'W/"2"', '2'])
    const { text } = await fhir.send('GET', `/Observation/${body.id}`)
    expect(text).toBe(patched.text)
    for (const part of ['"status":"amended"', '"value":1.00}', '"value":3.0}']) expect(text).toContain(part)
  })

  test('in FHIRPath changes what its path leads to', async () => {
    const { id } = await fhir.create({ resourceType: 'Patient', name: [{ family: 'X', given: ['a', 'b'] }] } as Patient)
    const patch = fhirPath(
      ['delete', 'Patient.name.given.first()'],
      ['insert', 'Patient.name[0].given', { name: 'index', valueInteger: 1 }, { name: 'value', valueString: 'c' }],
      ['add', 'Patient', { name: 'name', valueString: 'contact' }, { name: 'value', part: [{ name: 'name', valueHumanName: { text: 'Nora' } }] }],
    )
    const { status, body } = await fhir.send<Patient>('PATCH', `/Patient/${id}`, patch)
    expect(status).toBe(200)
    expect([body.name, body.contact, body.meta?.versionId]).toEqual([[{ family: 'X', given: ['b', 'c'] }], [{ name: { text: 'Nora' } }], '2'])
  })

  test('in FHIRPath may come as XML', async () => {
    const { id } = await fhir.create({ resourceType: 'Patient' })
    const part = (name: string, value: string) => `<part><name value="${name}"/>${value}</part>`
    const parts = part('type', '<valueCode value="add"/>') + part('path', '<valueString value="Patient"/>') + part('name', '<valueString value="gender"/>') + part('value', '<valueCode value="other"/>')
    const xml = `<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="operation"/>${parts}</parameter></Parameters>`
    const { status, body } = await fhir.send<Patient>('PATCH', `/Patient/${id}`, xml, { 'content-type': 'application/fhir+xml' })
    expect([status, body.gender]).toEqual([200, 'other'])
  })

  test('heeds If-Match and Prefer', async () => {
    const { id } = await fhir.create({ resourceType: 'Patient' })
    const patch = (headers: Record<string, string>) => fhir.send('PATCH', `/Patient/${id}`, male, headers)
    const stale = await patch({ 'if-match': 'W/"7"' })
    expect([stale.status, ...faultsOf(stale)]).toEqual([412, 'conflict'])
    const done = await patch({ 'if-match': 'W/"1"', prefer: 'return=minimal' })
    expect([done.status, done.text]).toEqual([200, ''])
  })

  test('of many on one version exactly one is applied', async () => {
    const { id } = await fhir.create({ resourceType: 'Patient' })
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, at) =>
        fhir.send('PATCH', `/Patient/${id}`, [{ op: 'add', path: '/name', value: [{ text: `${at}` }] }], { ...JSON_PATCH, 'if-match': 'W/"1"' }),
      ),
    )
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 412, 412, 412, 412, 412])
    // Without a version each is applied to what the one before left.
    const added = await Promise.all(
      Array.from({ length: 4 }, (_, at) => fhir.send('PATCH', `/Patient/${id}`, [{ op: 'add', path: '/name/-', value: { text: `more ${at}` } }], JSON_PATCH)),
    )
    expect(added.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect((await fhir.send<Patient>('GET', `/Patient/${id}`)).body.name).toHaveLength(5)
  })

  test('on condition changes the one that fits', async () => {
    const number = randomUUID()
    const patch = () => fhir.send<Patient>('PATCH', `/Patient?${withNumber(number)}`, male)
    expect((await patch()).status).toBe(404)
    const { id } = await fhir.create(numbered(number))
    const { status, body } = await patch()
    expect([status, body.id, body.gender]).toEqual([200, id, 'male'])
    await fhir.create(numbered(number))
    expect((await patch()).status).toBe(412)
    expect((await fhir.send('PATCH', '/Patient', male)).status).toBe(400)
  })

  test.each<[string, unknown, boolean, number, string]>([
    ['a test that fails', [{ op: 'test', path: '/active', value: false }, { op: 'remove', path: '/active' }], true, 422, 'processing Patch[0]'],
    ['a later operation that fails', [{ op: 'remove', path: '/active' }, { op: 'remove', path: '/gender' }], true, 422, 'processing Patch[1]'],
    ['an operation that is none', [{ op: 'destroy', path: '/' }], true, 400, 'invalid Patch[0]'],
    ['another id', [{ op: 'replace', path: '/id', value: 'other' }], true, 422, 'processing'],
    ['another type', [{ op: 'replace', path: '', value: { resourceType: 'Basic' } }], true, 422, 'processing'],
    ['a result that is not valid', [{ op: 'add', path: '/birthDate', value: 'yesterday' }], true, 422, 'value Patient.birthDate'],
    ['a FHIRPath that fails', fhirPath(['replace', 'Patient.gender', { name: 'value', valueCode: 'male' }]), false, 422, 'processing Parameters.parameter[0]'],
    ['a FHIRPath that is none', fhirPath(['delete', 'Patient..gender']), false, 400, 'invalid Parameters.parameter[0]'],
    ['a resource', { resourceType: 'Patient' }, false, 415, 'not-supported'],
    ['an array that does not say that it is a patch', [{ op: 'remove', path: '/active' }], false, 415, 'not-supported'],
  ])('%s is refused and changes nothing', async (_what, body, isJsonPatch, status, fault) => {
    const { id } = await fhir.create({ resourceType: 'Patient', active: true } as Patient)
    const answer = await fhir.send('PATCH', `/Patient/${id}`, body, isJsonPatch ? JSON_PATCH : {})
    expect([answer.status, ...faultsOf(answer)]).toEqual([status, fault])
    expect((await fhir.send<Patient>('GET', `/Patient/${id}`)).body).toMatchObject({ active: true, meta: { versionId: '1' } })
  })

  test('of what is not there, was deleted or is in another branch finds nothing', async () => {
    const { id } = await fhir.create({ resourceType: 'Observation', status: 'final', code: { text: 'x' } } as Observation)
    const amended = [{ op: 'replace', path: '/status', value: 'amended' }]
    const stranger = fhirClient((await hospital.signIn('provider', 'other')).fetch)
    expect((await stranger.send('PATCH', `/Observation/${id}`, amended, JSON_PATCH)).status).toBe(404)
    expect((await fhir.send('PATCH', '/Observation/nobody', amended, JSON_PATCH)).status).toBe(404)
    await fhir.send('DELETE', `/Observation/${id}`)
    expect((await fhir.send('PATCH', `/Observation/${id}`, amended, JSON_PATCH)).status).toBe(410)
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

describe('history', () => {
  const told = (bundle: Bundle) => bundle.entry?.map(({ request, response, resource }) => [request?.method, request?.url, response?.status, resource?.meta?.versionId])
  const pathOf = (bundle: Bundle, relation: string) => bundle.link?.find((link) => link.relation === relation)?.url.replace(`${hospital.url}/fhir/R4`, '')

  /** Every page of a history. */
  async function pages(path: string, between?: () => Promise<unknown>): Promise<Bundle[]> {
    const read: Bundle[] = []
    for (let next: string | undefined = path; next !== undefined; ) {
      const page: Bundle = await fhir.search(next)
      read.push(page)
      next = pathOf(page, 'next')
      await between?.()
    }
    return read
  }

  /** The instant of a version, and one just after it. */
  async function timesOf(path: string): Promise<string[]> {
    return (await fhir.search(path)).entry?.map(({ response }) => response?.lastModified ?? '') ?? []
  }

  test('of one resource tells creation, changes, deletion and return', async () => {
    const id = `told-${randomUUID().slice(0, 8)}`
    const put = () => fhir.send('PUT', `/Basic/${id}`, { resourceType: 'Basic', id, code: { text: 'x' } })
    for (const change of [put, put, () => fhir.send('DELETE', `/Basic/${id}`), put]) await change()
    const bundle = await fhir.search(`/Basic/${id}/_history`)
    expect([bundle.type, bundle.entry?.every(({ fullUrl }) => fullUrl === `${hospital.url}/fhir/R4/Basic/${id}`)]).toEqual(['history', true])
    const all = [
      ['PUT', `Basic/${id}`, '201', '4'],
      ['DELETE', `Basic/${id}`, '204', undefined],
      ['PUT', `Basic/${id}`, '200', '2'],
      ['PUT', `Basic/${id}`, '201', '1'],
    ]
    expect(told(bundle)).toEqual(all)
    expect(told(await fhir.search(`/Basic/${id}/_history?_sort=_lastUpdated`))).toEqual(all.toReversed())
    for (const sort of ['', '&_sort=_lastUpdated']) {
      const read = await pages(`/Basic/${id}/_history?_count=1${sort}`)
      expect(read.flatMap((page) => told(page))).toEqual(sort === '' ? all : all.toReversed())
      expect(read).toHaveLength(4)
    }
    const [posted] = (await fhir.search(`/Patient/${(await fhir.create({ resourceType: 'Patient', active: true } as Patient)).id}/_history`)).entry ?? []
    expect(posted?.request).toEqual({ method: 'POST', url: 'Patient' })
    expect(faultsOf(await fhir.send('GET', '/Basic/nobody/_history'))).toEqual(['not-found'])
  })

  test('is narrowed by when versions were written, and by when they were the current one', async () => {
    const { id } = await fhir.create({ resourceType: 'Basic', code: { text: 'a' } })
    for (const text of ['b', 'c']) {
      await new Promise((resolve) => setTimeout(resolve, 15))
      await fhir.send('PUT', `/Basic/${id}`, { resourceType: 'Basic', id, code: { text } })
    }
    const [third = '', second = '', first = ''] = await timesOf(`/Basic/${id}/_history`)
    const versions = async (query: string) => (await fhir.search(`/Basic/${id}/_history?${query}`)).entry?.map(({ resource }) => resource?.meta?.versionId) ?? []
    expect(await versions(`_since=${second}`)).toEqual(['3', '2'])
    expect(await versions(`_since=${new Date(Date.parse(third) + 1).toISOString()}`)).toEqual([])
    expect(await versions(`_at=${new Date(Date.parse(second) + 1).toISOString()}`)).toEqual(['2'])
    expect(await versions(`_at=${new Date(Date.parse(first) - 1).toISOString()}`)).toEqual([])
    expect(await versions(`_at=${third.slice(0, 10)}`)).toEqual(['3', '2', '1'])
    expect(await versions('_at=2001')).toEqual([])
    for (const type of ['/Basic', '']) {
      const bundle = await fhir.search(`${type}/_history?_at=${new Date(Date.parse(second) + 1).toISOString()}&_count=1000`)
      expect(bundle.entry?.filter(({ resource }) => resource?.id === id).map(({ resource }) => resource?.meta?.versionId), type).toEqual(['2'])
    }
  })

  test('of a type and of everything has each version once, in order, while others write', async () => {
    const text = randomUUID()
    const ids: string[] = []
    const write = async (): Promise<void> => {
      ids.push((await fhir.create({ resourceType: 'Basic', code: { text } })).id)
      const id = ids[Math.floor(ids.length / 2)] ?? ''
      await fhir.send('PUT', `/Basic/${id}`, { resourceType: 'Basic', id, code: { text } })
      await fhir.create({ resourceType: 'Group', type: 'person', actual: true })
    }
    const since = new Date().toISOString()
    for (let at = 0; at < 12; at++) await write()
    const before = new Set((await pages(`/Basic/_history?_since=${since}&_count=100`)).flatMap((page) => page.entry?.map(({ resource }) => `${resource?.id}/${resource?.meta?.versionId}`) ?? []))
    expect(before.size).toBe(24)
    for (const path of ['/Basic/_history', '/_history']) {
      for (const sort of ['', '&_sort=_lastUpdated']) {
        let writes = 0
        // Oldest first, a reader meets what is written meanwhile: it stops after a while.
        const read = await pages(`${path}?_since=${since}&_count=${path === '/_history' ? 20 : 5}${sort}`, async () => {
          if (writes++ < 4) await write()
        })
        const entries = read.flatMap((page) => page.entry ?? [])
        const seen = entries.map(({ fullUrl, response }) => `${fullUrl} ${response?.etag}`)
        expect(new Set(seen).size, path + sort).toBe(seen.length)
        const basics = new Set(entries.flatMap(({ resource }) => (resource?.resourceType === 'Basic' ? [`${resource.id}/${resource.meta?.versionId}`] : [])))
        expect([...before].filter((version) => !basics.has(version)), path + sort).toEqual([])
        const times = entries.map(({ response }) => response?.lastModified ?? '')
        expect(times, path + sort).toEqual(sort === '' ? times.toSorted().toReversed() : times.toSorted())
      }
    }
    const types = new Set((await fhir.search(`/_history?_since=${since}&_count=200`)).entry?.map(({ request }) => request?.url.split('/')[0]))
    expect([...types].toSorted()).toEqual(['Basic', 'Group'])
  })

  test.each([
    ['/Patient/_history?_count=some', 'value'],
    ['/Patient/_history?_since=yesterday', 'value'],
    ['/Patient/_history?_at=2024-99', 'value'],
    ['/Patient/_history?_sort=name', 'not-supported'],
    ['/_history?_list=7', 'not-supported'],
    ['/Patient/_history?name=x', 'not-supported'],
    ['/Patient/_history?_cursor=bm9uc2Vuc2U', 'structure'],
  ])('%s is refused', async (path, code) => {
    const answer = await fhir.send('GET', path)
    expect([answer.status, ...faultsOf(answer)]).toEqual([400, code])
  })

  test('what is not known is left out under lenient handling', async () => {
    expect((await fhir.send('GET', '/Patient/_history?name=x', undefined, { prefer: 'handling=lenient' })).status).toBe(200)
  })

  test('shows nothing of another branch, and only types that may be read', async () => {
    const since = new Date().toISOString()
    const { id } = await fhir.create({ resourceType: 'Observation', status: 'final', code: { text: 'hidden' } } as Observation)
    await fhir.send('DELETE', `/Observation/${id}`)
    const stranger = fhirClient((await hospital.signIn('provider', 'other')).fetch)
    for (const path of ['/Observation/_history', '/_history']) {
      expect((await fhir.search(`${path}?_since=${since}`)).entry).toHaveLength(2)
      expect((await stranger.search(`${path}?_since=${since}`)).entry, path).toBeUndefined()
    }
    expect((await stranger.send('GET', `/Observation/${id}/_history`)).status).toBe(404)
    await fhir.create({ resourceType: 'Patient', active: true } as Patient)
    const desk = fhirClient((await hospital.signIn('hub')).fetch)
    expect((await desk.send('GET', '/Observation/_history')).status).toBe(403)
    expect((await desk.search(`/_history?_since=${since}`)).entry?.map(({ request }) => request?.url)).toEqual(['Patient'])
  })

  test('what was shown is in the audit trail', async () => {
    const { id } = await fhir.create({ resourceType: 'Patient', active: true } as Patient)
    for (const path of [`/Patient/${id}/_history`, '/Patient/_history?_count=1', '/_history?_count=1']) await fhir.search(path)
    const client = new pg.Client({ connectionString: hospital.databaseUrl })
    await client.connect()
    const { rows } = await client.query("select resource_type, resource from audit.entry where action = 'fhir.history' and patient = $1 order by id", [id])
    await client.end()
    expect(rows).toEqual([{ resource_type: 'Patient', resource: id }, { resource_type: 'Patient', resource: null }, { resource_type: 'Patient', resource: null }])
  })
})

test.each([
  ['POST', '/Patient/1', 'DELETE, GET, HEAD, PATCH, PUT'],
  ['DELETE', '/Patient/1/_history', 'GET, HEAD'],
  ['PUT', '/Patient/1/_history/1', 'GET, HEAD'],
  ['DELETE', '/', 'GET, HEAD, POST'],
])('%s %s is not allowed, and the answer says what is', async (method, path, allowed) => {
  const answer = await fhir.send(method, path)
  expect([answer.status, answer.headers.get('allow'), ...faultsOf(answer)]).toEqual([405, allowed, 'not-supported'])
})

test.each(['/Person1/1', '/Patient/$nothing', '/Patient/1/$nothing', '/Patient/1/2/3/4', '/$nothing'])('POST %s is nowhere', async (path) => {
  expect((await fhir.send('POST', path)).status).toBe(404)
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
  expect(patient?.interaction?.map(({ code }) => code).toSorted()).toEqual([
    ...['create', 'delete', 'history-instance', 'history-type', 'patch', 'read', 'search-type', 'update', 'vread'],
  ])
  expect(rest?.interaction?.map(({ code }) => code).toSorted()).toEqual(['batch', 'history-system', 'search-system', 'transaction'])
  expect(body.patchFormat).toEqual(['application/json-patch+json', 'application/fhir+json', 'application/fhir+xml'])
})
