import type { z } from '@carespine/kit/contract'
import { query } from '@carespine/kit/module'
import type { Patient, Stored } from '@carespine/fhir/resource'
import { tokenOf } from '@carespine/fhir/search-query'
import type { ReadView, SearchInput } from '@carespine/store/contract'
import { type Demographics, type DuplicateCandidate, findByIdentifier, findDuplicates } from './contract.ts'
import { likeness, type Person, plainName, SUSPICION } from './likeness.ts'
import { namesOf, spokenName, summaryOf } from './patient-summary.ts'

/** A registration form as what is compared. */
function personOf(form: z.output<typeof Demographics>): Person {
  return {
    names: [form.name, form.nameArabic].flatMap((name) => (name ? [`${name.given} ${name.family}`] : [])),
    birthDate: form.birthDate,
    sex: form.sex,
    ...(form.phone === undefined ? {} : { phone: form.phone }),
    identifiers: form.identifiers,
  }
}

function personOfPatient(patient: Patient): Person {
  const { latin, arabic } = namesOf(patient)
  const phone = patient.telecom?.find(({ system }) => system === 'phone')?.value
  return {
    names: [latin, arabic].flatMap((name) => (name ? [spokenName(name)] : [])),
    ...(patient.birthDate === undefined ? {} : { birthDate: patient.birthDate }),
    ...(patient.gender === undefined ? {} : { sex: patient.gender }),
    ...(phone === undefined ? {} : { phone }),
    identifiers: (patient.identifier ?? []).flatMap(({ system, value }) =>
      system !== undefined && value !== undefined ? [{ system, value }] : [],
    ),
  }
}

/** Registered patients who may be the person on the form, most alike first, at most ten. */
export async function duplicatesOf(view: ReadView, form: z.output<typeof Demographics>): Promise<DuplicateCandidate[]> {
  const found = new Map<string, Stored<Patient>>()
  const collect = async (search: SearchInput): Promise<void> => {
    for (const patient of await view.search('Patient', { ...search, _count: '50' })) found.set(patient.id, patient)
  }
  // Blocking, as in record linkage: whoever shares none of these is not compared.
  const words = personOf(form).names.map((name) => plainName(name).split(' ').filter(Boolean))
  await Promise.all([
    ...form.identifiers.map(({ system, value }) => collect({ identifier: tokenOf(system, value) })),
    collect({ birthdate: form.birthDate }),
    ...(form.phone === undefined ? [] : [collect({ phone: form.phone })]),
    ...words.map((name) => collect({ name: [name[0] ?? '', name.at(-1) ?? ''].map((word) => word.slice(0, 3)) })),
  ])
  const person = personOf(form)
  return [...found.values()]
    .map((patient) => ({ patient: summaryOf(patient), ...likeness(person, personOfPatient(patient)) }))
    .filter(({ score }) => score >= SUSPICION)
    .sort((a, b) => b.score - a.score)
    .slice(0, 10)
}

export const findDuplicatesQuery = query(findDuplicates, async (form, { view }) => ({
  candidates: await duplicatesOf(view, form),
}))

export const findByIdentifierQuery = query(findByIdentifier, async ({ system, value }, { view }) => {
  const patients = await view.search('Patient', { identifier: tokenOf(system, value), _count: '2' })
  const [only] = patients
  return patients.length === 1 && only ? { patient: summaryOf(only) } : {}
})
