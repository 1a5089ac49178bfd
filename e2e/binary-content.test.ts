import { randomBytes } from 'node:crypto'
import type { Binary, Patient } from '@carespine/fhir/resource'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fhirClient, type FhirClient } from './fhir-client.ts'
import { type SignedInUser, startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
let client: SignedInUser
let fhir: FhirClient

beforeAll(async () => {
  hospital = await startTestHospital()
  client = await hospital.asClient()
  fhir = fhirClient(client.fetch)
})
afterAll(() => hospital?.close())

const picture = randomBytes(3000)
const send = (method: string, path: string, headers: Record<string, string> = {}, body?: Buffer | string): Promise<Response> =>
  client.fetch(`/fhir/R4${path}`, { method, headers, ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }) })
const bytesOf = async (answer: Response): Promise<Buffer> => Buffer.from(await answer.arrayBuffer())

test('content of any type goes in and comes out as what it is', async () => {
  const patient = await fhir.create<Patient>({ resourceType: 'Patient', active: true })
  const made = await send('POST', '/Binary', { 'content-type': 'image/png', 'x-security-context': `Patient/${patient.id}` }, picture)
  expect(made.status).toBe(201)
  const { id, ...binary } = (await made.json()) as Binary & { id: string }
  expect(binary).toMatchObject({ resourceType: 'Binary', contentType: 'image/png', securityContext: { reference: `Patient/${patient.id}` }, data: picture.toString('base64') })
  for (const accept of [undefined, '*/*', 'image/png', 'image/*', 'text/html']) {
    const answer = await send('GET', `/Binary/${id}`, accept === undefined ? {} : { accept })
    expect([answer.status, answer.headers.get('content-type'), answer.headers.get('x-security-context')]).toEqual([200, 'image/png', `Patient/${patient.id}`])
    expect((await bytesOf(answer)).equals(picture)).toBe(true)
    expect([answer.headers.get('content-disposition'), answer.headers.get('x-content-type-options'), answer.headers.get('content-security-policy')]).toEqual(['attachment', 'nosniff', "default-src 'none'; sandbox"])
  }
  const again = await send('PUT', `/Binary/${id}`, { 'content-type': 'text/plain; charset=iso-8859-1' }, Buffer.from('caf\xe9', 'latin1'))
  expect(again.status).toBe(200)
  const text = await send('GET', `/Binary/${id}`)
  expect([text.headers.get('content-type'), (await bytesOf(text)).toString('latin1')]).toEqual(['text/plain; charset=iso-8859-1', 'caf\xe9'])
  expect((await bytesOf(await send('GET', `/Binary/${id}/_history/1`))).equals(picture)).toBe(true)
})

test('it is a resource for whoever asks for one', async () => {
  const { id } = (await (await send('POST', '/Binary', { 'content-type': 'text/plain' }, 'hello')).json()) as Binary
  for (const [path, accept] of [['', 'application/fhir+json'], ['', 'application/json'], ['?_format=json', '*/*'], ['?_format=xml', 'image/png'], ['', 'application/fhir+xml']] as const) {
    const answer = await send('GET', `/Binary/${id}${path}`, { accept })
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, `application/fhir+${/xml/.test(path + accept) ? 'xml' : 'json'}; charset=utf-8`])
    expect(await answer.text()).toContain(Buffer.from('hello').toString('base64'))
  }
  const json = await fhir.create<Binary>({ resourceType: 'Binary', contentType: 'application/json', data: Buffer.from('{}').toString('base64') })
  expect(await (await send('GET', `/Binary/${json.id}`, { accept: 'application/json' })).text()).toBe('{}')
})

test('content is taken and given for a Binary alone', async () => {
  expect((await send('POST', '/Patient', { 'content-type': 'image/png' }, picture)).status).toBe(415)
  expect((await send('PUT', '/Patient/x', { 'content-type': 'text/plain; charset=iso-8859-1' }, 'x')).status).toBe(415)
  expect((await send('GET', '/Patient/x', { accept: 'image/png' })).status).toBe(406)
  const odd = await fhir.create<Binary>({ resourceType: 'Binary', contentType: 'text/html', securityContext: { reference: 'http://example.org/fhir/Patient/ü' }, data: 'eA==' })
  const answer = await send('GET', `/Binary/${odd.id}`)
  expect([answer.status, answer.headers.get('content-type'), answer.headers.get('x-security-context')]).toEqual([200, 'text/html', null])
  const big = await send('POST', '/Binary', { 'content-type': 'video/mp4' }, Buffer.alloc(33 * 1024 * 1024))
  expect(big.status).toBe(413)
})
