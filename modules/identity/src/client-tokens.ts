import type { ReadView } from '@carespine/store/contract'
import type { FastifyInstance } from 'fastify'
import { clientActor } from './accounts.ts'
import { countFailure, remainingWait } from './attempts.ts'
import { type Desk, schema } from './desk.ts'
import { ACCESS_SECONDS } from './signing-keys.ts'

/** Sign-in of clients with OAuth 2 client credentials (RFC 6749, section 4.4), and the keys that access tokens are checked by. */
export function clientTokenRoutes(app: FastifyInstance, desk: Desk): void {
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
    done(null, Object.fromEntries(new URLSearchParams(body as string))),
  )

  app.post('/oauth2/token', { config: { allow: 'anyone' }, schema: schema('OAuth 2 client credentials') }, async (request, reply) => {
    reply.header('cache-control', 'no-store')
    const body = (typeof request.body === 'object' && request.body !== null ? request.body : {}) as Record<string, unknown>
    const basic = basicCredentials(request.headers.authorization)
    const id = basic?.id ?? body.client_id
    const secret = basic?.secret ?? body.client_secret
    if (body.grant_type !== 'client_credentials') {
      const known = typeof body.grant_type === 'string'
      return reply.code(400).send({
        error: known ? 'unsupported_grant_type' : 'invalid_request',
        error_description: 'Send grant_type=client_credentials, client_id and client_secret, form-encoded or as JSON.',
      })
    }
    const now = desk.services.now()
    const origin = { ...request.origin, action: 'identity.token', module: 'identity' }
    const slowDown = (seconds: number) =>
      reply.code(429).header('retry-after', String(seconds)).send({ error: 'temporarily_unavailable', error_description: 'Too many attempts. Wait as long as Retry-After says.' })
    const rush = desk.attempts.take(request.ip)
    if (rush > 0) return slowDown(rush)
    // By client and address: nobody keeps a client out by guessing at its secret from elsewhere.
    const triedBy = (view: ReadView) => ({ who: view.blind(`client:${String(id).slice(0, 64)}/${request.ip}`), address: view.blind(`address:${request.ip}`) })
    const { wait, actor } = await desk.services.view(desk.system(), origin, async ({ view }) => {
      const seconds = await remainingWait(view, triedBy(view), now)
      const found = seconds === 0 && typeof id === 'string' && typeof secret === 'string' ? await clientActor(view, id, secret) : undefined
      return { wait: seconds, actor: found }
    })
    if (wait > 0) return slowDown(wait)
    if (!actor) {
      await desk.transact(request, 'identity.token', async (tx) => {
        await countFailure(tx, triedBy(tx), now)
        tx.record({ action: 'identity.token', outcome: 'failure' })
      })
      reply.header('www-authenticate', 'Basic realm="carespine"')
      return reply.code(401).send({ error: 'invalid_client', error_description: 'client_id or client_secret is wrong.' })
    }
    const token = await desk.tokens().issue({ sub: actor.id, kind: 'client' }, now)
    return { access_token: token, token_type: 'Bearer', expires_in: ACCESS_SECONDS }
  })

  app.get('/.well-known/jwks.json', { config: { allow: 'anyone' }, schema: schema('Public keys of the access tokens') }, async () => await desk.tokens().jwks())
}

function basicCredentials(header: string | undefined): { id: string; secret: string } | undefined {
  if (!header?.startsWith('Basic ')) return undefined
  const [id, ...secret] = Buffer.from(header.slice(6), 'base64').toString().split(':')
  try {
    return { id: decodeURIComponent(id ?? ''), secret: decodeURIComponent(secret.join(':')) }
  } catch {
    return undefined
  }
}
