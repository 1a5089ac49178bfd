import type { Stored, Task } from '@carespine/fhir/resource'
import { tokenOf } from '@carespine/fhir/search-query'
import type { z } from '@carespine/kit/contract'
import { query } from '@carespine/kit/module'
import { ORDER_SYSTEM } from '@carespine/orders/contract'
import { orderSummaryOf, STATE_SYSTEM } from '@carespine/orders/order-summary'
import { summaryOf } from '@carespine/registration/patient-summary'
import type { ReadView, SearchInput } from '@carespine/store/contract'
import { pageAcross } from '@carespine/store/page-across'
import { ACCESSION_SYSTEM, getLabel, getWorklist, Queue, type WorklistRow } from './contract.ts'
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

/** Urgent first: three lists after one another, each by time. */
const byPriority = [{ priority: 'stat,asap' }, { priority: 'urgent' }, { 'priority:not': ['stat', 'asap', 'urgent'] }]
/** As many as are looked at for a number; it stands for one order or one patient. */
const FOUND_BY_NUMBER = 100

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

export const getWorklistQuery = query(getWorklist, async ({ queue = 'collect', text = '', limit, cursor }, { view }) => {
  const waiting = { ...searches[queue], _sort: queue === 'released' ? '-modified' : 'authored-on' }
  const lists = queue === 'released' ? [waiting] : byPriority.map((priority) => ({ ...waiting, ...priority }))
  const [counts, found] = await Promise.all([
    // Known from the first page.
    cursor === undefined ? countQueues(view) : undefined,
    /\d/.test(text) ? byNumber(view, lists, text) : pageAcross(view, 'Task', lists.map((list) => ({ ...list, ...byName(text) })), { limit, cursor }),
  ])
  const rows = await Promise.all(found.resources.map((task) => worklistRow(view, task)))
  return {
    rows: rows.filter((row) => row !== undefined),
    ...(counts ? { counts } : {}),
    ...(found.next === undefined ? {} : { next: found.next }),
  }
})

async function countQueues(view: ReadView): Promise<Record<QueueName, number>> {
  const counts = Queue.options.map(async (name) => {
    const { total = 0 } = await view.page('Task', { ...searches[name], _summary: 'count' })
    return [name, total] as const
  })
  return Object.fromEntries(await Promise.all(counts)) as Record<QueueName, number>
}

function byName(text: string): SearchInput {
  const words = text.split(/\s+/).filter((word) => word !== '')
  return words.length > 0 ? { 'patient:Patient.name': words } : {}
}

/** Orders with this accession or order number, and those of the patients whose number begins so. */
async function byNumber(view: ReadView, lists: readonly SearchInput[], text: string): Promise<{ resources: Stored<Task>[]; next?: string }> {
  const number = text.replace(/[٠-٩]/g, (digit) => String(digit.charCodeAt(0) - 0x660))
  const meanings: SearchInput[] = [
    { identifier: tokenOf(ACCESSION_SYSTEM, number) },
    { 'focus:ServiceRequest.identifier': tokenOf(ORDER_SYSTEM, number) },
    ...(/^\d+$/.test(number) ? [{ 'patient:Patient.identifier:starts-with': number }] : []),
  ]
  const asked = lists.flatMap((list) => meanings.map((meaning) => ({ ...list, ...meaning })))
  const { resources } = await pageAcross(view, 'Task', asked, { limit: FOUND_BY_NUMBER })
  return { resources: [...new Map(resources.map((task) => [task.id, task])).values()] }
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
