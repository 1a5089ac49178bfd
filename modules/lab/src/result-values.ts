import type { DiagnosticReport, Observation, Stored } from '@carespine/fhir/resource'
import { refuse } from '@carespine/kit/module'
import type { Analyte, Panel } from '@carespine/pack-core/panels'
import type { ReadView, Transaction } from '@carespine/store/contract'
import type { Flag, ResultItem } from './contract.ts'
import { derive, interpret, isPlausible, rangeFor, type Whom } from './interpret-result.ts'
import { derivedId, type LabOrder, reportIdOf } from './lab-order.ts'

const UCUM = 'http://unitsofmeasure.org'
const INTERPRETATION = 'http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation'
/** Marks reports and observations that this laboratory made: only its commands write them. */
export const RESULT_SYSTEM = 'https://carespine.example/fhir/sid/lab-result'

export interface Value {
  value?: number | undefined
  text?: string | undefined
}

/** Values that were entered, checked, and completed with what follows from them. Refuses what cannot be. */
export function checkedValues(
  panel: Panel,
  entered: readonly ({ code: string } & Value)[],
  whom: Whom,
): Map<string, Value> {
  const byCode = new Map(panel.analytes.map((analyte) => [analyte.code, analyte]))
  const unknown = entered.filter(({ code }) => !byCode.has(code)).map(({ code }) => code)
  if (unknown.length > 0) refuse('LAB_ANALYTE_UNKNOWN', { fields: unknown, known: [...byCode.keys()] })
  const given = entered.filter(({ value, text }) => value !== undefined || (text ?? '') !== '')
  const wrong = given.filter(({ code, value }) => value !== undefined && !isPlausible(byCode.get(code) as Analyte, value))
  if (wrong.length > 0) refuse('LAB_VALUE_IMPLAUSIBLE', { fields: wrong.map(({ code }) => code) })
  const values = new Map<string, Value>()
  for (const { code, value, text } of given) {
    if (byCode.get(code)?.derived) continue
    values.set(code, { ...(value === undefined ? {} : { value }), ...(text ? { text } : {}) })
  }
  const numbers = new Map([...values].flatMap(([code, { value }]) => (value === undefined ? [] : [[code, value] as const])))
  for (const [code, value] of derive(panel, numbers, whom)) values.set(code, { value })
  return values
}

/** The Observation of one analyte. */
function draftObservation(
  { order }: LabOrder,
  analyte: Analyte,
  value: Value,
  whom: Whom,
  details: { status: Observation['status']; at: string; performer?: string | undefined },
): Observation {
  const { flag, range } = value.value === undefined ? { flag: undefined, range: rangeFor(analyte, whom) } : interpret(analyte, value.value, whom)
  const quantity = (amount: number) => ({ value: amount, unit: analyte.unit, system: UCUM, code: analyte.unit })
  const id = derivedId(order.id, analyte.code)
  return {
    resourceType: 'Observation',
    id,
    identifier: [{ system: RESULT_SYSTEM, value: id }],
    basedOn: [{ reference: `ServiceRequest/${order.id}` }],
    status: details.status,
    category: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'laboratory' }] }],
    code: { coding: [{ system: 'http://loinc.org', code: analyte.code, display: analyte.name }], text: analyte.name },
    subject: order.subject,
    ...(order.encounter ? { encounter: order.encounter } : {}),
    effectiveDateTime: details.at,
    ...(details.performer === undefined ? {} : { performer: [{ display: details.performer }] }),
    ...(value.value === undefined
      ? { valueString: value.text ?? '' }
      : { valueQuantity: quantity(value.value), ...(value.text ? { note: [{ text: value.text }] } : {}) }),
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

export function flagOf(observation: Observation): Flag | undefined {
  const code = observation.interpretation?.[0]?.coding?.find(({ system }) => system === INTERPRETATION)?.code
  return ['LL', 'L', 'N', 'H', 'HH', 'A'].includes(code ?? '') ? (code as Flag) : undefined
}

export interface WrittenResults {
  report: Stored<DiagnosticReport>
  observations: Stored<Observation>[]
  critical: Stored<Observation>[]
}

/** Writes the report of an order and its observations, new or as next versions. */
export async function writeResults(
  tx: Transaction,
  labOrder: LabOrder,
  values: ReadonlyMap<string, Value>,
  whom: Whom,
  details: {
    status: 'preliminary' | 'final' | 'corrected'
    at: string
    now: Date
    comment?: string | undefined
    performer?: string | undefined
    reason?: string
  },
): Promise<WrittenResults> {
  const { order, panel } = labOrder
  const why = details.reason === undefined ? {} : { reason: details.reason }
  const before = await tx.find('DiagnosticReport', reportIdOf(order.id))
  const observations: Stored<Observation>[] = []
  for (const analyte of panel.analytes) {
    const known = await tx.find('Observation', derivedId(order.id, analyte.code))
    const value = values.get(analyte.code) ?? measuredIn(known)
    if (!value) continue
    const draft = draftObservation(labOrder, analyte, value, whom, details)
    observations.push(tx.write(known ? { ...draft, meta: known.meta } : draft, why))
  }
  const report: DiagnosticReport = {
    resourceType: 'DiagnosticReport',
    id: reportIdOf(order.id),
    ...(before ? { meta: before.meta } : {}),
    identifier: [{ system: RESULT_SYSTEM, value: reportIdOf(order.id) }],
    basedOn: [{ reference: `ServiceRequest/${order.id}` }],
    status: details.status,
    category: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0074', code: 'LAB' }] }],
    code: order.code ?? { text: panel.name },
    subject: order.subject,
    ...(order.encounter ? { encounter: order.encounter } : {}),
    effectiveDateTime: details.at,
    ...(details.status === 'preliminary' ? {} : { issued: details.now.toISOString() }),
    ...(details.performer === undefined ? {} : { performer: [{ display: details.performer }] }),
    result: observations.map(({ id }) => ({ reference: `Observation/${id}` })),
    ...(details.comment ? { conclusion: details.comment } : before?.conclusion ? { conclusion: before.conclusion } : {}),
  }
  return {
    report: tx.write(report, why),
    observations,
    critical: observations.filter((observation) => ['LL', 'HH'].includes(flagOf(observation) ?? '')),
  }
}

function measuredIn(observation: Observation | undefined): Value | undefined {
  if (!observation) return undefined
  const value = observation.valueQuantity?.value
  return value === undefined ? { text: observation.valueString } : { value, text: observation.note?.[0]?.text }
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
      const { value, text } = measuredIn(observation) ?? {}
      const range = rangeFor(analyte, whom)
      const found = value === undefined ? undefined : interpret(analyte, value, whom)
      const previous = earlier.get(analyte.code)
      const flag = observation ? flagOf(observation) : undefined
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
        ...(value === undefined ? {} : { value }),
        ...(text === undefined ? {} : { text }),
        ...(flag === undefined ? {} : { flag }),
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
