import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bundle, BundleEntry, Observation, OperationOutcome, Parameters, Patient, Resource } from '@carespine/fhir/resource'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultsOf, fhirClient, type FhirClient } from './fhir-client.ts'
import { fillDataFolder, ServerProcess } from './server-process.ts'
import { PASSWORD, startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
let fhir: FhirClient

beforeAll(async () => {
  hospital = await startTestHospital()
  fhir = fhirClient((await hospital.asClient()).fetch)
})
afterAll(() => hospital?.close())

type Request = NonNullable<BundleEntry['request']>
const entry = (method: Request['method'], url: string, resource?: Resource, more: { fullUrl?: string; request?: Partial<Request> } = {}): BundleEntry => ({
  ...more,
  ...(resource ? { resource } : {}),
  request: { method, url, ...more.request },
})
const send = (type: 'transaction' | 'batch', entries: BundleEntry[], headers: Record<string, string> = {}) => fhir.send<Bundle>('POST', '/', { resourceType: 'Bundle', type, entry: entries }, headers)
const statuses = ({ body }: { body: Bundle }) => body.entry?.map(({ response }) => response?.status)
const places = ({ body }: { body: Bundle }) => body.entry?.map(({ response }) => response?.location?.replace(/\/_history.*/, '') ?? '') ?? []

const numbered = (value: string, changes: Partial<Patient> = {}): Patient => ({ resourceType: 'Patient', identifier: [{ system: 'urn:mrn', value }], ...changes })
const byNumber = (value: string): string => `identifier=urn:mrn|${value}`
const observation = (subject: string, changes: Partial<Observation> = {}): Observation => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text: 'x' },
  subject: { reference: subject },
  ...changes,
})
const jsonPatch = (patch: unknown): Resource => ({ resourceType: 'Binary', contentType: 'application/json-patch+json', data: Buffer.from(JSON.stringify(patch)).toString('base64') })
const fhirPathPatch = (type: string, path: string, value: object): Parameters => ({
  resourceType: 'Parameters',
  parameter: [{ name: 'operation', part: [{ name: 'type', valueCode: type }, { name: 'path', valueString: path }, { name: 'value', ...value }] }],
})

