import { isResourceType } from '@carespine/fhir/definitions'
import type { CapabilityStatement, Resource, ResourceType } from '@carespine/fhir/resource'
import { refuse } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { baseOf, callerOf } from './read-request.ts'
import type { Caller } from './interactions.ts'

type Rest = NonNullable<CapabilityStatement['rest']>[number]
export type RestResource = NonNullable<Rest['resource']>[number]
type Codes<T extends { interaction?: { code?: string }[] }> = readonly NonNullable<NonNullable<T['interaction']>[number]['code']>[]

interface Params {
  type?: string
  id?: string
  version?: string
}

export type FhirRequest = FastifyRequest<{ Params: Params }>

/** One interaction of R4 at its address: routes and the capability statement are read off these. */
export interface Interaction {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  url: string
  /** As audit entries name it, such as `fhir.read`. */
  action: string
  /** Codes of http://hl7.org/fhir/restful-interaction that it is on a type, and on the whole server. */
  ofType?: Codes<RestResource>
  ofSystem?: Codes<Rest>
  /** What else the capability statement says of each type because of it. */
  says?: Partial<RestResource>
  run(asked: Asked): Promise<FastifyReply>
}

export class Asked {
  readonly services: Services
  readonly caller: Caller
  readonly request: FhirRequest
  readonly reply: FastifyReply

  constructor(services: Services, action: string, request: FhirRequest, reply: FastifyReply) {
    this.services = services
    this.caller = callerOf(request, action)
    this.request = request
    this.reply = reply
  }

  get base(): string {
    return baseOf(this.request)
  }

  /** The type in the address. */
  get type(): ResourceType {
    const { type = '' } = this.request.params
    return isResourceType(type) ? type : refuse('FHIR_TYPE_UNKNOWN')
  }

  get id(): string {
    return this.request.params.id ?? ''
  }

  /** The resource in the body, which must be of the type in the address. */
  get resource(): Resource {
    const body = this.request.body as Resource | undefined
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return refuse('INPUT_MALFORMED')
    if (body.resourceType !== this.type) return refuse('FHIR_TYPE_MISMATCH')
    return body
  }

  header(name: 'if-match' | 'if-none-match' | 'if-none-exist' | 'if-modified-since'): string | undefined {
    const value = this.request.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }

  /** What stands behind the `?` of the address. */
  get criteria(): string {
    const { url } = this.request
    const at = url.indexOf('?')
    return at < 0 ? '' : url.slice(at + 1)
  }
}
