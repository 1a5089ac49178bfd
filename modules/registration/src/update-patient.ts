import { isDeepStrictEqual } from 'node:util'
import type { Address, ContactPoint, HumanName, Identifier, Patient } from '@carespine/fhir/resource'
import type { z } from '@carespine/kit/contract'
import { command, refuse } from '@carespine/kit/module'
import { MRN_SYSTEM, PatientUpdated, updatePatient } from './contract.ts'
import { namesOf, spokenName } from './patient-summary.ts'
import { maritalStatusOf, refuseTakenIdentifiers, telecomOf } from './register-patient.ts'

type Changes = z.output<typeof updatePatient.input>

const isSame = (one: unknown, other: unknown): boolean => isDeepStrictEqual(one, other)

/** A name with what the form gives of it; prefixes and other parts stay. `text` goes: it would say the old name. */
function changedName(known: HumanName, change: NonNullable<Changes['nameArabic']>): HumanName {
  const { text: _old, family: oldFamily, given: oldGiven, ...rest } = known
  const family = change.family ?? oldFamily ?? (spokenName(known) || undefined)
  const given = change.given === undefined ? oldGiven : change.given === null ? undefined : change.given.split(/\s+/)
  if (family === oldFamily && isSame(given, oldGiven)) return known
  return { ...rest, ...(family === undefined ? {} : { family }), ...(given ? { given } : {}) }
}

function changedNames(patient: Patient, { name, nameArabic }: Changes): HumanName[] {
  const { latin, arabic } = namesOf(patient)
  const changed = (patient.name ?? []).flatMap((known) => {
    const change = known === latin ? name : known === arabic ? nameArabic : undefined
    return change === null ? [] : change ? [changedName(known, change)] : [known]
  })
  return [
    ...(name && !latin ? [changedName({ use: 'official' }, name)] : []),
    ...changed,
    ...(nameArabic && !arabic ? [changedName({ use: 'usual' }, nameArabic)] : []),
  ]
}

function changedTelecom(known: readonly ContactPoint[], { phone, email }: Changes): ContactPoint[] {
  const values = { phone, email }
  const changeOf = ({ system, use }: ContactPoint) =>
    // The number at work is another field of a form than this one.
    system === 'email' || (system === 'phone' && use !== 'work') ? values[system] : undefined
  const kept = known.filter((point) => changeOf(point) === undefined || changeOf(point) === point.value)
  const isKept = ({ system, value }: ContactPoint): boolean => kept.some((point) => point.system === system && point.value === value)
  return [...(telecomOf(values).telecom ?? []).filter((point) => !isKept(point)), ...kept]
}

/** The first address is the one that screens show: its line and city change in place, the rest of it stays. */
function changedAddresses(known: readonly Address[], { addressLine, city }: Changes): Address[] {
  if (addressLine === undefined && city === undefined) return [...known]
  if (addressLine === null && city === null) return []
  const [first = { use: 'home' } as Address, ...others] = known
  const { text: _old, line: oldLine, city: oldCity, ...rest } = first
  const isSameLine = addressLine === undefined || addressLine === oldLine?.join(', ')
  const line = isSameLine ? oldLine : addressLine === null ? undefined : [addressLine]
  const nextCity = city === undefined ? oldCity : (city ?? undefined)
  if (isSameLine && nextCity === oldCity) return [...known]
  return [{ ...rest, ...(line ? { line } : {}), ...(nextCity ? { city: nextCity } : {}) }, ...others]
}

function changedIdentifiers(known: readonly Identifier[], { identifiers, withoutIdentifiers }: Changes): Identifier[] {
  const given = identifiers.filter(({ system }) => system !== MRN_SYSTEM)
  const kept = known.filter((one) => {
    if (one.system === MRN_SYSTEM) return true
    const others = given.filter(({ system }) => system === one.system)
    return others.length > 0 ? others.some(({ value }) => value === one.value) : !withoutIdentifiers.includes(one.system ?? '')
  })
  return [...kept, ...given.filter((one) => !kept.some(({ system, value }) => system === one.system && value === one.value))]
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
  const isKnownStatus = maritalStatus !== null && patient.maritalStatus?.coding?.some(({ code }) => code === maritalStatus)
  put('maritalStatus', isKnownStatus ? undefined : maritalStatus && maritalStatusOf(maritalStatus))
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
  if (isSame(changed, patient)) return { version: patient.meta.versionId }
  const updated = tx.write(changed)
  tx.emit(PatientUpdated, { patientId: updated.id }, { resource: updated })
  return { version: updated.meta.versionId }
})
