import { createServer, type Server } from 'node:http'
import { gzipSync } from 'node:zlib'
import type { Observation, OperationOutcome, Patient, Resource } from '@carespine/fhir/resource'
import { ACCESSION_SYSTEM } from '@carespine/lab/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bulkClient, namesOf } from './bulk-client.ts'
import { fhirClient, type FhirClient } from './fhir-client.ts'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
let elsewhere: TestHospital
let bulk: ReturnType<typeof bulkClient>
let fhir: FhirClient
let files: Server
let origin = ''
const served = new Map<string, { status?: number; body?: string | Buffer; headers?: Record<string, string> }>()

const patient = (nth: number): Patient => ({ resourceType: 'Patient', id: `import-${nth}`, name: [{ family: `Family${nth}` }] })
const observation = (nth: number, of: number): Observation => ({
  resourceType: 'Observation',
  id: `o-${nth}`,
  status: 'final',
  subject: { reference: `Patient/import-${of}` },
  code: { coding: [{ system: 'http://loinc.org', code: '718-7' }] },
  valueQuantity: { value: nth },
})
const ndjson = (...resources: unknown[]): string => resources.map((one) => `${typeof one === 'string' ? one : JSON.stringify(one)}\n`).join('')

beforeAll(async () => {
  files = createServer((request, response) => {
    const { status = 200, body = '', headers = {} } = served.get(request.url ?? '') ?? { status: 404 }
    response.writeHead(status, headers).end(body)
  })
  await new Promise<void>((done) => files.listen(0, '127.0.0.1', done))
  origin = `http://127.0.0.1:${(files.address() as { port: number }).port}`
  hospital = await startTestHospital({ settings: { BULK_IMPORT_ORIGINS: origin } })
  elsewhere = await startTestHospital({ settings: { FHIR_REFERENCES: 'existing' } })
  const client = await hospital.asClient()
  bulk = bulkClient(hospital.url, client.fetch)
  fhir = fhirClient(client.fetch)
})
afterAll(async () => {
  await hospital?.close()
  await elsewhere?.close()
  files?.close()
})

const manifestOf = (...inputs: { type?: string; url: string }[]): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/fhir+json' },
  body: JSON.stringify({
    resourceType: 'Parameters',
    parameter: [
      { name: 'inputFormat', valueCode: 'application/fhir+ndjson' },
      ...inputs.map(({ type, url }) => ({ name: 'input', part: [...(type ? [{ name: 'type', valueCode: type }] : []), { name: 'url', valueUrl: url }] })),
    ],
  }),
})

const said = async (response: Response): Promise<string> => `${response.status} ${((await response.json()) as OperationOutcome).issue.map(({ diagnostics }) => diagnostics).join(' ')}`

