import type { Bundle } from '@carespine/fhir/resource'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { faultsOf, fhirClient, type FhirClient } from './fhir-client.ts'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
let fhir: FhirClient

beforeAll(async () => {
  hospital = await startTestHospital()
  fhir = fhirClient((await hospital.asClient()).fetch)
  await fhir.send('PUT', '/Patient/asked', { resourceType: 'Patient', id: 'asked' })
})
afterAll(() => hospital?.close())

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const get = (path: string) => (query: string, headers = {}) => fhir.send<Bundle>('GET', `${path}${path.includes('?') ? '&' : '?'}${query}`, undefined, headers)
const post = (path: string, also = '') => (query: string, headers = {}) => fhir.send<Bundle>('POST', path, `${also}${query}`, { ...FORM, ...headers })

const forms: Readonly<Record<string, ReturnType<typeof get>>> = {
  'of a type': get('/Patient'),
  'of a type, posted': post('/Patient/_search'),
  'of several types': get('/?_type=Patient,Observation'),
  'of several types, posted': post('/_search', '_type=Patient,Observation&'),
  'in a compartment': get('/Patient/asked/Observation'),
  'in a compartment, posted': post('/Patient/asked/Observation/_search'),
  'of all types in a compartment': get('/Patient/asked/*'),
}
const histories: typeof forms = {
  'history of a resource': get('/Patient/asked/_history'),
  'history of a type': get('/Patient/_history'),
  'history of all': get('/_history'),
}
const operations: typeof forms = { $lastn: get('/Observation/$lastn?patient=Patient/asked'), $everything: get('/Patient/asked/$everything'), $meta: get('/Patient/$meta') }

test.each(Object.entries({ ...forms, ...histories, ...operations }))('what is not known is refused: %s', async (_what, ask) => {
  for (const query of ['colour=blue', 'colour:exact=blue', '_colour=blue']) {
    const answer = await ask(query)
    expect([query, answer.status, faultsOf(answer).length]).toEqual([query, 400, 1])
  }
})

test.each(Object.entries(forms))('a modifier that is not known, or not of the parameter, is refused: %s', async (_what, ask) => {
  for (const query of ['_id:blue=x', '_lastUpdated:exact=2020', '_tag:contains=x']) expect([query, (await ask(query)).status]).toEqual([query, 400])
})

test.each(Object.entries({ ...forms, ...histories }))('what is not known is left out for who asks for leniency: %s', async (what, ask) => {
  const strict = await ask('colour=blue', { prefer: 'handling=strict' })
  expect(strict.status).toBe(400)
  const { status, body, text } = await ask('colour=blue', { prefer: 'handling=lenient' })
  expect([what, status]).toEqual([what, 200])
  // A search says what it left out.
  if (what in forms) expect(body.entry?.some(({ search }) => search?.mode === 'outcome'), text).toBe(true)
})
