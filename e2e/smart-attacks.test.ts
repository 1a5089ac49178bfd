import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import type { Patient } from '@carespine/fhir/resource'
import { decide, launchApp, registerApp, renewSecret, setAppActive, showRequest } from '@carespine/link-smart/contract'
import { exportSPKI, generateKeyPair, importJWK, SignJWT } from 'jose'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fhirClient } from './fhir-client.ts'
import { fetchWith, patientAccount, REDIRECT, s256, testApp, type TestApp } from './smart-app.ts'
import { type SignedInUser, startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
let app: TestApp
let other: TestApp
let doctor: SignedInUser
let nurse: SignedInUser
let mona: SignedInUser
let patient: string

beforeAll(async () => {
  hospital = await startTestHospital()
  const fhir = fhirClient((await hospital.asClient()).fetch)
  patient = (await fhir.create<Patient>({ resourceType: 'Patient', name: [{ family: 'Test' }] })).id
  app = await testApp(hospital, { launchUrl: 'https://app.example.org/launch' })
  other = await testApp(hospital, { name: 'Another app', launchUrl: 'https://other.example.org/launch' })
  doctor = await hospital.signIn('provider')
  nurse = await hospital.signIn('nurse')
  mona = await patientAccount(hospital, patient)
})
afterAll(() => hospital?.close())

const errorOf = (back: URL | undefined): string | null | undefined => back?.searchParams.get('error')
const codeFor = async (parameters = {}) => {
  const { request = '', verifier } = await app.ask(parameters)
  return { code: (await app.allow(mona, request)).searchParams.get('code') ?? '', verifier }
}
const exchange = (client: TestApp, form: Readonly<Record<string, string | undefined>>) => client.token({ grant_type: 'authorization_code', redirect_uri: REDIRECT, client_id: client.client, ...form })

describe('an authorization request', () => {
  test.each([
    'https://app.example.org/back/',
    'https://app.example.org/BACK',
    'https://app.example.org/back?x=1',
    'https://app.example.org/back#x',
    'https://app.example.org.evil.example/back',
    'https://app.example.org@evil.example/back',
    'https://app.example.org/back/../other',
    'http://app.example.org/back',
    'https://app.example.org:443/back',
    'javascript:alert(1)',
    '',
  ])('for the redirect URI %s sends the browser nowhere', async (redirectUri) => {
    const { page, back } = await app.ask({ redirect_uri: redirectUri })
    expect([page, back]).toEqual(['redirect_uri', undefined])
  })

  test('of a client that is not known, or has been shut out, sends the browser nowhere', async () => {
    expect((await app.ask({ client_id: randomUUID() })).page).toBe('client')
    expect((await app.ask({ client_id: "' or 1=1" })).page).toBe('client')
  })

  test.each([
    ['no challenge', { code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request'],
    ['a plain challenge', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['a challenge without a method', { code_challenge_method: undefined }, 'invalid_request'],
    ['a short challenge', { code_challenge: 'abc' }, 'invalid_request'],
    ['no state', { state: undefined }, 'invalid_request'],
    ['another server as aud', { aud: 'https://other.example.org/fhir/R4' }, 'invalid_request'],
    ['no aud', { aud: undefined }, 'invalid_request'],
    ['the implicit flow', { response_type: 'token' }, 'unsupported_response_type'],
    ['a request object', { request: 'eyJhbGciOiJub25lIn0.e30.' }, 'request_not_supported'],
    ['an answer in a fragment', { response_mode: 'fragment' }, 'invalid_request'],
    ['no scope that it was registered for', { scope: 'system/*.rs' }, 'invalid_scope'],
    ['a launch that nobody made', { launch: 'made-up' }, 'invalid_request'],
    ['silence', { prompt: 'none' }, 'interaction_required'],
  ])('with %s is answered with an error, by GET and by POST, with state and issuer', async (_what, parameters, error) => {
    for (const method of ['GET', 'POST'] as const) {
      const { back, request } = await app.ask(parameters, method)
      expect([method, request, errorOf(back)]).toEqual([method, undefined, error])
      if (!('state' in parameters)) expect(back?.searchParams.get('state')).toBe('a-state')
      expect(back?.searchParams.get('iss')).toBe(hospital.url)
    }
  })

  test('whose redirect URI stands twice sends the browser nowhere', async () => {
    const query = new URLSearchParams({ client_id: app.client, response_type: 'code', state: 'x', code_challenge: s256('x'), code_challenge_method: 'S256' })
    query.append('redirect_uri', REDIRECT)
    query.append('redirect_uri', 'https://evil.example/')
    const answer = await fetch(`${hospital.url}/oauth2/authorize?${query}`, { redirect: 'manual', headers: { accept: 'text/html' } })
    expect(answer.headers.get('location')).toBe('/authorize#!redirect_uri')
  })

  test('is decided once, by somebody who is signed in, and not by an app', async () => {
    const { request = '' } = await app.ask()
    const unsigned = await fetch(`${hospital.url}/api/smart/decide`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ request, allow: true }) })
    expect(unsigned.status).toBe(401)
    await app.allow(mona, request)
    await expect(mona.call(decide, { request, allow: true })).rejects.toMatchObject({ status: 410 })
    await expect(mona.call(showRequest, { request: randomBytes(32).toString('base64url') })).rejects.toMatchObject({ status: 410 })
  })

  test('does not give scopes that were not asked for, though somebody sends them along', async () => {
    const tokens = await app.connect(mona, { scope: 'patient/Patient.rs' }, { scopes: ['patient/Patient.rs', 'patient/*.cruds', 'system/*.cruds', 'user/*.cruds'] })
    expect(tokens.scope).toBe('patient/Patient.rs')
  })

  test('of a patient does not give the record of somebody else', async () => {
    const fhir = fhirClient((await hospital.asClient()).fetch)
    const stranger = await fhir.create<Patient>({ resourceType: 'Patient', name: [{ family: 'Stranger' }] })
    const tokens = await app.connect(mona, { scope: 'launch/patient patient/*.rs' }, { patient: stranger.id })
    expect(tokens.patient).toBe(patient)
    expect((await app.fhir(tokens).send('GET', `/Patient/${stranger.id}`)).status).toBe(404)
  })
})

describe('a code', () => {
  test('opens nothing without its verifier, or with another', async () => {
    for (const verifier of [undefined, '', randomBytes(32).toString('base64url')]) {
      const { code } = await codeFor()
      expect((await exchange(app, { code, code_verifier: verifier })).body.error).toBe('invalid_grant')
    }
    // The challenge itself is no verifier: there is no plain.
    const { code, verifier } = await codeFor()
    expect((await exchange(app, { code, code_verifier: s256(verifier) })).body.error).toBe('invalid_grant')
    expect((await exchange(app, { code, code_verifier: verifier })).body.error).toBe('invalid_grant')
  })

  test('of one app opens nothing for another, and nothing for its own any more', async () => {
    const { code, verifier } = await codeFor()
    expect((await exchange(other, { code, code_verifier: verifier })).body.error).toBe('invalid_grant')
    expect((await exchange(app, { code, code_verifier: verifier })).body.error).toBe('invalid_grant')
  })

  test('opens nothing with another redirect URI', async () => {
    const { code, verifier } = await codeFor()
    expect((await exchange(app, { code, code_verifier: verifier, redirect_uri: 'https://app.example.org/other' })).body.error).toBe('invalid_grant')
  })

  test('that comes a second time ends what came of it the first time', async () => {
    const { code, verifier } = await codeFor({ scope: 'patient/*.rs offline_access' })
    const { body } = await exchange(app, { code, code_verifier: verifier })
    expect((await app.fhir(body).send('GET', `/Patient/${patient}`)).status).toBe(200)
    expect((await exchange(app, { code, code_verifier: verifier })).body.error).toBe('invalid_grant')
    expect((await app.fhir(body).send('GET', `/Patient/${patient}`)).status).toBe(401)
    expect((await app.token({ grant_type: 'refresh_token', refresh_token: body.refresh_token, client_id: app.client })).body.error).toBe('invalid_grant')
  })

  test('used by two at once opens for one', async () => {
    const { code, verifier } = await codeFor()
    const both = await Promise.all([1, 2].map(() => exchange(app, { code, code_verifier: verifier })))
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 400])
  })

  test('that is made up, or stands twice in the form, opens nothing', async () => {
    expect((await exchange(app, { code: 'made-up', code_verifier: randomBytes(32).toString('base64url') })).body.error).toBe('invalid_grant')
    const form = new URLSearchParams({ grant_type: 'authorization_code', client_id: app.client, code: 'a' })
    form.append('code', 'b')
    const answer = await fetch(`${hospital.url}/oauth2/token`, { method: 'POST', body: form })
    expect(((await answer.json()) as { error: string }).error).toBe('invalid_request')
  })
})

