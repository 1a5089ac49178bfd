import type { Actor } from '@carespine/store/contract'
import type { FastifyRequest } from 'fastify'
import { createLocalJWKSet, decodeJwt, errors, type JWTPayload, jwtVerify, type LocalJWKSet } from 'jose'
import { type App, findApp } from './apps.ts'
import type { ClientKeys } from './client-keys.ts'
import { type Desk, hashOf } from './desk.ts'
import { invalidClient, OAuthFault, slowDown } from './oauth-fault.ts'

/** Who asks at an endpoint of the authorization server. */
export interface Client {
  id: string
  /** Absent for a client of the hospital's own that is no registered app. */
  app?: App
  /** What it may do for itself. */
  actor?: Actor
  /** It has shown who it is. A public app has not, and cannot. */
  isKnown: boolean
}

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
/** Life of an assertion at most (SMART App Launch 2.2, section 5.1.5), and what clocks may differ by. */
const ASSERTION_SECONDS = 300
const SKEW_SECONDS = 10

type Form = Readonly<Record<string, string>>

/** The client of a request, by the one way that it was registered with. Throws OAuthFault. */
export async function knowClient(desk: Desk, keys: ClientKeys, request: FastifyRequest, form: Form): Promise<Client> {
  const rush = desk.identity.rush(request)
  if (rush > 0) throw slowDown(rush)
  const basic = basicCredentials(request.headers.authorization)
  const ways = [basic !== undefined, form.client_secret !== undefined, form.client_assertion !== undefined].filter(Boolean)
  if (ways.length > 1) throw new OAuthFault('invalid_request', 'Show who you are in one way, not in several.')
  const id = basic?.id ?? form.client_id ?? (form.client_assertion === undefined ? '' : issuerOf(form.client_assertion))
  if (basic && form.client_id !== undefined && form.client_id !== basic.id) throw new OAuthFault('invalid_request', 'Two clients are named.')
  const app = await desk.services.view(desk.services.system('smart'), originOf(request), ({ view }) => findApp(view, id))
  if (app && !app.active) throw invalidClient('This app has been shut out.')
  if (form.client_assertion !== undefined) return await byAssertion(desk, keys, request, form, id, app)
  const secret = basic?.secret ?? form.client_secret
  if (app?.auth_method === 'none' && secret === undefined) return { id, app, isKnown: false }
  const method = basic ? 'client_secret_basic' : 'client_secret_post'
  if (secret === undefined || id === '' || (app && app.auth_method !== method)) {
    throw invalidClient(app ? `This client shows who it is by ${app.auth_method}.` : 'Send client_id and client_secret, form-encoded or as JSON.')
  }
  const { actor, wait } = await desk.identity.clientBySecret(request, id, secret)
  if (wait > 0) throw slowDown(wait)
  if (!actor) throw invalidClient('client_id or client_secret is wrong.')
  return { id, ...(app ? { app } : {}), actor, isKnown: true }
}

async function byAssertion(desk: Desk, keys: ClientKeys, request: FastifyRequest, form: Form, id: string, app: App | undefined): Promise<Client> {
  if (form.client_assertion_type !== ASSERTION_TYPE) throw new OAuthFault('invalid_request', `client_assertion_type must be ${ASSERTION_TYPE}.`)
  const refused = async (why: string): Promise<never> => {
    await desk.transact(request, 'smart.token', async (tx) => tx.record({ action: 'smart.token', outcome: 'failure', reason: `${id.slice(0, 64)}: ${why}` }))
    throw invalidClient(why)
  }
  if (app?.auth_method !== 'private_key_jwt') return await refused('No client signs assertions under this id.')
  const now = desk.services.now()
  const claims = await verified(desk, keys, request, form.client_assertion ?? '', app, now).catch((error: unknown) => (error instanceof Error ? error : new Error('unknown')))
  if (claims instanceof Error) return await refused(`The assertion is not accepted: ${claims instanceof errors.JOSEError ? claims.code : claims.message}.`)
  const { jti, exp = 0 } = claims
  if (typeof jti !== 'string' || jti.length === 0 || jti.length > 200) return await refused('The assertion needs a jti.')
  const seconds = Math.floor(now.getTime() / 1000)
  if (exp > seconds + ASSERTION_SECONDS + SKEW_SECONDS) return await refused('The assertion must expire within five minutes.')
  const isFresh = await desk.transact(request, 'smart.token', async (tx) => {
    const rows = await tx.sql('insert into smart.assertion (hash, expires_at) values ($1, $2) on conflict do nothing returning 1', [hashOf(`${id}/${jti}`), new Date((exp + SKEW_SECONDS) * 1000)])
    return rows.length > 0
  })
  if (!isFresh) return await refused('The assertion came before.')
  const actor = await desk.services.view(desk.services.system('smart'), originOf(request), ({ view }) => desk.identity.clientActor(view, id))
  return { id, app, ...(actor ? { actor } : {}), isKnown: true }
}

/** Claims of an assertion that this client signed for this server (RFC 7523, section 3). */
async function verified(desk: Desk, keys: ClientKeys, request: FastifyRequest, assertion: string, app: App, now: Date): Promise<JWTPayload> {
  const issuer = desk.issuerFor(request)
  const check = async (set: LocalJWKSet): Promise<JWTPayload> => {
    const { payload } = await jwtVerify(assertion, set, {
      issuer: app.client,
      subject: app.client,
      audience: [`${issuer}/oauth2/token`, issuer],
      algorithms: ['RS384', 'ES384'],
      requiredClaims: ['exp', 'jti'],
      clockTolerance: SKEW_SECONDS,
      currentDate: now,
    })
    return payload
  }
  if (app.jwks_uri === null) return await check(createLocalJWKSet((app.jwks ?? { keys: [] }) as never))
  try {
    return await check(await keys.at(app.jwks_uri, false))
  } catch (error) {
    if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
    return await check(await keys.at(app.jwks_uri, true))
  }
}

function issuerOf(assertion: string): string {
  try {
    return decodeJwt(assertion).iss ?? ''
  } catch {
    return ''
  }
}

export function originOf(request: FastifyRequest): FastifyRequest['origin'] {
  return { ...request.origin, action: 'smart.token', module: 'smart' }
}

function basicCredentials(header: string | undefined): { id: string; secret: string } | undefined {
  if (!header?.startsWith('Basic ')) return undefined
  const [id, ...secret] = Buffer.from(header.slice(6), 'base64').toString().split(':')
  try {
    // RFC 6749, section 2.3.1: both are form-encoded before they are put together.
    return { id: decodeURIComponent(id ?? ''), secret: decodeURIComponent(secret.join(':')) }
  } catch {
    return undefined
  }
}
