import { isDeepStrictEqual } from 'node:util'
import type { Address, ContactPoint, HumanName, Identifier, Patient } from '@carespine/fhir/resource'
import type { z } from '@carespine/kit/contract'
import { command, refuse } from '@carespine/kit/module'
import { MRN_SYSTEM, PatientUpdated, updatePatient } from './contract.ts'
import { namesOf, spokenName } from './patient-summary.ts'
import { maritalStatusOf, refuseTakenIdentifiers, telecomOf } from './register-patient.ts'

type Changes = z.output<typeof updatePatient.input>

/** A name with what the form gives of it; prefixes and other parts stay. `text` goes: it would say the old name. */
function changedName(known: HumanName | undefined, change: NonNullable<Changes['nameArabic']>, use: 'official' | 'usual'): HumanName {
  const { text: _old, given: _given, ...rest } = known ?? {}
  const family = change.family ?? known?.family ?? (known ? spokenName(known) : undefined)
  const given = change.given === undefined ? known?.given : change.given === null ? undefined : change.given.split(/\s+/)
  return { use, ...rest, ...(family === undefined ? {} : { family }), ...(given ? { given } : {}) }
}

function changedNames(patient: Patient, { name, nameArabic }: Changes): HumanName[] {
  const { latin, arabic } = namesOf(patient)
  const kept = (patient.name ?? []).filter((known) => !(name !== undefined && known === latin) && !(nameArabic !== undefined && known === arabic))
  return [
    ...(name ? [changedName(latin, name, 'official')] : []),
    ...(nameArabic ? [changedName(arabic, nameArabic, 'usual')] : []),
    ...kept,
  ]
}

function changedTelecom(known: readonly ContactPoint[], { phone, email }: Changes): ContactPoint[] {
  // The number at work is another field of a form than this one.
  const isReplaced = ({ system, use }: ContactPoint): boolean =>
    (phone !== undefined && system === 'phone' && use !== 'work') || (email !== undefined && system === 'email')
  return [...(telecomOf({ phone, email }).telecom ?? []), ...known.filter((point) => !isReplaced(point))]
}

/** The first address is the one that screens show: its line and city change in place, the rest of it stays. */
function changedAddresses(known: readonly Address[], { addressLine, city }: Changes): Address[] {
  if (addressLine === undefined && city === undefined) return [...known]
  if (addressLine === null && city === null) return []
  const [{ text: _old, line: oldLine, city: oldCity, ...rest } = { use: 'home' } as Address, ...others] = known
  const line = addressLine === undefined ? oldLine : addressLine === null ? undefined : [addressLine]
  const nextCity = city === undefined ? oldCity : city
  return [{ ...rest, ...(line ? { line } : {}), ...(nextCity ? { city: nextCity } : {}) }, ...others]
}

function changedIdentifiers(known: readonly Identifier[], { identifiers, withoutIdentifiers }: Changes): Identifier[] {
  const given = identifiers.filter(({ system }) => system !== MRN_SYSTEM)
  const gone = new Set([...withoutIdentifiers, ...given.map(({ system }) => system)])
  return [...known.filter(({ system }) => system === MRN_SYSTEM || !gone.has(system ?? '')), ...given]
}

/** The patient with what the form gives, without what it deletes; everything else, extensions included, stays. */
export function applyChanges<P extends Patient>(patient: P, changes: Changes): P {
  const { sex, birthDate, maritalStatus } = changes
  const changed: P = { ...patient }
  const put = <K extends keyof Patient>(key: K, value: Patient[K] | null): void => {
    if (value === null || (Array.isArray(value) && value.length === 0)) delete changed[key]
    else if (value !== undefined) Object.assign(changed, { [key]: value })
  }
  put('name', changedNames(patient, changes))
  put('gender', sex)
  put('birthDate', birthDate)
  put('telecom', changedTelecom(patient.telecom ?? [], changes))
  put('address', changedAddresses(patient.address ?? [], changes))
  put('maritalStatus', maritalStatus && maritalStatusOf(maritalStatus))
  put('identifier', changedIdentifiers(patient.identifier ?? [], changes))
  return changed
}

export const updatePatientCommand = command(updatePatient, async (changes, { tx, now }) => {
  const patient = await tx.read('Patient', changes.patientId)
  if (changes.version !== undefined && changes.version !== patient.meta.versionId) {
    refuse('RECORD_VERSION_CONFLICT', { current: patient.meta.versionId })
  }
  if (typeof changes.birthDate === 'string' && changes.birthDate > now.toISOString().slice(0, 10)) {
    refuse('REGISTRATION_BIRTH_DATE_FUTURE', { field: 'birthDate' })
  }
  await refuseTakenIdentifiers(tx, changes.identifiers, patient.id)
  const changed = applyChanges(patient, changes)
  // Other systems send the whole patient with every message: what says nothing different is no version.
  if (isDeepStrictEqual(changed, patient)) return { version: patient.meta.versionId }
  const updated = tx.write(changed)
  tx.emit(PatientUpdated, { patientId: updated.id }, { resource: updated })
  return { version: updated.meta.versionId }
})