describe('a refresh token', () => {
  const refresh = (client: TestApp, token: string | undefined, more = {}) => client.token({ grant_type: 'refresh_token', refresh_token: token, client_id: client.client, ...more })

  test('is good once; what was copied ends all of it', async () => {
    const first = await app.connect(mona, { scope: 'patient/*.rs offline_access' })
    const second = await refresh(app, first.refresh_token)
    expect(second.status).toBe(200)
    expect(second.body.refresh_token).not.toBe(first.refresh_token)
    expect((await refresh(app, first.refresh_token)).body.error).toBe('invalid_grant')
    expect((await refresh(app, second.body.refresh_token)).body.error).toBe('invalid_grant')
    expect((await app.fhir(second.body).send('GET', '/Patient')).status).toBe(401)
  })

  test('of one app is nothing to another, and is not spent by its attempt', async () => {
    const tokens = await app.connect(mona, { scope: 'patient/*.rs offline_access' })
    expect((await refresh(other, tokens.refresh_token)).body.error).toBe('invalid_grant')
    expect((await refresh(app, tokens.refresh_token)).status).toBe(200)
  })

  test('gives fewer scopes when asked, and never more', async () => {
    const tokens = await app.connect(mona, { scope: 'patient/Patient.rs patient/Observation.rs offline_access' })
    expect((await refresh(app, tokens.refresh_token, { scope: 'patient/*.cruds' })).body.error).toBe('invalid_scope')
    const less = (await refresh(app, tokens.refresh_token, { scope: 'patient/Patient.rs' })).body
    expect(less.scope).toBe('patient/Patient.rs')
    expect((await app.fhir(less).send('GET', '/Observation')).status).toBe(403)
    expect((await app.fhir(less).send('GET', '/Patient')).status).toBe(200)
  })
})

