import { describe, expect, test } from 'vitest'
import { Knowledge } from './knowledge.ts'
import type { ElementDefinition, StructureDefinition } from './resource.ts'
import { Validator } from './validator.ts'

const BASE = 'http://example.org/StructureDefinition/'
const CORE = 'http://hl7.org/fhir/StructureDefinition/'
const LOINC = 'http://loinc.org'

type Element = Partial<ElementDefinition> & { id: string }

/** A profile as its author writes it: a differential alone. */
function profile(name: string, type: string, elements: readonly Element[], more: Partial<StructureDefinition> = {}): StructureDefinition {
  return {
    resourceType: 'StructureDefinition',
    url: BASE + name,
    name,
    status: 'active',
    kind: type === 'Extension' ? 'complex-type' : 'resource',
    abstract: false,
    type,
    baseDefinition: CORE + type,
    derivation: 'constraint',
    differential: {
      element: elements.map((element) => ({ path: element.id.replace(/:[^.]*/g, ''), ...(element.id.includes(':') ? sliceNameOf(element.id) : {}), ...element })),
    },
    ...more,
  }
}

function sliceNameOf(id: string): { sliceName?: string } {
  const last = id.slice(id.lastIndexOf('.') + 1)
  return last.includes(':') ? { sliceName: last.slice(last.indexOf(':') + 1) } : {}
}

function validator(...profiles: StructureDefinition[]): Validator {
  const codes: Readonly<Record<string, readonly string[]>> = { 'http://example.org/vs/colours': ['red', 'blue'], 'http://example.org/vs/warm': ['red'] }
  return new Validator(
    {},
    new Knowledge({
      findProfile: async (canonical) => profiles.find(({ url, version }) => canonical === url || canonical === `${url}|${version}`),
      judgeCode: async (valueSet, { code }) => (codes[valueSet] ? (codes[valueSet].includes(code) ? 'valid' : 'invalid') : 'unknown'),
    }),
  )
}

async function faults(profiles: StructureDefinition | StructureDefinition[], resource: object, level: 'errors' | 'all' = 'errors'): Promise<string[]> {
  const [first, ...others] = Array.isArray(profiles) ? profiles : [profiles]
  const issues = await validator(first as StructureDefinition, ...others).check({ meta: { profile: [first?.url] }, ...resource }, { level })
  return issues.filter(({ diagnostics }) => !diagnostics.includes('dom-6')).map(({ severity, code, expression = '' }) => `${severity === 'error' ? '' : `${severity} `}${code} ${expression}`)
}

const observation = { resourceType: 'Observation', status: 'final', code: { coding: [{ system: LOINC, code: '718-7' }] } }
const colour = (code: string, system = 'http://example.org/colour') => ({ coding: [{ system, code }] })

