import { expect, test } from 'vitest'
import { wordsOf } from './bilingual.ts'
import { conceptOfReason, visitReasonByCode, visitReasonNamed, visitReasons } from './visit-reasons.ts'

test('every reason has words in both languages, and no two are called the same', () => {
  expect(visitReasons.length).toBeGreaterThan(20)
  for (const { name, nameArabic } of visitReasons) {
    expect(name).toMatch(/^[A-Z][\w -]+$/)
    expect(nameArabic).toMatch(/^[\u0600-\u06ff ]+$/)
  }
  for (const key of ['code', 'name', 'nameArabic', 'snomed'] as const) {
    const given = visitReasons.flatMap((reason) => reason[key] ?? [])
    expect(new Set(given).size, key).toBe(given.length)
  }
})

test('a reason that is written out is recognised in either language', () => {
  expect(visitReasonNamed(' chest PAIN ')?.code).toBe('chest-pain')
  expect(visitReasonNamed('ألم في الصدر')?.code).toBe('chest-pain')
  expect(visitReasonNamed('pain')).toBeUndefined()
})

test('what the record holds is read back in both languages', () => {
  const fever = visitReasonByCode('fever')
  expect(fever && wordsOf(conceptOfReason(fever))).toEqual({ name: 'Fever', nameArabic: 'حمى' })
  expect(wordsOf({ coding: [{ code: 'x', display: 'Something else' }] })).toEqual({ name: 'Something else' })
})
