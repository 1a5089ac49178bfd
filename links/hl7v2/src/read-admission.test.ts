import { describe, expect, test } from 'vitest'
import { mapMessage } from './map-message.ts'
import { parseMessage } from './message.ts'
import { type Admission, registrationOf } from './read-admission.ts'

const mrn = 'https://carespine.example/fhir/sid/mrn'

/** A PID segment with these fields and an identifier. */
function pidOf(fields: Record<number, string>): string {
  const all = { 3: '100^^^HIS', ...fields } as Record<number, string>
  return ['PID', ...Array.from({ length: 30 }, (_none, at) => all[at + 1] ?? '')].join('|')
}

function read(type: string, ...segments: string[]) {
  const message = parseMessage([`MSH|^~\\&|HIS|MAIN|CARESPINE||20260301101500||${type}|C-1|P|2.5.1`, ...segments].join('\r'))
  if (!message) throw new Error('not parsed')
  return mapMessage(message, '+03:00')
}

function admission(...segments: string[]): Admission {
  const found = read('ADT^A08', ...segments)
  if ('faults' in found || found.mapped.kind !== 'admission') throw new Error(JSON.stringify(found))
  return found.mapped.admission
}

const places = (type: string, ...segments: string[]) => {
  const found = read(type, ...segments)
  return 'faults' in found ? found.faults.map(({ kind, segment, sequence = 1, field, code }) => `${kind} ${segment}[${sequence}]-${field} ${code}`) : []
}

const pid = 'PID|1||100^^^HIS^MR~784-1^^^GOV^NI||Al-Harbi^Mohammed^Ahmed~الحربي^محمد||19790411|M|||1 King Rd^^Riyadh||+966 51 234 5678'

describe('an admission', () => {
  test('carries identifiers by their giver, both names, and the visit', () => {
    expect(admission(pid, 'PV1|1|I|W3^12^1||||||||||||||||V-9|||||||||||||||||||||||||20260301100000')).toMatchObject({
      identifiers: [{ system: 'urn:hl7v2:HIS', value: '100' }, { system: 'urn:hl7v2:GOV', value: '784-1' }],
      changes: {
        name: { family: 'Al-Harbi', given: 'Mohammed Ahmed' },
        nameArabic: { family: 'الحربي', given: 'محمد' },
        sex: 'male',
        birthDate: '1979-04-11',
        phone: '+966 51 234 5678',
        addressLine: '1 King Rd',
        city: 'Riyadh',
      },
      visit: { system: 'urn:hl7v2:HIS/MAIN:visit', value: 'V-9' },
      class: 'IMP',
      start: '2026-03-01T07:00:00.000Z',
    })
  })

  test('a giver whose name has spaces still makes a system of identifiers', () => {
    expect(admission('PID|1||100^^^RAL MRN||A^B||19790411').identifiers).toEqual([{ system: 'urn:hl7v2:RAL%20MRN', value: '100' }])
  })

  test('an identifier without a giver is an MRN of this hospital', () => {
    expect(admission('PID|1||100||A^B||19790411').identifiers).toEqual([{ system: mrn, value: '100' }])
  })

  test('the name by which a person is registered comes before maiden names and aliases', () => {
    expect(admission(pidOf({ 5: 'Old^Amal^^^^^M~Harbi^Amal^^^^^L~Nick^Am^^^^^A' })).changes.name).toEqual({ family: 'Harbi', given: 'Amal' })
    expect(admission(pidOf({ 5: 'Only^Amal^^^^^A' })).changes.name).toEqual({ family: 'Only', given: 'Amal' })
  })

  test.each([
    ['(206)3345232^PRN^PH', '206 3345232'],
    ['(555)555-2004X123', '555 555-2004'],
    ['0512345678B7', '0512345678'],
    ['^NET^Internet^a@example.org~0512345678^PRN^PH', '0512345678'],
    ['^PRN^PH^^966^51^2345678', '+966 51 2345678'],
    ['^PRN^PH^^^^^^^^^+966512345678', '+966512345678'],
    ['^PRN^FX^^966^11^2345678', undefined],
    ['call the neighbour', undefined],
  ])('the telephone number of %s is %s', (written, number) => {
    expect(admission(pidOf({ 13: written })).changes.phone).toBe(number)
  })

  test('an e-mail address is taken from its own component, and only one that is one', () => {
    expect(admission(pidOf({ 13: '0512345678~^NET^Internet^a@example.org' })).changes).toMatchObject({ phone: '0512345678', email: 'a@example.org' })
    expect(admission(pidOf({ 13: '^NET^Internet^nobody' })).changes).toEqual({ identifiers: [{ system: 'urn:hl7v2:HIS', value: '100' }] })
  })

  test('the address where a person lives comes before that of the office', () => {
    expect(admission(pidOf({ 11: '9 Work St^^Dammam^^^^O~1 King Rd^^Riyadh^^^^H' })).changes).toMatchObject({ addressLine: '1 King Rd', city: 'Riyadh' })
  })

  test.each([['M', 'M'], ['A', 'L'], ['w', 'W'], ['Q', 'UNK'], ['', undefined]])('marital status %j is %s', (code, status) => {
    expect(admission(pidOf({ 16: code })).changes.maritalStatus).toBe(status)
  })

  test('what is missing or wrong is named', () => {
    expect(places('ADT^A01')).toEqual(['AE PID[1]-0 100'])
    expect(places('ADT^A01', 'PID|1')).toEqual(['AE PID[1]-3 101', 'AE PID[1]-5 101'])
    expect(places('ADT^A01', 'PID|1||1||A^B||19790231')).toEqual(['AE PID[1]-7 102'])
    expect(places('ADT^A01', pid, 'PV1|1|I|||||||||||||||||V-9|||||||||||||||||||||||||soon')).toEqual(['AE PV1[1]-44 102'])
    expect(places('ADT^A08', pidOf({ 3: Array.from({ length: 21 }, (_none, at) => `${at}^^^G${at}`).join('~') }))).toEqual(['AE PID[1]-3 102'])
  })
})

