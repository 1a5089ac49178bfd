import { describe, expect, test } from 'vitest'
import { mergeResult, reportStatusOf, type Result } from './merge-result.ts'

const result = (status: Result['status'], value?: number, more: Partial<Result> = {}): Result => ({ status, ...(value === undefined ? {} : { value }), ...more })
const final = result('final', 6.1)

describe('a result that comes after another', () => {
  test.each<[string, Result | undefined, Result, ReturnType<typeof mergeResult>]>([
    ['the first preliminary', undefined, result('preliminary', 6), result('preliminary', 6)],
    ['the first final', undefined, final, final],
    ['a correction of what was never seen', undefined, result('corrected', 6), result('corrected', 6)],
    ['another preliminary', result('preliminary', 6), result('preliminary', 7), result('preliminary', 7)],
    ['final after preliminary', result('preliminary', 6), final, final],
    ['final without the value again', result('preliminary', 6, { flag: 'LL', note: 'n' }), result('final'), result('final', 6, { flag: 'LL', note: 'n' })],
    ['final without any value', undefined, result('final'), 'LAB_RESULT_MISSING'],
    ['another final', final, result('final', 7), 'LAB_RESULT_FINAL'],
    ['a late preliminary', final, result('preliminary', 7), 'LAB_RESULT_FINAL'],
    ['not obtainable after final', final, result('unobtainable'), 'LAB_RESULT_FINAL'],
    ['a correction', final, result('corrected', 7), result('corrected', 7)],
    ['another correction', result('corrected', 7), result('corrected', 8), result('corrected', 8)],
    ['a stale final after a correction', result('corrected', 7), final, 'LAB_RESULT_FINAL'],
    ['not obtainable', result('preliminary', 6), result('unobtainable', undefined, { note: 'clotted' }), result('unobtainable', undefined, { note: 'clotted' })],
    ['final after not obtainable', result('unobtainable', undefined, { note: 'clotted' }), final, final],
    ['taken back', final, result('withdrawn'), result('withdrawn', 6.1)],
    ['taken back without having been there', undefined, result('withdrawn'), 'LAB_RESULT_MISSING'],
    ['final after taken back', result('withdrawn', 6.1), result('final', 7), result('corrected', 7)],
    ['a text after a number', result('preliminary', 6), result('final', undefined, { text: '<5' }), result('final', undefined, { text: '<5' })],
    ['a note to a final result', final, result('final', 6.1, { note: 'seen twice' }), result('corrected', 6.1, { note: 'seen twice' })],
  ])('%s', (_what, known, change, becomes) => {
    expect(mergeResult(known, change)).toEqual(becomes)
  })

  test.each<[string, Result, Result]>([
    ['final', final, final],
    ['final, said again as corrected', final, result('corrected', 6.1)],
    ['final, said again as preliminary', final, result('preliminary', 6.1)],
    ['corrected, said again as final', result('corrected', 6.1), final],
    ['preliminary with a note, without it', result('preliminary', 6, { note: 'n' }), result('preliminary', 6)],
    ['taken back twice', result('withdrawn', 6), result('withdrawn')],
    ['not obtainable twice', result('unobtainable'), result('unobtainable')],
  ])('that says the same changes nothing: %s', (_what, known, change) => {
    expect(mergeResult(known, change)).toBe(known)
  })
})

test.each<[string, Result['status'][], string | undefined, string]>([
  ['preliminary', ['preliminary', 'preliminary'], undefined, 'preliminary'],
  ['partial', ['preliminary', 'final'], undefined, 'partial'],
  ['final', ['final', 'unobtainable'], 'partial', 'final'],
  ['appended', ['final', 'final'], 'final', 'appended'],
  ['corrected', ['final', 'corrected'], 'final', 'corrected'],
  ['corrected by a withdrawal', ['final', 'withdrawn'], 'final', 'corrected'],
  ['wrong altogether', ['withdrawn', 'withdrawn'], 'final', 'entered-in-error'],
])('a report is %s', (_what, statuses, before, status) => {
  expect(reportStatusOf(statuses.map((one) => ({ status: one })), before)).toBe(status)
})
