import type { Bundle, Observation, OperationOutcome, Patient, Resource } from '@carespine/fhir/resource'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultsOf, fhirClient, type FhirClient } from './fhir-client.ts'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
let fhir: FhirClient
const names = new Map<string, string>()
const idOf = (name: string): string => [...names].find(([, known]) => known === name)?.[0] ?? `no ${name}`
const withIds = (path: string): string => path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => idOf(name))
const nameOf = (resource: Resource | undefined): string => names.get(resource?.id ?? '') ?? `${resource?.resourceType}`

/** Entries as `mode name`, in order. */
function shown(bundle: Bundle): string[] {
  return (bundle.entry ?? []).map(({ search, resource }) => `${search?.mode} ${nameOf(resource)}`)
}
const search = async (path: string): Promise<Bundle> => await fhir.search(withIds(path))
const found = async (path: string): Promise<string[]> => shown(await search(path)).map((one) => one.replace('match ', ''))
const linkOf = (bundle: Bundle, relation: string): string => bundle.link?.find((one) => one.relation === relation)?.url.replace(/^.*\/fhir\/R4/, '') ?? ''

async function keep<R extends Resource>(name: string, resource: R): Promise<void> {
  names.set((await fhir.create(resource)).id, name)
}
const about = (name: string) => ({ subject: { reference: `Patient/${idOf(name)}` } })
const observed = (more: Partial<Observation>): Observation => ({ resourceType: 'Observation', status: 'final', code: { text: 'x' }, ...more })

