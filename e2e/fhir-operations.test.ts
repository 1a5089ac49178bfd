import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Bundle, CapabilityStatement, Coding, Composition, Encounter, Observation, Parameters, ParametersParameter, Patient, Resource } from '@carespine/fhir/resource'
import { idKey } from '@carespine/fhir/index-entries'
import { findDuplicates } from '@carespine/registration/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultsOf, type FhirAnswer, type FhirClient, fhirClient } from './fhir-client.ts'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
let fhir: FhirClient
/** Of the other branch: sees the patients, and no care given here. */
let elsewhere: FhirClient
let clock = Date.parse('2024-06-01T08:00:00Z')

beforeAll(async () => {
  hospital = await startTestHospital({ now: () => new Date(clock) })
  fhir = fhirClient((await hospital.asClient()).fetch)
  elsewhere = fhirClient((await hospital.signIn('provider', 'other')).fetch)
})
afterAll(() => hospital.close())

const observation = (subject: string, code: string, effectiveDateTime: string, more: Partial<Observation> = {}): Observation => ({
  resourceType: 'Observation',
  status: 'final',
  category: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }] }],
  code: { coding: [{ system: 'http://loinc.org', code }] },
  subject: { reference: subject },
  effectiveDateTime,
  ...more,
})

const names = (bundle: Bundle): string[] => (bundle.entry ?? []).map(({ resource }) => `${resource?.resourceType}/${resource?.id}`)
const kinds = (bundle: Bundle, mode?: string): string[] =>
  (bundle.entry ?? []).filter(({ search }) => mode === undefined || search?.mode === mode).map(({ resource }) => resource?.resourceType ?? '').toSorted()
const nextOf = (bundle: Bundle): string | undefined => bundle.link?.find(({ relation }) => relation === 'next')?.url?.replace(/^.*\/fhir\/R4/, '')

/** Entries of the audit trail about a patient, since a moment. */
async function audited(patientId: string, action: string): Promise<number> {
  const { store } = hospital.hospital.services
  const scope = store.scopeOf(hospital.hospital.services.system('audit'))
  const [row] = await store.database.query<{ count: number }>(scope, {
    text: 'select count(*)::int as count from audit.entry where action = $2 and (patient = $1 or $1 = any (patients))',
    values: [idKey(patientId), action],
  })
  return row?.count ?? 0
}

