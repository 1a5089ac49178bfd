import { searchParametersOf } from '@carespine/fhir/search-parameters'
import { describe, expect, test } from 'vitest'
import { argumentsOf } from './arguments.ts'
import { ANY, concretesOf, fieldOf, fieldsOf, nameOf, pathNamed, QUERY, structurePaths } from './fields.ts'
import { GraphqlFault } from './graphql-fault.ts'
import { readDocument } from './read-document.ts'
import { checkedSelection, type Selection } from './selection.ts'

function select(query: string, { root = QUERY, variables = {} }: { root?: string; variables?: Record<string, unknown> } = {}): Selection {
  return checkedSelection(readDocument({ query, variables }), { root, parametersOf: searchParametersOf })
}

function faultOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof GraphqlFault) return error.message
    throw error
  }
  return 'none'
}

describe('fields', () => {
  test('every structure has a name of its own, and every field a type that there is', () => {
    const paths = structurePaths()
    expect(paths.length).toBeGreaterThan(600)
    for (const path of [...paths, QUERY]) {
      expect(pathNamed(nameOf(path))).toBe(path)
      for (const { name, type, isScalar } of fieldsOf(path, searchParametersOf)) {
        if (!isScalar) expect([path, name, pathNamed(nameOf(type))]).toEqual([path, name, type])
      }
    }
  })

  test('choices, extensions of primitives, references and searches', () => {
    expect(fieldOf('Observation', 'valueQuantity')).toMatchObject({ type: 'Quantity', isScalar: false, many: false })
    expect(fieldOf('Observation', 'value')).toBeUndefined()
    expect(fieldOf('HumanName', '_given')).toMatchObject({ type: 'Element', many: true })
    expect(fieldOf('Patient', '_name')).toBeUndefined()
    expect(fieldOf('Reference', 'resource')).toMatchObject({ from: 'target', type: ANY })
    expect(fieldOf('HumanName', 'PatientList')).toBeUndefined()
    expect(fieldOf('Patient', 'ListConnection')).toMatchObject({ of: 'List', from: 'connection' })
    expect(fieldOf(QUERY, 'List')).toMatchObject({ of: 'List', from: 'read' })
    expect(fieldOf(QUERY, 'toString')).toBeUndefined()
    expect(fieldOf('Patient#edge', 'constructor')).toBeUndefined()
    expect(concretesOf(ANY)).toContain('Parameters')
  })

  test('arguments are those of R4, with dashes as underscores', () => {
    const list = fieldOf(QUERY, 'PatientList')
    const names = list && argumentsOf(list, { parametersOf: searchParametersOf, isWithin: false }).map(([name]) => name)
    expect(names).toEqual(expect.arrayContaining(['address_city', '_lastUpdated', '_filter', 'fhirpath', '_sort']))
    expect(names).not.toContain('_include')
    expect(names).not.toContain('_reference')
  })
})

describe('what is selected', () => {
  const keys = (selection: Selection, path: string): string[] => selection.of(path).map(({ key }) => key)

  test('each resource has the fields that it knows', () => {
    const selection = select('{ subject { resource { active name { family } ... on Group { quantity } } } }', { root: 'Observation' })
    const below = selection.of('Observation')[0]?.below.of('Reference')[0]?.below as Selection
    expect(keys(below, 'Patient')).toEqual(['active', 'name'])
    // The name of a group is a text, of which nothing is selected.
    expect(keys(below, 'Group')).toEqual(['active', 'quantity'])
    expect(keys(below, 'Device')).toEqual([])
  })

  test('the same field twice is one, with what both select', () => {
    const selection = select('{ name { family } ... on Patient { name { given } } ...f } fragment f on Patient { name { use } }', { root: 'Patient' })
    expect(keys(selection, 'Patient')).toEqual(['name'])
    expect(keys(selection.of('Patient')[0]?.below as Selection, 'HumanName')).toEqual(['family', 'given', 'use'])
  })

  test('@skip and @include decide by variables', () => {
    const query = 'query($yes: Boolean = true) { id @skip(if: $yes) active @include(if: $yes) birthDate @include(if: false) }'
    expect(keys(select(query, { root: 'Patient' }), 'Patient')).toEqual(['active'])
    expect(keys(select(query, { root: 'Patient', variables: { yes: false } }), 'Patient')).toEqual(['id'])
  })

  test('arguments are read as they are written, numbers by their digits', () => {
    const given = (query: string, variables = {}): [string, unknown][] => [...(select(query, { variables }).of(QUERY)[0]?.arguments ?? [])]
    expect(given('{ ObservationList(value_quantity: 1.00, _id: [1, example, "x"], _count: 3) { id } }')).toEqual([['value_quantity', ['1.00']], ['_id', ['1', 'example', 'x']], ['_count', 3]])
    expect(given('query($a: [token], $n: String) { ObservationList(code: $a, _text: $n) { id } }', { a: ['x'] })).toEqual([['code', ['x']]])
  })
})

test('faults are told where they stand', () => {
  const patient = (query: string) => faultOf(() => select(query, { root: 'Patient' }))
  expect(patient('{ name(use: {a: 1}) { family } }')).toContain('use')
  expect(patient('{ name(period: 1) { family } }')).toContain('no argument period')
  expect(patient('{ active(x: 1) }')).toContain('no argument x')
  expect(patient('{ name(_count: "many") { family } }')).toContain('whole number')
  expect(patient('{ name @slice(path: "(") { family } }')).toContain('FHIRPath')
  expect(patient('{ name @slice { family } }')).toContain('@slice')
  expect(patient('{ active @flatten }')).toContain('@flatten')
  expect(patient('{ managingOrganization { resource(type: Nobody) { id } } }')).toContain('type')
  expect(patient('{ x: active x: birthDate }')).toContain('twice')
  expect(patient('{ name(use: official) { family } name(use: usual) { family } }')).toContain('twice')
  expect(patient('{ managingOrganization { resource(type: Organization) { name } resource(type: Patient) { active } } }')).toBe('none')
  expect(patient('{ PatientList { id } }')).toContain('_reference')
  expect(patient('{ __proto__ }')).toContain('no field')
  expect(patient('query($x: String) { id }')).toContain('never used')
  expect(patient('{ id @skip }')).toContain('@skip')
  expect(faultOf(() => select('{ PatientList { id } } fragment f on Patient { id }'))).toContain('never used')
})
