import { concept, translation } from '@carespine/pack-core/bilingual'
import { flagOf } from '@carespine/pack-core/flag'
import { conceptOfReason } from '@carespine/pack-core/visit-reasons'
import type { AllergyIntolerance, Condition, DiagnosticReport, Encounter, MedicationRequest, Observation, Patient } from '@carespine/fhir/resource'
import { bloodOf, withDerived } from './blood.ts'
import { ATC, hl7, hl7Coding, ICD10, LOINC, MRN_SYSTEM, snomed, UCUM } from './coding.ts'
import type { DemoEntry, DemoPatientRecord, DemoVitals } from './contract.ts'
import { dateOf, instantOf } from './days.ts'
import { diceOf, uuidOf } from './dice.ts'
import { type House, locationId, type Place, providerOf, userOf } from './house.ts'
import type { Illness } from './illnesses.ts'
import { type Allergen, type Medicine, MEDICINES, type MedicineName } from './medicines.ts'
import { PANELS, type Panel } from './panels.ts'
import { reasonOf } from './reasons.ts'
import { addressOf, humanNames, phoneOf, shortName } from './people.ts'
import { type Sketch, suitable } from './person-sketch.ts'
import { type Visit, visitsOf } from './visits.ts'
import { vitalsOf } from './vitals.ts'

const RXNORM = 'http://www.nlm.nih.gov/research/umls/rxnorm'

/** What the resources of one visit say alike. */
interface About {
  seed: string
  house: House
  sketch: Sketch
  today: number
  subject: { reference: string; display: string }
}
interface Seen extends About {
  visit: Visit
  encounter: { reference: string }
  at: (minutes: number) => string
  practitioner: { reference: string; display: string }
  branch: string
}

/** The two years on record of one patient. */
export function recordOf(seed: string, house: House, sketch: Sketch, today: number): DemoPatientRecord {
  const subject = { reference: `Patient/${sketch.id}`, display: shortName(sketch.person).en }
  const about: About = { seed, house, sketch, today, subject }
  const entries: DemoEntry[] = [{ resource: patientOf(seed, sketch), branch: 'shared' }]
  const own = sketch.branch.id
  for (const allergen of sketch.allergens) entries.push({ resource: allergyOf(about, allergen), branch: own })
  // Most were asked and have none; a few were never asked, which is not the same.
  if (sketch.allergens.length === 0 && sketch.index % 9 !== 8) entries.push({ resource: noneKnownOf(about), branch: own })
  const visits = visitsOf(seed, sketch, today)
  visits.forEach((visit, at) => {
    entries.push(...visitEntries(about, visit, at))
  })
  const found = new Set(visits.flatMap(({ finds }) => finds))
  for (const course of sketch.courses) {
    // Older than the record: known from before, without an encounter.
    if (found.has(course)) continue
    const onset = dateOf(course.found)
    entries.push({ resource: conditionOf(about, course.illness, course.key, { onset }), branch: own })
    for (const name of course.medicines) {
      entries.push({ resource: medicationOf(about, name, course.key, { authored: onset, status: 'active' }), branch: own })
    }
  }
  return { patientId: sketch.id, branch: own, entries }
}

function patientOf(seed: string, { id, index, mrn, person, birthDate, branch }: Sketch): Patient & { id: string } {
  const dice = diceOf(`${seed}/contact/${index}`)
  return {
    resourceType: 'Patient',
    id,
    active: true,
    identifier: [{ use: 'usual', type: hl7('v2-0203', 'MR'), system: MRN_SYSTEM, value: mrn }],
    name: humanNames(person),
    gender: person.sex,
    birthDate,
    telecom: [{ system: 'phone', use: 'mobile', value: phoneOf(dice) }],
    address: [addressOf(dice, branch.city)],
    communication: [{ language: { coding: [{ system: 'urn:ietf:bcp:47', code: dice.chance(0.8) ? 'ar' : 'en' }] }, preferred: true }],
    managingOrganization: { reference: `Organization/${branch.id}` },
  }
}

