import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { readJson, writeJson } from '@carespine/fhir/decimal-digits'
import type { Bundle, CapabilityStatement, Observation, Patient, Resource } from '@carespine/fhir/resource'
import { readXml } from '@carespine/fhir/xml-read'
import { writeXml } from '@carespine/fhir/xml-write'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultsOf, fhirClient, type FhirClient } from './fhir-client.ts'
import { type SignedInUser, startTestHospital, type TestHospital } from './test-hospital.ts'

const JSON_TYPE = 'application/fhir+json; charset=utf-8'
const XML_TYPE = 'application/fhir+xml; charset=utf-8'
const XML = { accept: 'application/fhir+xml' }
const APP = 'https://app.example.org'
const archive = fileURLToPath(new URL('../../shared/cases/fhir-r4-examples.tar.gz', import.meta.url))

let hospital: TestHospital
let client: SignedInUser
let fhir: FhirClient
let patient: Patient & { id: string }

beforeAll(async () => {
  hospital = await startTestHospital({ settings: { CORS_ORIGINS: APP } })
  client = await hospital.asClient()
  fhir = fhirClient(client.fetch)
  patient = await fhir.create<Patient>({ resourceType: 'Patient', active: true, name: [{ family: 'حداد', given: ['Ali & Sons', '<b>'] }] })
})
afterAll(() => hospital?.close())

interface Answer {
  status: number
  type: string | null
  text: string
  headers: Headers
}

async function send(method: string, path: string, headers: Record<string, string> = {}, body?: string | Uint8Array<ArrayBuffer>): Promise<Answer> {
  const response = await client.fetch(`/fhir/R4${path}`, { method, headers, ...(body === undefined ? {} : { body }) })
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text(), headers: response.headers }
}

const sendXml = (method: string, path: string, body: string, headers: Record<string, string> = {}): Promise<Answer> =>
  send(method, path, { 'content-type': 'application/fhir+xml', ...XML, ...headers }, body)

function fromXml<R = Resource>({ text }: Answer): R {
  const read = readXml(text)
  if ('issues' in read) throw new Error(`${JSON.stringify(read.issues)} in ${text}`)
  return read.resource as R
}

const faultsIn = (answer: Answer): string[] => faultsOf({ ...answer, body: answer.type === XML_TYPE ? fromXml(answer) : JSON.parse(answer.text) })

