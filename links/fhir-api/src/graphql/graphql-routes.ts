import { readJson } from '@carespine/fhir/decimal-digits'
import { isResourceType } from '@carespine/fhir/definitions'
import type { ResourceType } from '@carespine/fhir/resource'
import { Refusal, refuse } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import ofR4 from '../../generated/operations.json' with { type: 'json' }
import { outcomeOf } from '../answer.ts'
import { readResource, requirePermission } from '../interactions.ts'
import { readInput } from '../operation-input.ts'
import { baseOf, callerOf, FORM, queryOf } from '../read-request.ts'
import type { Asking } from './read-document.ts'

const JSON_TYPE = 'application/json; charset=utf-8'
const BODY_LIMIT = 256 * 1024

type Asked = FastifyRequest<{ Params: { type?: string; id?: string } }>

/** `$graphql` on the whole record and on one resource (http://hl7.org/fhir/R4/graphql.html). The answer is no resource. */
export function graphqlRoutes(fhir: FastifyInstance, services: Services): void {
  // In a scope of its own: nothing else takes this Content-Type.
  fhir.register(async (graphql) => {
    graphql.addContentTypeParser('application/graphql', { parseAs: 'string' }, (_request, body, done) => done(null, body))
    for (const url of ['/$graphql', '/:type/:id/$graphql']) {
      graphql.route<{ Params: { type?: string; id?: string } }>({
        method: ['GET', 'POST'],
        url,
        config: { allow: 'signed-in', anyFormat: true },
        schema: { tags: ['fhir'] },
        bodyLimit: BODY_LIMIT,
        handler: (request, reply) => answer(services, request, reply),
        errorHandler: async (error, request, reply) => await refuseIn(services, error, request, reply),
      })
    }
  })
}

async function answer(services: Services, request: Asked, reply: FastifyReply): Promise<FastifyReply> {
  const asking = askingOf(request)
  // Loaded when it is first needed: the parser is not on the way of the start.
  const [{ answerQuery }, { RecordInSight }] = await Promise.all([import('./answer-query.ts'), import('./record.ts')])
  const record = new RecordInSight(services, callerOf(request, 'fhir.graphql'), baseOf(request))
  return reply.header('content-type', JSON_TYPE).send(await answerQuery(record, asking, instanceOf(services, request)))
}

function instanceOf(services: Services, request: Asked): { type: ResourceType; read(): Promise<Buffer> } | undefined {
  const { type, id = '' } = request.params
  if (type === undefined) return undefined
  if (!isResourceType(type)) return refuse('FHIR_TYPE_UNKNOWN')
  const caller = callerOf(request, 'fhir.graphql')
  requirePermission(caller.actor, type, 'read')
  return { type, read: async () => (await readResource(services, caller, type, id)).body }
}

function invalid(diagnostics: string): never {
  return refuse('FHIR_OPERATION_INPUT_INVALID', { issues: [{ severity: 'error', code: 'value', diagnostics }] })
}

const NAMES = new Set(['query', 'variables', 'operationName'])

/** How GraphQL is asked over HTTP: in the address, as JSON, as the query itself, or as the Parameters of an operation. */
function askingOf(request: Asked): Asking {
  const given: Record<string, unknown> = {}
  for (const [name, text] of queryOf(request)) {
    if (name === '_format' || name === '_pretty') {
      if (name === '_format' && !/json/.test(text)) refuse('FHIR_FORMAT_UNAVAILABLE')
      continue
    }
    if (!NAMES.has(name)) invalid('The address takes query, variables and operationName.')
    given[name] = name === 'variables' ? jsonIn(text) : text
  }
  if (request.method === 'POST') Object.assign(given, inBody(request))
  const { query, variables, operationName } = given
  if (typeof query !== 'string' || query.trim() === '') invalid('Send a query: ?query=…, JSON with query, or the query as application/graphql.')
  if (variables !== undefined && variables !== null && (typeof variables !== 'object' || Array.isArray(variables))) invalid('variables: give a JSON object.')
  if (operationName !== undefined && operationName !== null && typeof operationName !== 'string') invalid('operationName: give a text.')
  return {
    query: query as string,
    ...(variables ? { variables: variables as Record<string, unknown> } : {}),
    ...(operationName ? { operationName: operationName as string } : {}),
  }
}

function jsonIn(text: string): unknown {
  try {
    return readJson(text)
  } catch {
    return invalid('variables: give a JSON object.')
  }
}

function inBody({ body, headers }: Asked): Record<string, unknown> {
  if (body === undefined || body === null) return {}
  if (headers['content-type']?.startsWith('application/graphql')) return { query: body }
  if (headers['content-type']?.startsWith(FORM)) return refuse('INPUT_TYPE_UNSUPPORTED')
  if (typeof body !== 'object' || Array.isArray(body)) return refuse('INPUT_MALFORMED')
  if (!('resourceType' in body)) return body as Record<string, unknown>
  return { query: readInput({ inputs: ofR4['Resource-graphql'].inputs, understood: ['query'] }, [], body).text('query') }
}

async function refuseIn(services: Services, error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { GraphqlFault } = await import('./graphql-fault.ts')
  reply.header('x-correlation-id', request.origin?.correlationId ?? request.id)
  if (error instanceof GraphqlFault) return reply.code(error.status).type(JSON_TYPE).send(JSON.stringify({ errors: error.errors }))
  const { code = '' } = error as { code?: string }
  const known = code === 'FST_ERR_CTP_BODY_TOO_LARGE' ? new Refusal('INPUT_TOO_LARGE') : code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE' ? new Refusal('INPUT_TYPE_UNSUPPORTED') : error
  const refused = outcomeOf(known, services.refusals)
  if (!refused) throw error
  if (refused.status === 401) reply.header('www-authenticate', 'Bearer realm="carespine"')
  if (refused.status === 503) reply.header('retry-after', '2')
  const errors = refused.body.issue.map((issue) => ({ message: issue.diagnostics ?? 'The request was refused.', extensions: { resource: { ...refused.body, issue: [issue] } } }))
  return reply.code(refused.status).type(JSON_TYPE).send(JSON.stringify({ errors }))
}
