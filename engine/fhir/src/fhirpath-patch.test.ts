import { describe, expect, test } from 'vitest'
import { readJson, writeJson } from './decimal-digits.ts'
import { applyFhirPathPatch } from './fhirpath-patch.ts'
import { PatchFault } from './patch-fault.ts'

type Part = Record<string, unknown> & { name: string }

const operation = (type: string, path: string, ...parts: Part[]) => ({ name: 'operation', part: [{ name: 'type', valueCode: type }, { name: 'path', valueString: path }, ...parts] })
const add = (path: string, name: string, value: Record<string, unknown>) => operation('add', path, { name: 'name', valueString: name }, { name: 'value', ...value })
const insert = (path: string, index: number, value: Record<string, unknown>) => operation('insert', path, { name: 'index', valueInteger: index }, { name: 'value', ...value })
const replace = (path: string, value: Record<string, unknown>) => operation('replace', path, { name: 'value', ...value })
const remove = (path: string) => operation('delete', path)
const move = (path: string, source: number, destination: number) =>
  operation('move', path, { name: 'source', valueInteger: source }, { name: 'destination', valueInteger: destination })

const patched = (resource: object, ...operations: object[]) => applyFhirPathPatch(resource, { resourceType: 'Parameters', parameter: operations })
const patient = (rest: object = {}) => ({ resourceType: 'Patient', ...rest })
const ids = (...values: string[]) => values.map((value) => ({ system: 'http://example.org', value }))

