import { randomUUID } from 'node:crypto'
import fastifyCookie from '@fastify/cookie'
import { Refusal, refuse } from '@carespine/store/refusal'
import fastify, { LogController, type FastifyError, type FastifyInstance, type FastifyRequest, type RouteOptions } from 'fastify'
import { registerApiDocs } from './api-docs.ts'
import { isFromThisMachine } from './caller.ts'
import { actionPath, type RefusalDefinition, z } from './contract.ts'
import { allowOrigins, type CorsRules } from './cors.ts'
import { readJsonBodies } from './json-body.ts'
import { type GaugeGroup, gaugesOfModules, serveMetrics } from './metrics.ts'
import { allows } from './permission.ts'
import type { createServices, Registry } from './runtime.ts'
import type { Authenticator } from './services.ts'

type Running = ReturnType<typeof createServices>

/** Answers about the server's own state; see `/health/ready`. */
export interface Health {
  /** Names of parts that do not work, empty when the server is ready. */
  faults(): Promise<string[]>
  /** Names of parts that the server can do without for a while. */
  warnings?(): string[]
}

export interface HttpOptions {
  registry: Registry
  services: Running
  authenticator: Authenticator
  health: Health
  /** What this process does. Without `api` it answers for its health and metrics alone. */
  roles: readonly string[]
  /** Numbers of the whole server for /metrics; the modules' own come with them. */
  gauges: readonly GaugeGroup[]
  /** `local`: who asks on this machine needs no token for /metrics. */
  metricsAccess: 'local' | 'token'
  /** Whose X-Forwarded headers are believed: addresses, subnets, or names such as `loopback`. Default: nobody's. */
  trustedProxies?: readonly string[]
  /** Pages of other origins that may call. Default: none. */
  cors?: CorsRules
}

const CORRELATION = /^[\w.-]{8,64}$/
const BODY_LIMIT = 1_048_576

/**
 * The HTTP server with the routes derived from every module's actions, each behind its permission, and the routes that
 * modules and links contribute; or, without the role `api`, with health and metrics alone. A route that names no permission
 * stops the server from starting.
 */
