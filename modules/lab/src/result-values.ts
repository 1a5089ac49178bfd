import type { DiagnosticReport, Observation, Stored } from '@carespine/fhir/resource'
import { refuse } from '@carespine/kit/module'
import type { Analyte, Panel } from '@carespine/pack-core/panels'
import type { ReadView, Transaction } from '@carespine/store/contract'
import { type Flag, Flag as Flags, isCritical, type ResultItem, type ResultStatus } from './contract.ts'
import { derive, flagOfBound, interpret, isPlausible, rangeFor, type Whom } from './interpret-result.ts'
import { derivedId, type LabOrder, reportIdOf } from './lab-order.ts'
import { isSettled, mergeResult, reportStatusOf, type Result } from './merge-result.ts'

const UCUM = 'http://unitsofmeasure.org'
const INTERPRETATION = 'http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation'
const DATA_ABSENT = 'http://terminology.hl7.org/CodeSystem/data-absent-reason'
/** Marks reports and observations that this laboratory made: only its commands write them. */
export const RESULT_SYSTEM = 'https://carespine.example/fhir/sid/lab-result'

/** Refuses codes that the panel has not, and values that cannot be. Derived analytes are worked out, never taken. */
export function checkedValues<E extends { code: string; value?: number | undefined }>(panel: Panel, entered: readonly E[]): E[] {
  const byCode = new Map(panel.analytes.map((analyte) => [analyte.code, analyte]))
  const unknown = entered.filter(({ code }) => !byCode.has(code)).map(({ code }) => code)
  if (unknown.length > 0) refuse('LAB_ANALYTE_UNKNOWN', { fields: unknown, known: [...byCode.keys()] })
  const wrong = entered.filter(({ code, value }) => value !== undefined && !isPlausible(byCode.get(code) as Analyte, value))
  if (wrong.length > 0) refuse('LAB_VALUE_IMPLAUSIBLE', { fields: wrong.map(({ code }) => code) })
  return entered.filter(({ code }) => byCode.get(code)?.derived === undefined)
}

/** What a person typed, under one status: a text beside a number is a note on it. */
export function enteredResults(
  panel: Panel,
  entered: readonly { code: string; value?: number | undefined; text?: string | undefined }[],
  status: ResultStatus,
): Map<string, Result> {
  const given = entered.filter(({ value, text }) => value !== undefined || (text ?? '') !== '')
  return new Map(
    checkedValues(panel, given).map(({ code, value, text }) => [
      code,
      { status, ...(value === undefined ? { text } : { value, ...(text ? { note: text } : {}) }) },
    ]),
  )
}

const observationStatus: Readonly<Record<ResultStatus, Observation['status']>> = {
  preliminary: 'preliminary',
  final: 'final',
  corrected: 'corrected',
  unobtainable: 'cancelled',
  withdrawn: 'entered-in-error',
}
const resultStatus: Readonly<Record<string, ResultStatus>> = {
  registered: 'preliminary',
  preliminary: 'preliminary',
  corrected: 'corrected',
  amended: 'corrected',
  cancelled: 'unobtainable',
  'entered-in-error': 'withdrawn',
}

export function statusOf({ status }: Observation): ResultStatus {
  return resultStatus[status ?? ''] ?? 'final'
}

export function noteOf({ note }: Observation): string | undefined {
  return note && note.length > 0 ? note.map(({ text }) => text).join('\n') : undefined
}

/** The flag of a value by our limits, unless the sender calls it critical and we do not. */
function flagFor(analyte: Analyte, { value, text, flag: sent }: Result, whom: Whom): Flag | undefined {
  const ours = value !== undefined ? interpret(analyte, value, whom).flag : text === undefined ? undefined : flagOfBound(analyte, text, whom)
  return ours === undefined || (isCritical(sent) && !isCritical(ours)) ? (sent ?? ours) : ours
}

interface Details {
  at: string
  now: Date
  comment?: string | undefined
  performer?: string | undefined
  reason?: string
}

/** The Observation of one analyte. */
function draftObservation({ order }: LabOrder, analyte: Analyte, result: Result, whom: Whom, details: Details): Observation {
  const flag = flagFor(analyte, result, whom)
  const range = rangeFor(analyte, whom)
  const quantity = (amount: number) => ({ value: amount, unit: analyte.unit, system: UCUM, code: analyte.unit })
  const id = derivedId(order.id, analyte.code)
  const { status, value, text, note } = result
  return {
    resourceType: 'Observation',
    id,
    identifier: [{ system: RESULT_SYSTEM, value: id }],
    basedOn: [{ reference: `ServiceRequest/${order.id}` }],
    status: observationStatus[status],
    category: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'laboratory' }] }],
    code: { coding: [{ system: 'http://loinc.org', code: analyte.code, display: analyte.name }], text: analyte.name },
    subject: order.subject,
    ...(order.encounter ? { encounter: order.encounter } : {}),
    effectiveDateTime: details.at,
    ...(details.performer === undefined ? {} : { performer: [{ display: details.performer }] }),
    ...(status === 'unobtainable'
      ? { dataAbsentReason: { coding: [{ system: DATA_ABSENT, code: 'not-performed' }] } }
      : value === undefined
        ? { valueString: text ?? '' }
        : { valueQuantity: quantity(value) }),
    ...(note ? { note: [{ text: note }] } : {}),
    ...(flag === undefined ? {} : { interpretation: [{ coding: [{ system: INTERPRETATION, code: flag }] }] }),
    ...(range && (range.low !== undefined || range.high !== undefined)
      ? {
          referenceRange: [
            {
              ...(range.low === undefined ? {} : { low: quantity(range.low) }),
              ...(range.high === undefined ? {} : { high: quantity(range.high) }),
              text: analyte.source,
            },
          ],
        }
      : {}),
  }
}

