import { randomUUID } from 'node:crypto'
import { addUser } from '@carespine/identity/accounts'
import { breakGlass, endGlass, listConsents, listGlasses, listRestrictions, liftRestriction, myGlass, recordConsent, restrictPatient, reviewGlass, saveTeam, withdrawConsent } from '@carespine/access/contract'
import { getChart } from '@carespine/chart/contract'
import { listUsers } from '@carespine/identity/contract'
import { findByIdentifier, getBanner, MRN_SYSTEM, registerPatient, searchPatients } from '@carespine/registration/contract'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BRANCHES, PASSWORD, type SignedInUser, startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
let admin: SignedInUser
let desk: SignedInUser
let doctor: SignedInUser
let nurse: SignedInUser
let elsewhere: SignedInUser
let client: SignedInUser
let ids: Record<string, string> = {}
let patient = { patientId: '', mrn: '' }
let observation = ''

async function send(by: SignedInUser, method: string, path: string, body?: object): Promise<{ status: number; text: string; body: Record<string, unknown> }> {
  const response = await by.fetch(`/fhir/R4${path}`, { method, ...(body ? { headers: { 'content-type': 'application/fhir+json' }, body: JSON.stringify(body) } : {}) })
  const text = await response.text()
  return { status: response.status, text, body: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {} }
}

const note = (text: string, about: string): object => ({ resourceType: 'Observation', status: 'final', code: { text }, subject: { reference: `Patient/${about}` }, effectiveDateTime: '2026-01-01T10:00:00Z' })

async function made(by: SignedInUser, text: string, about: string): Promise<string> {
  const { status, body, text: answer } = await send(by, 'POST', '/Observation', note(text, about))
  if (status !== 201) throw new Error(answer)
  return body.id as string
}

const refusal = (asked: Promise<unknown>): Promise<string> => asked.then(() => 'done', (error: Error) => error.message)

beforeAll(async () => {
  hospital = await startTestHospital()
  const { services } = hospital.hospital
  await services.transact(services.system('identity'), { correlationId: randomUUID(), action: 'test.fill', module: 'identity' }, async ({ tx }) => {
    tx.write({ resourceType: 'Practitioner', id: 'team-doctor' })
    await addUser(tx, { email: 'team@main.example', password: PASSWORD, display: 'Team doctor', roles: ['provider'], branches: [BRANCHES.main], branch: BRANCHES.main, practitioner: 'team-doctor' })
  })
  ;[admin, desk, doctor, nurse, elsewhere, client] = await Promise.all([
    hospital.signIn('admin'),
    hospital.signIn('hub'),
    hospital.signIn('provider'),
    hospital.signIn('nurse'),
    hospital.signIn('provider', 'other'),
    hospital.asClient(),
  ])
  ids = Object.fromEntries((await admin.call(listUsers, {})).users.map(({ email, id }) => [email, id]))
  patient = await desk.call(registerPatient, { name: { given: 'Hidda', family: 'Verborgen' }, sex: 'female', birthDate: '1970-05-05' })
  observation = await made(doctor, 'known to few', patient.patientId)
  await send(doctor, 'PUT', `/Observation/${observation}`, { ...note('known to few', patient.patientId), id: observation })
})
afterAll(() => hospital?.close())

/** Without the link to the search itself, which says what was asked for. */
const found = (text: string): string => JSON.stringify((JSON.parse(text) as { entry?: unknown[] }).entry ?? [])