function allergyOf({ seed, sketch, subject, today }: About, allergen: Allergen): AllergyIntolerance & { id: string } {
  const { name, category, reaction, reactionSnomed } = allergen
  const dice = diceOf(`${seed}/allergy/${sketch.index}/${allergen.snomed}`)
  return {
    resourceType: 'AllergyIntolerance',
    id: uuidOf(seed, `allergy/${sketch.index}/${allergen.snomed}`),
    clinicalStatus: hl7('allergyintolerance-clinical', 'active'),
    verificationStatus: hl7('allergyintolerance-verification', 'confirmed'),
    type: 'allergy',
    category: [category],
    criticality: reactionSnomed === '39579001' ? 'high' : 'low',
    code: concept(name, [snomed(allergen.snomed, name.en)]),
    patient: subject,
    recordedDate: instantOf(today - dice.whole(40, 1500), dice.whole(480, 900)),
    reaction: [{ manifestation: [concept(reaction, [snomed(reactionSnomed, reaction.en)])] }],
  }
}

function noneKnownOf({ seed, sketch, subject, today }: About): AllergyIntolerance & { id: string } {
  const words = { en: 'No known allergy', ar: 'لا توجد حساسية معروفة' }
  return {
    resourceType: 'AllergyIntolerance',
    id: uuidOf(seed, `allergy/${sketch.index}/none`),
    clinicalStatus: hl7('allergyintolerance-clinical', 'active'),
    verificationStatus: hl7('allergyintolerance-verification', 'confirmed'),
    code: concept(words, [snomed('716186003', words.en)]),
    patient: subject,
    recordedDate: instantOf(today - 30, 600),
  }
}

function conditionOf(
  { seed, sketch, subject }: About,
  illness: Illness,
  key: string,
  about: { onset: string; abatement?: string; encounter?: { reference: string } },
): Condition & { id: string } {
  return {
    resourceType: 'Condition',
    id: uuidOf(seed, `condition/${sketch.index}/${key}`),
    clinicalStatus: hl7('condition-clinical', about.abatement === undefined ? 'active' : 'resolved'),
    verificationStatus: hl7('condition-ver-status', 'confirmed'),
    category: [hl7('condition-category', about.encounter && about.abatement ? 'encounter-diagnosis' : 'problem-list-item')],
    code: concept(illness.name, [snomed(illness.snomed, illness.name.en), { system: ICD10, code: illness.icd10 }]),
    subject,
    onsetDateTime: about.onset,
    ...(about.abatement === undefined ? {} : { abatementDateTime: about.abatement }),
    ...(about.encounter ? { encounter: about.encounter } : {}),
  }
}

function medicationOf(
  { seed, sketch, subject, today }: About,
  name: MedicineName,
  key: string,
  about: { authored: string; status: 'active' | 'completed'; encounter?: { reference: string }; requester?: { reference: string; display: string } },
): MedicationRequest & { id: string } {
  const medicine: Medicine = MEDICINES[name]
  const { dose, unit, words, perDay, asNeeded } = medicine.adult
  const child = sketch.age < 12 && medicine.childPerKg !== undefined
  const weight = vitalsOf(seed, sketch, { day: today, today, fever: false }).weight
  const amount = child ? Math.min(dose, Math.max(1, Math.round(((medicine.childPerKg ?? 0) * weight) / 5) * 5)) : dose
  const shown = unit === '[IU]' ? 'IU' : unit === 'ug' ? 'µg' : unit
  return {
    resourceType: 'MedicationRequest',
    id: uuidOf(seed, `medication/${sketch.index}/${key}/${name}`),
    status: about.status,
    intent: 'order',
    medicationCodeableConcept: concept(medicine.name, [
      { system: RXNORM, code: medicine.rxnorm, display: medicine.name.en },
      { system: ATC, code: medicine.atc },
    ]),
    subject,
    authoredOn: about.authored,
    ...(about.encounter ? { encounter: about.encounter } : {}),
    ...(about.requester ? { requester: about.requester } : {}),
    dosageInstruction: [
      {
        text: `${amount} ${shown} ${words.en}`,
        _text: translation(`${amount} ${shown} ${words.ar}`),
        ...(asNeeded ? { asNeededBoolean: true } : {}),
        ...(perDay === undefined ? {} : { timing: { repeat: { frequency: perDay, period: 1, periodUnit: 'd' } } }),
        doseAndRate: [{ doseQuantity: { value: amount, unit: shown, system: UCUM, code: unit } }],
      } as NonNullable<MedicationRequest['dosageInstruction']>[number],
    ],
  }
}