describe('what is empty and what is null', () => {
  test('an empty field says nothing', () => {
    expect(admission(pidOf({})).changes).toEqual({ identifiers: [{ system: 'urn:hl7v2:HIS', value: '100' }] })
  })

  test('a null deletes', () => {
    expect(admission(pidOf({ 7: '""', 8: '""', 11: '""', 13: '""', 16: '""' })).changes).toEqual({
      identifiers: [{ system: 'urn:hl7v2:HIS', value: '100' }],
      birthDate: null,
      sex: null,
      addressLine: null,
      city: null,
      phone: null,
      maritalStatus: null,
    })
  })

  test('a null in one component deletes that part and leaves the others', () => {
    expect(admission(pidOf({ 11: '""^^Jeddah' })).changes).toMatchObject({ addressLine: null, city: 'Jeddah' })
    expect(admission(pidOf({ 11: '^^""' })).changes).toEqual({ identifiers: [{ system: 'urn:hl7v2:HIS', value: '100' }], city: null })
    expect(admission(pidOf({ 5: 'Harbi^""' })).changes.name).toEqual({ family: 'Harbi', given: null })
    expect(admission(pidOf({ 5: 'Harbi' })).changes.name).toEqual({ family: 'Harbi' })
    expect(admission(pidOf({ 5: 'Harbi^Amal^""' })).changes.name).toEqual({ family: 'Harbi', given: 'Amal' })
    expect(admission(pidOf({ 13: '0512345678^PRN^PH^""' })).changes).toMatchObject({ phone: '0512345678', email: null })
  })

  test('a null beside the name deletes the one in Arabic script', () => {
    expect(admission(pidOf({ 5: 'Harbi^Amal~""' })).changes).toMatchObject({ name: { family: 'Harbi', given: 'Amal' }, nameArabic: null })
    expect(admission(pidOf({ 5: 'حربي^أمل' })).changes).not.toHaveProperty('name')
  })

  test('a null number deletes the one of its giver', () => {
    expect(admission(pidOf({ 3: '100^^^HIS~""^^^GOV^NI' })).changes).toEqual({ identifiers: [{ system: 'urn:hl7v2:HIS', value: '100' }], withoutIdentifiers: ['urn:hl7v2:GOV'] })
  })

  test.each([
    ['the name', { 5: '""' }, 'PID[1]-5'],
    ['the family name', { 5: '""^Amal' }, 'PID[1]-5'],
    ['the family name in Arabic script', { 5: 'Harbi^Amal~""^أمل' }, 'PID[1]-5'],
    ['the name beside one in Arabic script', { 5: '""~حربي^أمل' }, 'PID[1]-5'],
    ['every number', { 3: '""' }, 'PID[1]-3'],
    ['the MRN', { 3: '100^^^HIS~""^^^CARESPINE^MR' }, 'PID[1]-3'],
  ])('%s cannot be deleted', (_what, fields, place) => {
    for (const event of ['A01', 'A04', 'A08']) expect(places(`ADT^${event}`, pidOf({ 5: 'Harbi^Amal', ...fields }))).toEqual([`AE ${place} 101`])
  })
})

describe('the registration of somebody new', () => {
  test('takes what the message says, and is not possible without a name and a birth date', () => {
    expect(registrationOf(admission(pid), 'HIS/MAIN')).toEqual({
      name: { family: 'Al-Harbi', given: 'Mohammed Ahmed' },
      nameArabic: { family: 'الحربي', given: 'محمد' },
      sex: 'male',
      birthDate: '1979-04-11',
      phone: '+966 51 234 5678',
      addressLine: '1 King Rd',
      city: 'Riyadh',
      identifiers: [{ system: 'urn:hl7v2:HIS', value: '100' }, { system: 'urn:hl7v2:GOV', value: '784-1' }],
      trustedSource: 'HIS/MAIN',
    })
    expect(registrationOf(admission(pidOf({ 5: 'حربي^أمل', 7: '19790411', 13: '""' })), 'HIS')).toMatchObject({ name: { family: 'حربي', given: 'أمل' }, sex: 'unknown' })
    expect(registrationOf(admission(pidOf({ 5: 'Harbi', 7: '19790411' })), 'HIS')?.name).toEqual({ family: 'Harbi', given: '-' })
    const tooLittle: Record<number, string>[] = [{ 5: 'Harbi' }, { 7: '19790411' }, { 5: 'Harbi', 7: '""' }]
    for (const fields of tooLittle) expect(registrationOf(admission(pidOf(fields)), 'HIS')).toBeUndefined()
  })
})
