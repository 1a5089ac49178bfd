import type { Stored, Task } from '@carespine/fhir/resource'
import type { z } from '@carespine/kit/contract'
import { query } from '@carespine/kit/module'
import { orderSummaryOf, STATE_SYSTEM } from '@carespine/orders/order-summary'
import { summaryOf } from '@carespine/registration/patient-summary'
import type { ReadView } from '@carespine/store/contract'
import { getLabel, getWorklist, Queue, type WorklistRow } from './contract.ts'
import { accessionOf, CALL_SYSTEM, readLabOrder } from './lab-order.ts'

type QueueName = z.infer<typeof Queue>

const searches: Readonly<Record<QueueName, Record<string, string>>> = {
  collect: { 'business-status': `${STATE_SYSTEM}|ordered` },
  receive: { 'business-status': `${STATE_SYSTEM}|collected` },
  result: { 'business-status': `${STATE_SYSTEM}|received` },
  release: { 'business-status': `${STATE_SYSTEM}|resulted` },
  call: { _tag: `${CALL_SYSTEM}|pending` },
  released: { 'business-status': `${STATE_SYSTEM}|released` },
}

const rank = { stat: 0, urgent: 1, routine: 2 } as const

/** One row of the worklist: the order, the laboratory's Task and the patient together. */
export async function worklistRow(view: ReadView, task: Stored<Task>): Promise<WorklistRow | undefined> {
  const orderId = task.focus?.reference?.replace('ServiceRequest/', '') ?? ''
  const patientId = task.for?.reference?.replace('Patient/', '') ?? ''
  const [order, patient] = await Promise.all([view.find('ServiceRequest', orderId), view.find('Patient', patientId)])
  if (!order || !patient) return undefined
  const { id, number, state, panel, panelName, panelNameArabic, priority, orderedAt, reportId } = orderSummaryOf(order, task)
  const person = summaryOf(patient)
  const accession = accessionOf(task)
  return {
    orderId: id,
    version: task.meta.versionId,
    number,
    ...(accession === undefined ? {} : { accession }),
    state,
    panel,
    panelName,
    panelNameArabic,
    priority,
    orderedAt,
    ...(task.executionPeriod?.start ? { collectedAt: task.executionPeriod.start } : {}),
    ...(reportId === undefined ? {} : { reportId }),
    patientId,
    patientName: person.name,
    ...(person.nameArabic ? { patientNameArabic: person.nameArabic } : {}),
    ...(person.mrn ? { mrn: person.mrn } : {}),
    sex: person.sex,
    ...(person.birthDate ? { birthDate: person.birthDate } : {}),
    callPending: task.meta.tag?.some(({ system }) => system === CALL_SYSTEM) ?? false,
  }
}

export const getWorklistQuery = query(getWorklist, async ({ queue, text, limit, cursor }, { view }) => {
  const wanted = queue ?? 'collect'
  const counts = Object.fromEntries(
    await Promise.all(
      Queue.options.map(async (name) => {
        const { total = 0 } = await view.page('Task', { ...searches[name], _summary: 'count' })
        return [name, total] as const
      }),
    ),
  ) as Record<QueueName, number>
  const { resources, next } = await view.page('Task', {
    ...searches[wanted],
    _sort: wanted === 'released' ? '-modified' : 'authored-on',
    _count: String(limit),
    ...(cursor === undefined ? {} : { _cursor: cursor }),
  })
  const rows = (await Promise.all(resources.map((task) => worklistRow(view, task)))).filter((row) => row !== undefined)
  const needle = text?.toLowerCase() ?? ''
  const shown = needle === '' ? rows : rows.filter((row) => containsText(row, needle))
  if (wanted !== 'released') shown.sort((a, b) => rank[a.priority] - rank[b.priority] || (a.orderedAt < b.orderedAt ? -1 : 1))
  return { rows: shown, counts, ...(next === undefined ? {} : { next }) }
})

function containsText(row: WorklistRow, needle: string): boolean {
  return [row.patientName, row.patientNameArabic, row.mrn, row.accession, row.number, row.panelName].some((part) =>
    part?.toLowerCase().includes(needle),
  )
}

export const getLabelQuery = query(getLabel, async ({ orderId }, { view }) => {
  const { task, panel, patientId } = await readLabOrder(view, orderId)
  const row = task && (await worklistRow(view, task))
  const patient = summaryOf(await view.read('Patient', patientId))
  return {
    accession: accessionOf(task) ?? '',
    patientName: patient.name,
    ...(patient.nameArabic ? { patientNameArabic: patient.nameArabic } : {}),
    ...(patient.mrn ? { mrn: patient.mrn } : {}),
    ...(patient.birthDate ? { birthDate: patient.birthDate } : {}),
    sex: patient.sex,
    panel: panel.name,
    tube: panel.tube,
    ...(row?.collectedAt ? { collectedAt: row.collectedAt } : {}),
    priority: row?.priority ?? 'routine',
  }
})
