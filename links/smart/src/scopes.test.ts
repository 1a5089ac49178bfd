import type { Actor } from '@carespine/store/contract'
import { describe, expect, test } from 'vitest'
import { actorWithin, dataScope, isWithin, type TermsOf } from './scopes.ts'

const termsOf: TermsOf = (_type, name, value) => [`${name}|${value}`]
const doctor: Actor = {
  kind: 'user',
  id: '1',
  display: 'Dr A',
  roles: ['provider'],
  permissions: ['orders.*', 'fhir:*:read', 'fhir:Observation:write'],
  branches: ['b'],
  branch: 'b',
}
const as = (scopes: string, patient: string | undefined = 'p1', actor = doctor) =>
  actorWithin(actor, scopes.split(' '), { termsOf, ...(patient === undefined ? {} : { patient }) })

describe('a scope for resources', () => {
  test('is read in both versions', () => {
    expect([...(dataScope('patient/*.read')?.letters ?? [])]).toEqual(['r', 's'])
    expect([...(dataScope('user/Observation.write')?.letters ?? [])]).toEqual(['c', 'u', 'd'])
    expect(dataScope('patient/Observation.rs?category=http://x|laboratory')?.filter).toEqual({ name: 'category', value: 'http://x|laboratory' })
  })
  test.each(['patient/Observation.sr', 'patient/Observation.', 'patient/Nothing.rs', 'patient/Observation.rs?', 'patient/*.rs?category=a', 'patient/Observation.rs?a=1&b=2', 'patient/Observation.read?a=1', 'admin/*.rs', 'patient/Observation.rs?category='])('%s is none', (text) => {
    expect(dataScope(text)).toBeUndefined()
  })
  test('lies within another that covers its level, type, letters and filter', () => {
    expect(isWithin('patient/Observation.r', ['patient/*.rs'])).toBe(true)
    expect(isWithin('patient/Observation.rs?category=a', ['patient/Observation.rs'])).toBe(true)
    expect(isWithin('patient/Observation.rs', ['patient/Observation.rs?category=a'])).toBe(false)
    expect(isWithin('user/Observation.rs', ['patient/*.cruds'])).toBe(false)
    expect(isWithin('patient/Observation.write', ['patient/*.rs'])).toBe(false)
  })
})

describe('an actor as an app acts for it', () => {
  test('has of its permissions what the scopes say, and no action of a module', () => {
    expect(as('patient/Observation.rs').permissions).toEqual(['fhir:Observation:read'])
    expect(as('patient/Patient.cruds').permissions).toEqual(['fhir:Patient:read'])
    expect(as('patient/Observation.cruds').permissions).toEqual(['fhir:Observation:read', 'fhir:Observation:write'])
    expect(as('patient/*.rs').permissions).toEqual(['fhir:*:read'])
    expect(as('openid launch/patient').permissions).toEqual([])
  })
  test('has letters one by one', () => {
    expect(as('patient/Observation.r').permissions).toEqual(['fhir:Observation:read:r'])
    expect(as('patient/Observation.sc').permissions).toEqual([])
    expect(as('patient/Observation.cs').permissions).toEqual(['fhir:Observation:read:s', 'fhir:Observation:write:c'])
  })
  test('sees one patient alone under scopes of a patient, and nothing without one', () => {
    expect(as('patient/*.rs').patient).toBe('p1')
    expect(as('user/*.rs').patient).toBeUndefined()
    expect(actorWithin(doctor, ['patient/*.rs'], { termsOf }).permissions).toEqual([])
  })
  test('a patient stays with the own record, whatever the scopes', () => {
    expect(as('user/*.rs', undefined, { ...doctor, patient: 'own' }).patient).toBe('own')
  })
  test('keeps each type to its own level where there are several', () => {
    const actor = as('patient/Observation.rs user/Encounter.rs')
    expect(actor.patient).toBeUndefined()
    expect(actor.narrowing).toEqual({ Observation: { patient: 'p1' } })
  })
  test('a narrow scope of the user is not widened by one of the patient', () => {
    const { narrowing, permissions } = as('patient/*.rs user/Observation.r')
    expect(permissions).toContain('fhir:Observation:read:r')
    expect(permissions).not.toContain('fhir:Observation:read')
    expect(permissions).not.toContain('fhir:*:read')
    expect(narrowing?.Condition).toEqual({ patient: 'p1' })
  })
  test('filters narrow the rows, unless another scope gives all of them', () => {
    expect(as('patient/Observation.rs?category=lab patient/Observation.rs?category=vital').narrowing).toEqual({ Observation: { patient: 'p1', terms: ['category|lab', 'category|vital'] } })
    expect(as('patient/Observation.rs?category=lab patient/Observation.rs').narrowing).toBeUndefined()
  })
  test('a letter with one filter does not open what another filter shows', () => {
    expect(as('patient/Observation.r?category=lab patient/Observation.s?category=vital').permissions).toEqual([])
    expect(as('patient/Observation.r patient/Observation.s?category=lab').permissions).toEqual(['fhir:Observation:read:r'])
    expect(as('patient/Observation.rs?category=lab patient/Observation.cu?category=vital').permissions).toEqual(['fhir:Observation:read'])
    expect(as('patient/Observation.cruds?category=lab').permissions).toEqual(['fhir:Observation:read', 'fhir:Observation:write:c', 'fhir:Observation:write:u'])
  })
})
