import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { filesToImport, importFiles } from '@carespine/cli/import-files'
import type { Bundle, CapabilityStatement, Group, Observation, OperationOutcome, Patient, Resource } from '@carespine/fhir/resource'
import { addClient } from '@carespine/identity/accounts'
import { forgetBulkJobs } from '@carespine/link-fhir-api/forget-bulk-jobs'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bulkClient, namesOf } from './bulk-client.ts'
import { fhirClient, type FhirClient } from './fhir-client.ts'
import { BRANCHES, type SignedInUser, startTestHospital, type TestHospital } from './test-hospital.ts'

const SYNTHEA = fileURLToPath(new URL('../../shared/cases/synthea-r4.tar.gz', import.meta.url))

let hospital: TestHospital
let system: SignedInUser
let fhir: FhirClient
let bulk: ReturnType<typeof bulkClient>
let owner: pg.Client

const patients: (Patient & { id: string })[] = []
const observations: (Observation & { id: string })[] = []

const observation = (patient: string, code: string, value: number): Observation => ({
  resourceType: 'Observation',
  status: value > 50 ? 'final' : 'preliminary',
  subject: { reference: `Patient/${patient}` },
  code: { coding: [{ system: 'http://loinc.org', code }] },
  valueQuantity: { value },
})

beforeAll(async () => {
  hospital = await startTestHospital({ settings: { BULK_FILE_HOURS: '1' } })
  system = await hospital.asClient()
  fhir = fhirClient(system.fetch)
  bulk = bulkClient(hospital.url, system.fetch)
  owner = new pg.Client({ connectionString: hospital.databaseUrl })
  await owner.connect()
  for (let nth = 0; nth < 5; nth++) {
    const patient = await fhir.create<Patient>({ resourceType: 'Patient', name: [{ family: `Bulk${nth}` }], gender: nth % 2 ? 'male' : 'female', birthDate: '1970-01-01' })
    patients.push(patient)
    for (const value of [10, 60, 90]) observations.push(await fhir.create<Observation>(observation(patient.id, value === 90 ? '8867-4' : '718-7', value)))
  }
})
afterAll(async () => {
  await owner?.end()
  await hospital?.close()
})

async function clientWith(roles: string[], branches: string[]): Promise<ReturnType<typeof bulkClient>> {
  const { services } = hospital.hospital
  const client = await services.transact(services.system('identity'), { correlationId: randomUUID(), action: 'test.client', module: 'identity' }, ({ tx }) =>
    addClient(tx, { display: roles.join(), roles, branch: branches[0] ?? '', branches }),
  )
  return bulkClient(hospital.url, (await hospital.asClient(client)).fetch)
}

const issueOf = async (response: Response): Promise<{ status: number; said: string }> => {
  const { resourceType, issue } = (await response.json()) as OperationOutcome
  if (resourceType !== 'OperationOutcome') throw new Error('no OperationOutcome')
  return { status: response.status, said: issue.map(({ diagnostics }) => diagnostics).join(' ') }
}

