import { summaryOf as encounterSummaryOf } from '@carespine/encounters/encounter-summary'
import { BODY_MASS_INDEX, vitalSigns } from '@carespine/encounters/vital-signs'
import type { CodeableConcept, Condition, MedicationRequest, MedicationStatement, Observation, Stored } from '@carespine/fhir/resource'
import { taskIdOf, type Trend } from '@carespine/lab/contract'
import { RELEASED, reportSummaryOf } from '@carespine/lab/report-summary'
import { orderSummaryOf } from '@carespine/orders/order-summary'
import { wordsOf } from '@carespine/pack-core/bilingual'
import { flagOf } from '@carespine/pack-core/flag'
import { analyteByCode } from '@carespine/pack-core/panels'
import { allergyOf, isActive, statesNoneKnown } from '@carespine/registration/allergy-summary'
import { summaryOf } from '@carespine/registration/patient-summary'
import type { ReadView } from '@carespine/store/contract'
import type { Chart } from './contract.ts'

/** The parts of a chart that come from the record, and how much more there is than is shown. */
export type RecordChart = Omit<Chart, 'alerts' | 'freshness' | 'counters'> & { totals: { encounters: number; reports: number } }

const LOINC = 'http://loinc.org'
const SHOWN = { encounters: 30, reports: 40, trendPoints: 40 }

const loincOf = (observation: Observation): string =>
  observation.code.coding?.find(({ system }) => system === LOINC)?.code ?? ''

function words(concept: CodeableConcept | undefined): { name: string; nameArabic?: string; code?: string } {
  const code = concept?.coding?.[0]?.code
  const { name = code ?? '—', nameArabic } = wordsOf(concept)
  return { name, ...(nameArabic === undefined ? {} : { nameArabic }), ...(code === undefined ? {} : { code }) }
}

function isActiveProblem({ clinicalStatus, verificationStatus }: Condition): boolean {
  const clinical = clinicalStatus?.coding?.[0]?.code ?? 'active'
  const verification = verificationStatus?.coding?.[0]?.code
  return ['active', 'recurrence', 'relapse'].includes(clinical) && verification !== 'entered-in-error' && verification !== 'refuted'
}

function medicationOf(medication: Stored<MedicationRequest> | Stored<MedicationStatement>): Chart['medications'][number] {
  const isRequest = medication.resourceType === 'MedicationRequest'
  const dosage = isRequest ? medication.dosageInstruction?.[0] : medication.dosage?.[0]
  const dose = wordsOf(dosage)
  const since = isRequest ? medication.authoredOn : (medication.effectiveDateTime ?? medication.effectivePeriod?.start)
  const { code: _code, ...name } = words(medication.medicationCodeableConcept ?? { text: medication.medicationReference?.display })
  return { id: medication.id, ...name, ...(dose.name ? { dose: dose.name } : {}), ...(dose.nameArabic ? { doseArabic: dose.nameArabic } : {}), status: medication.status ?? 'active', ...(since ? { since } : {}) }
}

/** Single measurements in an observation: itself, or its components. */
function measurements(observation: Stored<Observation>): { code: string; value: number; unit: string; at: string }[] {
  const at = observation.effectiveDateTime ?? observation.effectivePeriod?.start ?? observation.meta.lastUpdated
  const parts = [{ ...observation, code: observation.code }, ...(observation.component ?? [])]
  return parts.flatMap(({ code, valueQuantity }) => {
    const loinc = code.coding?.find(({ system }) => system === LOINC)?.code
    if (loinc === undefined || valueQuantity?.value === undefined) return []
    return [{ code: loinc, value: valueQuantity.value, unit: valueQuantity.unit ?? valueQuantity.code ?? '', at }]
  })
}

const vitalNames = new Map(
  [...Object.values(vitalSigns), { ...BODY_MASS_INDEX, band: undefined }].map((vital) => [vital.code, vital]),
)

function vitalTrends(observations: readonly Stored<Observation>[]): Trend[] {
  const points = new Map<string, { value: number; unit: string; at: string }[]>()
  for (const observation of observations) {
    for (const { code, ...point } of measurements(observation)) {
      // 59408-5 is the pulse oximeter's own code for 2708-6.
      const known = code === '59408-5' ? '2708-6' : code
      if (vitalNames.has(known)) points.set(known, [...(points.get(known) ?? []), point])
    }
  }
  return [...vitalNames.values()].flatMap((vital) => {
    const values = (points.get(vital.code) ?? []).sort((a, b) => (a.at < b.at ? -1 : 1)).slice(-SHOWN.trendPoints)
    if (values.length === 0) return []
    return [
      {
        code: vital.code,
        name: vital.display,
        nameArabic: vital.displayArabic,
        unit: vital.unit,
        decimals: vital.unit === 'Cel' || vital.unit === 'kg' || vital.unit === 'kg/m2' ? 1 : 0,
        ...(vital.band ? { range: vital.band } : {}),
        points: values.map(({ at, value }) => ({ at, value })),
      },
    ]
  })
}

