import { expect, test } from 'vitest'
import { Attempts } from './attempts.ts'

test('a whole ward may sign in at once; who goes on waits, others do not, and a second later there is room for ten', () => {
  const attempts = new Attempts()
  for (let nth = 0; nth < 100; nth++) expect(attempts.take('ward', 0)).toBe(0)
  expect(attempts.take('ward', 0)).toBe(1)
  expect(attempts.take('other', 0)).toBe(0)
  const later = Array.from({ length: 12 }, () => attempts.take('ward', 1000))
  expect(later.filter((wait) => wait === 0)).toHaveLength(10)
  for (let nth = 0; nth < 100; nth++) expect(attempts.take('ward', 3_600_000)).toBe(0)
  expect(attempts.take('ward', 3_600_000)).toBe(1)
})