describe('an export of the whole record', () => {
  test('holds every resource that the searches find, as it is read', async () => {
    const began = Date.now()
    const { manifest, resources } = await bulk.export('/$export')
    const types = [...new Set(resources.map(({ resourceType }) => resourceType))].toSorted()
    expect(types).toEqual(expect.arrayContaining(['Observation', 'Patient', 'Practitioner']))
    for (const type of types) {
      const { total } = await fhir.search(`/${type}?_summary=count`)
      expect([type, manifest.output.filter((file) => file.type === type).reduce((sum, { count }) => sum + count, 0)]).toEqual([type, total])
    }
    expect(new Set(namesOf(resources)).size).toBe(resources.length)
    const [one] = resources.filter(({ resourceType }) => resourceType === 'Observation')
    expect(one).toEqual((await fhir.send('GET', `/Observation/${one?.id}`)).body)
    expect(manifest).toMatchObject({ request: `${hospital.url}/fhir/R4/$export`, requiresAccessToken: true, error: [] })
    expect(Date.parse(manifest.transactionTime)).toBeGreaterThanOrEqual(began)
  })

  test('is asked for asynchronously, tells how far it is and until when its files are kept', async () => {
    const answer = await system.fetch('/fhir/R4/$export')
    expect(await issueOf(answer)).toEqual({ status: 400, said: expect.stringContaining('respond-async') })
    const status = await bulk.start('/$export?_type=Patient')
    const under = await bulk.fetch(status)
    expect(under.status).toBe(202)
    expect(under.headers.get('x-progress')).toBeTruthy()
    expect(Number(under.headers.get('retry-after'))).toBeGreaterThan(0)
    await bulk.wait(status)
    const done = await bulk.fetch(status)
    expect(done.headers.get('content-type')).toContain('application/json')
    const hours = (Date.parse(done.headers.get('expires') ?? '') - Date.now()) / 3_600_000
    expect(hours).toBeGreaterThan(0.9)
    expect(hours).toBeLessThan(1.1)
  })

  test('is posted as Parameters too', async () => {
    const body = JSON.stringify({ resourceType: 'Parameters', parameter: [{ name: '_type', valueString: 'Patient' }, { name: '_outputFormat', valueString: 'ndjson' }] })
    const { resources } = await bulk.export('/$export', { method: 'POST', body, headers: { 'content-type': 'application/fhir+json' } })
    expect(namesOf(resources)).toEqual(namesOf(patients))
  })

  test('is named in the capability statement', async () => {
    const { body } = await fhir.send<CapabilityStatement>('GET', '/metadata')
    expect(body.instantiates).toContain('http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data')
    const [rest] = body.rest ?? []
    expect(rest?.operation?.map(({ name }) => name)).toEqual(expect.arrayContaining(['export', 'import']))
    const operationsOf = (type: string) => rest?.resource?.find((one) => one.type === type)?.operation?.map(({ definition }) => definition)
    expect(operationsOf('Patient')).toContain('http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export')
    expect(operationsOf('Group')).toContain('http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export')
  })
})

