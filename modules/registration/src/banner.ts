import type { Patient } from '@carespine/fhir/resource'
import { query } from '@carespine/kit/module'
import { allergyOf, isActive, statesNoneKnown } from './allergy-summary.ts'
import { Demographics, getBanner, type PatientBanner } from './contract.ts'
import { namesOf, spokenName, summaryOf } from './patient-summary.ts'

function detailsOf(patient: Patient): PatientBanner['details'] {
  const { latin, arabic } = namesOf(patient)
  const parts = (name: typeof latin) =>
    name && { family: name.family ?? spokenName(name), given: (name.given ?? []).join(' ') || '—' }
  const phone = patient.telecom?.find(({ system }) => system === 'phone')?.value
  const email = patient.telecom?.find(({ system }) => system === 'email')?.value
  const address = patient.address?.[0]
  const maritalStatus = Demographics.shape.maritalStatus.safeParse(patient.maritalStatus?.coding?.[0]?.code).data
  return {
    ...(latin ? { name: parts(latin) } : {}),
    ...(arabic ? { nameArabic: parts(arabic) } : {}),
    ...(patient.gender ? { sex: patient.gender } : {}),
    ...(patient.birthDate ? { birthDate: patient.birthDate } : {}),
    ...(phone ? { phone } : {}),
    ...(email ? { email } : {}),
    ...(address?.line ? { addressLine: address.line.join(', ') } : {}),
    ...(address?.city ? { city: address.city } : {}),
    ...(maritalStatus ? { maritalStatus } : {}),
    identifiers: (patient.identifier ?? []).flatMap(({ system, value }) =>
      system && value ? [{ system, value }] : [],
    ),
  }
}

export const getBannerQuery = query(getBanner, async ({ patientId }, { view }) => {
  const [patient, recorded] = await Promise.all([
    view.read('Patient', patientId),
    view.search('AllergyIntolerance', { patient: `Patient/${patientId}`, _count: '200' }),
  ])
  const active = recorded.filter(isActive)
  return {
    patient: summaryOf(patient),
    allergies: active.filter((allergy) => !statesNoneKnown(allergy)).map(allergyOf),
    noKnownAllergies: active.some(statesNoneKnown),
    details: detailsOf(patient),
  }
})
