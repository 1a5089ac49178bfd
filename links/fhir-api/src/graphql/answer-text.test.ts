import { expect, test } from 'vitest'
import { answerText, Out, Written } from './answer-text.ts'
import { parametersIn } from './record.ts'

test('names stand in the order in which they were asked for, whenever their values come', () => {
  const out = new Out()
  out.reserve('late', 'one', 'Patient')
  out.put('early', 'one', 'String', 'a"b')
  out.reserve('never', 'list', 'String')
  out.put('late', 'one', 'Patient', new Out())
  expect(answerText(out, [])).toBe('{"data":{"late":{},"early":"a\\"b"}}')
})

test('a list is one when it holds one, and stands empty when it was looked for', () => {
  const out = new Out()
  out.put('some', 'list', 'decimal', new Written('1.00'))
  out.reserve('none', 'list', 'Patient')
  out.stand('none')
  expect(answerText(out, [])).toBe('{"data":{"some":[1.00],"none":[]}}')
})

test('a second value, or one of another type, is told, and then none stands', () => {
  const out = new Out()
  expect(out.put('a', 'single', 'String', 'x')).toBe(true)
  expect(out.put('a', 'single', 'String', 'y')).toBe(false)
  out.fail('a')
  expect(out.put('a', 'single', 'String', 'z')).toBe(true)
  expect(out.put('b', 'list', 'String', 'x')).toBe(true)
  expect(out.put('b', 'list', 'code', 'y')).toBe(false)
  out.fail('b')
  expect(answerText(out, [])).toBe('{"data":{"a":null,"b":null}}')
})

test('values of an array are alternatives, a comma in one is a comma, but in an order or an expression', () => {
  const given = new Map<string, string | string[] | number>([
    ['name', ['a,b', 'c\\,d']],
    ['_sort', ['family', '-birthdate']],
    ['_filter', 'name eq "a,b"'],
    ['_count', 5],
    ['fhirpath', 'true'],
  ])
  expect(parametersIn(given, (name) => (name === 'fhirpath' ? undefined : name))).toEqual([
    ['name', 'a\\,b,c\\,d'],
    ['_sort', 'family,-birthdate'],
    ['_filter', 'name eq "a,b"'],
    ['_count', '5'],
  ])
})
