import { createHash } from 'node:crypto'
import type { Patient, Reference, ServiceRequest, Stored, Task } from '@carespine/fhir/resource'
import { refuse } from '@carespine/kit/module'
import type { OrderState } from '@carespine/orders/contract'
import { panelOf, STATE_SYSTEM, stateOf } from '@carespine/orders/order-summary'
import { type Panel, panelByCode } from '@carespine/pack-core/panels'
import type { ReadView, Transaction } from '@carespine/store/contract'
import { ACCESSION_SYSTEM, taskIdOf } from './contract.ts'
import { ageInDays, type Whom } from './interpret-result.ts'

/** System of the tag on a Task whose report holds a critical value that nobody has been called about. */
export const CALL_SYSTEM = 'https://carespine.example/fhir/CodeSystem/lab-call'

/** An order as the laboratory works on it. */
export interface LabOrder {
  order: Stored<ServiceRequest>
  /** The laboratory's own record of the work; undefined while nobody has touched the order. */
  task: Stored<Task> | undefined
  state: OrderState
  panel: Panel
  patientId: string
}

/** Ids made from the order: work that is repeated after a crash meets what it had made before. */
export function derivedId(orderId: string, what: string): string {
  const hex = createHash('sha256').update(`${orderId}/${what}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-9${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

export function reportIdOf(orderId: string): string {
  return derivedId(orderId, 'report')
}

export async function readLabOrder(view: ReadView, orderId: string): Promise<LabOrder> {
  const order = await view.read('ServiceRequest', orderId)
  const task = await view.find('Task', taskIdOf(orderId))
  const panel = panelByCode(panelOf(order)) ?? refuse('LAB_PANEL_UNKNOWN', { panel: panelOf(order) })
  return { order, task, state: stateOf(order, task), panel, patientId: order.subject.reference?.replace('Patient/', '') ?? '' }
}

/** Refuses unless the order is in one of the states. */
export function requireState(labOrder: LabOrder, allowed: readonly OrderState[]): void {
  if (!allowed.includes(labOrder.state)) refuse('LAB_STATE', { state: labOrder.state, allowed })
}

export function accessionOf(task: Task | undefined): string | undefined {
  return task?.identifier?.find(({ system }) => system === ACCESSION_SYSTEM)?.value
}

const statusOf: Readonly<Record<OrderState, Task['status']>> = {
  ordered: 'requested',
  collected: 'in-progress',
  received: 'in-progress',
  resulted: 'in-progress',
  released: 'completed',
  cancelled: 'cancelled',
}

/** Moves the laboratory's Task to a state; makes it when it is the first step. */
export function moveTask(
  tx: Transaction,
  { order, task }: Pick<LabOrder, 'order' | 'task'>,
  state: OrderState,
  now: Date,
  changes: { accession?: string; report?: Reference; specimen?: Reference; callPending?: boolean; collectedAt?: string } = {},
): Stored<Task> {
  const tags = (task?.meta.tag ?? []).filter(({ system }) => system !== CALL_SYSTEM)
  const pending = changes.callPending ?? task?.meta.tag?.some(({ system }) => system === CALL_SYSTEM) ?? false
  const outputs = (task?.output ?? []).filter(({ valueReference }) => {
    const type = valueReference?.reference?.split('/')[0]
    return !(changes.report && type === 'DiagnosticReport') && !(changes.specimen && type === 'Specimen')
  })
  const output = (text: string, reference: Reference) => ({ type: { text }, valueReference: reference })
  const all = [
    ...outputs,
    ...(changes.specimen ? [output('specimen', changes.specimen)] : []),
    ...(changes.report ? [output('report', changes.report)] : []),
  ]
  const { output: _output, meta: before, ...base } = task ?? draftTask(order)
  const { tag: _tags, ...meta } = before ?? {}
  const allTags = [...tags, ...(pending ? [{ system: CALL_SYSTEM, code: 'pending' }] : [])]
  return tx.write({
    ...base,
    meta: { ...meta, ...(allTags.length > 0 ? { tag: allTags } : {}) },
    status: statusOf[state],
    businessStatus: { coding: [{ system: STATE_SYSTEM, code: state }] },
    lastModified: now.toISOString(),
    ...(changes.accession === undefined ? {} : { identifier: [{ system: ACCESSION_SYSTEM, value: changes.accession }] }),
    ...(changes.collectedAt === undefined ? {} : { executionPeriod: { start: changes.collectedAt } }),
    ...(all.length > 0 ? { output: all } : {}),
  } as Task) as Stored<Task>
}

function draftTask(order: Stored<ServiceRequest>): Task {
  return {
    resourceType: 'Task',
    id: taskIdOf(order.id),
    status: 'requested',
    intent: 'order',
    code: { text: 'laboratory' },
    ...(order.priority ? { priority: order.priority } : {}),
    focus: { reference: `ServiceRequest/${order.id}` },
    for: order.subject,
    ...(order.encounter ? { encounter: order.encounter } : {}),
    ...(order.authoredOn ? { authoredOn: order.authoredOn } : {}),
  }
}

export function whomOf(patient: Patient, at: Date): Whom {
  return { sex: patient.gender ?? 'unknown', ageDays: ageInDays(patient.birthDate, at) }
}
