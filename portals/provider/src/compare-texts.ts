import { diffArrays } from 'diff'

/** A run of words that stands on both sides, or on one. */
export interface Run {
  text: string
  side: 'both' | 'before' | 'after'
}

const words = new Intl.Segmenter(undefined, { granularity: 'word' })

/**
 * What differs between two texts, word by word, in the order of reading. The runs of `both` and `before` make up the first
 * text, those of `both` and `after` the second. Words are found as Unicode does (UAX 29), Arabic with its marks included.
 */
export function compareTexts(before: string, after: string): Run[] {
  const [one, other] = [before, after].map((text) => [...words.segment(text)].map(({ segment }) => segment)) as [string[], string[]]
  return diffArrays(one, other).map(({ value, added, removed }) => ({ text: value.join(''), side: added ? 'after' : removed ? 'before' : 'both' }))
}
