import type { ServiceRequest, Stored, Task } from '@carespine/fhir/resource'
import { panelByCode } from '@carespine/pack-core/panels'
import { ORDER_SYSTEM, OrderState, type OrderSummary } from './contract.ts'

/** System of the workflow states on the laboratory's Task of an order. */
export const STATE_SYSTEM = 'https://carespine.example/fhir/CodeSystem/order-state'
export const PANEL_SYSTEM = 'https://carespine.example/fhir/CodeSystem/panel'

/** Where an order stands: what the laboratory's Task says, or ordered while there is none. */
export function stateOf(order: ServiceRequest, task: Task | undefined): OrderState {
  if (order.status === 'revoked' || order.status === 'entered-in-error') return 'cancelled'
  const code = task?.businessStatus?.coding?.find(({ system }) => system === STATE_SYSTEM)?.code
  const state = OrderState.safeParse(code)
  if (state.success) return state.data
  return order.status === 'completed' ? 'released' : 'ordered'
}

export function panelOf(order: ServiceRequest): string {
  const codings = order.code?.coding ?? []
  return codings.find(({ system }) => system === PANEL_SYSTEM)?.code ?? codings[0]?.code ?? ''
}

export function orderSummaryOf(order: Stored<ServiceRequest>, task: Task | undefined): OrderSummary {
  const panel = panelByCode(panelOf(order))
  const report = task?.output?.find(({ valueReference }) => valueReference?.reference?.startsWith('DiagnosticReport/'))
  const number = order.identifier?.find(({ system }) => system === ORDER_SYSTEM)?.value
  const by = order.requester?.display ?? order.requester?.reference?.replace('Practitioner/', '')
  return {
    id: order.id,
    version: order.meta.versionId,
    number: number ?? '',
    panel: panel?.code ?? panelOf(order),
    panelName: panel?.name ?? order.code?.text ?? order.code?.coding?.[0]?.display ?? '',
    panelNameArabic: panel?.nameArabic ?? order.code?.text ?? '',
    priority: order.priority === 'stat' || order.priority === 'asap' ? 'stat' : order.priority === 'urgent' ? 'urgent' : 'routine',
    state: stateOf(order, task),
    orderedAt: order.authoredOn ?? order.meta.lastUpdated,
    ...(by === undefined ? {} : { orderedBy: by }),
    patientId: order.subject.reference?.replace('Patient/', '') ?? '',
    ...(order.encounter?.reference ? { encounterId: order.encounter.reference.replace('Encounter/', '') } : {}),
    ...(report?.valueReference?.reference ? { reportId: report.valueReference.reference.replace('DiagnosticReport/', '') } : {}),
  }
}
