import { restrictPatient } from '@carespine/access/contract'
import type { Bundle, Condition, Encounter, Observation, Patient } from '@carespine/fhir/resource'
import { launchApp } from '@carespine/link-smart/contract'
import { io } from 'socket.io-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bulkClient, namesOf } from './bulk-client.ts'
import { fhirClient, type FhirClient } from './fhir-client.ts'
import { fetchWith, testApp, type TestApp, type Tokens } from './smart-app.ts'
import { type SignedInUser, startTestHospital, type TestHospital } from './test-hospital.ts'

const CATEGORY = 'http://terminology.hl7.org/CodeSystem/observation-category'

let hospital: TestHospital
let app: TestApp
let doctor: SignedInUser
let all: FhirClient
const patients: Record<'mona' | 'omar', string> = { mona: '', omar: '' }
const found: Record<string, string> = {}

const observation = (patient: string, category: string, more: Partial<Observation> = {}): Observation => ({
  resourceType: 'Observation',
  status: 'final',
  category: [{ coding: [{ system: CATEGORY, code: category }] }],
  code: { coding: [{ system: 'http://loinc.org', code: '718-7' }] },
  subject: { reference: `Patient/${patient}` },
  ...more,
})

/** What an app may see of a doctor's patient. */
const granted = (scope: string, patient = patients.mona): Promise<Tokens> => app.connect(doctor, { scope: `launch/patient ${scope}` }, { patient })
const under = async (scope: string): Promise<FhirClient> => app.fhir(await granted(scope))
const statusOf = async (fhir: FhirClient, method: string, path: string, body?: unknown): Promise<number> => (await fhir.send(method, path, body)).status
const LAB = `patient/Observation.rs?category=${CATEGORY}|laboratory`

beforeAll(async () => {
  hospital = await startTestHospital()
  all = fhirClient((await hospital.asClient()).fetch)
  for (const name of ['mona', 'omar'] as const) {
    patients[name] = (await all.create<Patient>({ resourceType: 'Patient', name: [{ given: [name] }] })).id
    const visit = await all.create<Encounter>({ resourceType: 'Encounter', status: 'in-progress', class: { code: 'AMB' }, subject: { reference: `Patient/${patients[name]}` } })
    found[`${name}-visit`] = visit.id
    for (const category of ['laboratory', 'vital-signs']) {
      found[`${name}-${category}`] = (await all.create(observation(patients[name], category, { encounter: { reference: `Encounter/${visit.id}` } }))).id
    }
    found[`${name}-condition`] = (await all.create<Condition>({ resourceType: 'Condition', code: { text: name }, subject: { reference: `Patient/${patients[name]}` }, encounter: { reference: `Encounter/${visit.id}` } })).id
  }
  app = await testApp(hospital, { scopes: ['launch', 'launch/patient', 'offline_access', 'patient/*.cruds', 'user/*.cruds'] })
  doctor = await hospital.signIn('provider')
})
afterAll(() => hospital?.close())

