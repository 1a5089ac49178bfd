import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { endAccess, findAccess } from './access.ts'
import type { ClientKeys } from './client-keys.ts'
import { type Desk, hashOf } from './desk.ts'
import { formOf, hasRepeated } from './form.ts'
import { appOf, fhirUserOf, fromClient, fromCode, fromRefresh } from './give-token.ts'
import { type Client, knowClient, originOf } from './know-client.ts'
import { OAuthFault } from './oauth-fault.ts'

type Form = Readonly<Record<string, string>>
type Answering = (client: Client, form: Form, request: FastifyRequest) => Promise<Readonly<Record<string, unknown>>>

/** Token, introspection (RFC 7662) and revocation (RFC 7009). */
export function tokenRoutes(app: FastifyInstance, desk: Desk, keys: ClientKeys): void {
  const serve = (path: string, summary: string, run: Answering): void => {
    app.post(path, { config: { allow: 'anyone' }, schema: { tags: ['smart'], summary } }, async (request, reply) => {
      reply.header('cache-control', 'no-store').header('pragma', 'no-cache')
      try {
        const form = formOf(request)
        if (hasRepeated(form)) throw new OAuthFault('invalid_request', 'A parameter stands twice.')
        if (path === '/oauth2/token') checkGrantType(form)
        return await run(await knowClient(desk, keys, request, form), form, request)
      } catch (error) {
        return answerFault(reply, error)
      }
    })
  }
  serve('/oauth2/token', 'Tokens: for a code, a refresh token, or a client for itself', async (client, form, request) => {
    if (form.grant_type === 'authorization_code') return await fromCode(desk, request, client, form)
    if (form.grant_type === 'refresh_token') return await fromRefresh(desk, request, client, form)
    return await fromClient(desk, request, client, form)
  })
  serve('/oauth2/introspect', 'What a token is worth, for the client that it was given to', async (client, form, request) => {
    if (!client.isKnown) throw new OAuthFault('invalid_client', 'A public client cannot ask.', { status: 401 })
    return await introspect(desk, request, client, form.token ?? '')
  })
  serve('/oauth2/revoke', 'Ends a token, and what was allowed with it', async (client, form, request) => {
    await revoke(desk, request, client, form.token ?? '')
    return {}
  })
}

const GRANT_TYPES = ['authorization_code', 'refresh_token', 'client_credentials']

function checkGrantType({ grant_type: type }: Form): void {
  if (type === undefined) throw new OAuthFault('invalid_request', `Send grant_type, one of ${GRANT_TYPES.join(', ')}, form-encoded or as JSON.`)
  if (!GRANT_TYPES.includes(type)) throw new OAuthFault('unsupported_grant_type', `grant_type is one of ${GRANT_TYPES.join(', ')}.`)
}

function answerFault(reply: FastifyReply, error: unknown): FastifyReply {
  if (!(error instanceof OAuthFault)) throw error
  if (error.status === 401) reply.header('www-authenticate', 'Basic realm="carespine"')
  if (error.retryAfter !== undefined) reply.header('retry-after', String(error.retryAfter))
  return reply.code(error.status).send({ error: error.error, error_description: error.message })
}

async function introspect(desk: Desk, request: FastifyRequest, client: Client, token: string): Promise<Readonly<Record<string, unknown>>> {
  const claims = await desk.identity.claimsOf(token).catch(() => undefined)
  // A client learns of its own tokens; one of the hospital's own with every permission, such as a gateway, of all.
  const sees = (owner: string): boolean => owner === client.id || (client.app === undefined && (client.actor?.permissions.includes('*') ?? false))
  return await desk.services.view(desk.services.system('smart'), originOf(request), async ({ view, now }) => {
    if (!claims) {
      const [row] = await view.sql<{ access: string; expires_at: Date }>('select access, expires_at from smart.refresh_token where hash = $1 and used_at is null and expires_at > $2', [hashOf(token), now])
      const access = row && (await findAccess(view, row.access, now))
      if (!row || !access || !sees(access.client)) return { active: false }
      return { active: true, client_id: access.client, scope: access.scopes.join(' '), sub: access.user_id, exp: Math.floor(row.expires_at.getTime() / 1000) }
    }
    const owner = claims.app?.client ?? (claims.kind === 'client' ? claims.sub : '')
    if (!sees(owner)) return { active: false }
    const { app, sub, exp } = claims
    const common = { active: true, client_id: owner, sub, exp, iss: desk.issuerFor(request), token_type: 'Bearer', ...(app ? { scope: app.scope } : {}) }
    if (app?.grant === undefined) return (await desk.identity.clientActor(view, sub)) ? common : { active: false }
    const access = await findAccess(view, app.grant, now)
    const signedIn = access && (access.session === null || (await desk.identity.isSignedIn(view, access.session)))
    const actor = signedIn ? await desk.identity.userActor(view, access.user_id, access.portal) : undefined
    if (!access || !actor) return { active: false }
    const fhirUser = app.scope.split(' ').includes('fhirUser') ? fhirUserOf(actor, desk.issuerFor(request)) : undefined
    return {
      ...common,
      ...(access.patient === null ? {} : { patient: access.patient }),
      ...(access.encounter === null ? {} : { encounter: access.encounter }),
      ...(fhirUser === undefined ? {} : { fhirUser }),
    }
  })
}

async function revoke(desk: Desk, request: FastifyRequest, client: Client, token: string): Promise<void> {
  const claims = await desk.identity.claimsOf(token).catch(() => undefined)
  const ended = await desk.transact(request, 'smart.revoke', async (tx) => {
    const now = desk.services.now()
    const [row] = claims ? [] : await tx.sql<{ access: string }>('select access from smart.refresh_token where hash = $1', [hashOf(token)])
    const id = claims?.app?.grant ?? row?.access
    const access = id === undefined ? undefined : await findAccess(tx, id, now)
    // RFC 7009, section 2.1: of another client, nothing is ended, and nothing is told.
    if (!access || access.client !== client.id) return []
    tx.record({ action: 'smart.revoke', outcome: 'success', reason: client.id, ...(access.patient === null ? {} : { patient: access.patient }) })
    return await endAccess(tx, { id: access.id }, 'revoked', now)
  })
  for (const access of ended) desk.identity.forget(appOf(access, access.scopes))
}