describe('one element', () => {
  test.each<[string, Element[], object, string[]]>([
    ['less than asked for', [{ id: 'Observation.subject', min: 1 }], {}, ['required Observation.subject']],
    ['more than allowed', [{ id: 'Observation.category', max: '1' }], { category: [colour('a'), colour('b')] }, ['structure Observation.category']],
    ['not allowed at all', [{ id: 'Observation.note', max: '0' }], { note: [{ text: 'x' }] }, ['structure Observation.note']],
    ['another than the fixed value', [{ id: 'Observation.status', fixedCode: 'final' }], { status: 'amended' }, ['value Observation.status']],
    ['more than the fixed value', [{ id: 'Observation.method', fixedCodeableConcept: colour('a') }], { method: { ...colour('a'), text: 'x' } }, ['value Observation.method']],
    ['as the pattern, and more', [{ id: 'Observation.method', patternCodeableConcept: colour('a') }], { method: { ...colour('a'), text: 'x' } }, []],
    ['not as the pattern', [{ id: 'Observation.method', patternCodeableConcept: colour('a') }], { method: colour('b') }, ['value Observation.method']],
    ['of a type that is left out', [{ id: 'Observation.value[x]', type: [{ code: 'Quantity' }] }], { valueString: 'x' }, ['structure Observation.valueString']],
    ['a choice by the name of its type', [{ id: 'Observation.valueQuantity.code', path: 'Observation.valueQuantity.code', min: 1 }], { valueQuantity: { value: 1 } }, ['required Observation.valueQuantity.code']],
    ['deep in datatypes', [{ id: 'Observation.code.coding.system', min: 1 }], { code: { coding: [{ code: 'x' }] } }, ['required Observation.code.coding[0].system']],
    ['deep where nothing stands', [{ id: 'Observation.method.coding.system', min: 1 }], {}, []],
    ['too long', [{ id: 'Observation.value[x]', maxLength: 3 }], { valueString: 'four' }, ['too-long Observation.valueString']],
    ['below the least', [{ id: 'Observation.value[x]', minValueInteger: 3 }], { valueInteger: 2 }, ['value Observation.valueInteger']],
    ['above the most', [{ id: 'Observation.value[x]', maxValueQuantity: { value: 1, code: 'g' } }], { valueQuantity: { value: 1001, system: 'http://unitsofmeasure.org', code: 'mg' } }, ['value Observation.valueQuantity']],
    ['of no required set', [{ id: 'Observation.method', binding: { strength: 'required', valueSet: 'http://example.org/vs/colours' } }], { method: colour('green') }, ['code-invalid Observation.method']],
    ['of the required set', [{ id: 'Observation.method', binding: { strength: 'required', valueSet: 'http://example.org/vs/colours' } }], { method: colour('red') }, []],
    ['a text where a code of the set is required', [{ id: 'Observation.method', binding: { strength: 'required', valueSet: 'http://example.org/vs/colours' } }], { method: { text: 'red' } }, ['code-invalid Observation.method']],
    ['of a set that is not here', [{ id: 'Observation.method', binding: { strength: 'required', valueSet: 'http://example.org/vs/other' } }], { method: colour('green') }, []],
    ['a reference to another type', [{ id: 'Observation.subject', type: [{ code: 'Reference', targetProfile: [`${CORE}Patient`] }] }], { subject: { reference: 'Group/1' } }, ['value Observation.subject']],
    ['against an invariant', [{ id: 'Observation', constraint: [{ key: 'x-1', severity: 'error', human: 'A value is given', expression: 'value.exists()' }] }], {}, ['invariant Observation']],
    ['against an invariant of a part', [{ id: 'Observation.note', constraint: [{ key: 'x-2', severity: 'error', human: 'Signed', expression: 'author.exists()' }] }], { note: [{ text: 'x' }] }, ['invariant Observation.note[0]']],
  ])('%s', async (_what, elements, more, expected) => {
    expect(await faults(profile('one', 'Observation', elements), { ...observation, ...more })).toEqual(expected)
  })

  test('extensible sets and invariants that warn are told to who asks for all', async () => {
    const lenient = profile('lenient', 'Observation', [
      { id: 'Observation', constraint: [{ key: 'x-1', severity: 'warning', human: 'A value is given', expression: 'value.exists()' }, { key: 'x-2', severity: 'error', human: 'x', expression: 'sort()' }] },
      { id: 'Observation.method', binding: { strength: 'extensible', valueSet: 'http://example.org/vs/colours' } },
    ])
    const green = { ...observation, method: colour('green') }
    expect(await faults(lenient, green)).toEqual([])
    expect(await faults(lenient, green, 'all')).toEqual(['warning invariant Observation', 'warning not-supported Observation', 'warning code-invalid Observation.method'])
  })

  test('an extensible set has an end where a larger one is named', async () => {
    const bound = profile('bound', 'Observation', [
      {
        id: 'Observation.method',
        binding: { strength: 'extensible', valueSet: 'http://example.org/vs/warm', extension: [{ url: `${CORE}elementdefinition-maxValueSet`, valueCanonical: 'http://example.org/vs/colours' }] },
      },
    ])
    expect(await faults(bound, { ...observation, method: colour('blue') })).toEqual([])
    expect(await faults(bound, { ...observation, method: colour('green') })).toEqual(['code-invalid Observation.method'])
  })

  test('what an element refers to in the same profile is asked of it as well', async () => {
    const items = profile('items', 'Questionnaire', [
      { id: 'Questionnaire.item.text', min: 1 },
      { id: 'Questionnaire.item.item', contentReference: '#Questionnaire.item' },
    ])
    const inner = { linkId: '1.1', type: 'group', item: [{ linkId: '1.1.1', type: 'string' }] }
    expect(await faults(items, { resourceType: 'Questionnaire', status: 'active', item: [{ linkId: '1', type: 'group', text: 'x', item: [inner] }] })).toEqual([
      'required Questionnaire.item[0].item[0].text',
      'required Questionnaire.item[0].item[0].item[0].text',
    ])
  })
})

