import type { z } from '@carespine/kit/contract'
import { Demographics, MRN_SYSTEM, type registerPatient, type updatePatient } from '@carespine/registration/contract'
import { type Fault, fault } from './acknowledge.ts'
import type { Message, Segment } from './message.ts'
import { isoDate, timeOf } from './message-times.ts'

export interface PatientId {
  system: string
  value: string
}

/** What PID says about the person beside the identifiers: a number typed wrongly is often somebody else's. */
export interface Person {
  families: string[]
  birthDate?: string
}

type Changes = Omit<z.input<typeof updatePatient.input>, 'patientId' | 'version'>

/** What an ADT message asks for. */
export interface Admission {
  event: 'A01' | 'A03' | 'A04' | 'A08'
  identifiers: PatientId[]
  person: Person
  /** What PID says of the person; an empty field says nothing, HL7's null (`""`) deletes. */
  changes: Changes
  visit?: { system: string; value: string }
  class: 'AMB' | 'EMER' | 'IMP'
  start?: string
  end?: string
}

// Names of senders and givers may hold spaces and any letter; a URI may not.
const inUri = (name: string): string => name.replace(/[^\w./:-]/gu, encodeURIComponent)

const MOST_IDENTIFIERS = 20

const systemOf = (authority: string): string =>
  authority === '' || authority.toUpperCase() === 'CARESPINE' ? MRN_SYSTEM : `urn:hl7v2:${inUri(authority)}`

export function identifiersOf(pid: Segment): PatientId[] {
  return pid
    .repetitions(3)
    .slice(0, MOST_IDENTIFIERS)
    .map((_text, at) => ({ system: systemOf(pid.get(3, 4, at)), value: pid.get(3, 1, at) }))
    .filter(({ value }) => value !== '' && value.length <= 64)
}

export function personOf(pid: Segment): Person {
  const birthDate = isoDate(pid.get(7))
  return {
    families: pid.repetitions(5).flatMap((_text, at) => pid.get(5, 1, at) || []),
    ...(birthDate ? { birthDate } : {}),
  }
}

const sexes: Readonly<Record<string, 'male' | 'female' | 'other' | 'unknown'>> = { M: 'male', F: 'female', O: 'other', A: 'other', N: 'other', U: 'unknown' }
const classes: Readonly<Record<string, Admission['class']>> = { I: 'IMP', E: 'EMER', O: 'AMB' }

/** HL7 table 0002 in the codes of FHIR's marital-status value set; what has no equal there is unknown. */
const maritalStatuses: Readonly<Record<string, Changes['maritalStatus']>> = { A: 'L', B: 'U', D: 'D', E: 'L', I: 'I', M: 'M', N: 'A', P: 'T', R: 'T', S: 'S', W: 'W' }

/** Reads PID and PV1 of an ADT message; undefined when something is wrong, which `faults` then names. */
export function admissionOf(message: Message, pid: Segment, zone: string, faults: Fault[]): Admission | undefined {
  const event = message.header.get(9, 2) as Admission['event']
  const identifiers = identifiersOf(pid)
  const changes: Changes = {
    ...identifierChanges(pid, identifiers, faults),
    ...nameChanges(pid, event, faults),
    ...birthDateChange(pid, faults),
    ...simpleChange('sex', pid, 8, (code) => sexes[code.toUpperCase()]),
    ...addressChanges(pid),
    ...telecomChanges(pid),
    ...simpleChange('maritalStatus', pid, 16, (code) => maritalStatuses[code.toUpperCase()] ?? 'UNK'),
  }
  const pv1 = message.first('PV1')
  const visit = pv1?.get(19) ?? ''
  const start = pv1 && timeOf(pv1, 44, zone, faults)
  const end = pv1 && timeOf(pv1, 45, zone, faults)
  if (faults.length > 0) return undefined
  return {
    event,
    identifiers,
    person: personOf(pid),
    changes,
    ...(visit ? { visit: { system: `urn:hl7v2:${inUri(message.sender)}:visit`, value: visit.slice(0, 64) } } : {}),
    class: classes[pv1?.get(2).toUpperCase() ?? ''] ?? 'AMB',
    ...(start ? { start } : {}),
    ...(end ? { end } : {}),
  }
}

