import type { z } from '@carespine/kit/contract'
import { MRN_SYSTEM, type registerPatient } from '@carespine/registration/contract'
import type { Fault } from './acknowledge.ts'
import { isoDate, isoTime, type Message, type Segment } from './message.ts'

export interface PatientId {
  system: string
  value: string
}

/** What PID says about the person beside the identifiers: a number typed wrongly is often somebody else's. */
export interface Person {
  families: string[]
  birthDate?: string
}

/** What an ADT message asks for. */
export interface Admission {
  event: 'A01' | 'A03' | 'A04' | 'A08'
  identifiers: PatientId[]
  person: Person
  /** PID-8 says something; else what is known stays. */
  givesSex: boolean
  form: z.input<typeof registerPatient.input>
  visit?: { system: string; value: string }
  class: 'AMB' | 'EMER' | 'IMP'
  start?: string
  end?: string
}

/** One OBR of an ORU message with its results. */
export interface ResultGroup {
  identifiers: PatientId[]
  person: Person
  orderNumber?: string
  accession?: string
  panel?: string
  status: 'preliminary' | 'final' | 'corrected'
  observedAt?: string
  items: { code: string; isLoinc: boolean; value?: number; text?: string; unit?: string }[]
}

export type Mapped = { kind: 'admission'; admission: Admission } | { kind: 'results'; groups: ResultGroup[] }

/** Panels by the codes that analysers and older systems use in OBR-4. */
const panelCodes: Readonly<Record<string, string>> = { cbc: 'cbc', fbc: 'cbc', bmp: 'bmp', cmp: 'cmp', chem7: 'bmp', chem8: 'bmp' }
/** Analytes by the short names that are printed on analysers. */
const analyteCodes: Readonly<Record<string, string>> = {
  WBC: '6690-2', RBC: '789-8', HGB: '718-7', HB: '718-7', HCT: '4544-3', MCV: '787-2', MCH: '785-6', MCHC: '786-4', RDW: '788-0', PLT: '777-3',
  NA: '2951-2', K: '2823-3', CL: '2075-0', CO2: '2028-9', GLU: '2345-7', BUN: '3094-0', CREA: '2160-0', CRE: '2160-0', CA: '17861-6',
  TP: '2885-2', ALB: '1751-7', TBIL: '1975-2', ALP: '6768-6', ALT: '1742-6', AST: '1920-8',
}

const fault = (kind: Fault['kind'], segment: string, field: number, code: Fault['code'], text: string, sequence?: number): Fault => ({
  kind,
  segment,
  field,
  code,
  text,
  ...(sequence === undefined ? {} : { sequence }),
})

/** Faults of the header: what this system cannot take at all, and what it cannot answer. */
export function headerFaults(message: Message): Fault[] {
  const { header } = message
  const faults: Fault[] = []
  const [type, event] = [header.get(9, 1), header.get(9, 2)]
  if (type === '') faults.push(fault('AE', 'MSH', 9, '101', 'Give the message type in MSH-9.'))
  else if (type !== 'ADT' && type !== 'ORU') faults.push(fault('AR', 'MSH', 9, '200', 'ADT and ORU messages are taken here.'))
  else if (!(type === 'ADT' ? ['A01', 'A03', 'A04', 'A08'] : ['R01']).includes(event)) {
    faults.push(fault('AR', 'MSH', 9, '201', 'Events A01, A03, A04, A08 and R01 are taken here.'))
  }
  if (message.sender.length > 300) faults.push(fault('AE', 'MSH', 3, '102', 'MSH-3 and MSH-4 are longer than 300 together.'))
  if (message.controlId === '') faults.push(fault('AE', 'MSH', 10, '101', 'Give a message control id in MSH-10.'))
  else if (message.controlId.length > 199) faults.push(fault('AE', 'MSH', 10, '102', 'The control id is longer than 199.'))
  const processing = header.get(11, 1)
  if (processing === '') faults.push(fault('AE', 'MSH', 11, '101', 'Give the processing id in MSH-11.'))
  else if (!['P', 'T', 'D'].includes(processing)) {
    faults.push(fault('AR', 'MSH', 11, '202', 'The processing id is P, T or D.'))
  }
  if (message.version === '') faults.push(fault('AE', 'MSH', 12, '101', 'Give the version in MSH-12.'))
  else if (!/^2\.([1-8]|3\.1|5\.1|7\.1|8\.[12])$/.test(message.version)) faults.push(fault('AR', 'MSH', 12, '203', 'Versions 2.1 to 2.8 are taken here.'))
  return faults
}

