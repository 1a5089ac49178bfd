import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startEncounter } from '@carespine/encounters/contract'
import type { Patient } from '@carespine/fhir/resource'
import { addAllergy, registerPatient, searchPatients } from '@carespine/registration/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fhirClient, type FhirClient } from './fhir-client.ts'
import { tokenLike } from './made-token.ts'
import { type SignedInUser, startTestHospital, type TestHospital } from './test-hospital.ts'

const archive = fileURLToPath(new URL('../../shared/cases/hostile-input.tar.gz', import.meta.url))
const hasCases = existsSync(archive)
const SECRET = 'Quixotezzeria'

interface Route {
  method: string
  /** Path pattern with `{id}` places. */
  pattern: string
  path: string
  /** Open to anyone: signing in, health, the API description. */
  open: boolean
}

let hospital: TestHospital
let client: SignedInUser
let fhir: FhirClient
let stranger: SignedInUser
let routes: Route[] = []
let patientId = ''
const hidden: string[] = []

interface Operation {
  security?: unknown[]
  requestBody?: unknown
}

beforeAll(async () => {
  hospital = await startTestHospital()
  client = await hospital.asClient()
  fhir = fhirClient(client.fetch)
  const provider = await hospital.signIn('provider')
  ;({ patientId } = await provider.call(registerPatient, { name: { family: 'Target', given: 'Tom' }, sex: 'male', birthDate: '1970-01-01' }))
  const { allergyId } = await provider.call(addAllergy, { patientId, substance: SECRET })
  const { encounterId } = await provider.call(startEncounter, { patientId, reason: SECRET })
  hidden.push(SECRET, allergyId, encounterId)
  stranger = await hospital.signIn('provider', 'other')

  const description = (await (await fetch(`${hospital.url}/docs/json`)).json()) as { paths: Record<string, Record<string, Operation>> }
  const places: Record<string, string> = { type: 'AllergyIntolerance', id: allergyId, version: '1' }
  for (const [pattern, methods] of Object.entries(description.paths)) {
    for (const method of Object.keys(methods)) {
      const path = pattern.replaceAll(/\{(\w+)\}/g, (_all, name: string) => places[name] ?? 'x')
      const bare = await fetch(hospital.url + path, { method: method.toUpperCase(), ...(method === 'get' ? {} : { body: '{}', headers: { 'content-type': 'application/json' } }) })
      routes.push({ method: method.toUpperCase(), pattern, path, open: bare.headers.get('www-authenticate')?.startsWith('Bearer') !== true })
      await bare.arrayBuffer()
    }
  }
  routes = routes.filter(({ method }) => method !== 'HEAD' && method !== 'OPTIONS')
})
afterAll(() => hospital?.close())

interface Told {
  code?: string
  message?: string
  issue?: { code: string; diagnostics: string }[]
  error?: string
  error_description?: string
}

/** Sends raw bytes and checks that the answer is a refusal somebody can act on: 4xx with a code and a sentence. */
async function refused(what: string, path: string, init: RequestInit, statuses?: readonly number[]): Promise<void> {
  const response = await fetch(hospital.url + path, init)
  const text = await response.text()
  const told = `${what}: ${init.method} ${path} -> ${response.status} ${text.slice(0, 300)}`
  expect(response.status, told).toBeGreaterThanOrEqual(400)
  expect(response.status, told).toBeLessThan(500)
  if (statuses) expect(statuses, told).toContain(response.status)
  const answered = JSON.parse(text) as Told & { errors?: { message: string; extensions?: { resource?: Told } }[] }
  // R4 GraphQL has the OperationOutcome in the extensions of an error.
  const body = answered.errors?.[0]?.extensions?.resource ?? answered
  // RFC 6749, section 5.2, names the members of a token endpoint's answer.
  const [code, message] = body.issue ? [body.issue[0]?.code, body.issue[0]?.diagnostics] : [body.code ?? body.error, body.message ?? body.error_description]
  expect(code, told).toMatch(/^[\w-]+$/)
  expect(message?.length, told).toBeGreaterThan(10)
  for (const secret of hidden) expect(text, told).not.toContain(secret)
}

const json = { 'content-type': 'application/json' }
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const takesBody = ({ method }: Route): boolean => method === 'POST' || method === 'PUT'