/** The registration form of somebody who is not on record; undefined when the message says too little for it. */
export function registrationOf({ changes, identifiers }: Admission, sender: string): z.input<typeof registerPatient.input> | undefined {
  const { name, nameArabic, birthDate, sex, phone, email, addressLine, city, maritalStatus } = changes
  const full = (part: Changes['name'] | null) => {
    const word = part?.family ?? part?.given
    return part && word ? { family: word, given: part.given ?? '-' } : undefined
  }
  const [latin, arabic] = [full(name), full(nameArabic)]
  const spoken = latin ?? arabic
  if (!spoken || !birthDate) return undefined
  return {
    name: spoken,
    ...(latin && arabic ? { nameArabic: arabic } : {}),
    sex: sex ?? 'unknown',
    birthDate,
    ...(phone ? { phone } : {}),
    ...(email ? { email } : {}),
    ...(addressLine ? { addressLine } : {}),
    ...(city ? { city } : {}),
    ...(maritalStatus ? { maritalStatus } : {}),
    identifiers: othersOf(identifiers),
    trustedSource: sender.slice(0, 60),
  }
}

const othersOf = (identifiers: readonly PatientId[]): PatientId[] => identifiers.filter(({ system }) => system !== MRN_SYSTEM).slice(0, 10)

function simpleChange<K extends 'sex' | 'maritalStatus'>(key: K, pid: Segment, field: number, meaning: (code: string) => Changes[K]): Pick<Changes, K> {
  const code = pid.get(field)
  const value = pid.isNull(field) ? null : code === '' ? undefined : meaning(code)
  return (value === undefined ? {} : { [key]: value }) as Pick<Changes, K>
}

function identifierChanges(pid: Segment, identifiers: readonly PatientId[], faults: Fault[]): Changes {
  const gone = pid
    .repetitions(3)
    .slice(0, MOST_IDENTIFIERS)
    .flatMap((_text, at) => (pid.isNull(3, 1, at) ? systemOf(pid.get(3, 4, at)) : []))
  if (gone.includes(MRN_SYSTEM)) faults.push(fault('AE', 'PID', 3, '101', 'The MRN cannot be deleted.'))
  else if (identifiers.length === 0) faults.push(fault('AE', 'PID', 3, '101', 'Give at least one patient identifier.'))
  if (pid.repetitions(3).length > MOST_IDENTIFIERS) faults.push(fault('AE', 'PID', 3, '102', `Give at most ${MOST_IDENTIFIERS} patient identifiers.`))
  return { identifiers: othersOf(identifiers), ...(gone.length > 0 ? { withoutIdentifiers: gone } : {}) }
}

/** HL7 table 0200: names by which a person is not registered. */
const otherNames = ['A', 'M', 'N', 'P', 'S', 'T']

