import type { CodeSystem } from '@carespine/fhir/resource'
import { expect, test } from 'vitest'
import { ancestorsOf, descendantsOf, displayIn, isDisplayOf, ListedCodes, relationOf } from './code-book.ts'
import { filterOf } from './compose-filter.ts'
import { publishedByUrl } from './published.ts'
import { ruleBook } from './rule-books.ts'

const system = (more: Partial<CodeSystem> = {}): CodeSystem => ({
  resourceType: 'CodeSystem',
  url: 'http://x.example',
  status: 'active',
  content: 'complete',
  concept: [
    { code: 'animal', concept: [{ code: 'dog' }, { code: 'cat' }] },
    { code: 'pet', property: [{ code: 'child', valueCode: 'dog' }] },
    { code: 'old', property: [{ code: 'status', valueCode: 'retired' }] },
    { code: 'group', property: [{ code: 'notSelectable', valueBoolean: true }] },
  ],
  ...more,
})

test('a code has all its parents, nested ones and those named by property', () => {
  const book = new ListedCodes(system())
  expect([...ancestorsOf(book, 'dog')].toSorted()).toEqual(['animal', 'pet'])
  expect([...descendantsOf(book, 'pet')]).toEqual(['dog'])
  expect([relationOf(book, 'pet', 'dog'), relationOf(book, 'cat', 'animal'), relationOf(book, 'cat', 'dog')]).toEqual(['subsumes', 'subsumed-by', 'not-subsumed'])
})

test('a hierarchy that only groups subsumes nothing', () => {
  expect(relationOf(new ListedCodes(system({ hierarchyMeaning: 'grouped-by' })), 'animal', 'dog')).toBe('not-subsumed')
  expect(relationOf(new ListedCodes(system({ hierarchyMeaning: 'is-a' })), 'animal', 'dog')).toBe('subsumes')
})

test('a circle in the hierarchy ends', () => {
  const book = new ListedCodes(system({ concept: [{ code: 'a', concept: [{ code: 'b', property: [{ code: 'child', valueCode: 'a' }] }] }] }))
  expect([...descendantsOf(book, 'a')].toSorted()).toEqual(['a', 'b'])
})

test('retired is not in use, deprecated still is; notSelectable only gathers', () => {
  const book = new ListedCodes(system({ concept: [...(system().concept ?? []), { code: 'last', property: [{ code: 'status', valueCode: 'deprecated' }] }] }))
  expect(book.all().map(({ code, inactive, abstract }) => [code, inactive, abstract])).toEqual([
    ['animal', false, false], ['dog', false, false], ['cat', false, false], ['pet', false, false], ['old', true, false], ['group', false, true], ['last', false, false],
  ])
})

test('case counts unless the system says that it does not', () => {
  expect(new ListedCodes(system()).find('DOG')).toBeUndefined()
  expect(new ListedCodes(system({ caseSensitive: false })).find('DOG')?.code).toBe('dog')
})

test('a display is that of the language, whatever its region, else the usual one', () => {
  const concept = { display: 'Male', designations: [{ language: 'ar', value: 'ذكر' }, { language: 'nl', use: { code: 'synonym' }, value: 'Kerel' }, { language: 'nl', use: { code: 'display' }, value: 'Mannelijk' }] }
  expect(['ar', 'ar-SA', 'nl', 'en', 'fr', undefined].map((language) => displayIn(concept, language))).toEqual(['ذكر', 'ذكر', 'Mannelijk', 'Male', 'Male', 'Male'])
  expect([isDisplayOf(concept, ' male '), isDisplayOf(concept, 'Kerel'), isDisplayOf(concept, 'Man')]).toEqual([true, true, false])
})

test('supplements add designations and leave the system as it was', () => {
  const plain = new ListedCodes(system())
  const more = new ListedCodes(system(), [{ ...system(), content: 'supplement', concept: [{ code: 'dog', designation: [{ language: 'ar', value: 'كلب' }] }, { code: 'new' }] }])
  expect(displayIn(more.find('dog') ?? plain.all()[0] as never, 'ar')).toBe('كلب')
  expect([more.find('new'), plain.find('dog')?.designations]).toEqual([undefined, []])
})

test('a regular expression fits whole codes, and one that never ends is stopped', () => {
  const book = new ListedCodes(publishedByUrl('CodeSystem', 'http://terminology.hl7.org/CodeSystem/v3-ActCode') as CodeSystem)
  const fits = filterOf(book, { property: 'code', op: 'regex', value: 'AMB|EME.' }, { ms: 250 })
  expect(book.all().filter(fits).map(({ code }) => code)).toEqual(['AMB', 'EMER'])
  const began = performance.now()
  const patience = { ms: 100 }
  expect(() => filterOf(book, { property: 'definition', op: 'regex', value: '(([a-zA-Z ]+)+)+!' }, patience)).toThrow('TERMINOLOGY_NOT_EXPANDABLE')
  expect(performance.now() - began).toBeLessThan(1000)
  expect(patience.ms).toBeLessThan(10)
  expect(() => filterOf(book, { property: 'code', op: 'regex', value: '(' }, { ms: 250 })).toThrow('TERMINOLOGY_NOT_EXPANDABLE')
})

test('codes that follow a rule: units as UCUM writes them, countries as ISO lists them', () => {
  const ucum = ruleBook('http://unitsofmeasure.org')
  for (const code of ['mg', 'mmol/L', '10*9/L', 'Cel', '{score}', '%']) expect(ucum?.find(code)?.code, code).toBe(code)
  for (const code of ['milligram', 'KG', 'mmHg', ' mg', '']) expect(ucum?.find(code), code).toBeUndefined()
  const countries = ruleBook('urn:iso:std:iso:3166')
  expect(countries?.all()).toHaveLength(249)
  for (const code of ['UK', 'XK', 'EU', 'sa', 'SAU']) expect(countries?.find(code), code).toBeUndefined()
  expect(ruleBook('toString')).toBeUndefined()
})
