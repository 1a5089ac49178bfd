import { readJson } from '@carespine/fhir/decimal-digits'
import type { Binary } from '@carespine/fhir/resource'
import { Refusal } from '@carespine/kit/module'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isFormatName, namesOfAccept } from './format.ts'

// What a Binary holds goes in and out as what it is: http://hl7.org/fhir/R4/binary.html#rest

const BASE = '/fhir/R4'
const OF_A_TYPE = `${BASE}/:type`
const OF_AN_INSTANCE = `${BASE}/:type/:id`
const OF_A_VERSION = `${BASE}/:type/:id/_history/:version`
const SECURITY_CONTEXT = 'x-security-context'

const UNKNOWN = 'application/octet-stream'
const IN_A_HEADER = /^[\x20-\x7e]+$/

const isBinary = ({ params }: FastifyRequest): boolean => (params as { type?: string } | undefined)?.type === 'Binary'

/** Whether any content may be sent here: as the Binary that it becomes. */
export function takesContent(request: FastifyRequest): boolean {
  const { method, routeOptions } = request
  return isBinary(request) && ((method === 'POST' && routeOptions.url === OF_A_TYPE) || (method === 'PUT' && routeOptions.url === OF_AN_INSTANCE))
}

/** Whether any content may be asked for here. */
export function givesContent(request: FastifyRequest): boolean {
  const { method, routeOptions } = request
  return isBinary(request) && (method === 'GET' || method === 'HEAD') && (routeOptions.url === OF_AN_INSTANCE || routeOptions.url === OF_A_VERSION)
}

/** The Binary that was sent as content. Refuses what is sent so to another address, before it is read. */
export async function readContent(request: FastifyRequest, payload: AsyncIterable<Buffer>, most: number): Promise<Binary> {
  if (!takesContent(request)) throw new Refusal('INPUT_TYPE_UNSUPPORTED')
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of payload) {
    length += chunk.length
    if (length > most) throw new Refusal('INPUT_TOO_LARGE')
    chunks.push(chunk)
  }
  const context = request.headers[SECURITY_CONTEXT]
  const { id } = request.params as { id?: string }
  return {
    resourceType: 'Binary',
    ...(id === undefined ? {} : { id }),
    contentType: request.headers['content-type'] || UNKNOWN,
    ...(typeof context === 'string' ? { securityContext: { reference: context } } : {}),
    data: Buffer.concat(chunks).toString('base64'),
  }
}

/** Whether this Binary is asked for as what it holds: unless a format of FHIR is named, and is not what it holds. */
function isAskedAsContent({ headers, url }: FastifyRequest, { contentType }: Binary): boolean {
  if (new URLSearchParams(url.split('?')[1]).has('_format')) return false
  const own = contentType.split(';')[0]?.trim().toLowerCase()
  return namesOfAccept(headers.accept).every((name) => !isFormatName(name) || name === own)
}

/** Sends what a Binary holds; false when it is asked for as a resource. */
export function sendContent(request: FastifyRequest, reply: FastifyReply, body: Buffer): boolean {
  if (!givesContent(request)) return false
  const binary = readJson(body.toString()) as Binary
  if (!isAskedAsContent(request, binary)) return false
  const { contentType, securityContext, data = '' } = binary
  const context = securityContext?.reference
  if (context !== undefined && IN_A_HEADER.test(context)) reply.header(SECURITY_CONTEXT, context)
  // Anybody who may write may have put a page with a script in it there: nothing in it runs, and browsers save it.
  reply
    .header('content-type', contentType)
    .header('content-disposition', 'attachment')
    .header('content-security-policy', "default-src 'none'; sandbox")
    .header('x-content-type-options', 'nosniff')
    .send(Buffer.from(data, 'base64'))
  return true
}
