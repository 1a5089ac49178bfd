import { isResourceType } from '@carespine/fhir/definitions'
import { refuse } from '@carespine/kit/module'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

interface Address {
  methods: readonly string[]
  parts: readonly string[]
}

/** Refuses what no route answers: 405 with what is allowed where others do, else 404. Routes must come after this. */
export function refuseOtherMethods(fhir: FastifyInstance): void {
  const addresses: Address[] = []
  fhir.addHook('onRoute', ({ method, url, config }) => {
    if (config?.catchesAll) return
    addresses.push({ methods: [method].flat(), parts: partsOf(url) })
  })
  const refuseIt = (request: FastifyRequest, reply: FastifyReply): never => {
    const path = partsOf(request.url.split('?')[0] ?? '')
    const found = addresses.filter(({ parts }) => fits(parts, path))
    if (found.length === 0) return refuse('NOT_FOUND')
    if (found.every(({ parts }) => parts.some((part, at) => part === ':type' && !isResourceType(path[at] ?? '')))) refuse('FHIR_TYPE_UNKNOWN')
    reply.header('allow', [...new Set(found.flatMap(({ methods }) => methods))].toSorted().join(', '))
    return refuse('FHIR_METHOD_NOT_ALLOWED')
  }
  // The route keeps the portals' pages out of here.
  fhir.setNotFoundHandler(refuseIt)
  fhir.all('/*', { config: { allow: 'anyone', catchesAll: true }, schema: { hide: true } }, refuseIt)
}

const partsOf = (url: string): string[] => url.split('/').filter((part) => part !== '')

// An operation or an interaction that does not exist is no id.
function fits(parts: readonly string[], path: readonly string[]): boolean {
  return parts.length === path.length && parts.every((part, at) => (part.startsWith(':') ? !/^[$_]/.test(path[at] ?? '') : part === path[at]))
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answers what no other route does. */
    catchesAll?: true
  }
}

export const methodRefusals = {
  FHIR_METHOD_NOT_ALLOWED: { status: 405, message: 'This address does not take the method. The Allow header names those that it takes.' },
} as const
