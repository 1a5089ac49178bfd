import { expect, test } from 'vitest'
import { isTrivial } from './pin.ts'

test('PINs that somebody would try first are refused', () => {
  for (const pin of ['0000', '1111', '99999999', '1234', '4321', '7890', '0987', '23456', '1212', '123123', '45674567', '1122', '112233', '1221', '1984', '2026', '2580', '147258']) expect(isTrivial(pin), pin).toBe(true)
})

test('others are taken, and they are most', () => {
  for (const pin of ['4071', '2907', '83614', '505172', '19842', '90264713']) expect(isTrivial(pin), pin).toBe(false)
  const all = Array.from({ length: 10_000 }, (_one, nth) => String(nth).padStart(4, '0'))
  expect(all.filter(isTrivial).length).toBeLessThan(600)
})