/** The flag of a result that stands; what was withdrawn has none. */
export function flagOf(observation: Observation): Flag | undefined {
  if (statusOf(observation) === 'withdrawn') return undefined
  const code = observation.interpretation?.[0]?.coding?.find(({ system }) => system === INTERPRETATION)?.code
  return Flags.safeParse(code).data
}

export interface WrittenResults {
  report: Stored<DiagnosticReport>
  /** False: everything was on record as it is. */
  changed: boolean
  /** Whether those who ordered have something to read that they had not before. */
  tells: boolean
  /** Whether what they had read before is not so any more. */
  corrects: boolean
  /** Critical results that were released now. */
  critical: Stored<Observation>[]
  /** Whether any released result is critical, now or from before. */
  staysCritical: boolean
  /** Results that wait for release. */
  isWaiting: boolean
  /** Every result was withdrawn. */
  isEmpty: boolean
}

/** Writes what changes of an order's results, with the report of them all. Refuses what may not change. */
export async function writeResults(
  tx: Transaction,
  labOrder: LabOrder,
  changes: ReadonlyMap<string, Result>,
  whom: Whom,
  details: Details,
): Promise<WrittenResults> {
  const { order, panel } = labOrder
  const why = details.reason === undefined ? {} : { reason: details.reason }
  const before = await tx.find('DiagnosticReport', reportIdOf(order.id))
  const known = new Map<string, Stored<Observation>>()
  for (const { code } of panel.analytes) {
    const observation = await tx.find('Observation', derivedId(order.id, code))
    if (observation) known.set(code, observation)
  }
  const results = mergeAll(panel, known, changes, whom)
  const written: Stored<Observation>[] = []
  const observations: Stored<Observation>[] = []
  for (const analyte of panel.analytes) {
    const result = results.get(analyte.code)
    const there = known.get(analyte.code)
    if (!result) continue
    if (there && result.isUnchanged) {
      observations.push(there)
      continue
    }
    const draft = draftObservation(labOrder, analyte, result, whom, details)
    const stored = tx.write(there ? { ...draft, meta: there.meta } : draft, why)
    observations.push(stored)
    written.push(stored)
  }
  const status = reportStatusOf([...results.values()], before?.status)
  const conclusion = details.comment || before?.conclusion
  const report: DiagnosticReport = {
    resourceType: 'DiagnosticReport',
    id: reportIdOf(order.id),
    ...(before ? { meta: before.meta } : {}),
    identifier: [{ system: RESULT_SYSTEM, value: reportIdOf(order.id) }],
    basedOn: [{ reference: `ServiceRequest/${order.id}` }],
    status,
    category: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0074', code: 'LAB' }] }],
    code: order.code ?? { text: panel.name },
    subject: order.subject,
    ...(order.encounter ? { encounter: order.encounter } : {}),
    effectiveDateTime: details.at,
    ...(status === 'preliminary' ? {} : { issued: details.now.toISOString() }),
    ...(details.performer === undefined ? {} : { performer: [{ display: details.performer }] }),
    result: observations.map(({ id }) => ({ reference: `Observation/${id}` })),
    ...(conclusion ? { conclusion } : {}),
  }
  const isNewComment = conclusion !== before?.conclusion
  const changed = written.length > 0 || isNewComment
  const isCriticalNow = (one: Observation): boolean => isSettled({ status: statusOf(one) }) && isCritical(flagOf(one))
  const told = written.filter((one) => statusOf(one) !== 'preliminary')
  return {
    report: before && !changed ? before : tx.write(report, why),
    changed,
    tells: told.length > 0 || (isNewComment && status !== 'preliminary'),
    corrects: told.some((one) => ['corrected', 'withdrawn'].includes(statusOf(one))),
    critical: written.filter(isCriticalNow),
    staysCritical: observations.some(isCriticalNow),
    isWaiting: [...results.values()].some((result) => result.status === 'preliminary'),
    isEmpty: status === 'entered-in-error',
  }
}

type MergedResult = Result & { isUnchanged: boolean }