export async function createHttp(options: HttpOptions): Promise<FastifyInstance> {
  const { registry, services, authenticator, roles: ofProcess, trustedProxies = [] } = options
  const servesApi = ofProcess.includes('api')
  const app = fastify({
    bodyLimit: BODY_LIMIT,
    loggerInstance: services.log as never,
    // A URL may hold identifiers; lines about requests hold the URL.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    requestTimeout: 120_000,
    routerOptions: { maxParamLength: 200, ignoreTrailingSlash: true },
  }) as unknown as FastifyInstance
  // Input is checked by the actions' own schemas; what routes declare here is for the API description.
  app.setValidatorCompiler(() => () => true)
  app.setSerializerCompiler(() => (data) => JSON.stringify(data))
  readJsonBodies(app, ['application/json'])
  app.decorateRequest('actor')
  app.decorateRequest('origin')

  const routes: RouteOptions[] = []
  app.addHook('onRoute', (route) => {
    routes.push(route)
  })
  // Looked at when all plugins have had their say.
  app.addHook('onReady', async () => {
    for (const { method, url, config } of routes) {
      if (config?.allow === undefined) throw new Error(`${method} ${url} names no permission: set config.allow`)
    }
  })
  // Before the sign-in is looked at: a page may read why it was refused.
  if (options.cors && options.cors.origins.length > 0) allowOrigins(app, options.cors)
  app.addHook('onRequest', async (request, reply) => {
    const given = request.headers['x-correlation-id']
    const correlationId = typeof given === 'string' && CORRELATION.test(given) ? given : request.id
    request.origin = {
      correlationId,
      action: `http.${request.method.toLowerCase()}`,
      module: 'http',
      address: request.ip,
    }
    reply.header('x-correlation-id', correlationId)
    reply.header('x-content-type-options', 'nosniff')
    const { allow, openOnThisMachine, openToApps, stepUp } = request.routeOptions.config
    // Addresses that do not exist are answered to anyone; they open nothing.
    if (allow === undefined || allow === 'anyone') return
    if (openOnThisMachine && isFromThisMachine(request)) return
    reply.header('cache-control', 'no-store')
    request.actor = await authenticator.actorOf(bearerToken(request))
    // What an app was allowed is the record: it cannot act as the person, change a password, or let other apps in.
    if (request.actor.app !== undefined && !openToApps) refuse('APP_NOT_HERE')
    if (allow !== 'signed-in' && !allows(request.actor.permissions, allow)) {
      refuse('PERMISSION_MISSING', { permission: allow })
    }
    if (stepUp !== undefined) await services.demandProof(request.actor, stepUp)
  })
  app.setErrorHandler(async (error, request, reply) => {
    const { status, body, retryAfter } = answerTo(error, registry.refusals, request)
    // A refusal for want of the database is counted, not logged: an outage would fill the disk with lines.
    if (status === 500) services.log.error({ correlationId: request.origin?.correlationId, err: describe(error) })
    if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter))
    if (status === 401) reply.header('www-authenticate', 'Bearer realm="carespine"')
    await reply.code(status).type('application/json; charset=utf-8').send(body)
  })
  app.setNotFoundHandler((request, reply) => {
    const refusal = servesApi ? new Refusal('NOT_FOUND') : new Refusal('NOT_SERVED_HERE', { roles: ofProcess })
    const { status, body } = answerTo(refusal, registry.refusals, request)
    return reply.code(status).send(body)
  })

  await app.register(fastifyCookie)
  serveMetrics(app, { access: options.metricsAccess, groups: [...options.gauges, ...gaugesOfModules(registry, services)] })
  registerHealth(app, options.health)
  if (!servesApi) return app
  await registerApiDocs(app)
  await app.register(async (api) => {
    for (const { module, served } of registry.actions.values()) deriveRoute(api, services, module, served.action.name, registry)
  })
  for (const { routes } of registry.modules) {
    if (routes) await app.register(async (scope) => await routes(scope, services))
  }
  return app
}

function bearerToken(request: FastifyRequest): string {
  const header = request.headers.authorization
  if (header === undefined || !header.startsWith('Bearer ')) refuse('SIGN_IN_NEEDED')
  return header.slice(7).trim()
}

function deriveRoute(api: FastifyInstance, services: Running, module: string, name: string, registry: Registry): void {
  const action = registry.actions.get(name)?.served.action
  if (!action) return
  const isRepeatable = action.kind === 'command' && !action.secret
  api.post(
    actionPath(name),
    {
      config: { allow: action.allow },
      schema: {
        tags: [module],
        summary: action.summary,
        ...(action.stepUp === undefined ? {} : { description: `Refused with STEP_UP_NEEDED unless the session proved at \`/api/auth/step-up\` within ${action.stepUp} minutes who it belongs to.` }),
        operationId: name,
        body: z.toJSONSchema(action.input, { io: 'input', unrepresentable: 'any' }),
        response: { 200: z.toJSONSchema(action.output, { unrepresentable: 'any' }) },
        ...(isRepeatable
          ? {
              headers: {
                type: 'object',
                properties: {
                  'idempotency-key': { type: 'string', description: 'The same key repeats nothing.' },
                  ...(action.takesIfMatch ? { 'if-match': { type: 'string', description: 'The version that was read, as `W/"3"`: instead of `version`.' } } : {}),
                },
              },
            }
          : {}),
      },
    },
    async (request) => {
      const origin = { ...request.origin, action: name, module }
      const key = request.headers['idempotency-key']
      const body = action.takesIfMatch ? withVersion(request) : request.body
      const idempotency =
        isRepeatable && typeof key === 'string' && key.length > 0
          ? { idempotency: { key, request: JSON.stringify(body ?? {}) } }
          : {}
      return (await services.performFor(name, body, request.actor, origin, idempotency)) ?? {}
    },
  )
}

