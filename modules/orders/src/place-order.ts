import { can } from '@carespine/encounters/contract'
import type { Encounter, ServiceRequest, Stored } from '@carespine/fhir/resource'
import { command, refuse } from '@carespine/kit/module'
import { type Panel, panelByCode, panels } from '@carespine/pack-core/panels'
import type { Actor } from '@carespine/store/contract'
import { LabOrderCreated, ORDER_SYSTEM, placeOrder } from './contract.ts'
import { PANEL_SYSTEM, panelOf } from './order-summary.ts'

/** The FHIR ServiceRequest of one panel. */
function draftOrder(
  panel: Panel,
  details: { number: string; priority: 'routine' | 'urgent' | 'stat'; note?: string | undefined },
  encounter: Stored<Encounter>,
  actor: Actor,
  now: Date,
): ServiceRequest {
  return {
    resourceType: 'ServiceRequest',
    identifier: [{ system: ORDER_SYSTEM, value: details.number }],
    status: 'active',
    intent: 'order',
    category: [{ coding: [{ system: 'http://snomed.info/sct', code: '108252007', display: 'Laboratory procedure' }] }],
    priority: details.priority,
    code: {
      coding: [
        { system: 'http://loinc.org', code: panel.loinc, display: panel.name },
        { system: PANEL_SYSTEM, code: panel.code },
      ],
      text: panel.name,
    },
    subject: { reference: encounter.subject?.reference ?? '' },
    encounter: { reference: `Encounter/${encounter.id}` },
    authoredOn: now.toISOString(),
    ...(actor.practitioner === undefined
      ? {}
      : { requester: { reference: `Practitioner/${actor.practitioner}`, display: actor.display } }),
    ...(details.note === undefined ? {} : { note: [{ text: details.note }] }),
  }
}

export const placeOrderCommand = command(placeOrder, async (input, { tx, actor, now }) => {
  const encounter = await tx.read('Encounter', input.encounterId)
  if (!can.order.includes(encounter.status)) refuse('ORDERS_ENCOUNTER_CLOSED', { encounterId: encounter.id })
  const wanted = [...new Set(input.panels)].map(
    (code) => panelByCode(code) ?? refuse('ORDERS_PANEL_UNKNOWN', { field: 'panels', known: panels.map((panel) => panel.code) }),
  )
  const patient = encounter.subject?.reference ?? ''
  if (!input.repeat) {
    const waiting = await tx.search('ServiceRequest', { subject: patient, status: 'active', _count: '200' })
    const twice = wanted.filter((panel) => waiting.some((order) => panelOf(order) === panel.code))
    if (twice.length > 0) refuse('ORDERS_ALREADY_WAITING', { panels: twice.map(({ code }) => code) })
  }
  const numbers = await tx.sql<{ number: string }>(
    "select nextval('orders.order_number')::text as number from generate_series(1, $1)",
    [wanted.length],
  )
  const orders = wanted.map((panel, at) => {
    const number = numbers[at]?.number ?? ''
    const order = tx.write(draftOrder(panel, { number, priority: input.priority, note: input.note }, encounter, actor, now))
    tx.emit(
      LabOrderCreated,
      {
        orderId: order.id,
        number,
        patientId: patient.replace('Patient/', ''),
        encounterId: encounter.id,
        panel: panel.code,
        priority: input.priority,
      },
      { resource: order },
    )
    return { orderId: order.id, number, panel: panel.code }
  })
  return { orders }
})