/** Every result of a panel after some of them changed, and with them what is worked out of them. */
function mergeAll(
  panel: Panel,
  known: ReadonlyMap<string, Observation>,
  changes: ReadonlyMap<string, Result>,
  whom: Whom,
): Map<string, MergedResult> {
  const results = new Map<string, MergedResult>()
  const refused: Record<'LAB_RESULT_FINAL' | 'LAB_RESULT_MISSING', string[]> = { LAB_RESULT_FINAL: [], LAB_RESULT_MISSING: [] }
  const put = (code: string, change: Result | undefined): void => {
    const there = known.get(code)
    const before = there && resultOf(there)
    const merged = change ? mergeResult(before, change) : before
    if (typeof merged === 'string') refused[merged].push(code)
    else if (merged) results.set(code, { ...merged, isUnchanged: merged === before })
  }
  for (const { code, derived } of panel.analytes) if (derived === undefined) put(code, changes.get(code))
  for (const [code, fields] of Object.entries(refused)) if (fields.length > 0) refuse(code as keyof typeof refused, { fields })

  const numbersOf = (counts: (result: Result) => boolean) =>
    new Map([...results].flatMap(([code, result]) => (result.value !== undefined && counts(result) ? [[code, result.value] as const] : [])))
  const settled = derive(panel, numbersOf(isSettled), whom)
  const all = derive(panel, numbersOf((result) => isSettled(result) || result.status === 'preliminary'), whom)
  for (const { code, derived } of panel.analytes) {
    if (derived === undefined) continue
    const there = known.get(code)
    const before = there && resultOf(there)
    const value = settled.get(code) ?? all.get(code)
    const wasSettled = before !== undefined && isSettled(before)
    if (value === undefined) put(code, before && { status: 'withdrawn' })
    else if (settled.has(code)) put(code, { status: wasSettled && before.value !== value ? 'corrected' : 'final', value })
    // What it was worked out of is open again.
    else if (wasSettled) results.set(code, { status: 'preliminary', value, isUnchanged: false })
    else put(code, { status: 'preliminary', value })
  }
  return results
}

function resultOf(observation: Observation): Result {
  const value = observation.valueQuantity?.value
  const note = noteOf(observation)
  const flag = flagOf(observation)
  return {
    status: statusOf(observation),
    ...(value === undefined ? { text: observation.valueString } : { value }),
    ...(note === undefined ? {} : { note }),
    ...(flag === undefined ? {} : { flag }),
  }
}

/** The panel's analytes for a form or a report, with ranges and what is known of each. */
export async function resultItems(
  view: ReadView,
  labOrder: LabOrder,
  whom: Whom,
  options: { previous: 'include' | 'leave out' },
): Promise<ResultItem[]> {
  const { order, panel, patientId } = labOrder
  const earlier = options.previous === 'include' ? await earlierValues(view, patientId, panel, order.id) : new Map()
  return await Promise.all(
    panel.analytes.map(async (analyte): Promise<ResultItem> => {
      const observation = await view.find('Observation', derivedId(order.id, analyte.code))
      const known = observation && resultOf(observation)
      const { value, text } = known === undefined || known.status === 'withdrawn' ? {} : known
      const range = rangeFor(analyte, whom)
      const found = value === undefined ? undefined : interpret(analyte, value, whom)
      const previous = earlier.get(analyte.code)
      return {
        code: analyte.code,
        name: analyte.name,
        nameArabic: analyte.nameArabic,
        unit: analyte.unit,
        decimals: analyte.decimals,
        derived: analyte.derived !== undefined,
        plausible: analyte.plausible,
        ...(range ? { range } : {}),
        ...(analyte.critical ? { critical: analyte.critical } : {}),
        ...(known === undefined ? {} : { status: known.status }),
        ...(value === undefined ? {} : { value }),
        ...(text === undefined ? {} : { text }),
        ...(known?.note === undefined ? {} : { note: known.note }),
        ...(known?.flag === undefined ? {} : { flag: known.flag }),
        ...(found?.criticalReason === undefined ? {} : { criticalReason: found.criticalReason }),
        ...(previous ? { previous } : {}),
      }
    }),
  )
}

async function earlierValues(
  view: ReadView,
  patientId: string,
  panel: Panel,
  orderId: string,
): Promise<Map<string, { value: number; at: string }>> {
  const own = new Set(panel.analytes.map(({ code }) => derivedId(orderId, code)))
  const found = await view.search('Observation', {
    patient: `Patient/${patientId}`,
    code: panel.analytes.map(({ code }) => `http://loinc.org|${code}`).join(','),
    status: 'final,amended,corrected',
    _sort: '-date',
    _count: '60',
  })
  const latest = new Map<string, { value: number; at: string }>()
  for (const observation of found) {
    const code = observation.code.coding?.find(({ system }) => system === 'http://loinc.org')?.code ?? ''
    const value = observation.valueQuantity?.value
    if (own.has(observation.id) || latest.has(code) || value === undefined) continue
    latest.set(code, { value, at: observation.effectiveDateTime ?? observation.meta.lastUpdated })
  }
  return latest
}