const CLASSES = { AMB: 'ambulatory', EMER: 'emergency', IMP: 'inpatient encounter' } as const

function placeOf({ class: kind, seenBy }: Visit): Place {
  if (kind === 'EMER') return 'emergency'
  if (kind === 'AMB') return 'clinic'
  return seenBy === 'children' ? 'children' : seenBy === 'women' ? 'women' : 'medical'
}

function visitEntries(about: About, visit: Visit, order: number): DemoEntry[] {
  const { seed, house, sketch, today } = about
  const home = sketch.branch
  const branch = visit.elsewhere ? (house.branches.find((one) => one !== home) ?? home) : home
  const provider = providerOf(house, branch.id, visit.seenBy)
  const id = uuidOf(seed, `encounter/${sketch.index}/${order}`)
  const seen: Seen = {
    ...about,
    visit,
    branch: branch.id,
    encounter: { reference: `Encounter/${id}` },
    practitioner: { reference: `Practitioner/${provider.practitioner ?? ''}`, display: provider.displayName },
    at: (minutes) => instantOf(visit.day, visit.minute + minutes),
  }
  const illness = visit.passing?.name ?? visit.about?.illness.name
  const encounter: Encounter & { id: string } = {
    resourceType: 'Encounter',
    id,
    status: 'finished',
    class: { ...hl7Coding('v3-ActCode', visit.class), display: CLASSES[visit.class] },
    subject: about.subject,
    participant: [{ individual: seen.practitioner }],
    period: { start: seen.at(0), end: seen.at(visit.minutes) },
    reasonCode: [illness ? concept(illness) : conceptOfReason(reasonOf('check-up'))],
    location: [{ location: { reference: `Location/${locationId(seed, branch, placeOf(visit))}` } }],
    serviceProvider: { reference: `Organization/${branch.id}` },
  }
  const fever = visit.passing?.fever ?? false
  const measured = vitalsOf(seed, sketch, { day: visit.day, today, fever })
  const resources: DemoEntry['resource'][] = [encounter, ...vitalResources(seen, id, measured)]
  for (const { key, illness, medicines } of visit.finds) {
    resources.push(conditionOf(seen, illness, key, { onset: seen.at(10), encounter: seen.encounter }))
    for (const name of medicines) {
      resources.push(medicationOf(seen, name, key, { authored: seen.at(15), status: 'active', encounter: seen.encounter, requester: seen.practitioner }))
    }
  }
  if (visit.passing && visit.class !== 'IMP') resources.push(...passingResources(seen, visit.passing))
  visit.samples.forEach(({ panel, afterMinutes }, nth) => {
    resources.push(...sampleResources(seen, panel, afterMinutes, `${order}/${nth}`))
  })
  return resources.map((resource) => ({ resource, branch: branch.id }))
}

function passingResources(seen: Seen, passing: NonNullable<Visit['passing']>): DemoEntry['resource'][] {
  const { sketch, visit, today } = seen
  const over = visit.day + passing.days < today
  const key = `${passing.snomed}/${visit.day}`
  const illnesses = sketch.courses.map((course) => course.key)
  return [
    conditionOf(seen, passing, key, {
      onset: seen.at(0),
      encounter: seen.encounter,
      ...(over ? { abatement: dateOf(visit.day + passing.days) } : {}),
    }),
    ...suitable(passing, { allergens: sketch.allergens, illnesses, age: sketch.age }).map((name) =>
      medicationOf(seen, name, key, { authored: seen.at(20), status: over ? 'completed' : 'active', encounter: seen.encounter, requester: seen.practitioner }),
    ),
  ]
}

const quantity = (value: number, unit: string) => ({ value, unit, system: UCUM, code: unit })

