import type { Bundle, CapabilityStatement, Observation, Parameters, Patient, SearchParameter } from '@carespine/fhir/resource'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { faultsOf, fhirClient, type FhirClient } from './fhir-client.ts'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
let fhir: FhirClient

const RANK = 'https://hospital.example/fhir/rank'

beforeAll(async () => {
  hospital = await startTestHospital()
  fhir = fhirClient((await hospital.asClient()).fetch)
})
afterAll(() => hospital?.close())

const definition = (more: Partial<SearchParameter>): SearchParameter => ({
  resourceType: 'SearchParameter',
  url: 'https://hospital.example/fhir/SearchParameter/patient-rank',
  name: 'rank',
  description: 'Rank of a patient',
  status: 'active',
  code: 'rank',
  base: ['Patient'],
  type: 'token',
  expression: `Patient.extension('${RANK}').value.ofType(Coding)`,
  ...more,
})

const ranked = (code: string): Patient => ({ resourceType: 'Patient', extension: [{ url: RANK, valueCoding: { system: 'urn:ranks', code } }] })

async function statusOf(code: string): Promise<Record<string, unknown> | undefined> {
  const { body } = await fhir.send<Parameters>('GET', '/$index-status')
  const parts = body.parameter?.map(({ part = [] }) => Object.fromEntries(part.map((one) => [one.name, Object.values(one)[1]])))
  return parts?.find((one) => one.code === code)
}