describe('a launch', () => {
  test('is good once, for its app, and for who opened it', async () => {
    const { launch } = await doctor.call(launchApp, { client: app.client, patient })
    expect(errorOf((await other.ask({ scope: 'launch patient/*.rs', launch })).back)).toBe('invalid_request')
    const { request = '' } = await app.ask({ scope: 'launch patient/*.rs', launch })
    await expect(nurse.call(showRequest, { request })).rejects.toMatchObject({ body: { code: 'SMART_REQUEST_OTHERS' } })
    await expect(nurse.call(decide, { request, allow: true })).rejects.toMatchObject({ body: { code: 'SMART_REQUEST_OTHERS' } })
    expect((await doctor.call(showRequest, { request })).whose?.id).toBe(patient)
    expect(errorOf((await app.ask({ scope: 'launch patient/*.rs', launch })).back)).toBe('invalid_request')
  })
})

describe('a token', () => {
  const bearer = async (token: string): Promise<number> => (await fetchWith(hospital, token)('/fhir/R4/Patient')).status

  test('that is unsigned, signed with the public key as a secret, or with a key of one’s own is refused', async () => {
    const { access_token: token } = await app.connect(mona, { scope: 'patient/Patient.rs' })
    expect(await bearer(token)).toBe(200)
    const [header = '', payload = ''] = token.split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string }
    const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const forged = encoded({ ...claims, scope: 'user/*.cruds' })
    expect(await bearer(`${encoded({ alg: 'none', kid })}.${forged}.`)).toBe(401)
    const { keys } = (await (await fetch(`${hospital.url}/.well-known/jwks.json`)).json()) as { keys: never[] }
    const pem = await exportSPKI((await importJWK(keys[0] as never, 'ES256')) as never)
    for (const secret of [pem, JSON.stringify(keys[0])]) {
      const signed = `${encoded({ alg: 'HS256', kid })}.${forged}`
      expect(await bearer(`${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`)).toBe(401)
    }
    const { privateKey } = await generateKeyPair('ES256')
    expect(await bearer(await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid }).sign(privateKey))).toBe(401)
    expect(await bearer(`${header}.${forged}.${token.split('.')[2]}`)).toBe(401)
  })

  test('that says who somebody is opens nothing', async () => {
    const tokens = await app.connect(mona, { scope: 'openid fhirUser patient/Patient.rs' })
    expect(await bearer(tokens.id_token ?? '')).toBe(401)
    expect(await bearer(tokens.id_token ?? '')).toBe(401)
  })

  test('that opens something is no refresh token, and the other way round', async () => {
    const tokens = await app.connect(mona, { scope: 'patient/Patient.rs offline_access' })
    expect(await bearer(tokens.refresh_token ?? '')).toBe(401)
    expect((await app.token({ grant_type: 'refresh_token', refresh_token: tokens.access_token, client_id: app.client })).body.error).toBe('invalid_grant')
  })

  test('of one app is not known and not ended by another', async () => {
    const secretive = await testApp(hospital, { kind: 'confidential', authMethod: 'client_secret_post' })
    const tokens = await app.connect(mona, { scope: 'patient/Patient.rs offline_access' })
    const ask = async (path: string, token: string | undefined, client: TestApp) =>
      await fetch(`${hospital.url}/oauth2/${path}`, { method: 'POST', body: new URLSearchParams({ token: token ?? '', client_id: client.client, ...(client.secret ? { client_secret: client.secret } : {}) }) })
    for (const token of [tokens.access_token, tokens.refresh_token]) {
      expect(await (await ask('introspect', token, secretive)).json()).toEqual({ active: false })
      expect((await ask('revoke', token, secretive)).status).toBe(200)
    }
    expect(await bearer(tokens.access_token)).toBe(200)
    expect((await ask('introspect', tokens.access_token, app)).status).toBe(401)
    expect((await ask('revoke', tokens.access_token, app)).status).toBe(200)
    expect(await bearer(tokens.access_token)).toBe(401)
  })
})

