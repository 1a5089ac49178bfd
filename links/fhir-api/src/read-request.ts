import { refuse } from '@carespine/kit/module'
import type { FastifyRequest } from 'fastify'
import type { Caller } from './interactions.ts'

export const FORM = 'application/x-www-form-urlencoded'

export function callerOf(request: FastifyRequest, action: string): Caller {
  return { actor: request.actor, origin: { ...request.origin, action, module: 'fhir-api' } }
}

export function baseOf(request: FastifyRequest): string {
  return `${request.protocol}://${request.host}/fhir/R4`
}

export function queryOf(request: FastifyRequest): [string, string][] {
  const at = request.url.indexOf('?')
  return at < 0 ? [] : [...new URLSearchParams(request.url.slice(at + 1))]
}

export function formOf({ body, headers }: FastifyRequest): [string, string][] {
  if (body === undefined || body === null) return []
  return headers['content-type']?.startsWith(FORM) ? (body as [string, string][]) : refuse('INPUT_TYPE_UNSUPPORTED')
}
