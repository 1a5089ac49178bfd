import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { loadPackage } from '@carespine/cli/load-package'
import type { Bundle, CodeSystem, OperationOutcome, Patient, StructureDefinition, ValueSet } from '@carespine/fhir/resource'
import { ORDER_SYSTEM } from '@carespine/orders/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultsOf, type FhirAnswer, fhirClient, type FhirClient } from './fhir-client.ts'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

const run = promisify(execFile)
const CLI = fileURLToPath(new URL('../apps/cli/src/cli.ts', import.meta.url))
const GUIDE = 'http://guide.example/fhir/'
const CORE = 'http://hl7.org/fhir/StructureDefinition/'
const BEDSIDE = `${GUIDE}StructureDefinition/bedside-glucose`
const ORIGIN = `${GUIDE}StructureDefinition/device-origin`

let hospital: TestHospital
let fhir: FhirClient
let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carespine-guide-'))
  hospital = await startTestHospital()
  fhir = fhirClient((await hospital.asClient()).fetch)
})
afterAll(async () => {
  await hospital?.close()
  await rm(folder, { recursive: true, force: true })
})

const definition = (id: string, type: string, more: Partial<StructureDefinition>): StructureDefinition => ({
  resourceType: 'StructureDefinition',
  id,
  url: `${GUIDE}StructureDefinition/${id}`,
  version: '1.0.0',
  name: id.replaceAll('-', ''),
  status: 'active',
  kind: type === 'Extension' ? 'complex-type' : 'resource',
  abstract: false,
  type,
  baseDefinition: CORE + type,
  derivation: 'constraint',
  ...more,
})

const meters: CodeSystem = { resourceType: 'CodeSystem', id: 'meters', url: `${GUIDE}CodeSystem/meters`, version: '1.0.0', status: 'active', content: 'complete', concept: [{ code: 'strip' }, { code: 'sensor' }] }
const methods: ValueSet = { resourceType: 'ValueSet', id: 'methods', url: `${GUIDE}ValueSet/methods`, version: '1.0.0', status: 'active', compose: { include: [{ system: meters.url ?? '' }] } }

const origin = definition('device-origin', 'Extension', {
  context: [{ type: 'element', expression: 'Observation' }],
  differential: {
    element: [
      { id: 'Extension', path: 'Extension', max: '1' },
      { id: 'Extension.url', path: 'Extension.url', fixedUri: ORIGIN },
      { id: 'Extension.value[x]', path: 'Extension.value[x]', min: 1, type: [{ code: 'string' }] },
    ],
  },
})

const bedside = definition('bedside-glucose', 'Observation', {
  differential: {
    element: [
      { id: 'Observation', path: 'Observation', constraint: [{ key: 'bg-1', severity: 'error', human: 'A value that is not positive was not measured', expression: 'value.empty() or value.value > 0' }] },
      { id: 'Observation.extension:origin', path: 'Observation.extension', sliceName: 'origin', min: 1, type: [{ code: 'Extension', profile: [ORIGIN] }] },
      { id: 'Observation.status', path: 'Observation.status', fixedCode: 'final' },
      { id: 'Observation.category', path: 'Observation.category', slicing: { discriminator: [{ type: 'pattern', path: '$this' }], rules: 'open' } },
      { id: 'Observation.category:lab', path: 'Observation.category', sliceName: 'lab', min: 1, patternCodeableConcept: { coding: [{ code: 'laboratory' }] } },
      { id: 'Observation.code', path: 'Observation.code', patternCodeableConcept: { coding: [{ system: 'http://loinc.org', code: '2339-0' }] } },
      { id: 'Observation.method', path: 'Observation.method', min: 1, binding: { strength: 'required', valueSet: methods.url ?? '' } },
    ],
  },
})

/** A package as HL7's publisher makes it: a gzipped tar of the folder `package`. */
async function packed(manifest: object, resources: readonly { resourceType: string; id?: string }[]): Promise<string> {
  const at = await mkdtemp(join(folder, 'p-'))
  await mkdir(join(at, 'package/example'), { recursive: true })
  await writeFile(join(at, 'package/package.json'), JSON.stringify(manifest))
  await writeFile(join(at, 'package/.index.json'), '{}')
  for (const one of resources) await writeFile(join(at, `package/${one.resourceType}-${one.id ?? ''}.json`), JSON.stringify(one))
  await writeFile(join(at, 'package/example/Patient-example.json'), JSON.stringify({ resourceType: 'Patient', id: 'example-of-the-guide' }))
  const archive = join(at, 'guide.tgz')
  await run('tar', ['-czf', archive, '-C', at, 'package'])
  return archive
}

