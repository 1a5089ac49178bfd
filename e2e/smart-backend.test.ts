import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Observation, Patient } from '@carespine/fhir/resource'
import { setAppActive } from '@carespine/link-smart/contract'
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bulkClient } from './bulk-client.ts'
import { fhirClient } from './fhir-client.ts'
import { fetchWith, testApp, type TestApp } from './smart-app.ts'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const CATEGORY = 'http://terminology.hl7.org/CodeSystem/observation-category'

let hospital: TestHospital
let keyServer: Server
let served: { keys: unknown[] } = { keys: [] }
let asked = 0
const patients: string[] = []
let laboratory: string

interface Signer {
  alg: 'RS384' | 'ES384'
  kid: string
  privateKey: CryptoKey
  jwk: Record<string, unknown>
}

async function signer(alg: 'RS384' | 'ES384', kid: string = randomUUID()): Promise<Signer> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { alg, kid, privateKey, jwk: { ...(await exportJWK(publicKey)), alg, kid, use: 'sig', key_ops: ['verify'] } }
}

/** A service of the hospital's own network, as SMART Backend Services has it. */
async function service(keys: { jwks: { keys: Record<string, unknown>[] } } | { jwksUri: string }, scopes = ['system/*.cruds']): Promise<TestApp> {
  return await testApp(hospital, { name: 'Registry', kind: 'backend', authMethod: 'private_key_jwt', redirectUris: [], scopes, ...keys })
}

async function assertionOf(app: TestApp, { alg, kid, privateKey }: Signer, { claims = {}, seconds = 240 }: { claims?: Record<string, unknown>; seconds?: number } = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  return await new SignJWT({ iss: app.client, sub: app.client, aud: `${hospital.url}/oauth2/token`, jti: randomUUID(), exp: now + seconds, ...claims }).setProtectedHeader({ alg, kid, typ: 'JWT' }).sign(privateKey)
}

const tokenFor = async (app: TestApp, assertion: string, scope = 'system/*.rs') =>
  await app.token({ grant_type: 'client_credentials', client_assertion_type: ASSERTION, client_assertion: assertion, scope })

beforeAll(async () => {
  keyServer = createServer((_request, response) => {
    asked += 1
    response.setHeader('content-type', 'application/json').end(JSON.stringify(served))
  })
  await new Promise<void>((done) => keyServer.listen(0, '127.0.0.1', done))
  hospital = await startTestHospital({ settings: { APP_KEY_HOSTS: `127.0.0.1:${(keyServer.address() as AddressInfo).port}` } })
  const fhir = fhirClient((await hospital.asClient()).fetch)
  for (const family of ['One', 'Two']) {
    const { id } = await fhir.create<Patient>({ resourceType: 'Patient', name: [{ family }] })
    patients.push(id)
    for (const code of ['laboratory', 'vital-signs']) {
      const { id: observation } = await fhir.create<Observation>({ resourceType: 'Observation', status: 'final', category: [{ coding: [{ system: CATEGORY, code }] }], code: { text: code }, subject: { reference: `Patient/${id}` } })
      if (code === 'laboratory') laboratory = observation
    }
  }
})
afterAll(async () => {
  keyServer?.close()
  await hospital?.close()
})

describe.each(['RS384', 'ES384'] as const)('a backend service that signs with %s', (alg) => {
  test('gets a token for five minutes, reads the record within its scopes, and exports it', async () => {
    const key = await signer(alg)
    const app = await service({ jwks: { keys: [key.jwk] } })
    const { status, body } = await tokenFor(app, await assertionOf(app, key), 'system/Patient.rs system/Observation.rs')
    expect([status, body.expires_in, body.scope]).toEqual([200, 300, 'system/Patient.rs system/Observation.rs'])
    expect(await app.fhir(body).ids('/Patient')).toHaveLength(2)
    expect((await app.fhir(body).send('GET', '/Encounter')).status).toBe(403)
    expect((await app.fhir(body).send('POST', '/Patient', { resourceType: 'Patient' })).status).toBe(403)
    const { resources } = await bulkClient(hospital.url, fetchWith(hospital, body.access_token)).export('/Patient/$export')
    expect([...new Set(resources.map(({ resourceType }) => resourceType))].toSorted()).toEqual(['Observation', 'Patient'])
  })

  test('keeps its keys at an address, and changes them when it likes', async () => {
    const [first, second] = [await signer(alg), await signer(alg)]
    served = { keys: [first.jwk] }
    const app = await service({ jwksUri: `http://127.0.0.1:${(keyServer.address() as AddressInfo).port}/${alg}` })
    expect((await tokenFor(app, await assertionOf(app, first))).status).toBe(200)
    const before = asked
    expect((await tokenFor(app, await assertionOf(app, first))).status).toBe(200)
    expect(asked).toBe(before)
    // A key that nobody knows makes the server look again, but not at every attempt.
    expect((await tokenFor(app, await assertionOf(app, second))).body.error).toBe('invalid_client')
    expect(asked).toBe(before)
  })
})