describe('a transaction', () => {
  test('deletes, creates, changes and reads in this order, whatever the order of its entries', async () => {
    const number = randomUUID()
    const [gone, changed] = [await fhir.create(numbered(number)), await fhir.create({ resourceType: 'Patient', active: true } as Patient)]
    const answer = await send('transaction', [
      entry('GET', `Patient/${changed.id}`),
      entry('GET', `Patient?${byNumber(number)}`),
      entry('PATCH', `Patient/${changed.id}`, jsonPatch([{ op: 'replace', path: '/active', value: false }])),
      entry('POST', 'Patient', numbered(number, { gender: 'female' }), { request: { ifNoneExist: byNumber(number) } }),
      entry('DELETE', `Patient?${byNumber(number)}`),
    ])
    expect(statuses(answer)).toEqual(['200', '200', '200', '201', '204'])
    const [read, found] = answer.body.entry?.map(({ resource }) => resource) ?? []
    expect(read).toMatchObject({ active: false, meta: { versionId: '2' } })
    expect((found as Bundle).entry?.map(({ resource }) => (resource as Patient).gender)).toEqual(['female'])
    expect((await fhir.send('GET', `/Patient/${gone.id}`)).status).toBe(410)
  })

  test('resolves a conditional reference to what is stored, or to what it makes itself', async () => {
    const [stored, made] = [randomUUID(), randomUUID()]
    const { id } = await fhir.create(numbered(stored))
    const answer = await send('transaction', [
      entry('POST', 'Observation', observation(`Patient?${byNumber(stored)}`)),
      entry('POST', 'Observation', observation(`Patient?${byNumber(made)}`)),
      entry('POST', 'Patient', numbered(made)),
    ])
    expect(statuses(answer)).toEqual(['201', '201', '201'])
    const [first, second, patient] = places(answer)
    expect((await fhir.send<Observation>('GET', `/${first}`)).body.subject?.reference).toBe(`Patient/${id}`)
    expect((await fhir.send<Observation>('GET', `/${second}`)).body.subject?.reference).toBe(patient)
  })

  test('takes what it changes as it will be when it resolves a conditional reference', async () => {
    const [before, after] = [randomUUID(), randomUUID()]
    const { id } = await fhir.create(numbered(before))
    const put = entry('PUT', `Patient/${id}`, { ...numbered(after), id })
    const refused = await send('transaction', [put, entry('POST', 'Observation', observation(`Patient?${byNumber(before)}`))])
    expect([refused.status, ...faultsOf(refused)]).toEqual([422, 'not-found Bundle.entry[1].resource'])
    const answer = await send('transaction', [put, entry('POST', 'Observation', observation(`Patient?${byNumber(after)}`))])
    expect((await fhir.send<Observation>('GET', `/${places(answer)[1]}`)).body.subject?.reference).toBe(`Patient/${id}`)
  })

  test('with a conditional reference to several, or with a faulty one, is refused', async () => {
    const number = randomUUID()
    await Promise.all([fhir.create(numbered(number)), fhir.create(numbered(number))])
    const several = await send('transaction', [entry('POST', 'Observation', observation(`Patient?${byNumber(number)}`))])
    expect([several.status, ...faultsOf(several)]).toEqual([412, 'conflict Bundle.entry[0]'])
    const faulty = await send('transaction', [entry('POST', 'Patient', numbered('1')), entry('POST', 'Observation', observation('Patient?colour=blue'))])
    expect([faulty.status, ...faultsOf(faulty)]).toEqual([400, 'not-supported Bundle.entry[1]'])
  })

  test('replaces links between its entries everywhere that the specification names', async () => {
    const [patient, root] = [`urn:uuid:${randomUUID()}`, 'http://other.example/fhir']
    const answer = await send('transaction', [
      entry('POST', 'Patient', { resourceType: 'Patient', link: [{ type: 'seealso', other: { reference: 'Patient/b' } }] }, { fullUrl: `${root}/Patient/a` }),
      entry('POST', 'Patient', { resourceType: 'Patient' }, { fullUrl: `${root}/Patient/b` }),
      entry('POST', 'Patient', { resourceType: 'Patient' }, { fullUrl: patient }),
      entry('POST', 'Basic', {
        resourceType: 'Basic',
        text: { status: 'generated', div: `<div xmlns="http://www.w3.org/1999/xhtml"><a href="${patient}">${patient}</a></div>` },
        code: { text: patient },
        subject: { reference: `${root}/Patient/a` },
        extension: [{ url: 'urn:u', valueUri: patient }, { url: 'urn:c', valueCanonical: patient }],
      }),
    ])
    expect(statuses(answer)).toEqual(['201', '201', '201', '201'])
    const [a, b, third, basic] = places(answer)
    expect((await fhir.send<Patient>('GET', `/${a}`)).body.link?.[0]?.other.reference).toBe(b)
    expect((await fhir.send('GET', `/${basic}`)).body).toMatchObject({
      text: { div: `<div xmlns="http://www.w3.org/1999/xhtml"><a href="${third}">${patient}</a></div>` },
      code: { text: patient },
      subject: { reference: a },
      extension: [{ valueUri: third }, { valueCanonical: patient }],
    })
  })

  test('heeds conditions of every kind in its entries', async () => {
    const [made, changed, patched, removed] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()]
    await Promise.all([changed, patched, removed].map((number) => fhir.create(numbered(number))))
    const { id } = await fhir.create({ resourceType: 'Patient' })
    const answer = await send('transaction', [
      entry('PUT', `Patient?${byNumber(made)}`, numbered(made)),
      entry('PUT', `Patient?${byNumber(changed)}`, numbered(changed, { active: true }), { request: { ifMatch: 'W/"1"' } }),
      entry('PATCH', `Patient?${byNumber(patched)}`, fhirPathPatch('replace', 'Patient.identifier[0].value', { valueString: randomUUID() })),
      entry('DELETE', `Patient?${byNumber(removed)}`),
      entry('DELETE', `Patient?${byNumber(randomUUID())}`),
      entry('GET', `Patient/${id}`, undefined, { request: { ifNoneMatch: 'W/"1"' } }),
      entry('GET', `Patient/${id}`, undefined, { request: { ifModifiedSince: new Date(Date.now() + 5000).toISOString() } }),
      entry('HEAD', `Patient/${id}`),
    ])
    expect(statuses(answer)).toEqual(['201', '200', '200', '204', '204', '304', '304', '200'])
    expect(answer.body.entry?.slice(5).map(({ resource }) => resource)).toEqual([undefined, undefined, undefined])
    expect(answer.body.entry?.[3]?.response?.etag).toBe('W/"2"')
    const stale = await send('transaction', [entry('PUT', `Patient?${byNumber(changed)}`, numbered(changed), { request: { ifMatch: 'W/"1"' } })])
    expect([stale.status, ...faultsOf(stale)]).toEqual([412, 'conflict Bundle.entry[0]'])
    const taken = await send('transaction', [entry('PUT', `Patient/${id}`, { resourceType: 'Patient', id }, { request: { ifNoneMatch: '*' } })])
    expect(taken.status).toBe(412)
    const nothing = await send('transaction', [entry('PATCH', `Patient?${byNumber(randomUUID())}`, jsonPatch([]))])
    expect([nothing.status, ...faultsOf(nothing)]).toEqual([404, 'not-found Bundle.entry[0]'])
  })

  test('makes one resource of two creates on one condition, and links both to it', async () => {
    const number = randomUUID()
    const create = (fullUrl: string) => entry('POST', 'Patient', numbered(number), { fullUrl, request: { ifNoneExist: byNumber(number) } })
    const answer = await send('transaction', [create('urn:uuid:a'), create('urn:uuid:b'), entry('POST', 'Observation', observation('urn:uuid:b'))])
    expect(statuses(answer)).toEqual(['201', '200', '201'])
    const [first, second, observed] = places(answer)
    expect(second).toBe(first)
    expect((await fhir.send<Observation>('GET', `/${observed}`)).body.subject?.reference).toBe(first)
    expect(await fhir.ids(`/Patient?${byNumber(number)}`)).toHaveLength(1)
  })

  test('of twenty at once with the same condition, one makes the resource and all are linked to it', async () => {
    const number = randomUUID()
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        send('transaction', [
          entry('POST', 'Patient', numbered(number), { fullUrl: 'urn:uuid:p', request: { ifNoneExist: byNumber(number) } }),
          entry('POST', 'Observation', observation('urn:uuid:p')),
        ]),
      ),
    )
    expect(answers.map((answer) => statuses(answer)?.[0]).toSorted()).toEqual([...Array<string>(19).fill('200'), '201'])
    const [id, ...others] = await fhir.ids(`/Patient?${byNumber(number)}`)
    expect(others).toEqual([])
    expect(await fhir.ids(`/Observation?patient=${id}&_count=100`)).toHaveLength(20)
  })

  test.each<[string, (ids: { a: string; number: string }) => BundleEntry[]]>([
    ['an id twice', ({ a }) => [entry('PUT', `Patient/${a}`, { resourceType: 'Patient', id: a }), entry('DELETE', `Patient/${a}`)]],
    ['an id and a condition', ({ a, number }) => [entry('PUT', `Patient/${a}`, { resourceType: 'Patient', id: a }), entry('DELETE', `Patient?${byNumber(number)}`)]],
    ['two conditions', ({ number }) => [entry('PUT', `Patient?${byNumber(number)}`, numbered(number)), entry('PATCH', `Patient?${byNumber(number)}&_id:missing=false`, jsonPatch([]))].slice(0, 1).concat(entry('PATCH', `Patient?identifier=${number}`, jsonPatch([])))],
  ])('that writes one resource by %s is refused', async (_what, entriesOf) => {
    const number = randomUUID()
    const { id } = await fhir.create(numbered(number))
    const answer = await send('transaction', entriesOf({ a: id, number }))
    expect([answer.status, ...faultsOf(answer)]).toEqual([400, 'invalid Bundle.entry[1]'])
    expect((await fhir.send('GET', `/Patient/${id}`)).headers.get('etag')).toBe('W/"1"')
  })

  test.each<[string, BundleEntry, number, string]>([
    ['no request', { resource: { resourceType: 'Patient' } }, 400, 'required Bundle.entry[1].request'],
    ['a method that is none', entry('STEAL' as 'GET', 'Patient/1'), 400, 'invalid Bundle.entry[1].request.method'],
    ['a type that is none', entry('POST', 'Person1', { resourceType: 'Patient' }), 400, 'invalid Bundle.entry[1].request.url'],
    ['a URL of another server', entry('GET', 'http://other.example/fhir/Patient/1'), 400, 'invalid Bundle.entry[1].request.url'],
    ['a way out of the API', entry('GET', 'Patient/../../../api/auth/me'), 400, 'invalid Bundle.entry[1].request.url'],
    ['a resource of another type', entry('POST', 'Patient', { resourceType: 'Basic', code: { text: 'x' } }), 400, 'invalid Bundle.entry[1].resource'],
    ['another id than its URL', entry('PUT', 'Patient/a', { resourceType: 'Patient', id: 'b' }), 400, 'invalid Bundle.entry[1].resource'],
    ['no resource', entry('POST', 'Patient'), 400, 'required Bundle.entry[1].resource'],
    ['a delete of everything', entry('DELETE', 'Patient'), 400, 'invalid Bundle.entry[1].request.url'],
    ['an If-Match that is none', entry('PUT', 'Patient/a', { resourceType: 'Patient', id: 'a' }, { request: { ifMatch: 'latest' } }), 400, 'structure Bundle.entry[1]'],
    ['a patch that is no JSON', entry('PATCH', 'Patient/a', { resourceType: 'Binary', contentType: 'application/json-patch+json', data: 'eA==' }), 400, 'invalid Bundle.entry[1].resource.data'],
    ['a patch of a type that is none', entry('PATCH', 'Patient/a', { resourceType: 'Binary', contentType: 'text/plain', data: 'W10=' }), 415, 'not-supported Bundle.entry[1]'],
    ['a patch of what is not there', entry('PATCH', 'Patient/not-there', jsonPatch([])), 404, 'not-found Bundle.entry[1]'],
    ['a read of what is not there', entry('GET', 'Patient/not-there'), 404, 'not-found Bundle.entry[1]'],
    ['an operation that is posted', entry('POST', 'Patient/$match', { resourceType: 'Parameters' }), 400, 'not-supported Bundle.entry[1].request'],
    ['a resource that is not valid', entry('POST', 'Patient', { resourceType: 'Patient', birthDate: 'x' }), 422, 'value Bundle.entry[1].resource.birthDate'],
  ])('with %s leaves nothing', async (_what, bad, status, fault) => {
    const number = randomUUID()
    const answer = await send('transaction', [entry('POST', 'Patient', numbered(number)), bad])
    expect([answer.status, ...faultsOf(answer)]).toEqual([status, fault])
    expect(await fhir.ids(`/Patient?${byNumber(number)}`)).toEqual([])
  })

  test('whose patch fails says which operation of which entry', async () => {
    const { id } = await fhir.create({ resourceType: 'Patient' })
    const answer = await send('transaction', [entry('PATCH', `Patient/${id}`, jsonPatch([{ op: 'test', path: '/active', value: true }]))])
    expect([answer.status, ...faultsOf(answer)]).toEqual([422, 'processing Bundle.entry[0].resource'])
    expect((answer.body as unknown as OperationOutcome).issue[0]?.diagnostics).toContain('test: ')
  })

  test('gives back as much as is wanted', async () => {
    const post = () => [entry('POST', 'Patient', { resourceType: 'Patient', active: true })]
    expect((await send('transaction', post())).body.entry?.[0]?.resource).toBeUndefined()
    expect((await send('transaction', post(), { prefer: 'return=representation' })).body.entry?.[0]?.resource).toMatchObject({ active: true, meta: { versionId: '1' } })
    const said = await send('transaction', post(), { prefer: 'return=OperationOutcome' })
    expect(said.body.entry?.[0]?.response?.outcome).toMatchObject({ resourceType: 'OperationOutcome' })
  })

  test('keeps a document within it as it is', async () => {
    const [observed, patient] = [`urn:uuid:${randomUUID()}`, `urn:uuid:${randomUUID()}`]
    const inner = [{ fullUrl: observed, resource: observation(patient) }, { fullUrl: patient, resource: { resourceType: 'Patient' } as Patient }]
    const document: Bundle = { resourceType: 'Bundle', type: 'collection', entry: inner }
    const answer = await send('transaction', [entry('POST', 'Bundle', document), entry('POST', 'Patient', { resourceType: 'Patient' }, { fullUrl: patient })])
    expect(statuses(answer)).toEqual(['201', '201'])
    expect((await fhir.send<Bundle>('GET', `/${places(answer)[0]}`)).body.entry).toEqual(document.entry)
  })

  test('may hold nothing but questions, and nothing at all', async () => {
    const { id } = await fhir.create({ resourceType: 'Patient', active: true } as Patient)
    expect(statuses(await send('transaction', [entry('GET', `Patient/${id}`), entry('GET', `Patient/${id}/_history/1`), entry('GET', 'Patient?_count=1')]))).toEqual(['200', '200', '200'])
    expect((await send('transaction', [])).status).toBe(200)
  })
})