/** Every way to a patient; each answers with what a stranger to them must not be told. */
const ways: Record<string, (by: SignedInUser) => Promise<string>> = {
  'the patient': async (by) => (await send(by, 'GET', `/Patient/${patient.patientId}`)).text,
  'a resource': async (by) => (await send(by, 'GET', `/Observation/${observation}`)).text,
  'an earlier version': async (by) => (await send(by, 'GET', `/Observation/${observation}/_history/1`)).text,
  'history of a resource': async (by) => (await send(by, 'GET', `/Observation/${observation}/_history`)).text,
  'history of a type': async (by) => (await send(by, 'GET', '/Observation/_history')).text,
  'a search': async (by) => (await send(by, 'GET', `/Observation?patient=${patient.patientId}`)).text,
  'a search by text': async (by) => (await send(by, 'GET', '/Observation?code:text=known')).text,
  'a search by POST': async (by) => {
    const response = await by.fetch('/fhir/R4/Patient/_search', { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'family=Verborgen' })
    return found(await response.text())
  },
  'a chain': async (by) => found((await send(by, 'GET', '/Observation?subject:Patient.family=Verborgen')).text),
  'a reverse chain': async (by) => (await send(by, 'GET', '/Patient?_has:Observation:patient:code:text=known')).text,
  'what comes along': async (by) => (await send(by, 'GET', '/Observation?date=2026-01-01&_include=Observation:subject')).text,
  'what refers to it': async (by) => (await send(by, 'GET', '/Patient?gender=female&_revinclude=Observation:subject')).text,
  'everything of the patient': async (by) => (await send(by, 'GET', `/Patient/${patient.patientId}/$everything`)).text,
  'the compartment': async (by) => (await send(by, 'GET', `/Patient/${patient.patientId}/Observation`)).text,
  GraphQL: async (by) => (await send(by, 'POST', '/$graphql', { query: `{ PatientList(family: "Verborgen") { name { family } } Patient(id: "${patient.patientId}") { name { family } } }` })).text,
  'a batch': async (by) => (await send(by, 'POST', '/', { resourceType: 'Bundle', type: 'batch', entry: [{ request: { method: 'GET', url: `Observation/${observation}` } }] })).text,
  'the chart': async (by) => JSON.stringify(await by.call(getChart, { patientId: patient.patientId }).catch(({ message }) => message)),
  'the banner': async (by) => JSON.stringify(await by.call(getBanner, { patientId: patient.patientId }).catch(({ message }) => message)),
  'the search of the portals': async (by) => JSON.stringify(await by.call(searchPatients, { text: 'Verborgen' })),
  'the record number': async (by) => JSON.stringify(await by.call(findByIdentifier, { system: MRN_SYSTEM, value: patient.mrn })),
}
const shows = async (by: SignedInUser): Promise<string[]> => {
  const seen: string[] = []
  for (const [way, ask] of Object.entries(ways)) if (/Verborgen|known to few|VERBORGEN/.test(await ask(by))) seen.push(way)
  return seen
}
const count = async (by: SignedInUser, path: string): Promise<unknown> => (await send(by, 'GET', path)).body.total

