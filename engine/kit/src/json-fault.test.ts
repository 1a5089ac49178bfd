import fc from 'fast-check'
import { expect, test } from 'vitest'
import { jsonFaultIn } from './json-fault.ts'

// ¶ marks the place of the fault.
test.each([
  ['¶', 'ends too early'],
  ['{"a":1¶', 'ends too early'],
  ['{"a":¶}', 'value'],
  ['{"a":1,¶}', 'name'],
  ['{¶a:1}', 'name'],
  ["{¶'a':1}", 'name'],
  ['{"a"¶ 1}'.replace('¶ ', ' ¶'), 'colon'],
  ['[1 ¶2]', 'comma or ]'],
  ['{"a":1 ¶"b":2}', 'comma or }'],
  ['{"a":[1,2]}\n¶x', 'ended before'],
  ['[¶"abc', 'no end'],
  ['["a¶\tb"]', 'control character'],
  ['["a¶\\x"]', 'escape'],
  ['["a¶\\u12"]', 'escape'],
  ['[0¶1]', 'comma'],
  ['[1¶.]', 'comma'],
  ['[¶+1]', 'value'],
  ['[¶NaN]', 'value'],
  ['[¶tru]', 'value'],
  ['{"a":{"b":1},\n  ¶"a":2}', 'twice'],
  ['[{"b":1},{"b":1,¶"\\u0062":2}]', 'twice'],
])('%s', (marked, problem) => {
  const before = marked.slice(0, marked.indexOf('¶'))
  expect(jsonFaultIn(marked.replace('¶', ''))).toEqual({
    line: before.split('\n').length,
    column: before.length - before.lastIndexOf('\n'),
    problem: expect.stringContaining(problem),
  })
})

test('what JSON.parse reads has no fault, and what it does not read has one', () => {
  const damaged = fc.tuple(fc.json(), fc.nat(), fc.constantFrom('', '"', '{', '}', ',', ':', '\\', '0', ' ', '\n', '-')).map(
    ([json, at, piece]) => json.slice(0, at % (json.length + 1)) + piece + json.slice((at % (json.length + 1)) + (piece === '' ? 1 : 0)),
  )
  fc.assert(fc.property(fc.oneof(fc.json(), damaged), (text) => {
    let isJson = true
    try {
      JSON.parse(text)
    } catch {
      isJson = false
    }
    const problem = jsonFaultIn(text)?.problem
    if (isJson) expect(problem ?? 'twice').toContain('twice')
    else expect(problem).toBeDefined()
  }), { numRuns: 2000 })
})

test('long texts and broken ones take no longer than they are', () => {
  const began = performance.now()
  expect(jsonFaultIn(`["${'a'.repeat(5_000_000)}`)?.problem).toContain('no end')
  expect(jsonFaultIn(`["${'\\n'.repeat(1_000_000)}"]`)).toBeUndefined()
  expect(performance.now() - began).toBeLessThan(5000)
})
