import { expect, test } from 'vitest'
import { rangeText } from './range-text.ts'

test('a range is said with whatever limits it has', () => {
  expect(rangeText({ low: 3.5, high: 5 })).toBe('3.5 – 5')
  expect(rangeText({ low: 60 })).toBe('≥ 60')
  expect(rangeText({ high: 0 })).toBe('≤ 0')
  expect(rangeText({ text: 'not detected' })).toBe('not detected')
  expect(rangeText({})).toBe('—')
  expect(rangeText(undefined)).toBe('—')
})