describe('slices', () => {
  const component = (code: string, more: object = { valueString: 'x' }) => ({ code: { coding: [{ system: LOINC, code }] }, ...more })
  const sliced = (slicing: ElementDefinition['slicing'], ...slices: Element[]) => profile('sliced', 'Observation', [{ id: 'Observation.component', slicing }, ...slices])
  const byCode = (rules: 'open' | 'closed' | 'openAtEnd', more: object = {}) => ({ discriminator: [{ type: 'value' as const, path: 'code' }], rules, ...more })
  const systolic: Element[] = [
    { id: 'Observation.component:systolic', min: 1, max: '1' },
    { id: 'Observation.component:systolic.code', patternCodeableConcept: { coding: [{ system: LOINC, code: '8480-6' }] } },
    { id: 'Observation.component:systolic.value[x]', type: [{ code: 'Quantity' }], min: 1 },
  ]
  const diastolic: Element[] = [
    { id: 'Observation.component:diastolic', min: 0, max: '1' },
    { id: 'Observation.component:diastolic.code', patternCodeableConcept: { coding: [{ system: LOINC, code: '8462-4' }] } },
  ]
  const pressure = { valueQuantity: { value: 120 } }

  test.each<[string, 'open' | 'closed' | 'openAtEnd', object, object[], string[]]>([
    ['all there', 'open', {}, [component('8480-6', pressure), component('8462-4'), component('x')], []],
    ['one that is asked for is absent', 'open', {}, [component('8462-4')], ['required Observation.component']],
    ['one twice', 'open', {}, [component('8480-6', pressure), component('8480-6', pressure)], ['structure Observation.component']],
    ['one with a fault of its own', 'open', {}, [component('x'), component('8480-6')], ['structure Observation.component[1].valueString']],
    ['one of none, where all are of one', 'closed', {}, [component('8480-6', pressure), component('x')], ['structure Observation.component[1]']],
    ['one of none before the others, where it comes last', 'openAtEnd', {}, [component('x'), component('8480-6', pressure)], ['structure Observation.component[0]']],
    ['one of none after the others', 'openAtEnd', {}, [component('8480-6', pressure), component('x')], []],
    ['out of their order', 'open', { ordered: true }, [component('8462-4'), component('8480-6', pressure)], ['structure Observation.component[1]']],
    ['in another order where none is asked for', 'open', {}, [component('8462-4'), component('8480-6', pressure)], []],
  ])('%s', async (_what, rules, more, components, expected) => {
    expect(await faults(sliced(byCode(rules, more), ...systolic, ...diastolic), { ...observation, component: components })).toEqual(expected)
  })

  test('told apart by a value below, also within a slice of its own', async () => {
    const nested = sliced(
      { discriminator: [{ type: 'value', path: 'code.coding.code' }], rules: 'closed' },
      { id: 'Observation.component:a' },
      { id: 'Observation.component:a.code.coding', slicing: { discriminator: [{ type: 'value', path: 'code' }], rules: 'open' } },
      { id: 'Observation.component:a.code.coding:it', min: 1 },
      { id: 'Observation.component:a.code.coding:it.code', min: 1, fixedCode: 'a' },
    )
    expect(await faults(nested, { ...observation, component: [component('a'), component('b')] })).toEqual(['structure Observation.component[1]'])
  })

  test('told apart by whether something is there', async () => {
    const exists = sliced(
      { discriminator: [{ type: 'exists', path: 'dataAbsentReason' }], rules: 'closed' },
      { id: 'Observation.component:known' },
      { id: 'Observation.component:known.dataAbsentReason', max: '0' },
      { id: 'Observation.component:known.interpretation', min: 1 },
      { id: 'Observation.component:unknown' },
      { id: 'Observation.component:unknown.dataAbsentReason', min: 1 },
    )
    expect(await faults(exists, { ...observation, component: [component('a'), component('b', { dataAbsentReason: { text: 'x' } })] })).toEqual(['required Observation.component[0].interpretation'])
  })

  test('told apart by type', async () => {
    const values = profile('values', 'Observation', [
      { id: 'Observation.value[x]', slicing: { discriminator: [{ type: 'type', path: '$this' }], rules: 'closed' } },
      { id: 'Observation.value[x]:valueQuantity', type: [{ code: 'Quantity' }] },
      { id: 'Observation.value[x]:valueQuantity.unit', min: 1 },
      { id: 'Observation.value[x]:valueString', type: [{ code: 'string' }] },
    ])
    expect(await faults(values, { ...observation, valueQuantity: { value: 1 } })).toEqual(['required Observation.valueQuantity.unit'])
    expect(await faults(values, { ...observation, valueString: 'x' })).toEqual([])
    expect(await faults(values, { ...observation, valueBoolean: true })).toEqual(['structure Observation.valueBoolean'])
  })

  test('told apart by what a reference points to', async () => {
    const targets = profile('targets', 'Observation', [
      { id: 'Observation.performer', slicing: { discriminator: [{ type: 'type', path: 'resolve()' }], rules: 'closed' } },
      { id: 'Observation.performer:person', min: 1, type: [{ code: 'Reference', targetProfile: [`${CORE}Practitioner`] }] },
      { id: 'Observation.performer:place', type: [{ code: 'Reference', targetProfile: [`${CORE}Organization`] }] },
    ])
    expect(await faults(targets, { ...observation, performer: [{ reference: 'Organization/1' }, { reference: 'Practitioner/1' }] })).toEqual([])
    expect(await faults(targets, { ...observation, performer: [{ reference: 'Organization/1' }, { reference: 'Patient/1' }] })).toEqual(['structure Observation.performer[1]', 'required Observation.performer'])
  })

  test('told apart by the profile that an entry fits', async () => {
    const adult = profile('adult', 'Patient', [{ id: 'Patient.birthDate', min: 1 }])
    const bundle = profile('bundle', 'Bundle', [
      { id: 'Bundle.entry', slicing: { discriminator: [{ type: 'profile', path: 'resource' }], rules: 'open' } },
      { id: 'Bundle.entry:adult', min: 1 },
      { id: 'Bundle.entry:adult.resource', type: [{ code: 'Patient', profile: [adult.url ?? ''] }] },
    ])
    const collection = (patient: object) => ({ resourceType: 'Bundle', type: 'collection', entry: [{ resource: { resourceType: 'Patient', ...patient } }] })
    expect(await faults([bundle, adult], collection({ birthDate: '1990' }))).toEqual([])
    expect(await faults([bundle, adult], collection({ gender: 'male' }))).toEqual(['required Bundle.entry'])
  })

  test('told apart by a required set', async () => {
    const sets = profile('sets', 'Observation', [
      { id: 'Observation.category', slicing: { discriminator: [{ type: 'value', path: '$this' }], rules: 'open' } },
      { id: 'Observation.category:warm', min: 1, binding: { strength: 'required', valueSet: 'http://example.org/vs/warm' } },
    ])
    expect(await faults(sets, { ...observation, category: [colour('blue'), colour('red')] })).toEqual([])
    expect(await faults(sets, { ...observation, category: [colour('blue')] })).toEqual(['required Observation.category'])
  })

  test('a slice of a slice', async () => {
    const again = sliced(
      byCode('open'),
      { id: 'Observation.component:lab' },
      { id: 'Observation.component:lab.code', patternCodeableConcept: { coding: [{ system: LOINC }] } },
      { id: 'Observation.component:lab', slicing: { discriminator: [{ type: 'value', path: 'interpretation' }], rules: 'open' } },
      { id: 'Observation.component:lab/high', sliceName: 'lab/high', max: '1' },
      { id: 'Observation.component:lab/high.interpretation', patternCodeableConcept: colour('H') },
    )
    const high = component('a', { interpretation: [colour('H')] })
    expect(await faults(again, { ...observation, component: [high, component('b')] })).toEqual([])
    expect(await faults(again, { ...observation, component: [high, component('b'), high] })).toEqual(['structure Observation.component'])
  })

  test('slices that nothing tells apart are not guessed at', async () => {
    const unclear = sliced({ rules: 'closed' }, { id: 'Observation.component:a', min: 1 })
    expect(await faults(unclear, { ...observation, component: [component('x')] })).toEqual([])
    expect(await faults(unclear, { ...observation, component: [component('x')] }, 'all')).toEqual(['warning not-supported Observation'])
  })
})

