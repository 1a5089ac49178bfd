import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { AppForm } from '@carespine/link-smart/contract'
import { decide, registerApp, showRequest } from '@carespine/link-smart/contract'
import { addUser } from '@carespine/identity/accounts'
import type { z } from '@carespine/kit/contract'
import { fhirClient } from './fhir-client.ts'
import { BRANCHES, PASSWORD, type SignedInUser, type TestHospital } from './test-hospital.ts'

export const REDIRECT = 'https://app.example.org/back'

export interface Tokens {
  access_token: string
  refresh_token?: string
  id_token?: string
  scope: string
  patient?: string
  encounter?: string
  expires_in: number
  error?: string
  error_description?: string
}

/** An app as the outside world has it: it knows its client id, keeps its verifier, and follows redirects. */
export interface TestApp {
  client: string
  secret?: string
  /** Asks for an authorization: the request that waits for a person, or where the browser was sent back to. */
  ask(parameters?: Readonly<Record<string, string | undefined>>, method?: 'GET' | 'POST'): Promise<{ request?: string; back?: URL; page?: string; verifier: string }>
  /** The person allows it; gives the code. */
  allow(person: SignedInUser, request: string, choice?: { scopes?: readonly string[]; patient?: string }): Promise<URL>
  token(form: Readonly<Record<string, string | undefined>>, headers?: Record<string, string>): Promise<{ status: number; body: Tokens; headers: Headers }>
  /** All of it: from the request to the tokens. */
  connect(person: SignedInUser, parameters?: Readonly<Record<string, string | undefined>>, choice?: { scopes?: readonly string[]; patient?: string }): Promise<Tokens>
  /** FHIR under an access token. */
  fhir(tokens: Tokens): ReturnType<typeof fhirClient>
}

export const fetchWith = (hospital: TestHospital, token: string) => (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(hospital.url + path, { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } })

/** Registers an app as an administrator does. */
export async function testApp(hospital: TestHospital, form: Partial<z.input<typeof AppForm>> = {}): Promise<TestApp> {
  const admin = await hospital.signIn('admin')
  const { client, secret } = await admin.call(registerApp, {
    name: 'Growth chart',
    nameArabic: 'مخطط النمو',
    kind: 'public',
    authMethod: 'none',
    redirectUris: [REDIRECT],
    scopes: ['openid', 'fhirUser', 'launch', 'launch/patient', 'offline_access', 'online_access', 'patient/*.cruds', 'user/*.cruds'],
    ...form,
  })
  const app: TestApp = {
    client,
    ...(secret === undefined ? {} : { secret }),
    async ask(parameters = {}, method = 'GET') {
      const verifier = randomBytes(32).toString('base64url')
      const all = {
        response_type: 'code',
        client_id: client,
        redirect_uri: REDIRECT,
        scope: 'launch/patient patient/*.rs',
        state: 'a-state',
        aud: `${hospital.url}/fhir/R4`,
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
        ...parameters,
      }
      const form = new URLSearchParams(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined))
      const address = `${hospital.url}/oauth2/authorize`
      const response = await (method === 'GET' ? fetch(`${address}?${form}`, { redirect: 'manual', headers: { accept: 'text/html' } }) : fetch(address, { method, body: form, redirect: 'manual', headers: { accept: 'text/html' } }))
      const location = response.headers.get('location') ?? ''
      if (!location.startsWith('/')) return { back: new URL(location), verifier }
      const [, fragment = ''] = location.split('#')
      return fragment.startsWith('!') ? { page: fragment.slice(1), verifier } : { request: fragment, verifier }
    },
    async allow(person, request, { scopes, patient } = {}) {
      const shown = scopes ? undefined : await person.call(showRequest, { request })
      const { redirect } = await person.call(decide, { request, allow: true, scopes: [...(scopes ?? shown?.wishes.map(({ scope }) => scope) ?? [])], ...(patient === undefined ? {} : { patient }) })
      return new URL(redirect)
    },
    async token(form, headers = {}) {
      const given = Object.entries(form).filter((entry): entry is [string, string] => entry[1] !== undefined)
      const response = await fetch(`${hospital.url}/oauth2/token`, { method: 'POST', body: new URLSearchParams(given), headers })
      return { status: response.status, body: (await response.json()) as Tokens, headers: response.headers }
    },
    async connect(person, parameters, choice) {
      const { request, back, verifier } = await app.ask(parameters)
      if (request === undefined) throw new Error(`the app was sent back: ${back}`)
      const answer = await app.allow(person, request, choice)
      const { status, body } = await app.token({ grant_type: 'authorization_code', code: answer.searchParams.get('code') ?? '', redirect_uri: REDIRECT, code_verifier: verifier, client_id: client, client_secret: secret })
      if (status !== 200) throw new Error(`no token: ${JSON.stringify(body)}`)
      return body
    },
    fhir: ({ access_token: token }) => fhirClient(fetchWith(hospital, token)),
  }
  return app
}

/** An account in the patient portal of whoever has this record. */
export async function patientAccount(hospital: TestHospital, patient: string): Promise<SignedInUser> {
  const { services } = hospital.hospital
  const email = `${patient}@patients.example`
  await services.transact(services.system('identity'), { correlationId: randomUUID(), action: 'test.account', module: 'identity' }, ({ tx }) =>
    addUser(tx, { email, password: PASSWORD, display: 'Patient', roles: ['patient'], branches: [BRANCHES.main], branch: BRANCHES.main, patient }),
  )
  return await hospital.signInAs(email, 'patient')
}

export const s256 = (verifier: string): string => createHash('sha256').update(verifier).digest('base64url')
