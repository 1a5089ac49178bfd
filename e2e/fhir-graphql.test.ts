import type { Bundle, CapabilityStatement, OperationOutcome, Patient, Resource } from '@carespine/fhir/resource'
import { idKey } from '@carespine/fhir/index-entries'
import { buildClientSchema, getIntrospectionQuery, type IntrospectionQuery, validateSchema } from 'graphql'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type FhirClient, fhirClient } from './fhir-client.ts'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

interface Answer<T = Record<string, never>> {
  data?: T
  errors?: { message: string; path?: (string | number)[]; extensions: { resource: OperationOutcome } }[]
}

let hospital: TestHospital
let fhir: FhirClient
/** Of the other branch: sees the patients, and no care given here. */
let elsewhere: FhirClient

beforeAll(async () => {
  hospital = await startTestHospital()
  fhir = fhirClient((await hospital.asClient()).fetch)
  elsewhere = fhirClient((await hospital.signIn('provider', 'other')).fetch)
})
afterAll(() => hospital.close())

const ask = (query: string, more: { variables?: object; operationName?: string; at?: string; by?: FhirClient } = {}) => {
  const { at = '', by = fhir, ...rest } = more
  return by.send<Answer>('POST', `${at}/$graphql`, { query, ...rest }, { 'content-type': 'application/json' })
}
const dataOf = async (query: string, more: Parameters<typeof ask>[1] = {}): Promise<unknown> => {
  const { status, body, text } = await ask(query, more)
  if (status !== 200 || body.errors) throw new Error(`${status} ${text}`)
  return body.data
}
const codes = ({ errors = [] }: Answer): string[] => errors.map(({ extensions }) => extensions.resource.issue[0]?.code ?? '')

const EXTENSION = 'http://example.org/born-at'
const example: Patient = {
  resourceType: 'Patient',
  identifier: [{ use: 'usual', system: 'urn:oid:1.2.36.146.595.217.0.1', value: '12345' }],
  active: true,
  name: [
    { use: 'official', family: 'Chalmers', given: ['Peter', 'James'] },
    { use: 'usual', given: ['Jim'] },
    { use: 'maiden', family: 'Windsor', given: ['Peter', 'James'], period: { end: '2002' } },
  ],
  birthDate: '1974-12-25',
  _birthDate: { extension: [{ url: EXTENSION, valueDateTime: '1974-12-25T14:35:45-05:00' }] },
} as Patient

