import { expect, test } from 'vitest'
import { isPatientColumn, isWithoutSystem, namesEachTarget, partsOf } from './implied-entries.ts'
import { indexEntries } from './index-entries.ts'
import type { Resource, ResourceType } from './resource.ts'
import { type SearchParameterDefinition, searchParametersOf } from './search-parameters.ts'

const meta = { versionId: '1', lastUpdated: '2024-01-01T00:00:00Z' }
const parameter = (type: ResourceType, code: string): SearchParameterDefinition => searchParametersOf(type).get(code) as SearchParameterDefinition
const parts = (type: ResourceType, code: string): string[] => partsOf(searchParametersOf(type), parameter(type, code)).map((part) => part.code)
const factsOf = (resource: object, code: string): string[] =>
  indexEntries({ id: 'x', meta, ...resource } as unknown as Resource).facts.filter((fact) => fact.startsWith(code) && !/[\w-]/.test(fact[code.length] ?? ''))

test('a whole has the parts that have parameters of their own', () => {
  expect(parts('Patient', 'name')).toEqual(['family', 'given'])
  expect(parts('Patient', 'phonetic')).toEqual(['family', 'given', 'name'])
  expect(parts('Patient', 'address')).toEqual(['address-city', 'address-country', 'address-postalcode', 'address-state'])
  expect(parts('Patient', 'telecom')).toEqual(['email', 'phone'])
  expect(parts('Observation', 'combo-code')).toEqual(['code', 'component-code'])
  // What the address is used for is none of its texts.
  expect(parts('Patient', 'family')).toEqual([])
  expect(parts('Organization', 'name')).toEqual(['phonetic'])
})

test('no parameter is a part of its part', () => {
  for (const type of ['Patient', 'Observation', 'Organization', 'Location', 'Person', 'HealthcareService'] as const) {
    for (const code of searchParametersOf(type).keys()) for (const part of parts(type, code)) expect(parts(type, part)).not.toContain(code)
  }
})

test('what a part says is not said again; the rest of the whole is', () => {
  const patient = { resourceType: 'Patient', name: [{ text: 'Dr Ana Ruiz', family: 'Ruiz', given: ['Ana'] }] }
  expect(factsOf(patient, 'name')).toEqual(['name=Dr Ana Ruiz', 'name^d', 'name^dr'])
  expect(factsOf(patient, 'phonetic')).toEqual([])
  const pressure = { resourceType: 'Observation', code: { coding: [{ code: '85354-9' }] }, component: [{ code: { coding: [{ code: '8480-6' }] } }] }
  expect(factsOf(pressure, 'combo-code')).toEqual([])
  expect(factsOf(pressure, 'component-code')).toEqual(['component-code||8480-6', 'component-code|-|8480-6'])
})

test('the patient that a row is filed under is not named again, another subject is', () => {
  expect(isPatientColumn('Observation', parameter('Observation', 'subject'))).toBe(true)
  expect(factsOf({ resourceType: 'Observation', subject: { reference: 'Patient/p' } }, 'subject')).toEqual([])
  expect(factsOf({ resourceType: 'Observation', subject: { reference: 'Group/g' } }, 'subject')).toEqual(['subject=Group/g'])
  // Of several people that a row names it is filed under one.
  expect(isPatientColumn('Appointment', parameter('Appointment', 'patient'))).toBe(false)
})

test('an id alone has an entry where the types it may be of are many', () => {
  expect(namesEachTarget(parameter('Observation', 'performer'))).toBe(true)
  expect(namesEachTarget(parameter('Observation', 'focus'))).toBe(false)
  expect(factsOf({ resourceType: 'Observation', focus: [{ reference: 'Device/d' }] }, 'focus')).toEqual(['focus=Device/d', 'focus=/d'])
})

test('a code has no entry that says it is without a system', () => {
  expect(isWithoutSystem(parameter('Observation', 'status'))).toBe(true)
  expect(isWithoutSystem(parameter('Observation', 'code'))).toBe(false)
  expect(factsOf({ resourceType: 'Observation', status: 'final' }, 'status')).toEqual(['status||final'])
})