describe('a scope for some types', () => {
  test('lets through reads, versions, searches and histories of those, and of no other', async () => {
    const fhir = await under('patient/Observation.rs patient/Patient.r')
    const of = found['mona-laboratory']
    expect(await statusOf(fhir, 'GET', `/Observation/${of}`)).toBe(200)
    expect(await statusOf(fhir, 'GET', `/Observation/${of}/_history/1`)).toBe(200)
    expect(await statusOf(fhir, 'GET', `/Observation/${of}/_history`)).toBe(200)
    expect(await statusOf(fhir, 'GET', `/Observation/${found['omar-laboratory']}`)).toBe(404)
    expect(await statusOf(fhir, 'GET', `/Observation/${found['omar-laboratory']}/_history/1`)).toBe(404)
    expect(await fhir.ids('/Observation')).toHaveLength(2)
    expect((await fhir.search('/Observation?_summary=count')).total).toBe(2)
    for (const path of [`/Condition/${found['mona-condition']}`, '/Condition', '/Condition/_history', `/Encounter/${found['mona-visit']}`, `/Patient/${patients.mona}/Condition`]) {
      expect([path, await statusOf(fhir, 'GET', path)]).toEqual([path, 403])
    }
    expect(await statusOf(fhir, 'POST', '/Observation', observation(patients.mona, 'survey'))).toBe(403)
    expect(await statusOf(fhir, 'DELETE', `/Observation/${of}`)).toBe(403)
  })

  test('chains, _has, includes and filters do not reach further', async () => {
    const fhir = await under('patient/Observation.rs')
    expect(await statusOf(fhir, 'GET', '/Observation?encounter.status=in-progress')).toBe(403)
    expect(await statusOf(fhir, 'GET', '/Observation?subject:Patient.name=mona')).toBe(403)
    expect(await statusOf(fhir, 'GET', '/Observation?_include=Observation:encounter:Encounter')).toBe(403)
    expect((await fhir.search('/Observation?_include=Observation:encounter')).entry?.filter(({ resource }) => resource?.resourceType === 'Encounter')).toEqual([])
    expect((await fhir.search('/Observation?_include=*')).entry?.every(({ resource }) => resource?.resourceType === 'Observation' || resource?.resourceType === 'OperationOutcome')).toBe(true)
    const visits = await under('patient/Encounter.rs')
    expect(await statusOf(visits, 'GET', '/Encounter?_has:Condition:encounter:code:text=mona')).toBe(403)
    expect(await statusOf(visits, 'GET', '/Encounter?_revinclude=Condition:encounter')).toBe(403)
  })

  test('$everything, GraphQL, entries of a batch and whole-record searches keep to them', async () => {
    const fhir = await under('patient/Observation.rs patient/Patient.rs')
    const everything = await fhir.search(`/Patient/${patients.mona}/$everything`)
    expect([...new Set(everything.entry?.map(({ resource }) => resource?.resourceType))].toSorted()).toEqual(['Observation', 'Patient'])
    expect(await statusOf(fhir, 'GET', `/Patient/${patients.omar}/$everything`)).toBe(404)
    const graph = (await fhir.send<{ data?: unknown; errors?: unknown[] }>('POST', '/$graphql', { query: '{ ConditionList { id } }' })).body
    expect(JSON.stringify(graph)).not.toContain(found['mona-condition'])
    const linked = await fhir.send('POST', '/$graphql', { query: `{ Observation(id: "${found['mona-laboratory']}") { id encounter { resource(optional: true) { ... on Encounter { id } } } } }` })
    expect(linked.text).toContain(found['mona-laboratory'])
    expect(linked.text).not.toContain(found['mona-visit'])
    const batch = (
      await fhir.send<Bundle>('POST', '/', {
        resourceType: 'Bundle',
        type: 'batch',
        entry: [`Observation/${found['mona-laboratory']}`, `Condition/${found['mona-condition']}`, 'Condition?code:text=mona', `Observation/${found['omar-laboratory']}`].map((url) => ({ request: { method: 'GET', url } })),
      })
    ).body
    expect(batch.entry?.map(({ response }) => response?.status?.slice(0, 3))).toEqual(['200', '403', '403', '404'])
    const transaction = { resourceType: 'Bundle', type: 'transaction', entry: [{ request: { method: 'POST', url: 'Observation' }, resource: observation(patients.mona, 'survey') }] }
    expect(await statusOf(fhir, 'POST', '/', transaction)).toBe(403)
    expect((await fhir.search('/?_lastUpdated=gt2000-01-01')).entry?.every(({ resource }) => ['Observation', 'Patient'].includes(resource?.resourceType ?? ''))).toBe(true)
    expect((await fhir.search('/_history')).entry?.every(({ resource }) => ['Observation', 'Patient'].includes(resource?.resourceType ?? ''))).toBe(true)
  })

  test('are asked for in the words of SMART 1 as well', async () => {
    const fhir = await under('patient/Observation.read')
    expect(await fhir.ids('/Observation')).toHaveLength(2)
    expect(await statusOf(fhir, 'POST', '/Observation', observation(patients.mona, 'survey'))).toBe(403)
    const writer = await under('patient/Observation.write')
    expect(await statusOf(writer, 'GET', '/Observation')).toBe(403)
    expect(await statusOf(writer, 'POST', '/Observation', observation(patients.mona, 'survey', { note: [{ text: 'by an app' }] }))).toBe(201)
  })

  test('writing does not reach another patient', async () => {
    const writer = await under('patient/Observation.cu')
    expect(await statusOf(writer, 'POST', '/Observation', observation(patients.omar, 'survey'))).toBe(403)
    expect(await statusOf(writer, 'PUT', `/Observation/${found['omar-laboratory']}`, { ...observation(patients.mona, 'survey'), id: found['omar-laboratory'] })).toBeGreaterThanOrEqual(400)
    const kept = await all.send<Observation>('GET', `/Observation/${found['omar-laboratory']}`)
    expect([kept.body.subject?.reference, kept.body.meta?.versionId]).toEqual([`Patient/${patients.omar}`, '1'])
  })
})