const manifest = { name: 'guide.example', version: '1.0.0', fhirVersions: ['4.0.1'] }
const guide = () => packed(manifest, [origin, bedside, meters, methods])

const cli = (...args: string[]) =>
  run(process.execPath, [CLI, ...args], { env: { ...process.env, CARESPINE_DATA: hospital.dataFolder, DATABASE_URL: hospital.databaseUrl, LOG_LEVEL: 'error' } }).catch(
    (error: unknown) => error as { stdout: string; stderr: string },
  )

const glucose = {
  resourceType: 'Observation',
  meta: { profile: [BEDSIDE] },
  extension: [{ url: ORIGIN, valueString: 'ward 3' }],
  status: 'final',
  category: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'laboratory' }] }],
  code: { coding: [{ system: 'http://loinc.org', code: '2339-0' }] },
  method: { coding: [{ system: meters.url, code: 'strip' }] },
  valueQuantity: { value: 96, unit: 'mg/dL', system: 'http://unitsofmeasure.org', code: 'mg/dL' },
}

const sentences = (answer: FhirAnswer<unknown>): string[] => (answer.body as OperationOutcome).issue.map(({ diagnostics = '' }) => diagnostics)
const errorsOf = (answer: FhirAnswer<unknown>): string[] =>
  (answer.body as OperationOutcome).issue.filter(({ severity }) => severity === 'error').map(({ code, expression }) => [code, ...(expression ?? [])].join(' '))

describe('a guide that is loaded while the server runs', () => {
  test('before, its profile is accepted unseen, and $validate says that it is not here', async () => {
    expect((await fhir.send('POST', '/Observation', glucose)).status).toBe(201)
    const answer = await fhir.send('POST', '/Observation/$validate', glucose)
    expect(answer.status).toBe(200)
    expect(errorsOf(answer)).toEqual([])
    expect(sentences(answer).join()).toContain(`${BEDSIDE} is not loaded`)
  })

  test('loading says what was done; what is written next is checked', async () => {
    const loaded = await cli('package', 'load', await guide())
    expect(loaded.stdout).toContain('guide.example 1.0.0: 4 definitions added, 0 changed, 0 were there before, 0 refused')
    await expect.poll(async () => (await fhir.send('POST', '/Observation', { ...glucose, method: undefined })).status, { timeout: 5000 }).toBe(422)
    expect((await fhir.send('POST', '/Observation', glucose)).status).toBe(201)
    expect(await fhir.ids('/Patient?_id=example-of-the-guide')).toEqual([])
  })

  test.each<[string, object, string[]]>([
    ['an absent element', { method: undefined }, ['required Observation.method']],
    ['a code of another set', { method: { coding: [{ system: meters.url, code: 'guess' }] } }, ['code-invalid Observation.method']],
    ['another than the fixed value', { status: 'amended' }, ['value Observation.status']],
    ['another than the pattern', { code: { coding: [{ system: 'http://loinc.org', code: '718-7' }] } }, ['value Observation.code']],
    ['a slice that is absent', { category: [{ coding: [{ code: 'vital-signs' }] }] }, ['required Observation.category']],
    ['an extension that is absent', { extension: undefined }, ['required Observation.extension']],
    ['an extension of another type', { extension: [{ url: ORIGIN, valueInteger: 3 }] }, ['structure Observation.extension[0].valueInteger']],
    ['an invariant that is broken', { valueQuantity: { ...glucose.valueQuantity, value: 0 } }, ['invariant Observation']],
  ])('%s is refused, with the element at fault', async (_what, more, faults) => {
    const answer = await fhir.send('POST', '/Observation', { ...glucose, ...more })
    expect(answer.status).toBe(422)
    expect(faultsOf(answer)).toEqual(faults)
    expect(errorsOf(await fhir.send('POST', '/Observation/$validate', { ...glucose, ...more }))).toEqual(faults)
  })

  test('an extension of the guide stands where the guide lets it', async () => {
    const answer = await fhir.send('POST', '/Patient', { resourceType: 'Patient', extension: [{ url: ORIGIN, valueString: 'x' }] })
    expect(faultsOf(answer)).toEqual(['extension Patient.extension[0]'])
  })

  test('in a transaction the fault is told with its entry, and nothing of it is stored', async () => {
    const family = `Guide${Date.now()}`
    const entry = (resource: object, url: string) => ({ resource, request: { method: 'POST', url } })
    const transaction = { resourceType: 'Bundle', type: 'transaction', entry: [entry({ resourceType: 'Patient', name: [{ family }] }, 'Patient'), entry({ ...glucose, method: undefined }, 'Observation')] }
    const answer = await fhir.send('POST', '/', transaction)
    expect(answer.status).toBe(422)
    expect(faultsOf(answer)).toEqual(['required Bundle.entry[1].resource.method'])
    expect(await fhir.ids(`/Patient?family=${family}`)).toEqual([])
    const batch = await fhir.send<Bundle>('POST', '/', { ...transaction, type: 'batch' })
    expect(batch.body.entry?.map(({ response }) => response?.status?.slice(0, 3))).toEqual(['201', '422'])
  })

  test('faults that are found after everything was written are told with their entry as well', async () => {
    // Nothing is known of the profile when the entry is looked at: it is asked for before the commit.
    hospital.hospital.services.store.validator.knowledge.forget()
    const entry = [{ resourceType: 'Patient', name: [{ family: 'x' }] }, { ...glucose, method: undefined }].map((resource) => ({ resource, request: { method: 'POST', url: resource.resourceType } }))
    const answer = await fhir.send('POST', '/', { resourceType: 'Bundle', type: 'transaction', entry })
    expect(faultsOf(answer)).toEqual(['required Bundle.entry[1].resource.method'])
  })

  test('a profile that is changed over the API counts at once', async () => {
    const [id] = await fhir.ids(`/StructureDefinition?url=${BEDSIDE}`)
    const { body: stored } = await fhir.send<StructureDefinition>('GET', `/StructureDefinition/${id}`)
    const elements = stored.differential?.element ?? []
    const stricter = { ...stored, differential: { element: [...elements, { id: 'Observation.issued', path: 'Observation.issued', min: 1 }] } }
    expect((await fhir.send('PUT', `/StructureDefinition/${id}`, stricter)).status).toBe(200)
    expect(faultsOf(await fhir.send('POST', '/Observation', glucose))).toEqual(['required Observation.issued'])
    expect((await fhir.send('PUT', `/StructureDefinition/${id}`, stored)).status).toBe(200)
    expect((await fhir.send('POST', '/Observation', glucose)).status).toBe(201)
  })

  test('a value set that gets another code counts at once', async () => {
    const guess = { ...glucose, method: { coding: [{ system: meters.url, code: 'guess' }] } }
    expect((await fhir.send('POST', '/Observation', guess)).status).toBe(422)
    const [id] = await fhir.ids(`/CodeSystem?url=${meters.url}`)
    expect((await fhir.send('PUT', `/CodeSystem/${id}`, { ...meters, id, concept: [...(meters.concept ?? []), { code: 'guess' }] })).status).toBe(200)
    expect((await fhir.send('POST', '/Observation', guess)).status).toBe(201)
  })
})

