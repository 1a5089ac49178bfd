import { randomBytes, randomUUID } from 'node:crypto'
import { Refusal, refuse } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import type { Actor, ReadView, Transaction } from '@carespine/store/contract'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import {
  type Account,
  firstBranch,
  addUser,
  clientActor,
  digest,
  draftPractitioner,
  emailKey,
  findAccount,
  findByEmail,
  listBranches,
  passwordFits,
  userActor,
} from './accounts.ts'
import { Attempts, countFailure, remainingWait } from './attempts.ts'
import { Login, PORTALS, Setup, type SignedIn } from './contract.ts'
import { ACCESS_SECONDS, type TokenOffice } from './tokens.ts'

const COOKIE = 'carespine_refresh'
const SESSION_SECONDS = 12 * 3600
/** Two tabs may refresh at once: the token that was just used still works this long, and leads to the same session. */
const RACE_SECONDS = 10

interface Office {
  tokens(): TokenOffice
  forget(key: string): void
}

/** Sign-in of people with e-mail and password, of clients with OAuth 2 client credentials (RFC 6749, section 4.4). */
export function signInRoutes(app: FastifyInstance, services: Services, office: Office): void {
  const system = () => services.system('identity')
  const transact = <T>(request: FastifyRequest, action: string, run: (tx: Transaction) => Promise<T>): Promise<T> =>
    services.transact(system(), { ...request.origin, action, module: 'identity' }, ({ tx }) => run(tx))

  const attempts = new Attempts()
  const limited = async (request: FastifyRequest): Promise<void> => {
    const wait = attempts.take(request.ip)
    if (wait > 0) refuse('RATE_LIMITED', { retryAfter: wait })
  }

  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
    done(null, Object.fromEntries(new URLSearchParams(body as string))),
  )

  app.post('/api/auth/login', { config: { allow: 'anyone' }, onRequest: limited, schema: schema('Sign in to a portal') }, async (request, reply) => {
    const input = parse(Login, request.body)
    const now = services.now()
    const outcome = await transact(request, 'identity.login', async (tx) => {
      const tried = { who: emailKey(tx, input.email), address: tx.blind(`address:${request.ip}`) }
      const wait = await remainingWait(tx, tried, now)
      if (wait > 0) return { refusal: new Refusal('IDENTITY_WAIT', { retryAfter: wait }) }
      const account = await findByEmail(tx, input.email)
      if (!(await passwordFits(account, input.password)) || !account) {
        await countFailure(tx, tried, now)
        tx.record({ action: 'identity.login', outcome: 'failure' })
        return { refusal: new Refusal('IDENTITY_WRONG_PASSWORD') }
      }
      if (!account.roles.includes(input.portal)) return { refusal: new Refusal('IDENTITY_PORTAL_NOT_YOURS') }
      await tx.sql('delete from identity.failure where key = $1', [tried.who])
      tx.record({ action: 'identity.login', outcome: 'success' })
      return { account, ...(await startSession(tx, account.id, input.portal, now)) }
    })
    if ('refusal' in outcome) throw outcome.refusal
    setCookie(reply, request, outcome.refresh)
    const { account, session } = outcome
    return {
      accessToken: await tokenFor(account.id, session, input.portal, now),
      user: await signedIn(account, userActor(account, { id: session, portal: input.portal })),
    }
  })

  app.post('/api/auth/refresh', { config: { allow: 'anyone' }, onRequest: limited, schema: schema('A new access token for the session') }, async (request, reply) => {
    requireHeader(request)
    const given = request.cookies[COOKIE]
    if (given === undefined) return refuse('IDENTITY_REFRESH_INVALID')
    const now = services.now()
    const result = await transact(request, 'identity.refresh', (tx) => rotate(tx, given, now))
    if (!result) {
      reply.clearCookie(COOKIE, { path: '/api/auth' })
      return refuse('IDENTITY_REFRESH_INVALID')
    }
    setCookie(reply, request, result.refresh)
    const { account, session, portal } = result
    return {
      accessToken: await tokenFor(account.id, session, portal, now),
      user: await signedIn(account, userActor(account, { id: session, portal })),
    }
  })

  app.post('/api/auth/logout', { config: { allow: 'anyone' }, schema: schema('End the session') }, async (request, reply) => {
    requireHeader(request)
    const given = request.cookies[COOKIE]
    reply.clearCookie(COOKIE, { path: '/api/auth' })
    if (given === undefined) return {}
    const session = await transact(request, 'identity.logout', async (tx) => {
      const [row] = await tx.sql<{ id: string }>(
        "update identity.session set ended_at = $2, end_reason = 'logout' where ended_at is null and id = " +
          '(select session from identity.refresh_token where hash = $1) returning id',
        [digest(given), services.now()],
      )
      if (row) tx.record({ action: 'identity.logout', outcome: 'success' })
      return row?.id
    })
    if (session !== undefined) office.forget(session)
    return {}
  })

  app.get('/api/auth/me', { config: { allow: 'signed-in' }, schema: schema('Who is signed in') }, async (request) => {
    const { actor } = request
    if (actor.kind !== 'user') return { user: { id: actor.id, display: actor.display, roles: actor.roles } }
    const account = await services.view(system(), request.origin, ({ view }) => findAccount(view, actor.id))
    return { user: account ? await signedIn(account, actor) : refuse('IDENTITY_TOKEN_INVALID') }
  })

  app.post('/api/auth/setup', { config: { allow: 'anyone' }, onRequest: limited, schema: schema('Make the first administrator of an empty installation') }, async (request) => {
    const input = parse(Setup, request.body)
    await transact(request, 'identity.setup', async (tx) => {
      const used = await tx.sql(
        'update identity.setup_link set used_at = $2 where hash = $1 and used_at is null and expires_at > $2 returning 1',
        [digest(input.token), services.now()],
      )
      if (used.length === 0) refuse('IDENTITY_SETUP_INVALID')
      const branch = await firstBranch(tx)
      await tx.sql('update identity.branch set name = $2, name_arabic = $3 where id = $1', [branch, input.branchName, input.branchNameArabic])
      await services.store.keyring.ensure(branch)
      await addUser(tx, {
        email: input.email,
        password: input.password,
        display: input.displayName,
        roles: [...PORTALS].filter((portal) => portal !== 'patient'),
        branches: [branch],
        branch,
        practitioner: tx.write(draftPractitioner(input.displayName)).id,
      })
      tx.record({ action: 'identity.setup', outcome: 'success' })
    })
    return {}
  })

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
    const now = services.now()
    const origin = { ...request.origin, action: 'identity.token', module: 'identity' }
    const slowDown = (seconds: number) =>
      reply.code(429).header('retry-after', String(seconds)).send({ error: 'temporarily_unavailable', error_description: 'Too many attempts. Wait as long as Retry-After says.' })
    const rush = attempts.take(request.ip)
    if (rush > 0) return slowDown(rush)
    // By client and address: nobody keeps a client out by guessing at its secret from elsewhere.
    const triedBy = (view: ReadView) => ({ who: view.blind(`client:${String(id).slice(0, 64)}/${request.ip}`), address: view.blind(`address:${request.ip}`) })
    const { wait, actor } = await services.view(system(), origin, async ({ view }) => {
      const seconds = await remainingWait(view, triedBy(view), now)
      const found = seconds === 0 && typeof id === 'string' && typeof secret === 'string' ? await clientActor(view, id, secret) : undefined
      return { wait: seconds, actor: found }
    })
    if (wait > 0) return slowDown(wait)
    if (!actor) {
      await transact(request, 'identity.token', async (tx) => {
        await countFailure(tx, triedBy(tx), now)
        tx.record({ action: 'identity.token', outcome: 'failure' })
      })
      reply.header('www-authenticate', 'Basic realm="carespine"')
      return reply.code(401).send({ error: 'invalid_client', error_description: 'client_id or client_secret is wrong.' })
    }
    const token = await office.tokens().issue({ sub: actor.id, kind: 'client' }, now)
    return { access_token: token, token_type: 'Bearer', expires_in: ACCESS_SECONDS }
  })

  app.get('/.well-known/jwks.json', { config: { allow: 'anyone' }, schema: schema('Public keys of the access tokens') }, async () => office.tokens().jwks)

  function tokenFor(sub: string, session: string, portal: string, now: Date): Promise<string> {
    return office.tokens().issue({ sub, kind: 'user', session, portal }, now)
  }

  async function signedIn(account: Account, actor: Actor): Promise<SignedIn> {
    const branches = await services.view(system(), { correlationId: randomUUID(), action: 'identity.me', module: 'identity' }, ({ view }) =>
      listBranches(view),
    )
    return {
      id: account.id,
      display: account.display,
      roles: account.roles,
      permissions: [...actor.permissions],
      branches: branches.filter(({ id }) => account.branches.includes(id)),
      branch: account.branch,
      ...(actor.portal ? { portal: actor.portal } : {}),
      ...(account.practitioner ? { practitioner: account.practitioner } : {}),
      ...(account.patient ? { patient: account.patient } : {}),
      locale: account.locale,
    }
  }
}