describe('letters', () => {
  test('r reads and does not search; s searches and does not read', async () => {
    const reader = await under('patient/Observation.r')
    expect(await statusOf(reader, 'GET', `/Observation/${found['mona-laboratory']}`)).toBe(200)
    expect(await statusOf(reader, 'GET', '/Observation')).toBe(403)
    expect(await statusOf(reader, 'GET', '/Observation/_history')).toBe(403)
    const seeker = await under('patient/Observation.s')
    expect((await seeker.ids('/Observation')).length).toBeGreaterThan(0)
    expect(await statusOf(seeker, 'GET', `/Observation/${found['mona-laboratory']}`)).toBe(403)
  })

  test('c creates and does not change; u changes and does not delete', async () => {
    const maker = await under('patient/Observation.c')
    const made = await maker.create(observation(patients.mona, 'survey'))
    expect(await statusOf(maker, 'PUT', `/Observation/${made.id}`, made)).toBe(403)
    expect(await statusOf(maker, 'POST', '/', { resourceType: 'Bundle', type: 'transaction', entry: [{ request: { method: 'PUT', url: `Observation/${made.id}` }, resource: made }] })).toBe(403)
    const changer = await under('patient/Observation.u')
    expect(await statusOf(changer, 'PUT', `/Observation/${made.id}`, { ...made, status: 'amended' })).toBe(200)
    expect(await statusOf(changer, 'DELETE', `/Observation/${made.id}`)).toBe(403)
    expect(await statusOf(await under('patient/Observation.d'), 'DELETE', `/Observation/${made.id}`)).toBe(204)
  })
})

describe('a scope with a search', () => {
  test('shows what the search selects: by id, in searches and their counts, by $lastn, $everything and GraphQL', async () => {
    const fhir = await under(`${LAB} patient/Patient.rs patient/Encounter.rs`)
    const lab = found['mona-laboratory'] as string
    const vital = found['mona-vital-signs'] as string
    expect(await statusOf(fhir, 'GET', `/Observation/${lab}`)).toBe(200)
    expect(await statusOf(fhir, 'GET', `/Observation/${vital}`)).toBe(404)
    expect(await statusOf(fhir, 'GET', `/Observation/${vital}/_history/1`)).toBe(404)
    expect(await statusOf(fhir, 'GET', `/Observation/${vital}/_history`)).toBe(404)
    expect(await fhir.ids('/Observation')).toEqual([lab])
    expect(await fhir.ids('/Observation?code=718-7')).toEqual([lab])
    expect((await fhir.search('/Observation?_summary=count&_total=accurate')).total).toBe(1)
    expect(await fhir.ids(`/Patient?_id=${patients.mona}&_has:Observation:patient:category=vital-signs`)).toEqual([])
    expect(await fhir.ids(`/Patient?_id=${patients.mona}&_has:Observation:patient:category=laboratory`)).toEqual([patients.mona])
    for (const path of [`/Patient/${patients.mona}/$everything`, `/Encounter?_revinclude=Observation:encounter`, `/Patient/${patients.mona}/Observation`, `/Observation/$lastn?patient=${patients.mona}`, '/_history', '/Observation/_history', '/?_lastUpdated=gt2000-01-01']) {
      const { text } = await fhir.send('GET', path)
      expect([path, text.includes(lab), text.includes(vital)]).toEqual([path, true, false])
    }
    const graph = await fhir.send('POST', '/$graphql', { query: '{ ObservationList { id } }' })
    expect([graph.text.includes(lab), graph.text.includes(vital)]).toEqual([true, false])
  })

  test('lets be written what the search selects, and nothing be moved in or out of it', async () => {
    const lab = LAB.replace('.rs', '.crus')
    const fhir = await under(lab)
    const made = await fhir.create(observation(patients.mona, 'laboratory'))
    expect(await statusOf(fhir, 'PUT', `/Observation/${made.id}`, { ...made, status: 'amended' })).toBe(200)
    expect(await statusOf(fhir, 'POST', '/Observation', observation(patients.mona, 'vital-signs'))).toBe(403)
    expect(await statusOf(fhir, 'PUT', `/Observation/${made.id}`, { ...observation(patients.mona, 'vital-signs'), id: made.id })).toBe(403)
    expect(await statusOf(fhir, 'PUT', `/Observation/${found['mona-vital-signs']}`, { ...observation(patients.mona, 'laboratory'), id: found['mona-vital-signs'] })).toBeGreaterThanOrEqual(400)
    expect((await all.send<Observation>('GET', `/Observation/${found['mona-vital-signs']}`)).body.meta?.versionId).toBe('1')
    // Superseded versions are not shown under a search: nothing tells which of them it selects.
    expect(await statusOf(fhir, 'GET', `/Observation/${made.id}/_history/1`)).toBe(404)
    expect(await statusOf(fhir, 'GET', `/Observation/${made.id}/_history/2`)).toBe(200)
  })

  test('does not stay with the connection that it was asked over', async () => {
    const fhir = await under(LAB)
    await Promise.all(
      Array.from({ length: 60 }, async (_, nth) => {
        if (nth % 2 === 0) expect(await fhir.ids('/Observation?category=vital-signs')).toEqual([])
        else expect((await all.ids(`/Observation?category=vital-signs&patient=${patients.mona}`)).length).toBeGreaterThan(0)
      }),
    )
  })

  test('is refused when it cannot be kept to', async () => {
    for (const filter of ['date=gt2020-01-01', 'value-quantity=5', 'category:not=laboratory', 'subject:Patient.name=mona', '_id=1', 'nothing=1', `category=a&code=b`]) {
      const { back } = await app.ask({ scope: `patient/Observation.rs?${filter}` })
      expect([filter, back?.searchParams.get('error')]).toEqual([filter, 'invalid_scope'])
    }
  })
})