describe('the format asked for', () => {
  test('is given by every interaction, and says the same as JSON', async () => {
    const at = `/Patient/${patient.id}`
    for (const path of [at, `${at}/_history/1`, `${at}/_history`, `/Patient?_id=${patient.id}`, `/?_type=Patient&_id=${patient.id}`, `${at}/$everything`, '/metadata']) {
      const json = await send('GET', path)
      const xml = await send('GET', path, XML)
      expect([json.status, json.type, xml.status, xml.type], path).toEqual([200, JSON_TYPE, 200, XML_TYPE])
      expect(fromXml(xml), path).toEqual(JSON.parse(json.text))
      expect(xml.headers.get('etag')).toBe(json.headers.get('etag'))
    }
    expect((await send('GET', `/Patient/${patient.id}`, XML)).text).toContain('<family value="حداد"/><given value="Ali &amp; Sons"/><given value="&lt;b&gt;"/>')
  })

  test.each([
    ['', { accept: 'text/xml' }, XML_TYPE],
    ['', { accept: 'application/xml;q=0.9, application/json;q=0.8' }, XML_TYPE],
    ['', { accept: 'text/plain, */*' }, JSON_TYPE],
    ['?_format=xml', { accept: 'application/fhir+json' }, XML_TYPE],
    ['?_format=application/fhir+xml', {}, XML_TYPE],
    ['?_format=application%2Fjson', XML, JSON_TYPE],
    ['', { accept: 'application/fhir+json; fhirVersion=4.0' }, 'application/fhir+json; fhirVersion=4.0; charset=utf-8'],
    ['', { accept: 'application/fhir+xml; fhirVersion=4.0' }, 'application/fhir+xml; fhirVersion=4.0; charset=utf-8'],
  ])('GET %s with %o is answered as %s', async (query, headers, type) => {
    const answer = await send('GET', `/Patient/${patient.id}${query}`, headers)
    expect([answer.status, answer.type]).toEqual([200, type])
  })

  test('is refused with 406 where it is not given, before anything is done', async () => {
    for (const [query, headers] of [['', { accept: 'text/turtle' }], ['', { accept: 'application/fhir+json; fhirVersion=3.0' }], ['?_format=ttl', {}], ['?_format=xml;fhirVersion=5.0', {}]] as const) {
      const answer = await send('GET', `/Patient/${patient.id}${query}`, headers)
      expect([answer.status, answer.type, ...faultsIn(answer)], query).toEqual([406, JSON_TYPE, 'not-supported'])
    }
    const put = await send('PUT', `/Patient/${patient.id}`, { accept: 'text/html', 'content-type': 'application/json' }, JSON.stringify({ ...patient, active: false }))
    expect(put.status).toBe(406)
    expect((await fhir.send<Patient>('GET', `/Patient/${patient.id}`)).body.active).toBe(true)
  })

  test('is that of refusals as well, whoever is refused', async () => {
    const missing = await send('GET', '/Patient/nobody', XML)
    expect([missing.status, missing.type, ...faultsIn(missing)]).toEqual([404, XML_TYPE, 'not-found'])
    for (const [method, path] of [['GET', '/Patient/1/2/3/4'], ['PUT', '/Patient/1/2/3/4']] as const) {
      const nowhere = await send(method, `${path}?_format=xml`)
      expect([nowhere.status, nowhere.type, ...faultsIn(nowhere)], path).toEqual([404, XML_TYPE, 'not-found'])
    }
    const unknown = await send('GET', '/Shoe?_pretty=true')
    expect([unknown.status, unknown.text.startsWith('{\n  "resourceType": "OperationOutcome"')]).toEqual([404, true])
    const bare = await fetch(`${hospital.url}/fhir/R4/Patient/1`, { headers: XML })
    expect([bare.status, bare.headers.get('content-type'), (await bare.text()).includes('<code value="login"/>')]).toEqual([401, XML_TYPE, true])
  })

  test('can be pretty, for people', async () => {
    const pretty = await send('GET', `/Patient/${patient.id}?_pretty=true`)
    expect(pretty.text).toBe(JSON.stringify(JSON.parse(pretty.text), null, 2))
    const xml = await send('GET', `/Patient/${patient.id}?_pretty=true&_format=xml`)
    expect(xml.text).toContain('\n  <name>\n    <family value="حداد"/>\n')
    expect((await send('GET', `/Patient/${patient.id}`)).text).not.toContain('\n')
  })

  test('may stand in a posted form, and stays in the links of a Bundle', async () => {
    const posted = await send('POST', '/Patient/_search', {}, new URLSearchParams({ _id: patient.id, _format: 'xml' }).toString())
    expect(posted.status).toBe(415)
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const found = await send('POST', '/Patient/_search', form, new URLSearchParams({ _id: patient.id, _format: 'xml' }).toString())
    expect([found.status, found.type, fromXml<Bundle>(found).entry?.[0]?.resource?.id]).toEqual([200, XML_TYPE, patient.id])
    expect((await send('POST', '/Patient/_search', form, '_format=ttl')).status).toBe(406)
    expect(fromXml<Bundle>(await send('GET', `/Patient?_id=${patient.id}&_format=xml`)).link?.[0]?.url).toContain('_format=xml')
  })

  test('is told truthfully by the capability statement', async () => {
    const { body } = await fhir.send<CapabilityStatement>('GET', '/metadata')
    expect(body.format).toEqual(['application/fhir+json', 'application/fhir+xml'])
    for (const format of body.format) expect((await send('GET', '/metadata', { accept: format })).type).toContain(format)
  })
})

