import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SignedInUser, startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
let client: SignedInUser

beforeAll(async () => {
  hospital = await startTestHospital()
  client = await hospital.asClient()
})
afterAll(() => hospital?.close())

const headers = { 'content-type': 'application/fhir+json' }

async function write(resource: { resourceType: string; id?: string }): Promise<string> {
  const { resourceType, id } = resource
  const response = await client.fetch(`/fhir/R4/${resourceType}${id ? `/${id}` : ''}`, {
    method: id ? 'PUT' : 'POST',
    headers,
    body: JSON.stringify(resource),
  })
  expect(response.status).toBeLessThan(300)
  return ((await response.json()) as { id: string }).id
}

async function told(): Promise<string[]> {
  const { services } = hospital.hospital
  const origin = { correlationId: 'events-test', action: 'test', module: 'test' }
  const rows = await services.view(services.system('test'), origin, ({ view }) =>
    view.sql<{ type: string }>('select type from bus.outbox order by sequence'),
  )
  return rows.map(({ type }) => type)
}

test('what comes over the FHIR API is told as the commands would tell it, once for each change', async () => {
  const patient = await write({ resourceType: 'Patient', name: [{ family: 'Event' }] } as never)
  const subject = { reference: `Patient/${patient}` }
  const visit = { resourceType: 'Encounter', class: { code: 'AMB' }, subject }
  const encounter = await write({ ...visit, status: 'in-progress' } as never)
  await write({ ...visit, id: encounter, status: 'finished' } as never)
  await write({ ...visit, id: encounter, status: 'finished', period: { start: '2026-01-01' } } as never)
  const coded = (system: string, code: string) => ({ coding: [{ system: `http://terminology.hl7.org/CodeSystem/allergyintolerance-${system}`, code }] })
  const allergy = { resourceType: 'AllergyIntolerance', patient: subject, code: { text: 'Latex' } }
  const confirmed = { ...allergy, clinicalStatus: coded('clinical', 'active'), verificationStatus: coded('verification', 'confirmed') }
  const first = await write(confirmed as never)
  await write({ ...allergy, id: first, verificationStatus: coded('verification', 'entered-in-error') } as never)
  const second = await write(confirmed as never)
  expect((await client.fetch(`/fhir/R4/AllergyIntolerance/${second}`, { method: 'DELETE' })).status).toBe(204)
  expect(await told()).toEqual([
    'patient.created.v1',
    'encounter.started.v1',
    'encounter.completed.v1',
    'patient.allergy.added.v1',
    'patient.allergy.removed.v1',
    'patient.allergy.added.v1',
    'patient.allergy.removed.v1',
  ])
})
