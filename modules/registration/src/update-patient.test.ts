import type { Patient } from '@carespine/fhir/resource'
import type { z } from '@carespine/kit/contract'
import { describe, expect, test } from 'vitest'
import { MRN_SYSTEM, updatePatient } from './contract.ts'
import { applyChanges } from './update-patient.ts'

const patient: Patient = {
  resourceType: 'Patient',
  id: 'p-1',
  identifier: [{ system: MRN_SYSTEM, value: '1' }, { system: 'urn:gov', value: '784' }],
  name: [
    { use: 'official', prefix: ['Dr'], family: 'Al-Harbi', given: ['Mohammed', 'Ahmed'], text: 'Dr Mohammed Al-Harbi' },
    { use: 'usual', family: 'الحربي', given: ['محمد'] },
    { use: 'maiden', family: 'Zahrani' },
  ],
  gender: 'male',
  birthDate: '1979-04-11',
  telecom: [
    { system: 'phone', use: 'mobile', value: '0512345678' },
    { system: 'phone', use: 'work', value: '0110000000' },
    { system: 'email', value: 'm@example.org' },
  ],
  address: [
    { use: 'home', line: ['1 King Rd'], city: 'Riyadh', postalCode: '11564', text: '1 King Rd, Riyadh' },
    { use: 'temp', city: 'Jeddah' },
  ],
  maritalStatus: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-MaritalStatus', code: 'M' }] },
}
const changed = (changes: Omit<z.input<typeof updatePatient.input>, 'patientId'>) =>
  applyChanges(patient, updatePatient.input.parse({ patientId: 'p-1', ...changes }))

describe('a correction of demographics', () => {
  test('that gives nothing, or what is on record, changes nothing', () => {
    expect(changed({})).toEqual(patient)
    const same = { name: { family: 'Al-Harbi', given: 'Mohammed Ahmed' }, nameArabic: { family: 'الحربي' }, phone: '0512345678', email: 'm@example.org', addressLine: '1 King Rd', city: 'Riyadh', maritalStatus: 'M' } as const
    expect(changed({ ...same, identifiers: [{ system: 'urn:gov', value: '784' }] })).toEqual(patient)
  })

  test('of one part of an address leaves the others, and other addresses', () => {
    expect(changed({ city: 'Abha' }).address).toEqual([{ use: 'home', line: ['1 King Rd'], city: 'Abha', postalCode: '11564' }, { use: 'temp', city: 'Jeddah' }])
    expect(changed({ addressLine: null }).address?.[0]).toEqual({ use: 'home', city: 'Riyadh', postalCode: '11564' })
  })

  test('of a name keeps the parts it does not give, and other names', () => {
    expect(changed({ name: { family: 'Harbi' } }).name).toEqual([
      { use: 'official', prefix: ['Dr'], family: 'Harbi', given: ['Mohammed', 'Ahmed'] },
      { use: 'usual', family: 'الحربي', given: ['محمد'] },
      { use: 'maiden', family: 'Zahrani' },
    ])
    expect(changed({ name: { given: null } }).name?.[0]).toEqual({ use: 'official', prefix: ['Dr'], family: 'Al-Harbi' })
    expect(changed({ nameArabic: { family: 'حربي', given: 'محمد أحمد' } }).name?.map(({ family }) => family)).toEqual(['Al-Harbi', 'حربي', 'Zahrani'])
  })

  test('of a number replaces the one of its kind', () => {
    expect(changed({ phone: '0599999999' }).telecom).toEqual([{ system: 'phone', use: 'mobile', value: '0599999999' }, ...(patient.telecom ?? []).slice(1)])
    expect(changed({ identifiers: [{ system: 'urn:gov', value: '785' }] }).identifier).toEqual([{ system: MRN_SYSTEM, value: '1' }, { system: 'urn:gov', value: '785' }])
  })

  test('with null deletes', () => {
    const without = changed({ nameArabic: null, sex: null, birthDate: null, phone: null, email: null, addressLine: null, city: null, maritalStatus: null, withoutIdentifiers: ['urn:gov'] })
    const { gender: _sex, birthDate: _birth, address: _address, maritalStatus: _status, ...rest } = patient
    expect(without).toEqual({
      ...rest,
      identifier: [{ system: MRN_SYSTEM, value: '1' }],
      name: [patient.name?.[0], patient.name?.[2]],
      telecom: [{ system: 'phone', use: 'work', value: '0110000000' }],
    })
  })

  test('never deletes an MRN or the name', () => {
    expect(changed({ withoutIdentifiers: [MRN_SYSTEM, 'urn:gov'] }).identifier).toEqual([{ system: MRN_SYSTEM, value: '1' }])
    expect(updatePatient.input.safeParse({ patientId: 'p-1', name: null }).success).toBe(false)
    expect(updatePatient.input.safeParse({ patientId: 'p-1', name: { family: null } }).success).toBe(false)
  })
})
