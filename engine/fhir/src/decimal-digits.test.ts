import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readJson, withDigitsOf, writeJson } from './decimal-digits.ts'

describe('decimals', () => {
  test.each(['1.00', '0.010', '-0.0', '-0', '1e2', '1.5E-3', '100', '3.14159265358979323846', '12345678901234567890', '0'])('%s is written as it was read', (digits) => {
    for (const text of [`{"a":${digits}}`, `[${digits},{"b":[${digits}]}]`, `{"a":{"b":[{"c":${digits}}]},"d":1}`]) {
      expect(writeJson(readJson(text))).toBe(text)
    }
  })

  test('any JSON of plain values comes out as JSON.stringify would have it', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value)
      expect(JSON.parse(writeJson(readJson(text)))).toEqual(JSON.parse(text))
    }))
  })

  test('any number as somebody may write it keeps its digits', () => {
    const digits = fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 99_999 }), fc.stringMatching(/^\d{0,18}$/), fc.constantFrom('', 'e3', 'E-7')).map(
      ([negative, whole, fraction, exponent]) => `${negative ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}${exponent}`,
    )
    fc.assert(fc.property(digits, (written) => {
      expect(writeJson(readJson(`{"value":${written}}`))).toBe(`{"value":${written}}`)
    }))
  })

  test('a copy keeps them, a changed number has its own', () => {
    const read = readJson('{"value":1.00,"other":2.50}') as { value: number; other: number }
    expect(writeJson({ ...read, other: 3 })).toBe('{"value":1.00,"other":3}')
    expect(writeJson(withDigitsOf({ value: 1 }, read))).toBe('{"value":1.00}')
    expect(JSON.stringify(read)).toBe('{"value":1,"other":2.5}')
  })

  test('pretty JSON has the same digits over several lines', () => {
    expect(writeJson(readJson('{"a":[1.00,{"b":2}]}'), { pretty: true })).toBe('{\n  "a": [\n    1.00,\n    {\n      "b": 2\n    }\n  ]\n}')
    expect(writeJson({ a: 1 }, { pretty: true })).toBe('{\n  "a": 1\n}')
  })
})