describe('what is asked for', () => {
  test('_since: what changed after the last one, and what was deleted', async () => {
    const first = await bulk.export('/$export?_type=Observation')
    const [changed, gone] = [observations[0], await fhir.create<Observation>(observation(patients[0]?.id ?? '', '718-7', 1))]
    const second = await bulk.export('/$export?_type=Observation')
    await fhir.send('PUT', `/Observation/${changed?.id}`, { ...changed, valueQuantity: { value: 11 } })
    const added = await fhir.create<Observation>(observation(patients[0]?.id ?? '', '718-7', 2))
    await fhir.send('DELETE', `/Observation/${gone.id}`)
    const since = (time: string) => bulk.export(`/$export?_type=Observation&_since=${encodeURIComponent(time)}`)
    const third = await since(second.manifest.transactionTime)
    expect(namesOf(third.resources)).toEqual(namesOf([changed as Observation, added]))
    const deleted = await bulk.lines<Bundle>(third.manifest.deleted ?? [])
    expect(deleted.flatMap(({ entry = [] }) => entry.map(({ request }) => `${request?.method} ${request?.url}`))).toEqual([`DELETE Observation/${gone.id}`])
    expect(first.manifest.deleted).toBeUndefined()
    await fhir.send('DELETE', `/Observation/${added.id}`)
    expect((await since(third.manifest.transactionTime)).resources).toEqual([])
  })

  test('_typeFilter: searches of a type, any of which matches; other types whole', async () => {
    const filter = encodeURIComponent('Observation?code=http://loinc.org|8867-4&status=final,Observation?value-quantity=lt20')
    const { resources } = await bulk.export(`/$export?_type=Observation,Patient&_typeFilter=${filter}`)
    const wanted = observations.filter(({ code, valueQuantity }) => code.coding?.[0]?.code === '8867-4' || (valueQuantity?.value ?? 0) < 20)
    expect(wanted).toHaveLength(10)
    expect(namesOf(resources)).toEqual(namesOf([...wanted, ...patients]))
    const coarse = await bulk.export(`/$export?_type=Patient&_typeFilter=${encodeURIComponent('Patient?name:contains=ULK3')}`)
    expect(namesOf(coarse.resources)).toEqual(namesOf([patients[3] as Patient]))
  })

  test('_elements: named ones of all types or of one, marked as a part', async () => {
    const { resources } = await bulk.export('/$export?_type=Observation,Patient&_elements=id,Patient.gender')
    const patient = resources.find(({ resourceType }) => resourceType === 'Patient') as Patient
    expect(Object.keys(patient).toSorted()).toEqual(['gender', 'id', 'meta', 'resourceType'])
    expect(patient.meta?.tag?.[0]?.code).toBe('SUBSETTED')
    expect(Object.keys(resources.find(({ resourceType }) => resourceType === 'Observation') as object)).toEqual(expect.arrayContaining(['status', 'code']))
  })

  test('all patients: what is about somebody, and what is needed to understand it when it is named', async () => {
    const { resources } = await bulk.export('/Patient/$export')
    expect([...new Set(resources.map(({ resourceType }) => resourceType))].toSorted()).toEqual(['Observation', 'Patient'])
    const named = await bulk.export('/Patient/$export?_type=Patient,Practitioner')
    expect([...new Set(named.resources.map(({ resourceType }) => resourceType))].toSorted()).toEqual(['Patient', 'Practitioner'])
  })

  test('a group: its members of now, or some of them', async () => {
    const [first, second, third] = patients
    const member = (patient: Patient | undefined, inactive = false) => ({ entity: { reference: `Patient/${patient?.id}` }, inactive })
    const group = await fhir.create<Group>({ resourceType: 'Group', type: 'person', actual: true, member: [member(first), member(second), member(third, true)] })
    const { resources } = await bulk.export(`/Group/${group.id}/$export`)
    const of = (...whose: (Patient | undefined)[]): Resource[] => [
      ...whose.flatMap((one) => one ?? []),
      ...observations.filter(({ subject }) => whose.some((one) => subject?.reference === `Patient/${one?.id}`)),
    ]
    expect(namesOf(resources)).toEqual(namesOf(of(first, second)))
    const posted = (patient: Patient | undefined) => ({ method: 'POST', headers: { 'content-type': 'application/fhir+json' }, body: JSON.stringify({ resourceType: 'Parameters', parameter: [{ name: 'patient', valueReference: { reference: `Patient/${patient?.id}` } }] }) })
    expect(namesOf((await bulk.export(`/Group/${group.id}/$export`, posted(first))).resources)).toEqual(namesOf(of(first)))
    expect((await issueOf(await bulk.ask(`/Group/${group.id}/$export`, posted(third)))).said).toContain('not a member')
    expect(namesOf((await bulk.export('/Patient/$export', posted(second))).resources)).toEqual(namesOf(of(second)))
    expect((await bulk.ask('/Group/nobody/$export')).status).toBe(404)
  })

  test.each([
    ['_outputFormat=text/csv', '_outputFormat'],
    ['_type=Patient,Nothing', '_type'],
    ['_since=yesterday', '_since'],
    ['_since=2020-01-01&_since=2021-01-01', '_since'],
    ['_typeFilter=Patient', '_typeFilter'],
    ['_typeFilter=Nothing%3Fa%3Db', '_typeFilter'],
    ['_typeFilter=Patient%3Fnothing%3D1', 'nothing'],
    ['_typeFilter=Patient%3F_sort%3Dname', '_typeFilter'],
    ['_typeFilter=Patient%3F_include%3DPatient:organization', '_typeFilter'],
    ['_type=Patient&_typeFilter=Observation%3Fstatus%3Dfinal', '_typeFilter'],
    ['_elements=Patient.name.family', '_elements'],
    ['_elements=Patient.nothing', '_elements'],
    ['_elements=__proto__', '_elements'],
    ['includeAssociatedData=LatestProvenanceResources', 'includeAssociatedData'],
    ['organizeOutputBy=Patient', 'organizeOutputBy'],
    ['patient=Patient/1', 'patient'],
  ])('%s is refused, and what is wrong is named', async (query, named) => {
    const { status, said } = await issueOf(await bulk.ask(`/$export?${query}`))
    expect(status).toBe(400)
    expect(said).toContain(named)
  })

  test('so are more searches than anybody means', async () => {
    const searches = Array.from({ length: 101 }, () => 'Patient?gender=male').join(',')
    expect(await issueOf(await bulk.ask(`/$export?_typeFilter=${encodeURIComponent(searches)}`))).toEqual({ status: 400, said: expect.stringContaining('at most 100') })
  })

  test('what is not supported is left out, and said, for a lenient client', async () => {
    const response = await bulk.ask('/$export?_type=Patient&includeAssociatedData=RelevantProvenanceResources', { headers: { prefer: 'respond-async, handling=lenient' } })
    const status = response.headers.get('content-location') ?? ''
    expect(await issueOf(response)).toEqual({ status: 202, said: expect.stringContaining('Ignored: includeAssociatedData') })
    expect(namesOf(await bulk.lines((await bulk.wait(status)).output))).toEqual(namesOf(patients))
  })
})

