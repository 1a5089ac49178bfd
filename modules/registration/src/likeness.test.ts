import { expect, test } from 'vitest'
import { MRN_SYSTEM } from './contract.ts'
import { likeness, type Person } from './likeness.ts'

const person = (given: string, family: string, birthDate?: string, more: Partial<Person> = {}): Person => ({
  names: [{ given, family }],
  ...(birthDate === undefined ? {} : { birthDate }),
  phones: [],
  emails: [],
  identifiers: [],
  addresses: [],
  ...more,
})
const passport = (value: string) => ({ identifiers: [{ system: 'urn:passport', value }] })
const home = { phones: ['+966 51 234 5678'], addresses: [{ line: '12 Olaya Street', city: 'Riyadh', postalCode: '12211' }] }

const ahmed = person('Mohammed Ahmed', 'Al-Harbi', '1979-04-11', { sex: 'male' })

test('the same name, birth date and sex are probably one person; with the same telephone it is certain', () => {
  expect(likeness(ahmed, person('Mohamed', 'Alharbi', '1979-04-11', { sex: 'male' })).grade).toBe('probable')
  expect(likeness({ ...ahmed, phones: ['0512345678'] }, person('Mohamed', 'Alharbi', '1979-04-11', { sex: 'male', phones: ['+966512345678'] }))).toMatchObject({
    grade: 'certain',
    reasons: ['similar-name', 'birth-date', 'phone', 'sex'],
  })
})

test('names match in either script, written crosswise, and with slips', () => {
  const names = [{ given: 'Mohammed', family: 'Harbi' }, { given: 'محمد', family: 'الحربي' }]
  expect(likeness({ ...ahmed, names }, person('مُحَمَّد', 'الحربى', '1979-04-11', { sex: 'male' })).reasons).toContain('name')
  expect(likeness(ahmed, person('Alharbi', 'Mohammed', '1979-04-11', { sex: 'male' })).grade).toBe('probable')
  expect(likeness(person('Hoda', 'Saleem', '1990-02-01', home), person('Huda', 'Salem', '1990-02-01', home)).grade).toBe('certain')
  expect(likeness(person('Layla', 'Haddad', '1990-02-01', home), person('Laila', 'Hadad', '1990-02-01', home)).grade).toBe('certain')
})

test('a birth date with day and month changed about, or one digit wrong, still counts', () => {
  for (const birthDate of ['1979-11-04', '1979-04-12', '1997-04-11', '1979-04']) {
    expect(likeness(ahmed, { ...ahmed, birthDate }), birthDate).toMatchObject({ grade: 'possible', reasons: expect.arrayContaining(['similar-birth-date']) })
  }
  expect(likeness(ahmed, { ...ahmed, birthDate: '1985-09-23' }).grade).toBe('certainly-not')
})

test('twins at one address are not taken for one person, nor are parent and child of one name', () => {
  const twin = likeness(person('Hassan', 'Qahtani', '2010-05-05', { sex: 'male', ...home }), person('Omar', 'Qahtani', '2010-05-05', { sex: 'male', ...home }))
  expect(['possible', 'certainly-not']).toContain(twin.grade)
  const son = likeness(person('Omar', 'Qahtani', '1960-05-05', { sex: 'male', ...home }), person('Omar', 'Qahtani', '1990-08-21', { sex: 'male', ...home }))
  expect(['possible', 'certainly-not']).toContain(son.grade)
  expect(likeness(person('Omar', 'Qahtani', '1960-05-05', home), person('Sara', 'Qahtani', '1965-01-30', home)).grade).toBe('certainly-not')
})

test('an identifier decides unless all else speaks against it; another one speaks against', () => {
  expect(likeness({ ...ahmed, ...passport('A1234567') }, { ...ahmed, ...passport('A1234567') }).grade).toBe('certain')
  expect(likeness({ ...ahmed, ...passport('A1234567') }, { ...ahmed, ...passport('A1234576') }).grade).toBe('certain')
  expect(likeness({ ...ahmed, ...passport('A1234567') }, { ...ahmed, ...passport('B7654321') }).score).toBeLessThan(likeness(ahmed, ahmed).score)
  const other = likeness({ ...ahmed, ...passport('A1234567') }, person('Sara', 'Qahtani', '1990-08-21', { sex: 'female', ...passport('A1234567') }))
  expect(other.grade).toBe('certainly-not')
  // A duplicate registration has an MRN of its own.
  const mrn = (value: string) => ({ identifiers: [{ system: MRN_SYSTEM, value }] })
  expect(likeness({ ...ahmed, ...mrn('10000017') }, { ...ahmed, ...mrn('10000025') }).grade).toBe('probable')
})

test('nothing to compare is no match', () => {
  expect(likeness(person('', ''), person('', '')).score).toBeLessThan(0.001)
  expect(likeness(person('Omar', ''), ahmed).grade).toBe('certainly-not')
})
