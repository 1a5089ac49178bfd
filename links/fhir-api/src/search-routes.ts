import { isCompartment } from '@carespine/fhir/compartment-members'
import { isResourceType } from '@carespine/fhir/definitions'
import type { ResourceType } from '@carespine/fhir/resource'
import { refuse } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Interaction } from './interaction.ts'
import { requirePermission } from './interactions.ts'
import { preferencesOf } from './preferences.ts'
import { baseOf, callerOf, formOf, queryOf } from './read-request.ts'
import { indexStatus } from './search-capabilities.ts'
import { type Compartment, searchResources, type SearchRequest, searchSystem } from './search.ts'

const signedIn = { config: { allow: 'signed-in' }, schema: { tags: ['fhir'] } }

type InType = FastifyRequest<{ Params: { type: string } }>
type InCompartment = FastifyRequest<{ Params: { type: string; id: string; inner: string } }>

/** What the capability statement says of them. */
export const searchInteractions: readonly Pick<Interaction, 'ofType' | 'ofSystem' | 'says'>[] = [{ ofType: ['search-type'], ofSystem: ['search-system'] }]

/** Searches: of one type, of several or all, and within a compartment; each also posted as a form. */
export function searchRoutes(fhir: FastifyInstance, services: Services, send: (reply: FastifyReply, body: Buffer) => FastifyReply): void {
  const caller = (request: FastifyRequest) => callerOf(request, 'fhir.search')
  const ofType = async (request: InType): Promise<Buffer> => {
    const asked = requestOf(request)
    return await searchResources(services, caller(request), typeOf(request.params.type), asked)
  }
  const ofSystem = (request: FastifyRequest): Promise<Buffer> => searchSystem(services, caller(request), requestOf(request))
  const ofCompartment = async (request: InCompartment): Promise<Buffer> => {
    const asked = requestOf(request)
    const { inner } = request.params
    const compartment = compartmentOf(request.params)
    if (inner === '*') return await searchSystem(services, caller(request), asked, compartment)
    return await searchResources(services, caller(request), typeOf(inner), asked, compartment)
  }
  fhir.get('/$index-status', signedIn, async (request, reply) => {
    requirePermission(request.actor, 'SearchParameter', 'read')
    return send(reply, Buffer.from(JSON.stringify(indexStatus(services.store))))
  })
  fhir.get('/', signedIn, async (request, reply) => send(reply, await ofSystem(request)))
  fhir.post('/_search', signedIn, async (request, reply) => send(reply, await ofSystem(request)))
  fhir.get('/:type', signedIn, async (request: InType, reply) => send(reply, await ofType(request)))
  fhir.post('/:type/_search', signedIn, async (request: InType, reply) => send(reply, await ofType(request)))
  fhir.get('/:type/:id/:inner', signedIn, async (request: InCompartment, reply) => send(reply, await ofCompartment(request)))
  fhir.post('/:type/:id/:inner/_search', signedIn, async (request: InCompartment, reply) => send(reply, await ofCompartment(request)))
}

function requestOf(request: FastifyRequest): SearchRequest {
  const posted = request.method === 'POST'
  return {
    base: baseOf(request),
    parameters: posted ? [...queryOf(request), ...formOf(request)] : queryOf(request),
    handling: preferencesOf(request.headers).handling,
    ...(posted ? { posted } : {}),
  }
}

function typeOf(type: string): ResourceType {
  return isResourceType(type) ? type : refuse('FHIR_TYPE_UNKNOWN')
}

function compartmentOf({ type, id }: { type: string; id: string }): Compartment {
  return isCompartment(type) && /^[A-Za-z0-9\-.]{1,64}$/.test(id) ? { type, id } : refuse('NOT_FOUND')
}