describe('who sees what', () => {
  test('a narrower account exports the types that it may read, and is refused others that it names', async () => {
    const billing = await clientWith(['billing'], [BRANCHES.main])
    const { resources } = await billing.export('/$export')
    expect([...new Set(resources.map(({ resourceType }) => resourceType))]).toEqual(['Patient'])
    expect((await billing.ask('/$export?_type=Observation')).status).toBe(403)
    expect((await billing.ask(`/$export?_typeFilter=${encodeURIComponent('Observation?status=final')}`)).status).toBe(403)
    expect((await (await clientWith(['monitor'], [BRANCHES.main])).ask('/$export')).status).toBe(403)
  })

  test('an account that may no longer read what it asked for, or is closed, gets none of it', async () => {
    const { services } = hospital.hospital
    const client = await services.transact(services.system('identity'), { correlationId: randomUUID(), action: 'test.client', module: 'identity' }, ({ tx }) =>
      addClient(tx, { display: 'Narrowed', roles: ['system'], branch: BRANCHES.main, branches: [BRANCHES.main] }),
    )
    const narrowed = bulkClient(hospital.url, (await hospital.asClient(client)).fetch)
    const heldJob = async (): Promise<string> => {
      for (;;) {
        const status = await narrowed.start('/$export?_type=Observation')
        const { rowCount } = await owner.query("update bulk.job set due_at = 'infinity' where id = $1 and state = 'waiting'", [status.split('/').at(-1)])
        if (rowCount === 1) return status
        await narrowed.fetch(status, { method: 'DELETE' })
      }
    }
    const letGo = (status: string) => owner.query('update bulk.job set due_at = now() where id = $1', [status.split('/').at(-1)])
    const first = await heldJob()
    await owner.query("update identity.client set roles = '{billing}' where id = $1", [client.client_id])
    await letGo(first)
    await expect(narrowed.wait(first)).rejects.toThrow(/^500 .*lacks the permission/)
    await owner.query("update identity.client set roles = '{system}' where id = $1", [client.client_id])
    const second = await heldJob()
    await owner.query('update identity.client set active = false where id = $1', [client.client_id])
    await letGo(second)
    for (let waited = 0; waited < 5000; waited += 50) {
      const { rows } = await owner.query<{ state: string; error: string | null }>('select state, error from bulk.job where id = $1', [second.split('/').at(-1)])
      if (rows[0]?.state === 'failed') return expect(rows[0].error).toBe('FHIR_BULK_ACCOUNT_CLOSED')
      await new Promise((done) => setTimeout(done, 50))
    }
    throw new Error('the job went on')
  })

  test('another branch sees its own content, and neither the job nor its files; nor does another account', async () => {
    const status = await bulk.start('/$export?_type=Observation')
    const { output } = await bulk.wait(status)
    for (const branch of [BRANCHES.other, BRANCHES.main]) {
      const other = await clientWith(['system'], [branch])
      for (const address of [status, output[0]?.url ?? '']) expect(await issueOf(await other.fetch(address))).toMatchObject({ status: 404 })
      expect((await other.fetch(status, { method: 'DELETE' })).status).toBe(404)
      const { resources } = await other.export('/$export?_type=Observation,Patient')
      expect(resources.filter(({ resourceType }) => resourceType === 'Observation')).toHaveLength(branch === BRANCHES.main ? observations.length : 0)
    }
    const [group] = (await fhir.search('/Group')).entry ?? []
    expect((await (await clientWith(['system'], [BRANCHES.other])).ask(`/Group/${group?.resource?.id}/$export`)).status).toBe(404)
    expect((await fetch(status)).status).toBe(401)
    expect((await fetch(output[0]?.url ?? '')).status).toBe(401)
  })

  test('a link that was changed or has expired opens nothing', async () => {
    const { output } = await bulk.wait(await bulk.start('/$export?_type=Patient,Observation'))
    const url = new URL(output[0]?.url ?? '')
    const changed = (change: (copy: URL) => void): Promise<Response> => {
      const copy = new URL(url)
      change(copy)
      return bulk.fetch(copy.href)
    }
    expect((await bulk.fetch(url.href)).status).toBe(200)
    expect((await changed((copy) => copy.searchParams.set('expires', String(Date.now() + 9_000_000_000)))).status).toBe(403)
    expect((await changed((copy) => copy.searchParams.set('signature', 'x'))).status).toBe(403)
    expect((await changed((copy) => copy.searchParams.delete('signature'))).status).toBe(403)
    expect((await changed((copy) => (copy.pathname = copy.pathname.replace(/\d+$/, '2')))).status).toBe(403)
    const job = url.pathname.split('/').at(-2)
    await owner.query("update bulk.job set expires_at = now() - interval '1 minute' where id = $1", [job])
    expect(await issueOf(await bulk.fetch(url.href))).toMatchObject({ status: 404 })
  })

  test('a job that is deleted is gone with its files', async () => {
    const status = await bulk.start('/$export?_type=Patient')
    const { output } = await bulk.wait(status)
    expect((await bulk.fetch(status, { method: 'DELETE' })).status).toBe(202)
    for (const address of [status, output[0]?.url ?? '']) expect(await issueOf(await bulk.fetch(address))).toMatchObject({ status: 404 })
    expect((await bulk.fetch(status, { method: 'DELETE' })).status).toBe(404)
    const { services } = hospital.hospital
    await services.transact(services.system('fhir-api'), { correlationId: randomUUID(), action: forgetBulkJobs.name, module: 'fhir-api' }, (context) => forgetBulkJobs.run(context))
    const { rows } = await owner.query("select (select count(*)::int from bulk.job where state = 'cancelled' or expires_at < now()) as jobs, (select count(*)::int from bulk.chunk where job = $1) as chunks", [status.split('/').at(-1)])
    expect(rows).toEqual([{ jobs: 0, chunks: 0 }])
  })

  test('an account has five jobs under way at most', async () => {
    const busy = await clientWith(['system'], [BRANCHES.main])
    const answers = await Promise.all(Array.from({ length: 12 }, () => busy.ask('/$export?_type=Patient')))
    const later = await Promise.all(Array.from({ length: 3 }, () => busy.ask('/$export?_type=Patient')))
    const refused = [...answers, ...later].find(({ status }) => status === 429)
    expect(refused?.headers.get('retry-after')).toBe('60')
  })
})

