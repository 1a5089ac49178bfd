import type { z } from '@carespine/kit/contract'
import { query } from '@carespine/kit/module'
import type { HumanName, Patient, Stored } from '@carespine/fhir/resource'
import { tokenOf } from '@carespine/fhir/search-query'
import type { ReadView, SearchInput } from '@carespine/store/contract'
import { type Demographics, type DuplicateCandidate, findByIdentifier, findDuplicates, matchPatient } from './contract.ts'
import { likeness, type Person, plainName } from './likeness.ts'
import { summaryOf } from './patient-summary.ts'

/** A registration form as what is compared. */
function personOf(form: z.output<typeof Demographics>): Person {
  const { addressLine: line, city } = form
  return {
    names: [form.name, form.nameArabic].flatMap((name) => name ?? []),
    birthDate: form.birthDate,
    sex: form.sex,
    phones: form.phone === undefined ? [] : [form.phone],
    emails: form.email === undefined ? [] : [form.email],
    identifiers: form.identifiers,
    addresses: line === undefined && city === undefined ? [] : [{ ...(line === undefined ? {} : { line }), ...(city === undefined ? {} : { city }) }],
  }
}

/** Given and family name; a name that is only written out ends with the family name. */
function partsOf(name: HumanName): Person['names'][number] {
  if (name.family !== undefined || name.given !== undefined) return { given: (name.given ?? []).join(' '), family: name.family ?? '' }
  const words = (name.text ?? '').trim().split(/\s+/)
  return { given: words.slice(0, -1).join(' '), family: words.at(-1) ?? '' }
}

function personOfPatient({ name, birthDate, gender, telecom, identifier, address }: Patient): Person {
  const contacts = (wanted: 'phone' | 'email'): string[] => (telecom ?? []).flatMap(({ system, value }) => (system === wanted && value !== undefined ? [value] : []))
  return {
    // Names that were given up count as well: somebody may still go by one elsewhere.
    names: (name ?? []).map(partsOf).filter(({ given, family }) => given !== '' || family !== ''),
    ...(birthDate === undefined ? {} : { birthDate }),
    ...(gender === undefined ? {} : { sex: gender }),
    phones: contacts('phone'),
    emails: contacts('email'),
    identifiers: (identifier ?? []).flatMap(({ system, value }) => (system !== undefined && value !== undefined ? [{ system, value }] : [])),
    addresses: (address ?? []).map(({ line, city, postalCode }) => ({
      ...(line ? { line: line.join(' ') } : {}),
      ...(city === undefined ? {} : { city }),
      ...(postalCode === undefined ? {} : { postalCode }),
    })),
  }
}

/** Day and month changed about, where that is a date. */
function swapped(birthDate: string): string | undefined {
  const [year, month = '', day = ''] = birthDate.split('-')
  return Number(day) >= 1 && Number(day) <= 12 && day !== month ? `${year}-${day}-${month}` : undefined
}

/**
 * Searches that between them find whoever is worth comparing: blocking, as in record linkage. Whoever shares none of
 * these with the person is not compared.
 */
function blocksOf({ names, birthDate, phones, emails, identifiers, addresses }: Person): SearchInput[] {
  const beginnings = names.map(({ given, family }) => [given, family].map((part) => plainName(part).slice(0, 3).trim()).filter(Boolean))
  const other = birthDate === undefined ? undefined : swapped(birthDate)
  return [
    ...identifiers.map(({ system, value }) => ({ identifier: tokenOf(system, value), _count: '50' })),
    ...(birthDate === undefined ? [] : [{ birthdate: birthDate, _count: '500' }]),
    ...(other === undefined ? [] : [{ birthdate: other, _count: '100' }]),
    ...phones.map((phone) => ({ phone, _count: '100' })),
    ...emails.map((email) => ({ email, _count: '100' })),
    ...beginnings.map((parts) => ({ name: parts, _count: '200' })),
    ...(birthDate === undefined ? [] : beginnings.flatMap((parts) => parts.map((name) => ({ name, birthdate: birthDate.slice(0, 7), _count: '200' })))),
    ...addresses.flatMap(({ postalCode }) =>
      postalCode === undefined ? [] : beginnings.flatMap((parts) => parts.map((name) => ({ name, 'address-postalcode': postalCode, _count: '100' }))),
    ),
  ]
}

const isMerged = ({ link }: Patient): boolean => link?.some(({ type }) => type === 'replaced-by') === true

/** Registered patients who may be the person, most alike first. */
async function alike(view: ReadView, person: Person, limit: number): Promise<DuplicateCandidate[]> {
  const found = new Map<string, Stored<Patient>>()
  await Promise.all(
    blocksOf(person).map(async (search) => {
      for (const patient of await view.search('Patient', search)) found.set(patient.id, patient)
    }),
  )
  return [...found.values()]
    .filter((patient) => !isMerged(patient))
    .flatMap((patient) => {
      const { score, grade, reasons } = likeness(person, personOfPatient(patient))
      return grade === 'certainly-not' ? [] : [{ patient: summaryOf(patient), score, grade, reasons }]
    })
    .sort((a, b) => b.score - a.score)
    .slice(0, limit)
}

/** Registered patients who may be the person on the form, most alike first, at most ten. */
export async function duplicatesOf(view: ReadView, form: z.output<typeof Demographics>): Promise<DuplicateCandidate[]> {
  return await alike(view, personOf(form), 10)
}

export const findDuplicatesQuery = query(findDuplicates, async (form, { view }) => ({
  candidates: await duplicatesOf(view, form),
}))

export const matchPatientQuery = query(matchPatient, async ({ patient, onlyCertain, limit }, { view }) => {
  const candidates = await alike(view, personOfPatient(patient), limit)
  if (!onlyCertain) return { candidates }
  const certain = candidates.filter(({ grade }) => grade === 'certain')
  return { candidates: certain.length === 1 ? certain : [] }
})

export const findByIdentifierQuery = query(findByIdentifier, async ({ system, value }, { view }) => {
  const patients = await view.search('Patient', { identifier: tokenOf(system, value), _count: '2' })
  const [only] = patients
  return patients.length === 1 && only ? { patient: summaryOf(only) } : {}
})