describe('lines in the body', () => {
  test('come into the record; those that are wrong are named with their line; a second run adds nothing', async () => {
    const noId = { ...observation(9, 1), id: undefined }
    const lines = ndjson(patient(1), observation(1, 1), '', 'no json', { resourceType: 'Patient', id: 'wrong', gender: 'neither' }, noId, '{"resourceType":"Patient","id":"twice","id":"twice"}', { resourceType: 'Spaceship' }, patient(1))
    const first = await bulk.import(lines)
    expect(first.said).toEqual(['Observation: 2 added, 0 were there before, 0 refused.', 'Patient: 1 added, 1 were there before, 1 refused.', 'Resource: 0 added, 0 were there before, 2 refused.', 'Spaceship: 0 added, 0 were there before, 1 refused.'])
    expect(first.refused.map((line) => line.split(':')[0])).toEqual(['Line 4', 'Line 5', 'Line 7', 'Line 8'])
    const second = await bulk.import(lines)
    expect(second.said[0]).toBe('Observation: 0 added, 2 were there before, 0 refused.')
    expect(await fhir.ids('/Observation?patient=import-1&_sort=value-quantity')).toHaveLength(2)
    expect((await fhir.send<Patient>('GET', '/Patient/import-1')).body.meta?.versionId).toBe('1')
  })

  test('of which the commit refuses one bring in all others', async () => {
    // Whether a reference leads somewhere is known at the commit: the lines are tried in halves.
    const other = bulkClient(elsewhere.url, (await elsewhere.asClient()).fetch)
    const lost = observation(1, 99)
    const { said, refused } = await other.import(ndjson(patient(1), lost, patient(20), observation(2, 1), patient(21)))
    expect(said).toEqual(['Observation: 1 added, 0 were there before, 1 refused.', 'Patient: 3 added, 0 were there before, 0 refused.'])
    expect(refused).toEqual([expect.stringMatching(/^Line 2: /)])
  })

  test('are written as the caller: without permission for a type, or when a workflow owns it, a line is refused', async () => {
    const nurse = await hospital.signIn('nurse')
    const narrow = bulkClient(hospital.url, nurse.fetch)
    const { said, refused } = await narrow.import(ndjson(observation(30, 1), patient(30)))
    expect(said).toEqual(['Observation: 1 added, 0 were there before, 0 refused.', 'Patient: 0 added, 0 were there before, 1 refused.'])
    expect(refused).toEqual([expect.stringContaining('Line 2: This sign-in lacks the permission')])
    const patients = await hospital.signIn('patient')
    expect((await bulkClient(hospital.url, patients.fetch).ask('/$import', { method: 'POST', body: ndjson(patient(31)), headers: { 'content-type': 'application/fhir+ndjson' } })).status).toBe(403)
    const governed = { resourceType: 'Specimen', id: 'governed', accessionIdentifier: { system: ACCESSION_SYSTEM, value: '1' } }
    const imported = await bulk.import(ndjson(governed))
    expect((await fhir.send<OperationOutcome>('PUT', '/Specimen/governed', governed)).body.issue[0]?.diagnostics).toContain('/api/lab/collect')
    expect(imported.refused).toEqual([expect.stringContaining('/api/lab/collect')])
  })

  test('need a body, and the header that says the answer comes later', async () => {
    const headers = { 'content-type': 'application/fhir+ndjson' }
    expect(await said(await bulk.ask('/$import', { method: 'POST', headers }))).toMatch(/^400 /)
    expect(await said(await bulk.ask('/$import', { method: 'POST', body: ndjson(patient(1)), headers: { ...headers, prefer: 'return=minimal' } }))).toContain('respond-async')
    expect((await bulk.ask('/Patient', { method: 'POST', body: ndjson(patient(1)), headers })).status).toBe(415)
    expect((await bulk.ask('/$import', { method: 'POST', body: 'x', headers: { 'content-type': 'application/zip' } })).status).toBe(415)
  })

  test('one of which is longer than a resource can be are refused, and nothing of them is kept', async () => {
    const huge = `${JSON.stringify({ ...patient(40), text: { status: 'generated', div: 'x'.repeat(17 * 1024 * 1024) } })}\n`
    const response = await bulk.ask('/$import', { method: 'POST', body: huge, headers: { 'content-type': 'application/fhir+ndjson' } })
    expect(response.status).toBe(413)
  })
})

