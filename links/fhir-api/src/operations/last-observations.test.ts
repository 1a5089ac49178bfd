import type { CodeableConcept, Observation } from '@carespine/fhir/resource'
import { expect, test } from 'vitest'
import { latestByCode, timeOf } from './last-observations.ts'

const loinc = (code: string) => ({ system: 'http://loinc.org', code })
const local = (code: string) => ({ system: 'http://lab.example', code })
const seen = (id: string, code: CodeableConcept, effectiveDateTime: string): { resource: Observation } => ({
  resource: { resourceType: 'Observation', id, status: 'final', code, effectiveDateTime },
})
const ids = (found: readonly { resource: Observation }[]) => found.map(({ resource }) => resource.id)

test('each code has its latest values, newest first', () => {
  const weight = { coding: [loinc('29463-7')] }
  const pulse = { coding: [loinc('8867-4')] }
  const all = [seen('w1', weight, '2024-01-01'), seen('p1', pulse, '2024-01-05'), seen('w3', weight, '2024-03-01'), seen('w2', weight, '2024-02-01')]
  expect(ids(latestByCode(all, 1))).toEqual(['w3', 'p1'])
  expect(ids(latestByCode(all, 2))).toEqual(['w3', 'w2', 'p1'])
})

test('codes that share a coding are one kind, also by way of a third', () => {
  const all = [
    seen('a', { coding: [loinc('2339-0')] }, '2024-01-01'),
    seen('c', { coding: [local('GLU')] }, '2024-01-03'),
    seen('b', { coding: [loinc('2339-0'), local('GLU')] }, '2024-01-02'),
  ]
  expect(ids(latestByCode(all, 1))).toEqual(['c'])
  expect(ids(latestByCode([seen('x', { text: 'Pain' }, '2024-01-01'), seen('y', { text: 'pain ' }, '2024-01-02'), seen('z', { text: 'Mood' }, '2024-01-01')], 1))).toEqual(['y', 'z'])
})

test('what was observed at the same time as the last of them is not left out', () => {
  const code = { coding: [loinc('8867-4')] }
  const all = ['1', '2', '3'].map((id) => seen(id, code, '2024-01-01T10:00:00Z'))
  expect(latestByCode(all, 1)).toHaveLength(3)
})

test('times are compared as times, whatever their zone', () => {
  const [riyadh, london] = ['2024-01-01T01:00:00+03:00', '2023-12-31T23:00:00Z'].map((time) => timeOf(seen('x', {}, time).resource))
  expect(riyadh).toBe('2023-12-31T22:00:00.000Z')
  expect(london).toBe('2023-12-31T23:00:00.000Z')
})