describe('a confidential app', () => {
  test('gets no token without its secret, with a wrong one, in another way than its own, or in two ways', async () => {
    const secretive = await testApp(hospital, { kind: 'confidential', authMethod: 'client_secret_post' })
    const { request = '', verifier } = await secretive.ask()
    const code = (await secretive.allow(mona, request)).searchParams.get('code') ?? ''
    const form = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: verifier, client_id: secretive.client }
    const basic = { authorization: `Basic ${Buffer.from(`${secretive.client}:${secretive.secret}`).toString('base64')}` }
    expect((await secretive.token(form)).body.error).toBe('invalid_client')
    expect((await secretive.token({ ...form, client_secret: 'wrong' })).body.error).toBe('invalid_client')
    expect((await secretive.token({ ...form, client_id: undefined }, basic)).body.error).toBe('invalid_client')
    expect((await secretive.token({ ...form, client_secret: secretive.secret }, basic)).body.error).toBe('invalid_request')
    // And not as a client of its own.
    expect((await secretive.token({ grant_type: 'client_credentials', client_id: secretive.client, client_secret: secretive.secret })).body.error).toBe('unauthorized_client')
    expect((await app.token({ grant_type: 'client_credentials', client_id: app.client })).body.error).toBe('unauthorized_client')
    expect((await secretive.token({ ...form, client_secret: secretive.secret })).status).toBe(200)
  })

  test('has a new secret at once, and is shut out with all that it was allowed', async () => {
    const admin = await hospital.signIn('admin')
    const secretive = await testApp(hospital, { kind: 'confidential', authMethod: 'client_secret_post' })
    const tokens = await secretive.connect(mona, { scope: 'patient/Patient.rs offline_access' })
    const { secret } = await admin.call(renewSecret, { client: secretive.client })
    const refresh = (client_secret?: string) => secretive.token({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token, client_id: secretive.client, client_secret })
    expect((await refresh(secretive.secret)).body.error).toBe('invalid_client')
    const next = await refresh(secret)
    expect(next.status).toBe(200)
    await admin.call(setAppActive, { client: secretive.client, active: false })
    expect((await secretive.ask()).page).toBe('client')
    expect((await secretive.token({ grant_type: 'refresh_token', refresh_token: next.body.refresh_token, client_id: secretive.client, client_secret: secret })).body.error).toBe('invalid_client')
    await admin.call(setAppActive, { client: secretive.client, active: true })
    expect((await secretive.token({ grant_type: 'refresh_token', refresh_token: next.body.refresh_token, client_id: secretive.client, client_secret: secret })).body.error).toBe('invalid_grant')
    expect(await fetchWith(hospital, next.body.access_token)('/fhir/R4/Patient').then(({ status }) => status)).toBe(401)
  })
})