const schema = (summary: string) => ({ tags: ['identity'], summary })

function parse<T>(
  shape: { safeParse(body: unknown): { success: true; data: T } | { success: false; error: { issues: { path: PropertyKey[]; message: string }[] } } },
  body: unknown,
): T {
  const parsed = shape.safeParse(body ?? {})
  if (parsed.success) return parsed.data
  return refuse('INPUT_INVALID', {
    fields: parsed.error.issues.map(({ path, message }) => ({ field: path.join('.'), problem: message })),
  })
}

// A page of another site can make a browser send the cookie, but not this header.
function requireHeader(request: FastifyRequest): void {
  if (request.headers['x-carespine-csrf'] === undefined) refuse('IDENTITY_CSRF_HEADER')
}

function setCookie(reply: FastifyReply, request: FastifyRequest, refresh: string): void {
  reply.setCookie(COOKIE, refresh, {
    path: '/api/auth',
    httpOnly: true,
    sameSite: 'strict',
    secure: request.protocol === 'https',
    maxAge: SESSION_SECONDS,
  })
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

async function startSession(tx: Transaction, user: string, portal: string, now: Date): Promise<{ session: string; refresh: string }> {
  const session = randomUUID()
  await tx.sql('insert into identity.session (id, user_id, portal, started_at) values ($1, $2, $3, $4)', [session, user, portal, now])
  return { session, refresh: await addRefreshToken(tx, session, now) }
}

async function addRefreshToken(tx: Transaction, session: string, now: Date): Promise<string> {
  const refresh = randomBytes(32).toString('base64url')
  await tx.sql('insert into identity.refresh_token (hash, session, expires_at) values ($1, $2, $3)', [
    digest(refresh),
    session,
    new Date(now.getTime() + SESSION_SECONDS * 1000),
  ])
  return refresh
}

/**
 * Exchanges a refresh token for the next one (RFC 9700, section 4.14.2). A token that comes a second time was copied:
 * its session ends. Undefined when there is no session to go on with.
 */
async function rotate(
  tx: Transaction,
  given: string,
  now: Date,
): Promise<{ account: Account; session: string; portal: string; refresh: string } | undefined> {
  const [row] = await tx.sql<{ session: string; expires_at: Date; used_at: Date | null; user_id: string; portal: string; ended_at: Date | null }>(
    'select r.session, r.expires_at, r.used_at, s.user_id, s.portal, s.ended_at from identity.refresh_token r ' +
      'join identity.session s on s.id = r.session where r.hash = $1 for update',
    [digest(given)],
  )
  if (!row || row.ended_at || row.expires_at < now) return undefined
  if (row.used_at && now.getTime() - row.used_at.getTime() > RACE_SECONDS * 1000) {
    await tx.sql("update identity.session set ended_at = $2, end_reason = 'token reuse' where id = $1", [row.session, now])
    tx.record({ action: 'identity.refresh', outcome: 'failure', reason: 'A refresh token came twice; the session was ended.' })
    return undefined
  }
  const account = await findAccount(tx, row.user_id)
  if (!account?.active) return undefined
  await tx.sql('update identity.refresh_token set used_at = coalesce(used_at, $2) where hash = $1', [digest(given), now])
  return { account, session: row.session, portal: row.portal, refresh: await addRefreshToken(tx, row.session, now) }
}
