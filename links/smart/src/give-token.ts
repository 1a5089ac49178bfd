import { createHash, timingSafeEqual } from 'node:crypto'
import type { Actor, AppAccess, Transaction } from '@carespine/store/contract'
import type { FastifyRequest } from 'fastify'
import { type Access, endAccess, openAccess } from './access.ts'
import { after, type Desk, FHIR_PATH, freshSecret, hashOf } from './desk.ts'
import type { Client } from './know-client.ts'
import { OAuthFault } from './oauth-fault.ts'
import { dataScope, isEnforceable, isWithin, scopesIn } from './scopes.ts'

type Form = Readonly<Record<string, string>>
type Answer = Readonly<Record<string, unknown>>

/** Life of an access token: of a person's app, of a backend service (SMART App Launch 2.2, section 5.1.6: at most five minutes). */
const APP_SECONDS = 600
/** What an app keeps when the person has left is looked at anew after a year. */
const STAYS_MINUTES = 365 * 24 * 60
/** A sign-in is over sooner: what ends with one needs no more. */
const ONLINE_MINUTES = 24 * 60
/** A refresh token that nobody uses ends after so many minutes. */
const REFRESH_MINUTES = 90 * 24 * 60

/** Something for the client to be told after what was found out is stored. */
type Outcome = { fault: OAuthFault; forget?: Access[] } | { access: Access; actor: Actor; scopes: string[]; refresh?: string; said?: Said }
interface Said {
  issuer: string
  nonce?: string
}

const invalidGrant = (description: string): { fault: OAuthFault } => ({ fault: new OAuthFault('invalid_grant', description) })

/** Exchanges a code for tokens (RFC 6749, section 4.1.3; RFC 7636, section 4.5). */
export async function fromCode(desk: Desk, request: FastifyRequest, client: Client, form: Form): Promise<Answer> {
  const now = desk.services.now()
  const outcome = await desk.transact(request, 'smart.token', async (tx): Promise<Outcome> => {
    const [row] = await tx.sql<{ access: string; redirect_uri: string; challenge: string; said: Buffer; expires_at: Date; used_at: Date | null; client: string }>(
      'select c.access, c.redirect_uri, c.challenge, c.said, c.expires_at, c.used_at, a.client from smart.code c join smart.access a on a.id = c.access where c.hash = $1 for update of c',
      [hashOf(form.code ?? '')],
    )
    if (!row) return invalidGrant('The code is not known.')
    if (row.client !== client.id) {
      // Somebody has another's code. It shall open nothing any more, for whoever comes with it.
      await endAccess(tx, { id: row.access }, 'code in wrong hands', now)
      tx.record({ action: 'smart.token', outcome: 'failure', reason: `${client.id}: the code of another app` })
      return invalidGrant('The code was given to another client.')
    }
    if (row.used_at) {
      // RFC 6749, section 4.1.2: what came of it the first time may be in the wrong hands.
      const forget = await endAccess(tx, { id: row.access }, 'code reuse', now)
      tx.record({ action: 'smart.token', outcome: 'failure', reason: `${client.id}: a code came twice` })
      return { ...invalidGrant('The code was used.'), forget }
    }
    await tx.sql('update smart.code set used_at = $2 where hash = $1', [hashOf(form.code ?? ''), now])
    const fault = codeFault(row, form, now)
    if (fault !== undefined) {
      await endAccess(tx, { id: row.access }, 'code refused', now)
      tx.record({ action: 'smart.token', outcome: 'failure', reason: `${client.id}: ${fault}` })
      return invalidGrant(fault)
    }
    const access = await lockAccess(tx, row.access, now)
    const actor = access && (await desk.identity.userActor(tx, access.user_id, access.portal))
    if (!access || !actor) return invalidGrant('What was allowed has ended.')
    access.expires_at = after(now, access.scopes.includes('offline_access') ? STAYS_MINUTES : ONLINE_MINUTES)
    await tx.sql('update smart.access set expires_at = $2 where id = $1', [access.id, access.expires_at])
    tx.record({ action: 'smart.token', outcome: 'success', reason: client.id })
    const refreshes = access.scopes.includes('offline_access') || access.scopes.includes('online_access')
    return { access, actor, scopes: access.scopes, said: JSON.parse(tx.open(row.said)) as Said, ...(refreshes ? { refresh: await addRefresh(tx, access, now) } : {}) }
  })
  return await answer(desk, request, client, outcome)
}