beforeAll(async () => {
  hospital = await startTestHospital()
  fhir = fhirClient((await hospital.asClient()).fetch)
  await keep('north', { resourceType: 'Organization', name: 'North' })
  await keep('ward', { resourceType: 'Organization', name: 'Ward', partOf: { reference: `Organization/${idOf('north')}` } })
  await keep('bay', { resourceType: 'Organization', name: 'Bay', partOf: { reference: `Organization/${idOf('ward')}` } })
  const people: [string, string, string][] = [['zoe', 'Ahmed', '1990-01-01'], ['yan', 'élan', '1970-01-01'], ['xia', 'Zorn', '1980-01-01'], ['wim', 'Baker', '1960-01-01']]
  for (const [name, family, birthDate] of people) {
    await keep(name, { resourceType: 'Patient', active: true, gender: 'unknown', name: [{ family }], birthDate, managingOrganization: { reference: `Organization/${idOf('bay')}` }, contact: [{ name: { family: 'Friend' } }], text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">Told</div>' } })
  }
  await keep('nameless', { resourceType: 'Patient', birthDate: '2000-01-01' })
  await keep('visit', { resourceType: 'Encounter', status: 'finished', class: { code: 'AMB' }, ...about('zoe') })
  await keep('first', observed({ ...about('zoe'), encounter: { reference: `Encounter/${idOf('visit')}` }, valueQuantity: { value: 1.5, unit: 'kg' } }))
  await keep('second', observed({ ...about('zoe'), hasMember: [{ reference: `Observation/${idOf('first')}` }] }))
  await keep('third', observed({ ...about('yan'), performer: [{ reference: `Patient/${idOf('zoe')}` }] }))
  await keep('traced', { resourceType: 'Provenance', recorded: '2024-01-01T00:00:00Z', target: [{ reference: `Observation/${idOf('first')}` }], agent: [{ who: { reference: `Organization/${idOf('north')}` } }] })
  await keep('pill', { resourceType: 'Medication', code: { coding: [{ system: 'urn:drugs', code: 'aspirin' }] } })
  await keep('script', {
    resourceType: 'MedicationRequest',
    status: 'active',
    intent: 'order',
    ...about('zoe'),
    contained: [{ resourceType: 'Medication', id: 'm1', code: { coding: [{ system: 'urn:drugs', code: 'aspirin' }] } }, { resourceType: 'Medication', id: 'm2', code: { text: 'other' } }],
    medicationReference: { reference: '#m1' },
    supportingInformation: [{ reference: '#m2' }],
  })
  await keep('form', { resourceType: 'Questionnaire', status: 'active', name: 'F', url: 'http://forms.example/f', version: '1' })
  await keep('newer', { resourceType: 'Questionnaire', status: 'active', name: 'F2', url: 'http://forms.example/f', version: '2' })
  await keep('answer', { resourceType: 'QuestionnaireResponse', status: 'completed', questionnaire: 'http://forms.example/f|1', ...about('zoe') })
})
afterAll(() => hospital?.close())

describe('what comes along', () => {
  test.each<[string, string[]]>([
    ['/Patient?_id={zoe}&_include=Patient:organization', ['include bay', 'match zoe']],
    ['/Patient?_id={zoe}&_include=Patient:organization&_include:iterate=Organization:partof', ['include bay', 'include north', 'include ward', 'match zoe']],
    ['/Patient?_id={zoe}&_include=*', ['include bay', 'match zoe']],
    ['/Observation?_id={first}&_include=Observation:*', ['include visit', 'include zoe', 'match first']],
    ['/Observation?_id={second}&_include=Observation:has-member&_include:iterate=Observation:encounter', ['include first', 'include visit', 'match second']],
    ['/Observation?_id={third}&_include=Observation:performer:Practitioner', ['match third']],
    ['/Organization?_id={ward}&_revinclude=Organization:partof', ['include bay', 'match ward']],
    ['/Organization?_id={north}&_revinclude:iterate=Organization:partof', ['include bay', 'include ward', 'match north']],
    ['/Observation?_id={first}&_revinclude=*', ['include second', 'include traced', 'match first']],
    ['/Observation?_id={first}&_revinclude=Provenance:target&_include:iterate=Provenance:agent', ['include north', 'include traced', 'match first']],
    ['/Patient?_id={zoe}&_revinclude=Observation:*', ['include first', 'include second', 'include third', 'match zoe']],
    ['/QuestionnaireResponse?_id={answer}&_include=QuestionnaireResponse:questionnaire', ['include form', 'match answer']],
    ['/Questionnaire?_id={newer}&_revinclude=QuestionnaireResponse:questionnaire', ['include answer', 'match newer']],
  ])('%s', async (path, wanted) => {
    expect(shown(await search(path)).toSorted()).toEqual(wanted)
  })

  test('what may not be read does not come along, and that is said', async () => {
    const hub = fhirClient((await hospital.signIn('hub')).fetch)
    const bundle = await hub.search(withIds('/Patient?_id={zoe}&_revinclude=*'))
    const said = bundle.entry?.at(-1)
    expect(said?.search?.mode).toBe('outcome')
    expect((said?.resource as OperationOutcome | undefined)?.issue[0]).toMatchObject({ severity: 'warning', code: 'forbidden' })
    expect(bundle.entry?.some(({ resource }) => resource?.resourceType === 'QuestionnaireResponse')).toBe(false)
    expect((await hub.send('GET', withIds('/Patient?_id={zoe}&_revinclude=QuestionnaireResponse:subject'))).status).toBe(403)
    expect((await hub.send('GET', '/Patient?_has:QuestionnaireResponse:subject:status=completed')).status).toBe(403)
    expect((await hub.send('GET', '/?_type=QuestionnaireResponse')).status).toBe(403)
  })
})

describe('order', () => {
  test('texts and codes are sorted after decryption, page by page, and no name stands in the cursor', async () => {
    expect(await found('/Patient?_sort=family')).toEqual(['zoe', 'wim', 'yan', 'xia', 'nameless'])
    expect(await found('/Patient?_sort=-family')).toEqual(['xia', 'yan', 'wim', 'zoe', 'nameless'])
    expect(await found('/Patient?_sort=-birthdate')).toEqual(['nameless', 'zoe', 'xia', 'yan', 'wim'])
    expect(await found('/Patient?_sort=active,-birthdate,_id')).toEqual(['zoe', 'xia', 'yan', 'wim', 'nameless'])
    const seen: string[] = []
    let path = '/Patient?_sort=family&_count=2'
    while (path !== '') {
      const page = await fhir.search(path)
      seen.push(...shown(page))
      path = linkOf(page, 'next')
      const cursor = new URLSearchParams(path.split('?')[1]).get('_cursor') ?? ''
      expect(Buffer.from(cursor, 'base64url').toString('latin1').toLowerCase()).not.toContain('elan')
      // One who comes meanwhile before the place is not seen, and pushes nobody out.
      if (seen.length === 2) await keep('late', { resourceType: 'Patient', name: [{ family: 'Aardvark' }] })
    }
    expect(seen).toEqual(['match zoe', 'match wim', 'match yan', 'match xia', 'match nameless'])
    await fhir.send('DELETE', `/Patient/${idOf('late')}`)
    expect((await fhir.send('GET', '/Patient?_sort=family&_cursor=AAAA')).status).toBe(400)
    expect((await fhir.send('GET', '/Observation?_sort=code-value-quantity')).status).toBe(400)
  })

  test('without an order asked for, pages show each once although others change it', async () => {
    const ids = new Set((await fhir.search('/Patient?_count=1000')).entry?.map(({ resource }) => resource?.id))
    const seen: string[] = []
    let path = '/Patient?_count=1'
    while (path !== '') {
      const page = await fhir.search(path)
      for (const { resource } of page.entry ?? []) seen.push(resource?.id ?? '')
      path = linkOf(page, 'next')
      for (const id of ids) {
        const { body } = await fhir.send<Patient>('GET', `/Patient/${id}`)
        if (seen.length === 2) await fhir.send('PUT', `/Patient/${id}`, { ...body, gender: 'other' })
      }
    }
    expect(seen.toSorted()).toEqual([...ids].toSorted())
  })
})

describe('how much of it', () => {
  test('_summary and _elements show part of a resource, marked as such', async () => {
    const one = async (more: string): Promise<Patient> => (await search(`/Patient?_id={zoe}&${more}`)).entry?.[0]?.resource as Patient
    const summary = await one('_summary=true')
    expect(Object.keys(summary).toSorted()).toEqual(['active', 'birthDate', 'gender', 'id', 'managingOrganization', 'meta', 'name', 'resourceType'])
    expect(summary.meta?.tag).toEqual([{ system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue', code: 'SUBSETTED' }])
    expect(Object.keys(await one('_summary=text')).toSorted()).toEqual(['id', 'meta', 'resourceType', 'text'])
    expect(await one('_summary=data')).not.toHaveProperty('text')
    expect(Object.keys(await one('_elements=birthDate,Patient.name')).toSorted()).toEqual(['birthDate', 'id', 'meta', 'name', 'resourceType'])
    expect((await one('_summary=false')).meta?.tag).toBeUndefined()
    const observation = (await search('/Observation?_id={first}&_elements=value')).entry?.[0]?.resource
    expect(observation).toMatchObject({ valueQuantity: { value: 1.5 }, status: 'final', code: { text: 'x' } })
    expect(observation).not.toHaveProperty('subject')
    expect((await fhir.send('GET', '/Patient?_summary=text&_include=Patient:organization')).status).toBe(400)
  })

  test('contained resources are found where they lie', async () => {
    const aspirin = 'code=urn:drugs|aspirin'
    expect(await found(`/Medication?${aspirin}`)).toEqual(['pill'])
    expect(await found(`/Medication?${aspirin}&_contained=true`)).toEqual(['script'])
    expect((await found(`/Medication?${aspirin}&_contained=both`)).toSorted()).toEqual(['pill', 'script'])
    expect((await fhir.search(`/Medication?${aspirin}&_contained=both&_summary=count`)).total).toBe(2)
    const inner = await fhir.search(`/Medication?${aspirin}&_contained=true&_containedType=contained`)
    expect(inner.entry?.map(({ fullUrl, resource }) => [fullUrl?.split('/').slice(-2).join('/'), resource?.id])).toEqual([[`MedicationRequest/${idOf('script')}#m1`, 'm1']])
    expect((await fhir.send('GET', '/Medication?ingredient.code=x&_contained=true')).status).toBe(400)
  })
})

describe('compartments and the whole record', () => {
  test.each<[string, string[]]>([
    ['/Patient/{zoe}/Observation', ['first', 'second', 'third']],
    ['/Patient/{zoe}/Observation?encounter=Encounter/{visit}', ['first']],
    ['/Patient/{zoe}/Patient', ['zoe']],
    ['/Encounter/{visit}/Observation', ['first']],
    ['/Encounter/{visit}/*', ['first', 'visit']],
    ['/Patient/{yan}/*?_type=Observation', ['third']],
    ['/?_type=Organization,Questionnaire&_id={bay},{form}', ['bay', 'form']],
    ['/?_id={bay},{zoe},{traced}', ['bay', 'traced', 'zoe']],
  ])('%s', async (path, wanted) => {
    expect((await found(path)).toSorted()).toEqual(wanted)
  })

  test('several types are paged in one order, each resource once', async () => {
    const seen: string[] = []
    let path = '/?_type=Organization,Patient,Observation&_count=3&_sort=-_lastUpdated&_total=accurate'
    for (let pages = 0; path !== '' && pages < 20; pages++) {
      const page = await fhir.search(path)
      expect(page.total).toBe(11)
      seen.push(...(page.entry ?? []).map(({ resource }) => `${resource?.meta?.lastUpdated} ${resource?.id}`))
      path = linkOf(page, 'next')
    }
    expect(new Set(seen).size).toBe(11)
    expect(seen.map((one) => one.split(' ')[0])).toEqual(seen.map((one) => one.split(' ')[0]).toSorted().toReversed())
  })

  test.each<[string, number]>([
    ['/Patient/x/Location', 400],
    ['/Location/x/Observation', 404],
    ['/Patient/x/Colour', 404],
    ['/?_type=Colour', 400],
    ['/?_count=5', 400],
    ['/?_type=Patient,Observation&birthdate=1980', 400],
    ['/?_type=Patient,Observation&_sort=family', 400],
  ])('%s answers %i', async (path, status) => {
    const answer = await fhir.send('GET', path)
    expect(answer.status).toBe(status)
    faultsOf(answer)
  })
})

describe('what was asked', () => {
  test('under handling=lenient what is not known is left out, and said; the self link has what was used', async () => {
    const path = withIds('/Patient?_id={zoe}&colour=blue&name:sounds=x&_sort=colour&gender=unknown,other')
    const strict = await fhir.send('GET', path)
    expect([strict.status, faultsOf(strict).length]).toEqual([400, 3])
    const { status, body } = await fhir.send<Bundle>('GET', path, undefined, { prefer: 'return=minimal; handling=lenient' })
    expect(status).toBe(200)
    expect(shown(body)).toEqual(['match zoe', 'outcome OperationOutcome'])
    const outcome = body.entry?.[1]?.resource as OperationOutcome
    expect(outcome.issue.map(({ severity, diagnostics }) => `${severity} ${diagnostics?.slice(0, 20)}`)).toEqual(['warning Ignored: colour: Pat', 'warning Ignored: name:sounds', 'warning Ignored: _sort: Pati'])
    expect(linkOf(body, 'self')).toBe(withIds('/Patient?_id={zoe}&gender=unknown%2Cother'))
    // A wrong value is no unknown parameter.
    expect((await fhir.send('GET', '/Patient?birthdate=soon', undefined, { prefer: 'handling=lenient' })).status).toBe(400)
  })

  test('what was posted stands in no link to the next page', async () => {
    const post = { 'content-type': 'application/x-www-form-urlencoded' }
    const { body } = await fhir.send<Bundle>('POST', '/Patient/_search', 'active=true&_count=3&_sort=family', post)
    const next = linkOf(body, 'next')
    expect(next).not.toMatch(/active|family/)
    expect(shown(await fhir.search(next))).toEqual(['match xia'])
    expect((await fhir.send('GET', '/Patient?_cursor=~forged')).status).toBe(400)
    const system = await fhir.send<Bundle>('POST', '/_search', `_type=Organization&_id=${idOf('bay')}`, post)
    expect(shown(system.body)).toEqual(['match bay'])
    const inner = await fhir.send<Bundle>('POST', withIds('/Patient/{zoe}/Observation/_search'), `_id=${idOf('first')}`, post)
    expect(shown(inner.body)).toEqual(['match first'])
  })
})