/**
 * Messages of one lane are applied in the order they came: those about one patient, else about one specimen or order.
 * The number counts, whoever gave it: two systems that speak of one patient call the giver by different names.
 */
export function laneOf(message: Message): string {
  const [pid, obr] = [message.first('PID'), message.first('OBR')]
  return [pid?.get(3), obr?.get(3), obr?.get(2)].find((number) => number) ?? message.controlId
}

/** Reads the content; what is missing or of the wrong type is a fault that names segment and field. */
export function mapMessage(message: Message, zone: string): { mapped: Mapped } | { faults: Fault[] } {
  const faults: Fault[] = []
  const pid = message.first('PID')
  if (!pid) return { faults: [fault('AE', 'PID', 0, '100', 'The PID segment is missing.')] }
  const identifiers = identifiersOf(pid)
  if (message.type.startsWith('ADT')) {
    const admission = admissionOf(message, pid, identifiers, zone, faults)
    return faults.length > 0 || !admission ? { faults } : { mapped: { kind: 'admission', admission } }
  }
  const groups = resultGroups(message, zone, faults)
  return faults.length > 0 ? { faults } : { mapped: { kind: 'results', groups } }
}

// Names of senders and givers may hold spaces and any letter; a URI may not.
const inUri = (name: string): string => name.replace(/[^\w./:-]/gu, encodeURIComponent)

function identifiersOf(pid: Segment): PatientId[] {
  const found = pid.repetitions(3).map((_text, at) => ({
    value: pid.get(3, 1, at),
    authority: pid.get(3, 4, at),
  }))
  return found
    .filter(({ value }) => value !== '' && value.length <= 64)
    .map(({ value, authority }) => ({
      system: authority === '' || authority.toUpperCase() === 'CARESPINE' ? MRN_SYSTEM : `urn:hl7v2:${inUri(authority)}`,
      value,
    }))
}

function personOf(pid: Segment): Person {
  const birthDate = isoDate(pid.get(7))
  return {
    families: pid.repetitions(5).flatMap((_text, at) => pid.get(5, 1, at) || []),
    ...(birthDate ? { birthDate } : {}),
  }
}

/** A time of the message; when it is none, a fault. Year or month alone is right and says no time. */
function timeOf(segment: Segment, field: number, zone: string, faults: Fault[], sequence?: number): string | undefined {
  const text = segment.get(field)
  const time = isoTime(text, zone)
  if (time === undefined && !/^(\d{4}(\d{2})?)?$/.test(text)) {
    faults.push(fault('AE', segment.name, field, '102', 'Give the time as YYYYMMDDHHMMSS.', sequence))
  }
  return time
}

const sexes: Readonly<Record<string, 'male' | 'female' | 'other'>> = { M: 'male', F: 'female', O: 'other', A: 'other' }
const classes: Readonly<Record<string, Admission['class']>> = { I: 'IMP', E: 'EMER', O: 'AMB' }