describe('a body in XML', () => {
  const observation = (value: string, more = '') =>
    `<?xml version="1.0" encoding="UTF-8"?>\n<Observation xmlns="http://hl7.org/fhir">${more}<status value="final"/><code><coding><system value="http://loinc.org"/><code value="718-7"/></coding></code><subject><reference value="Patient/${patient.id}"/></subject><valueQuantity><value value="${value}"/><unit value="g/dL"/></valueQuantity></Observation>`

  test('is stored like one in JSON, to the digit', async () => {
    const created = await sendXml('POST', '/Observation', observation('7.20'))
    expect([created.status, created.type]).toEqual([201, XML_TYPE])
    expect(created.text).toContain('<value value="7.20"/>')
    const { id } = fromXml<Observation>(created)
    const read = await send('GET', `/Observation/${id}`)
    expect(read.text).toContain('"value":7.20')
    const updated = await sendXml('PUT', `/Observation/${id}`, observation('7.300', `<id value="${id}"/>`), { 'content-type': 'text/xml; charset=UTF-8', 'if-match': 'W/"1"' })
    expect([updated.status, updated.headers.get('etag')]).toEqual([200, 'W/"2"'])
    expect((await send('GET', `/Observation/${id}`, XML)).text).toContain('<value value="7.300"/>')
    expect(await fhir.ids(`/Observation?value-quantity=7.3&subject=Patient/${patient.id}`)).toEqual([id])
  })

  test('may be a transaction, answered in XML or in JSON', async () => {
    const bundle = (type: string) =>
      `<Bundle xmlns="http://hl7.org/fhir"><type value="${type}"/><entry><fullUrl value="urn:uuid:0f9c7a2e-5a2e-4d3b-8a55-1f3b5c9d7e11"/><resource><Patient><name><text value="ليلى"/></name></Patient></resource><request><method value="POST"/><url value="Patient"/></request></entry><entry><resource><Observation><status value="final"/><code><text value="weight"/></code><subject><reference value="urn:uuid:0f9c7a2e-5a2e-4d3b-8a55-1f3b5c9d7e11"/></subject><valueQuantity><value value="61.50"/></valueQuantity></Observation></resource><request><method value="POST"/><url value="Observation"/></request></entry></Bundle>`
    const answer = await sendXml('POST', '/', bundle('transaction'))
    expect([answer.status, answer.type]).toEqual([200, XML_TYPE])
    const { type, entry = [] } = fromXml<Bundle>(answer)
    expect([type, ...entry.map(({ response }) => response?.status?.slice(0, 3))]).toEqual(['transaction-response', '201', '201'])
    const stored = await send('GET', `/${entry[1]?.response?.location?.replace(/^.*R4\//, '').split('/_history')[0]}`)
    expect(stored.text).toContain('"value":61.50')
    expect((await sendXml('POST', '/', bundle('transaction'), { accept: 'application/fhir+json' })).type).toBe(JSON_TYPE)
  })

  test('may be validated without being stored', async () => {
    const fine = await sendXml('POST', '/Observation/$validate', observation('1.0'))
    expect(fine.status).toBe(200)
    expect(fromXml<Resource>(fine).resourceType).toBe('OperationOutcome')
    const faulty = await sendXml('POST', '/Observation/$validate', observation('1.0').replace('<status value="final"/>', '<status value="shoe"/>'))
    expect(faulty.text).toMatch(/Observation\.status/)
  })

  test('is refused with line and column where it is not R4, and nothing is stored', async () => {
    const before = (await fhir.search('/Patient?_summary=count&_total=accurate')).total
    const refused = async (body: string): Promise<string> => {
      const answer = await sendXml('POST', '/Patient', body)
      expect([answer.status, answer.type], body).toEqual([400, XML_TYPE])
      return fromXml<{ issue: { diagnostics: string }[] }>(answer).issue.map(({ diagnostics }) => diagnostics).join()
    }
    expect(await refused('<Patient xmlns="http://hl7.org/fhir">\n <gender value="male"/>\n <active value="true"/></Patient>')).toBe('Line 3, column 2: active stands too late: R4 has it before gender.')
    expect(await refused('<Patient xmlns="http://hl7.org/fhir"><shoe/></Patient>')).toContain('column 38: There is no element shoe here.')
    expect(await refused('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><Patient xmlns="http://hl7.org/fhir"><id value="&e;"/></Patient>')).toContain('DTD')
    expect(await refused(`<Patient xmlns="http://hl7.org/fhir">${'<extension url="x">'.repeat(20_000)}`)).toContain('nested deeper than 200')
    expect(await refused('')).toContain('not well-formed')
    expect(await refused('{"resourceType":"Patient"}')).toContain('not well-formed')
    expect((await fhir.search('/Patient?_summary=count&_total=accurate')).total).toBe(before)
  })

  test('is refused with 415 in another version, character set or encoding', async () => {
    const body = '<Patient xmlns="http://hl7.org/fhir"><active value="true"/></Patient>'
    for (const type of ['application/fhir+xml; fhirVersion=3.0', 'application/fhir+xml; charset=iso-8859-1', 'text/turtle', 'application/json; fhirVersion=5.0']) {
      const answer = await sendXml('POST', '/Patient', body, { 'content-type': type })
      expect([answer.status, answer.type, ...faultsIn(answer)], type).toEqual([415, XML_TYPE, 'not-supported'])
    }
    const packed = await send('POST', '/Patient', { 'content-type': 'application/fhir+xml', 'content-encoding': 'gzip' }, new Uint8Array(gzipSync(body)))
    expect(packed.status).toBe(415)
    const latin = await send('POST', '/Patient', { 'content-type': 'application/fhir+xml' }, new Uint8Array(Buffer.from('<Patient xmlns="http://hl7.org/fhir"><name><text value="Åsa"/></name></Patient>', 'latin1')))
    expect([latin.status, latin.text.includes('not in UTF-8')]).toEqual([400, true])
    const versioned = await sendXml('POST', '/Patient', body, { 'content-type': 'application/fhir+xml; fhirVersion=4.0; charset=utf-8' })
    expect(versioned.status).toBe(201)
  })
})

