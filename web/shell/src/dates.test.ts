import { describe, expect, test } from 'vitest'
import { agePartsOf, readDate, waitOf } from './dates.ts'

describe('a date as people type it', () => {
  test('is read year first or day first, with any separator and in digits of either script', () => {
    for (const text of ['1984-05-23', '23/5/1984', '23.05.1984', ' 23 5 1984 ', '23051984', '٢٣/٥/١٩٨٤', '1984/5/23']) expect(readDate(text), text).toBe('1984-05-23')
  })

  test('is read in the Umm al-Qura calendar when the year is one of its own', () => {
    // New years and feasts as they were announced in Mecca.
    expect(readDate('1/1/1445')).toBe('2023-07-19')
    expect(readDate('1445-09-01')).toBe('2024-03-11')
    expect(readDate('١/١/١٤٤٠')).toBe('2018-09-11')
    expect(readDate('1/10/1444')).toBe('2023-04-21')
    const back = new Intl.DateTimeFormat('en-u-ca-islamic-umalqura-nu-latn', { year: 'numeric', month: 'numeric', day: 'numeric', timeZone: 'UTC' })
    for (let year = 1320; year <= 1499; year += 1) {
      for (const [month, day] of [[1, 1], [6, 29], [12, 15]]) {
        const read = readDate(`${day}/${month}/${year}`)
        expect(read && back.format(new Date(read)), `${day}/${month}/${year}`).toContain(`${month}/${day}/${year}`)
      }
    }
  })

  test('is none when there is no such day', () => {
    for (const text of ['', '31/2/1984', '1984-13-01', '23/5/84', '5/1984', 'yesterday', '1/1/1/1984', '30/2/1445x']) expect(readDate(text), text).toBeUndefined()
  })
})

test('an age is said in days, then months, then years', () => {
  const now = new Date('2026-03-10T08:00:00Z')
  expect(agePartsOf('2026-03-10', now)).toEqual({ value: 0, unit: 'day' })
  expect(agePartsOf('2026-01-11', now)).toEqual({ value: 58, unit: 'day' })
  expect(agePartsOf('2024-03-11', now)).toEqual({ value: 23, unit: 'month' })
  expect(agePartsOf('2024-03-10', now)).toEqual({ value: 2, unit: 'year' })
  expect(agePartsOf('1984-03-11', now)).toEqual({ value: 41, unit: 'year' })
  expect(agePartsOf('1984-03-10', now)).toEqual({ value: 42, unit: 'year' })
})

test('a wait is said in the one unit that matters', () => {
  const now = new Date('2026-03-10T08:00:00Z')
  expect(waitOf('2026-03-10T07:59:30Z', now)).toEqual({ value: 0, unit: 'minute' })
  expect(waitOf('2026-03-10T06:40:00Z', now)).toEqual({ value: 80, unit: 'minute' })
  expect(waitOf('2026-03-09T09:30:00Z', now)).toEqual({ value: 22, unit: 'hour' })
  expect(waitOf('2026-03-07T08:00:00Z', now)).toEqual({ value: 3, unit: 'day' })
  expect(waitOf('2026-03-10T09:00:00Z', now)).toEqual({ value: 0, unit: 'minute' })
})
