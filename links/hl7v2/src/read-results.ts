import { type Flag, MOST_RESULTS, MOST_TEXT, type ResultStatus } from '@carespine/lab/contract'
import { type Fault, fault } from './acknowledge.ts'
import type { Message, Segment } from './message.ts'
import { timeOf } from './message-times.ts'
import { identifiersOf, type PatientId, type Person, personOf } from './read-admission.ts'

/** One OBX. */
interface Item {
  code: string
  isLoinc: boolean
  status: ResultStatus
  value?: number
  text?: string
  unit?: string
  note?: string
  flag?: Flag
}

/** One OBR of an ORU message with its results. */
export interface ResultGroup {
  identifiers: PatientId[]
  person: Person
  orderNumber?: string
  accession?: string
  panel?: string
  observedAt?: string
  comment?: string
  /** The sender will not do what was ordered. */
  isCancelled: boolean
  items: Item[]
}

/** Panels by the codes that analysers and older systems use in OBR-4. */
const panelCodes: Readonly<Record<string, string>> = { cbc: 'cbc', fbc: 'cbc', bmp: 'bmp', cmp: 'cmp', chem7: 'bmp', chem8: 'bmp' }
/** Analytes by the short names that are printed on analysers. */
const analyteCodes: Readonly<Record<string, string>> = {
  WBC: '6690-2', RBC: '789-8', HGB: '718-7', HB: '718-7', HCT: '4544-3', MCV: '787-2', MCH: '785-6', MCHC: '786-4', RDW: '788-0', PLT: '777-3',
  NA: '2951-2', K: '2823-3', CL: '2075-0', CO2: '2028-9', GLU: '2345-7', BUN: '3094-0', CREA: '2160-0', CRE: '2160-0', CA: '17861-6',
  TP: '2885-2', ALB: '1751-7', TBIL: '1975-2', ALP: '6768-6', ALT: '1742-6', AST: '1920-8',
}

/** OBX-11, HL7 table 0085; undefined for what is no result: none asked for, pending, or a description of the order. */
const resultStatuses: Readonly<Record<string, ResultStatus | undefined>> = {
  F: 'final', V: 'final', U: 'final', C: 'corrected', A: 'corrected', B: 'corrected', P: 'preliminary', R: 'preliminary', S: 'preliminary',
  X: 'unobtainable', D: 'withdrawn', W: 'withdrawn', I: undefined, N: undefined, O: undefined,
}
/** OBR-25, HL7 table 0123, where OBX-11 is empty. */
const orderStatuses: Readonly<Record<string, ResultStatus>> = { A: 'preliminary', C: 'corrected', I: 'preliminary', P: 'preliminary', R: 'preliminary', S: 'preliminary' }
/** OBR-25 of an order of which there is nothing to tell yet, and of one that was cancelled. */
const pendingOrders = ['O', 'I', 'S']
const CANCELLED_ORDER = 'X'

/** OBX-8, HL7 table 0078, least severe first. */
const flags: readonly (readonly [Flag, readonly string[]])[] = [
  ['N', ['N']],
  ['A', ['A']],
  ['L', ['L', '<', 'LU']],
  ['H', ['H', '>', 'HU']],
  ['AA', ['AA']],
  ['LL', ['LL']],
  ['HH', ['HH']],
]

/** Reads the OBR and OBX of an ORU message; what is wrong is added to `faults`. */
export function resultGroups(message: Message, zone: string, faults: Fault[]): ResultGroup[] {
  const reading = new Reading(zone, faults)
  for (const segment of message.segments) reading.take(segment)
  return reading.groups()
}

interface OpenGroup extends ResultGroup {
  orderStatus: string
  obxCount: number
}

/** What has been read of a message so far: what a segment belongs to depends on those before it. */
class Reading {
  readonly #zone: string
  readonly #faults: Fault[]
  readonly #groups: OpenGroup[] = []
  readonly #counts = new Map<string, number>()
  #placer = ''
  #identifiers: PatientId[] = []
  #person: Person = { families: [] }
  /** Takes the lines of an NTE: a note belongs to the segment before it. */
  #annotate: ((text: string) => string) | undefined

