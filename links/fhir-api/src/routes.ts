import { Refusal } from '@carespine/kit/module'
import { engineRefusals } from '@carespine/kit/refusals'
import type { Services } from '@carespine/kit/services'
import type { FastifyInstance } from 'fastify'
import { methodRefusals, refuseOtherMethods } from './allowed-methods.ts'
import { FHIR_JSON, outcomeOf } from './answer.ts'
import { bulkRefusals, bulkRoutes, type BulkRouteSettings } from './bulk/bulk-routes.ts'
import { graphqlRoutes } from './graphql/graphql-routes.ts'
import { answerInFormat, formatRefusals } from './in-format.ts'
import { Asked } from './interaction.ts'
import { interactions } from './interaction-table.ts'
import { patchRefusals } from './interactions/patch.ts'
import { metadataRoute } from './metadata.ts'
import { operationRefusals, operationRoutes } from './operations.ts'
import { bundleRefusals } from './bundle/bundle-fault.ts'
import { bodyMessages, bodyRefusals, readBodies } from './read-bodies.ts'
import { searchRoutes } from './search-routes.ts'
import { send } from './send.ts'
import { validateRoutes } from './validate-resource.ts'

const BUNDLE_LIMIT = 64 * 1024 * 1024

export const refusals = {
  ...bulkRefusals,
  ...bundleRefusals,
  ...operationRefusals,
  ...patchRefusals,
  ...methodRefusals,
  ...bodyRefusals,
  ...formatRefusals,
  RECORD_DELETED: { status: 410, message: 'This record was deleted. Its history is still there.' },
  FHIR_TYPE_UNKNOWN: { status: 404, message: 'R4 has no such resource type, or it is not stored here.' },
  FHIR_ID_MISMATCH: { status: 400, message: 'The id in the resource and in the URL must be the same.' },
  FHIR_TYPE_MISMATCH: { status: 400, message: 'The resource is of another type than the URL.' },
  FHIR_IF_MATCH_INVALID: { status: 400, message: 'If-Match takes a version such as W/"3".' },
  FHIR_CONDITION_INVALID: { status: 400, message: 'The condition has faults.' },
  FHIR_CONDITION_NOT_UNIQUE: { status: 412, message: 'The condition matches more than one resource.' },
  FHIR_CONDITION_ID_MISMATCH: { status: 400, message: 'The resource that the condition matches has another id than the one that was sent.' },
  FHIR_CONDITION_ID_TAKEN: { status: 409, message: 'The condition matches nothing, and another resource has the id that was sent.' },
} as const

const known = { ...engineRefusals, ...refusals, ...bodyMessages }

interface Params {
  type: string
  id: string
  version: string
}

/** The FHIR R4 REST API at `/fhir/R4`. */
export async function fhirRoutes(app: FastifyInstance, services: Services, bulk: BulkRouteSettings): Promise<void> {
  await app.register(async (fhir) => {
    fhir.addHook('onRoute', (route) => {
      route.config = { ...route.config, openToApps: true }
    })
    readBodies(fhir)
    answerInFormat(fhir)
    fhir.setErrorHandler(async (error, request, reply) => {
      const answer = outcomeOf(asRefusal(error), { ...services.refusals, ...known })
      if (!answer) throw error
      if (answer.status === 401) reply.header('www-authenticate', 'Bearer realm="carespine"')
      if (answer.status === 503) reply.header('retry-after', '2')
      reply.header('x-correlation-id', request.origin?.correlationId ?? request.id)
      await reply.code(answer.status).type(FHIR_JSON).send(JSON.stringify(answer.body))
    })
    // After the error handler, which it takes as it finds it.
    refuseOtherMethods(fhir)

    const signedIn = { config: { allow: 'signed-in' }, schema: { tags: ['fhir'] } }
    metadataRoute(fhir, services)
    searchRoutes(fhir, services, send)
    for (const interaction of interactions) {
      const { method, url, action } = interaction
      fhir.route<{ Params: Params }>({
        method,
        url,
        ...signedIn,
        bodyLimit: BUNDLE_LIMIT,
        handler: (request, reply) => interaction.run(new Asked(services, action, request, reply)),
      })
    }
    operationRoutes(fhir, services)
    validateRoutes(fhir, services)
    graphqlRoutes(fhir, services)
    bulkRoutes(fhir, services, bulk)
  }, { prefix: '/fhir/R4' })
}

function asRefusal(error: unknown): unknown {
  if (error instanceof Refusal) return error
  const { code = '', statusCode = 500 } = error as { code?: string; statusCode?: number }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new Refusal('INPUT_TOO_LARGE')
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new Refusal('INPUT_TYPE_UNSUPPORTED')
  return statusCode >= 400 && statusCode < 500 ? new Refusal('INPUT_MALFORMED') : error
}