describe('scopes of the user and of one patient', () => {
  test('each keep to their own types', async () => {
    const fhir = await under('patient/Observation.rs user/Encounter.rs')
    expect(await fhir.ids('/Encounter')).toHaveLength(2)
    const { entry = [] } = await fhir.search('/Observation')
    expect(new Set(entry.map(({ resource }) => (resource as Observation).subject?.reference))).toEqual(new Set([`Patient/${patients.mona}`]))
    expect(await statusOf(fhir, 'GET', `/Observation/${found['omar-laboratory']}`)).toBe(404)
  })
})

test('a patient who is closed to somebody is closed to the apps of that person too', async () => {
  const admin = await hospital.signIn('admin')
  const { id: closed } = await all.create<Patient>({ resourceType: 'Patient', name: [{ family: 'Closed' }] })
  const lab = (await all.create(observation(closed, 'laboratory'))).id
  const tokens = await app.connect(doctor, { scope: `user/Patient.rs ${LAB.replace('patient/', 'user/')}` })
  expect(await statusOf(app.fhir(tokens), 'GET', `/Observation/${lab}`)).toBe(200)
  await admin.call(restrictPatient, { patientId: closed, kind: 'vip', reason: 'A member of the board' })
  const after = await app.connect(doctor, { scope: `user/Patient.rs ${LAB.replace('patient/', 'user/')}` })
  expect(await statusOf(app.fhir(after), 'GET', `/Observation/${lab}`)).toBe(404)
  expect(await app.fhir(after).ids('/Observation?category=laboratory')).not.toContain(lab)
  expect(await app.fhir(after).ids('/Observation?category=vital-signs')).toEqual([])
  expect(await statusOf(app.fhir(after), 'GET', `/Observation/${found['mona-laboratory']}`)).toBe(200)
})

describe('what is done later', () => {
  test('an export holds what the app may see, and is no other app’s', async () => {
    const wide = await granted('user/Patient.rs user/Observation.rs')
    const narrow = await app.connect(doctor, { scope: `user/Patient.rs user/Observation.rs?category=${CATEGORY}|laboratory` })
    const bulk = bulkClient(hospital.url, fetchWith(hospital, narrow.access_token))
    const status = await bulk.start('/$export')
    const asOther = bulkClient(hospital.url, fetchWith(hospital, wide.access_token))
    expect((await asOther.fetch(status)).status).toBe(404)
    const manifest = await bulk.wait(status)
    const exported = await bulk.lines(manifest.output)
    for (const { url } of manifest.output) expect((await asOther.fetch(url)).status).toBe(404)
    expect(namesOf(exported)).toEqual(expect.arrayContaining([`Observation/${found['mona-laboratory']}`, `Observation/${found['omar-laboratory']}`, `Patient/${patients.mona}`]))
    expect(exported.filter(({ resourceType }) => resourceType !== 'Patient').every((resource) => (resource as Observation).category?.[0]?.coding?.[0]?.code === 'laboratory')).toBe(true)
  })
})

test('an app’s token opens nothing but the FHIR API', async () => {
  const { access_token: token } = await app.connect(doctor, { scope: 'user/*.cruds' })
  const as = fetchWith(hospital, token)
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }
  for (const path of ['/api/auth/me', '/metrics']) expect([path, (await as(path)).status]).toEqual([path, path === '/metrics' ? 200 : 403])
  for (const path of ['/api/smart/decide', '/api/smart/my-apps', '/api/identity/users', '/api/registration/search']) expect([path, (await as(path, post)).status]).toEqual([path, 403])
  const socket = io(hospital.url, { auth: { token }, transports: ['websocket'], reconnection: false })
  const answer = await new Promise((resolve) => socket.on('connect', () => resolve('connected')).on('connect_error', ({ message }) => resolve(message)))
  socket.close()
  expect(answer).toBe('APP_NOT_HERE')
  await expect(doctor.call(launchApp, { client: app.client, patient: patients.mona })).rejects.toMatchObject({ body: { code: 'SMART_APP_UNKNOWN' } })
})