/** The input with the version of `If-Match` (RFC 9110, 13.1.1). */
function withVersion({ headers, body }: FastifyRequest): unknown {
  const given = headers['if-match']
  if (given === undefined || typeof body !== 'object' || body === null) return body
  const version = /^(?:W\/)?"(\d{1,9})"$/.exec(given.trim())?.[1]
  const said = (body as { version?: unknown }).version
  if (version === undefined || (said !== undefined && said !== version)) {
    refuse('INPUT_INVALID', { fields: [{ field: 'If-Match', problem: 'give one version as W/"3", and no other one in the body' }] })
  }
  return { ...body, version }
}

interface Answer {
  status: number
  body: { code: string; message: string; details?: unknown; correlationId?: string }
  retryAfter?: number
}

/** What a fault is answered with. A bug is a 500 that says nothing but its correlation id. */
export function answerTo(
  error: unknown,
  refusals: Readonly<Record<string, RefusalDefinition>>,
  request: FastifyRequest,
): Answer {
  const correlationId = request.origin?.correlationId ?? request.id
  const refusal = asRefusal(error)
  const known = refusal && refusals[refusal.code]
  if (!refusal || !known) {
    const message = 'Something broke in the server. Nothing was stored. Give the correlation id to your IT department.'
    return { status: 500, body: { code: 'INTERNAL', message, correlationId } }
  }
  const details = Object.keys(refusal.details).length > 0 ? { details: refusal.details } : {}
  const retryAfter = known.status === 429 ? Number(refusal.details.retryAfter ?? 30) : known.status === 503 ? 2 : undefined
  return {
    status: refusal.code === 'RECORD_VERSION_CONFLICT' && request.headers['if-match'] !== undefined ? 412 : (STATUS_OF_TRANSPORT[refusal.code] ?? known.status),
    body: { code: refusal.code, message: known.message, ...details, correlationId },
    ...(retryAfter === undefined ? {} : { retryAfter }),
  }
}

const STATUS_OF_TRANSPORT: Readonly<Record<string, number>> = { INPUT_TOO_LARGE: 413, INPUT_TYPE_UNSUPPORTED: 415 }

function asRefusal(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error
  const { code = '', statusCode = 500 } = error as Partial<FastifyError>
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new Refusal('INPUT_TOO_LARGE')
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new Refusal('INPUT_TYPE_UNSUPPORTED')
  if (statusCode === 429) return new Refusal('RATE_LIMITED')
  if (statusCode >= 400 && statusCode < 500) return new Refusal('INPUT_MALFORMED')
  return undefined
}

// The stack names places in the code; messages of PostgreSQL may quote a value and stay out of the log.
function describe(error: unknown): { type: string; code?: string; stack?: string } {
  if (!(error instanceof Error)) return { type: typeof error }
  const { code, severity } = error as { code?: string; severity?: string }
  const frames = error.stack?.split('\n').filter((line) => line.trimStart().startsWith('at ')) ?? []
  const message = severity === undefined ? error.message.slice(0, 200) : `PostgreSQL ${code}`
  return { type: `${error.name}: ${message}`, ...(code === undefined ? {} : { code }), stack: frames.slice(0, 12).join('\n') }
}

function registerHealth(app: FastifyInstance, health: Health): void {
  app.get('/health/live', { config: { allow: 'anyone' }, schema: { tags: ['health'] } }, async () => ({ status: 'ok' }))
  app.get('/health/ready', { config: { allow: 'anyone' }, schema: { tags: ['health'] } }, async (_request, reply) => {
    const faults = await health.faults()
    const warnings = health.warnings?.() ?? []
    return reply.code(faults.length === 0 ? 200 : 503).send({ status: faults.length === 0 ? 'ok' : 'unready', faults, ...(warnings.length === 0 ? {} : { warnings }) })
  })
}