function codeFault(row: { expires_at: Date; redirect_uri: string; challenge: string }, form: Form, now: Date): string | undefined {
  if (row.expires_at <= now) return 'The code has expired.'
  if (form.redirect_uri !== row.redirect_uri) return 'redirect_uri is another than at the authorization.'
  return isVerifier(form.code_verifier, row.challenge) ? undefined : 'code_verifier does not fit.'
}

/** Exchanges a refresh token for an access token and the next refresh token (RFC 9700, section 4.14.2). */
export async function fromRefresh(desk: Desk, request: FastifyRequest, client: Client, form: Form): Promise<Answer> {
  const now = desk.services.now()
  const outcome = await desk.transact(request, 'smart.token', async (tx): Promise<Outcome> => {
    const hash = hashOf(form.refresh_token ?? '')
    const [row] = await tx.sql<{ access: string; client: string; expires_at: Date; used_at: Date | null }>(
      'select r.access, a.client, r.expires_at, r.used_at from smart.refresh_token r join smart.access a on a.id = r.access where r.hash = $1 for update of r',
      [hash],
    )
    if (!row || row.client !== client.id) return invalidGrant('The refresh token is not known.')
    if (row.used_at) {
      const forget = await endAccess(tx, { id: row.access }, 'token reuse', now)
      tx.record({ action: 'smart.token', outcome: 'failure', reason: `${client.id}: a refresh token came twice` })
      return { ...invalidGrant('The refresh token was used.'), forget }
    }
    const access = row.expires_at <= now ? undefined : await lockAccess(tx, row.access, now)
    const actor = access && (await stillIn(desk, tx, access))
    if (!access || !actor) return invalidGrant('What was allowed has ended.')
    const asked = form.scope === undefined ? access.scopes : scopesIn(form.scope)
    if (asked.some((scope) => !access.scopes.includes(scope))) return { fault: new OAuthFault('invalid_scope', 'A refresh gives no more than was allowed.') }
    await tx.sql('update smart.refresh_token set used_at = $2 where hash = $1', [hash, now])
    return { access, actor, scopes: asked, refresh: await addRefresh(tx, access, now) }
  })
  return await answer(desk, request, client, outcome)
}

/** Whoever allowed it, when the sign-in that it ends with goes on. */
async function stillIn({ identity }: Desk, tx: Transaction, access: Access): Promise<Actor | undefined> {
  if (access.session !== null && !(await identity.isSignedIn(tx, access.session))) return undefined
  return await identity.userActor(tx, access.user_id, access.portal)
}

/** A token of a client for itself (RFC 6749, section 4.4; SMART Backend Services). */
export async function fromClient(desk: Desk, request: FastifyRequest, client: Client, form: Form): Promise<Answer> {
  const { id, app, actor } = client
  if (!actor || (app && app.kind !== 'backend')) throw new OAuthFault('unauthorized_client', 'This client acts for people alone.')
  const now = desk.services.now()
  if (!app && form.scope === undefined) return { access_token: await desk.identity.issue({ sub: id, kind: 'client' }, now), token_type: 'Bearer', expires_in: APP_SECONDS }
  const scopes = scopesIn(form.scope ?? '').filter((text) => {
    const scope = dataScope(text)
    return scope?.level === 'system' && (!app || isWithin(text, app.scopes)) && isEnforceable(scope, desk.termsOf)
  })
  if (scopes.length === 0) throw new OAuthFault('invalid_scope', 'Ask for scopes such as system/Observation.rs that this client was registered for.')
  await desk.transact(request, 'smart.token', async (tx) => tx.record({ action: 'smart.token', outcome: 'success', reason: `${id}: ${scopes.join(' ')}` }))
  const scope = scopes.join(' ')
  return { access_token: await desk.identity.issue({ sub: id, kind: 'client', app: { client: id, scope } }, now, BACKEND_SECONDS), token_type: 'Bearer', expires_in: BACKEND_SECONDS, scope }
}

