import { randomUUID } from 'node:crypto'
import { encounterReferenceOf, patientReferenceOf } from '@carespine/fhir/compartments'
import { idKey, indexColumns, indexEntries } from '@carespine/fhir/index-entries'
import type { Bundle, Encounter, Observation, OperationOutcome, Patient, Resource, Task } from '@carespine/fhir/resource'
import { PLANNER, type Statement } from '@carespine/store/database'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultsOf, fhirClient, type FhirClient } from './fhir-client.ts'
import { BRANCHES, startTestHospital, type TestHospital } from './test-hospital.ts'

const SHARED = '00000000-0000-0000-0000-000000000000'
const PATIENTS = 4000
const OBSERVATIONS = 22_000
const DAY = 86_400_000
const START = Date.parse('2023-01-01T00:00:00Z')

let hospital: TestHospital
let owner: pg.Client
let fhir: FhirClient

/** Puts resources into their table as the store would have, many at once. */
async function fill(branch: string, resources: readonly Resource[]): Promise<void> {
  const { keyring } = hospital.hospital.services.store
  const type = resources[0]?.resourceType as Resource['resourceType']
  const columns = indexColumns(type)
  const names = ['id', 'version', 'updated', 'branch', 'patient', 'encounter', 'deleted', 'facts', 'body', ...columns.map(({ name }) => name)]
  const types = ['uuid', 'int', 'timestamptz', 'uuid', 'uuid', 'uuid', 'boolean', 'text', 'bytea', ...columns.map(({ sqlType }) => sqlType)]
  for (let at = 0; at < resources.length; at += 2000) {
    const rows = resources.slice(at, at + 2000).map((resource, nth) => {
      const id = resource.id as string
      const { facts, columns: values } = indexEntries(resource)
      const patient = patientReferenceOf(resource)
      const encounter = encounterReferenceOf(resource)
      return [
        id, 1, new Date(START + (at + nth) * 1000).toISOString(), branch, patient ? idKey(patient) : null, encounter ? idKey(encounter) : null, false,
        `{${facts.map((fact) => keyring.hash(fact)).join()}}`,
        keyring.seal(branch, Buffer.from(JSON.stringify(resource)), `${type}/${id}/1`),
        ...columns.map(({ name }) => values[name] ?? null),
      ]
    })
    await owner.query(
      `insert into fhir.${type.toLowerCase()} (${names.join()}) select ${names.map((name) => (name === 'facts' ? 'facts::int8[]' : name)).join()} ` +
        `from unnest(${types.map((sqlType, nth) => `$${nth + 1}::${sqlType}[]`).join()}) as r(${names.join()})`,
      names.map((_name, nth) => rows.map((row) => row[nth])),
    )
  }
}

const patients = Array.from({ length: PATIENTS }, (_none, nth): Patient & { id: string } => ({
  resourceType: 'Patient',
  id: randomUUID(),
  identifier: [{ system: 'urn:mrn', value: `M${nth}` }],
  name: [{ family: `Family${nth % 900}`, given: [nth % 50 === 0 ? 'Mohammed' : `Given${nth % 70}`] }],
  telecom: [{ system: 'phone', value: `+9665${String(10_000_000 + nth)}` }],
  gender: nth % 2 === 0 ? 'male' : 'female',
  birthDate: new Date(Date.UTC(1940, 0, 1) + nth * 5 * DAY).toISOString().slice(0, 10),
}))
const patientOf = (nth: number): { reference: string } => ({ reference: `Patient/${patients[(nth * 7) % PATIENTS]?.id}` })
const at = (nth: number, of: number): string => new Date(START + Math.floor((nth / of) * 730) * DAY + (nth % 86_400) * 1000).toISOString()

