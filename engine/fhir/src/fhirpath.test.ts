import { describe, expect, test } from 'vitest'
import { compileExpression } from './fhirpath.ts'
import { itemOf } from './fhirpath-values.ts'
import { ExpressionFault } from './fhirpath-syntax.ts'

const patient = {
  resourceType: 'Patient',
  id: 'p',
  active: true,
  name: [
    { use: 'official', family: 'Al-Harbi', given: ['Noura', 'Sara'] },
    { use: 'nickname', given: ['Nou'] },
  ],
  birthDate: '1990-05-17',
  _birthDate: { extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/patient-birthTime', valueDateTime: '1990-05-17T08:00:00Z' }] },
  _gender: { extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'unknown' }] },
  deceasedBoolean: false,
  multipleBirthInteger: 2,
  generalPractitioner: [{ reference: '#gp' }],
  contained: [{ resourceType: 'Practitioner', id: 'gp', active: true }],
}

const observation = {
  resourceType: 'Observation',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '718-7' }] },
  valueQuantity: { value: 12.5, unit: 'g/dL', system: 'http://unitsofmeasure.org', code: 'g/dL' },
  effectivePeriod: { start: '2024-05', end: '2024-05-17' },
  referenceRange: [{ low: { value: 120, system: 'http://unitsofmeasure.org', code: 'g/L' } }],
}

function run(expression: string, resource: object = patient): unknown[] {
  const root = itemOf(resource)
  const resolve = (reference: string) => (reference === '#gp' ? itemOf(patient.contained[0] as object) : undefined)
  const isMember = (_valueSet: string, { code }: { code: string }) => (code === '718-7' ? true : undefined)
  return compileExpression(expression)(root, { resource: root, root, resolve, isMember }).map(({ value }) => value)
}