describe('files that are named', () => {
  test('are fetched from where the installation says, compressed or not', async () => {
    served.set('/patients.ndjson', { body: ndjson(patient(50), patient(51)) })
    served.set('/observations.ndjson', { body: gzipSync(ndjson(...Array.from({ length: 3000 }, (_one, nth) => observation(1000 + nth, 50)), patient(52))), headers: { 'content-encoding': 'gzip' } })
    const manifest = await bulk.wait(await bulk.start('/$import', manifestOf({ url: `${origin}/patients.ndjson` }, { type: 'Observation', url: `${origin}/observations.ndjson` })))
    const outcomes = await bulk.lines<OperationOutcome>([...manifest.output, ...manifest.error])
    expect(outcomes.map(({ issue }) => issue[0]?.diagnostics)).toEqual([
      'Observation: 3000 added, 0 were there before, 0 refused.',
      'Patient: 2 added, 0 were there before, 1 refused.',
      'Line 3001 of input 2: The input holds Observation, and this is another type.',
    ])
    expect((await fhir.search('/Observation?patient=import-50&_summary=count')).total).toBe(3000)
  })

  test.each([
    'https://elsewhere.example/a.ndjson',
    'https://169.254.169.254/latest/meta-data',
    'http://localhost:1/a',
    'file:///etc/passwd',
    'https://user:word@files.example/a',
    'urn:nowhere',
  ])('%s is refused when it is named', async (url) => {
    expect(await said(await bulk.ask('/$import', manifestOf({ url })))).toMatch(/^400 .*input\.url/)
  })

  test('where the installation names nobody, none is fetched', async () => {
    const other = bulkClient(elsewhere.url, (await elsewhere.asClient()).fetch)
    expect(await said(await other.ask('/$import', manifestOf({ url: `${origin}/patients.ndjson` })))).toContain('fetches from nowhere')
  })

  test('of which one is not there are tried again, and a redirect is not followed', async () => {
    served.set('/moved.ndjson', { status: 302, headers: { location: `${origin}/patients.ndjson` } })
    const status = await bulk.start('/$import', manifestOf({ url: `${origin}/moved.ndjson` }))
    await new Promise((done) => setTimeout(done, 1500))
    const under = await bulk.fetch(status)
    expect(under.status).toBe(202)
    served.set('/moved.ndjson', { body: ndjson(patient(60)) })
    const { output } = await bulk.wait(status, 15_000)
    expect((await bulk.lines<OperationOutcome>(output))[0]?.issue[0]?.diagnostics).toBe('Patient: 1 added, 0 were there before, 0 refused.')
  })

  test('that hold a line longer than a resource can be fail, and say so', async () => {
    served.set('/long.ndjson', { body: ndjson({ ...patient(70), text: { status: 'generated', div: 'x'.repeat(17 * 1024 * 1024) } }) })
    await expect(bulk.wait(await bulk.start('/$import', manifestOf({ url: `${origin}/long.ndjson` })))).rejects.toThrow(/^500 .*OperationOutcome.*16 MiB/)
  })

  test.each([
    [{ resourceType: 'Parameters' }, 'input'],
    [{ resourceType: 'Parameters', parameter: [{ name: 'input', part: [{ name: 'type', valueCode: 'Nothing' }, { name: 'url', valueUrl: 'x' }] }] }, 'input.type'],
    [{ resourceType: 'Parameters', parameter: [{ name: 'input', part: [{ name: 'type', valueCode: 'Patient' }] }] }, 'input.url'],
    [{ resourceType: 'Parameters', parameter: [{ name: 'storageDetail', valueString: 'x' }] }, 'storageDetail'],
    [{ resourceType: 'Parameters', parameter: [{ name: 'inputFormat', valueCode: 'text/csv' }, { name: 'input', part: [{ name: 'url', valueUrl: 'x' }] }] }, 'inputFormat'],
  ])('%j is refused', async (parameters, named) => {
    expect(await said(await bulk.ask('/$import', { method: 'POST', headers: { 'content-type': 'application/fhir+json' }, body: JSON.stringify(parameters) }))).toMatch(new RegExp(`^400 .*${named}`))
  })
})

test('what one hospital exports, another one takes in whole: the records are equal', async () => {
  const target = await elsewhere.asClient()
  const other = bulkClient(elsewhere.url, target.fetch)
  const { resources } = await bulk.export('/$export?_type=Patient,Observation')
  expect(resources.length).toBeGreaterThan(3000)
  // What is referred to first, since this one keeps no reference that leads nowhere.
  const { refused } = await other.import(ndjson(...resources.toSorted((a, b) => (a.resourceType < b.resourceType ? 1 : -1))))
  expect(refused).toEqual([])
  const { resources: found } = await other.export('/$export?_type=Patient,Observation')
  const mine = new Set(namesOf(resources))
  const arrived = found.filter(({ resourceType, id }) => mine.has(`${resourceType}/${id}`))
  const content = (all: readonly Resource[]): string[] =>
    all.map(({ meta, ...rest }) => {
      const { versionId: _version, lastUpdated: _updated, ...kept } = meta ?? {}
      return JSON.stringify({ ...rest, ...(Object.keys(kept).length > 0 ? { meta: kept } : {}) })
    }).toSorted()
  expect(content(arrived)).toEqual(content(resources))
  expect(namesOf(arrived)).toEqual(namesOf(resources))
})