function admissionOf(message: Message, pid: Segment, identifiers: PatientId[], zone: string, faults: Fault[]): Admission | undefined {
  if (identifiers.length === 0) faults.push(fault('AE', 'PID', 3, '101', 'Give at least one patient identifier.'))
  const names = pid.repetitions(5).map((_text, at) => ({ family: pid.get(5, 1, at), given: [pid.get(5, 2, at), pid.get(5, 3, at)].filter(Boolean).join(' ') }))
  const usable = names.filter(({ family, given }) => family !== '' || given !== '').map(({ family, given }) => ({ family: (family || given).slice(0, 80), given: (given || '-').slice(0, 120) }))
  const arabic = usable.find(({ family, given }) => /\p{Script=Arabic}/u.test(family + given))
  const latin = usable.find((name) => name !== arabic) ?? arabic
  if (!latin) faults.push(fault('AE', 'PID', 5, '101', 'Give the name of the patient.'))
  const birthDate = isoDate(pid.get(7))
  if (!birthDate) faults.push(fault('AE', 'PID', 7, pid.get(7) === '' ? '101' : '102', 'Give the birth date as YYYYMMDD.'))
  if (!latin || !birthDate || faults.length > 0) return undefined
  const pv1 = message.first('PV1')
  const visit = pv1?.get(19) ?? ''
  const phone = pid.get(13, 1).replace(/[^\d+() -]/g, '') || pid.get(13, 12)
  const [line, city] = [pid.get(11, 1), pid.get(11, 3)]
  const start = pv1 && timeOf(pv1, 44, zone, faults)
  const end = pv1 && timeOf(pv1, 45, zone, faults)
  const sex = pid.get(8).toUpperCase()
  return {
    event: message.header.get(9, 2) as Admission['event'],
    identifiers,
    person: personOf(pid),
    givesSex: sex in sexes || sex === 'U',
    form: {
      name: latin,
      ...(arabic && arabic !== latin ? { nameArabic: arabic } : {}),
      sex: sexes[sex] ?? 'unknown',
      birthDate,
      ...(/^[+\d][\d\s()-]{4,28}$/.test(phone) ? { phone } : {}),
      ...(line ? { addressLine: line.slice(0, 200) } : {}),
      ...(city ? { city: city.slice(0, 80) } : {}),
      identifiers: identifiers.filter(({ system }) => system !== MRN_SYSTEM).slice(0, 10),
      trustedSource: message.sender.slice(0, 60),
    },
    ...(visit ? { visit: { system: `urn:hl7v2:${inUri(message.sender)}:visit`, value: visit.slice(0, 64) } } : {}),
    class: classes[pv1?.get(2).toUpperCase() ?? ''] ?? 'AMB',
    ...(start ? { start } : {}),
    ...(end ? { end } : {}),
  }
}

/** OBX-11, HL7 table 0085: no value, none asked for, pending, or a description of the order. */
const noResult = ['X', 'N', 'I', 'O']
const resultStatuses = ['F', 'C', 'P', 'R', 'S', 'U', 'V', 'A', 'B']

function resultGroups(message: Message, zone: string, faults: Fault[]): ResultGroup[] {
  const groups: (ResultGroup & { statuses: string[] })[] = []
  let placer = ''
  let obxCount = 0
  let identifiers: PatientId[] = []
  let person: Person = { families: [] }
  for (const segment of message.segments) {
    if (segment.name === 'PID') {
      // One message may carry the results of several patients, each after its own PID.
      identifiers = identifiersOf(segment)
      person = personOf(segment)
      placer = ''
    }
    if (segment.name === 'ORC') placer = segment.get(2)
    if (segment.name === 'OBR') {
      const orderNumber = segment.get(2) || placer
      const accession = segment.get(3)
      const observedAt = timeOf(segment, 7, zone, faults, groups.length + 1)
      groups.push({
        identifiers,
        person,
        ...(orderNumber ? { orderNumber } : {}),
        ...(accession ? { accession } : {}),
        ...panelOf(segment),
        status: 'final',
        statuses: segment.get(25) ? [segment.get(25)] : [],
        ...(observedAt ? { observedAt } : {}),
        items: [],
      })
      placer = ''
    }
    const group = groups.at(-1)
    if (segment.name === 'SPM' && group && !group.accession && segment.get(2)) group.accession = segment.get(2)
    if (segment.name !== 'OBX') continue
    obxCount += 1
    if (!group) {
      faults.push(fault('AE', 'OBR', 0, '100', 'Each OBX follows an OBR.'))
      return []
    }
    const status = segment.get(11)
    if (noResult.includes(status)) continue
    if (status !== '' && !resultStatuses.includes(status)) {
      // D and W take a result back: the laboratory's people must know, so it is not passed over.
      faults.push(fault('AE', 'OBX', 11, '103', 'Take back or correct a result with status C and its right value.', obxCount))
      continue
    }
    const item = itemOf(segment, obxCount, faults)
    if (!item) continue
    group.items.push(item)
    group.statuses.push(status)
    const at = timeOf(segment, 14, zone, faults, obxCount)
    if (at && !group.observedAt) group.observedAt = at
  }
  if (groups.length === 0) faults.push(fault('AE', 'OBR', 0, '100', 'The OBR segment is missing.'))
  else if (groups.every(({ items }) => items.length === 0)) faults.push(fault('AE', 'OBX', 0, '100', 'There is no result in the message.'))
  return groups
    .filter(({ items }) => items.length > 0)
    .map(({ statuses, ...group }) => ({
      ...group,
      status: statuses.includes('C') ? 'corrected' : statuses.some((one) => ['P', 'R', 'I', 'S', 'A', 'B'].includes(one)) ? 'preliminary' : 'final',
    }))
}