describe('loading packages', () => {
  const load = async (archive: string) => loadPackage(hospital.hospital.services, await readFile(archive))

  test('a second run changes nothing; another version stands beside the first', async () => {
    const small = { ...origin, id: 'twice', url: `${GUIDE}StructureDefinition/twice` }
    const first = await packed(manifest, [small])
    expect(await load(first)).toMatchObject({ added: 1, changed: 0, same: 0, refused: [] })
    expect(await load(first)).toMatchObject({ added: 0, changed: 0, same: 1 })
    expect(await load(await packed(manifest, [{ ...small, title: 'changed' } as StructureDefinition]))).toMatchObject({ added: 0, changed: 1, same: 0 })
    expect(await load(await packed({ ...manifest, version: '2.0.0' }, [{ ...small, version: '2.0.0' } as StructureDefinition]))).toMatchObject({ added: 1, changed: 0 })
    expect((await fhir.ids(`/StructureDefinition?url=${small.url}`)).toSorted()).toEqual(['twice', 'twice-2.0.0'])
  })

  test('what rests on another package, what cannot be checked and what is faulty is said', async () => {
    const derived = definition('derived', 'Observation', {
      baseDefinition: 'http://other.example/StructureDefinition/base',
      differential: { element: [{ id: 'Observation', path: 'Observation' }] },
    })
    const odd = definition('odd', 'Observation', {
      differential: {
        element: [
          { id: 'Observation', path: 'Observation', constraint: [{ key: 'odd-1', severity: 'error', human: 'x', expression: "component.defineVariable('x')" }] },
          { id: 'Observation.extension:x', path: 'Observation.extension', sliceName: 'x', type: [{ code: 'Extension', profile: ['http://other.example/StructureDefinition/x'] }] },
        ],
      },
    })
    const faulty = { ...origin, id: 'faulty', url: `${GUIDE}StructureDefinition/faulty`, status: 'almost' }
    expect(await load(await packed(manifest, [derived, odd, faulty]))).toMatchObject({
      added: 2,
      missing: ['http://other.example/StructureDefinition/base', 'http://other.example/StructureDefinition/x'],
      unchecked: [expect.stringContaining('odd-1')],
      refused: [{ where: `StructureDefinition ${faulty.url}`, why: expect.stringContaining('StructureDefinition.status') }],
    })
  })

  test.each<[string, () => Promise<string>, string]>([
    ['a file that is no archive', async () => fileURLToPath(import.meta.url), 'no gzipped archive'],
    ['a package for another release', () => packed({ ...manifest, fhirVersions: ['5.0.0'] }, []), 'for FHIR 5.0.0'],
    ['a file that is not there', async () => join(folder, 'nowhere.tgz'), 'that exists'],
  ])('%s is refused with a sentence', async (_what, archive, sentence) => {
    expect((await cli('package', 'load', await archive())).stderr).toContain(sentence)
  })
})