  constructor(zone: string, faults: Fault[]) {
    this.#zone = zone
    this.#faults = faults
  }

  take(segment: Segment): void {
    const count = (this.#counts.get(segment.name) ?? 0) + 1
    this.#counts.set(segment.name, count)
    if (segment.name === 'NTE') {
      this.#takeNote(segment, count)
      return
    }
    this.#annotate = undefined
    if (segment.name === 'PID') {
      // One message may carry the results of several patients, each after its own PID.
      this.#identifiers = identifiersOf(segment)
      this.#person = personOf(segment)
      this.#placer = ''
    }
    if (segment.name === 'ORC') this.#placer = segment.get(2)
    if (segment.name === 'OBR') this.#takeOrder(segment, count)
    const group = this.#groups.at(-1)
    if (segment.name === 'SPM' && group && !group.accession && segment.get(2)) group.accession = segment.get(2)
    if (segment.name === 'OBX') this.#takeResult(segment, count, group)
  }

  #takeOrder(obr: Segment, count: number): void {
    const orderNumber = obr.get(2) || this.#placer
    const accession = obr.get(3)
    const observedAt = timeOf(obr, 7, this.#zone, this.#faults, count)
    const group: OpenGroup = {
      identifiers: this.#identifiers,
      person: this.#person,
      ...(orderNumber ? { orderNumber } : {}),
      ...(accession ? { accession } : {}),
      ...panelOf(obr),
      ...(observedAt ? { observedAt } : {}),
      isCancelled: false,
      items: [],
      orderStatus: obr.get(25).toUpperCase(),
      obxCount: 0,
    }
    this.#groups.push(group)
    this.#placer = ''
    this.#annotate = (text) => (group.comment = joined(group.comment, text))
  }

  #takeResult(obx: Segment, count: number, group: OpenGroup | undefined): void {
    if (!group) {
      if (count === 1) this.#faults.push(fault('AE', 'OBR', 0, '100', 'Each OBX follows an OBR.'))
      return
    }
    group.obxCount += 1
    if (group.obxCount > MOST_RESULTS) {
      if (group.obxCount === MOST_RESULTS + 1) this.#faults.push(fault('AE', 'OBX', 0, '100', `Send at most ${MOST_RESULTS} OBX with an OBR.`, count))
      return
    }
    const code = obx.get(11).toUpperCase()
    if (code !== '' && !(code in resultStatuses)) {
      this.#faults.push(fault('AE', 'OBX', 11, '103', 'The status is one of HL7 table 0085.', count))
      return
    }
    const status = code === '' ? (orderStatuses[group.orderStatus] ?? 'final') : resultStatuses[code]
    const item = status && itemOf(obx, status, count, this.#faults)
    if (!item) return
    const at = timeOf(obx, 14, this.#zone, this.#faults, count)
    if (at && !group.observedAt) group.observedAt = at
    const kept = addItem(group.items, item)
    if ((kept.text?.length ?? 0) > MOST_TEXT) this.#faults.push(fault('AE', 'OBX', 5, '102', `A value is at most ${MOST_TEXT} characters long.`, count))
    this.#annotate = (text) => (kept.note = joined(kept.note, text))
  }

  #takeNote(nte: Segment, count: number): void {
    const text = nte.text(3)
    if (text === '' || !this.#annotate) return
    if (this.#annotate(text).length > MOST_TEXT) {
      this.#faults.push(fault('AE', 'NTE', 3, '102', `Notes on one result or order are at most ${MOST_TEXT} characters long.`, count))
    }
  }

  groups(): ResultGroup[] {
    const says = ({ obxCount, orderStatus }: OpenGroup): boolean => obxCount > 0 || pendingOrders.includes(orderStatus) || orderStatus === CANCELLED_ORDER
    if (this.#groups.length === 0 && this.#faults.length === 0) this.#faults.push(fault('AE', 'OBR', 0, '100', 'The OBR segment is missing.'))
    else if (this.#groups.length > 0 && !this.#groups.some(says)) this.#faults.push(fault('AE', 'OBX', 0, '100', 'There is no result in the message.'))
    return this.#groups
      .map(({ orderStatus, obxCount: _count, ...group }) => ({ ...group, isCancelled: group.items.length === 0 && orderStatus === CANCELLED_ORDER }))
      .filter(({ items, isCancelled }) => items.length > 0 || isCancelled)
  }
}

const joined = (before: string | undefined, text: string): string => (before === undefined ? text : `${before}\n${text}`)

/** Adds a result, or its lines to those of the same test: text comes in several OBX. What is said twice is said once. */
function addItem(items: Item[], item: Item): Item {
  const same = items.find(({ code, status, text }) => code === item.code && status === item.status && text !== undefined)
  if (!same || item.text === undefined || item.unit !== undefined) {
    items.push(item)
    return item
  }
  if (same.text !== item.text) same.text = joined(same.text, item.text)
  return same
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

function loincOf(obx: Segment): string | undefined {
  const [code, system, alternate, alternateSystem] = [obx.get(3, 1), obx.get(3, 3), obx.get(3, 4), obx.get(3, 6)]
  if (system === 'LN') return code
  if (alternateSystem === 'LN') return alternate
  return analyteCodes[code.toUpperCase()] ?? (/^\d{3,6}-\d$/.test(code) ? code : undefined)
}

function itemOf(obx: Segment, status: ResultStatus, sequence: number, faults: Fault[]): Item | undefined {
  const wrong = (field: number, code: Fault['code'], text: string): undefined => {
    faults.push(fault('AE', 'OBX', field, code, text, sequence))
    return undefined
  }
  const loinc = loincOf(obx)
  const code = loinc ?? obx.get(3, 1)
  if (code === '') return wrong(3, '101', 'Say what was measured.')
  const type = obx.get(2)
  if (type === 'ED' || type === 'RP') return wrong(2, '103', 'Documents (types ED and RP) are not taken.')
  const text = resultText(obx, type)
  const test = { code, isLoinc: loinc !== undefined, status }
  // Why there is no result may stand where the result would.
  if (status === 'unobtainable' || status === 'withdrawn') return { ...test, ...(text && status === 'unobtainable' ? { note: text.slice(0, MOST_TEXT) } : {}) }
  if (obx.isNull(5)) return wrong(5, '101', 'A value is not deleted by a null: take the result back with status D or W.')
  const isNumber = /^[+-]?(\d+\.?\d*|\.\d+)$/.test(text)
  // Status U says that what was preliminary is final, without the value.
  if (text === '' && obx.get(11).toUpperCase() === 'U') return test
  // By the standard NM holds no comparator; analysers send one all the same, and a result is more than its form.
  if (type === 'NM' && !isNumber && !/^[<>]=?\s*\d+(\.\d+)?$/.test(text)) return wrong(5, text === '' ? '101' : '102', 'A value of type NM is a number.')
  if (text === '') return undefined
  const unit = obx.get(6)
  const flag = flagOf(obx)
  return {
    ...test,
    ...(isNumber && NUMERIC.has(type) ? { value: Number(text) } : { text }),
    ...(unit ? { unit: unit.slice(0, 40) } : {}),
    ...(flag ? { flag } : {}),
  }
}

/** Types whose digits are an amount: those of a date or of a text are none. */
const NUMERIC: ReadonlySet<string> = new Set(['NM', 'SN', 'ST', ''])

/** The most severe of the sender's flags. */
function flagOf(obx: Segment): Flag | undefined {
  const said = obx.repetitions(8).map((_text, at) => obx.get(8, 1, at).toUpperCase())
  return flags.findLast(([, codes]) => codes.some((code) => said.includes(code)))?.[0]
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
