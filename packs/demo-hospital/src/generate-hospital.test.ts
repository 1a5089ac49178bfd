import { validate } from '@carespine/fhir/validate'
import { ACCESSION_SYSTEM as LAB_ACCESSION_SYSTEM } from '@carespine/lab/contract'
import { ORDER_SYSTEM as OUR_ORDER_SYSTEM } from '@carespine/orders/contract'
import { MRN_SYSTEM as OUR_MRN_SYSTEM } from '@carespine/registration/contract'
import { describe, expect, test } from 'vitest'
import { ACCESSION_SYSTEM, MRN_SYSTEM, ORDER_SYSTEM } from './coding.ts'
import { generateHospital } from './generate-hospital.ts'

const hospital = generateHospital({ seed: 'test', today: '2026-03-01', patients: 60 })
const records = [...hospital.patients]

describe('the demo hospital', () => {
  test('is the same to the last value for the same seed, and another for another seed', () => {
    const again = generateHospital({ seed: 'test', today: '2026-03-01', patients: 60 })
    expect(JSON.stringify([...again.patients])).toBe(JSON.stringify(records))
    expect(JSON.stringify(again.todaysWork)).toBe(JSON.stringify(hospital.todaysWork))
    const other = generateHospital({ seed: 'other', today: '2026-03-01', patients: 1 })
    expect([...other.patients][0]?.patientId).not.toBe(records[0]?.patientId)
  })

  test('holds nothing that the validator refuses', () => {
    const entries = [...hospital.shared, ...records.flatMap((record) => record.entries)]
    const faults = entries.flatMap(({ resource }) => validate(resource).filter(({ severity }) => severity === 'error'))
    expect(faults).toEqual([])
  })

  test('refers only to what stands before', () => {
    const known = new Set(hospital.shared.map(({ resource }) => `${resource.resourceType}/${resource.id}`))
    for (const { entries } of records) {
      for (const { resource } of entries) {
        for (const [, reference] of JSON.stringify(resource).matchAll(/"reference":"([^"]+)"/g)) {
          expect(known.has(reference ?? ''), reference).toBe(true)
        }
        known.add(`${resource.resourceType}/${resource.id}`)
      }
    }
  })

  test('has somebody for each of the ten roles, and a name in both scripts for everybody', () => {
    expect(new Set(hospital.staff.map(({ role }) => role)).size).toBe(10)
    for (const { displayName, displayNameAr } of hospital.staff) {
      expect(displayName).toMatch(/[A-Za-z]/)
      expect(displayNameAr).toMatch(/[\u0600-\u06ff]/)
    }
  })

  test('ends the record the day before it opens, and leaves work in every queue of both branches', () => {
    const times = records.flatMap(({ entries }) => entries.map(({ resource }) => JSON.stringify(resource).match(/"effectiveDateTime":"([^"]+)/)?.[1] ?? ''))
    expect(times.toSorted().at(-1)?.slice(0, 10)).toSatisfy((day: string) => day < '2026-03-01')
    for (const { id } of hospital.branches) {
      const kinds = new Set(hospital.todaysWork.filter(({ branch }) => branch === id).map(({ kind }) => kind))
      expect([...kinds].toSorted()).toEqual(['book-appointment', 'collect', 'enter-results', 'place-order', 'receive', 'record-call-back', 'record-vitals', 'release', 'start-encounter'])
    }
  })

  test('a woman treated for iron deficiency recovers over months (BSG 2021: haemoglobin first)', () => {
    const observations = records[0]?.entries.flatMap(({ resource }) => (resource.resourceType === 'Observation' ? [resource] : [])) ?? []
    const values = observations
      .filter(({ code }) => code.coding?.[0]?.code === '718-7')
      .toSorted((a, b) => (a.effectiveDateTime ?? '').localeCompare(b.effectiveDateTime ?? ''))
      .map(({ valueQuantity }) => valueQuantity?.value ?? 0)
    const found = values.indexOf(Math.min(...values))
    expect(values[found]).toBeLessThan(11)
    expect(values.slice(found).length).toBeGreaterThan(2)
    expect(values.at(-1)).toBeGreaterThan((values[found] ?? 0) + 1.5)
  })

  test('uses the numbers of the modules that own them', () => {
    expect([MRN_SYSTEM, ORDER_SYSTEM, ACCESSION_SYSTEM]).toEqual([OUR_MRN_SYSTEM, OUR_ORDER_SYSTEM, LAB_ACCESSION_SYSTEM])
  })
})