describe('a batch', () => {
  test('takes each entry for itself, and says of each what came of it', async () => {
    const { id } = await fhir.create({ resourceType: 'Patient', active: true } as Patient)
    const number = randomUUID()
    const answer = await send('batch', [
      entry('POST', 'Patient', numbered(number)),
      entry('POST', 'Patient', numbered(number), { request: { ifNoneExist: byNumber(number) } }),
      entry('PATCH', `Patient/${id}`, jsonPatch([{ op: 'replace', path: '/active', value: false }])),
      entry('PATCH', `Patient/${id}`, jsonPatch([{ op: 'remove', path: '/gender' }])),
      entry('GET', `Patient?${byNumber(number)}`),
      entry('GET', `Patient/${id}/_history`),
      entry('GET', `Patient/${id}/_history/1`),
      entry('GET', `Patient/${id}/$everything`),
      entry('GET', `Patient/${id}`, undefined, { request: { ifNoneMatch: 'W/"2"' } }),
      entry('GET', `${hospital.url}/fhir/R4/Patient/${id}`),
      entry('HEAD', `Patient/${id}/_history/2`),
      entry('GET', 'Patient?colour=blue'),
      entry('GET', 'metadata'),
      entry('POST', 'Patient/$validate', { resourceType: 'Patient', birthDate: 'x' }),
      { request: { method: 'GET' } } as BundleEntry,
      entry('DELETE', `Patient?${byNumber(number)}`),
      {} as BundleEntry,
    ])
    expect(answer.status).toBe(200)
    expect(statuses(answer)?.slice(0, 14)).toEqual(['201', '200', '200', '422', '200', '200', '200', '200', '304', '200', '200', '400', '200', '200'])
    expect(statuses(answer)?.slice(15)).toEqual(['204', '400'])
    const resources = answer.body.entry?.map(({ resource }) => resource) ?? []
    expect((resources[4] as Bundle).entry).toHaveLength(1)
    expect((resources[5] as Bundle).entry).toHaveLength(2)
    expect(resources[6]?.meta?.versionId).toBe('1')
    expect((resources[7] as Bundle).type).toBe('searchset')
    expect([resources[8], resources[10], resources[11]]).toEqual([undefined, undefined, undefined])
    expect((answer.body.entry?.[11]?.response?.outcome as OperationOutcome | undefined)?.issue[0]?.code).toBe('not-supported')
    expect((answer.body.entry?.[3]?.response?.outcome as OperationOutcome | undefined)?.issue[0]?.expression).toEqual(['Bundle.entry[3].resource'])
    expect(resources[13]?.resourceType).toBe('OperationOutcome')
  })

  test('asks with the permissions and the branch of who sent it', async () => {
    const { id } = await fhir.create(observation('Patient/nobody'))
    const stranger = fhirClient((await hospital.signIn('provider', 'other')).fetch)
    const desk = fhirClient((await hospital.signIn('hub')).fetch)
    const bundle = { resourceType: 'Bundle', type: 'batch', entry: [entry('GET', `Observation/${id}`), entry('GET', `Observation?_id=${id}`), entry('GET', `Observation/${id}/_history`)] }
    expect(statuses(await stranger.send<Bundle>('POST', '/', bundle))).toEqual(['404', '200', '404'])
    expect(statuses(await desk.send<Bundle>('POST', '/', bundle))).toEqual(['403', '403', '403'])
  })
})