const BACKEND_SECONDS = 300

async function lockAccess(tx: Transaction, id: string, now: Date): Promise<Access | undefined> {
  const [access] = await tx.sql<Access>(`${openAccess} and a.id = $1 and a.expires_at > $2 for update of a`, [id, now])
  if (access) await tx.sql('update smart.access set used_at = $2 where id = $1', [id, now])
  return access
}

async function addRefresh(tx: Transaction, access: Access, now: Date): Promise<string> {
  const { secret, hash } = freshSecret()
  const idle = after(now, REFRESH_MINUTES)
  await tx.sql('insert into smart.refresh_token (hash, access, expires_at) values ($1, $2, $3)', [hash, access.id, new Date(Math.min(idle.getTime(), access.expires_at.getTime()))])
  return secret
}

function isVerifier(verifier: string | undefined, challenge: string): boolean {
  if (verifier === undefined || !/^[\w.~-]{43,128}$/.test(verifier)) return false
  const given = Buffer.from(createHash('sha256').update(verifier).digest('base64url'))
  return given.length === challenge.length && timingSafeEqual(given, Buffer.from(challenge))
}

async function answer(desk: Desk, request: FastifyRequest, client: Client, outcome: Outcome): Promise<Answer> {
  if ('fault' in outcome) {
    for (const access of outcome.forget ?? []) desk.identity.forget(appOf(access, access.scopes))
    throw outcome.fault
  }
  const { access, actor, scopes, refresh, said } = outcome
  const now = desk.services.now()
  const app = appOf(access, scopes)
  const token = await desk.identity.issue(
    { sub: access.user_id, kind: 'user', portal: access.portal, ...(access.session === null ? {} : { session: access.session }), app },
    now,
    APP_SECONDS,
  )
  const issuer = said?.issuer ?? desk.issuerFor(request)
  const fhirUser = fhirUserOf(actor, issuer)
  const seconds = Math.floor(now.getTime() / 1000)
  const idToken =
    said && scopes.includes('openid')
      ? await desk.identity.idToken({
          iss: issuer,
          sub: access.user_id,
          aud: client.id,
          iat: seconds,
          exp: seconds + APP_SECONDS,
          auth_time: Math.floor(access.created_at.getTime() / 1000),
          ...(said.nonce === undefined ? {} : { nonce: said.nonce }),
          ...(scopes.includes('fhirUser') && fhirUser !== undefined ? { fhirUser } : {}),
        })
      : undefined
  return {
    access_token: token,
    token_type: 'Bearer',
    expires_in: APP_SECONDS,
    scope: app.scope,
    ...(refresh === undefined ? {} : { refresh_token: refresh }),
    ...(idToken === undefined ? {} : { id_token: idToken }),
    ...(access.patient === null ? {} : { patient: access.patient, need_patient_banner: true }),
    ...(access.encounter === null ? {} : { encounter: access.encounter }),
  }
}

export function appOf(access: Access, scopes: readonly string[]): AppAccess {
  return { client: access.client, grant: access.id, scope: scopes.join(' ') }
}

/** The resource that says who a person is (SMART App Launch 2.2, section 2.1). */
export function fhirUserOf({ patient, practitioner }: Pick<Actor, 'patient' | 'practitioner'>, issuer: string): string | undefined {
  if (patient !== undefined) return `${issuer}${FHIR_PATH}/Patient/${patient}`
  return practitioner === undefined ? undefined : `${issuer}${FHIR_PATH}/Practitioner/${practitioner}`
}