describe('everything of a patient', () => {
  let patient: string
  let encounter: Encounter & { id: string }
  let doctor: string
  const stored: string[] = []

  beforeAll(async () => {
    doctor = (await fhir.create({ resourceType: 'Practitioner', name: [{ family: 'Haddad' }] })).id
    const organization = await fhir.create({ resourceType: 'Organization', name: 'Clinic' })
    patient = (await fhir.create({ resourceType: 'Patient', active: true, managingOrganization: { reference: `Organization/${organization.id}` } } as Patient)).id
    const subject = { reference: `Patient/${patient}` }
    encounter = await fhir.create({
      resourceType: 'Encounter', status: 'finished', class: { code: 'AMB' }, subject, period: { start: '2024-03-01', end: '2024-03-02' },
      participant: [{ individual: { reference: `Practitioner/${doctor}` } }],
    })
    const inEncounter = { encounter: { reference: `Encounter/${encounter.id}` } }
    for (let day = 1; day <= 7; day++) {
      const made = await fhir.create(observation(subject.reference, '8867-4', `2024-03-0${day}`, day < 3 ? inEncounter : {}))
      stored.push(made.id)
    }
    await fhir.create({ resourceType: 'Condition', subject, ...inEncounter, code: { text: 'cough' }, recordedDate: '2023-05-01' })
    await fhir.create({ resourceType: 'AllergyIntolerance', patient: subject, code: { text: 'nuts' }, clinicalStatus: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical', code: 'active' }] } })
    await fhir.create(observation(`Patient/${(await fhir.create({ resourceType: 'Patient', active: true } as Patient)).id}`, '8867-4', '2024-03-01'))
  })

  test('is the record with who and where it names, and nobody else', async () => {
    const bundle = await fhir.search(`/Patient/${patient}/$everything`)
    expect(bundle).toMatchObject({ type: 'searchset', total: 11 })
    expect(names(bundle)[0]).toBe(`Patient/${patient}`)
    expect(kinds(bundle, 'match')).toEqual(['AllergyIntolerance', 'Condition', 'Encounter', ...Array(7).fill('Observation'), 'Patient'])
    expect(kinds(bundle, 'include')).toEqual(['Organization', 'Practitioner'])
    expect(names((await fhir.send<Bundle>('POST', `/Patient/${patient}/$everything`, { resourceType: 'Parameters' })).body)).toHaveLength(13)
  })

  test('is narrowed by type, by time of change, and by time of care', async () => {
    expect(kinds(await fhir.search(`/Patient/${patient}/$everything?_type=Condition,AllergyIntolerance`))).toEqual(['AllergyIntolerance', 'Condition'])
    clock += 60_000
    const since = new Date(clock).toISOString()
    expect(names(await fhir.search(`/Patient/${patient}/$everything?_since=${since}`))).toEqual([])
    await fhir.send('PUT', `/Patient/${patient}`, { resourceType: 'Patient', id: patient, active: false })
    expect(names(await fhir.search(`/Patient/${patient}/$everything?_since=${since}`))).toEqual([`Patient/${patient}`])
    // What bears no date is about all times.
    const march = await fhir.search(`/Patient/${patient}/$everything?start=2024-03-02&end=2024-03-04`)
    expect(kinds(march, 'match')).toEqual(['AllergyIntolerance', 'Encounter', 'Observation', 'Observation', 'Observation', 'Patient'])
    expect(kinds(await fhir.search(`/Patient/${patient}/$everything?end=2023-12-31`), 'match')).toEqual(['AllergyIntolerance', 'Condition', 'Patient'])
  })

  test('comes in pages that neither repeat nor skip while others write', async () => {
    const seen: string[] = []
    let path: string | undefined = `/Patient/${patient}/$everything?_count=3&_type=Patient,Observation,Condition`
    for (let pages = 0; path !== undefined && pages < 10; pages++) {
      const page: Bundle = await fhir.search(path)
      const matches = (page.entry ?? []).filter(({ search }) => search?.mode === 'match')
      expect(matches.length).toBeLessThanOrEqual(3)
      seen.push(...matches.map(({ resource }) => `${resource?.resourceType}/${resource?.id}`))
      // Somebody changes what was and what is still to be shown.
      for (const id of [stored[0], stored[6]]) {
        const { body } = await fhir.send<Observation>('GET', `/Observation/${id}`)
        await fhir.send('PUT', `/Observation/${id}`, { ...body, status: 'amended' })
      }
      path = nextOf(page)
    }
    expect(seen).toHaveLength(9)
    expect(new Set(seen).size).toBe(9)
    const broken = await fhir.send('GET', `/Patient/${patient}/$everything?_count=3&_cursor=${Buffer.from('["Patient","x","y"]').toString('base64url')}`)
    expect(broken.status).toBe(400)
  })

  test('of an encounter: what came to be in it, and whose it is', async () => {
    const bundle = await fhir.search(`/Encounter/${encounter.id}/$everything`)
    expect(names(bundle)[0]).toBe(`Encounter/${encounter.id}`)
    expect(kinds(bundle, 'match')).toEqual(['Condition', 'Encounter', 'Observation', 'Observation'])
    expect(kinds(bundle, 'include')).toEqual(['Patient', 'Practitioner'])
    const first = await fhir.search(`/Encounter/${encounter.id}/$everything?_count=2`)
    const second = await fhir.search(nextOf(first) ?? '')
    expect([...kinds(first, 'match'), ...kinds(second, 'match')].toSorted()).toEqual(['Condition', 'Encounter', 'Observation', 'Observation'])
  })

  test('stays within the branch and the permissions, and each look is in the trail', async () => {
    const before = await audited(patient, 'fhir.everything')
    const theirs = await elsewhere.search(`/Patient/${patient}/$everything`)
    expect(kinds(theirs, 'match')).toEqual(['Patient'])
    expect(kinds(await elsewhere.search(`/Patient/${patient}/$everything?_count=50&_type=Observation,Condition`))).toEqual([])
    expect((await elsewhere.send('GET', `/Encounter/${encounter.id}/$everything`)).status).toBe(404)
    await fhir.search(`/Patient/${patient}/$everything`)
    expect(await audited(patient, 'fhir.everything')).toBe(before + 2)
    const desk = fhirClient((await hospital.signIn('hub')).fetch)
    expect(kinds(await desk.search(`/Patient/${patient}/$everything`))).toEqual(['Encounter', 'Patient'])
    expect(kinds(await desk.search(`/Patient/${patient}/$everything?_count=50`))).toEqual(['Encounter', 'Patient'])
  })

  test('shows each change at the next look, also of what leaves the record', async () => {
    // One branch is seen: of several, nothing is kept.
    const here = fhirClient((await hospital.signIn('provider')).fetch)
    const [ana, ben] = await Promise.all([0, 1].map(() => fhir.create({ resourceType: 'Patient', active: true } as Patient)))
    const everythingOf = async ({ id } = ana as { id: string }): Promise<string[]> => kinds(await here.search(`/Patient/${id}/$everything`))
    expect([await everythingOf(), await everythingOf(ben)]).toEqual([['Patient'], ['Patient']])
    const made = await fhir.create(observation(`Patient/${ana?.id}`, '8867-4', '2024-04-01'))
    expect(await everythingOf()).toEqual(['Observation', 'Patient'])
    const before = await audited(ana?.id ?? '', 'fhir.everything')
    expect([await everythingOf(), await everythingOf()]).toEqual([['Observation', 'Patient'], ['Observation', 'Patient']])
    expect(await audited(ana?.id ?? '', 'fhir.everything')).toBe(before + 2)
    await fhir.send('PUT', `/Observation/${made.id}`, { ...made, status: 'amended' })
    expect((await here.search(`/Patient/${ana?.id}/$everything`)).entry?.map(({ resource }) => (resource as Observation).status)).toEqual([undefined, 'amended'])
    await fhir.send('PUT', `/Observation/${made.id}`, { ...made, subject: { reference: `Patient/${ben?.id}` } })
    expect([await everythingOf(), await everythingOf(ben)]).toEqual([['Patient'], ['Observation', 'Patient']])
    const request = { method: 'PUT', url: `Observation/${made.id}` }
    const back = await fhir.send('POST', '/', { resourceType: 'Bundle', type: 'transaction', entry: [{ resource: made, request }] })
    expect([back.status, await everythingOf(), await everythingOf(ben)]).toEqual([200, ['Observation', 'Patient'], ['Patient']])
    await fhir.send('DELETE', `/Observation/${made.id}`)
    expect(await everythingOf()).toEqual(['Patient'])
    await fhir.send('DELETE', `/Patient/${ana?.id}`)
    expect((await here.send('GET', `/Patient/${ana?.id}/$everything`)).status).toBe(410)
  })

  test('of nobody is refused, and so is what it does not know', async () => {
    expect((await fhir.send('GET', '/Patient/nobody/$everything')).status).toBe(404)
    expect((await fhir.send('GET', '/Patient/nobody/$everything?_count=5')).status).toBe(404)
    expect((await fhir.send('GET', '/Patient/$everything')).status).toBe(400)
    for (const query of ['_type=Ward', '_count=0', '_count=x', '_since=yesterday', 'colour=blue']) {
      expect((await fhir.send('GET', `/Patient/${patient}/$everything?${query}`)).status, query).toBe(400)
    }
    const { id } = await fhir.create({ resourceType: 'Patient', active: true } as Patient)
    await fhir.send('DELETE', `/Patient/${id}`)
    expect((await fhir.send('GET', `/Patient/${id}/$everything?_count=5`)).status).toBe(410)
  })

  test('of a patient by the patient: their own record, and that of nobody else', async () => {
    await fhir.send('PUT', '/Patient/nobody-yet', { resourceType: 'Patient', id: 'nobody-yet', active: true })
    const person = fhirClient((await hospital.signIn('patient')).fetch)
    expect(names(await person.search('/Patient/$everything'))).toEqual(['Patient/nobody-yet'])
    expect((await person.send('GET', `/Patient/${patient}/$everything`)).status).toBe(404)
    expect((await person.send('GET', `/Patient/${patient}/$everything?_count=5`)).status).toBe(404)
  })
})

describe('labels', () => {
  const tag = (code: string): Coding => ({ system: 'http://lab.example/tags', code })
  const meta = (valueMeta: object): Parameters => ({ resourceType: 'Parameters', parameter: [{ name: 'meta', valueMeta }] })
  const metaOf = ({ body }: FhirAnswer<Parameters>) => body.parameter?.find(({ name }) => name === 'return')?.valueMeta

  test('are added and taken away, each once, without touching the rest', async () => {
    const { id } = await fhir.create({ resourceType: 'Observation', status: 'final', code: { text: 'x' }, valueQuantity: { value: 1 }, meta: { tag: [tag('a')] } } as Observation)
    const path = `/Observation/${id}`
    const added = await fhir.send<Parameters>('POST', `${path}/$meta-add`, meta({ tag: [tag('a'), tag('b')], security: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', code: 'R' }], profile: ['http://lab.example/profile'] }))
    expect(metaOf(added)).toMatchObject({ versionId: '2', tag: [tag('a'), tag('b')], security: [{ code: 'R' }], profile: ['http://lab.example/profile'] })
    const removed = await fhir.send<Parameters>('POST', `${path}/$meta-delete`, meta({ tag: [tag('a')], profile: ['http://lab.example/profile'] }))
    expect(metaOf(removed)).toEqual({ versionId: '3', lastUpdated: expect.any(String), tag: [tag('b')], security: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', code: 'R' }] })
    expect(metaOf(await fhir.send<Parameters>('GET', `${path}/$meta`))).toEqual(metaOf(removed))
    expect((await fhir.send<Observation>('GET', path)).body.valueQuantity?.value).toBe(1)
    // What changes nothing makes no version.
    expect(metaOf(await fhir.send<Parameters>('POST', `${path}/$meta-delete`, meta({ tag: [tag('zzz')] })))?.versionId).toBe('3')
  })

  test('in use are told for a type and for all, as far as the branch goes', async () => {
    const code = randomUUID()
    await fhir.create({ resourceType: 'Observation', status: 'final', code: { text: 'x' }, meta: { tag: [tag(code)] } } as Observation)
    const tags = async (client: FhirClient, path: string) => metaOf(await client.send<Parameters>('GET', path))?.tag?.map((one) => one.code) ?? []
    expect(await tags(fhir, '/Observation/$meta')).toContain(code)
    expect(await tags(fhir, '/Condition/$meta')).not.toContain(code)
    expect(await tags(fhir, '/$meta')).toContain(code)
    expect(await tags(elsewhere, '/Observation/$meta')).not.toContain(code)
    expect(await tags(elsewhere, '/$meta')).not.toContain(code)
  })

  test('need the permission to write, a POST, and a meta', async () => {
    const { id } = await fhir.create({ resourceType: 'Patient', active: true } as Patient)
    const lab = fhirClient((await hospital.signIn('lab')).fetch)
    expect((await lab.send('POST', `/Patient/${id}/$meta-add`, meta({ tag: [tag('a')] }))).status).toBe(403)
    expect((await lab.send('GET', `/Patient/${id}/$meta`)).status).toBe(200)
    expect((await fhir.send('POST', `/Patient/${id}/$meta-add`, { resourceType: 'Parameters' })).status).toBe(400)
    expect((await fhir.send('POST', '/Patient/nobody/$meta-add', meta({ tag: [tag('a')] }))).status).toBe(404)
    expect((await fhir.send('GET', '/Ward/$meta')).status).toBe(404)
  })
})

describe('the latest observations', () => {
  test('of each kind, newest first, narrowed as a search is', async () => {
    const { id } = await fhir.create({ resourceType: 'Patient', active: true } as Patient)
    const subject = `Patient/${id}`
    for (const [code, day] of [['8867-4', '01'], ['8867-4', '03'], ['8867-4', '02'], ['29463-7', '01'], ['29463-7', '05']] as const) {
      await fhir.create(observation(subject, code, `2024-04-${day}`))
    }
    await fhir.create(observation(subject, '718-7', '2024-04-09', { category: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'laboratory' }] }] }))
    const last = async (query: string) =>
      ((await fhir.search(`/Observation/$lastn?${query}`)).entry ?? []).map(({ resource }) => `${(resource as Observation).code.coding?.[0]?.code} ${(resource as Observation).effectiveDateTime}`)
    const before = await audited(id, 'fhir.lastn')
    expect((await last(`patient=${subject}`)).toSorted()).toEqual(['29463-7 2024-04-05', '718-7 2024-04-09', '8867-4 2024-04-03'])
    expect((await last(`patient=${id}&category=vital-signs&max=2`)).filter((one) => one.startsWith('8867'))).toEqual(['8867-4 2024-04-03', '8867-4 2024-04-02'])
    expect(await last(`subject=${subject}&code=http://loinc.org|718-7`)).toEqual(['718-7 2024-04-09'])
    expect(await audited(id, 'fhir.lastn')).toBe(before + 3)
    expect((await elsewhere.search(`/Observation/$lastn?patient=${id}`)).entry).toBeUndefined()
  })

  test('without a patient, or with what it does not take, are refused', async () => {
    const fault = async (query: string) => faultsOf(await fhir.send('GET', `/Observation/$lastn?${query}`))
    expect(await fault('code=718-7')).toEqual(['required'])
    expect(await fault('patient=x&_sort=date')).toEqual(['not-supported'])
    expect(await fault('patient=x&max=0')).toEqual(['value'])
    expect(await fault('patient=x&colour=blue')).toEqual(['not-supported'])
  })
})

describe('a document', () => {
  async function composed(more: Partial<Composition> = {}) {
    const patient = await fhir.create({ resourceType: 'Patient', active: true } as Patient)
    const author = await fhir.create({ resourceType: 'Practitioner', name: [{ family: 'Writer' }] })
    const subject = { reference: `Patient/${patient.id}` }
    const entry = await fhir.create({ ...observation(subject.reference, '8867-4', '2024-01-01'), valueQuantity: { value: 72 } })
    const deep = await fhir.create(observation(subject.reference, '29463-7', '2024-01-01'))
    const composition = await fhir.create({
      resourceType: 'Composition', status: 'final', type: { text: 'Discharge summary' }, date: '2024-01-02', title: 'Summary', subject,
      author: [{ reference: `Practitioner/${author.id}` }],
      section: [{ title: 'Signs', entry: [{ reference: `Observation/${entry.id}` }], section: [{ title: 'More', entry: [{ reference: `Observation/${deep.id}` }, { reference: `Observation/${entry.id}` }] }] }],
      ...more,
    } as Composition)
    return { patient, author, entry, deep, composition }
  }

  test('is the composition and all it names, each once', async () => {
    const { patient, author, entry, deep, composition } = await composed()
    const answer = await fhir.send<Bundle>('GET', `/Composition/${composition.id}/$document`)
    expect(answer.body).toMatchObject({ resourceType: 'Bundle', type: 'document', timestamp: expect.any(String), identifier: { value: expect.stringMatching(/^urn:uuid:/) } })
    expect(names(answer.body)).toEqual([`Composition/${composition.id}`, `Patient/${patient.id}`, `Practitioner/${author.id}`, `Observation/${entry.id}`, `Observation/${deep.id}`])
    expect(answer.body.entry?.[1]?.fullUrl).toBe(`${hospital.url}/fhir/R4/Patient/${patient.id}`)
    expect(answer.body.id).toBeUndefined()
    expect(await audited(patient.id, 'fhir.document')).toBeGreaterThanOrEqual(4)
    const byId = await fhir.send<Bundle>('GET', `/Composition/$document?id=${composition.id}`)
    expect(byId.body.entry).toHaveLength(5)
  })

  test('is stored when that is asked, about its patient, and only by POST', async () => {
    const { patient, composition } = await composed()
    const persist = { resourceType: 'Parameters', parameter: [{ name: 'persist', valueBoolean: true }] }
    const stored = await fhir.send<Bundle>('POST', `/Composition/${composition.id}/$document`, persist)
    expect(stored.body.meta?.versionId).toBe('1')
    expect((await fhir.send<Bundle>('GET', `/Bundle/${stored.body.id}`)).body).toEqual(stored.body)
    expect(names(await fhir.search(`/Patient/${patient.id}/$everything?_type=Bundle`))).toEqual([`Bundle/${stored.body.id}`])
    const person = fhirClient((await hospital.signIn('patient')).fetch)
    expect((await person.send('GET', `/Bundle/${stored.body.id}`)).status).toBe(404)
    expect((await elsewhere.send('GET', `/Bundle/${stored.body.id}`)).status).toBe(404)
    expect((await fhir.send('GET', `/Composition/${composition.id}/$document?persist=true`)).status).toBe(400)
    const nurse = fhirClient((await hospital.signIn('nurse')).fetch)
    expect((await nurse.send('POST', `/Composition/${composition.id}/$document`, persist)).status).toBe(403)
  })

  test('with a gap is refused, and the gap is named', async () => {
    const { composition } = await composed({ attester: [{ mode: 'legal', party: { reference: 'Practitioner/gone' } }], custodian: { reference: 'https://elsewhere.example/Organization/1' } })
    const answer = await fhir.send('GET', `/Composition/${composition.id}/$document`)
    expect([answer.status, ...faultsOf(answer)]).toEqual([422, 'not-found Composition.attester[0].party', 'not-supported Composition.custodian'])
    expect((await elsewhere.send('GET', `/Composition/${composition.id}/$document`)).status).toBe(404)
  })
})

describe('patients who may be the one described', () => {
  const match = async (patient: object, more: ParametersParameter[] = [], client = fhir) =>
    await client.send<Bundle>('POST', '/Patient/$match', { resourceType: 'Parameters', parameter: [{ name: 'resource', resource: { resourceType: 'Patient', ...patient } }, ...more] })
  const gradesOf = ({ body }: FhirAnswer<Bundle>) =>
    (body.entry ?? []).map(({ resource, search }) => [resource?.id, search?.extension?.find(({ url }) => url === 'http://hl7.org/fhir/StructureDefinition/match-grade')?.valueCode])
  const salem = { name: [{ family: 'Salem', given: ['Huda'] }], gender: 'female', birthDate: '1988-11-02', telecom: [{ system: 'phone', value: '+966 55 111 2222' }] }
  let huda: string
  let sister: string

  beforeAll(async () => {
    huda = (await fhir.create({ resourceType: 'Patient', ...salem } as Patient)).id
    sister = (await fhir.create({ resourceType: 'Patient', ...salem, name: [{ family: 'Salem', given: ['Rana'] }] } as Patient)).id
    await fhir.create({ resourceType: 'Patient', ...salem, name: [{ family: 'Salem', given: ['Huda'] }], active: false, link: [{ other: { reference: `Patient/${huda}` }, type: 'replaced-by' }] } as Patient)
  })

  test('come graded, most alike first; a sister at one telephone is but possible, and who was merged is not named', async () => {
    const answer = await match({ ...salem, name: [{ family: 'Saleem', given: ['Hoda'] }] })
    expect(answer.body).toMatchObject({ type: 'searchset' })
    expect(gradesOf(answer)[0]).toEqual([huda, 'certain'])
    expect(gradesOf(answer).slice(1).every(([id, grade]) => id === sister && grade === 'possible')).toBe(true)
    expect(answer.body.entry?.[0]?.search?.score).toBeGreaterThan(0.999)
    expect(await audited(huda, 'fhir.match')).toBe(1)
    const weaker = await match({ name: [{ family: 'Salem', given: ['Huda'] }], birthDate: '1988-02-11', gender: 'female' })
    expect(gradesOf(weaker)).toEqual([[huda, 'possible']])
  })

  test('are cut to those who are certain, and to a number', async () => {
    const only = { name: 'onlyCertainMatches', valueBoolean: true }
    expect(gradesOf(await match(salem, [only]))).toEqual([[huda, 'certain']])
    expect(gradesOf(await match({ name: [{ family: 'Salem', given: ['Huda'] }], birthDate: '1988-02-11' }, [only]))).toEqual([])
    // Two who both certainly are the person leave it open which of them is.
    const twice = await fhir.create({ resourceType: 'Patient', ...salem } as Patient)
    expect(gradesOf(await match(salem, [only]))).toEqual([])
    expect(gradesOf(await match(salem)).length).toBeGreaterThanOrEqual(2)
    expect(gradesOf(await match(salem, [{ name: 'count', valueInteger: 1 }]))).toHaveLength(1)
    await fhir.send('DELETE', `/Patient/${twice.id}`)
  })

  test('are named by the same rule that questions a registration', async () => {
    const hub = await hospital.signIn('hub')
    const form = { name: { family: 'Saleem', given: 'Hoda' }, sex: 'female' as const, birthDate: '1988-11-02', phone: '0551112222' }
    const { candidates } = await hub.call(findDuplicates, form)
    expect(candidates[0]).toMatchObject({ patient: { id: huda }, grade: 'certain' })
    const asDesk = await match({ ...salem, name: [{ family: 'Saleem', given: ['Hoda'] }] }, [], fhirClient(hub.fetch))
    expect(asDesk.body.entry?.[0]?.search?.score).toBeCloseTo(candidates[0]?.score ?? 0, 5)
  })

  test('need a Patient, a POST and the permission', async () => {
    expect((await fhir.send('GET', '/Patient/$match')).status).toBe(400)
    expect((await fhir.send('POST', '/Patient/$match', { resourceType: 'Parameters' })).status).toBe(400)
    expect((await fhir.send('POST', '/Patient/$match', { resourceType: 'Parameters', parameter: [{ name: 'resource', resource: { resourceType: 'Practitioner', active: true } }] })).status).toBe(400)
    expect((await fhir.send('POST', '/Patient/$match', { resourceType: 'Patient', ...salem })).status).toBe(200)
    expect((await match(salem, [], fhirClient((await hospital.signIn('admin')).fetch))).status).toBe(403)
    expect((await match({ birthDate: 'x' })).status).toBe(422)
  })
})

test('the capability statement names each operation where it is served, and each is', async () => {
  const { body } = await fhir.send<CapabilityStatement>('GET', '/metadata')
  const on = (type: string) => body.rest?.[0]?.resource?.find((one) => one.type === type)?.operation?.map(({ name }) => name).toSorted()
  expect(on('Patient')).toEqual(expect.arrayContaining(['everything', 'meta', 'meta-add', 'meta-delete']))
  expect(on('Encounter')).toContain('everything')
  expect(on('Observation')).toContain('lastn')
  expect(on('Composition')).toContain('document')
  expect(on('Account')).not.toContain('everything')
  const all = [...(body.rest?.[0]?.operation ?? []), ...(body.rest?.[0]?.resource ?? []).flatMap(({ operation }) => operation ?? [])]
  // Of $import no guide has a definition.
  for (const { definition } of all) expect(definition).toMatch(/^http:\/\/hl7\.org\/fhir\/|^https:\/\/carespine\.example\/fhir\/OperationDefinition\/bulk-import$/)
  for (const { type, operation } of body.rest?.[0]?.resource ?? []) {
    if (!['Patient', 'ValueSet', 'Composition', 'Account'].includes(type ?? '')) continue
    for (const { name } of operation ?? []) {
      // Whatever it answers, it is not that nothing is there.
      const answers = await Promise.all([`/${type}/$${name}`, `/${type}/x/$${name}`].flatMap((path) => ['GET', 'POST'].map((method) => fhir.send<Resource>(method, path, method === 'POST' ? { resourceType: 'Parameters' } : undefined))))
      expect(answers.some(({ text }) => !text.includes('Nothing is at this address')), `${type} $${name}`).toBe(true)
    }
  }
})

test('odd input of any operation is refused, or answered, and never breaks', { timeout: 120_000 }, async () => {
  const published = JSON.parse(readFileSync('links/fhir-api/generated/operations.json', 'utf8')) as Record<string, { code: string; types: string[]; levels: string[]; inputs: Record<string, { type: string }> }>
  const { body } = await fhir.send<CapabilityStatement>('GET', '/metadata')
  const served = new Set([...(body.rest?.[0]?.operation ?? []), ...(body.rest?.[0]?.resource ?? []).flatMap(({ operation }) => operation ?? [])].map(({ definition }) => definition?.split('/').at(-1)))
  const odd = ['', ' ', '\0', '🩸', 'x'.repeat(5000), '__proto__', '-1', '|', '#']
  const values = [5, true, null, [], {}, 'x', { valueCoding: 5 }, { valueCoding: { system: 5 } }, { valueCodeableConcept: { coding: [null] } }, { valueString: {} }, { resource: { resourceType: 'ValueSet' } }, { resource: { resourceType: 'Nothing' } }, { part: [{ name: 'x' }] }, { valueMeta: { tag: 5 } }, { valueMeta: {} }]
  let asked = 0
  for (const [id, { code, types, levels, inputs }] of Object.entries(published)) {
    if (!served.has(id)) continue
    const type = types[0] === 'Resource' ? 'Basic' : (types[0] ?? '')
    const paths = levels.map((level) => (level === 'system' ? `/$${code}` : level === 'type' ? `/${type}/$${code}` : `/${type}/x/$${code}`))
    for (const path of paths) {
      const bodies: unknown[] = ['[]', '5', '"x"', 'null', '{}', '{"resourceType":"Parameters","parameter":5}', '{"resourceType":"Parameters","parameter":[null]}', { resourceType: 'Parameters', parameter: [{ name: 5 }] }]
      for (const name of Object.keys(inputs)) for (const value of values) bodies.push({ resourceType: 'Parameters', parameter: [{ name, ...(typeof value === 'object' && !Array.isArray(value) ? value : { valueString: value }) }] })
      const queries = Object.keys(inputs).flatMap((name) => odd.map((text) => `${path}?${new URLSearchParams([[name, text], ['code', 'x'], ['system', 'http://x']])}`))
      const answers = await Promise.all([...bodies.map((one) => fhir.send('POST', path, one)), ...queries.map((query) => fhir.send('GET', query))])
      asked += answers.length
      expect(answers.filter(({ status }) => status >= 500).map(({ text }) => text), path).toEqual([])
    }
  }
  expect(asked).toBeGreaterThan(1000)
})
