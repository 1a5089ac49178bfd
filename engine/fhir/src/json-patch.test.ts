import { describe, expect, test } from 'vitest'
import { readJson, writeJson } from './decimal-digits.ts'
import { applyJsonPatch } from './json-patch.ts'
import { PatchFault } from './patch-fault.ts'

const applied = (resource: string, patch: string): string => writeJson(applyJsonPatch(readJson(resource) as object, readJson(patch)))

describe('a JSON Patch (RFC 6902)', () => {
  // Appendix A of the RFC, with what stands beside it there.
  test.each<[string, string, string, string]>([
    ['A.1 adds a member', '{"foo":"bar"}', '[{"op":"add","path":"/baz","value":"qux"}]', '{"foo":"bar","baz":"qux"}'],
    ['A.2 adds an element', '{"foo":["bar","baz"]}', '[{"op":"add","path":"/foo/1","value":"qux"}]', '{"foo":["bar","qux","baz"]}'],
    ['A.3 removes a member', '{"baz":"qux","foo":"bar"}', '[{"op":"remove","path":"/baz"}]', '{"foo":"bar"}'],
    ['A.4 removes an element', '{"foo":["bar","qux","baz"]}', '[{"op":"remove","path":"/foo/1"}]', '{"foo":["bar","baz"]}'],
    ['A.5 replaces a value', '{"baz":"qux","foo":"bar"}', '[{"op":"replace","path":"/baz","value":"boo"}]', '{"baz":"boo","foo":"bar"}'],
    ['A.6 moves a value', '{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}', '[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]', '{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}'],
    ['A.7 moves an element', '{"foo":["all","grass","cows","eat"]}', '[{"op":"move","from":"/foo/1","path":"/foo/3"}]', '{"foo":["all","cows","eat","grass"]}'],
    ['A.8 tests values', '{"baz":"qux","foo":["a",2,"c"]}', '[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]', '{"baz":"qux","foo":["a",2,"c"]}'],
    ['A.10 adds a nested member', '{"foo":"bar"}', '[{"op":"add","path":"/child","value":{"grandchild":{}}}]', '{"foo":"bar","child":{"grandchild":{}}}'],
    ['A.11 ignores members it does not know', '{"foo":"bar"}', '[{"op":"add","path":"/baz","value":"qux","xyz":123}]', '{"foo":"bar","baz":"qux"}'],
    ['A.14 reads ~ escapes', '{"/":9,"~1":10}', '[{"op":"test","path":"/~01","value":10}]', '{"/":9,"~1":10}'],
    ['A.16 adds an array', '{"foo":["bar"]}', '[{"op":"add","path":"/foo/-","value":["abc","def"]}]', '{"foo":["bar",["abc","def"]]}'],
    ['replaces the whole', '{"foo":1}', '[{"op":"replace","path":"","value":{"bar":2}}]', '{"bar":2}'],
    ['copies a value', '{"a":[{"b":1}]}', '[{"op":"copy","from":"/a/0","path":"/a/-"},{"op":"replace","path":"/a/1/b","value":2}]', '{"a":[{"b":1},{"b":2}]}'],
    ['compares members in any order, and numbers by value', '{"a":{"x":1.0,"y":[]}}', '[{"op":"test","path":"/a","value":{"y":[],"x":1.00}}]', '{"a":{"x":1.0,"y":[]}}'],
  ])('%s', (_what, resource, patch, expected) => {
    expect(applied(resource, patch)).toBe(expected)
  })

  test('keeps the digits of decimals, in the resource and in the patch, wherever they go', () => {
    const resource = '{"q":{"value":1.00},"list":[1.0,2.50,3],"keep":0.010}'
    expect(applied(resource, '[{"op":"add","path":"/new","value":{"value":5.40}},{"op":"add","path":"/list/0","value":7.0}]')).toBe(
      '{"q":{"value":1.00},"list":[7.0,1.0,2.50,3],"keep":0.010,"new":{"value":5.40}}',
    )
    expect(applied(resource, '[{"op":"move","from":"/list/1","path":"/x"},{"op":"copy","from":"/q","path":"/r"},{"op":"remove","path":"/q"}]')).toBe(
      '{"list":[1.0,3],"keep":0.010,"x":2.50,"r":{"value":1.00}}',
    )
    expect(applied('{"a":[1.0,1,2]}', '[{"op":"remove","path":"/a/0"}]')).toBe('{"a":[1,2]}')
    expect(applied('{"a":1.0}', '[{"op":"replace","path":"/a","value":1}]')).toBe('{"a":1}')
    expect(applied('{"a":1}', '[{"op":"replace","path":"/a","value":1.0}]')).toBe('{"a":1.0}')
  })

  test.each<[string, string, string, string, boolean]>([
    ['A.9 a test that fails', '{"baz":"qux"}', '[{"op":"test","path":"/baz","value":"bar"}]', 'Patch[0]', false],
    ['A.12 a target that is not there', '{"foo":"bar"}', '[{"op":"add","path":"/x","value":1},{"op":"add","path":"/baz/bat","value":"qux"}]', 'Patch[1]', false],
    ['A.13 no operation', '{}', '[{"op":"test","path":"","value":{}},{"op":"nothing"}]', 'Patch[1]', true],
    ['A.15 a text for a number', '{"/":9,"~1":10}', '[{"op":"test","path":"/~01","value":"10"}]', 'Patch[0]', false],
    ['no array', '{}', '{"op":"add","path":"/a","value":1}', 'Patch', true],
    ['an operation that is null', '{}', '[null]', 'Patch[0]', true],
    ['no value', '{}', '[{"op":"add","path":"/a"}]', 'Patch[0]', true],
    ['a pointer that is none', '{"a":1}', '[{"op":"remove","path":"a"}]', 'Patch[0]', true],
    ['a bad escape', '{"a":1}', '[{"op":"remove","path":"/~2"}]', 'Patch[0]', true],
    ['an index past the end', '{"a":[1]}', '[{"op":"add","path":"/a/2","value":1}]', 'Patch[0]', false],
    ['an index with a leading zero', '{"a":[1,2]}', '[{"op":"remove","path":"/a/01"}]', 'Patch[0]', false],
    ['the place after the last to be removed', '{"a":[1]}', '[{"op":"remove","path":"/a/-"}]', 'Patch[0]', false],
    ['a replaced value that is not there', '{}', '[{"op":"replace","path":"/a","value":1}]', 'Patch[0]', false],
    ['a value moved into itself', '{"a":{"b":1}}', '[{"op":"move","from":"/a","path":"/a/b"}]', 'Patch[0]', false],
    ['the whole removed', '{"a":1}', '[{"op":"remove","path":""}]', 'Patch[0]', false],
    ['a prototype', '{"a":1}', '[{"op":"add","path":"/__proto__/x","value":1}]', 'Patch[0]', false],
    ['an inherited name', '{"a":1}', '[{"op":"add","path":"/constructor/x","value":1}]', 'Patch[0]', false],
    ['a text walked into', '{"a":"text"}', '[{"op":"add","path":"/a/0","value":1}]', 'Patch[0]', false],
    ['copies of copies', '{"a":[1]}', `[${Array(40).fill('{"op":"copy","from":"/a","path":"/a/-"}').join()}]`, 'Patch', false],
  ])('%s is refused with the operation at fault, and changes nothing', (_what, resource, patch, expression, malformed) => {
    const before = readJson(resource) as object
    let fault: unknown
    try {
      applyJsonPatch(before, readJson(patch))
    } catch (error) {
      fault = error
    }
    expect(fault).toBeInstanceOf(PatchFault)
    expect((fault as PatchFault).issue.expression).toContain(expression)
    expect((fault as PatchFault).malformed).toBe(malformed)
    expect(writeJson(before)).toBe(resource)
  })
})