describe('$validate', () => {
  const parameters = (...parameter: object[]) => ({ resourceType: 'Parameters', parameter })
  const patient: Patient = { resourceType: 'Patient', text: { status: 'generated', div: '<div>x</div>' }, name: [{ family: 'Asked' }] }

  test('without faults it says so', async () => {
    const answer = await fhir.send('POST', '/Patient/$validate', patient)
    expect([answer.status, sentences(answer)]).toEqual([200, ['No faults found.']])
  })

  test('a profile may be named in the query, or with the resource in Parameters', async () => {
    const observation = { ...glucose, meta: undefined, method: undefined }
    expect(errorsOf(await fhir.send('POST', '/Observation/$validate', observation))).toEqual([])
    expect(errorsOf(await fhir.send('POST', `/Observation/$validate?profile=${encodeURIComponent(BEDSIDE)}`, observation))).toEqual(['required Observation.method'])
    const asked = parameters({ name: 'resource', resource: observation }, { name: 'profile', valueUri: BEDSIDE }, { name: 'mode', valueCode: 'profile' })
    expect(errorsOf(await fhir.send('POST', '/Observation/$validate', asked))).toEqual(['required Observation.method'])
    expect(errorsOf(await fhir.send('POST', '/Observation/$validate?profile=http://guide.example/unheard', observation))).toEqual(['not-found Observation'])
  })

  test('a profile of R4 is there from the start', async () => {
    const answer = await fhir.send('POST', `/Observation/$validate?profile=${CORE}vitalsigns`, { resourceType: 'Observation', status: 'final', code: { text: 'x' } })
    expect(errorsOf(answer)).toContain('required Observation.subject')
  })

  test('an instance is looked at as it is stored, or as it would be', async () => {
    const stored = await fhir.create(patient)
    expect(sentences(await fhir.send('GET', `/Patient/${stored.id}/$validate`))).toEqual(['No faults found.'])
    expect(sentences(await fhir.send('POST', `/Patient/${stored.id}/$validate?mode=update`, { ...patient, id: stored.id }))).toEqual(['No faults found.'])
    expect(errorsOf(await fhir.send('POST', `/Patient/${stored.id}/$validate`, { ...patient, id: 'another' }))).toEqual(['value Patient.id'])
    expect((await fhir.send('GET', '/Patient/nobody/$validate')).status).toBe(404)
    const { body } = await fhir.send<Patient>('GET', `/Patient/${stored.id}`)
    expect(body.meta?.versionId).toBe('1')
  })

  test('create, update and delete are tried out and not done', async () => {
    const owned = { resourceType: 'ServiceRequest', status: 'active', intent: 'order', identifier: [{ system: ORDER_SYSTEM, value: '1' }], code: { text: 'x' }, subject: { display: 'x' } }
    const tried = await fhir.send('POST', '/ServiceRequest/$validate?mode=create', owned)
    expect(sentences(tried).join()).toContain('POST /api/orders/place')
    expect(errorsOf(tried)).toEqual(faultsOf(await fhir.send('POST', '/ServiceRequest', owned)))
    const stored = await fhir.create(patient)
    expect(sentences(await fhir.send('POST', `/Patient/${stored.id}/$validate?mode=delete`))).toEqual(['No faults found.'])
    expect((await fhir.send('GET', `/Patient/${stored.id}`)).status).toBe(200)
    expect(errorsOf(await fhir.send('POST', '/Patient/nobody/$validate?mode=delete'))).toEqual(['not-found'])
    const before = await fhir.ids('/Patient?name=Unstored')
    expect(sentences(await fhir.send('POST', '/Patient/$validate?mode=create', { ...patient, name: [{ family: 'Unstored' }] }))).toEqual(['No faults found.'])
    expect(await fhir.ids('/Patient?name=Unstored')).toEqual(before)
  })

  test('who may not write is told so', async () => {
    const lab = fhirClient((await hospital.signIn('lab')).fetch)
    const answer = await lab.send('POST', '/Medication/$validate?mode=create', { resourceType: 'Medication', text: patient.text, code: { text: 'x' } })
    expect(errorsOf(answer)).toEqual(['forbidden'])
  })

  test.each<[string, string, unknown, string[]]>([
    ['an unknown mode', '/Patient/$validate?mode=perhaps', patient, ['value']],
    ['mode profile without a profile', '/Patient/$validate?mode=profile', patient, ['required']],
    ['mode delete of a type', '/Patient/$validate?mode=delete', patient, ['invalid']],
    ['no resource', '/Patient/$validate', parameters({ name: 'mode', valueCode: 'create' }), ['required']],
    ['an unknown parameter', '/Patient/$validate?colour=red', patient, ['invalid']],
  ])('%s is refused', async (_what, path, body, faults) => {
    const answer = await fhir.send('POST', path, body)
    expect([answer.status, faultsOf(answer)]).toEqual([400, faults])
  })

  test('a resource of another type is a fault', async () => {
    expect(errorsOf(await fhir.send('POST', '/Observation/$validate', patient))).toEqual(['structure Patient'])
  })
})

