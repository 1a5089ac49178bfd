import type { CodeableConcept, Patient, Resource } from '@carespine/fhir/resource'
import { sampleObservation } from './sample-record.ts'

const DAY = 86_400_000
const HOUR = 3_600_000
/** New records of one year. The record grows with the years that a hospital keeps it, not with its beds. */
const PER_YEAR = 1000
const VISITS = 8

// Names made of syllables, in two scripts: as many families as a town has, and a few that many share.
const syllables = [
  ['har', 'حر'], ['bi', 'بي'], ['qah', 'قح'], ['ta', 'طا'], ['ni', 'ني'], ['gham', 'غم'], ['di', 'دي'], ['zah', 'زه'], ['ra', 'را'], ['sheh', 'شه'],
  ['ri', 'ري'], ['dos', 'دوس'], ['mu', 'مو'], ['tai', 'طي'], ['sub', 'سب'], ['ay', 'اي'], ['ha', 'ها'], ['jir', 'جر'], ['mal', 'مل'], ['ki', 'كي'],
  ['sal', 'سل'], ['ma', 'ما'], ['ju', 'جو'], ['han', 'هن'], ['faw', 'فو'], ['zan', 'زن'], ['lu', 'لو'], ['bad', 'بد'], ['wi', 'وي'], ['ash', 'اش'],
] as const
const given = [
  ['Mohammed', 'محمد'], ['Ahmed', 'أحمد'], ['Abdullah', 'عبدالله'], ['Fatimah', 'فاطمة'], ['Noura', 'نورة'], ['Khalid', 'خالد'], ['Sara', 'سارة'], ['Maha', 'مها'],
  ['Omar', 'عمر'], ['Reem', 'ريم'], ['Faisal', 'فيصل'], ['Huda', 'هدى'], ['Yousef', 'يوسف'], ['Layla', 'ليلى'], ['Turki', 'تركي'], ['Amal', 'أمل'],
  ['Nasser', 'ناصر'], ['Hanan', 'حنان'], ['Bandar', 'بندر'], ['Salma', 'سلمى'], ['Ziyad', 'زياد'], ['Dalal', 'دلال'], ['Majed', 'ماجد'], ['Wafa', 'وفاء'],
] as const

const at = <T>(from: readonly T[], nth: number): T => from[nth % from.length] as T

/** Scatters neighbours: 32 bits of FNV-1a over the number. */
function scatter(nth: number, salt: number): number {
  let hash = 2_166_136_261 ^ salt
  for (let shift = 0; shift < 32; shift += 8) hash = Math.imul(hash ^ ((nth >>> shift) & 255), 16_777_619)
  return hash >>> 0
}

/** The first of a list come much more often than the last. */
const often = <T>(from: readonly T[], nth: number, salt: number): T => at(from, Math.floor((scatter(nth, salt) / 2 ** 32) ** 2 * from.length))

/** The names of the nth patient. */
export function namesOf(nth: number): { family: string; familyArabic: string; given: string; givenArabic: string } {
  const [first, second, third] = [often(syllables, nth, 1), often(syllables, nth, 2), often(syllables, nth, 3)]
  const [name, nameArabic] = often(given, nth, 4)
  const family = first[0] + second[0] + third[0]
  return {
    family: `Al-${family[0]?.toUpperCase()}${family.slice(1)}`,
    familyArabic: `ال${first[1]}${second[1]}${third[1]}`,
    given: name,
    givenArabic: nameArabic,
  }
}

export const phoneOf = (nth: number): string => `+9665${String(10_000_000 + nth)}`
export const numberOf = (nth: number): string => `B${String(nth).padStart(7, '0')}`
export const birthDateOf = (nth: number): string => new Date(Date.UTC(1935, 0, 1) + (scatter(nth, 5) % 32_000) * DAY).toISOString().slice(0, 10)
export const MRN = 'https://bench.example/mrn'

function patientOf(nth: number, id: string): Patient {
  const names = namesOf(nth)
  const father = often(given, nth, 6)
  return {
    resourceType: 'Patient',
    id,
    active: true,
    identifier: [{ use: 'usual', system: MRN, value: numberOf(nth) }],
    name: [
      { use: 'official', text: `${names.given} ${father[0]} ${names.family}`, family: names.family, given: [names.given, father[0]] },
      { use: 'official', text: `${names.givenArabic} ${father[1]} ${names.familyArabic}`, family: names.familyArabic, given: [names.givenArabic, father[1]] },
    ],
    telecom: [{ system: 'phone', value: phoneOf(nth), use: 'mobile' }],
    gender: nth % 2 === 0 ? 'male' : 'female',
    birthDate: birthDateOf(nth),
    address: [{ use: 'home', line: [`${1 + (nth % 400)} King Fahd Road`], city: 'Riyadh', postalCode: String(11000 + (nth % 900)), country: 'SA' }],
  }
}

