import type { Practitioner } from '@carespine/fhir/resource'
import { isArabic, spokenName } from '@carespine/registration/patient-summary'

/** What a practitioner is called, with the title, in either script. */
export function practitionerName({ name = [] }: Practitioner): { name: string; nameArabic?: string } {
  const called = name.map((one) => [...(one.prefix ?? []), spokenName(one)].join(' ').trim()).filter((text) => text !== '')
  const latin = called.find((text) => !isArabic(text))
  const arabic = called.find(isArabic)
  return { name: latin ?? arabic ?? '—', ...(arabic === undefined ? {} : { nameArabic: arabic }) }
}