describe('a body in JSON', () => {
  test('is refused with line and column where it is none, too deep, or says a name twice', async () => {
    const refused = async (body: string): Promise<string> => {
      const answer = await send('POST', '/Patient', { 'content-type': 'application/fhir+json', ...XML }, body)
      expect([answer.status, answer.type], body).toEqual([400, XML_TYPE])
      return fromXml<{ issue: { diagnostics: string }[] }>(answer).issue.map(({ diagnostics }) => diagnostics).join()
    }
    expect(await refused('{"resourceType":"Patient",\n "active":tru}')).toContain('Line 2, column 11: A value is expected here.')
    expect(await refused('{"resourceType":"Patient","active":true,"active":false}')).toContain('Line 1, column 41: This name stands twice')
    expect(await refused(`{"resourceType":"Patient","extension":${'[{"extension":'.repeat(300)}`)).toMatch(/nested too deeply.*Line 1, column \d+\.$/)
    expect(await refused('<Patient/>')).toContain('Line 1, column 1: A value is expected here.')
  })
})

describe('what is beside the body', () => {
  test('HEAD tells what GET would, without the body', async () => {
    for (const headers of [{}, XML]) {
      const get = await send('GET', `/Patient/${patient.id}`, headers)
      const head = await send('HEAD', `/Patient/${patient.id}`, headers)
      expect([head.status, head.text]).toEqual([200, ''])
      for (const name of ['etag', 'last-modified', 'content-type', 'content-length']) expect(head.headers.get(name), name).toBe(get.headers.get(name))
      expect(Number(head.headers.get('content-length'))).toBe(Buffer.byteLength(get.text))
    }
    expect((await send('HEAD', '/Patient/nobody')).status).toBe(404)
    expect((await fetch(`${hospital.url}/fhir/R4/Patient/${patient.id}`, { method: 'HEAD' })).status).toBe(401)
  })

  test('big answers are compressed for those who take it, small ones and tokens never', async () => {
    const entry = Array.from({ length: 100 }, (_, at) => ({ request: { method: 'PUT' as const, url: `Organization/big-${at}` }, resource: { resourceType: 'Organization' as const, id: `big-${at}`, name: `Organization ${at}`, alias: ['x'.repeat(400)] } }))
    expect((await fhir.send('POST', '/', { resourceType: 'Bundle', type: 'transaction', entry })).status).toBe(200)
    const big = '/Organization?_count=100'
    const plain = await send('GET', big, { 'accept-encoding': 'identity' })
    expect([plain.headers.get('content-encoding'), plain.headers.get('content-length')]).toEqual([null, String(Buffer.byteLength(plain.text))])
    for (const encoding of ['br', 'gzip']) {
      const answer = await send('GET', big, { 'accept-encoding': encoding })
      expect([answer.headers.get('content-encoding'), answer.headers.get('vary')]).toEqual([encoding, 'Origin, Accept-Encoding'])
      expect(Number(answer.headers.get('content-length'))).toBeLessThan(plain.text.length / 4)
      expect(JSON.parse(answer.text)).toEqual(JSON.parse(plain.text))
    }
    const xml = await send('GET', big, { 'accept-encoding': 'gzip', ...XML })
    expect([xml.headers.get('content-encoding'), fromXml<Bundle>(xml).entry?.length]).toEqual(['gzip', JSON.parse(plain.text).entry.length])
    expect((await send('GET', `/Patient/${patient.id}`, { 'accept-encoding': 'br' })).headers.get('content-encoding')).toBeNull()
    const token = await fetch(`${hospital.url}/oauth2/token`, { method: 'POST', headers: { 'accept-encoding': 'br' }, body: new URLSearchParams({ grant_type: 'client_credentials', ...hospital.client, padding: 'x'.repeat(50_000) }) })
    expect([token.status, token.headers.get('content-encoding')]).toEqual([200, null])
  })

  test('a page of a named origin may ask, read and be refused; another may not', async () => {
    const asks = { 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' }
    const before = await fetch(`${hospital.url}/fhir/R4/Patient/${patient.id}`, { method: 'OPTIONS', headers: { origin: APP, ...asks } })
    expect([before.status, before.headers.get('access-control-allow-origin'), before.headers.get('access-control-allow-headers')]).toEqual([204, APP, expect.stringContaining('Authorization')])
    const answer = await send('GET', `/Patient/${patient.id}`, { origin: APP })
    const shown = answer.headers.get('access-control-expose-headers') ?? ''
    for (const name of ['Location', 'ETag', 'Last-Modified', 'Content-Location', 'X-Correlation-Id']) expect(shown).toContain(name)
    expect(answer.headers.get('access-control-allow-origin')).toBe(APP)
    const refused = await fetch(`${hospital.url}/fhir/R4/Patient/${patient.id}`, { headers: { origin: APP } })
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, APP])
    const token = await fetch(`${hospital.url}/oauth2/token`, { method: 'OPTIONS', headers: { origin: APP, ...asks, 'access-control-request-method': 'POST' } })
    expect([token.status, token.headers.get('access-control-allow-origin')]).toEqual([204, APP])
    const other = await send('GET', `/Patient/${patient.id}`, { origin: 'https://other.example.org' })
    expect(other.headers.get('access-control-allow-origin')).toBeNull()
    const api = await fetch(`${hospital.url}/api/auth/login`, { method: 'OPTIONS', headers: { origin: APP, ...asks } })
    expect([api.status, api.headers.get('access-control-allow-origin')]).toEqual([404, null])
  })
})