function nameChanges(pid: Segment, event: Admission['event'], faults: Fault[]): Changes {
  const names = pid.repetitions(5).map((_text, at) => {
    const given = [pid.get(5, 2, at), pid.get(5, 3, at)].filter(Boolean).join(' ').slice(0, 120)
    return {
      isNull: pid.isNull(5, 1, at),
      isOther: otherNames.includes(pid.get(5, 7, at).toUpperCase()),
      family: pid.get(5, 1, at).slice(0, 80),
      given: given === '' && pid.isNull(5, 2, at) ? null : given,
    }
  })
  const written = names.filter(({ family, given }) => family !== '' || given)
  const isArabic = ({ family, given }: (typeof names)[number]) => /\p{Script=Arabic}/u.test(family + (given ?? ''))
  const best = (found: typeof names) => found.find(({ isOther }) => !isOther) ?? found[0]
  const [latin, arabic] = [best(written.filter((name) => !isArabic(name))), best(written.filter(isArabic))]
  // Beside the name a null repetition takes the one in Arabic script away; nothing takes the name itself away.
  const takesArabic = latin !== undefined && arabic === undefined && names.some(({ isNull, given }) => isNull && !given)
  if (names.some(({ isNull }) => isNull) && !takesArabic) faults.push(fault('AE', 'PID', 5, '101', 'The family name cannot be deleted.'))
  else if (!latin && !arabic && (event === 'A01' || event === 'A04')) faults.push(fault('AE', 'PID', 5, '101', 'Give the name of the patient.'))
  const change = ({ family, given }: (typeof names)[number]) => ({ ...(family ? { family } : {}), ...(given === '' ? {} : { given }) })
  return {
    ...(latin ? { name: change(latin) } : {}),
    ...(arabic ? { nameArabic: change(arabic) } : takesArabic ? { nameArabic: null } : {}),
  }
}

function birthDateChange(pid: Segment, faults: Fault[]): Changes {
  if (pid.isNull(7)) return { birthDate: null }
  const text = pid.get(7)
  const birthDate = isoDate(text)
  if (text !== '' && !birthDate) faults.push(fault('AE', 'PID', 7, '102', 'Give the birth date as YYYYMMDD.'))
  return birthDate ? { birthDate } : {}
}

/** HL7 table 0190: places where a person does not live. */
const otherAddresses = ['B', 'BA', 'BDL', 'BI', 'BR', 'F', 'N', 'O', 'RH', 'S']

function addressChanges(pid: Segment): Changes {
  const all = pid.repetitions(11).map((_text, at) => at)
  const at = all.find((one) => !otherAddresses.includes(pid.get(11, 7, one).toUpperCase())) ?? 0
  const part = (component: number, most: number) => (pid.isNull(11, component, at) ? null : pid.get(11, component, at).slice(0, most) || undefined)
  const [addressLine, city] = [part(1, 200), part(3, 80)]
  return { ...(addressLine === undefined ? {} : { addressLine }), ...(city === undefined ? {} : { city }) }
}

/** HL7 table 0202: equipment that nobody speaks into. */
const noPhones = ['FX', 'MD', 'BP', 'TDD', 'TTY', 'INTERNET', 'X.400']

function telecomChanges(pid: Segment): Changes {
  const all = pid.repetitions(13).map((_text, at) => at)
  const phones = all.filter((at) => pid.get(13, 2, at).toUpperCase() !== 'NET' && !noPhones.includes(pid.get(13, 3, at).toUpperCase()))
  const phone = phones.map((at) => phoneOf(pid, at)).find((number) => Demographics.shape.phone.safeParse(number).success && number !== '')
  const email = all.map((at) => pid.get(13, 4, at)).find((address) => address !== '' && Demographics.shape.email.safeParse(address).success)
  const losesPhone = phone === undefined && phones.some((at) => pid.isNull(13, 1, at))
  const losesEmail = email === undefined && all.some((at) => pid.isNull(13, 4, at) && !pid.isNull(13, 5, at))
  return {
    ...(phone ? { phone } : losesPhone ? { phone: null } : {}),
    ...(email ? { email } : losesEmail ? { email: null } : {}),
  }
}

/** The number of an XTN: as it is written (XTN-1, before its extension), unformatted (XTN-12), or in parts (XTN-5 to 7). */
function phoneOf(pid: Segment, at: number): string {
  const written = /^[\d\s+().-]*/.exec(pid.get(13, 1, at))?.[0] || pid.get(13, 12, at)
  const parts = [5, 6, 7].map((part) => pid.get(13, part, at))
  const text = written || (parts[2] === '' ? '' : `${parts[0] && !parts[0].startsWith('+') ? '+' : ''}${parts.filter(Boolean).join(' ')}`)
  return text.replace(/[().]/g, ' ').replace(/\s+/g, ' ').trim().slice(0, 30)
}