beforeAll(async () => {
  hospital = await startTestHospital()
  fhir = fhirClient((await hospital.asClient()).fetch)
  owner = new pg.Client({ connectionString: hospital.databaseUrl })
  await owner.connect()
  await fill(SHARED, patients)
  await fill(BRANCHES.main, Array.from({ length: OBSERVATIONS }, (_none, nth): Observation => ({
    resourceType: 'Observation',
    id: randomUUID(),
    meta: { tag: [{ system: 'urn:source', code: 'bulk' }] },
    status: nth % 100 === 0 ? 'preliminary' : 'final',
    category: [{ coding: [{ system: 'urn:category', code: nth % 3 === 0 ? 'vital-signs' : 'laboratory' }] }],
    code: { coding: [{ system: 'http://loinc.org', code: `code-${nth % 40}` }] },
    subject: patientOf(nth),
    ...(nth % 500 === 0 ? { effectivePeriod: { start: at(nth, OBSERVATIONS), end: '2025-06-01' } } : { effectiveDateTime: at(nth, OBSERVATIONS) }),
    valueQuantity: { value: nth % 300, unit: 'mg', system: 'http://unitsofmeasure.org', code: 'mg' },
  })))
  await fill(BRANCHES.main, Array.from({ length: 4000 }, (_none, nth): Encounter => ({
    resourceType: 'Encounter',
    id: randomUUID(),
    status: nth > 3950 ? 'in-progress' : 'finished',
    class: { code: 'AMB' },
    subject: patientOf(nth),
    period: { start: at(nth, 4000), ...(nth > 3950 ? {} : { end: new Date(Date.parse(at(nth, 4000)) + (nth % 20 === 0 ? 9 * DAY : 3_600_000)).toISOString() }) },
  })))
  await fill(BRANCHES.main, Array.from({ length: 4000 }, (_none, nth): Task => ({
    resourceType: 'Task',
    id: randomUUID(),
    status: nth % 200 === 0 ? 'requested' : 'completed',
    intent: 'order',
    identifier: [{ system: 'urn:accession', value: `A${nth}` }],
    for: patientOf(nth),
    authoredOn: at(nth, 4000),
  })))
  await owner.query('vacuum analyze')
}, 300_000)
afterAll(async () => {
  await owner?.end()
  await hospital?.close()
})

interface Node {
  'Node Type': string
  Schema?: string
  'Relation Name'?: string
  'Index Name'?: string
  Plans?: Node[]
}

/** What PostgreSQL reads from end to end to answer a request. */
async function scannedBy(path: string): Promise<string[]> {
  return (await plansOf(path)).filter(({ type, schema }) => type.includes('Seq Scan') && schema === 'fhir').map(({ table }) => table)
}

/** The parts of the plans by which PostgreSQL answers a request and its next page. */
async function plansOf(path: string): Promise<{ type: string; schema: string; table: string; index: string }[]> {
  const { store } = hospital.hospital.services
  const { database } = store
  const query = database.query
  const sent: Statement[] = []
  database.query = async function <R>(this: typeof database, ...given: Parameters<typeof database.query>): Promise<R[]> {
    if (/from fhir\.(?!searchparameter)/.test(given[1].text)) sent.push(given[1])
    return (await query.apply(this, given)) as R[]
  }
  try {
    const page = await fhir.search(path)
    const next = (page as Bundle).link?.find(({ relation }) => relation === 'next')?.url
    if (next) await fhir.search(next.slice(`${hospital.url}/fhir/R4`.length))
  } finally {
    database.query = query
  }
  expect(sent.length).toBeGreaterThan(0)
  const found: Awaited<ReturnType<typeof plansOf>> = []
  await owner.query('begin; set local role carespine_app')
  for (const [name, value] of Object.entries(PLANNER)) await owner.query(`set local ${name} = ${value}`)
  await owner.query("select set_config('carespine.branches', $1, true)", [`{${[SHARED, ...Object.values(BRANCHES)].join()}}`])
  for (const { text, values } of sent) {
    const { rows } = await owner.query(`explain (format json, verbose) ${text}`, values as unknown[])
    const walk = (node: Node): void => {
      found.push({ type: node['Node Type'], schema: node.Schema ?? '', table: node['Relation Name'] ?? '', index: node['Index Name'] ?? '' })
      node.Plans?.forEach(walk)
    }
    walk((rows[0]['QUERY PLAN'] as { Plan: Node }[])[0]?.Plan as Node)
  }
  await owner.query('rollback')
  return found
}

describe('no search that somebody waits for reads a table from end to end', () => {
  const patient = `Patient/${patients[7]?.id}`
  test.each([
    `/Observation?patient=${patient}&code=http://loinc.org|code-3&_sort=-date`,
    `/Observation?subject=${patient}&category=laboratory&date=ge2024-01-01&_sort=-date`,
    `/Observation?patient=${patient}&_summary=count`,
    '/Observation?date=ge2024-03-05&date=lt2024-03-06',
    '/Observation?date=2024-03-05',
    '/Observation?code=code-5&date=ge2024-12-20&_sort=-date',
    '/Observation?_sort=-date',
    '/Observation?status=final',
    '/Observation?status=preliminary&category=laboratory',
    '/Observation?code=code-5&value-quantity=gt290||mg',
    '/Observation?_lastUpdated=ge2023-01-01T11:00:00Z&_sort=_lastUpdated',
    '/Observation?patient.identifier=urn:mrn|M77&code=code-3',
    '/Observation?patient.name=family77&_sort=-date',
    '/Patient?name=moha',
    '/Patient?family=family77&given=given3',
    '/Patient?identifier=urn:mrn|M77',
    '/Patient?identifier:starts-with=m77',
    '/Patient?phone=510000077',
    '/Patient?birthdate=1955-03-03',
    '/Patient?birthdate=ge1955-03-01&birthdate=le1955-03-31',
    '/Patient?_has:Observation:patient:code=code-3&family=family77',
    '/Encounter?date=ge2024-05-01&date=le2024-05-02',
    '/Encounter?status=in-progress&_sort=-date',
    `/Encounter?patient=${patient}&_sort=-date&_revinclude=Observation:encounter`,
    '/Task?status=requested&_sort=authored-on',
    '/Task?identifier=urn:accession|A77',
    '/Task?status=requested&authored-on=ge2024-06-01',
  ])('%s', async (path) => {
    expect(await scannedBy(path)).toEqual([])
  })
})