describe('FHIRPath', () => {
  test.each<[string, unknown[]]>([
    ['Patient.name.given', ['Noura', 'Sara', 'Nou']],
    ["name.where(use = 'official').given.first()", ['Noura']],
    ['name[1].given', ['Nou']],
    ['name.given.count()', [3]],
    ['name.all(given.exists())', [true]],
    ['name.all(family.exists())', [false]],
    ['name.exists(family.empty())', [true]],
    ['deceased', [false]],
    ['deceased is Boolean', [true]],
    ['deceased is dateTime', [false]],
    ['multipleBirth.ofType(integer) + 1', [3]],
    ['(multipleBirth as integer) > 1', [true]],
    ['gender.exists() and gender.hasValue().not()', [true]],
    ["birthDate.extension('http://hl7.org/fhir/StructureDefinition/patient-birthTime').value", ['1990-05-17T08:00:00Z']],
    ['birthDate < @2000-01-01', [true]],
    ['birthDate = @1990', []],
    ['birthDate > @1989', [true]],
    ['contact.exists() implies name.exists()', [true]],
    ['name.exists() implies contact.exists()', [false]],
    ['contact.active and false', [false]],
    ['contact.active and true', []],
    ['contact.active or true', [true]],
    ['active xor deceased', [true]],
    ["name.first().use in ('official' | 'usual')", [true]],
    ["name.given contains 'Sara'", [true]],
    ["name.given.select($this & '!')", ['Noura!', 'Sara!', 'Nou!']],
    ['name.given.where($index = 1)', ['Sara']],
    ["iif(active, 'yes', 'no')", ['yes']],
    ["name.family.matches('^Al-[A-Z]')", [true]],
    ["'a-b'.replaceMatches('-.*', '')", ['a']],
    ["'abc'.substring(1, 1) + 'x'", ['bx']],
    ["('a' | 'b' | 'a').count()", [2]],
    ["'a'.combine('a').isDistinct()", [false]],
    ["name.given.intersect('Nou' | 'x')", ['Nou']],
    ["name.given.exclude('Nou').join(' ')", ['Noura Sara']],
    ['generalPractitioner.resolve().active', [true]],
    ['generalPractitioner.resolve() is Practitioner', [true]],
    ['contained.descendants().count()', [2]],
    ['%resource.id = %rootResource.id', [true]],
    ['%ucum', ['http://unitsofmeasure.org']],
    ["'3'.toInteger() * 2 - 1", [5]],
    ['-2.5.abs()', [-2.5]],
    ['(1 | 2 | 3).aggregate($this + $total, 0)', [6]],
    ['birthDate + 34 years', ['2024-05-17']],
    ["@2024-01-31 + 1 'mo'", ['2024-02-29']],
    ['@2024-05 - 1 day', []],
    ['@2024-05-01T10:00:00Z - 90 minutes', ['2024-05-01T08:30:00.000Z']],
    ['birthDate <= today()', [true]],
    ['now() > @2020', [true]],
    ['7 div 2 = 3 and 7 mod 2 = 1', [true]],
    ['1 / 0', []],
    ['{}', []],
    ['`name`.family // what comes after is a comment', ['Al-Harbi']],
    ["'it\\'s \\u0041'", ["it's A"]],
  ])('%s', (expression, values) => {
    expect(run(expression)).toEqual(values)
  })

  test.each<[string, unknown[]]>([
    ['value.unit', ['g/dL']],
    ['value > 120 \'g/L\'', [true]],
    ['value >= referenceRange.low', [true]],
    ["value < 3 'mmol/L'", []],
    ['effective.start <= effective.end', []],
    ["code.memberOf('http://example.org/vs')", [true]],
    ['Observation.component.empty()', [true]],
  ])('%s', (expression, values) => {
    expect(run(expression, observation)).toEqual(values)
  })

  test.each([
    ['name.', 'ends too early'],
    ['name.given)', 'unexpected )'],
    ['name.sort()', 'sort() is not supported'],
    ['name.first(1)', 'wrong number of arguments'],
    ['%unheard', '%unheard is not known'],
    ["'open", 'unexpected \''],
    [`${'('.repeat(2000)}1`, 'nested too deeply'],
    ["'x'.matches('(')", 'regular expression'],
  ])('%s is refused: %s', (expression, why) => {
    expect(() => run(expression)).toThrow(ExpressionFault)
    expect(() => run(expression)).toThrow(why)
  })

  test('a regular expression that would try for hours, and one that looks at everything again and again, are given up', () => {
    const long = { resourceType: 'Patient', name: [{ family: `${'a'.repeat(60)}!` }] }
    expect(() => run("name.family.matches('^(a+)+$')", long)).toThrow('too long')
    expect(() => run("name.family.replaceMatches('(a|aa)+$', 'x')", long)).toThrow('too long')
    const many = { resourceType: 'Patient', name: Array.from({ length: 5000 }, (_unused, at) => ({ family: String(at) })) }
    expect(() => run('name.all(%resource.name.family.first().exists())', many)).toThrow('too much')
    expect(run("name.family.matches('^[A-Z](-[A-Z])*')", { resourceType: 'Patient', name: [{ family: 'A-B' }] })).toEqual([true])
  })

  test('one value is wanted where there are several', () => {
    expect(() => run('name.use and true')).toThrow('several')
  })
})

test('expressions share what they may look at, and know their place in a list', () => {
  const item = itemOf(patient)
  const budget = { left: 60 }
  const around = { resource: item, root: item, budget }
  expect(compileExpression('$index = 2')(item, around, 2)).toMatchObject([{ value: true }])
  const few = compileExpression('name.given.count()')
  expect(few(item, around)).toMatchObject([{ value: 3 }])
  expect(few(item, around)).toMatchObject([{ value: 3 }])
  expect(budget.left).toBeLessThan(20)
  expect(() => compileExpression('descendants().count()')(item, around)).toThrow(ExpressionFault)
})

test('a text that doubles without end is given up', () => {
  const item = itemOf(patient)
  for (const next of ['$total & $total', '$total + $total', "$total.replace('x', 'xx')", "$total.replaceMatches('x', 'xx')", "$total.replace('x', $total & 'x')"]) {
    expect(() => compileExpression(`descendants().aggregate(${next}, 'x')`)(item, { resource: item, root: item }), next).toThrow(ExpressionFault)
  }
})