describe('profiles on profiles', () => {
  const parent = profile('parent', 'Observation', [
    { id: 'Observation.category', slicing: { discriminator: [{ type: 'pattern', path: '$this' }], rules: 'open' } },
    { id: 'Observation.category:lab', patternCodeableConcept: colour('lab') },
    { id: 'Observation.subject', min: 1 },
  ])
  const child = profile('child', 'Observation', [{ id: 'Observation.category:lab', min: 1 }, { id: 'Observation.issued', min: 1 }], { baseDefinition: parent.url ?? '' })

  test('a differential rests on what it is derived from', async () => {
    expect(await faults([child, parent], observation)).toEqual(['required Observation.category', 'required Observation.subject', 'required Observation.issued'])
    expect(await faults([child, parent], { ...observation, category: [colour('lab')], subject: { display: 'x' }, issued: '2024-05-01T10:00:00Z' })).toEqual([])
  })

  test('without it nothing can be said', async () => {
    expect(await faults([child], observation)).toEqual([])
    expect(await faults([child], observation, 'all')).toEqual(['warning not-found Observation'])
  })

  test('one that rests on itself is none', async () => {
    const round = profile('round', 'Observation', [], { baseDefinition: `${BASE}round` })
    expect(await faults([round], observation, 'all')).toEqual(['warning not-found Observation'])
  })

  test('one of R4 itself: blood pressure', async () => {
    const pressure = { ...observation, meta: { profile: [`${CORE}bp`] }, code: { coding: [{ system: LOINC, code: '85354-9' }] }, subject: { reference: 'Patient/1' }, effectiveDateTime: '2024' }
    expect((await validator().check(pressure)).map(({ code, expression }) => `${code} ${expression}`)).toEqual([
      'invariant Observation',
      'required Observation.category',
      'required Observation.category',
      'invariant Observation.effectiveDateTime',
      'required Observation.component',
      'required Observation.component',
      'required Observation.component',
    ])
  })

  test('a profile of another type, and one of a datatype', async () => {
    const amount = profile('amount', 'Quantity', [{ id: 'Quantity.unit', min: 1 }], { kind: 'complex-type' })
    const typed = profile('typed', 'Observation', [{ id: 'Observation.value[x]', type: [{ code: 'Quantity', profile: [amount.url ?? ''] }] }])
    expect(await faults([typed, amount], { ...observation, valueQuantity: { value: 1 } })).toEqual(['required Observation.valueQuantity.unit'])
    expect(await faults([typed, amount], { resourceType: 'Patient' })).toEqual(['structure Patient'])
  })

  test('a version that is named is the one that counts', async () => {
    const one = profile('versioned', 'Patient', [{ id: 'Patient.name', min: 1 }], { version: '1' })
    const two = profile('versioned', 'Patient', [{ id: 'Patient.gender', min: 1 }], { version: '2' })
    const told = async (version: string) => (await validator(one, two).check({ resourceType: 'Patient', meta: { profile: [`${one.url}|${version}`] } })).map(({ expression }) => expression)
    expect([await told('1'), await told('2'), await told('3')]).toEqual([['Patient.name'], ['Patient.gender'], []])
  })
})

