import { isResourceType } from '@carespine/fhir/definitions'
import { readJson, writeJson } from '@carespine/fhir/decimal-digits'
import { validate } from '@carespine/fhir/validate'
import type { Bundle, Resource, ResourceType, Stored } from '@carespine/fhir/resource'
import { Refusal, refuse } from '@carespine/kit/module'
import { readJsonBodies } from '@carespine/kit/json-body'
import { engineRefusals } from '@carespine/kit/refusals'
import type { Services } from '@carespine/kit/services'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { FHIR_JSON, outcomeOf } from './answer.ts'
import { capabilityStatement } from './capability-statement.ts'
import { removeResource } from './announce.ts'
import { postResource, putResource, readHistory, readResource, readVersion, requirePermission, type Served } from './interactions.ts'
import { operationRefusals, operationRoutes } from './operations.ts'
import { bundleRefusals, processBundle } from './process-bundle.ts'
import { baseOf, callerOf, FORM } from './read-request.ts'
import { searchRoutes } from './search-routes.ts'

const BUNDLE_LIMIT = 64 * 1024 * 1024

export const refusals = {
  ...bundleRefusals,
  ...operationRefusals,
  RECORD_DELETED: { status: 410, message: 'This record was deleted. Its history is still there.' },
  FHIR_TYPE_UNKNOWN: { status: 404, message: 'R4 has no such resource type, or it is not stored here.' },
  FHIR_ID_MISMATCH: { status: 400, message: 'The id in the resource and in the URL must be the same.' },
  FHIR_TYPE_MISMATCH: { status: 400, message: 'The resource is of another type than the URL.' },
  FHIR_IF_MATCH_INVALID: { status: 400, message: 'If-Match takes a version such as W/"3".' },
} as const

const known = { ...engineRefusals, ...refusals }

interface Params {
  type: string
  id: string
  version: string
}

/** The FHIR R4 REST API at `/fhir/R4`. */
export async function fhirRoutes(app: FastifyInstance, services: Services): Promise<void> {
  await app.register(async (fhir) => {
    readJsonBodies(fhir, ['application/json', 'application/fhir+json', 'text/json'], readJson)
    fhir.addContentTypeParser(FORM, { parseAs: 'string' }, (_request, body, done) =>
      done(null, [...new URLSearchParams(body as string)]),
    )
    fhir.setErrorHandler(async (error, request, reply) => {
      const answer = outcomeOf(asRefusal(error), { ...services.refusals, ...known })
      if (!answer) throw error
      if (answer.status === 401) reply.header('www-authenticate', 'Bearer realm="carespine"')
      if (answer.status === 503) reply.header('retry-after', '2')
      reply.header('x-correlation-id', request.origin?.correlationId ?? request.id)
      await reply.code(answer.status).type(FHIR_JSON).send(JSON.stringify(answer.body))
    })

    const signedIn = { config: { allow: 'signed-in' }, schema: { tags: ['fhir'] } }
    fhir.get('/metadata', { config: { allow: 'anyone' }, schema: { tags: ['fhir'] } }, async (request, reply) =>
      send(reply, Buffer.from(JSON.stringify(capabilityStatement(baseOf(request), services.now())))),
    )
    fhir.post('/', { ...signedIn, bodyLimit: BUNDLE_LIMIT }, async (request, reply) => {
      const bundle = request.body as Bundle
      if (bundle?.resourceType !== 'Bundle') refuse('FHIR_TYPE_MISMATCH')
      const answer = await processBundle(services, callerOf(request, 'fhir.bundle'), bundle)
      return send(reply, Buffer.from(writeJson(answer)))
    })
    searchRoutes(fhir, services, send)
    fhir.post<{ Params: Params }>('/:type', { ...signedIn, bodyLimit: BUNDLE_LIMIT }, async (request, reply) => {
      const type = typeOf(request)
      const caller = callerOf(request, 'fhir.create')
      requirePermission(caller.actor, type, 'write')
      const resource = resourceOf(request, type)
      const stored = await services.transact(caller.actor, caller.origin, async ({ tx }) => postResource(tx, resource))
      return sendStored(reply.code(201), request, stored)
    })
    fhir.get<{ Params: Params }>('/:type/:id', signedIn, async (request, reply) =>
      sendServed(reply, await readResource(services, callerOf(request, 'fhir.read'), typeOf(request), request.params.id), request),
    )
    fhir.put<{ Params: Params }>('/:type/:id', { ...signedIn, bodyLimit: BUNDLE_LIMIT }, async (request, reply) => {
      const type = typeOf(request)
      const caller = callerOf(request, 'fhir.update')
      requirePermission(caller.actor, type, 'write')
      const resource = resourceOf(request, type)
      if (resource.id !== request.params.id) refuse('FHIR_ID_MISMATCH')
      const ifMatch = ifMatchOf(request)
      const { stored, created } = await services.transact(caller.actor, caller.origin, ({ tx }) =>
        putResource(tx, resource, ifMatch === undefined ? {} : { ifMatch }),
      )
      return sendStored(reply.code(created ? 201 : 200), request, stored)
    })
    fhir.delete<{ Params: Params }>('/:type/:id', signedIn, async (request, reply) => {
      const type = typeOf(request)
      const caller = callerOf(request, 'fhir.delete')
      requirePermission(caller.actor, type, 'write')
      const ifMatch = ifMatchOf(request)
      await services.transact(caller.actor, caller.origin, async ({ tx }) => {
        const resource = await tx.find(type, request.params.id)
        if (!resource) return
        if (ifMatch !== undefined && ifMatch !== resource.meta.versionId) refuse('RECORD_VERSION_CONFLICT')
        removeResource(tx, resource as Stored<Resource>)
      })
      return reply.code(204).send()
    })
    fhir.get<{ Params: Params }>('/:type/:id/_history', signedIn, async (request, reply) => {
      const { _count, _before } = request.query as { _count?: string; _before?: string }
      const count = Math.max(1, Math.min(Number(_count) || 50, 500))
      const page = { count, ...(_before !== undefined && /^\d{1,9}$/.test(_before) ? { before: Number(_before) } : {}) }
      return send(reply, await readHistory(services, callerOf(request, 'fhir.history'), typeOf(request), request.params.id, page, baseOf(request)))
    })
    fhir.get<{ Params: Params }>('/:type/:id/_history/:version', signedIn, async (request, reply) => {
      const { id, version } = request.params
      return sendServed(reply, await readVersion(services, callerOf(request, 'fhir.vread'), typeOf(request), id, version), request)
    })
    operationRoutes(fhir, services)
    // An unvalidated look: what would be wrong with this resource.
    fhir.post<{ Params: Params }>('/:type/$validate', { ...signedIn, bodyLimit: BUNDLE_LIMIT }, async (request, reply) => {
      const issues = validate(request.body)
      const { body } = outcomeOf(new Refusal('RECORD_INVALID', { issues }), known) ?? refuse('NOT_FOUND')
      const fine = { resourceType: 'OperationOutcome', issue: [{ severity: 'information', code: 'informational', diagnostics: 'No faults found.' }] }
      return send(reply, Buffer.from(JSON.stringify(issues.length > 0 ? body : fine)))
    })
  }, { prefix: '/fhir/R4' })
}

