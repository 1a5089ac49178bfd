import { getChart } from '@carespine/chart/contract'
import { listEncounters, startEncounter } from '@carespine/encounters/contract'
import type { Bundle, Resource } from '@carespine/fhir/resource'
import { collectSpecimen, enterResults, getReport, getWorklist, Queue, receiveSpecimen, releaseResult } from '@carespine/lab/contract'
import { getNotification, listNotifications } from '@carespine/notifications/contract'
import { placeOrder } from '@carespine/orders/contract'
import { addAllergy, getBanner, registerPatient } from '@carespine/registration/contract'
import { addClient } from '@carespine/identity/accounts'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fhirClient, type FhirClient } from './fhir-client.ts'
import { BRANCHES, type SignedInUser, startTestHospital, type TestHospital } from './test-hospital.ts'

const SECRET = 'Xanthochromia'

let hospital: TestHospital
let provider: SignedInUser
let lab: SignedInUser
let stranger: SignedInUser
let ours: FhirClient
let theirs: FhirClient
let patientId = ''
let encounterId = ''
let reportId = ''
let alertId = ''
const colleaguesEvents: string[] = []
const strangersEvents: string[] = []

/** A client of one branch alone, or of several, with every permission: only the branch may hold it back. */
async function clientOf(branch: string, branches = [branch]): Promise<FhirClient> {
  const { services } = hospital.hospital
  const origin = { correlationId: 'branch-client', action: 'test.client', module: 'identity' }
  const client = await services.transact(services.system('identity'), origin, ({ tx }) =>
    addClient(tx, { display: 'One branch', roles: ['system'], branch, branches }),
  )
  const answer = await fetch(`${hospital.url}/oauth2/token`, { method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials', ...client }) })
  const { access_token } = (await answer.json()) as { access_token: string }
  return fhirClient((path, init) => fetch(hospital.url + path, { ...init, headers: { ...init?.headers, authorization: `Bearer ${access_token}` } }))
}

beforeAll(async () => {
  hospital = await startTestHospital()
  provider = await hospital.signIn('provider')
  lab = await hospital.signIn('lab')
  stranger = await hospital.signIn('provider', 'other')
  ;[ours, theirs] = await Promise.all([clientOf(BRANCHES.main), clientOf(BRANCHES.other)])
  for (const [user, events] of [[provider, colleaguesEvents], [stranger, strangersEvents]] as const) {
    ;(await user.listen()).socket.onAny((name: string) => events.push(name))
  }

  const hub = await hospital.signIn('hub')
  ;({ patientId } = await hub.call(registerPatient, { name: { family: 'Branchless', given: 'Bo' }, sex: 'male', birthDate: '1970-01-01' }))
  await provider.call(addAllergy, { patientId, substance: SECRET })
  ;({ encounterId } = await provider.call(startEncounter, { patientId, reason: SECRET }))
  const { orders } = await provider.call(placeOrder, { encounterId, panels: ['cbc'] })
  const orderId = orders[0]?.orderId ?? ''
  await hospital.settle()
  const { accession } = await lab.call(collectSpecimen, { orderId })
  await lab.call(receiveSpecimen, { accession })
  const results = { '6690-2': 7, '789-8': 4.6, '718-7': 6.1, '4544-3': 41, '787-2': 88, '785-6': 29, '786-4': 33, '788-0': 13, '777-3': 250 }
  await lab.call(enterResults, { orderId, values: Object.entries(results).map(([code, value]) => ({ code, value })) })
  ;({ reportId } = await lab.call(releaseResult, { orderId }))
  await hospital.settle()
  alertId = (await provider.call(listNotifications, {})).notifications.find(({ type }) => type === 'lab.critical')?.id ?? ''
})
afterAll(() => hospital?.close())

const clinicalTypes = ['Encounter', 'AllergyIntolerance', 'ServiceRequest', 'Specimen', 'Observation', 'DiagnosticReport', 'Task'] as const

describe('another branch', () => {
  test('sees the shared person, and of each clinical type neither resources nor their number', async () => {
    expect((await theirs.send('GET', `/Patient/${patientId}`)).status).toBe(200)
    for (const type of clinicalTypes) {
      const known = await ours.search(`/${type}?_total=accurate`)
      expect(known.total, type).toBeGreaterThan(0)
      const hidden = await theirs.search(`/${type}?_total=accurate`)
      expect([type, hidden.total, hidden.entry]).toEqual([type, 0, undefined])
      expect((await theirs.search(`/${type}?_summary=count`)).total, type).toBe(0)
      expect(await theirs.ids(`/${type}?patient=${patientId}`), type).toEqual([])

      const id = known.entry?.[0]?.resource?.id ?? ''
      expect(await theirs.ids(`/${type}?_id=${id}`), type).toEqual([])
      for (const path of [`/${type}/${id}`, `/${type}/${id}/_history/1`, `/${type}/${id}/_history`]) {
        expect((await ours.send('GET', path)).status, path).toBe(200)
        const answer = await theirs.send('GET', path)
        expect(answer.status, path).toBe(404)
        expect(answer.text).not.toContain(patientId)
      }
    }
  })

  test('gets nothing hidden by way of what it may see', async () => {
    const along = '_revinclude=Encounter:patient&_revinclude=Observation:patient&_revinclude=AllergyIntolerance:patient'
    const modes = (bundle: Bundle) => bundle.entry?.filter(({ search }) => search?.mode === 'include').length
    expect(modes(await ours.search(`/Patient?_id=${patientId}&${along}`))).toBeGreaterThan(9)
    expect(modes(await theirs.search(`/Patient?_id=${patientId}&${along}`))).toBe(0)
    const everything = await theirs.search(`/Patient/${patientId}/$everything`)
    expect(everything.entry?.map(({ resource }) => resource?.resourceType)).toEqual(['Patient'])
    expect((await ours.search(`/Patient/${patientId}/$everything`)).entry?.length).toBeGreaterThan(15)

    // A reference of its own to a hidden visit does not open the visit.
    const observation = await theirs.create({
      resourceType: 'Observation',
      status: 'final',
      code: { text: 'pulse' },
      subject: { reference: `Patient/${patientId}` },
      encounter: { reference: `Encounter/${encounterId}` },
    })
    const page = await theirs.search(`/Observation?_id=${observation.id}&_include=Observation:encounter`)
    expect(page.entry?.map(({ resource }) => resource?.resourceType)).toEqual(['Observation'])
    const batch = { resourceType: 'Bundle', type: 'batch', entry: [{ request: { method: 'GET', url: `Encounter/${encounterId}` } }] }
    expect((await theirs.send<Bundle>('POST', '/', batch)).body.entry?.[0]?.response?.status).toBe('404')
  })

  test('can neither change, delete nor take the place of what it does not see', async () => {
    const encounter: Resource = { resourceType: 'Encounter', id: encounterId, status: 'cancelled', class: { code: 'AMB' } }
    expect((await theirs.send('PUT', `/Encounter/${encounterId}`, encounter, { 'if-match': 'W/"1"' })).status).toBe(412)
    expect((await theirs.send('DELETE', `/Encounter/${encounterId}`)).status).toBe(204)
    // That an id is taken elsewhere does not show: it answers as one that nobody has.
    const nobodys = { ...encounter, id: 'nobody-has-this' }
    for (const one of [encounter, nobodys]) {
      const put = await theirs.send('PUT', `/Encounter/${one.id}`, one)
      expect([put.status, put.body.meta?.versionId]).toEqual([201, '1'])
      expect((await theirs.search(`/Encounter/${one.id}/_history`)).entry).toHaveLength(1)
      expect((await theirs.send('DELETE', `/Encounter/${one.id}`)).status).toBe(204)
    }
    expect((await ours.send<{ status: string } & Resource>('GET', `/Encounter/${encounterId}`)).body.status).toBe('in-progress')
    expect((await ours.search(`/Encounter/${encounterId}/_history`)).entry?.every(({ request }) => request?.method !== 'DELETE')).toBe(true)
  })

  test('finds nothing clinical in charts, banners, lists and work lists', async () => {
    const chart = await stranger.call(getChart, { patientId })
    expect([...chart.reports, ...chart.encounters, ...chart.allergies, ...chart.pendingOrders, ...chart.alerts]).toEqual([])
    expect(chart.trends.flatMap(({ points }) => points)).toEqual([])
    expect(JSON.stringify(chart)).not.toContain(SECRET)
    expect((await stranger.call(getBanner, { patientId })).allergies).toEqual([])
    expect((await stranger.call(listEncounters, { patientId })).encounters).toEqual([])
    await expect(stranger.call(getReport, { reportId })).rejects.toMatchObject({ status: 404 })
    const theirLab = await hospital.signIn('lab', 'other')
    for (const queue of Queue.options) {
      expect((await theirLab.call(getWorklist, { queue })).rows, queue).toEqual([])
    }
    expect((await lab.call(getWorklist, { queue: 'call' })).rows).toHaveLength(1)
    await expect(theirLab.call(enterResults, { orderId: 'any', values: [{ code: '718-7', value: 1 }] })).rejects.toMatchObject({ status: 404 })
  })

  test('is told of no alert, neither in the list nor by id nor live', async () => {
    expect(alertId).not.toBe('')
    expect((await stranger.call(listNotifications, { open: false })).notifications).toEqual([])
    await expect(stranger.call(getNotification, { id: alertId })).rejects.toMatchObject({ status: 404 })
    expect(colleaguesEvents).toContain('critical_alert')
    expect(strangersEvents).toEqual([])
  })
})

describe('one id in two branches', () => {
  const observation = (text: string): Resource => ({
    resourceType: 'Observation',
    id: 'twin',
    status: 'final',
    code: { text },
    subject: { reference: `Patient/${patientId}` },
  })
  const textOf = (resource: Resource | undefined): string | undefined => (resource as { code?: { text?: string } } | undefined)?.code?.text
  let both: FhirClient
  let bothFromThere: FhirClient

  beforeAll(async () => {
    both = await clientOf(BRANCHES.main, [BRANCHES.main, BRANCHES.other])
    bothFromThere = await clientOf(BRANCHES.other, [BRANCHES.main, BRANCHES.other])
    expect((await theirs.send('PUT', '/Observation/twin', observation('theirs'))).status).toBe(201)
    expect((await ours.send('PUT', '/Observation/twin', observation('ours'))).status).toBe(201)
    expect((await ours.send('PUT', '/Observation/twin', observation('ours again'))).status).toBe(200)
  })

  test('is two resources, each with its own versions', async () => {
    expect(textOf((await ours.send('GET', '/Observation/twin')).body)).toBe('ours again')
    expect(textOf((await theirs.send('GET', '/Observation/twin')).body)).toBe('theirs')
    expect((await ours.search('/Observation/twin/_history')).entry).toHaveLength(2)
    expect((await theirs.search('/Observation/twin/_history')).entry).toHaveLength(1)
    expect((await theirs.send('GET', '/Observation/twin/_history/2')).status).toBe(404)
    expect((await theirs.send('PUT', '/Observation/twin', observation('x'), { 'if-match': 'W/"2"' })).status).toBe(412)
  })

  test('who sees both means that of its own branch, in every way of reading', async () => {
    for (const [client, meant, other, versions] of [[both, 'ours again', 'theirs', 2], [bothFromThere, 'theirs', 'ours again', 1]] as const) {
      expect(textOf((await client.send('GET', '/Observation/twin')).body)).toBe(meant)
      expect((await client.search('/Observation/twin/_history')).entry).toHaveLength(versions)
      for (const query of ['_id=twin', `patient=${patientId}&_count=1000`, '_count=1000', `subject:Patient.family=Branchless&_count=1000`]) {
        const texts = (await client.search(`/Observation?${query}`)).entry?.map(({ resource }) => textOf(resource))
        expect(texts, query).toContain(meant)
        expect(texts, query).not.toContain(other)
      }
      const { total, entry } = await client.search('/Observation?_id=twin&_total=accurate')
      expect([total, entry?.length]).toEqual([1, 1])
      const everything = await client.search(`/Patient/${patientId}/$everything?_count=1000`)
      expect(everything.entry?.filter(({ resource }) => resource?.id === 'twin').map(({ resource }) => textOf(resource))).toEqual([meant])
      const batch = { resourceType: 'Bundle', type: 'batch', entry: [{ request: { method: 'GET', url: 'Observation/twin' } }] }
      expect(textOf((await client.send<Bundle>('POST', '/', batch)).body.entry?.[0]?.resource)).toBe(meant)
    }
  })

  test('who sees both changes and deletes that of its own branch alone', async () => {
    expect((await both.send('PUT', '/Observation/twin', observation('ours, third'), { 'if-match': 'W/"2"' })).status).toBe(200)
    expect((await bothFromThere.send('DELETE', '/Observation/twin')).status).toBe(204)
    expect((await bothFromThere.send('GET', '/Observation/twin')).status).toBe(410)
    expect(await bothFromThere.ids('/Observation?_id=twin')).toEqual([])
    expect(textOf((await both.send('GET', '/Observation/twin')).body)).toBe('ours, third')
    expect((await theirs.send('GET', '/Observation/twin')).status).toBe(410)
  })
})

describe('every table', () => {
  /** Tables that have a column `branch` and no row-level security, each with its reason in the migration that made it. */
  const open = ['bus.dead_letter', 'bus.outbox', 'identity.client', 'identity.user_account', 'identity.ward_computer', 'store.branch_key', 'subscriptions.event', 'subscriptions.subscription']
  let rows: { name: string; has_branch: boolean; secured: boolean; policies: number; comment: string | null; granted: boolean; owner: string }[] = []
  let database: pg.Client

  beforeAll(async () => {
    database = new pg.Client({ connectionString: hospital.databaseUrl })
    await database.connect()
    ;({ rows } = await database.query(`
      select n.nspname || '.' || c.relname as name, c.relrowsecurity as secured, obj_description(c.oid, 'pg_class') as comment,
        exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'branch' and not a.attisdropped) as has_branch,
        (select count(*)::int from pg_policy p where p.polrelid = c.oid and p.polroles @> array[r.oid]
          and pg_get_expr(p.polqual, p.polrelid) like '%branch = ANY%store.branches()%') as policies,
        has_table_privilege(r.oid, c.oid, 'select, insert, update, delete, truncate') as granted,
        pg_get_userbyid(c.relowner) as owner
      from pg_class c join pg_namespace n on n.oid = c.relnamespace cross join pg_roles r
      where c.relkind in ('r', 'p', 'm', 'v', 'f') and r.rolname = 'carespine_app'
        and n.nspname not in ('pg_catalog', 'information_schema') order by 1`))
  })
  afterAll(() => database?.end())

  test('that carries a branch is behind row-level security', () => {
    expect(rows.length).toBeGreaterThan(300)
    const branched = rows.filter(({ name, has_branch }) => has_branch && !open.includes(name))
    expect(branched.length).toBeGreaterThan(290)
    expect(branched.filter(({ secured, policies }) => !secured || policies !== 1).map(({ name }) => name)).toEqual([])
    expect(rows.filter(({ name }) => open.includes(name)).map(({ name }) => name)).toEqual(open)
  })

  test('that carries none, or is open all the same, says why', () => {
    const unsaid = rows.filter(({ secured, comment }) => !secured && !comment?.startsWith('No branch: '))
    expect(unsaid.map(({ name }) => name)).toEqual([])
  })

  test('is out of reach of a server role that could step around its policy', async () => {
    const { rows: roles } = await database.query(
      "select rolsuper, rolbypassrls, rolcreaterole, rolcanlogin from pg_roles where rolname = 'carespine_app'",
    )
    expect(roles).toEqual([{ rolsuper: false, rolbypassrls: false, rolcreaterole: false, rolcanlogin: false }])
    expect(rows.filter(({ owner }) => owner === 'carespine_app')).toEqual([])
    const { rows: definers } = await database.query(
      "select proname from pg_proc p join pg_namespace n on n.oid = pronamespace where prosecdef and nspname not in ('pg_catalog', 'information_schema')",
    )
    // It answers whether anything was ever stored, and nothing of what.
    expect(definers).toEqual([{ proname: 'holds_records' }])
    const { rows: truncate } = await database.query(
      "select table_schema || '.' || table_name as name from information_schema.role_table_grants where grantee = 'carespine_app' and privilege_type in ('TRUNCATE', 'TRIGGER', 'REFERENCES')",
    )
    expect(truncate).toEqual([])
  })

  test('shows nothing to the server role before it is told its branches, and refuses rows of others', async () => {
    await database.query('begin; set local role carespine_app')
    const { rows: seen } = await database.query('select (select count(*)::int from fhir.encounter) + (select count(*)::int from fhir.patient) as count')
    expect(seen[0].count).toBe(0)
    await database.query("select set_config('carespine.branches', $1, true)", [`{${BRANCHES.other}}`])
    expect((await database.query('select 1 from fhir.encounter where branch <> $1', [BRANCHES.other])).rows).toEqual([])
    await expect(
      database.query('insert into store.patient_clock (patient, branch, at, types) values (gen_random_uuid(), $1, now(), $2)', [BRANCHES.main, []]),
    ).rejects.toMatchObject({ code: '42501' })
    await database.query('rollback')
    await database.query('begin; set local role carespine_app')
    await expect(database.query("update audit.entry set action = 'x'")).rejects.toMatchObject({ code: '42501' })
    await database.query('rollback')
  })
})
