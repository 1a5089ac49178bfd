import type { CapabilityStatement, Encounter, Patient } from '@carespine/fhir/resource'
import { decide, launchApp, launchableApps, myApps, showRequest, takeBack } from '@carespine/link-smart/contract'
import { createLocalJWKSet, jwtVerify } from 'jose'
import * as oidc from 'openid-client'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fhirClient } from './fhir-client.ts'
import { fetchWith, patientAccount, REDIRECT, testApp, type TestApp } from './smart-app.ts'
import { type SignedInUser, startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
let app: TestApp
let doctor: SignedInUser
let mona: SignedInUser
const ids = { mona: '', omar: '', visit: '' }

beforeAll(async () => {
  hospital = await startTestHospital()
  const fhir = fhirClient((await hospital.asClient()).fetch)
  for (const name of ['mona', 'omar'] as const) {
    ids[name] = (await fhir.create<Patient>({ resourceType: 'Patient', name: [{ given: [name], family: 'Test' }] })).id
    await fhir.create({ resourceType: 'Observation', status: 'final', code: { text: name }, subject: { reference: `Patient/${ids[name]}` } } as never)
  }
  ids.visit = (await fhir.create<Encounter>({ resourceType: 'Encounter', status: 'in-progress', class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' }, subject: { reference: `Patient/${ids.mona}` } })).id
  app = await testApp(hospital, { launchUrl: 'https://app.example.org/launch' })
  doctor = await hospital.signIn('provider')
  mona = await patientAccount(hospital, ids.mona)
})
afterAll(() => hospital?.close())

describe('discovery', () => {
  test('tells apps where to go, and what works here', async () => {
    const answer = await fetch(`${hospital.url}/fhir/R4/.well-known/smart-configuration`)
    const smart = (await answer.json()) as Record<string, never>
    expect(answer.headers.get('content-type')).toContain('application/json')
    expect(smart).toMatchObject({ issuer: hospital.url, authorization_endpoint: `${hospital.url}/oauth2/authorize`, token_endpoint: `${hospital.url}/oauth2/token`, code_challenge_methods_supported: ['S256'] })
    expect(smart.capabilities).toEqual(expect.arrayContaining(['launch-ehr', 'launch-standalone', 'permission-v1', 'permission-v2', 'client-confidential-asymmetric']))
    const metadata = (await (await fetch(`${hospital.url}/fhir/R4/metadata`)).json()) as CapabilityStatement
    const security = metadata.rest?.[0]?.security
    expect(security?.service?.[0]?.coding?.[0]?.code).toBe('SMART-on-FHIR')
    expect(security?.extension?.[0]?.extension?.find(({ url }) => url === 'token')?.valueUri).toBe(`${hospital.url}/oauth2/token`)
  })
})

describe('an app that a patient connects', () => {
  test('sees the record of the patient who let it in, and of nobody else', async () => {
    const { request = '', verifier } = await app.ask({ scope: 'openid fhirUser launch/patient patient/*.rs offline_access', nonce: 'n-1' })
    const shown = await mona.call(showRequest, { request })
    expect(shown).toMatchObject({ app: { name: 'Growth chart' }, host: 'app.example.org', patient: 'given', remembered: false })
    expect(shown.whose?.id).toBe(ids.mona)
    expect(shown.wishes.map(({ scope }) => scope)).toEqual(['openid', 'fhirUser', 'patient/*.rs', 'offline_access'])
    const back = await app.allow(mona, request)
    expect(`${back.origin}${back.pathname}`).toBe(REDIRECT)
    expect(back.searchParams.get('state')).toBe('a-state')
    expect(back.searchParams.get('iss')).toBe(hospital.url)
    const { status, body, headers } = await app.token({ grant_type: 'authorization_code', code: back.searchParams.get('code') ?? '', redirect_uri: REDIRECT, code_verifier: verifier, client_id: app.client })
    expect([status, body.patient, body.scope, headers.get('cache-control')]).toEqual([200, ids.mona, 'openid fhirUser launch/patient patient/*.rs offline_access', 'no-store'])
    const keys = createLocalJWKSet((await (await fetch(`${hospital.url}/.well-known/jwks.json`)).json()) as never)
    const { payload } = await jwtVerify(body.id_token ?? '', keys, { issuer: hospital.url, audience: app.client, algorithms: ['ES256'] })
    expect(payload).toMatchObject({ nonce: 'n-1', fhirUser: `${hospital.url}/fhir/R4/Patient/${ids.mona}` })
    const fhir = app.fhir(body)
    expect((await fhir.send('GET', `/Patient/${ids.mona}`)).status).toBe(200)
    expect((await fhir.send('GET', `/Patient/${ids.omar}`)).status).toBe(404)
    expect(await fhir.ids('/Patient')).toEqual([ids.mona])
    expect(await fhir.ids('/Observation')).toHaveLength(1)
    expect((await fhir.send('POST', '/Observation', { resourceType: 'Observation', status: 'final', code: { text: 'x' }, subject: { reference: `Patient/${ids.mona}` } })).status).toBe(403)
  })

  test('is let in with less than it asked for, and gets no more', async () => {
    const tokens = await app.connect(mona, { scope: 'launch/patient patient/Patient.rs patient/Observation.rs' }, { scopes: ['patient/Patient.rs'] })
    expect(tokens.scope).toBe('launch/patient patient/Patient.rs')
    expect(tokens.refresh_token).toBeUndefined()
    expect((await app.fhir(tokens).send('GET', '/Observation')).status).toBe(403)
  })

  test('that the patient sends away is told so', async () => {
    const { request = '' } = await app.ask()
    const { redirect } = await mona.call(decide, { request, allow: false })
    expect(new URL(redirect).searchParams.get('error')).toBe('access_denied')
    await expect(mona.call(decide, { request, allow: true })).rejects.toMatchObject({ status: 410 })
  })

  test('is not asked about again for the same, until the patient takes it back; then its tokens end', async () => {
    const tokens = await app.connect(mona, { scope: 'launch/patient patient/*.rs offline_access' })
    const { request = '' } = await app.ask({ scope: 'launch/patient patient/*.rs' })
    expect((await mona.call(showRequest, { request })).remembered).toBe(true)
    const more = await app.ask({ scope: 'launch/patient patient/*.cruds' })
    expect((await mona.call(showRequest, { request: more.request ?? '' })).remembered).toBe(false)
    expect((await mona.call(myApps, {})).apps.map(({ client }) => client)).toEqual([app.client])
    await mona.call(takeBack, { client: app.client })
    expect((await mona.call(myApps, {})).apps).toEqual([])
    expect((await app.fhir(tokens).send('GET', `/Patient/${ids.mona}`)).status).toBe(401)
    expect((await app.token({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token, client_id: app.client })).body.error).toBe('invalid_grant')
    expect((await mona.call(showRequest, { request })).remembered).toBe(false)
  })
})

describe('an app that a doctor opens', () => {
  test('by itself asks whose record, and sees that one', async () => {
    const { request = '' } = await app.ask({ scope: 'launch/patient patient/Patient.rs' })
    expect((await doctor.call(showRequest, { request })).patient).toBe('choose')
    await expect(doctor.call(decide, { request, allow: true, scopes: ['patient/Patient.rs'] })).rejects.toMatchObject({ body: { code: 'SMART_PATIENT_NEEDED' } })
    const tokens = await app.connect(doctor, { scope: 'launch/patient patient/Patient.rs' }, { patient: ids.omar })
    expect(tokens.patient).toBe(ids.omar)
    expect(await app.fhir(tokens).ids('/Patient')).toEqual([ids.omar])
  })

  test('from a chart is given patient and encounter', async () => {
    expect((await doctor.call(launchableApps, {})).apps.map(({ client }) => client)).toContain(app.client)
    const { launchUrl, launch } = await doctor.call(launchApp, { client: app.client, patient: ids.mona, encounter: ids.visit })
    expect(launchUrl).toBe('https://app.example.org/launch')
    const tokens = await app.connect(doctor, { scope: 'launch openid fhirUser patient/*.rs', launch })
    expect(tokens).toMatchObject({ patient: ids.mona, encounter: ids.visit, need_patient_banner: true })
    expect(await app.fhir(tokens).ids('/Patient')).toEqual([ids.mona])
  })

  test('not with an encounter of another patient', async () => {
    await expect(doctor.call(launchApp, { client: app.client, patient: ids.omar, encounter: ids.visit })).rejects.toMatchObject({ body: { code: 'SMART_ENCOUNTER_OTHERS' } })
  })

  test('with scopes of the user sees what the doctor sees, and does no more than the doctor may', async () => {
    const tokens = await app.connect(doctor, { scope: 'user/*.cruds' })
    expect((await app.fhir(tokens).ids('/Patient')).toSorted()).toEqual([ids.mona, ids.omar].toSorted())
    expect((await app.fhir(tokens).send('POST', '/Organization', { resourceType: 'Organization', name: 'x' })).status).toBe(403)
    expect((await app.fhir(tokens).send('POST', '/Observation', { resourceType: 'Observation', status: 'final', code: { text: 'x' }, subject: { reference: `Patient/${ids.mona}` } })).status).toBe(201)
  })

  test('ends with the sign-in, unless it may stay', async () => {
    const guest = await hospital.signIn('nurse')
    const online = await app.connect(guest, { scope: 'user/Patient.rs online_access' })
    const offline = await app.connect(guest, { scope: 'user/Patient.rs offline_access' })
    const out = await fetch(`${hospital.url}/api/auth/logout`, { method: 'POST', headers: { cookie: guest.cookie, 'x-carespine-csrf': '1' } })
    expect(out.status).toBe(200)
    const refresh = (token?: string) => app.token({ grant_type: 'refresh_token', refresh_token: token, client_id: app.client })
    expect((await refresh(online.refresh_token)).body.error).toBe('invalid_grant')
    const { status, body } = await refresh(offline.refresh_token)
    expect(status).toBe(200)
    expect(await app.fhir(body).ids('/Patient')).toHaveLength(2)
  })
})

describe('a client library that knows nothing of us', () => {
  test('runs OpenID Connect with PKCE, refresh, introspection and revocation', async () => {
    const confidential = await testApp(hospital, { kind: 'confidential', authMethod: 'client_secret_basic' })
    const config = await oidc.discovery(new URL(hospital.url), confidential.client, undefined, oidc.ClientSecretBasic(confidential.secret ?? ''), { execute: [oidc.allowInsecureRequests] })
    const verifier = oidc.randomPKCECodeVerifier()
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: REDIRECT,
      scope: 'openid fhirUser launch/patient patient/*.rs offline_access',
      aud: `${hospital.url}/fhir/R4`,
      state: 's-2',
      nonce: 'n-2',
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    })
    const asked = await fetch(url, { redirect: 'manual' })
    const back = await confidential.allow(mona, asked.headers.get('location')?.split('#')[1] ?? '')
    const tokens = await oidc.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, expectedState: 's-2', expectedNonce: 'n-2' })
    expect(tokens.claims()?.fhirUser).toBe(`${hospital.url}/fhir/R4/Patient/${ids.mona}`)
    const next = await oidc.refreshTokenGrant(config, tokens.refresh_token ?? '')
    expect(await oidc.tokenIntrospection(config, next.access_token)).toMatchObject({ active: true, client_id: confidential.client, patient: ids.mona, fhirUser: `${hospital.url}/fhir/R4/Patient/${ids.mona}` })
    expect(await oidc.tokenIntrospection(config, next.refresh_token ?? '')).toMatchObject({ active: true })
    await oidc.tokenRevocation(config, next.refresh_token ?? '')
    expect(await oidc.tokenIntrospection(config, next.access_token)).toMatchObject({ active: false })
    expect((await fetchWith(hospital, next.access_token)('/fhir/R4/Patient')).status).toBe(401)
  })
})

test('what was allowed, opened and ended is in the audit trail', async () => {
  const owner = new pg.Client({ connectionString: hospital.databaseUrl })
  await owner.connect()
  const { rows } = await owner.query<{ action: string }>("select distinct action from audit.entry where action like 'smart.%'")
  await owner.end()
  expect(rows.map(({ action }) => action)).toEqual(expect.arrayContaining(['smart.allow', 'smart.deny', 'smart.launch', 'smart.register', 'smart.revoke', 'smart.take-back', 'smart.token']))
})

test('a server that started anew knows codes, grants and refresh tokens', async () => {
  const { request = '', verifier } = await app.ask({ scope: 'launch/patient patient/*.rs offline_access' })
  const back = await app.allow(mona, request)
  await hospital.restart()
  // It has another port now, and so another address.
  const { status, body } = await app.token({ grant_type: 'authorization_code', code: back.searchParams.get('code') ?? '', redirect_uri: REDIRECT, code_verifier: verifier, client_id: app.client })
  expect([status, body.patient]).toEqual([200, ids.mona])
})