function panelOf(obr: Segment): { panel?: string } {
  for (const [code, system] of [
    [obr.get(4, 1), obr.get(4, 3)],
    [obr.get(4, 4), obr.get(4, 6)],
  ] as const) {
    const known = panelCodes[code.toLowerCase()]
    if (known) return { panel: known }
    if (code && (system === 'LN' || /^\d{3,6}-\d$/.test(code))) return { panel: code }
  }
  return obr.get(4, 1) ? { panel: obr.get(4, 1) } : {}
}

function itemOf(obx: Segment, sequence: number, faults: Fault[]): ResultGroup['items'][number] | undefined {
  const [code, system, alternate, alternateSystem] = [obx.get(3, 1), obx.get(3, 3), obx.get(3, 4), obx.get(3, 6)]
  const loinc = system === 'LN' ? code : alternateSystem === 'LN' ? alternate : (analyteCodes[code.toUpperCase()] ?? (/^\d{3,6}-\d$/.test(code) ? code : undefined))
  if (code === '' && loinc === undefined) {
    faults.push(fault('AE', 'OBX', 3, '101', 'Say what was measured.', sequence))
    return undefined
  }
  const type = obx.get(2)
  const text = resultText(obx, type)
  const isNumber = /^[+-]?(\d+\.?\d*|\.\d+)$/.test(text)
  if (text.length > 500) {
    faults.push(fault('AE', 'OBX', 5, '102', 'A value is at most 500 characters long.', sequence))
    return undefined
  }
  if (type === 'NM' && !isNumber) {
    faults.push(fault('AE', 'OBX', 5, text === '' ? '101' : '102', 'A value of type NM is a number.', sequence))
    return undefined
  }
  if (text === '') return undefined
  const unit = obx.get(6)
  return {
    code: loinc ?? code,
    isLoinc: loinc !== undefined,
    ...(isNumber && type !== 'TX' && type !== 'FT' ? { value: Number(text) } : { text }),
    ...(unit ? { unit: unit.slice(0, 40) } : {}),
  }
}

// Every repetition counts: text comes in several, one a line.
function resultText(obx: Segment, type: string): string {
  const each = (read: (at: number) => string) => obx.repetitions(5).map((_text, at) => read(at)).filter(Boolean).join('\n')
  switch (type) {
    case 'SN':
      return each((at) => [1, 2, 3, 4].map((part) => obx.get(5, part, at)).join('').replace(/^=/, ''))
    case 'CE':
    case 'CWE':
    case 'CNE':
      return each((at) => obx.get(5, 2, at) || obx.get(5, 1, at))
    default:
      return obx.text(5)
  }
}