test('the audit trail tells who asked, whose data went into the files, and who fetched them', async () => {
  const correlation = 'bulk-export-audit'
  const { output } = await bulk.wait(await bulk.start('/Patient/$export?_type=Patient,Observation', { headers: { prefer: 'respond-async', 'x-correlation-id': correlation } }))
  await bulk.lines(output)
  const { rows } = await owner.query<{ action: string; patient: string | null; actor: string }>('select action, patient, actor from audit.entry where correlation = $1 order by id', [correlation])
  expect(rows.filter(({ action }) => action === 'fhir.export').map(({ patient }) => patient).toSorted()).toEqual([...patients.map(({ id }) => id), null].toSorted())
  expect(new Set(rows.map(({ actor }) => actor))).toEqual(new Set([hospital.client.client_id]))
  const { rows: fetched } = await owner.query<{ type: string }>("select resource_type as type from audit.entry where action = 'fhir.bulk-file' and resource = $1 order by id", [output[0]?.url.split('/').at(-2)])
  expect(fetched.map(({ type }) => type)).toEqual(['Observation', 'Patient'])
})

test('what began before an export and was stored after it bears a later time, so that the next one has it', async () => {
  const { services } = hospital.hospital
  let letGo: () => void = () => undefined
  const held = new Promise<void>((done) => (letGo = done))
  let runs = 0
  const writing = services.transact(services.system('test', [BRANCHES.main]), { correlationId: randomUUID(), action: 'test.slow', module: 'test' }, async ({ tx }) => {
    runs += 1
    await held
    return tx.write<Observation>(observation(patients[0]?.id ?? '', '718-7', 77), { branch: BRANCHES.main })
  })
  const first = await bulk.export('/$export?_type=Observation')
  letGo()
  const slow = await writing
  expect(runs).toBe(2)
  expect(namesOf(first.resources)).not.toContain(`Observation/${slow.id}`)
  expect(Date.parse(slow.meta.lastUpdated)).toBeGreaterThan(Date.parse(first.manifest.transactionTime))
  const next = await bulk.export(`/$export?_type=Observation&_since=${encodeURIComponent(first.manifest.transactionTime)}`)
  expect(namesOf(next.resources)).toEqual([`Observation/${slow.id}`])
})

