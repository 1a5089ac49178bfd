import type { CodeableConcept, HumanName, Patient } from '@carespine/fhir/resource'
import { tokenOf } from '@carespine/fhir/search-query'
import type { z } from '@carespine/kit/contract'
import { command, refuse } from '@carespine/kit/module'
import { mrnOf } from '@carespine/pack-core/mrn'
import type { Transaction } from '@carespine/store/contract'
import { type Demographics, MRN_SYSTEM, PatientCreated, type PersonName, registerPatient } from './contract.ts'
import { duplicatesOf } from './find-duplicates.ts'

/** A FHIR HumanName; given names are split at spaces. */
function humanName(name: z.output<typeof PersonName>, use: 'official' | 'usual'): HumanName {
  return { use, family: name.family, given: name.given.split(/\s+/) }
}

/** The FHIR Patient of a registration form. */
function draftPatient(form: z.output<typeof Demographics>, mrn: string): Patient {
  return {
    resourceType: 'Patient',
    active: true,
    identifier: [
      {
        use: 'usual',
        type: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0203', code: 'MR' }] },
        system: MRN_SYSTEM,
        value: mrn,
      },
      ...form.identifiers,
    ],
    name: [humanName(form.name, 'official'), ...(form.nameArabic ? [humanName(form.nameArabic, 'usual')] : [])],
    gender: form.sex,
    birthDate: form.birthDate,
    ...telecomOf(form),
    ...addressOf(form),
    ...(form.maritalStatus === undefined ? {} : { maritalStatus: maritalStatusOf(form.maritalStatus) }),
  }
}

export function maritalStatusOf(code: NonNullable<z.output<typeof Demographics>['maritalStatus']>): CodeableConcept {
  const system = code === 'UNK' ? 'v3-NullFlavor' : 'v3-MaritalStatus'
  return { coding: [{ system: `http://terminology.hl7.org/CodeSystem/${system}`, code }] }
}

export function telecomOf(form: { phone?: string | null | undefined; email?: string | null | undefined }): Pick<Patient, 'telecom'> {
  const telecom = [
    ...(!form.phone ? [] : [{ system: 'phone' as const, use: 'mobile' as const, value: form.phone }]),
    ...(!form.email ? [] : [{ system: 'email' as const, value: form.email }]),
  ]
  return telecom.length > 0 ? { telecom } : {}
}

function addressOf(form: { addressLine?: string | undefined; city?: string | undefined }): Pick<Patient, 'address'> {
  if (form.addressLine === undefined && form.city === undefined) return {}
  return {
    address: [
      {
        use: 'home',
        ...(form.addressLine === undefined ? {} : { line: [form.addressLine] }),
        ...(form.city === undefined ? {} : { city: form.city }),
      },
    ],
  }
}

export async function refuseTakenIdentifiers(
  tx: Transaction,
  identifiers: readonly { system: string; value: string }[],
  except?: string,
): Promise<void> {
  for (const { system, value } of identifiers) {
    const holders = await tx.search('Patient', { identifier: tokenOf(system, value), _count: '2' })
    if (holders.some(({ id }) => id !== except)) refuse('REGISTRATION_IDENTIFIER_TAKEN', { system })
  }
}

export const registerPatientCommand = command(registerPatient, async (form, { tx, actor, now }) => {
  if (form.birthDate > now.toISOString().slice(0, 10)) refuse('REGISTRATION_BIRTH_DATE_FUTURE', { field: 'birthDate' })
  await refuseTakenIdentifiers(tx, form.identifiers)
  // A person is always asked; another system has no one to ask, and says who it is.
  if (form.trustedSource === undefined || actor.kind === 'user') {
    const candidates = (await duplicatesOf(tx, form)).filter(({ patient }) => !form.notDuplicateOf.includes(patient.id))
    if (candidates.length > 0) {
      refuse('REGISTRATION_POSSIBLE_DUPLICATE', { candidates: candidates.map(({ patient }) => patient.id) })
    }
  }
  const [row] = await tx.sql<{ number: string }>("select nextval('registration.mrn_number')::text as number")
  const mrn = mrnOf(Number(row?.number))
  const patient = tx.write(draftPatient(form, mrn))
  tx.emit(PatientCreated, { patientId: patient.id }, { resource: patient })
  return { patientId: patient.id, mrn }
})
