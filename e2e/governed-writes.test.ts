import { recordConsent } from '@carespine/access/contract'
import { signNote, startNote } from '@carespine/documents/contract'
import { startEncounter } from '@carespine/encounters/contract'
import type { OperationOutcome, Resource } from '@carespine/fhir/resource'
import { collectSpecimen, enterResults, receiveSpecimen, releaseResult } from '@carespine/lab/contract'
import { placeOrder } from '@carespine/orders/contract'
import { registerPatient } from '@carespine/registration/contract'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fhirClient, type FhirClient } from './fhir-client.ts'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
let fhir: FhirClient
/** One of each governed type, as the command of its owner left it. */
const owned: Resource[] = []

beforeAll(async () => {
  hospital = await startTestHospital()
  fhir = fhirClient((await hospital.asClient()).fetch)
  const [hub, provider, lab] = [await hospital.signIn('hub'), await hospital.signIn('provider'), await hospital.signIn('lab')]
  const { patientId } = await hub.call(registerPatient, { name: { family: 'Governed', given: 'Gad' }, sex: 'male', birthDate: '1970-01-01' })
  const { encounterId } = await provider.call(startEncounter, { patientId })
  await provider.call(signNote, await provider.call(startNote, { patientId, encounterId, kind: 'progress', sections: [{ code: 'plan', text: 'Rest' }] }))
  const { orders } = await provider.call(placeOrder, { encounterId, panels: ['cbc'] })
  const orderId = orders[0]?.orderId ?? ''
  await hospital.settle()
  const { accession } = await lab.call(collectSpecimen, { orderId })
  await lab.call(receiveSpecimen, { accession })
  const results = { '6690-2': 7, '789-8': 4.6, '718-7': 14, '4544-3': 41, '787-2': 88, '785-6': 29, '786-4': 33, '788-0': 13, '777-3': 250 }
  await lab.call(enterResults, { orderId, values: Object.entries(results).map(([code, value]) => ({ code, value })) })
  await lab.call(releaseResult, { orderId })
  await hospital.settle()
  await hub.call(recordConsent, { patientId, kind: 'keep-apart' })
  for (const [type, rules] of hospital.hospital.services.store.governed) {
    const found = (await fhir.search(`/${type}?_count=100`)).entry?.flatMap(({ resource }) => (resource ? [resource as Resource] : [])) ?? []
    for (const { when } of rules) {
      const one = found.find((resource) => when === undefined || when(resource))
      if (!one) throw new Error(`nothing governed is there of ${type}: give this test a way to it`)
      owned.push(one)
    }
  }
})
afterAll(() => hospital?.close())

/** Every way of writing one resource raw. */
function waysOf(resource: Resource): { what: string; method: string; path: string; body?: unknown; headers?: Record<string, string> }[] {
  const { resourceType: type, id, meta: _meta, ...rest } = resource
  const { id: _id, ...fresh } = { id, resourceType: type, ...rest }
  const path = `/${type}/${id}`
  const patch = [{ op: 'add', path: '/language', value: 'en' }]
  const json = { 'content-type': 'application/json-patch+json' }
  const label = { resourceType: 'Parameters', parameter: [{ name: 'meta', valueMeta: { tag: [{ system: 'urn:x', code: 'y' }] } }] }
  const withTag = { resourceType: 'Parameters', parameter: [{ name: 'operation', part: [{ name: 'type', valueCode: 'add' }, { name: 'path', valueString: type }, { name: 'name', valueString: 'language' }, { name: 'value', valueCode: 'en' }] }] }
  const plain = { resourceType: type, id, ...rest }
  const bundle = (request: object, content?: unknown) => ({ resourceType: 'Bundle', type: 'transaction', entry: [{ request, ...(content ? { resource: content } : {}) }] })
  return [
    // A task is governed by its id, which a create gives anew.
    ...(type === 'Task' ? [] : [{ what: 'create', method: 'POST', path: `/${type}`, body: fresh }, { what: 'transaction create', method: 'POST', path: '/', body: bundle({ method: 'POST', url: type }, fresh) }]),
    { what: 'update', method: 'PUT', path, body: plain },
    { what: 'update that hides whose it is', method: 'PUT', path, body: { ...plain, identifier: undefined, accessionIdentifier: undefined, activity: undefined } },
    { what: 'conditional update', method: 'PUT', path: `/${type}?_id=${id}`, body: fresh },
    { what: 'JSON patch', method: 'PATCH', path, body: patch, headers: json },
    { what: 'FHIRPath patch', method: 'PATCH', path, body: withTag },
    { what: 'conditional patch', method: 'PATCH', path: `/${type}?_id=${id}`, body: patch, headers: json },
    { what: 'delete', method: 'DELETE', path },
    { what: 'conditional delete', method: 'DELETE', path: `/${type}?_id=${id}` },
    { what: '$meta-add', method: 'POST', path: `${path}/$meta-add`, body: label },
    { what: 'transaction update', method: 'POST', path: '/', body: bundle({ method: 'PUT', url: `${type}/${id}` }, plain) },
    { what: 'transaction patch', method: 'POST', path: '/', body: bundle({ method: 'PATCH', url: `${type}/${id}` }, withTag) },
    { what: 'transaction delete', method: 'POST', path: '/', body: bundle({ method: 'DELETE', url: `${type}/${id}` }) },
  ]
}

test('a raw write of what a command governs is refused, and the refusal names the command', async () => {
  const { governed } = hospital.hospital.services.store
  const commands = new Set(Object.keys(((await (await fetch(`${hospital.url}/docs/json`)).json()) as { paths: object }).paths))
  const faults: string[] = []
  expect(owned.length).toBeGreaterThanOrEqual(5)
  for (const resource of owned) {
    const instead = (governed.get(resource.resourceType) ?? []).map((rule) => rule.instead)
    for (const { what, method, path, body, headers } of waysOf(resource)) {
      const { status, text } = await fhir.send<OperationOutcome>(method, path, body, headers)
      const named = [...text.matchAll(/\/api\/[a-z/-]+/g)].map(([name]) => name)
      const told = instead.some((one) => text.includes(one)) && named.length > 0 && named.every((name) => commands.has(name) || [...commands].some((one) => one.startsWith(`${name}/`)))
      if (status < 400 || status >= 500 || !told) faults.push(`${resource.resourceType} ${what}: ${status} ${text.slice(0, 200)}`)
    }
    const { body } = await fhir.send('GET', `/${resource.resourceType}/${resource.id}`)
    if (JSON.stringify(body) !== JSON.stringify(resource)) faults.push(`${resource.resourceType} was changed`)
  }
  expect(faults).toEqual([])
}, 60_000)