describe('a registration', () => {
  const form = { name: 'An app', nameArabic: 'تطبيق', kind: 'public' as const, authMethod: 'none' as const, redirectUris: [REDIRECT], scopes: ['patient/*.rs'] }
  test.each([
    ['a redirect URI over http', { redirectUris: ['http://app.example.org/back'] }],
    ['a redirect URI with a fragment', { redirectUris: ['https://app.example.org/back#x'] }],
    ['a redirect URI with a star', { redirectUris: ['https://*.example.org/back'] }],
    ['a redirect URI that is a script', { redirectUris: ['javascript:alert(1)'] }],
    ['a redirect URI of a file or of data', { redirectUris: ['data:text/html,x'] }],
    ['no redirect URI', { redirectUris: [] }],
    ['a public app with a secret', { authMethod: 'client_secret_post' as const }],
    ['scopes of a backend for an app of people', { scopes: ['system/*.rs'] }],
    ['a scope that is none', { scopes: ['patient/Everything.rs'] }],
    ['a filter that cannot be kept to', { scopes: ['patient/Observation.rs?date=gt2020'] }],
    ['keys for an app without', { jwksUri: 'https://app.example.org/keys' }],
  ])('with %s is refused, and says which field', async (_what, more) => {
    const admin = await hospital.signIn('admin')
    const refusal = await admin.call(registerApp, { ...form, ...more }).catch((error: { status: number; body: { details?: { fields?: unknown[] } } }) => error)
    expect(refusal).toMatchObject({ status: 400 })
    expect((refusal as { body: { details?: { fields?: unknown[] } } }).body.details?.fields?.length).toBeGreaterThan(0)
  })
  test('with a private key is refused, and it is for administrators alone', async () => {
    const admin = await hospital.signIn('admin')
    const { privateKey } = await generateKeyPair('ES384', { extractable: true })
    const { exportJWK } = await import('jose')
    const jwks = { keys: [{ ...(await exportJWK(privateKey)) } as Record<string, unknown>] }
    await expect(admin.call(registerApp, { ...form, kind: 'backend', authMethod: 'private_key_jwt', redirectUris: [], scopes: ['system/*.rs'], jwks })).rejects.toMatchObject({ body: { code: 'SMART_KEYS_INVALID' } })
    await expect(doctor.call(registerApp, form)).rejects.toMatchObject({ status: 403 })
  })
})

test('nothing that opens anything lies in the database as it is', async () => {
  const { request = '', verifier } = await app.ask({ scope: 'launch/patient patient/*.rs offline_access', nonce: 'a-secret-nonce' })
  const code = (await app.allow(mona, request)).searchParams.get('code') ?? ''
  const { body } = await exchange(app, { code, code_verifier: verifier })
  const owner = new pg.Client({ connectionString: hospital.databaseUrl })
  await owner.connect()
  const tables = await owner.query<{ name: string }>("select table_name as name from information_schema.tables where table_schema = 'smart'")
  let all = ''
  for (const { name } of tables.rows) all += JSON.stringify((await owner.query(`select t::text from smart.${name} t`)).rows)
  await owner.end()
  for (const secret of [request, code, body.refresh_token ?? '', body.access_token, 'a-secret-nonce']) expect(all.includes(secret)).toBe(false)
  expect(all).toContain(app.client)
})