describe('every route', () => {
  test('is known to this test', () => {
    const patterns = routes.map(({ method, pattern }) => `${method} ${pattern}`)
    expect(patterns.length).toBeGreaterThan(40)
    expect(patterns).toEqual(expect.arrayContaining(['POST /fhir/R4/{type}', 'PUT /fhir/R4/{type}/{id}', 'POST /api/lab/release', 'POST /oauth2/token']))
    expect(routes.filter(({ open }) => open).map(({ pattern }) => pattern).toSorted()).toEqual([
      '/.well-known/jwks.json', '/.well-known/oauth-authorization-server', '/.well-known/openid-configuration', '/api/auth/login', '/api/auth/logout',
      '/api/auth/passkey', '/api/auth/passkey/options', '/api/auth/refresh', '/api/auth/second-step', '/api/auth/second-step/passkey',
      '/api/auth/setup', '/api/auth/ward-computer/people', '/api/auth/ward-computer/sign-in', '/fhir/R4/.well-known/smart-configuration', '/fhir/R4/metadata', '/oauth2/authorize',
      '/oauth2/authorize', '/oauth2/introspect', '/oauth2/revoke', '/oauth2/token',
    ])
  })

  test('wants a token that this hospital has signed and that has not expired', async () => {
    // Only the time is wrong with what has expired: made the same way for a minute more, it opens the door.
    const lasting = await tokenLike(hospital, client.token, { seconds: 60 })
    expect((await fetch(`${hospital.url}/fhir/R4/Patient?_count=1`, { headers: bearer(lasting) })).status).toBe(200)
    const expired = await tokenLike(hospital, client.token, { seconds: -1 })
    const [head, body] = client.token.split('.')
    const tokens: Record<string, string | undefined> = {
      none: undefined,
      nonsense: 'Bearer nonsense',
      'another scheme': `Basic ${Buffer.from('a:b').toString('base64')}`,
      'an empty one': 'Bearer ',
      'a changed signature': `Bearer ${head}.${body}.${'A'.repeat(86)}`,
      'no signature': `Bearer ${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`,
      expired: `Bearer ${expired}`,
    }
    for (const route of routes.filter(({ open }) => !open)) {
      for (const [what, authorization] of Object.entries(tokens)) {
        await refused(`token: ${what}`, route.path, {
          method: route.method,
          headers: { ...(authorization === undefined ? {} : { authorization }), ...(takesBody(route) ? json : {}) },
          ...(takesBody(route) ? { body: '{}' } : {}),
        }, [401])
      }
    }
  })

  test('refuses bodies that are no JSON, too deep, too large or of another kind', async () => {
    const deep = (open: string, close: string) => open.repeat(50_000) + close.repeat(50_000)
    const bodies: [string, string | Uint8Array<ArrayBuffer>, Record<string, string>, number[]][] = [
      ['cut short', '{"a":', json, [400]],
      ['empty', '', json, [400]],
      // 403: what is for people refuses a client whatever it sends.
      ['an array', '[1,2]', json, [400, 401, 403, 415]],
      ['a text', '"x"', json, [400, 401, 403, 415]],
      ['deep arrays', deep('[', ']'), json, [400]],
      ['deep objects', `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`, json, [400]],
      ['a prototype', '{"__proto__":{"admin":true}}', json, [400]],
      ['bytes that are no UTF-8', new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]), json, [400]],
      ['XML', '<Patient/>', { 'content-type': 'application/fhir+xml' }, [400, 415]],
      ['a kind of nothing', 'x', { 'content-type': 'nonsense' }, [400, 415]],
      ['plain text', 'hello', { 'content-type': 'text/plain' }, [400, 401, 403, 415]],
    ]
    for (const route of routes.filter(takesBody)) {
      for (const [what, body, headers, statuses] of bodies) {
        if (/logout|refresh/.test(route.pattern)) continue
        // Telling what is wrong with a resource is what $validate is for.
        if (route.pattern.includes('$validate') && body.length < 6) continue
        await refused(what, route.path, { method: route.method, body, headers: { ...headers, ...bearer(client.token) } }, statuses)
      }
    }
  })

  test('refuses bodies larger than it takes with 413', async () => {
    const large = JSON.stringify({ text: 'x'.repeat(1_100_000) })
    for (const route of routes.filter((one) => takesBody(one) && !one.pattern.startsWith('/fhir/R4'))) {
      await refused('large', route.path, { method: route.method, body: large, headers: { ...json, ...bearer(client.token) } }, [413])
    }
    const huge = Buffer.alloc(65 * 1024 * 1024, 0x20)
    for (const path of ['/fhir/R4/Patient', '/fhir/R4/']) {
      await refused('huge', path, { method: 'POST', body: huge, headers: { ...json, ...bearer(client.token) } }, [413])
    }
  })

  test('refuses what of the right shape is filled with the wrong things', async () => {
    const fillings = [{}, { id: 1 }, { patientId: 'a\u0000b' }, { patientId: { $gt: '' } }, { text: ['x'] }, { limit: -1, cursor: 'x' }, { id: '\u0000' }]
    const ids = ['patientId', 'encounterId', 'orderId', 'reportId', 'accession', 'allergyId', 'id', 'text', 'cursor', 'note', 'reason', 'queue', 'values', 'version', 'email', 'password', 'portal', 'messageId']
    for (const route of routes.filter((one) => takesBody(one) && one.pattern.startsWith('/api'))) {
      for (const value of ['nobody', '\u0000', '\ud800', '../../etc', "'; drop table x", 'x'.repeat(3000), '00000000-0000-0000-0000-000000000000', 5, null, [], {}, true]) {
        await notBroken(route, Object.fromEntries(ids.map((id) => [id, value])))
      }
      for (const filling of fillings) await notBroken(route, filling)
    }
  })

  async function notBroken(route: Route, body: object): Promise<void> {
    const response = await fetch(hospital.url + route.path, { method: route.method, body: JSON.stringify(body), headers: { ...json, ...bearer(client.token) } })
    const text = await response.text()
    const told = `${route.method} ${route.path} ${JSON.stringify(body).slice(0, 120)} -> ${response.status} ${text.slice(0, 200)}`
    expect(response.status, told).toBeLessThan(500)
    if (response.status >= 400) expect(JSON.parse(text), told).toMatchObject({ code: expect.stringMatching(/^[A-Z0-9_]+$/), message: expect.any(String) })
  }

  test('gives nothing of a branch to a token of another', async () => {
    for (const route of routes.filter(({ pattern }) => pattern.startsWith('/fhir/R4/{type}') || pattern.startsWith('/api'))) {
      for (const body of [{ patientId }, { id: hidden[1] }, { encounterId: hidden[2] }, { text: 'Target' }, {}]) {
        if (/\/auth\//.test(route.pattern)) continue
        const response = await stranger.fetch(route.path, { method: route.method, ...(takesBody(route) ? { body: JSON.stringify(body), headers: json } : {}) })
        const text = await response.text()
        expect(response.status, `${route.pattern} ${text.slice(0, 200)}`).toBeLessThan(500)
        expect(text, route.pattern).not.toContain(SECRET)
      }
    }
  })
})

