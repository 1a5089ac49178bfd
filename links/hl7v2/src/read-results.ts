import { type Fault, fault } from './acknowledge.ts'
import type { Message, Segment } from './message.ts'
import { timeOf } from './message-times.ts'
import { identifiersOf, type PatientId, type Person, personOf } from './read-admission.ts'

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

/** Panels by the codes that analysers and older systems use in OBR-4. */
const panelCodes: Readonly<Record<string, string>> = { cbc: 'cbc', fbc: 'cbc', bmp: 'bmp', cmp: 'cmp', chem7: 'bmp', chem8: 'bmp' }
/** Analytes by the short names that are printed on analysers. */
const analyteCodes: Readonly<Record<string, string>> = {
  WBC: '6690-2', RBC: '789-8', HGB: '718-7', HB: '718-7', HCT: '4544-3', MCV: '787-2', MCH: '785-6', MCHC: '786-4', RDW: '788-0', PLT: '777-3',
  NA: '2951-2', K: '2823-3', CL: '2075-0', CO2: '2028-9', GLU: '2345-7', BUN: '3094-0', CREA: '2160-0', CRE: '2160-0', CA: '17861-6',
  TP: '2885-2', ALB: '1751-7', TBIL: '1975-2', ALP: '6768-6', ALT: '1742-6', AST: '1920-8',
}

/** OBX-11, HL7 table 0085: no value, none asked for, pending, or a description of the order. */
const noResult = ['X', 'N', 'I', 'O']
const resultStatuses = ['F', 'C', 'P', 'R', 'S', 'U', 'V', 'A', 'B']

export function resultGroups(message: Message, zone: string, faults: Fault[]): ResultGroup[] {
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