describe.skipIf(!existsSync(archive))('examples of the R4 specification (../shared/cases/fhir-r4-examples.tar.gz)', () => {
  test('that are sent in XML come back in JSON, and in XML, as they were', async () => {
    const written = (json: string): Record<string, unknown> =>
      JSON.parse(json, (_key: string, value: unknown, context?: { source?: string }) => (typeof value === 'number' ? `number ${context?.source}` : value))
    const folder = mkdtempSync(join(tmpdir(), 'carespine-formats-'))
    execFileSync('tar', ['-xzf', archive, '-C', folder])
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.json')).toSorted().filter((_, at) => at % 6 === 0)
    let stored = 0
    for (const file of files) {
      const json = readFileSync(join(folder, file), 'utf8')
      const { resourceType: type, id } = JSON.parse(json) as Resource
      const put = await sendXml('PUT', `/${type}/${id}`, writeXml(readJson(json)))
      // What the validator refuses is the matter of the test of the examples in JSON.
      if (put.status >= 300) continue
      stored += 1
      const { meta: _sent, ...sent } = written(json)
      const { meta: _json, ...inJson } = written((await send('GET', `/${type}/${id}`, { accept: 'application/fhir+json' })).text)
      const { meta: _xml, ...inXml } = written(writeJson(fromXml(await send('GET', `/${type}/${id}`, XML))))
      expect(inJson, file).toEqual(sent)
      expect(inXml, file).toEqual(sent)
    }
    rmSync(folder, { recursive: true })
    expect(stored).toBeGreaterThan(files.length * 0.9)
  }, 120_000)
})
