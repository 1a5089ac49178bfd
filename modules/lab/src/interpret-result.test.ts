import { analyteByCode, panelByCode, panels } from '@carespine/pack-core/panels'
import { describe, expect, test } from 'vitest'
import { ageInDays, anionGap, derive, estimatedGfr, flagOfBound, interpret, isPlausible, rangeFor } from './interpret-result.ts'

const hemoglobin = analyteByCode('718-7')
const potassium = analyteByCode('2823-3')
if (!hemoglobin || !potassium) throw new Error('the core panels lack haemoglobin or potassium')
const woman = { sex: 'female', ageDays: 40 * 365 } as const
const man = { sex: 'male', ageDays: 40 * 365 } as const

describe('flags', () => {
  test('a haemoglobin of 12.5 is normal for a woman and low for a man', () => {
    expect(interpret(hemoglobin, 12.5, woman).flag).toBe('N')
    expect(interpret(hemoglobin, 12.5, man).flag).toBe('L')
  })
  test('a value on a limit is still within it', () => {
    expect(interpret(potassium, 5.0, man).flag).toBe('N')
    expect(interpret(potassium, 6.2, man).flag).toBe('H')
  })
  test.each([
    ['<2.5', 'LL'],
    ['< 3.4', 'L'],
    ['<6', undefined],
    ['>6.2', 'HH'],
    ['>=6.2', 'H'],
    ['≥ 6.3', 'HH'],
    ['>4', undefined],
    ['haemolysed', undefined],
    ['<5 (repeated)', undefined],
  ])('a potassium of %s is flagged %s, as far as that is certain', (text, flag) => {
    expect(flagOfBound(potassium, text, man)).toBe(flag)
  })
  test('a potassium of 6.8 is critical and says why', () => {
    expect(interpret(potassium, 6.8, man)).toMatchObject({ flag: 'HH', criticalReason: 'above 6.2 mmol/L' })
    expect(interpret(potassium, 2.5, man).flag).toBe('LL')
  })
  test('a newborn is measured against newborn ranges', () => {
    expect(interpret(hemoglobin, 17, { sex: 'male', ageDays: 3 }).flag).toBe('N')
    expect(interpret(hemoglobin, 17, man).flag).toBe('H')
  })
  test('an unknown sex gets the range that both sexes share, never a silent normal', () => {
    expect(rangeFor(hemoglobin, { sex: 'unknown', ageDays: 40 * 365 })).toEqual({ low: 13.3, high: 15.8 })
  })
  test('a value without a range has no flag', () => {
    const egfr = analyteByCode('98979-8')
    expect(egfr && interpret(egfr, 90, { sex: 'male', ageDays: 100 }).flag).toBeUndefined()
  })
})

describe('plausibility', () => {
  test('a slipped decimal point is caught', () => {
    expect(isPlausible(potassium, 42)).toBe(false)
    expect(isPlausible(potassium, 4.2)).toBe(true)
    expect(isPlausible(potassium, Number.NaN)).toBe(false)
  })
})

describe('derived values', () => {
  // Computed with the published equation: Inker et al., N Engl J Med 2021;385:1737-49, Table 2.
  test.each([
    [1.0, 50, 'male', 92],
    [1.0, 50, 'female', 69],
    [0.6, 30, 'female', 124],
    [2.0, 70, 'male', 35],
  ] as const)('CKD-EPI 2021: creatinine %f at %d, %s, gives %d', (creatinine, years, sex, expected) => {
    expect(Math.round(estimatedGfr(creatinine, years, sex))).toBe(expected)
  })
  test('the anion gap leaves potassium out', () => {
    expect(anionGap(140, 104, 24)).toBe(12)
  })
  test('nothing is derived for a child or from missing values', () => {
    const bmp = panelByCode('bmp')
    if (!bmp) throw new Error('no bmp')
    expect(derive(bmp, new Map([['2160-0', 0.5]]), { sex: 'male', ageDays: 3000 }).size).toBe(0)
    expect([...derive(bmp, new Map([['2160-0', 1.0]]), { sex: 'male', ageDays: 50 * 366 }).keys()]).toEqual(['98979-8'])
  })
})

describe('panel content', () => {
  test('every analyte has a range for an adult, a source, and critical limits outside the range', () => {
    for (const { analytes } of panels) {
      for (const analyte of analytes) {
        for (const whom of [man, woman]) {
          const range = rangeFor(analyte, whom)
          expect(range, analyte.name).toBeDefined()
          if (analyte.critical?.low !== undefined) expect(analyte.critical.low).toBeLessThan(range?.low ?? 0)
          if (analyte.critical?.high !== undefined) expect(analyte.critical.high).toBeGreaterThan(range?.high ?? 0)
        }
        expect(analyte.source.length).toBeGreaterThan(20)
        if (analyte.critical) expect(analyte.criticalSource).toBeDefined()
      }
    }
  })
  test('no age between birth and 90 years is without a range', () => {
    for (const { analytes } of panels) {
      for (const analyte of analytes) {
        if (analyte.derived) continue
        for (let ageDays = 0; ageDays < 90 * 365; ageDays += 30) {
          expect(rangeFor(analyte, { sex: 'female', ageDays }), `${analyte.name} at ${ageDays} days`).toBeDefined()
        }
      }
    }
  })
})

test('age counts whole days', () => {
  expect(ageInDays('2026-01-01', new Date('2026-01-03T12:00:00Z'))).toBe(2)
  expect(ageInDays(undefined, new Date())).toBeUndefined()
})
