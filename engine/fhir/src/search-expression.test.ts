import { expect, test } from 'vitest'
import { compileExpression, ExpressionFault } from './search-expression.ts'
import { readParameter, valuesAt, writePath } from './search-parameters.ts'

const patient = {
  resourceType: 'Patient',
  name: [{ use: 'old', family: 'Before' }, { use: 'official', family: 'Now', given: ['Ana', 'María'] }],
  telecom: [{ system: 'phone', value: '1' }, { system: 'email', value: 'a@b.c' }],
  extension: [{ url: 'http://x.example/y', valueCoding: { code: 'c' } }, { url: 'http://x.example/z', valueString: 's' }],
  deceasedBoolean: false,
}

const found = (expression: string, type = 'Patient', resource: unknown = patient) =>
  compileExpression(expression, type).flatMap((path) => valuesAt(resource, path))

test.each<[string, unknown[]]>([
  ['Patient.name.family', ['Before', 'Now']],
  ["Patient.name.where(use='official').given", ['Ana', 'María']],
  ['Patient.name[0].family', ['Before']],
  ['Patient.name.first().family', ['Before']],
  ["Patient.telecom.where(system='email').value | Person.telecom.value", ['a@b.c']],
  ["Patient.extension('http://x.example/y').value.ofType(Coding).code", ['c']],
  ["Patient.extension.where(url = 'http://x.example/z').value.as(string)", ['s']],
  ["(Patient.extension('http://x.example/z').value as string)", ['s']],
  ['Patient.extension.valueString', ['s']],
  ['Observation.subject', []],
])('%s', (expression, values) => {
  expect(found(expression)).toEqual(values)
})

test('a path is kept as it was written, URLs in it included', () => {
  for (const path of compileExpression("Patient.extension('http://x.example/y.z').value.ofType(Coding)", 'Patient')) {
    const [again] = readParameter('made', { type: 'token', id: 'made', paths: [writePath(path)] }).paths
    expect(again).toEqual(path)
  }
})

test('existence is read as it is, and what is not understood is refused', () => {
  expect(compileExpression('Patient.deceased.exists() and Patient.deceased != false', 'Patient').every(({ exists }) => exists)).toBe(true)
  for (const wrong of ['Patient.name.count() > 1', "Patient.name.where(use='a' or use='b')", 'Patient.name.', 'Patient..name', "Patient.name.where(use='a'"]) {
    expect(() => compileExpression(wrong, 'Patient'), wrong).toThrow(ExpressionFault)
  }
})