describe('one resource', () => {
  let at: string

  beforeAll(async () => {
    at = `/Patient/${(await fhir.create(example)).id}`
  })

  test('fields, and extensions of primitives', async () => {
    expect(await dataOf('{ name { text given family } }', { at })).toEqual({
      name: [{ given: ['Peter', 'James'], family: 'Chalmers' }, { given: ['Jim'] }, { given: ['Peter', 'James'], family: 'Windsor' }],
    })
    expect(await dataOf('{ birthDate _birthDate { extension { valueDateTime } } }', { at })).toEqual({
      birthDate: '1974-12-25',
      _birthDate: { extension: [{ valueDateTime: '1974-12-25T14:35:45-05:00' }] },
    })
    expect(await dataOf('{ resourceType __typename name { __typename } }', { at })).toMatchObject({ resourceType: 'Patient', __typename: 'Patient', name: [{ __typename: 'HumanName' }, {}, {}] })
  })

  test('lists by field, FHIRPath, offset and count', async () => {
    expect(await dataOf('{ name(use: official) { family } }', { at })).toEqual({ name: [{ family: 'Chalmers' }] })
    expect(await dataOf('{ name(fhirpath: "family.exists()") { family } }', { at })).toEqual({ name: [{ family: 'Chalmers' }, { family: 'Windsor' }] })
    expect(await dataOf('{ name(fhirpath: "family.exists()", _offset: 1, _count: 5) { family } }', { at })).toEqual({ name: [{ family: 'Windsor' }] })
    expect(await dataOf('{ name(fhirpath: "$index = 1") { given } }', { at })).toEqual({ name: [{ given: ['Jim'] }] })
    expect(await dataOf('{ name(given: "Jim") { use } }', { at })).toEqual({ name: [{ use: 'usual' }] })
  })

  test('flattened as the specification has it', async () => {
    expect(await dataOf('{ identifier @flatten { system value } active name @flatten { text given family } }', { at })).toEqual({
      system: ['urn:oid:1.2.36.146.595.217.0.1'],
      value: ['12345'],
      active: true,
      given: ['Peter', 'James', 'Jim', 'Peter', 'James'],
      family: ['Chalmers', 'Windsor'],
    })
    expect(await dataOf('{ name @flatten { given @first family } }', { at })).toEqual({ given: ['Peter', 'Jim', 'Peter'], family: ['Chalmers', 'Windsor'] })
    expect(await dataOf('{ identifier @flatten { system @singleton value @singleton } active name @flatten @first { text given family @singleton } }', { at })).toEqual({
      system: 'urn:oid:1.2.36.146.595.217.0.1',
      value: '12345',
      active: true,
      given: ['Peter', 'James'],
      family: 'Chalmers',
    })
    const sliced = { 'given.official': ['Peter', 'James'], 'family.official': 'Chalmers', 'given.usual': ['Jim'], 'given.maiden': ['Peter', 'James'], 'family.maiden': 'Windsor' }
    expect(await dataOf('{ name @flatten @slice(path: "use") { given family @singleton } }', { at })).toEqual(sliced)
    expect(await dataOf('{ name @slice(fhirpath: "$index") @flatten { given @first @singleton family } }', { at })).toEqual({
      'given.0': 'Peter', 'family.0': ['Chalmers'], 'given.1': 'Jim', 'given.2': 'Peter', 'family.2': ['Windsor'],
    })
    const { status, body } = await ask('{ name @flatten { family @singleton } active }', { at })
    expect(status).toBe(200)
    expect(body.data).toEqual({ family: null, active: true })
    expect(codes(body)).toEqual(['multiple-matches'])
    const mixed = (await ask('{ name @flatten { x: family } identifier @flatten { x: use } }', { at })).body
    expect([mixed.data, codes(mixed)]).toEqual([{ x: null }, ['multiple-matches']])
  })

  test('skip, include, fragments and variables', async () => {
    const query = 'query Q($with: Boolean!, $use: code = "usual") { ...names birthDate @include(if: $with) active @skip(if: $with) } fragment names on Patient { name(use: $use) { given } }'
    expect(await dataOf(query, { at, variables: { with: true } })).toEqual({ name: [{ given: ['Jim'] }], birthDate: '1974-12-25' })
    expect(await dataOf(query, { at, variables: { with: false, use: 'maiden' }, operationName: 'Q' })).toEqual({ name: [{ given: ['Peter', 'James'] }], active: true })
  })

  test('every way to ask', async () => {
    const query = '{ birthDate }'
    const data = { data: { birthDate: '1974-12-25' } }
    const got = await fhir.send<Answer>('GET', `${at}/$graphql?query=${encodeURIComponent(query)}`)
    expect(got.body).toEqual(data)
    expect(got.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect((await fhir.send('POST', `${at}/$graphql`, query, { 'content-type': 'application/graphql' })).body).toEqual(data)
    expect((await fhir.send('POST', `${at}/$graphql`, { resourceType: 'Parameters', parameter: [{ name: 'query', valueString: query }] })).body).toEqual(data)
    const inAddress = 'query($u: code) { name(use: $u) { given } }'
    expect((await fhir.send<Answer>('GET', `${at}/$graphql?query=${encodeURIComponent(inAddress)}&variables=${encodeURIComponent('{"u":"usual"}')}`)).body.data).toEqual({ name: [{ given: ['Jim'] }] })
    const statement = (await fhir.send<CapabilityStatement>('GET', '/metadata')).body.rest?.[0]
    expect(statement?.operation).toContainEqual({ name: 'graphql', definition: 'http://hl7.org/fhir/OperationDefinition/Resource-graphql' })
    expect(statement?.resource?.find(({ type }) => type === 'Patient')?.operation?.map(({ name }) => name)).toContain('graphql')
  })

  test('decimals keep their digits', async () => {
    const made = await fhir.send('POST', '/Observation', '{"resourceType":"Observation","status":"final","code":{"text":"weight"},"valueQuantity":{"value":70.00,"unit":"kg"}}')
    const { text } = await ask('{ valueQuantity { value unit } }', { at: `/Observation/${(made.body as Resource).id}` })
    expect(text).toBe('{"data":{"valueQuantity":{"value":70.00,"unit":"kg"}}}')
  })
})

describe('the record', () => {
  let patient: string
  let doctor: string

  beforeAll(async () => {
    doctor = (await fhir.create({ resourceType: 'Practitioner', active: true, name: [{ family: 'Haddad' }] })).id
    patient = (await fhir.create({ ...example, name: [{ family: 'Graphely', given: ['Mona'] }], address: [{ city: 'Jeddah' }], generalPractitioner: [{ reference: `Practitioner/${doctor}` }] } as Patient)).id
    const subject = { reference: `Patient/${patient}` }
    for (const day of [1, 2, 3, 4, 5]) {
      await fhir.create({
        resourceType: 'Observation', status: 'final', subject, code: { coding: [{ system: 'http://loinc.org', code: day < 3 ? '8867-4' : '8310-5' }] }, effectiveDateTime: `2024-03-0${day}`,
        performer: [{ reference: `Practitioner/${doctor}` }], valueQuantity: { value: 60 + day, unit: '/min' },
      } as Resource)
    }
    await fhir.create({
      resourceType: 'Condition', subject, code: { text: 'cough' }, asserter: { reference: '#who' },
      contained: [{ resourceType: 'Practitioner', id: 'who', name: [{ family: 'Inside' }] }],
      evidence: [{ detail: [{ reference: 'Observation/not-there' }] }],
    } as Resource)
  })

  test('read, list, and search by parameters', async () => {
    expect(await dataOf(`{ Patient(id: "${patient}") { id active } }`)).toEqual({ Patient: { id: patient, active: true } })
    expect(await dataOf('{ PatientList(name: "graphely", address_city: "jeddah", birthdate: "ge1974-01-01") { id } }')).toEqual({ PatientList: [{ id: patient }] })
    expect(await dataOf('{ PatientList(name: "graphely", birthdate: "lt1974") { id } }')).toEqual({ PatientList: [] })
    const values = `{ ObservationList(patient: "${patient}", code: ["8867-4", "none"], _sort: "-date") { effectiveDateTime } }`
    expect(await dataOf(values)).toEqual({ ObservationList: [{ effectiveDateTime: '2024-03-02' }, { effectiveDateTime: '2024-03-01' }] })
    expect(await dataOf(`{ ObservationList(patient: "${patient}", _filter: "date ge 2024-03-05", fhirpath: "value.value > 64") { valueQuantity { value } } }`)).toEqual({ ObservationList: [{ valueQuantity: { value: 65 } }] })
    expect(await dataOf('query($names: [String]) { PatientList(family: $names) { name { family } } }', { variables: { names: ['graphely', 'nobody, here'] } })).toEqual({ PatientList: [{ name: [{ family: 'Graphely' }] }] })
  })

  test('references lead on: by fragment, by type, within the resource, and by batches', async () => {
    const query = `{ ObservationList(patient: "${patient}", date: "2024-03-01") {
      subject { reference resource { active ... on Patient { birthDate generalPractitioner { resource(type: Practitioner) { name { family } } } } ... on Group { name } } }
      performer @flatten { doctor: resource(type: Practitioner) @singleton { name @flatten @first { family @singleton } } other: resource(type: Organization) { id } }
    } }`
    expect(await dataOf(query)).toEqual({
      ObservationList: [{
        subject: { reference: `Patient/${patient}`, resource: { active: true, birthDate: '1974-12-25', generalPractitioner: [{ resource: { name: [{ family: 'Haddad' }] } }] } },
        doctor: { family: 'Haddad' },
      }],
    })
    expect(await dataOf(`{ ConditionList(patient: "${patient}") { asserter { resource { ... on Practitioner { name { family } } } } contained { resourceType ... on Practitioner { id } } } }`)).toEqual({
      ConditionList: [{ asserter: { resource: { name: [{ family: 'Inside' }] } }, contained: [{ resourceType: 'Practitioner', id: 'who' }] }],
    })
  })

  test('what cannot be resolved is an error of its field, or left out when it is optional', async () => {
    const query = (more: string) => `{ ConditionList(patient: "${patient}") { code { text } evidence { detail { reference resource${more} { id } } } } }`
    const { status, body } = await ask(query(''))
    expect(status).toBe(200)
    expect(body.data).toEqual({ ConditionList: [{ code: { text: 'cough' }, evidence: [{ detail: [{ reference: 'Observation/not-there', resource: null }] }] }] })
    expect(body.errors).toMatchObject([{ path: ['ConditionList', 0, 'evidence', 0, 'detail', 0, 'resource'], extensions: { resource: { resourceType: 'OperationOutcome' } } }])
    expect(await dataOf(query('(optional: true)'))).toMatchObject({ ConditionList: [{ evidence: [{ detail: [{ reference: 'Observation/not-there' }] }] }] })
    const absent = await ask('{ Patient(id: "none") { id } other: PatientList(family: "graphely") { id } }')
    expect(absent.status).toBe(200)
    expect(absent.body.data).toEqual({ Patient: null, other: [{ id: patient }] })
    expect(codes(absent.body)).toEqual(['not-found'])
  })

  test('what refers to a resource', async () => {
    const at = `/Patient/${patient}`
    expect(await dataOf('{ name { family } ObservationList(_reference: patient, code: "8310-5", _sort: "date") { effectiveDateTime } ConditionList(_reference: patient) { code { text } } }', { at })).toEqual({
      name: [{ family: 'Graphely' }],
      ObservationList: [{ effectiveDateTime: '2024-03-03' }, { effectiveDateTime: '2024-03-04' }, { effectiveDateTime: '2024-03-05' }],
      ConditionList: [{ code: { text: 'cough' } }],
    })
    expect(await dataOf(`{ PatientList(family: "graphely") { count: ObservationConnection(_reference: subject, _count: 2) { count edges { mode resource { id } } } general: PatientList(_reference: link) { id } } }`)).toMatchObject({
      PatientList: [{ count: { count: 5, edges: [{ mode: 'match' }, {}] }, general: [] }],
    })
    expect((await ask('{ ObservationList { id } }', { at })).status).toBe(400)
    expect((await ask('{ ObservationList(_reference: code) { id } }', { at })).status).toBe(400)
  })

  test('pages of a connection, forward, back, to the last and the first', async () => {
    const FIELDS = '{ count offset pagesize first previous next last edges { mode score resource { effectiveDateTime } } }'
    interface Page { count: number; offset: number; pagesize: number; first: string; previous?: string; next?: string; last: string; edges: { resource: { effectiveDateTime: string } }[] }
    const page = async (given: string): Promise<Page> => ((await dataOf(`{ ObservationConnection(${given}) ${FIELDS} }`)) as { ObservationConnection: Page }).ObservationConnection
    const days = ({ edges }: Page): string => edges.map(({ resource }) => resource.effectiveDateTime.at(-1)).join('')
    const first = await page(`patient: "${patient}", _sort: "date", _count: 2`)
    expect(first).toMatchObject({ count: 5, offset: 0, pagesize: 2 })
    expect(first.previous).toBeUndefined()
    expect(days(first)).toBe('12')
    const second = await page(`_cursor: "${first.next}"`)
    expect([days(second), second.offset]).toEqual(['34', 2])
    const third = await page(`cursor: "${second.next}"`)
    expect([days(third), third.next]).toEqual(['5', undefined])
    const last = await page(`_cursor: "${first.last}"`)
    expect([days(last), last.offset]).toEqual(['5', 4])
    expect(days(await page(`_cursor: "${last.previous}"`))).toBe('34')
    expect(days(await page(`_cursor: "${third.previous}"`))).toBe('34')
    expect(days(await page(`_cursor: "${third.first}"`))).toBe('12')
    expect((await ask(`{ PatientConnection(_cursor: "${first.next}") { count } }`)).body).toMatchObject({ data: { PatientConnection: null } })
    expect((await ask(`{ ObservationConnection(_cursor: "${first.next}", code: "x") { count } }`)).status).toBe(400)
    expect((await ask('{ ObservationConnection(_cursor: "made up") { count } }')).body.errors).toHaveLength(1)
  })

  test('care of another branch is nowhere: by id, by reference, by list, by what refers to it', async () => {
    const observation = (await fhir.ids(`/Observation?patient=${patient}`))[0]
    const query = `{ Observation(id: "${observation}") { id } PatientList(family: "graphely") { id ObservationList(_reference: patient) { id } } ObservationList(patient: "${patient}") { id } }`
    const { status, body } = await ask(query, { by: elsewhere })
    expect(status).toBe(200)
    expect(body.data).toEqual({ Observation: null, PatientList: [{ id: patient, ObservationList: [] }], ObservationList: [] })
    const absent = await ask('{ Observation(id: "none") { id } }', { by: elsewhere })
    expect(body.errors?.map(({ message }) => message)).toEqual(absent.body.errors?.map(({ message }) => message))
    expect((await ask('{ status }', { at: `/Observation/${observation}`, by: elsewhere })).status).toBe(404)
  })

  test('a sign-in of few types reads those, and a reference to others leads nowhere', async () => {
    const desk = fhirClient((await hospital.signIn('hub')).fetch)
    const { status, body } = await ask(`{ PatientList(family: "graphely") { id generalPractitioner { resource { id } } ObservationList(_reference: patient) { id } } Observation(id: "x") { id } }`, { by: desk })
    expect(status).toBe(200)
    expect(body.data).toEqual({ PatientList: [{ id: patient, generalPractitioner: [{ resource: null }], ObservationList: null }], Observation: null })
    expect(codes(body).toSorted()).toEqual(['forbidden', 'forbidden', 'not-found'])
    const observation = (await fhir.ids(`/Observation?patient=${patient}`))[0]
    expect((await ask('{ status }', { at: `/Observation/${observation}`, by: desk })).status).toBe(403)
    expect((await ask('{ status }', { at: '/Observation/none', by: desk })).status).toBe(403)
    expect(codes((await ask('{ PatientList(_filter: "general-practitioner.family eq Haddad") { id } }', { by: desk })).body)).toEqual(['forbidden'])
  })

  test('forty references are two look-ups, and forty lists are few', async () => {
    const entry = Array.from({ length: 40 }, (_one, at) => [
      { fullUrl: `urn:uuid:00000000-0000-4000-8000-0000000000${at + 10}`, request: { method: 'POST', url: 'Patient' }, resource: { resourceType: 'Patient', active: true, name: [{ family: 'Batchly' }] } },
      { request: { method: 'POST', url: 'Observation' }, resource: { resourceType: 'Observation', status: 'final', code: { coding: [{ code: 'batched' }] }, subject: { reference: `urn:uuid:00000000-0000-4000-8000-0000000000${at + 10}` } } },
    ]).flat()
    expect((await fhir.send('POST', '', { resourceType: 'Bundle', type: 'transaction', entry })).status).toBe(200)
    const asked = vi.spyOn(hospital.hospital.services.store.database, 'query')
    const list = (await dataOf('{ ObservationList(code: "batched") { subject { resource { ... on Patient { name { family } ObservationList(_reference: patient) { id } } } } } }')) as { ObservationList: { subject: { resource: { ObservationList: unknown[] } } }[] }
    const statements = asked.mock.calls.map(([, { text }]) => text)
    asked.mockRestore()
    expect(list.ObservationList.map(({ subject }) => subject.resource.ObservationList.length)).toEqual(Array(40).fill(1))
    // Forty at once at most leave together; the first leaves alone when nothing is under way.
    expect(statements.filter((text) => text.includes('from fhir.patient t')).length).toBeLessThanOrEqual(3)
    expect(statements.filter((text) => text.includes('fhir.observation')).length).toBeLessThanOrEqual(12)
  })

  test('each read leaves an entry in the audit trail', async () => {
    const { store } = hospital.hospital.services
    const scope = store.scopeOf(hospital.hospital.services.system('audit'))
    const count = async (): Promise<Record<string, number>> => {
      const rows = await store.database.query<{ type: string; count: number }>(scope, {
        text: "select resource_type as type, count(*)::int as count from audit.entry where action = 'fhir.graphql' and (patient = $1 or $1 = any (patients)) group by 1",
        values: [idKey(patient)],
      })
      return Object.fromEntries(rows.map(({ type, count: times }) => [type, times]))
    }
    const before = await count()
    await dataOf(`{ ObservationList(patient: "${patient}") { subject { resource { id } } } ConditionList(patient: "${patient}") { id } }`)
    const after = await count()
    const more = Object.fromEntries(Object.entries(after).map(([type, times]) => [type, times - (before[type] ?? 0)]))
    // Five observations refer to one patient, who is read once.
    expect(more).toEqual({ Observation: 1, Condition: 1, Patient: 1 })
  })
})

describe('what is refused', () => {
  const refused = async (query: string, status = 400): Promise<string> => {
    const answer = await ask(query)
    expect([query.slice(0, 100), answer.status, answer.text.slice(0, 300)]).toEqual([query.slice(0, 100), status, expect.stringContaining('"errors"')])
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
    return answer.body.errors?.[0]?.message ?? ''
  }

  test('faults name what is wrong', async () => {
    expect(await refused('{ PatientList { ')).toContain('Syntax Error')
    expect(await refused('{ PatientList { nothing } }')).toBe('Patient has no field nothing.')
    expect(await refused('{ PatientList { name } }')).toContain('select some')
    expect(await refused('{ PatientList { id { x } } }')).toContain('nothing can be selected')
    expect(await refused('{ PatientList(shoe_size: 4) { id } }')).toContain('no argument shoe_size')
    expect(await refused('{ PatientList(_include: "x") { id } }')).toContain('no argument _include')
    expect(await refused('{ PatientList { name(fhirpath: "(((") { family } } }')).toContain('FHIRPath')
    expect(await refused('{ PatientList { ... on Observation { id } } }')).toContain('never')
    expect(await refused('{ PatientList { ... on Nothing { id } } }')).toContain('no type Nothing')
    expect(await refused('{ PatientList { id @fast } }')).toContain('@fast')
    expect(await refused('{ Patient { id } }')).toContain('argument id')
    expect(await refused('query($x: Boat) { PatientList(name: $x) { id } }')).toContain('Boat')
    expect(await refused('query($x: [String]!) { PatientList(name: $x) { id } }')).toContain('$x')
    expect(await refused('{ a: PatientList { id } a: ObservationList { id } }')).toContain('twice')
    expect(await refused('mutation { PatientDelete(id: "x") { id } }')).toContain('FHIR API')
    expect(await refused('query A { PatientList { id } } query B { PatientList { id } }')).toContain('operationName')
    expect((await ask('{ PatientList(birthdate: "yesterday") { id } }')).body.errors).toHaveLength(1)
    expect((await fhir.send('POST', '/$graphql', '<x/>', { 'content-type': 'application/xml' })).status).toBeGreaterThanOrEqual(400)
    expect((await fhir.send('GET', '/$graphql')).status).toBe(400)
    for (const odd of ['5', 'null', '[]', '{}', '{"query":5}', '{"query":"{ __typename }","variables":[]}', '{"query":"{ __typename }","variables":"x"}', '{"query":"{ __typename }","operationName":{}}', `{"query":"query($x: String) { PatientList(name: $x) { id } }","variables":{"x":${'['.repeat(150)}${']'.repeat(150)}}}`, '{"query":"query($x: [String]) { PatientList(name: $x) { id } }","variables":{"x":[{"a":1}]}}']) {
      const { status, text } = await fhir.send('POST', '/$graphql', odd, { 'content-type': 'application/json' })
      expect([odd.slice(0, 60), status, text.startsWith('{"errors":')]).toEqual([odd.slice(0, 60), 400, true])
    }
    for (const query of ['variables=[]', 'variables=x', 'variables=%7B%22x', 'shoe=4', '_format=xml']) expect((await fhir.send('GET', `/$graphql?query={__typename}&${query}`)).status).toBeGreaterThanOrEqual(400)
    expect((await fhir.send('GET', '/Nothing/1/$graphql?query={id}')).status).toBe(404)
    expect((await fetch(`${hospital.url}/fhir/R4/$graphql?query={__typename}`)).status).toBe(401)
  })

  test('hostile queries end at a bound', { timeout: 120_000 }, async () => {
    const times = (text: string, count: number): string => Array.from({ length: count }, (_one, at) => text.replaceAll('#', String(at))).join(' ')
    await refused('{'.repeat(50_000))
    await refused(`{ PatientList ${'{ link { other { resource '.repeat(30)}`)
    await refused('{ PatientList { ...a } } fragment a on Patient { ...b } fragment b on Patient { ...a }')
    await refused(`{ PatientList { ${times('x#: id', 3000)} } }`, 422)
    await refused(`{ ${times('x#: PatientList { id }', 60)} }`, 422)
    await refused(`{ PatientList { ${times('...f0', 1)} } } ${Array.from({ length: 25 }, (_one, at) => `fragment f${at} on Patient { ${at === 24 ? 'id' : `a: link { other { resource { ...f${at + 1} } } } b: link { other { resource { ...f${at + 1} } } }`} }`).join(' ')}`, 422)
    const patients = Array.from({ length: 40 }, () => ({ request: { method: 'POST', url: 'Patient' }, resource: { ...example, name: [{ family: 'Many' }] } }))
    expect((await fhir.send<Bundle>('POST', '', { resourceType: 'Bundle', type: 'transaction', entry: patients })).status).toBe(200)
    expect(await dataOf('{ PatientList(family: "many") { id } }')).toMatchObject({ PatientList: expect.arrayContaining([]) })
    const heavy = await ask(`{ PatientList(family: "many") { ${times('x#: name(fhirpath: "%resource.descendants().where(%resource.descendants().where(%resource.descendants().count() > 0).exists()).exists()") { family }', 40)} } }`)
    expect(heavy.status).toBe(422)
    const slow = performance.now()
    await refused(`{ PatientList(family: "many") { ${times("x#: name(fhirpath: \"'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.matches('(a+)+$')\") { family }", 40)} } }`, 422)
    expect(performance.now() - slow).toBeLessThan(8000)
    await refused(`{ PatientList(family: "many") { ${times('x#: ObservationList(_reference: patient) { id }', 20)} } }`, 422)
  })

  test('introspection describes what there is', { timeout: 120_000 }, async () => {
    const { body } = await ask(getIntrospectionQuery())
    const schema = buildClientSchema(body.data as unknown as IntrospectionQuery)
    expect(validateSchema(schema)).toEqual([])
    expect(schema.getType('ObservationComponent')).toBeDefined()
    expect(Object.keys(schema.getQueryType()?.getFields() ?? {})).toContain('PatientConnection')
    const told = (await dataOf('{ __type(name: "Patient") { name fields { name args { name type { kind name ofType { name } } } } } }')) as { __type: { fields: { name: string; args: { name: string }[] }[] } }
    expect(told.__type.fields.find(({ name }) => name === 'ObservationList')?.args.map(({ name }) => name)).toEqual(expect.arrayContaining(['_reference', 'code', 'value_quantity']))
    expect((await fhir.send('GET', '/Patient?family=many&_summary=count')).status).toBe(200)
  })
})
