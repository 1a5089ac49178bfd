import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareTexts } from './compare-texts.ts'

const side = (runs: ReturnType<typeof compareTexts>, which: 'before' | 'after'): string => runs.filter((run) => run.side === 'both' || run.side === which).map(({ text }) => text).join('')

test('a changed word is one run on each side, in English and in Arabic', () => {
  expect(compareTexts('Give 5 mg daily.', 'Give 10 mg daily.')).toEqual([
    { text: 'Give ', side: 'both' },
    { text: '5', side: 'before' },
    { text: '10', side: 'after' },
    { text: ' mg daily.', side: 'both' },
  ])
  const runs = compareTexts('يُعطى المريض أسبرين يوميًا', 'يُعطى المريض كلوبيدوغريل يوميًا')
  expect(runs.filter(({ side: one }) => one !== 'both')).toEqual([
    { text: 'أسبرين', side: 'before' },
    { text: 'كلوبيدوغريل', side: 'after' },
  ])
})

test('of any two texts, each can be read from the runs of its side', () => {
  const text = fc.array(fc.constantFrom('pain', 'ألم', ' ', '\n', '5', '.', 'أُعطي', '‏', 'mg', '👩‍⚕️')).map((words) => words.join(''))
  fc.assert(
    fc.property(text, text, (before, after) => {
      const runs = compareTexts(before, after)
      expect(side(runs, 'before')).toBe(before)
      expect(side(runs, 'after')).toBe(after)
    }),
  )
})