describe('shapes that a FHIR server must take apart with care', () => {
  test.each<[string, unknown]>([
    ['entries that are no list', { entry: { a: 1 } }],
    ['an entry that is null', { entry: [null] }],
    ['a request that is a text', { entry: [{ request: 'x' }] }],
    ['a URL that is a number', { entry: [{ request: { method: 'GET', url: 5 } }] }],
    ['a condition that is an object', { entry: [{ request: { method: 'POST', url: 'Patient', ifNoneExist: {} }, resource: { resourceType: 'Patient' } }] }],
    ['a resource that is null', { entry: [{ request: { method: 'POST', url: 'Patient' }, resource: null }] }],
    ['a resource whose meta is a text', { entry: [{ request: { method: 'POST', url: 'Patient' }, resource: { resourceType: 'Patient', meta: 'x' } }] }],
    ['a reference by a condition nobody knows', { entry: [{ request: { method: 'POST', url: 'Observation' }, resource: { resourceType: 'Observation', status: 'final', code: { text: 'x' }, subject: { reference: 'Patient?colour=blue' } } }] }],
    ['an id with a slash', { entry: [{ request: { method: 'PUT', url: 'Patient/a%2Fb' }, resource: { resourceType: 'Patient' } }] }],
  ])('a Bundle with %s', async (_what, content) => {
    for (const type of ['transaction', 'batch']) {
      const answer = await fhir.send<{ entry?: { response: { status: string } }[] }>('POST', '/', { resourceType: 'Bundle', type, ...(content as object) })
      const statuses = [answer.status, ...(answer.body.entry ?? []).map(({ response }) => Number(response.status))]
      expect(Math.max(...statuses), answer.text).toBeGreaterThanOrEqual(400)
      expect(Math.max(...statuses), answer.text).toBeLessThan(500)
    }
  })

  test.each([
    '/Patient?name=%00',
    '/Patient?name=%E0%A4%A',
    '/Patient?_id=%00,x',
    '/Patient/%00',
    '/Patient/%E0%A4%A',
    `/Patient/${'x'.repeat(500)}`,
    '/Patient/x/_history/99999999999',
    '/Patient/x/_history/-1',
    '/Patient/x/_history?_count=abc&_before=zz',
    '/Pg_class/x',
    '/__proto__/x',
    '/constructor',
    '/Patient?__proto__=1',
    '/Patient?constructor=1',
    '/Patient?identifier=|',
    '/Patient?identifier=\\',
    '/Observation?value-quantity=1e999',
    '/Observation?value-quantity=1e308||kg',
    '/Observation?value-quantity=||',
    '/Observation?_include=Observation:subject:__proto__',
    '/Observation?_sort=,',
  ])('%s', async (path) => {
    const response = await client.fetch(`/fhir/R4${path}`)
    expect(response.status, await response.text()).toBeLessThan(500)
  })

  test('a search of a thousand conditions is refused, not run', async () => {
    for (const query of ['name=a&'.repeat(800), `birthdate=${Array(900).fill('2020').join()}`, `_sort=${Array(3000).fill('_id').join()}`]) {
      expect((await fhir.send('GET', `/Patient?${query}`)).status).toBe(400)
    }
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    expect((await fhir.send('POST', '/Observation/_search', 'date=2020&'.repeat(50_000), form)).status).toBe(400)
    expect((await fhir.send('POST', '/Observation/_search', `date=${'2020,'.repeat(50_000)}2020`, form)).status).toBe(400)
  })
})