const VITALS: readonly { name: keyof DemoVitals; loinc: string; display: string; unit: string }[] = [
  { name: 'heartRate', loinc: '8867-4', display: 'Heart rate', unit: '/min' },
  { name: 'respiratoryRate', loinc: '9279-1', display: 'Respiratory rate', unit: '/min' },
  { name: 'temperature', loinc: '8310-5', display: 'Body temperature', unit: 'Cel' },
  { name: 'oxygenSaturation', loinc: '2708-6', display: 'Oxygen saturation', unit: '%' },
  { name: 'weight', loinc: '29463-7', display: 'Body weight', unit: 'kg' },
  { name: 'height', loinc: '8302-2', display: 'Body height', unit: 'cm' },
]

function vitalResources(seen: Seen, encounterId: string, measured: DemoVitals): (Observation & { id: string })[] {
  const coded = (code: string, display: string) => ({ coding: [{ system: LOINC, code, display }], text: display })
  const base = (name: string) => ({
    resourceType: 'Observation' as const,
    id: uuidOf(seen.seed, `vital/${encounterId}/${name}`),
    status: 'final' as const,
    category: [hl7('observation-category', 'vital-signs')],
    subject: seen.subject,
    encounter: seen.encounter,
    effectiveDateTime: seen.at(4),
    performer: [seen.practitioner],
  })
  return [
    {
      ...base('pressure'),
      code: coded('85354-9', 'Blood pressure panel'),
      component: [
        { code: coded('8480-6', 'Systolic blood pressure'), valueQuantity: quantity(measured.systolic, 'mm[Hg]') },
        { code: coded('8462-4', 'Diastolic blood pressure'), valueQuantity: quantity(measured.diastolic, 'mm[Hg]') },
      ],
    },
    ...VITALS.map(({ name, loinc, display, unit }) => ({
      ...base(name),
      code: coded(loinc, display),
      valueQuantity: quantity(measured[name], unit),
    })),
  ]
}

function sampleResources(seen: Seen, panelName: keyof typeof PANELS, afterMinutes: number, sample: string): DemoEntry['resource'][] {
  const { seed, sketch, visit, today, house, branch } = seen
  const panel: Panel = PANELS[panelName]
  const infected = visit.passing?.fever ?? false
  const blood = bloodOf(seed, sketch, { day: visit.day, today, infected, sample: `${sketch.index}/${sample}` })
  const values = withDerived(panel.analytes, blood)
  const scientist = userOf(house, branch, 'lab')
  const performer = [{ reference: `Practitioner/${scientist.practitioner ?? ''}`, display: scientist.displayName }]
  const collected = seen.at(afterMinutes)
  const observations = panel.analytes.map((analyte): Observation & { id: string } => {
    const value = values.get(analyte.loinc) ?? 0
    const range = analyte.range(sketch.person.sex, sketch.age)
    const limits = {
      ...(range.low === undefined ? {} : { low: quantity(range.low, analyte.unit) }),
      ...(range.high === undefined ? {} : { high: quantity(range.high, analyte.unit) }),
    }
    return {
      resourceType: 'Observation',
      id: uuidOf(seed, `result/${sketch.index}/${sample}/${analyte.loinc}`),
      status: 'final',
      category: [hl7('observation-category', 'laboratory')],
      code: concept(analyte.name, [{ system: LOINC, code: analyte.loinc, display: analyte.name.en }]),
      subject: seen.subject,
      encounter: seen.encounter,
      effectiveDateTime: collected,
      performer,
      valueQuantity: quantity(value, analyte.unit),
      interpretation: [hl7('v3-ObservationInterpretation', flagOf(value, { range, critical: analyte.critical }) ?? 'N')],
      ...(Object.keys(limits).length > 0 ? { referenceRange: [limits] } : {}),
    }
  })
  const report: DiagnosticReport & { id: string } = {
    resourceType: 'DiagnosticReport',
    id: uuidOf(seed, `report/${sketch.index}/${sample}`),
    status: 'final',
    category: [hl7('v2-0074', 'LAB')],
    code: concept(panel.name, [{ system: LOINC, code: panel.loinc, display: panel.name.en }]),
    subject: seen.subject,
    encounter: seen.encounter,
    effectiveDateTime: collected,
    issued: seen.at(afterMinutes + 55),
    performer,
    result: observations.map(({ id }) => ({ reference: `Observation/${id}` })),
  }
  return [...observations, report]
}