describe('an assertion', () => {
  let key: Signer
  let app: TestApp
  beforeAll(async () => {
    key = await signer('ES384')
    app = await service({ jwks: { keys: [key.jwk] } })
  })
  const refusedWith = async (assertion: string): Promise<unknown> => {
    const { status, body } = await tokenFor(app, assertion)
    return [status, body.error]
  }
  const seconds = () => Math.floor(Date.now() / 1000)

  test('is good once', async () => {
    const assertion = await assertionOf(app, key)
    expect((await tokenFor(app, assertion)).status).toBe(200)
    expect(await refusedWith(assertion)).toEqual([401, 'invalid_client'])
    const jti = randomUUID()
    const both = await Promise.all([1, 2].map(async () => (await tokenFor(app, await assertionOf(app, key, { claims: { jti } }))).status))
    expect(both.toSorted()).toEqual([200, 401])
  })

  test.each([
    ['expires in an hour', () => ({ exp: seconds() + 3600 })],
    ['has expired', () => ({ exp: seconds() - 60 })],
    ['never expires', () => ({ exp: undefined })],
    ['has no jti', () => ({ jti: undefined })],
    ['is for another server', () => ({ aud: 'https://other.example.org/oauth2/token' })],
    ['is of another issuer', () => ({ iss: randomUUID() })],
    ['is about another client', () => ({ sub: randomUUID() })],
  ])('that %s is refused', async (_what, claims) => {
    expect(await refusedWith(await assertionOf(app, key, { claims: claims() }))).toEqual([401, 'invalid_client'])
  })

  test('signed by somebody else, by the wrong algorithm, or by nobody is refused', async () => {
    const stranger = await signer('ES384', key.kid)
    expect(await refusedWith(await assertionOf(app, stranger))).toEqual([401, 'invalid_client'])
    const claims = { iss: app.client, sub: app.client, aud: `${hospital.url}/oauth2/token`, jti: randomUUID(), exp: seconds() + 100 }
    const hmac = await new SignJWT(claims).setProtectedHeader({ alg: 'HS384', kid: key.kid }).sign(Buffer.from(JSON.stringify(key.jwk)))
    expect(await refusedWith(hmac)).toEqual([401, 'invalid_client'])
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    expect(await refusedWith(`${part({ alg: 'none', kid: key.kid })}.${part(claims)}.`)).toEqual([401, 'invalid_client'])
    expect(await refusedWith('not a token')).toEqual([401, 'invalid_client'])
  })

  test('of one service is no other’s, and what is shut out gets nothing and keeps nothing', async () => {
    const other = await service({ jwks: { keys: [(await signer('RS384')).jwk] } })
    const foreign = await app.token({ grant_type: 'client_credentials', client_id: other.client, client_assertion_type: ASSERTION, client_assertion: await assertionOf(app, key), scope: 'system/*.rs' })
    expect(foreign.body.error).toBe('invalid_client')
    const { body } = await tokenFor(app, await assertionOf(app, key), 'system/Patient.rs')
    const admin = await hospital.signIn('admin')
    await admin.call(setAppActive, { client: app.client, active: false })
    expect(await refusedWith(await assertionOf(app, key))).toEqual([401, 'invalid_client'])
    expect((await app.fhir(body).send('GET', '/Patient')).status).toBe(401)
    await admin.call(setAppActive, { client: app.client, active: true })
  })
})

describe('scopes of the system', () => {
  test('are no more than was registered, and none are none', async () => {
    const key = await signer('RS384')
    const app = await service({ jwks: { keys: [key.jwk] } }, ['system/Patient.rs'])
    const { body } = await tokenFor(app, await assertionOf(app, key), 'system/Patient.cruds system/Patient.r system/Observation.rs patient/*.rs')
    expect(body.scope).toBe('system/Patient.r')
    for (const scope of ['system/Observation.rs', 'user/*.rs', '']) expect((await tokenFor(app, await assertionOf(app, key), scope)).body.error).toBe('invalid_scope')
  })

  test('narrow a subscription too: of what an app may not see it is not told', async () => {
    const key = await signer('ES384')
    const app = await service({ jwks: { keys: [key.jwk] } })
    const narrow = (await tokenFor(app, await assertionOf(app, key), `system/Subscription.cruds system/Patient.rs system/Observation.rs?category=${CATEGORY}|laboratory`)).body
    const fhir = app.fhir(narrow)
    const { body: metadata } = await fhir.send<{ rest: { resource: { type: string; extension?: { valueCanonical: string }[] }[] }[] }>('GET', '/metadata')
    expect(metadata.rest[0]?.resource.find(({ type }) => type === 'Subscription')?.extension?.length).toBeGreaterThan(0)
    const client = fhirClient((await hospital.asClient(hospital.client)).fetch)
    expect((await client.ids('/Observation')).length).toBe(4)
    expect(await fhir.ids('/Observation')).toHaveLength(2)
    expect((await fhir.send('GET', `/Observation/${laboratory}`)).status).toBe(200)
  })

  test('narrow a client of the hospital’s own that asks for some, and only then', async () => {
    const ask = async (scope?: string) => {
      const response = await fetch(`${hospital.url}/oauth2/token`, { method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials', ...hospital.client, ...(scope === undefined ? {} : { scope }) }) })
      return (await response.json()) as { access_token: string; scope?: string }
    }
    const whole = await ask()
    expect(whole.scope).toBeUndefined()
    expect((await fetchWith(hospital, whole.access_token)('/fhir/R4/Observation')).status).toBe(200)
    const part = await ask('system/Patient.read')
    expect((await fetchWith(hospital, part.access_token)('/fhir/R4/Patient')).status).toBe(200)
    expect((await fetchWith(hospital, part.access_token)('/fhir/R4/Observation')).status).toBe(403)
    expect(patients).toHaveLength(2)
  })
})

test('keys are not fetched from inside the network, unless the installation says so', async () => {
  const key = await signer('RS384')
  for (const jwksUri of ['http://127.0.0.1:1/keys', 'https://127.0.0.1/keys', 'https://[::1]/keys', 'http://169.254.169.254/latest', 'https://localhost/keys']) {
    const app = await service({ jwksUri })
    expect([jwksUri, (await tokenFor(app, await assertionOf(app, key))).body.error]).toEqual([jwksUri, 'invalid_client'])
  }
})
