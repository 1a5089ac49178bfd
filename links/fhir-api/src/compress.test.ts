import { expect, test } from 'vitest'
import { encodingFor } from './compress.ts'

test.each([
  [undefined, undefined],
  ['', undefined],
  ['identity', undefined],
  ['gzip', 'gzip'],
  ['gzip, deflate, br', 'br'],
  ['br;q=0.2, gzip;q=0.8', 'gzip'],
  ['br;q=0, gzip', 'gzip'],
  ['gzip;q=0', undefined],
  ['*', 'br'],
  ['*;q=0.5, br;q=0', 'gzip'],
  ['GZIP', 'gzip'],
  ['deflate, zstd', undefined],
  ['br;q=x', undefined],
])('Accept-Encoding: %s gives %s', (header, expected) => {
  expect(encodingFor(header)).toBe(expected)
})