describe('a FHIRPath Patch', () => {
  test.each<[string, object, object[], object]>([
    ['adds an element that is not there', {}, [add('Patient', 'birthDate', { valueDate: '1930-01-01' })], { birthDate: '1930-01-01' }],
    ['appends to a list', { identifier: ids('a') }, [add('Patient', 'identifier', { valueIdentifier: ids('b')[0] })], { identifier: ids('a', 'b') }],
    ['makes a list of the first', {}, [add('Patient', 'name', { valueHumanName: { family: 'X' } })], { name: [{ family: 'X' }] }],
    ['adds within an element', { contact: [{ gender: 'male' }] }, [add('Patient.contact[0]', 'gender', { valueCode: 'x' })].slice(1), { contact: [{ gender: 'male' }] }],
    ['adds to an inner list', { name: [{ family: 'X' }] }, [add("Patient.name.where(family = 'X')", 'given', { valueString: 'Y' })], { name: [{ family: 'X', given: ['Y'] }] }],
    [
      'makes an element without a type of its own out of parts',
      {},
      [
        add('Patient', 'contact', {
          part: [
            { name: 'name', valueHumanName: { text: 'Nora' } },
            { name: 'telecom', valueContactPoint: { value: '1' } },
            { name: 'telecom', valueContactPoint: { value: '2' } },
            { name: 'period', part: [{ name: 'start', valueDateTime: '2020' }] },
          ],
        }),
      ],
      { contact: [{ name: { text: 'Nora' }, telecom: [{ value: '1' }, { value: '2' }], period: { start: '2020' } }] },
    ],
    ['adds a choice by the type of its value', {}, [add('Patient', 'deceased', { valueBoolean: true })], { deceasedBoolean: true }],
    ['adds an extension', {}, [add('Patient', 'extension', { part: [{ name: 'url', valueUri: 'urn:x' }, { name: 'value', valueCode: 'y' }] })], { extension: [{ url: 'urn:x', valueCode: 'y' }] }],
    ['adds an extension to a primitive', { birthDate: '1930' }, [add('Patient.birthDate', 'extension', { part: [{ name: 'url', valueUri: 'urn:x' }, { name: 'value', valueCode: 'y' }] })], { birthDate: '1930', _birthDate: { extension: [{ url: 'urn:x', valueCode: 'y' }] } }],
    ['adds an extension to one primitive of a list', { name: [{ given: ['a', 'b'] }] }, [add('Patient.name.given[1]', 'extension', { part: [{ name: 'url', valueUri: 'urn:x' }, { name: 'value', valueCode: 'y' }] })], { name: [{ given: ['a', 'b'], _given: [null, { extension: [{ url: 'urn:x', valueCode: 'y' }] }] }] }],
    ['adds a contained resource', {}, [operation('add', 'Patient', { name: 'name', valueString: 'contained' }, { name: 'value', resource: { resourceType: 'Organization', id: 'o' } })], { contained: [{ resourceType: 'Organization', id: 'o' }] }],
    ['inserts at the beginning', { identifier: ids('b') }, [insert('Patient.identifier', 0, { valueIdentifier: ids('a')[0] })], { identifier: ids('a', 'b') }],
    ['inserts in the middle', { identifier: ids('a', 'c') }, [insert('Patient.identifier', 1, { valueIdentifier: ids('b')[0] })], { identifier: ids('a', 'b', 'c') }],
    ['inserts at the end', { identifier: ids('a') }, [insert('Patient.identifier', 1, { valueIdentifier: ids('b')[0] })], { identifier: ids('a', 'b') }],
    ['inserts into a list that is not there yet', { name: [{ family: 'X' }] }, [insert('Patient.name[0].given', 0, { valueString: 'Y' })], { name: [{ family: 'X', given: ['Y'] }] }],
    ['deletes a primitive', { birthDate: '1930', active: true }, [remove('Patient.birthDate')], { active: true }],
    ['deletes an element of a list', { identifier: ids('a', 'b') }, [remove("Patient.identifier.where(value = 'a')")], { identifier: ids('b') }],
    ['deletes a choice', { deceasedBoolean: true }, [remove('Patient.deceased')], {}],
    ['deletes nothing where nothing is', { active: true }, [remove('Patient.birthDate'), remove('Patient.name[3].given')], { active: true }],
    ['takes what became empty away with the last that was in it', { name: [{ given: ['X'] }], active: true }, [remove('Patient.name[0].given[0]')], { active: true }],
    ['keeps extensions beside the primitives they belong to', { name: [{ given: ['a', 'b', 'c'], _given: [null, { id: 'of-b' }, null] }] }, [remove('Patient.name.given[0]')], { name: [{ given: ['b', 'c'], _given: [{ id: 'of-b' }, null] }] }],
    ['deletes what stands beside a primitive', { birthDate: '1930', _birthDate: { extension: [{ url: 'u', valueCode: 'x' }] } }, [remove('Patient.birthDate.extension')], { birthDate: '1930' }],
    ['replaces a primitive', { birthDate: '1930' }, [replace('Patient.birthDate', { valueDate: '1931' })], { birthDate: '1931' }],
    ['replaces within a list', { contact: [{ name: { text: 'a' } }, { name: { text: 'b' } }] }, [replace('Patient.contact[1].name.text', { valueString: 'c' })], { contact: [{ name: { text: 'a' } }, { name: { text: 'c' } }] }],
    ['replaces an element of a list', { identifier: ids('a', 'b') }, [replace('Patient.identifier.last()', { valueIdentifier: ids('c')[0] })], { identifier: ids('a', 'c') }],
    ['replaces a primitive of a list', { name: [{ given: ['a', 'b'] }] }, [replace("Patient.name.given.where($this = 'b')", { valueString: 'c' })], { name: [{ given: ['a', 'c'] }] }],
    ['replaces a choice with another type', { deceasedBoolean: true }, [replace('Patient.deceased', { valueDateTime: '2020' })], { deceasedDateTime: '2020' }],
    ['replaces a code with the string that it is', { gender: 'male' }, [replace('Patient.gender', { valueString: 'female' })], { gender: 'female' }],
    ['moves to the front', { identifier: ids('a', 'b', 'c', 'd') }, [move('Patient.identifier', 3, 1)], { identifier: ids('a', 'd', 'b', 'c') }],
    ['moves to the end', { identifier: ids('a', 'b', 'c', 'd') }, [move('Patient.identifier', 0, 3)], { identifier: ids('b', 'c', 'd', 'a') }],
    ['reads a path without the type before it', { birthDate: '1930' }, [replace('birthDate', { valueDate: '1931' })], { birthDate: '1931' }],
    ['applies operations one after the other', {}, [add('Patient', 'name', { valueHumanName: { text: 'a' } }), add('Patient.name[0]', 'use', { valueCode: 'usual' }), remove('Patient.name.text')], { name: [{ use: 'usual' }] }],
  ])('%s', (_what, before, operations, after) => {
    expect(patched(patient(before), ...operations)).toEqual(patient(after))
  })

  test('keeps the digits of decimals', () => {
    const resource = readJson('{"resourceType":"Observation","valueQuantity":{"value":1.00},"component":[{"valueQuantity":{"value":2.50}}]}') as object
    const parameters = readJson(
      '{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"add"},{"name":"path","valueString":"Observation.referenceRange[0]"},{"name":"name","valueString":"low"},{"name":"value","valueQuantity":{"value":0.10}}]},' +
        '{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Observation.component[0].value.value"},{"name":"value","valueDecimal":3.0}]}]}',
    ) as { parameter: object[] }
    const withRange = patched(resource, add('Observation', 'referenceRange', { part: [{ name: 'text', valueString: 'x' }] }))
    expect(writeJson(applyFhirPathPatch(withRange, parameters))).toBe(
      '{"resourceType":"Observation","valueQuantity":{"value":1.00},"component":[{"valueQuantity":{"value":3.0}}],"referenceRange":[{"text":"x","low":{"value":0.10}}]}',
    )
  })

  test.each<[string, object, object, boolean]>([
    ['a path to nothing', {}, replace('Patient.birthDate', { valueDate: '1930' }), false],
    ['a path to several', { identifier: ids('a', 'b') }, replace('Patient.identifier', { valueIdentifier: {} }), false],
    ['several to delete', { identifier: ids('a', 'b') }, remove('Patient.identifier'), false],
    ['what is there already', { birthDate: '1930' }, add('Patient', 'birthDate', { valueDate: '1931' }), false],
    ['a choice that is there already as another type', { deceasedBoolean: true }, add('Patient', 'deceased', { valueDateTime: '2020' }), false],
    ['an element that R4 does not have', {}, add('Patient', 'colour', { valueString: 'blue' }), false],
    ['a value of another type', {}, add('Patient', 'name', { valueIdentifier: {} }), false],
    ['a type that the choice does not have', {}, add('Patient', 'deceased', { valueString: 'yes' }), false],
    ['a text for a number', {}, add('Patient', 'multipleBirth', { valueDecimal: 1.5 }), false],
    ['an index past the end', { identifier: ids('a') }, insert('Patient.identifier', 2, { valueIdentifier: {} }), false],
    ['an insert into what does not repeat', {}, insert('Patient.birthDate', 0, { valueDate: '1930' }), false],
    ['a move from nowhere', { identifier: ids('a') }, move('Patient.identifier', 1, 0), false],
    ['the whole resource', {}, remove('Patient'), false],
    ['another resource', { managingOrganization: { reference: 'Organization/1' } }, replace('Patient.managingOrganization.resolve().name', { valueString: 'x' }), true],
    ['a regular expression', {}, remove("Patient.name.where(family.matches('(a+)+$'))"), true],
    ['no FHIRPath', {}, remove('Patient.name.where('), true],
    ['an unknown operation', {}, operation('merge', 'Patient'), true],
    ['a missing path', {}, { name: 'operation', part: [{ name: 'type', valueCode: 'delete' }] }, true],
    ['a missing value', {}, operation('add', 'Patient', { name: 'name', valueString: 'birthDate' }), true],
    ['a missing name', {}, operation('add', 'Patient', { name: 'value', valueString: 'x' }), true],
    ['a negative index', { identifier: ids('a') }, insert('Patient.identifier', -1, { valueIdentifier: {} }), true],
    ['a parameter of another name', {}, { name: 'change', part: [] }, true],
    ['a part twice', {}, operation('delete', 'Patient.name', { name: 'path', valueString: 'Patient.id' }), true],
  ])('%s is refused with the operation at fault, and changes nothing', (_what, rest, one, malformed) => {
    const before = patient(rest)
    const copy = structuredClone(before)
    let fault: unknown
    try {
      patched(before, add('Patient', 'active', { valueBoolean: true }), one)
    } catch (error) {
      fault = error
    }
    expect(fault).toBeInstanceOf(PatchFault)
    expect([(fault as PatchFault).malformed, (fault as PatchFault).issue.expression]).toEqual([malformed, 'Parameters.parameter[1]'])
    expect(before).toEqual(copy)
  })

  test('what is no Parameters resource with operations is refused', () => {
    for (const parameters of [undefined, null, 'text', [], { resourceType: 'Parameters' }, { parameter: [null] }, { parameter: Array(1001).fill(remove('Patient.name')) }]) {
      expect(() => applyFhirPathPatch(patient(), parameters)).toThrow(PatchFault)
    }
  })
})
