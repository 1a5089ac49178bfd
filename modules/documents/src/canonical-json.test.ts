import { expect, test } from 'vitest'
import { canonicalJson } from './canonical-json.ts'

test('names come in the order of their UTF-16 code units (RFC 8785, 3.2.3)', () => {
  const given = JSON.parse(String.raw`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`)
  const values = [...canonicalJson(given).matchAll(/:"([^"]+)"/g)].map(([, value]) => value)
  expect(values).toEqual(['Carriage Return', 'One', 'Control', 'Latin Small Letter O With Diaeresis', 'Euro Sign', 'Emoji: Grinning Face', 'Hebrew Letter Dalet With Dagesh'])
})

test('numbers and strings are written as ECMAScript does (RFC 8785, 3.2.2)', () => {
  const given = JSON.parse(String.raw`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`)
  expect(canonicalJson(given)).toBe(String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`)
})

test('what has no canonical form is refused', () => {
  expect(() => canonicalJson('\ud800')).toThrow()
  expect(() => canonicalJson(Number.NaN)).toThrow()
})
