import type { ContactPoint, Patient } from '@carespine/fhir/resource'
import type { z } from '@carespine/kit/contract'
import { command, refuse } from '@carespine/kit/module'
import { MRN_SYSTEM, PatientUpdated, updatePatient } from './contract.ts'
import { isArabic, spokenName } from './patient-summary.ts'
import { addressOf, humanName, refuseTakenIdentifiers, telecomOf } from './register-patient.ts'

type Changes = z.output<typeof updatePatient.input>

/** The patient with what the form gives; everything else, extensions included, stays as it was. */
function applyChanges<P extends Patient>(patient: P, changes: Changes): P {
  const { name, nameArabic, sex, birthDate, phone, email, identifiers } = changes
  const kept = (patient.name ?? []).filter((known) => {
    const arabic = isArabic(spokenName(known))
    return known.use === 'old' || (arabic ? nameArabic === undefined : name === undefined)
  })
  const names = [
    ...(name ? [humanName(name, 'official')] : []),
    ...(nameArabic ? [humanName(nameArabic, 'usual')] : []),
    ...kept,
  ]
  const replaced = (point: ContactPoint): boolean =>
    (phone !== undefined && point.system === 'phone') || (email !== undefined && point.system === 'email')
  const telecom = [
    ...(telecomOf({ phone, email }).telecom ?? []),
    ...(patient.telecom ?? []).filter((point) => !replaced(point)),
  ]
  const others = (patient.identifier ?? []).filter(
    (known) => known.system === MRN_SYSTEM || !identifiers?.some(({ system }) => system === known.system),
  )
  const address = addressOf(changes).address ?? patient.address
  return {
    ...patient,
    ...(names.length > 0 ? { name: names } : {}),
    ...(sex === undefined ? {} : { gender: sex }),
    ...(birthDate === undefined ? {} : { birthDate }),
    ...(telecom.length > 0 ? { telecom } : {}),
    ...(address ? { address } : {}),
    ...(identifiers ? { identifier: [...others, ...identifiers.filter(({ system }) => system !== MRN_SYSTEM)] } : {}),
  }
}

export const updatePatientCommand = command(updatePatient, async (changes, { tx, now }) => {
  const patient = await tx.read('Patient', changes.patientId)
  if (changes.version !== undefined && changes.version !== patient.meta.versionId) {
    refuse('RECORD_VERSION_CONFLICT', { current: patient.meta.versionId })
  }
  if (changes.birthDate !== undefined && changes.birthDate > now.toISOString().slice(0, 10)) {
    refuse('REGISTRATION_BIRTH_DATE_FUTURE', { field: 'birthDate' })
  }
  await refuseTakenIdentifiers(tx, changes.identifiers ?? [], patient.id)
  const updated = tx.write(applyChanges(patient, changes))
  tx.emit(PatientUpdated, { patientId: updated.id }, { resource: updated })
  return { version: updated.meta.versionId }
})