describe('a patient who is closed to all but a team', () => {
  let restrictionId = ''

  test('is seen in every way before, so that what follows is a difference', async () => {
    expect(await shows(doctor)).toEqual(Object.keys(ways))
    expect(await count(doctor, `/Observation?patient=${patient.patientId}&_summary=count`)).toBe(1)
  })

  test('is seen by no way and in no count by others, within a moment', async () => {
    const { teamId } = await admin.call(saveTeam, { name: 'Royal team', nameArabic: 'الفريق الخاص', members: [ids['team@main.example'] ?? ''] })
    ;({ restrictionId } = await admin.call(restrictPatient, { mrn: patient.mrn, kind: 'vip', teams: [teamId], people: [ids['nurse@main.example'] ?? ''], reason: 'Head of state' }))
    for (const by of [doctor, elsewhere, client]) expect(await shows(by)).toEqual([])
    for (const path of [`/Observation?patient=${patient.patientId}&_summary=count`, '/Patient?family=Verborgen&_summary=count', '/Observation?_summary=count', '/Patient?_total=accurate&family=Verborgen']) {
      expect([path, await count(doctor, path)]).toEqual([path, 0])
    }
    expect((await send(doctor, 'GET', `/Observation/${observation}`)).status).toBe(404)
    expect(await refusal(doctor.call(getChart, { patientId: patient.patientId }))).toBe('RECORD_NOT_FOUND')
  })

  test('is written to by none of them', async () => {
    expect((await send(doctor, 'POST', '/Observation', note('slipped in', patient.patientId))).status).toBe(403)
    expect((await send(doctor, 'PUT', `/Observation/${observation}`, { ...note('overwritten', patient.patientId), id: observation })).status).not.toBe(200)
    expect((await send(doctor, 'DELETE', `/Observation/${observation}`)).text).not.toContain('known')
    expect((await send(nurse, 'GET', `/Observation/${observation}`)).body).toMatchObject({ code: { text: 'known to few' } })
  })

  test('is seen by the team and by who is named, as before', async () => {
    for (const by of [await hospital.signInAs('team@main.example', 'provider'), nurse]) {
      expect((await send(by, 'GET', `/Observation/${observation}`)).status).toBe(200)
      expect(await count(by, `/Observation?patient=${patient.patientId}&_summary=count`)).toBe(1)
    }
  })

  test('is in no bulk export of others', async () => {
    const kicked = await client.fetch('/fhir/R4/$export?_type=Patient,Observation', { headers: { accept: 'application/fhir+json', prefer: 'respond-async' } })
    const place = new URL(kicked.headers.get('content-location') ?? '').pathname
    let answer = await client.fetch(place)
    for (let waited = 0; answer.status === 202 && waited < 20_000; waited += 100) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      answer = await client.fetch(place)
    }
    expect(answer.status).toBe(200)
    const { output } = (await answer.json()) as { output: { url: string }[] }
    const files = await Promise.all(output.map(async ({ url }) => await (await client.fetch(new URL(url).pathname)).text()))
    expect(files.join('\n')).not.toMatch(/Verborgen|known to few/)
  })

  test('stands on the list of who keeps the rules, who need not see the patient', async () => {
    expect((await admin.call(listRestrictions, {})).restrictions).toMatchObject([{ id: restrictionId, kind: 'vip', mrn: patient.mrn, reason: 'Head of state' }])
    expect(JSON.stringify(await admin.call(searchPatients, { text: 'Verborgen' }))).not.toContain(patient.mrn)
    expect(await refusal(doctor.call(restrictPatient, { mrn: patient.mrn, kind: 'vip', reason: 'Because I say so' }))).toBe('PERMISSION_MISSING')
  })

  test('is opened in an emergency to one person, for that patient alone, and closes again', async () => {
    const other = await desk.call(registerPatient, { name: { given: 'Andera', family: 'Versteckt' }, sex: 'female', birthDate: '1960-01-01' })
    await admin.call(restrictPatient, { mrn: other.mrn, kind: 'vip', reason: 'Another of them' })
    expect(await refusal(doctor.call(breakGlass, { mrn: 'MRN-NOBODY', reason: 'life-threat', words: 'Unconscious in the hall' }))).toBe('ACCESS_PATIENT_UNKNOWN')
    const { glassId, patientId } = await doctor.call(breakGlass, { mrn: patient.mrn, reason: 'life-threat', words: 'Unconscious in the hall' })
    expect(patientId).toBe(patient.patientId)
    expect(await shows(doctor)).toEqual(Object.keys(ways))
    expect(await shows(client)).toEqual([])
    expect((await send(doctor, 'GET', `/Patient/${other.patientId}`)).status).toBe(404)
    expect((await doctor.call(myGlass, {})).glasses).toMatchObject([{ id: glassId, mrn: patient.mrn }])
    await doctor.call(endGlass, { glassId })
    expect(await shows(doctor)).toEqual([])
    expect(await refusal(doctor.call(endGlass, { glassId }))).toBe('ACCESS_GLASS_OVER')
  })

  test('is closed again by the clock alone', async () => {
    const { glassId } = await doctor.call(breakGlass, { mrn: patient.mrn, reason: 'cover', words: 'Covering for the team tonight', hours: 1 })
    expect((await send(doctor, 'GET', `/Observation/${observation}`)).status).toBe(200)
    await asOwner("update store.admitted set until = now() - interval '1 second' where source = $1", [glassId])
    expect((await send(doctor, 'GET', `/Observation/${observation}`)).status).toBe(404)
  })

  test('leaves each use to be reviewed by somebody else, once', async () => {
    const { glasses } = await admin.call(listGlasses, {})
    expect(glasses.map(({ reason, words }) => [reason, words])).toEqual([
      ['cover', 'Covering for the team tonight'],
      ['life-threat', 'Unconscious in the hall'],
    ])
    const glassId = glasses[0]?.id ?? ''
    await admin.call(reviewGlass, { glassId, verdict: 'not-justified', comment: 'The team was on duty' })
    expect(await refusal(admin.call(reviewGlass, { glassId, verdict: 'justified', comment: 'Changed my mind' }))).toBe('ACCESS_GLASS_REVIEWED')
    expect((await admin.call(listGlasses, {})).glasses).toHaveLength(1)
    expect(await refusal(doctor.call(listGlasses, {}))).toBe('PERMISSION_MISSING')
    expect(await refusal(client.call(breakGlass, { mrn: patient.mrn, reason: 'other', words: 'I am a program' }))).toBe('ACCESS_PERSON_NEEDED')
  })

  test('is open to all again when the restriction is lifted', async () => {
    await admin.call(liftRestriction, { restrictionId, reason: 'Went home' })
    expect(await shows(doctor)).toEqual(Object.keys(ways))
    expect(await refusal(admin.call(liftRestriction, { restrictionId, reason: 'Went home' }))).toBe('ACCESS_RESTRICTION_UNKNOWN')
  })
})