describe.skipIf(!hasCases)('cases that others collected (../shared/cases/hostile-input.tar.gz)', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'carespine-hostile-'))
    execFileSync('tar', ['-xzf', archive, '-C', folder])
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('naughty strings are kept to the letter or refused, wherever they are typed', async () => {
    const strings = JSON.parse(readFileSync(join(folder, 'hostile-input/blns/blns.json'), 'utf8')) as string[]
    expect(strings.length).toBeGreaterThan(400)
    const hub = await hospital.signIn('hub')
    const all = [...strings, 'a\u0000b', '\ud800', '%', '_', '\\', 'a,b|c$d']
    let kept = 0
    const waiting = all.entries()
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        for (const [at, text] of waiting) if (await typedEverywhere(text, at, hub)) kept += 1
      }),
    )
    expect(kept).toBeGreaterThan(400)
  })

  const parameters = ['name', 'name:contains', '_id', 'identifier', 'gender', 'birthdate', '_sort', '_include', '_cursor']

  /** True when the text was taken as a name and is found again under it. */
  async function typedEverywhere(text: string, at: number, hub: SignedInUser): Promise<boolean> {
    const shown = JSON.stringify(text)
    const asked = encodeURIComponent(text.toWellFormed())
    for (const name of [parameters[at % parameters.length] ?? '', parameters[(at * 7 + 3) % parameters.length] ?? '', encodeURIComponent(text.slice(0, 60).toWellFormed())]) {
      const answer = await client.fetch(`/fhir/R4/Patient?${name}=${asked}&_count=1`)
      expect([shown, name, answer.status < 500, await answer.text()]).toMatchObject([shown, name, true, expect.any(String)])
    }
    const found = await hub.call(searchPatients, { text: text.slice(0, 120) }).then(() => 200, ({ status }: { status: number }) => status)
    expect([shown, found < 500]).toEqual([shown, true])

    const patient: Patient = { resourceType: 'Patient', name: [{ family: text }], identifier: [{ system: 'urn:n', value: text }] }
    const created = await fhir.send<Patient>('POST', '/Patient', patient)
    if (created.status !== 201) {
      expect([shown, created.status]).toEqual([shown, 422])
      return false
    }
    // Half a surrogate pair is no character; what becomes of it is nobody's promise.
    if (text.toWellFormed() !== text) return false
    const { body } = await fhir.send<Patient>('GET', `/Patient/${created.body.id}`)
    expect(body.name?.[0]?.family).toBe(text)
    if (text.includes('\0')) return true
    const escaped = encodeURIComponent(text.replace(/[\\,|$]/g, '\\$&'))
    const same = await fhir.search(`/Patient?identifier=urn:n|${escaped}&family:exact=${escaped}`)
    expect([shown, same.entry?.some(({ resource }) => resource?.id === created.body.id)]).toEqual([shown, true])
    return true
  }

  test('what is JSON is read, and what is not is refused', async () => {
    const files = readdirSync(join(folder, 'hostile-input/JSONTestSuite/test_parsing'))
    expect(files.length).toBeGreaterThan(250)
    for (const file of files) {
      const body = new Uint8Array(readFileSync(join(folder, 'hostile-input/JSONTestSuite/test_parsing', file)))
      for (const [path, headers] of [['/fhir/R4/Patient', { 'content-type': 'application/fhir+json' }], ['/api/registration/search', json]] as const) {
        const response = await client.fetch(path, { method: 'POST', body, headers })
        const text = await response.text()
        const told = `${file} ${path} ${response.status} ${text.slice(0, 200)}`
        // None of them is a Patient or a search, so each is refused; the question is only by whom.
        expect(response.status, told).toBe(400)
        const answer = JSON.parse(text) as { code?: string; issue?: { diagnostics: string }[] }
        const malformed = answer.code === 'INPUT_MALFORMED' || answer.issue?.[0]?.diagnostics.includes('not valid JSON') === true
        if (file.startsWith('n_') && !/100000|open_array_object/.test(file)) expect(malformed, told).toBe(true)
        // A name that stands twice is JSON, of which each reader makes something else.
        if (file.startsWith('y_object_duplicated_key')) expect(malformed, told).toBe(true)
        else if (file.startsWith('y_object') && path.startsWith('/api')) expect(malformed, told).toBe(false)
      }
    }
  })
})
