import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type App, findApp } from './apps.ts'
import { after, type Desk, FHIR_PATH, freshSecret, hashOf, WAITS_MINUTES } from './desk.ts'
import { formOf, isRepeated } from './form.ts'
import { dataScope, isContextScope, isEnforceable, isWithin, scopesIn } from './scopes.ts'

/** What an app asks for; kept sealed until somebody has decided. */
export interface AskedFor {
  issuer: string
  redirectUri: string
  state: string
  scopes: string[]
  challenge: string
  nonce?: string
  /** Of a launch from a chart: who opened it, and where. */
  launch?: { user: string; patient: string; encounter?: string }
}

const CHALLENGE = /^[\w-]{43}$/

/** The authorization endpoint (RFC 6749, section 3.1; SMART App Launch 2.2, section 2.0.9), by GET and by POST. */
export function authorizeRoute(app: FastifyInstance, desk: Desk): void {
  app.route({
    method: ['GET', 'POST'],
    url: '/oauth2/authorize',
    config: { allow: 'anyone' },
    schema: { tags: ['smart'], summary: 'Asks a person to allow an app what it asks for; ends at the redirect URI of the app' },
    handler: (request, reply) => authorize(desk, request, reply),
  })
}

async function authorize(desk: Desk, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  reply.header('cache-control', 'no-store').header('referrer-policy', 'no-referrer')
  const given = formOf(request)
  const issuer = desk.issuerFor(request)
  const outcome = await desk.transact(request, 'smart.authorize', async (tx) => {
    const app = isRepeated(given, 'client_id') ? undefined : await findApp(tx, given.client_id ?? '')
    if (!app?.active || app.kind === 'backend') return { page: 'client' }
    const redirectUri = given.redirect_uri ?? ''
    // Compared as text, nothing else (RFC 9700, section 4.1.3): what was not registered gets nothing, errors included.
    if (isRepeated(given, 'redirect_uri') || !app.redirect_uris.includes(redirectUri)) return { page: 'redirect_uri' }
    const fault = faultOf(given, desk, request)
    if (fault) return { to: answerAt(redirectUri, { ...fault, ...(given.state ? { state: given.state } : {}), iss: issuer }) }
    const launch = given.launch === undefined ? undefined : await takeLaunch(tx, app, given.launch, desk.services.now())
    if (launch === 'unknown') return { to: answerAt(redirectUri, { error: 'invalid_request', error_description: 'launch is not known, was used, or has expired: open the app from the chart again.', state: given.state ?? '', iss: issuer }) }
    const scopes = grantable(desk, app, scopesIn(given.scope ?? ''), launch !== undefined)
    if (scopes.length === 0) return { to: answerAt(redirectUri, { error: 'invalid_scope', error_description: 'None of the scopes is one that this app was registered for.', state: given.state ?? '', iss: issuer }) }
    const asked: AskedFor = {
      issuer,
      redirectUri,
      state: given.state ?? '',
      scopes,
      challenge: given.code_challenge ?? '',
      ...(given.nonce === undefined ? {} : { nonce: given.nonce }),
      ...(launch ? { launch } : {}),
    }
    const { secret, hash } = freshSecret()
    await tx.sql('insert into smart.request (hash, client, asked, expires_at) values ($1, $2, $3, $4)', [hash, app.client, tx.seal(JSON.stringify(asked)), after(desk.services.now(), WAITS_MINUTES.request)])
    return { request: secret }
  })
  if ('to' in outcome && outcome.to !== undefined) return reply.redirect(outcome.to, 303)
  if ('page' in outcome && !request.headers.accept?.includes('text/html')) {
    return reply.code(400).send({ error: outcome.page === 'client' ? 'invalid_client' : 'invalid_request', error_description: `The ${outcome.page} is not one that is registered.` })
  }
  // In the fragment, which no server and no log sees.
  return reply.redirect(`/authorize#${'page' in outcome ? `!${outcome.page}` : outcome.request}`, 303)
}

/** Why a request is refused; told to the app at its redirect URI (RFC 6749, section 4.1.2.1). */
function faultOf(given: Readonly<Record<string, string>>, desk: Desk, request: FastifyRequest): { error: string; error_description: string } | undefined {
  const fault = (error: string, error_description: string) => ({ error, error_description })
  const twice = Object.keys(given).find((name) => isRepeated(given, name))
  if (twice !== undefined) return fault('invalid_request', 'A parameter stands twice.')
  if (given.request !== undefined) return fault('request_not_supported', 'Send the parameters themselves.')
  if (given.request_uri !== undefined) return fault('request_uri_not_supported', 'Send the parameters themselves.')
  if (given.response_type !== 'code') return fault(given.response_type === undefined ? 'invalid_request' : 'unsupported_response_type', 'response_type must be code.')
  if ((given.response_mode ?? 'query') !== 'query') return fault('invalid_request', 'response_mode must be query.')
  if (given.code_challenge_method !== 'S256' || !CHALLENGE.test(given.code_challenge ?? '')) return fault('invalid_request', 'Send code_challenge with code_challenge_method=S256 (RFC 7636).')
  if (!given.state) return fault('invalid_request', 'state is required.')
  const bases = [desk.issuerFor(request), `${request.protocol}://${request.host}`].map((origin) => `${origin}${FHIR_PATH}`)
  if (!bases.includes((given.aud ?? '').replace(/\/$/, ''))) return fault('invalid_request', `aud must be ${bases[0]}.`)
  if (scopesIn(given.prompt ?? '').includes('none')) return fault('interaction_required', 'Nobody is asked in silence.')
  return undefined
}

/** Of what is asked, what the app was registered for and what can be kept to. */
function grantable({ termsOf }: Desk, app: App, asked: readonly string[], hasLaunch: boolean): string[] {
  return asked.filter((text) => {
    if (!isWithin(text, app.scopes)) return false
    if (isContextScope(text)) return hasLaunch || (text !== 'launch' && text !== 'launch/encounter')
    const scope = dataScope(text)
    return scope !== undefined && scope.level !== 'system' && isEnforceable(scope, termsOf)
  })
}

async function takeLaunch(tx: Parameters<Parameters<Desk['transact']>[2]>[0], app: App, launch: string, now: Date): Promise<AskedFor['launch'] | 'unknown'> {
  const [row] = await tx.sql<{ user_id: string; patient: string; encounter: string | null }>(
    'update smart.launch set used_at = $3 where hash = $1 and client = $2 and used_at is null and expires_at > $3 returning user_id, patient, encounter',
    [hashOf(launch), app.client, now],
  )
  return row ? { user: row.user_id, patient: row.patient, ...(row.encounter === null ? {} : { encounter: row.encounter }) } : 'unknown'
}

/** A redirect URI with what is answered there, beside what it says itself. */
export function answerAt(redirectUri: string, answer: Readonly<Record<string, string>>): string {
  return `${redirectUri}${redirectUri.includes('?') ? '&' : '?'}${new URLSearchParams(answer)}`
}
