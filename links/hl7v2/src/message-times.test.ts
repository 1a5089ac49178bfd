import { describe, expect, test } from 'vitest'
import { isoDate, isoTime } from './message-times.ts'

describe('times', () => {
  test.each([
    ['20260301', '2026-02-28T21:00:00.000Z'],
    ['2026030110', '2026-03-01T07:00:00.000Z'],
    ['202603011015', '2026-03-01T07:15:00.000Z'],
    ['20260301101530.1234', '2026-03-01T07:15:30.000Z'],
    ['20260301101530+0000', '2026-03-01T10:15:30.000Z'],
    ['20260301101530-0500', '2026-03-01T15:15:30.000Z'],
    ['20260231', undefined],
    ['20260301256000', undefined],
    ['yesterday', undefined],
  ])('%s at the hospital is %s', (written, iso) => {
    expect(isoTime(written, '+03:00')).toBe(iso)
  })

  test('a birth date is a day that exists', () => {
    expect([isoDate('19790411'), isoDate('19790411000000'), isoDate('19790231'), isoDate('1979'), isoDate('19790411x')]).toEqual(['1979-04-11', '1979-04-11', undefined, undefined, undefined])
  })
})
