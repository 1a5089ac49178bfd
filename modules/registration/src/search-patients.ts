import { spanOf } from '@carespine/fhir/dates'
import { query } from '@carespine/kit/module'
import type { SearchInput } from '@carespine/store/contract'
import { pageAcross } from '@carespine/store/page-across'
import { searchPatients } from './contract.ts'
import { plainName } from './likeness.ts'
import { summaryOf } from './patient-summary.ts'

const DATE = /^(\d{4})-(\d{2})(?:-(\d{2}))?$/
const DAY_FIRST = /^(\d{1,2})[/.](\d{1,2})[/.](\d{4})$/

/** What the typed text can mean. Eastern Arabic digits count as digits. */
function readSearchText(text: string): { birthDate?: string; number?: string; words: string[] } {
  const western = text.replace(/[٠-٩]/g, (digit) => String(digit.charCodeAt(0) - 0x660))
  const words: string[] = []
  let birthDate: string | undefined
  let number: string | undefined
  for (const part of western.split(/\s+(?![\d-]*$)|\s+(?=[\d]{4}-)/).filter(Boolean)) {
    const dayFirst = DAY_FIRST.exec(part)
    const day = dayFirst && `${dayFirst[3]}-${dayFirst[2]?.padStart(2, '0')}-${dayFirst[1]?.padStart(2, '0')}`
    if (DATE.test(part) && spanOf(part)) birthDate = part
    else if (day && spanOf(day)) birthDate = day
    else if (/^[+\d][\d\s()-]{2,}$/.test(part)) number = part.replace(/\D/g, '')
    else words.push(...plainName(part).split(' ').filter(Boolean))
  }
  return { ...(birthDate ? { birthDate } : {}), ...(number ? { number } : {}), words }
}

export const searchPatientsQuery = query(searchPatients, async ({ text, limit, cursor }, { view }) => {
  const { birthDate, number, words } = readSearchText(text)
  const base: SearchInput = {
    ...(words.length > 0 ? { name: words } : {}),
    ...(birthDate === undefined ? {} : { birthdate: birthDate }),
  }
  // A number may begin an MRN or another identifier, or be part of a phone number.
  const searches: SearchInput[] =
    number === undefined
      ? [base]
      : [{ ...base, 'identifier:starts-with': number }, ...(number.length >= 4 ? [{ ...base, 'phone:starts-with': number }] : [])]
  const { resources, next } = await pageAcross(view, 'Patient', searches, { limit, cursor })
  const patients = new Map(resources.map((patient) => [patient.id, summaryOf(patient)]))
  return { patients: [...patients.values()], ...(next === undefined ? {} : { next }) }
})
