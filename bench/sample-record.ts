import { randomUUID } from 'node:crypto'
import type { Bundle, Observation, Patient } from '@carespine/fhir/resource'

const LOINC = 'http://loinc.org'

/** What is measured of a patient; one search asks for one of them. */
const CODES = [
  { code: '718-7', name: 'Hemoglobin', unit: 'g/dL', value: 14, category: 'laboratory' },
  { code: '2345-7', name: 'Glucose', unit: 'mg/dL', value: 96, category: 'laboratory' },
  { code: '2823-3', name: 'Potassium', unit: 'mmol/L', value: 4.2, category: 'laboratory' },
  { code: '8867-4', name: 'Heart rate', unit: '/min', value: 72, category: 'vital-signs' },
] as const

const families = ['Al-Harbi', 'Al-Qahtani', 'Al-Ghamdi', 'Al-Otaibi', 'Al-Zahrani', 'Al-Shehri', 'Al-Dosari', 'Al-Anazi']
const given = ['Mohammed', 'Fatimah', 'Abdullah', 'Noura', 'Khalid', 'Sara', 'Ahmed', 'Maha', 'Omar', 'Reem']

const pick = <T>(from: readonly T[], nth: number): T => from[nth % from.length] as T

/** A patient with names in two scripts, identifier, phone and address. */
export function samplePatient(nth: number): Patient {
  const family = pick(families, nth)
  const first = pick(given, Math.floor(nth / families.length))
  return {
    resourceType: 'Patient',
    active: true,
    identifier: [{ use: 'usual', system: 'https://bench.example/mrn', value: `B${String(nth).padStart(7, '0')}` }],
    name: [
      { use: 'official', text: `${first} ${family}`, family, given: [first, pick(given, nth * 7)] },
      { use: 'official', text: 'محمد الحربي', family: 'الحربي', given: ['محمد'] },
    ],
    telecom: [{ system: 'phone', value: `+96650${String(1_000_000 + (nth % 8_999_999))}`, use: 'mobile' }],
    gender: nth % 2 === 0 ? 'male' : 'female',
    birthDate: `${1940 + (nth % 80)}-${String(1 + (nth % 12)).padStart(2, '0')}-${String(1 + (nth % 28)).padStart(2, '0')}`,
    address: [{ use: 'home', line: [`${1 + (nth % 400)} King Fahd Road`], city: 'Riyadh', postalCode: String(11000 + (nth % 900)), country: 'SA' }],
  }
}

/** The nth measurement of a patient, six hours after the one before. */
export function sampleObservation(subject: string, nth: number, now: Date): Observation {
  const { code, name, unit, value, category } = pick(CODES, nth)
  const at = new Date(now.getTime() - (nth + 1) * 6 * 3_600_000).toISOString()
  return {
    resourceType: 'Observation',
    status: 'final',
    category: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: category }] }],
    code: { coding: [{ system: LOINC, code, display: name }], text: name },
    subject: { reference: subject },
    effectiveDateTime: at,
    issued: at,
    performer: [{ display: 'Laboratory' }],
    valueQuantity: { value: Math.round((value + (nth % 17) / 10) * 10) / 10, unit, system: 'http://unitsofmeasure.org', code: unit },
  }
}

/** A visit as an outside system sends it: a new patient, an encounter and 18 measurements, linked within the Bundle. */
export function sampleBundle(nth: number, now: Date): Bundle {
  const patient = `urn:uuid:${randomUUID()}`
  const encounter = `urn:uuid:${randomUUID()}`
  return {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [
      { fullUrl: patient, resource: samplePatient(nth), request: { method: 'POST', url: 'Patient' } },
      {
        fullUrl: encounter,
        resource: {
          resourceType: 'Encounter',
          status: 'finished',
          class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
          subject: { reference: patient },
          period: { start: now.toISOString(), end: now.toISOString() },
        },
        request: { method: 'POST', url: 'Encounter' },
      },
      ...Array.from({ length: 18 }, (_unused, at) => ({
        fullUrl: `urn:uuid:${randomUUID()}`,
        resource: { ...sampleObservation(patient, at, now), encounter: { reference: encounter } },
        request: { method: 'POST' as const, url: 'Observation' },
      })),
    ],
  }
}
