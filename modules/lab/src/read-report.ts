import type { DiagnosticReport, Observation, Stored } from '@carespine/fhir/resource'
import { command, query, refuse } from '@carespine/kit/module'
import { ORDER_SYSTEM } from '@carespine/orders/contract'
import { analyteByCode } from '@carespine/pack-core/panels'
import type { Actor, ReadView } from '@carespine/store/contract'
import { type Flag, getReport, isCritical, LabResultViewed, recordCallBack, type ResultItem, type ResultReport, type Trend, viewResult } from './contract.ts'
import { interpret, rangeFor, type Whom } from './interpret-result.ts'
import { derivedId, moveTask, readLabOrder, whomOf } from './lab-order.ts'
import { flagOf, noteOf, statusOf } from './result-values.ts'
import { panelNames, resultIdsOf } from './report-summary.ts'
import { signalWorklist } from './collect-specimen.ts'

function loincOf(observation: Observation): string {
  return observation.code.coding?.find(({ system }) => system === 'http://loinc.org')?.code ?? observation.code.coding?.[0]?.code ?? ''
}

/** One observation as a line of a report, whoever made it. */
function itemOf(observation: Stored<Observation>, whom: Whom): ResultItem {
  const code = loincOf(observation)
  const analyte = analyteByCode(code)
  const { valueQuantity, valueString, valueCodeableConcept, referenceRange } = observation
  const printed = referenceRange?.[0]
  const range = printed
    ? {
        ...(printed.low?.value === undefined ? {} : { low: printed.low.value }),
        ...(printed.high?.value === undefined ? {} : { high: printed.high.value }),
      }
    : analyte && rangeFor(analyte, whom)
  const status = statusOf(observation)
  // What was withdrawn is named, not shown.
  const shown = status === 'withdrawn' ? {} : { value: valueQuantity?.value, text: valueString ?? valueCodeableConcept?.text }
  const { value, text } = shown
  const note = noteOf(observation)
  const reason = analyte && value !== undefined ? interpret(analyte, value, whom).criticalReason : undefined
  const flag = flagOf(observation)
  return {
    code,
    name: observation.code.text ?? analyte?.name ?? code,
    nameArabic: analyte?.nameArabic ?? observation.code.text ?? code,
    unit: valueQuantity?.code ?? valueQuantity?.unit ?? analyte?.unit ?? '',
    decimals: analyte?.decimals ?? 1,
    derived: analyte?.derived !== undefined,
    ...(range ? { range } : {}),
    ...(analyte?.critical ? { critical: analyte.critical } : {}),
    status,
    ...(value === undefined ? {} : { value }),
    ...(text === undefined ? {} : { text }),
    ...(note === undefined ? {} : { note }),
    ...(flag === undefined ? {} : { flag }),
    ...(reason === undefined ? {} : { criticalReason: reason }),
  }
}

/** How the values of some analytes went over time, oldest first. */
async function trendsOf(view: ReadView, patientId: string, items: readonly ResultItem[]): Promise<Trend[]> {
  if (items.length === 0) return []
  const found = await view.search('Observation', {
    patient: `Patient/${patientId}`,
    code: items.map(({ code }) => `http://loinc.org|${code}`).join(','),
    status: 'final,amended,corrected',
    _sort: '-date',
    _count: '600',
  })
  const points = new Map<string, Trend['points']>()
  for (const observation of found.reverse()) {
    const value = observation.valueQuantity?.value
    if (value === undefined) continue
    const flag: Flag | undefined = flagOf(observation)
    const list = points.get(loincOf(observation)) ?? []
    list.push({ at: observation.effectiveDateTime ?? observation.meta.lastUpdated, value, ...(flag ? { flag } : {}) })
    points.set(loincOf(observation), list)
  }
  return items.map(({ code, name, nameArabic, unit, decimals, range, critical }) => ({
    code,
    name,
    nameArabic,
    unit,
    decimals,
    ...(range ? { range } : {}),
    ...(critical ? { critical } : {}),
    points: points.get(code) ?? [],
  }))
}