describe('a transaction of thousands', () => {
  const COUNT = 5000
  const thousands = (tag: string, last?: Resource): BundleEntry[] => [
    entry('POST', 'Patient', numbered(tag), { fullUrl: 'urn:uuid:p' }),
    ...Array.from({ length: COUNT }, (_, at) => entry('POST', 'Observation', observation('urn:uuid:p', { identifier: [{ system: 'urn:tag', value: tag }], valueQuantity: { value: at } }))),
    ...(last ? [entry('POST', last.resourceType, last)] : []),
  ]
  const countOf = async (tag: string) => (await fhir.search(`/Observation?identifier=urn:tag|${tag}&_summary=count`)).total

  test('is stored whole, and others are served meanwhile', { timeout: 180_000 }, async () => {
    const tag = randomUUID()
    const { id } = await fhir.create({ resourceType: 'Patient' })
    let isDone = false
    const waits: number[] = []
    const others = (async () => {
      while (!isDone) {
        const before = performance.now()
        await fhir.send('GET', `/Patient/${id}`)
        waits.push(performance.now() - before)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    })()
    const began = performance.now()
    const answer = await send('transaction', thousands(tag))
    const took = performance.now() - began
    isDone = true
    await others
    expect(answer.status).toBe(200)
    expect(answer.body.entry).toHaveLength(COUNT + 1)
    expect(await countOf(tag)).toBe(COUNT)
    // The body is read and the answer written in one go; the rest gives way.
    expect(waits.length).toBeGreaterThan(10)
    expect(Math.max(...waits)).toBeLessThan(took * 0.6)
  })

  test('that fails in its last entry leaves nothing', { timeout: 180_000 }, async () => {
    const tag = randomUUID()
    const answer = await send('transaction', thousands(tag, { resourceType: 'Patient', gender: 'sometimes' } as unknown as Patient))
    expect([answer.status, ...faultsOf(answer)]).toEqual([422, `code-invalid Bundle.entry[${COUNT + 1}].resource.gender`])
    expect(await countOf(tag)).toBe(0)
    expect(await fhir.ids(`/Patient?${byNumber(tag)}`)).toEqual([])
  })
})

describe('the server is killed while it stores a transaction', () => {
  const COUNT = 1500
  let folder = ''
  let server: ServerProcess

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'carespine-bundle-'))
    await fillDataFolder(folder)
    server = await ServerProcess.on(folder)
    await server.start()
  }, 120_000)
  afterAll(async () => {
    if (server?.hasEnded === false) await server.kill('SIGTERM')
    await rm(folder, { recursive: true, force: true })
  })

  async function provider(): Promise<FhirClient> {
    const response = await fetch(`${server.url}/api/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'provider@main.example', password: PASSWORD, portal: 'provider' }),
    })
    const { accessToken } = (await response.json()) as { accessToken: string }
    return fhirClient((path, init) => fetch(server.url + path, { ...init, headers: { ...init?.headers, authorization: `Bearer ${accessToken}` } }))
  }

  test('all of it is there afterwards, or nothing', { timeout: 240_000 }, async () => {
    const found: (number | undefined)[] = []
    let client = await provider()
    // How long one takes here, so that the blows fall before, in and after the commit.
    const measured = performance.now()
    const bundle = (tag: string): Bundle => ({
      resourceType: 'Bundle',
      type: 'transaction',
      entry: Array.from({ length: COUNT }, () => entry('POST', 'Observation', { resourceType: 'Observation', status: 'final', code: { text: 'x' }, identifier: [{ system: 'urn:tag', value: tag }] })),
    })
    expect((await client.send('POST', '/', bundle(randomUUID()))).status).toBe(200)
    const whole = performance.now() - measured
    for (const part of [0.3, 0.6, 0.8, 0.95, 1.1]) {
      const tag = randomUUID()
      const answer = client.send('POST', '/', bundle(tag)).then(({ status }) => status, () => 0)
      await new Promise((resolve) => setTimeout(resolve, whole * part))
      await server.kill()
      const status = await answer
      await server.start()
      client = await provider()
      const { total } = await client.search(`/Observation?identifier=urn:tag|${tag}&_summary=count`)
      found.push(total)
      if (status === 200) expect(total).toBe(COUNT)
    }
    expect(found.filter((total) => total !== 0 && total !== COUNT)).toEqual([])
    expect(found).toContain(0)
  })
})