test('a day is found by its date, however many have the code that is asked for with it', async () => {
  const indexes = (await plansOf('/Observation?status=final&date=ge2024-03-05&date=lt2024-03-06&_sort=-date')).map(({ index }) => index)
  expect(indexes).toContain('observation_date_lo_id_idx')
  expect(indexes).not.toContain('observation_facts_idx')
})

test('counting everything reads keys alone, for who sees several branches too', async () => {
  const read = (await plansOf('/Observation?_summary=count')).filter(({ table }) => table === 'observation')
  expect(read.map(({ type, index }) => [type, index])).toEqual([['Index Only Scan', 'observation_pkey'], ['Index Only Scan', 'observation_pkey']])
})

test('a range finds what began long before it and still lasts', async () => {
  const { total } = await fhir.search('/Encounter?date=ge2024-06-01&date=le2024-06-01&_total=accurate')
  const [counted] = (await owner.query("select count(*)::int as n from fhir.encounter where date_lo <= '2024-06-01T23:59:59.999Z' and date_hi >= '2024-06-01'")).rows
  expect(total).toBe(counted.n)
  expect(total).toBeGreaterThan(6)
})

test('what is too wide to be looked through is refused, and what is many is joined', async () => {
  // Half of all patients are too many to be named one by one.
  expect((await fhir.search('/Observation?patient.gender=female&code=code-3&_summary=count')).total).toBe(
    (await owner.query("select count(*)::int as n from fhir.observation where facts @> array[$1::int8] and patient = any ($2)", [
      hospital.hospital.services.store.keyring.hash('code||code-3'),
      patients.filter(({ gender }) => gender === 'female').map(({ id }) => id),
    ])).rows[0].n,
  )
  expect((await fhir.search('/Patient?_has:Observation:patient:category=laboratory&_summary=count')).total).toBeGreaterThan(2000)
  const sorted = await fhir.send('GET', '/Observation?_sort=code&_count=5')
  expect([sorted.status, faultsOf(sorted)]).toEqual([422, ['too-costly']])
})

test('labels in use are looked for among as many resources as can be opened, and no more', async () => {
  const wide = await fhir.send('GET', '/Observation/$meta')
  expect([wide.status, faultsOf(wide)]).toEqual([422, ['too-costly']])
  expect((await fhir.send('GET', '/Task/$meta')).body).toEqual({ resourceType: 'Parameters', parameter: [{ name: 'return', valueMeta: {} }] })
})

test('what comes along beyond a page is left out, and said to be', async () => {
  const { entry = [] } = await fhir.search('/Patient?_count=1000&_revinclude=Observation:patient')
  const modes = entry.map(({ search }) => search?.mode)
  expect([modes.filter((mode) => mode === 'match').length, modes.filter((mode) => mode === 'include').length]).toEqual([1000, 5000])
  expect(modes.at(-1)).toBe('outcome')
  expect((entry.at(-1)?.resource as OperationOutcome | undefined)?.issue[0]).toMatchObject({ severity: 'warning', code: 'too-costly', diagnostics: expect.stringContaining('Observation') })
}, 60_000)

test('a search that takes too long is ended, and said to be', async () => {
  const { database } = hospital.hospital.services.store
  database.patience = 700
  await owner.query('begin; lock table fhir.task in access exclusive mode')
  const began = performance.now()
  const answer = await fhir.send('GET', '/Task?status=requested')
  await owner.query('rollback')
  expect([answer.status, faultsOf(answer)]).toEqual([503, ['too-costly']])
  expect(performance.now() - began).toBeLessThan(5000)
  expect((await fhir.send('GET', '/Task?status=requested')).status).toBe(200)
})