describe('extensions', () => {
  const weight = profile('weight', 'Extension', [
    { id: 'Extension.url', fixedUri: `${BASE}weight` },
    { id: 'Extension.value[x]', min: 1, type: [{ code: 'Quantity' }] },
  ], { context: [{ type: 'element', expression: 'Patient' }, { type: 'element', expression: 'HumanName.family' }, { type: 'element', expression: 'Observation.component.value[x]' }] })
  const parts = profile('parts', 'Extension', [
    { id: 'Extension.extension:a', min: 1, max: '1' },
    { id: 'Extension.extension:a.url', fixedUri: 'a' },
    { id: 'Extension.extension:a.value[x]', type: [{ code: 'string' }] },
    { id: 'Extension.value[x]', max: '0' },
  ], { context: [{ type: 'element', expression: 'Element' }] })
  const not = profile('not', 'Extension', [{ id: 'Extension', isModifier: true }, { id: 'Extension.value[x]', type: [{ code: 'boolean' }] }], { context: [{ type: 'element', expression: 'Patient' }] })
  const within = profile('within', 'Extension', [], { context: [{ type: 'fhirpath', expression: "Patient.name.where(use = 'official')" }], contextInvariant: ['family.exists()'] })
  const inside = profile('inside', 'Extension', [], { context: [{ type: 'extension', expression: `${BASE}parts` }] })

  const kilogram = { url: `${BASE}weight`, valueQuantity: { value: 1 } }
  const patient = (more: object) => ({ resourceType: 'Patient', ...more })
  test.each<[string, object, string[]]>([
    ['in its place', patient({ extension: [kilogram] }), []],
    ['in its place on a primitive', patient({ name: [{ family: 'x', _family: { extension: [kilogram] } }] }), []],
    ['in its place on a choice', { ...observation, component: [{ code: { text: 'x' }, valueString: 'x', _valueString: { extension: [kilogram] } }] }, []],
    ['in another place', patient({ name: [{ family: 'x', extension: [kilogram] }] }), ['extension Patient.name[0].extension[0]']],
    ['of another type', patient({ extension: [{ url: `${BASE}weight`, valueString: 'x' }] }), ['structure Patient.extension[0].valueString']],
    ['without its part', patient({ extension: [{ url: `${BASE}parts`, extension: [{ url: 'b', valueString: 'x' }] }] }), ['required Patient.extension[0].extension']],
    ['with a part of another type', patient({ extension: [{ url: `${BASE}parts`, extension: [{ url: 'a', valueInteger: 1 }] }] }), ['structure Patient.extension[0].extension[0].valueInteger']],
    ['one that changes meaning, sent as one that does not', patient({ extension: [{ url: `${BASE}not`, valueBoolean: true }] }), ['extension Patient.extension[0]']],
    ['one that changes meaning', patient({ modifierExtension: [{ url: `${BASE}not`, valueBoolean: true }] }), []],
    ['one that does not, sent as one that does', patient({ modifierExtension: [kilogram] }), ['extension Patient.modifierExtension[0]']],
    ['one that nobody knows', patient({ extension: [{ url: 'http://example.org/unheard', valueString: 'x' }] }), []],
    ['one that changes meaning and nobody knows', patient({ modifierExtension: [{ url: 'http://example.org/unheard', valueString: 'x' }] }), ['extension Patient.modifierExtension[0]']],
    ['where an expression allows it', patient({ name: [{ use: 'official', family: 'x', extension: [{ url: `${BASE}within`, valueString: 'x' }] }] }), []],
    ['where an expression does not', patient({ name: [{ use: 'usual', family: 'x', extension: [{ url: `${BASE}within`, valueString: 'x' }] }] }), ['extension Patient.name[0].extension[0]']],
    ['where its condition is not met', patient({ name: [{ use: 'official', text: 'x', extension: [{ url: `${BASE}within`, valueString: 'x' }] }] }), ['extension Patient.name[0].extension[0]']],
    ['in an extension', patient({ extension: [{ url: `${BASE}parts`, extension: [{ url: 'a', valueString: 'x' }, { url: `${BASE}inside`, valueString: 'x' }] }] }), []],
    ['in no extension', patient({ extension: [{ url: `${BASE}inside`, valueString: 'x' }] }), ['extension Patient.extension[0]']],
    ['one of R4 in its place', patient({ birthDate: '2020-01-01', _birthDate: { extension: [{ url: `${CORE}patient-birthTime`, valueDateTime: '2020-01-01T10:00:00Z' }] } }), []],
    ['one of R4 of another type', patient({ _birthDate: { extension: [{ url: `${CORE}patient-birthTime`, valueString: 'x' }] } }), ['structure Patient._birthDate.extension[0].valueString']],
  ])('%s', async (_what, resource, expected) => {
    const issues = await validator(weight, parts, not, within, inside).check(resource)
    expect(issues.map(({ code, expression }) => `${code} ${expression}`)).toEqual(expected)
  })

  test('one of R4 in another place is told to who asks for all', async () => {
    const resource = { resourceType: 'Patient', extension: [{ url: `${CORE}patient-birthTime`, valueDateTime: '2020-01-01T10:00:00Z' }] }
    expect(await validator().check(resource)).toEqual([])
    const issues = await validator().check(resource, { level: 'all' })
    expect(issues.find(({ code }) => code === 'extension')).toMatchObject({ severity: 'warning', expression: 'Patient.extension[0]' })
  })

  test('slices of extensions are told apart by their URL, also where the profile does not say so', async () => {
    const withWeight = profile('with-weight', 'Patient', [{ id: 'Patient.extension:weight', min: 1, max: '1', type: [{ code: 'Extension', profile: [weight.url ?? ''] }] }])
    expect(await faults([withWeight, weight], { resourceType: 'Patient', extension: [kilogram, { url: 'urn:other', valueString: 'x' }] })).toEqual([])
    expect(await faults([withWeight, weight], { resourceType: 'Patient', extension: [{ url: 'urn:other', valueString: 'x' }] })).toEqual(['required Patient.extension'])
  })
})

