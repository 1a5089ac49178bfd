import { readJson, writeJson } from '@carespine/fhir/decimal-digits'
import { outcome } from '@carespine/fhir/outcome'
import { NotInXml, writeXml } from '@carespine/fhir/xml-write'
import { Refusal } from '@carespine/kit/module'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { FHIR_JSON } from './answer.ts'
import { givesContent, takesContent } from './binary-content.ts'
import { compress, isBig } from './compress.ts'
import { type Format, formatFor, isTaken, STORED_JSON } from './format.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The answer is not a resource: its format is the route's own matter. */
    anyFormat?: true
  }
  interface FastifyRequest {
    /** What the answer is written as; set by `answerInFormat`. */
    answerFormat: Format | undefined
  }
}

export const formatRefusals = {
  FHIR_FORMAT_UNAVAILABLE: {
    status: 406,
    message: 'Answers are given as application/fhir+json and application/fhir+xml of FHIR 4.0. Ask for one of them in Accept or _format.',
  },
} as const

/** What was asked for before, by Accept header: most clients send one of a few. Bounded, since anybody can make them up. */
const known = new Map<string, Format>()
const KNOWN_MOST = 200

function acceptedBy(header: string): Format | undefined {
  const before = known.get(header)
  if (before) return before
  const format = formatFor(header)
  if (format && known.size < KNOWN_MOST) known.set(header, format)
  return format
}

function askedFor({ headers, url }: FastifyRequest): Format | undefined {
  const { accept } = headers
  const at = url.indexOf('?')
  if (at >= 0 && (url.includes('_format', at) || url.includes('_pretty', at))) return askedIn(new URLSearchParams(url.slice(at + 1)), accept)
  return accept === undefined ? STORED_JSON : acceptedBy(accept)
}

function askedIn(parameters: URLSearchParams, accept: string | undefined): Format | undefined {
  return formatFor(accept, { format: parameters.get('_format') ?? undefined, pretty: parameters.get('_pretty') === 'true' })
}

/** Heeds `_format` and `_pretty` of a posted form. Refuses what is not given. */
export function heedForm(request: FastifyRequest, parameters: URLSearchParams): void {
  if (!parameters.has('_format') && !parameters.has('_pretty')) return
  request.answerFormat = askedIn(parameters, request.headers.accept)
  if (request.answerFormat === undefined) throw new Refusal('FHIR_FORMAT_UNAVAILABLE')
}

function refusalOf(request: FastifyRequest): Refusal | undefined {
  const { 'content-type': type, 'content-encoding': encoding } = request.headers
  if (type?.includes(';') && !isTaken(type) && !takesContent(request)) return new Refusal('INPUT_TYPE_UNSUPPORTED')
  if (encoding !== undefined && encoding !== 'identity') return new Refusal('INPUT_TYPE_UNSUPPORTED')
  if (request.answerFormat === undefined && !request.routeOptions.config.anyFormat && !givesContent(request)) return new Refusal('FHIR_FORMAT_UNAVAILABLE')
  return undefined
}

/**
 * Gives resources of this scope in the format asked for, faults included, and compressed where that pays. Handlers send
 * FHIR JSON; where that is what is asked for, its bytes leave as they are.
 */
export function answerInFormat(fhir: FastifyInstance): void {
  fhir.decorateRequest('answerFormat')
  fhir.addHook('onRequest', (request, _reply, done) => {
    request.answerFormat = askedFor(request)
    done(refusalOf(request))
  })
  fhir.addHook('onSend', (request, reply, payload, done) => {
    if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) {
      done(null, payload)
      return
    }
    // Who is not signed in was refused before the format was looked at.
    const format = request.answerFormat ?? askedFor(request) ?? STORED_JSON
    const answer = format === STORED_JSON && reply.statusCode !== 500 ? payload : written(reply, payload, format)
    if (isBig(answer) && request.method !== 'HEAD') compress(request, reply, answer, done)
    else done(null, answer)
  })
}

function written(reply: FastifyReply, payload: string | Buffer, format: Format): string | Buffer {
  const type = reply.getHeader('content-type')
  const text = type === FHIR_JSON ? payload : reply.statusCode === 500 && isPlainJson(type) ? faultOf(String(payload)) : undefined
  if (text === undefined) return payload
  reply.header('content-type', format.contentType)
  // A browser shows XML as a page, narratives in it as XHTML: nothing in it runs or loads.
  if (format.as === 'xml') reply.header('content-security-policy', "default-src 'none'; sandbox")
  if (format.as === 'json') return format.pretty ? writeJson(readJson(String(text)), { pretty: true }) : text
  try {
    return writeXml(readJson(String(text)), format)
  } catch (error) {
    if (!(error instanceof NotInXml)) throw error
    // What was done stays done; only reading can be refused after the fact.
    if (reply.request.method === 'GET' || reply.request.method === 'HEAD') reply.code(406)
    const { expression, message } = error
    const issue = { severity: 'error', code: 'not-supported', expression, diagnostics: `This cannot be said in XML: ${message} Ask for JSON.` } as const
    return writeXml(outcome([issue]), format)
  }
}

const isPlainJson = (type: unknown): boolean => typeof type === 'string' && type.startsWith('application/json')

/** A bug of the server, as the kit answers it, as an OperationOutcome. */
function faultOf(body: string): string {
  const { message, correlationId } = JSON.parse(body) as { message: string; correlationId: string }
  return JSON.stringify(outcome([{ severity: 'error', code: 'exception', diagnostics: `${message} Correlation id: ${correlationId}.` }]))
}