describe('an installation that demands more', () => {
  let strict: TestHospital
  let client: FhirClient
  beforeAll(async () => {
    strict = await startTestHospital({ settings: { FHIR_PROFILES: `Observation=${BEDSIDE}`, FHIR_UNKNOWN_PROFILES: 'refuse', FHIR_REFERENCES: 'existing' } })
    client = fhirClient((await strict.asClient()).fetch)
    await loadPackage(strict.hospital.services, await readFile(await guide()))
  })
  afterAll(() => strict?.close())

  test('every resource of a type fits the profile, named or not', async () => {
    const plain = { resourceType: 'Observation', status: 'final', code: glucose.code }
    expect(faultsOf(await client.send('POST', '/Observation', plain))).toContain('required Observation.method')
    expect((await client.send('POST', '/Observation', { ...glucose, meta: undefined })).status).toBe(201)
  })

  test('a profile that is not loaded is refused', async () => {
    const answer = await client.send('POST', '/Patient', { resourceType: 'Patient', meta: { profile: ['http://guide.example/unheard'] }, active: true })
    expect(faultsOf(answer)).toEqual(['not-found Patient'])
  })

  test('what a resource refers to is there, or comes with it', async () => {
    const dangling = { ...glucose, subject: { reference: 'Patient/nobody' } }
    expect(faultsOf(await client.send('POST', '/Observation', dangling))).toEqual(['not-found Observation.subject'])
    expect(errorsOf(await client.send('POST', '/Observation/$validate', dangling))).toEqual(['not-found Observation.subject'])
    const stored = await client.create({ resourceType: 'Patient', name: [{ family: 'There' }] })
    expect((await client.send('POST', '/Observation', { ...glucose, subject: { reference: `Patient/${stored.id}` } })).status).toBe(201)
    const urn = 'urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0'
    const entry = (fullUrl: string, resource: { resourceType: string }) => ({ fullUrl, resource, request: { method: 'POST', url: resource.resourceType } })
    const together = (subject: string) => ({
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [entry(urn, { resourceType: 'Patient', ...{ name: [{ family: 'Together' }] } }), entry('urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e1', { ...glucose, ...{ subject: { reference: subject } } })],
    })
    expect((await client.send('POST', '/', together(urn))).status).toBe(200)
    expect(faultsOf(await client.send('POST', '/', together('Patient/nobody')))).toEqual(['not-found Bundle.entry[1].resource.subject'])
    expect((await client.send('DELETE', `/Patient/${stored.id}`)).status).toBe(204)
    expect(faultsOf(await client.send('POST', '/Observation', { ...glucose, subject: { reference: `Patient/${stored.id}` } }))).toEqual(['not-found Observation.subject'])
  })
})