test('demanded profiles: one of those for the type has to fit', async () => {
  const named = profile('named', 'Patient', [{ id: 'Patient.name', min: 1 }])
  const numbered = profile('numbered', 'Patient', [{ id: 'Patient.identifier', min: 1 }, { id: 'Patient.gender', min: 1 }])
  const knowledge = new Knowledge({ findProfile: async (canonical) => [named, numbered].find(({ url }) => url === canonical), judgeCode: async () => 'unknown' })
  const strict = new Validator({ demanded: new Map([['Patient', [named.url ?? '', numbered.url ?? '']], ['Person', ['http://example.org/unheard']]]) }, knowledge)
  const told = async (resource: object) => (await strict.check(resource)).map(({ code, expression }) => `${code} ${expression}`)
  expect(await told({ resourceType: 'Patient', identifier: [{ value: '1' }], gender: 'male' })).toEqual([])
  expect(await told({ resourceType: 'Patient', active: true })).toEqual(['required Patient.name'])
  expect(await told({ resourceType: 'Observation', status: 'final', code: { text: 'x' } })).toEqual([])
  expect(await told({ resourceType: 'Person', active: true })).toEqual(['not-found Person'])
})

test('a profile that is not loaded: told to who asks, refused where the installation says so', async () => {
  const resource = { resourceType: 'Patient', active: true, meta: { profile: ['http://example.org/unheard'] } }
  const sources = { findProfile: async () => undefined, judgeCode: async () => 'unknown' as const }
  expect(await new Validator({}, new Knowledge(sources)).check(resource)).toEqual([])
  expect(await new Validator({ unknownProfiles: 'refuse' }, new Knowledge(sources)).check(resource)).toMatchObject([{ severity: 'error', code: 'not-found', expression: 'Patient' }])
  const asked = await new Validator({}, new Knowledge(sources)).check({ resourceType: 'Patient', active: true }, { profiles: ['http://example.org/unheard'] })
  expect(asked).toMatchObject([{ severity: 'error', code: 'not-found' }])
})

