import { writeJson } from '@carespine/fhir/decimal-digits'
import { outcome } from '@carespine/fhir/outcome'
import type { Resource, Stored } from '@carespine/fhir/resource'
import type { FastifyReply } from 'fastify'
import { FHIR_JSON } from './answer.ts'
import { sendContent } from './binary-content.ts'
import type { Asked } from './interaction.ts'
import type { Served } from './interactions.ts'
import { hasVersion } from './preconditions.ts'
import { preferencesOf } from './preferences.ts'
import { baseOf } from './read-request.ts'

export function send(reply: FastifyReply, body: Buffer): FastifyReply {
  return reply.header('content-type', FHIR_JSON).send(body)
}

/** A version that was read; 304 without it when the client has it already. */
export function sendServed(asked: Asked, { body, version, updated }: Served): FastifyReply {
  const { reply } = asked
  reply.header('etag', `W/"${version}"`).header('last-modified', updated.toUTCString())
  const given = { ifNoneMatch: asked.header('if-none-match'), ifModifiedSince: asked.header('if-modified-since') }
  if (hasVersion(given, version, updated)) return reply.code(304).send()
  return sendContent(asked.request, reply, body) ? reply : send(reply, body)
}

const words = { created: 'was created', updated: 'was changed', existing: 'is there already' } as const

/** What a change left, with as much of it as the client would rather have. */
export function sendStored({ reply, request }: Asked, stored: Stored<Resource>, done: keyof typeof words): FastifyReply {
  const { resourceType, id, meta } = stored
  reply
    .code(done === 'created' ? 201 : 200)
    .header('location', `${baseOf(request)}/${resourceType}/${id}/_history/${meta.versionId}`)
    .header('etag', `W/"${meta.versionId}"`)
    .header('last-modified', new Date(meta.lastUpdated).toUTCString())
  switch (preferencesOf(request.headers).return) {
    case 'minimal':
      return reply.send()
    case 'OperationOutcome':
      return sendOutcome(reply, `${resourceType}/${id} ${words[done]}: version ${meta.versionId}.`)
    case 'representation':
      return send(reply, Buffer.from(writeJson(stored)))
  }
}

/** An OperationOutcome that says what was done. */
export function sendOutcome(reply: FastifyReply, diagnostics: string): FastifyReply {
  return send(reply, Buffer.from(JSON.stringify(outcome([{ severity: 'information', code: 'informational', diagnostics }]))))
}