function asRefusal(error: unknown): unknown {
  if (error instanceof Refusal) return error
  const { code = '', statusCode = 500 } = error as { code?: string; statusCode?: number }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new Refusal('INPUT_TOO_LARGE')
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new Refusal('INPUT_TYPE_UNSUPPORTED')
  return statusCode >= 400 && statusCode < 500 ? new Refusal('INPUT_MALFORMED') : error
}

function typeOf(request: FastifyRequest<{ Params: Params }>): ResourceType {
  const { type } = request.params
  return isResourceType(type) ? type : refuse('FHIR_TYPE_UNKNOWN')
}

function resourceOf(request: FastifyRequest, type: ResourceType): Resource {
  const body = request.body as Resource | undefined
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return refuse('INPUT_MALFORMED')
  if (body.resourceType !== type) return refuse('FHIR_TYPE_MISMATCH')
  return body
}

function ifMatchOf(request: FastifyRequest): string | undefined {
  const header = request.headers['if-match']
  if (header === undefined) return undefined
  return /^(?:W\/)?"?(\d{1,9})"?$/.exec(header)?.[1] ?? refuse('FHIR_IF_MATCH_INVALID')
}

function send(reply: FastifyReply, body: Buffer): FastifyReply {
  return reply.header('content-type', FHIR_JSON).send(body)
}

function sendServed(reply: FastifyReply, { body, version, updated }: Served, request: FastifyRequest): FastifyReply {
  const etag = `W/"${version}"`
  reply.header('etag', etag).header('last-modified', updated.toUTCString())
  if (request.headers['if-none-match'] === etag) return reply.code(304).send()
  return send(reply, body)
}

function sendStored(reply: FastifyReply, request: FastifyRequest, stored: Stored<Resource>): FastifyReply {
  const { resourceType, id, meta } = stored
  reply
    .header('location', `${baseOf(request)}/${resourceType}/${id}/_history/${meta.versionId}`)
    .header('etag', `W/"${meta.versionId}"`)
    .header('last-modified', new Date(meta.lastUpdated).toUTCString())
  if (request.headers.prefer === 'return=minimal') return reply.send()
  return send(reply, Buffer.from(writeJson(stored)))
}