test('the metrics tell what is open and what the files take', async () => {
  const text = await (await fetch(`${hospital.url}/metrics`)).text()
  expect(text).toMatch(/^carespine_bulk_jobs_open \d+$/m)
  expect(Number(/^carespine_bulk_disk_bytes (\S+)$/m.exec(text)?.[1])).toBeGreaterThan(8192)
})

test('nothing of what is exported lies in the database in the clear', async () => {
  await bulk.wait(await bulk.start(`/$export?_typeFilter=${encodeURIComponent('Patient?name=Bulk3')}`))
  for (const table of ['job', 'file', 'chunk', 'touched']) {
    const { rows } = await owner.query<{ text: string }>(`select coalesce(string_agg(t::text, ' '), '') as text from bulk.${table} t`)
    for (const word of ['Bulk3', 'name=']) for (const form of [word, Buffer.from(word).toString('hex')]) expect(rows[0]?.text).not.toContain(form)
  }
})

test.skipIf(!existsSync(SYNTHEA))('forty Synthea records: as many of each type as the searches find', { timeout: 180_000 }, async () => {
  const cases = await mkdtemp(join(tmpdir(), 'carespine-synthea-'))
  execFileSync('tar', ['-xzf', SYNTHEA, '-C', cases])
  try {
    await importFiles(hospital.hospital.services, filesToImport(cases), { branch: BRANCHES.main })
  } finally {
    await rm(cases, { recursive: true, force: true })
  }
  const { manifest, resources } = await bulk.export('/$export')
  expect(resources.length).toBeGreaterThan(15_000)
  expect(new Set(namesOf(resources)).size).toBe(resources.length)
  for (const type of new Set(manifest.output.map((file) => file.type))) {
    const { total } = await fhir.search(`/${type}?_summary=count`)
    expect([type, resources.filter(({ resourceType }) => resourceType === type).length]).toEqual([type, total])
  }
})
