import { readJson } from '@carespine/fhir/decimal-digits'
import { readXml } from '@carespine/fhir/xml-read'
import { readJsonBodies } from '@carespine/kit/json-body'
import { Refusal } from '@carespine/kit/module'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { readContent } from './binary-content.ts'
import { heedForm } from './in-format.ts'
import { JSON_PATCH } from './interactions/patch.ts'
import { FORM } from './read-request.ts'

export const bodyRefusals = {
  FHIR_XML_INVALID: { status: 400, message: 'The XML has faults.' },
} as const

// The kit names the one type of the rest of the API.
export const bodyMessages = {
  INPUT_TYPE_UNSUPPORTED: {
    status: 415,
    message: 'Send application/fhir+json or application/fhir+xml of FHIR 4.0 in UTF-8, not compressed; searches as application/x-www-form-urlencoded.',
  },
} as const

const CONTENT_LIMIT = 32 * 1024 * 1024

/** Bodies of this scope as what they hold, whichever format they came in: resources in JSON form, forms as pairs. */
export function readBodies(fhir: FastifyInstance): void {
  readJsonBodies(fhir, ['application/json', 'application/fhir+json', 'text/json', JSON_PATCH], readJson)
  fhir.addContentTypeParser(['application/fhir+xml', 'application/xml', 'text/xml'], { parseAs: 'buffer' }, (_request, body, done) => {
    const text = utf8(body as Buffer)
    if (text === undefined) {
      const diagnostics = 'The XML is not in UTF-8.'
      done(new Refusal('FHIR_XML_INVALID', { issues: [{ severity: 'error', code: 'structure', diagnostics }] }))
      return
    }
    const read = readXml(text)
    if ('issues' in read) done(new Refusal('FHIR_XML_INVALID', { issues: read.issues }))
    else done(null, read.resource)
  })
  // Fastify's own, which would take it for text wherever it is sent.
  fhir.removeContentTypeParser('text/plain')
  fhir.addContentTypeParser('*', (request: FastifyRequest, payload: FastifyRequest['raw']) => readContent(request, payload, CONTENT_LIMIT))
  fhir.addContentTypeParser(FORM, { parseAs: 'string' }, (request, body, done) => {
    const parameters = new URLSearchParams(body as string)
    try {
      heedForm(request, parameters)
      done(null, [...parameters])
    } catch (error) {
      done(error as Error)
    }
  })
}

function utf8(body: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    return undefined
  }
}