test('nobody sees their own record in a portal of staff, nor opens it in an emergency; a colleague sees it', async () => {
  await admin.call(restrictPatient, { patientId: patient.patientId, kind: 'family', person: ids['provider@main.example'] ?? '', reason: 'Her mother' })
  expect(await shows(doctor)).toEqual([])
  expect((await send(nurse, 'GET', `/Observation/${observation}`)).status).toBe(200)
  expect(await refusal(doctor.call(breakGlass, { mrn: patient.mrn, reason: 'life-threat', words: 'It is my mother' }))).toBe('ACCESS_OWN_RECORD')
  const [{ id = '' } = {}] = (await admin.call(listRestrictions, {})).restrictions.filter(({ kind }) => kind === 'family')
  await admin.call(liftRestriction, { restrictionId: id, reason: 'A mistake' })
  expect((await send(doctor, 'GET', `/Observation/${observation}`)).status).toBe(200)
})

describe('what a patient says about sharing', () => {
  let both: SignedInUser
  let theirs = ''

  beforeAll(async () => {
    const { services } = hospital.hospital
    await services.transact(services.system('identity'), { correlationId: randomUUID(), action: 'test.fill', module: 'identity' }, async ({ tx }) => {
      tx.write({ resourceType: 'Practitioner', id: 'both' })
      await addUser(tx, { email: 'both@main.example', password: PASSWORD, display: 'Both', roles: ['provider'], branches: Object.values(BRANCHES), branch: BRANCHES.main, practitioner: 'both' })
    })
    both = await hospital.signInAs('both@main.example', 'provider')
    theirs = await made(elsewhere, 'made elsewhere', patient.patientId)
  })

  test('keeps apart what branches have, even from who works in both', async () => {
    expect((await send(both, 'GET', `/Observation/${theirs}`)).status).toBe(200)
    const { consentId } = await desk.call(recordConsent, { patientId: patient.patientId, kind: 'keep-apart' })
    expect((await send(both, 'GET', `/Observation/${theirs}`)).status).toBe(404)
    expect((await send(both, 'GET', `/Observation/${observation}`)).status).toBe(200)
    expect((await send(both, 'GET', `/Patient/${patient.patientId}`)).status).toBe(200)
    expect((await send(client, 'GET', `/Consent/${consentId}`)).body).toMatchObject({ status: 'active', provision: { type: 'deny' } })
    expect((await send(client, 'PUT', `/Consent/${consentId}`, { ...(await send(client, 'GET', `/Consent/${consentId}`)).body, status: 'inactive' })).text).toContain('/api/access/record-consent')
    expect((await desk.call(listConsents, { patientId: patient.patientId })).consents).toMatchObject([{ id: consentId, kind: 'keep-apart' }])
    await desk.call(withdrawConsent, { consentId })
    expect((await send(both, 'GET', `/Observation/${theirs}`)).status).toBe(200)
  })

  test('opens it to one branch, to read and not to write', async () => {
    expect((await send(elsewhere, 'GET', `/Observation/${observation}`)).status).toBe(404)
    expect(await refusal(desk.call(recordConsent, { patientId: patient.patientId, kind: 'share', branch: randomUUID() }))).toBe('ACCESS_BRANCH_UNKNOWN')
    const { consentId } = await desk.call(recordConsent, { patientId: patient.patientId, kind: 'share', branch: BRANCHES.other })
    expect((await send(elsewhere, 'GET', `/Observation/${observation}`)).body).toMatchObject({ code: { text: 'known to few' } })
    expect(await count(elsewhere, `/Observation?patient=${patient.patientId}&_summary=count`)).toBe(2)
    expect((await send(elsewhere, 'GET', `/Patient/${patient.patientId}/$everything`)).text).toContain('known to few')
    const { body } = await send(elsewhere, 'GET', `/Observation/${observation}`)
    expect((await send(elsewhere, 'PUT', `/Observation/${observation}`, { ...body, code: { text: 'changed from afar' } })).status).toBe(403)
    expect((await send(elsewhere, 'DELETE', `/Observation/${observation}`)).status).toBe(403)
    await desk.call(withdrawConsent, { consentId })
    expect((await send(elsewhere, 'GET', `/Observation/${observation}`)).status).toBe(404)
    expect((await send(elsewhere, 'GET', `/Patient/${patient.patientId}/$everything`)).text).not.toContain('known to few')
  })
})

async function asOwner(text: string, values: unknown[] = []): Promise<pg.QueryResult> {
  const owner = new pg.Client({ connectionString: hospital.databaseUrl })
  await owner.connect()
  try {
    return await owner.query(text, values)
  } finally {
    await owner.end()
  }
}
