import { addUser } from '@carespine/identity/accounts'
import type { Resource } from '@carespine/fhir/resource'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fhirClient, type FhirClient } from './fhir-client.ts'
import { BRANCHES, PASSWORD, startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
/** Sees the main branch, and wrote all of it. */
let ours: FhirClient
/** Of the other branch, with the right to read every type. */
let theirs: FhirClient
/** A patient's own log-in; another patient's record is none of theirs. */
let own: FhirClient
const ids = new Map<string, string>()
const withIds = (path: string): string => path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => ids.get(name) ?? `no ${name}`)

beforeAll(async () => {
  hospital = await startTestHospital()
  ours = fhirClient((await hospital.asClient()).fetch)
  theirs = fhirClient((await hospital.signIn('provider', 'other')).fetch)
  const keep = async <R extends Resource>(name: string, resource: R): Promise<void> => void ids.set(name, (await ours.create(resource)).id)
  await keep('ann', { resourceType: 'Patient', name: [{ family: 'Ann' }], birthDate: '1980-01-01' })
  await keep('bob', { resourceType: 'Patient', name: [{ family: 'Bob' }], birthDate: '1990-01-01' })
  const subject = { reference: `Patient/${ids.get('ann')}` }
  await keep('visit', { resourceType: 'Encounter', status: 'finished', class: { code: 'AMB' }, subject })
  await keep('sugar', { resourceType: 'Observation', status: 'final', code: { coding: [{ code: 'secret' }] }, subject, encounter: { reference: `Encounter/${ids.get('visit')}` }, valueQuantity: { value: 1, unit: 'g' } })
  await keep('script', { resourceType: 'MedicationRequest', status: 'active', intent: 'order', subject, contained: [{ resourceType: 'Medication', id: 'm', code: { coding: [{ code: 'secret' }] } }], medicationReference: { reference: '#m' } })
  await keep('list', { resourceType: 'List', status: 'current', mode: 'working', subject, entry: [{ item: { reference: `Patient/${ids.get('ann')}` } }] })

  const { services } = hospital.hospital
  const origin = { correlationId: 'patient-log-in', action: 'test.user', module: 'identity' }
  await services.transact(services.system('identity'), origin, ({ tx }) =>
    addUser(tx, { email: 'bob@home.example', password: PASSWORD, display: 'Bob', roles: ['patient'], branches: [BRANCHES.main], branch: BRANCHES.main, patient: ids.get('bob') ?? '' }),
  )
  const answer = await fetch(`${hospital.url}/api/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email: 'bob@home.example', password: PASSWORD, portal: 'patient' }) })
  const { accessToken } = (await answer.json()) as { accessToken: string }
  own = fhirClient((path, init) => fetch(hospital.url + path, { ...init, headers: { ...init?.headers, authorization: `Bearer ${accessToken}` } }))
})
afterAll(() => hospital?.close())

// Each finds something of the record that is hidden, for whoever may see it.
const searches = [
  '/Observation?patient=Patient/{ann}',
  '/Observation?code=secret&_summary=count',
  '/Observation?subject:Patient.name=ann',
  '/Observation?patient.birthdate=le1985-01-01',
  '/Observation?code=secret&_sort=code',
  '/Observation?value-quantity=1',
  '/Observation?_filter=code eq secret',
  '/Observation?_content=secret',
  '/Observation?encounter.status=finished',
  '/Patient?_has:Observation:patient:code=secret',
  '/Patient?_has:Encounter:patient:_has:Observation:encounter:code=secret',
  '/Medication?code=secret&_contained=true',
  '/Patient/{ann}/Observation',
  '/Patient/{ann}/*?_type=Observation,Encounter',
  '/Encounter/{visit}/Observation',
  '/?_type=Observation,Encounter,List',
  '/?_id={sugar},{visit}',
  '/List?item=Patient/{ann}',
]

describe.each<[string, () => FhirClient]>([
  ['another branch', () => theirs],
  ['another patient', () => own],
])('nothing is told to %s', (_who, client) => {
  test.each(searches)('by %s', async (path) => {
    const url = encodeURI(withIds(path))
    const [visible, hidden] = [await ours.search(`${url}&_total=accurate`.replace(/^([^?]*)&/, '$1?')), await client().search(`${url}&_total=accurate`.replace(/^([^?]*)&/, '$1?'))]
    expect(visible.total, 'found by who may see it').toBeGreaterThan(0)
    expect([hidden.total, hidden.entry ?? []]).toEqual([0, []])
  })

  test('by what comes along', async () => {
    const url = withIds('/Patient?_id={ann},{bob}&_revinclude=Observation:patient&_revinclude=*&_include=*')
    expect((await ours.search(url)).entry?.some(({ resource }) => resource?.resourceType === 'Observation')).toBe(true)
    const types = (await client().search(url)).entry?.map(({ resource }) => resource?.resourceType)
    expect(types?.filter((type) => type !== 'Patient' && type !== 'OperationOutcome')).toEqual([])
  })

  test('by a list', async () => {
    expect((await ours.search(withIds('/Patient?_list={list}'))).entry).toHaveLength(1)
    const answer = await client().send('GET', withIds('/Patient?_list={list}'))
    expect([answer.status, answer.text.includes('Ann')]).toEqual([400, false])
  })
})