export const getReportQuery = query(getReport, async ({ reportId }, { view, actor, now }) => {
  const report = await view.read('DiagnosticReport', reportId)
  const patientId = report.subject?.reference?.replace('Patient/', '') ?? ''
  const orderId = report.basedOn?.[0]?.reference?.replace('ServiceRequest/', '')
  const [patient, order, callBack, seen] = await Promise.all([
    view.read('Patient', patientId),
    orderId === undefined ? undefined : view.find('ServiceRequest', orderId),
    view.find('Communication', derivedId(reportId, 'call-back')),
    view.sql('select 1 from lab.viewed where report_id = $1 and viewer = $2', [reportId, actor.id]),
  ])
  const whom = whomOf(patient, now)
  const observations = await Promise.all(resultIdsOf(report).map((id) => view.find('Observation', id)))
  const items = observations.flatMap((observation) => (observation ? [itemOf(observation, whom)] : []))
  const trends = await trendsOf(view, patientId, items)
  const withPrevious = items.map((item) => {
    const at = report.effectiveDateTime ?? ''
    const earlier = trends.find(({ code }) => code === item.code)?.points.filter((point) => point.at < at)
    const previous = earlier?.at(-1)
    return previous ? { ...item, previous: { value: previous.value, at: previous.at } } : item
  })
  const number = order?.identifier?.find(({ system }) => system === ORDER_SYSTEM)?.value
  const performer = report.performer?.[0]?.display
  const answer: ResultReport = {
    reportId,
    ...(orderId === undefined ? {} : { orderId }),
    ...(number === undefined ? {} : { orderNumber: number }),
    patientId,
    ...panelNames(report),
    status: report.status,
    ...(report.issued === undefined ? {} : { issuedAt: report.issued }),
    ...(report.effectiveDateTime === undefined ? {} : { collectedAt: report.effectiveDateTime }),
    ...(performer === undefined ? {} : { performer, releasedBy: performer }),
    ...(report.conclusion === undefined ? {} : { comment: report.conclusion }),
    items: withPrevious,
    ...(callBack
      ? {
          callBack: {
            calledTo: callBack.recipient?.[0]?.display ?? '',
            at: callBack.sent ?? '',
            by: callBack.sender?.display ?? '',
            readBack: callBack.received !== undefined,
          },
        }
      : {}),
    viewed: seen.length > 0,
  }
  return { report: answer, trends }
})

/** Who ordered it and who answers for the visit; when nobody is named, every provider of the branch. */
async function answersFor(view: ReadView, report: DiagnosticReport, actor: Actor): Promise<boolean> {
  if (actor.practitioner === undefined) return false
  const orderId = report.basedOn?.[0]?.reference?.replace('ServiceRequest/', '')
  const order = orderId === undefined ? undefined : await view.find('ServiceRequest', orderId)
  const visit = (report.encounter ?? order?.encounter)?.reference?.replace('Encounter/', '')
  const encounter = visit === undefined ? undefined : await view.find('Encounter', visit)
  const named = [order?.requester, ...(encounter?.participant ?? []).map(({ individual }) => individual)].flatMap((who) =>
    who?.reference?.startsWith('Practitioner/') ? [who.reference] : [],
  )
  return named.length > 0 ? named.includes(`Practitioner/${actor.practitioner}`) : actor.roles.includes('provider')
}

export const viewResultCommand = command(viewResult, async ({ reportId }, { tx, actor, now }) => {
  const report = await tx.read('DiagnosticReport', reportId)
  if (!(await answersFor(tx, report, actor))) return { reportId, recorded: false }
  const fresh = await tx.sql(
    'insert into lab.viewed (branch, report_id, viewer, at) values ($1, $2, $3, $4) on conflict do nothing returning 1',
    [actor.branch, reportId, actor.id, now],
  )
  const patientId = report.subject?.reference?.replace('Patient/', '') ?? ''
  if (fresh.length > 0) tx.emit(LabResultViewed, { reportId, patientId }, { resource: report })
  return { reportId, recorded: true }
})

export const recordCallBackCommand = command(recordCallBack, async (input, { tx, actor, now }) => {
  const report = await tx.read('DiagnosticReport', input.reportId)
  const orderId = report.basedOn?.[0]?.reference?.replace('ServiceRequest/', '') ?? ''
  const labOrder = await readLabOrder(tx, orderId)
  const observations = await Promise.all(resultIdsOf(report).map((id) => tx.find('Observation', id)))
  const hasCritical = observations.some((observation) => observation && isCritical(flagOf(observation)))
  if (!hasCritical) refuse('LAB_CALL_BACK_NOT_NEEDED')
  const id = derivedId(input.reportId, 'call-back')
  const before = await tx.find('Communication', id)
  const at = input.at ?? now.toISOString()
  tx.write({
    resourceType: 'Communication',
    id,
    ...(before ? { meta: before.meta } : {}),
    status: 'completed',
    category: [{ text: 'critical result call-back' }],
    subject: report.subject as { reference: string },
    about: [{ reference: `DiagnosticReport/${input.reportId}` }],
    sent: at,
    // Read back means received and understood.
    ...(input.readBack ? { received: at } : {}),
    sender: { display: actor.display },
    recipient: [{ display: input.calledTo }],
    ...(input.note ? { note: [{ text: input.note }] } : {}),
  })
  moveTask(tx, labOrder, labOrder.state, now, { callPending: false })
  signalWorklist(tx, actor.branch)
  return { reportId: input.reportId }
})