function labTrends(observations: readonly Stored<Observation>[]): Trend[] {
  const byCode = new Map<string, Stored<Observation>[]>()
  for (const observation of observations) {
    if (observation.valueQuantity?.value === undefined) continue
    byCode.set(loincOf(observation), [...(byCode.get(loincOf(observation)) ?? []), observation])
  }
  return [...byCode].flatMap(([code, found]) => {
    const sorted = found.sort((a, b) => ((a.effectiveDateTime ?? '') < (b.effectiveDateTime ?? '') ? -1 : 1)).slice(-SHOWN.trendPoints)
    const last = sorted.at(-1)
    if (!last || code === '') return []
    const analyte = analyteByCode(code)
    const printed = last.referenceRange?.[0]
    return [
      {
        code,
        name: analyte?.name ?? last.code.text ?? last.code.coding?.[0]?.display ?? code,
        nameArabic: analyte?.nameArabic ?? last.code.text ?? last.code.coding?.[0]?.display ?? code,
        unit: last.valueQuantity?.unit ?? last.valueQuantity?.code ?? '',
        decimals: analyte?.decimals ?? 1,
        ...(printed
          ? {
              range: {
                ...(printed.low?.value === undefined ? {} : { low: printed.low.value }),
                ...(printed.high?.value === undefined ? {} : { high: printed.high.value }),
              },
            }
          : {}),
        ...(analyte?.critical ? { critical: analyte.critical } : {}),
        points: sorted.map((observation) => {
          const flag = observation.interpretation?.[0]?.coding?.[0]?.code
          return {
            at: observation.effectiveDateTime ?? observation.meta.lastUpdated,
            value: observation.valueQuantity?.value ?? 0,
            ...(flag === 'LL' || flag === 'L' || flag === 'N' || flag === 'H' || flag === 'HH' ? { flag } : {}),
          }
        }),
      },
    ]
  })
}

/** Makes a patient's chart from the record, as the view's actor may see it. */
export async function buildChart(view: ReadView, patientId: string): Promise<RecordChart> {
  const patient = `Patient/${patientId}`
  const [person, allergies, requests, statements, conditions, encounters, orders, reports, vitals, labs] = await Promise.all([
    view.read('Patient', patientId),
    view.search('AllergyIntolerance', { patient, _count: '200' }),
    view.search('MedicationRequest', { patient, status: 'active', _count: '200' }),
    view.search('MedicationStatement', { patient, status: 'active', _count: '200' }),
    view.search('Condition', { patient, _count: '300' }),
    view.page('Encounter', { patient, _sort: '-date', _count: String(SHOWN.encounters), _total: 'accurate' }),
    view.search('ServiceRequest', { patient, status: 'active', _sort: '-authored', _count: '100' }),
    view.page('DiagnosticReport', { patient, status: RELEASED, _sort: '-date', _count: String(SHOWN.reports), _total: 'accurate' }),
    view.search('Observation', { patient, category: 'vital-signs', _sort: '-date', _count: '300' }),
    view.search('Observation', { patient, category: 'laboratory', status: 'final,amended,corrected', _sort: '-date', _count: '600' }),
  ])
  const active = allergies.filter(isActive)
  const results = new Map(labs.map((observation) => [observation.id, observation]))
  const trends = vitalTrends(vitals)
  const pending = await Promise.all(orders.map(async (order) => orderSummaryOf(order, await view.find('Task', taskIdOf(order.id)))))
  return {
    patient: summaryOf(person),
    allergies: active.filter((allergy) => !statesNoneKnown(allergy)).map(allergyOf),
    noKnownAllergies: active.some(statesNoneKnown),
    medications: [...requests, ...statements].map(medicationOf),
    problems: conditions.filter(isActiveProblem).map((condition) => ({
      id: condition.id,
      ...words(condition.code),
      ...(condition.onsetDateTime ? { onset: condition.onsetDateTime } : {}),
    })),
    encounters: encounters.resources.map(encounterSummaryOf),
    pendingOrders: pending.filter(({ state }) => state !== 'released' && state !== 'cancelled'),
    reports: reports.resources.map((report) => reportSummaryOf(report, results)),
    vitals: {
      latest: trends.flatMap(({ code, name, unit, points, range }) => {
        const last = points.at(-1)
        if (!last) return []
        const flag = flagOf(last.value, { range })
        return [{ code, name, unit, value: last.value, at: last.at, ...(flag ? { flag } : {}) }]
      }),
      trends,
    },
    trends: labTrends(labs),
    totals: {
      encounters: encounters.total ?? encounters.resources.length,
      reports: reports.total ?? reports.resources.length,
    },
  }
}