const concept = (system: string, code: string, text?: string): CodeableConcept => ({ coding: [{ system, code }], ...(text === undefined ? {} : { text }) })
const SNOMED = 'http://snomed.info/sct'
const conditions = ['44054006', '38341003', '195967001', '55822004', '73211009', '13645005', '40930008', '235595009']
const drugs = ['860975', '197361', '314076', '310798', '617311', '198440']

/** Resources of one record, the patient first. */
export const RECORD_SIZE = 100

/** A hundred resources about the nth patient, of ten types; most of them measurements, as in a hospital. */
export function sampleRecord(nth: number, id: string, newId: () => string, now: Date): Resource[] {
  const subject = { reference: `Patient/${id}` }
  // The first is the newest; one patient in forty of the last year is in the house, and one in twenty waits for something.
  const isIn = nth < PER_YEAR && nth % 40 === 0
  const isWaiting = nth < PER_YEAR && nth % 20 === 0
  const age = isWaiting ? (nth / PER_YEAR) * 3 : (nth / PER_YEAR) * 365
  const last = now.getTime() - age * DAY - (scatter(nth, 8) % 24) * HOUR
  const time = (visit: number, hours = 0): string => new Date(last - visit * 45 * DAY + hours * HOUR).toISOString()
  const visits = Array.from({ length: VISITS }, () => newId())
  const encounter = (visit: number): { reference: string } => ({ reference: `Encounter/${visits[visit % VISITS]}` })
  const resources: Resource[] = [patientOf(nth, id)]
  for (const [visit, key] of visits.entries()) {
    const goesOn = isIn && visit === 0
    resources.push({
      resourceType: 'Encounter', id: key, status: goesOn ? 'in-progress' : 'finished',
      class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: visit % 4 === 0 ? 'IMP' : 'AMB' },
      subject, period: { start: time(visit), ...(goesOn ? {} : { end: time(visit, visit % 4 === 0 ? 60 : 1) }) },
    })
  }
  for (let nthOf = 0; nthOf < 66; nthOf++) {
    resources.push({ ...sampleObservation(subject.reference, nthOf, new Date(last + 6 * HOUR)), id: newId(), encounter: encounter(nthOf) })
  }
  for (let of = 0; of < 4; of++) {
    resources.push({
      resourceType: 'Condition', id: newId(), subject, encounter: encounter(of), recordedDate: time(of),
      clinicalStatus: concept('http://terminology.hl7.org/CodeSystem/condition-clinical', of === 0 ? 'active' : 'resolved'),
      code: concept(SNOMED, often(conditions, nth * 4 + of, 9), 'Condition'), onsetDateTime: time(of),
    })
  }
  resources.push({
    resourceType: 'AllergyIntolerance', id: newId(), patient: subject, recordedDate: time(7),
    clinicalStatus: concept('http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical', 'active'), code: concept(SNOMED, '91936005', 'Penicillin'),
  })
  for (let of = 0; of < 6; of++) {
    resources.push({
      resourceType: 'MedicationRequest', id: newId(), status: of < 2 ? 'active' : 'completed', intent: 'order', subject, encounter: encounter(of),
      medicationCodeableConcept: concept('http://www.nlm.nih.gov/research/umls/rxnorm', often(drugs, nth * 6 + of, 10)), authoredOn: time(of),
    })
  }
  for (let of = 0; of < 5; of++) {
    resources.push({
      resourceType: 'ServiceRequest', id: newId(), status: isWaiting && of === 0 ? 'active' : 'completed', intent: 'order', subject, encounter: encounter(of),
      code: concept('http://loinc.org', '58410-2', 'CBC'), authoredOn: time(of),
    })
    resources.push({
      resourceType: 'DiagnosticReport', id: newId(), status: isWaiting && of === 0 ? 'preliminary' : 'final', subject, encounter: encounter(of),
      code: concept('http://loinc.org', '58410-2', 'CBC'), effectiveDateTime: time(of, 2), issued: time(of, 3),
    })
  }
  for (let of = 0; of < 2; of++) {
    resources.push({ resourceType: 'Procedure', id: newId(), status: 'completed', subject, encounter: encounter(of), code: concept(SNOMED, '80146002', 'Procedure'), performedDateTime: time(of) })
  }
  for (let of = 0; of < 2; of++) {
    resources.push({ resourceType: 'Immunization', id: newId(), status: 'completed', patient: subject, vaccineCode: concept('http://hl7.org/fhir/sid/cvx', '140'), occurrenceDateTime: time(of) })
  }
  return resources
}
