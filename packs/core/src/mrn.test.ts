import { expect, test } from 'vitest'
import { mrnOf } from './mrn.ts'

// ISO/IEC 7812-1, annex B: doubled from the right, the whole is a multiple of ten.
const isValid = (mrn: string): boolean =>
  [...mrn].reverse().reduce((sum, digit, at) => {
    const value = at % 2 === 1 ? Number(digit) * 2 : Number(digit)
    return sum + (value > 9 ? value - 9 : value)
  }, 0) % 10 === 0

test('an MRN has eight digits, and a wrong digit or two changed about are noticed', () => {
  expect(mrnOf(100_001)).toBe('01000017')
  for (const number of [1, 9, 10, 12_345, 1_234_567]) {
    const mrn = mrnOf(number)
    expect(mrn).toMatch(/^\d{8}$/)
    expect(isValid(mrn)).toBe(true)
    const [first = '', second = '', ...rest] = mrn
    if (first !== second) expect(isValid([second, first, ...rest].join(''))).toBe(false)
    expect(isValid(`${mrn.slice(0, 7)}${(Number(mrn[7]) + 1) % 10}`)).toBe(false)
  }
})