async function ready(code: string): Promise<void> {
  for (let waited = 0; waited < 40_000; waited += 200) {
    if ((await statusOf(code))?.status === 'ready') return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  throw new Error(`${code} was not indexed: ${JSON.stringify(await statusOf(code))}`)
}

test('a search parameter that was added finds what was there and what comes, when all of it is indexed', async () => {
  const general = await fhir.create(ranked('general'))
  const private1 = await fhir.create(ranked('private'))
  await fhir.create({ resourceType: 'Patient' })
  expect((await fhir.send('GET', '/Patient?rank=general')).status).toBe(400)

  const parameter = await fhir.create(definition({}))
  const dated = await fhir.create(definition({ url: 'https://hospital.example/fhir/SearchParameter/issued', code: 'issued-on', base: ['Observation'], type: 'date', expression: 'Observation.issued' }))
  await fhir.create(definition({ url: 'https://hospital.example/fhir/SearchParameter/called', code: 'called', type: 'string', expression: "Patient.name.where(use = 'usual' or use = 'nickname').given" }))
  await fhir.create({ resourceType: 'Patient', name: [{ use: 'official', given: ['Robert'] }, { use: 'nickname', given: ['Bobby'] }] })
  // Refused, and said why, until it is true.
  for (let waited = 0; waited < 5000 && !(await statusOf('rank')); waited += 100) await new Promise((resolve) => setTimeout(resolve, 100))
  const early = await fhir.send('GET', '/Patient?rank=general')
  expect(early.status).toBe(400)
  expect(early.text).toMatch(/being indexed by this parameter: \d+ % done/)
  const lenient = await fhir.send<Bundle>('GET', '/Patient?rank=general', undefined, { prefer: 'handling=lenient' })
  expect(lenient.body.entry?.at(-1)?.search?.mode).toBe('outcome')
  const between = await fhir.create(ranked('general'))

  await ready('rank')
  expect((await fhir.ids('/Patient?rank=general')).toSorted()).toEqual([general.id, between.id].toSorted())
  expect(await fhir.ids('/Patient?rank=urn:ranks|private')).toEqual([private1.id])
  const after = await fhir.create(ranked('private'))
  expect((await fhir.ids('/Patient?rank=private')).toSorted()).toEqual([private1.id, after.id].toSorted())
  expect(await fhir.ids('/Patient?rank:missing=true&_summary=data')).toHaveLength(2)
  expect(await fhir.ids('/Patient?rank:not=private&rank:missing=false&_sort=rank')).toHaveLength(2)

  // More than a path: FHIRPath at large.
  await ready('called')
  expect([(await fhir.ids('/Patient?called=bob')).length, (await fhir.ids('/Patient?called=robert')).length, (await fhir.ids('/Patient?called:missing=false')).length]).toEqual([1, 0, 1])

  // Dates that no column holds.
  await ready('issued-on')
  const issued = (at: string): Observation => ({ resourceType: 'Observation', status: 'final', code: { text: 'x' }, issued: at })
  const [old, recent] = [await fhir.create(issued('2019-05-06T07:08:09Z')), await fhir.create(issued('2024-05-06T07:08:09Z'))]
  expect(await fhir.ids('/Observation?issued-on=ge2020')).toEqual([recent.id])
  expect(await fhir.ids('/Observation?issued-on=2019-05-06')).toEqual([old.id])
  expect(await fhir.ids('/Observation?_sort=-issued-on')).toEqual([recent.id, old.id])

  const { body } = await fhir.send<CapabilityStatement>('GET', '/metadata')
  const patient = body.rest?.[0]?.resource?.find(({ type }) => type === 'Patient')
  expect(patient?.searchParam?.find(({ name }) => name === 'rank')).toMatchObject({ type: 'token', definition: parameter.url })

  // It goes as it came.
  expect((await fhir.send('PUT', `/SearchParameter/${parameter.id}`, { ...parameter, status: 'retired' })).status).toBe(200)
  for (let waited = 0; waited < 8000 && (await statusOf('rank')); waited += 200) await new Promise((resolve) => setTimeout(resolve, 200))
  expect((await fhir.send('GET', '/Patient?rank=general')).status).toBe(400)
  expect((await fhir.send('DELETE', `/SearchParameter/${dated.id}`)).status).toBe(204)
}, 90_000)

test.each([
  ['takes the code of R4', definition({ url: 'urn:a', code: 'gender' }), /in R4/],
  ['has an expression that is not understood', definition({ url: 'urn:b', code: 'odd', expression: 'Patient.name.count() > ' }), /expression cannot be used/],
  ['leads to nothing', definition({ url: 'urn:c', code: 'nothing', expression: 'Observation.status' }), /leads to nothing/],
])('a parameter that %s is stored, and said to be unusable', async (_what, parameter, problem) => {
  await fhir.create(parameter)
  for (let waited = 0; waited < 8000 && !(await statusOf(parameter.code)); waited += 200) await new Promise((resolve) => setTimeout(resolve, 200))
  expect(await statusOf(parameter.code)).toMatchObject({ status: 'unusable', problem: expect.stringMatching(problem) })
})

test('indexing goes on where it was left off', async () => {
  const owner = new pg.Client({ connectionString: hospital.databaseUrl })
  await owner.connect()
  const ids = []
  for (let at = 0; at < 4; at++) ids.push((await fhir.create({ resourceType: 'Location', name: `Ward ${at}` })).id)
  ids.sort()
  await owner.query("update fhir.location set facts = '{}', updated = now() - interval '2 hours'")
  await owner.query("insert into store.index_state (type, form, wanted_at, after_id, after_branch, done, total) select 'location', 1, now() - interval '1 hour', id, branch, 2, 4 from fhir.location where id = $1", [ids[1]])
  for (let waited = 0; waited < 10_000; waited += 100) {
    if ((await owner.query('select 1 from store.index_state')).rows.length === 0) break
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const { rows } = await owner.query("select id from fhir.location where facts <> '{}' order by id")
  await owner.end()
  // Those before the place had their turn, and are left alone.
  expect(rows.map(({ id }) => id)).toEqual(ids.slice(2))
})

test('rows of an older index are looked at until they are indexed again, after a restart as well', async () => {
  const patient = await fhir.create({ resourceType: 'Patient', birthDate: '1961-02', telecom: [{ system: 'phone', value: '+1 (555) 010-7777' }] })
  const owner = new pg.Client({ connectionString: hospital.databaseUrl })
  await owner.connect()
  // As a database is that the first form was written to: no entries that came later.
  await owner.query("update fhir.patient set present = null, facts = '{}' where id = $1", [patient.id])
  await owner.query("insert into store.index_state (type, form, wanted_at) values ('patient', 1, now())")
  await hospital.hospital.services.store.searchIndex.refresh()
  const answers = async (): Promise<string[]> => [
    ...(await fhir.ids('/Patient?birthdate=ge1961-02-03&birthdate=le1961-05-01')),
    ...(await fhir.ids('/Patient?phone=5550107777')),
    ...(await fhir.ids(`/Patient?birthdate:missing=false&_id=${patient.id}`)),
  ]
  expect(await answers()).toEqual([patient.id, patient.id, patient.id])
  await hospital.restart()
  fhir = fhirClient((await hospital.asClient()).fetch)
  for (let waited = 0; waited < 40_000; waited += 200) {
    const { rows } = await owner.query('select 1 from store.index_state')
    if (rows.length === 0) break
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  const { rows } = await owner.query('select present is not null as indexed, cardinality(facts) > 5 as found from fhir.patient where id = $1', [patient.id])
  await owner.end()
  expect(rows).toEqual([{ indexed: true, found: true }])
  expect(hospital.hospital.services.store.searchIndex.hasOldForm('Patient')).toBe(false)
  expect(await answers()).toEqual([patient.id, patient.id, patient.id])
  const wrong = await fhir.send('GET', '/Patient?rank=x')
  expect(faultsOf(wrong)).toEqual(['not-supported'])
}, 90_000)