test('what is asked for is asked once, and again after a change', async () => {
  let asked = 0
  const sources = {
    findProfile: async () => {
      asked += 1
      return profile('p', 'Patient', [{ id: 'Patient.name', min: 1 }])
    },
    judgeCode: async () => 'unknown' as const,
  }
  const knowledge = new Knowledge(sources)
  const careful = new Validator({}, knowledge)
  const resource = { resourceType: 'Patient', active: true, meta: { profile: [`${BASE}p`] } }
  expect(careful.look(resource)).toEqual({ issues: [], settled: false })
  await Promise.all([careful.check(resource), careful.check(resource)])
  expect(careful.look(resource)).toMatchObject({ issues: [{ expression: 'Patient.name' }], settled: true })
  expect(asked).toBe(1)
  knowledge.forget()
  await careful.check(resource)
  expect(asked).toBe(2)
})

test('when what is asked cannot be had, the check fails and the next one asks again', async () => {
  let isDown = true
  const knowledge = new Knowledge({
    async findProfile() {
      if (isDown) throw new Error('down')
      return undefined
    },
    judgeCode: async () => 'unknown',
  })
  const careful = new Validator({}, knowledge)
  const resource = { resourceType: 'Patient', active: true, meta: { profile: [`${BASE}p`] } }
  await expect(careful.check(resource)).rejects.toThrow('down')
  isDown = false
  expect(await careful.check(resource)).toEqual([])
})
