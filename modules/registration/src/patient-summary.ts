import type { HumanName, Patient, Stored } from '@carespine/fhir/resource'
import { MRN_SYSTEM, type PatientSummary } from './contract.ts'

const ARABIC = /\p{Script=Arabic}/u

export function isArabic(text: string): boolean {
  return ARABIC.test(text)
}

/** A name as one says it: given names, then family name; its `text` when it has no parts. */
export function spokenName(name: HumanName): string {
  const parts = [...(name.given ?? []), name.family ?? ''].filter((part) => part !== '')
  return parts.length > 0 ? parts.join(' ') : (name.text ?? '')
}

/** The current names of a patient, by script. */
export function namesOf(patient: Patient): { latin?: HumanName; arabic?: HumanName } {
  const current = (patient.name ?? []).filter((name) => name.use !== 'old' && name.use !== 'maiden')
  const latin = current.find((name) => spokenName(name) !== '' && !isArabic(spokenName(name)))
  const arabic = current.find((name) => isArabic(spokenName(name)))
  return { ...(latin ? { latin } : {}), ...(arabic ? { arabic } : {}) }
}

/** What lists and banners show of a patient. */
export function summaryOf(patient: Stored<Patient>): PatientSummary {
  const { latin, arabic } = namesOf(patient)
  const mrn =
    patient.identifier?.find(({ system }) => system === MRN_SYSTEM) ??
    patient.identifier?.find(({ type }) => type?.coding?.some(({ code }) => code === 'MR'))
  const phone = patient.telecom?.find(({ system }) => system === 'phone')?.value
  return {
    id: patient.id,
    version: patient.meta.versionId,
    ...(mrn?.value === undefined ? {} : { mrn: mrn.value }),
    name: spokenName(latin ?? arabic ?? {}) || '—',
    ...(arabic ? { nameArabic: spokenName(arabic) } : {}),
    sex: patient.gender ?? 'unknown',
    ...(patient.birthDate === undefined ? {} : { birthDate: patient.birthDate }),
    deceased: patient.deceasedBoolean === true || patient.deceasedDateTime !== undefined,
    ...(phone === undefined ? {} : { phone }),
  }
}
