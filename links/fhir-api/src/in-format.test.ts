import fastify, { type FastifyInstance } from 'fastify'
import { beforeAll, describe, expect, test } from 'vitest'
import { FHIR_JSON, outcomeOf } from './answer.ts'
import { answerInFormat, formatRefusals } from './in-format.ts'

let app: FastifyInstance
const stored = Buffer.from('{"resourceType":"Observation","valueQuantity":{"value":1.00}}')

beforeAll(async () => {
  app = fastify() as unknown as FastifyInstance
  app.setErrorHandler((_error, _request, reply) => reply.code(500).type('application/json; charset=utf-8').send({ code: 'INTERNAL', message: 'Something broke.', correlationId: 'c-1' }))
  await app.register(async (fhir) => {
    answerInFormat(fhir)
    fhir.setErrorHandler(async (error, _request, reply) => {
      const answer = outcomeOf(error, formatRefusals)
      if (!answer) throw error
      await reply.code(answer.status).type(FHIR_JSON).send(JSON.stringify(answer.body))
    })
    const give = (url: string, body: Buffer): void => {
      fhir.route({ method: ['GET', 'PUT'], url, handler: (_request, reply) => reply.header('content-type', FHIR_JSON).send(body) })
    }
    give('/stored', stored)
    give('/odd', Buffer.from('{"resourceType":"Patient","extension":[{"url":"x","_url":{"id":"1"}}]}'))
    fhir.get('/broken', () => {
      throw new Error('a bug that names nobody')
    })
    fhir.get('/lines', { config: { anyFormat: true } }, (_request, reply) => reply.type('application/fhir+ndjson').send('{}\n'))
  })
})

describe('answers of a scope', () => {
  test('are the very bytes of the handler where JSON is asked for', async () => {
    for (const accept of ['application/json', 'application/fhir+json', '*/*']) {
      const answer = await app.inject({ url: '/stored', headers: { accept } })
      expect([answer.headers['content-type'], answer.rawPayload.equals(stored)]).toEqual([FHIR_JSON, true])
    }
  })

  test('keep their digits in every format', async () => {
    const of = async (query: string) => (await app.inject(`/stored?${query}`)).payload
    expect(await of('_format=xml')).toBe('<?xml version="1.0" encoding="UTF-8"?><Observation xmlns="http://hl7.org/fhir"><valueQuantity><value value="1.00"/></valueQuantity></Observation>')
    expect((await app.inject('/stored?_format=xml')).headers['content-security-policy']).toBe("default-src 'none'; sandbox")
    expect(await of('_pretty=true')).toBe('{\n  "resourceType": "Observation",\n  "valueQuantity": {\n    "value": 1.00\n  }\n}')
    expect(await of('_format=xml&_pretty=true')).toContain('\n  <valueQuantity>\n    <value value="1.00"/>\n')
    expect(await of('_pretty=false')).toBe(stored.toString())
  })

  test('are OperationOutcomes in the format asked for when the server has a bug', async () => {
    const json = await app.inject('/broken')
    expect([json.statusCode, json.headers['content-type']]).toEqual([500, FHIR_JSON])
    expect(json.json()).toEqual({ resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'exception', diagnostics: 'Something broke. Correlation id: c-1.' }] })
    const xml = await app.inject({ url: '/broken', headers: { accept: 'application/fhir+xml' } })
    expect([xml.statusCode, xml.headers['content-type']]).toEqual([500, 'application/fhir+xml; charset=utf-8'])
    expect(xml.payload).toContain('<code value="exception"/>')
  })

  test('that XML has no form for are refused when they are read, and told after a change', async () => {
    const read = await app.inject('/odd?_format=xml')
    expect([read.statusCode, read.headers['content-type']]).toEqual([406, 'application/fhir+xml; charset=utf-8'])
    expect(read.payload).toContain('<expression value="Patient.extension._url"/>')
    expect((await app.inject({ method: 'PUT', url: '/odd?_format=xml' })).statusCode).toBe(200)
    expect((await app.inject('/odd')).statusCode).toBe(200)
  })

  test('that are no resources have the format of their route', async () => {
    const lines = await app.inject({ url: '/lines', headers: { accept: 'application/fhir+ndjson' } })
    expect([lines.statusCode, lines.payload]).toEqual([200, '{}\n'])
    expect((await app.inject({ url: '/stored', headers: { accept: 'application/fhir+ndjson' } })).statusCode).toBe(406)
  })
})
