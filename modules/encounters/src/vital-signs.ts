import type { Observation } from '@carespine/fhir/resource'
import type { Vitals } from './contract.ts'

type Name = keyof Vitals

export interface VitalDefinition {
  /** LOINC, as the FHIR R4 vital signs profile names them. */
  code: string
  display: string
  displayArabic: string
  /** UCUM. */
  unit: string
  /** Beyond these nobody lives or no device measures: a typing error. */
  plausible: { low: number; high: number }
  /** Adult at rest. Royal College of Physicians, National Early Warning Score 2 (2017): values that score 0. */
  band?: { low?: number; high?: number }
}

export const vitalSigns: Readonly<Record<Name, VitalDefinition>> = {
  systolic: { code: '8480-6', display: 'Systolic blood pressure', displayArabic: 'الضغط الانقباضي', unit: 'mm[Hg]', plausible: { low: 30, high: 320 }, band: { low: 111, high: 219 } },
  diastolic: { code: '8462-4', display: 'Diastolic blood pressure', displayArabic: 'الضغط الانبساطي', unit: 'mm[Hg]', plausible: { low: 10, high: 220 } },
  heartRate: { code: '8867-4', display: 'Heart rate', displayArabic: 'معدل النبض', unit: '/min', plausible: { low: 10, high: 350 }, band: { low: 51, high: 90 } },
  respiratoryRate: { code: '9279-1', display: 'Respiratory rate', displayArabic: 'معدل التنفس', unit: '/min', plausible: { low: 2, high: 120 }, band: { low: 12, high: 20 } },
  temperature: { code: '8310-5', display: 'Body temperature', displayArabic: 'درجة الحرارة', unit: 'Cel', plausible: { low: 20, high: 45 }, band: { low: 36.1, high: 38 } },
  oxygenSaturation: { code: '2708-6', display: 'Oxygen saturation', displayArabic: 'تشبع الأكسجين', unit: '%', plausible: { low: 20, high: 100 }, band: { low: 96 } },
  weight: { code: '29463-7', display: 'Body weight', displayArabic: 'الوزن', unit: 'kg', plausible: { low: 0.2, high: 500 } },
  height: { code: '8302-2', display: 'Body height', displayArabic: 'الطول', unit: 'cm', plausible: { low: 20, high: 260 } },
  pain: { code: '72514-3', display: 'Pain severity', displayArabic: 'شدة الألم', unit: '{score}', plausible: { low: 0, high: 10 } },
}

export const BODY_MASS_INDEX = { code: '39156-5', display: 'Body mass index', displayArabic: 'مؤشر كتلة الجسم', unit: 'kg/m2' }
const BLOOD_PRESSURE = { code: '85354-9', display: 'Blood pressure panel' }

/** Names of the values that nobody can have. Diastolic at or above systolic counts. */
export function implausible(vitals: Vitals): Name[] {
  const names = (Object.keys(vitals) as Name[]).filter((name) => {
    const value = vitals[name]
    const { low, high } = vitalSigns[name].plausible
    return value !== undefined && (value < low || value > high)
  })
  const { systolic, diastolic } = vitals
  if (systolic !== undefined && diastolic !== undefined && diastolic >= systolic) names.push('diastolic')
  return [...new Set(names)]
}

/** kg/m², one decimal. */
export function bodyMassIndex(weight: number, height: number): number {
  return Math.round((weight / (height / 100) ** 2) * 10) / 10
}

/** The FHIR Observations of one set of vital signs; both blood pressures go into one. */
export function draftVitals(
  vitals: Vitals,
  about: { patientId: string; encounterId: string; at: string; performer?: string },
): Observation[] {
  const base = {
    resourceType: 'Observation' as const,
    status: 'final' as const,
    category: [
      { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }] },
    ],
    subject: { reference: `Patient/${about.patientId}` },
    encounter: { reference: `Encounter/${about.encounterId}` },
    effectiveDateTime: about.at,
    ...(about.performer === undefined ? {} : { performer: [{ reference: `Practitioner/${about.performer}` }] }),
  }
  const coded = ({ code, display }: { code: string; display: string }) => ({
    code: { coding: [{ system: 'http://loinc.org', code, display }], text: display },
  })
  const quantity = (value: number, unit: string) => ({
    valueQuantity: { value, unit, system: 'http://unitsofmeasure.org', code: unit },
  })
  const pressures = (['systolic', 'diastolic'] as const).filter((name) => vitals[name] !== undefined)
  const singles = (Object.keys(vitalSigns) as Name[]).filter(
    (name) => name !== 'systolic' && name !== 'diastolic' && vitals[name] !== undefined,
  )
  const { weight, height } = vitals
  return [
    ...(pressures.length > 0
      ? [
          {
            ...base,
            ...coded(BLOOD_PRESSURE),
            component: pressures.map((name) => ({
              ...coded(vitalSigns[name]),
              ...quantity(vitals[name] as number, vitalSigns[name].unit),
            })),
          },
        ]
      : []),
    ...singles.map((name) => ({
      ...base,
      ...coded(vitalSigns[name]),
      ...quantity(vitals[name] as number, vitalSigns[name].unit),
    })),
    ...(weight !== undefined && height !== undefined
      ? [{ ...base, ...coded(BODY_MASS_INDEX), ...quantity(bodyMassIndex(weight, height), BODY_MASS_INDEX.unit) }]
      : []),
  ]
}
