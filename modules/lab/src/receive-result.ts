import { createHash } from 'node:crypto'
import type { ServiceRequest } from '@carespine/fhir/resource'
import { tokenOf } from '@carespine/fhir/search-query'
import type { z } from '@carespine/kit/contract'
import { command, refuse } from '@carespine/kit/module'
import { ORDER_SYSTEM } from '@carespine/orders/contract'
import { PANEL_SYSTEM } from '@carespine/orders/order-summary'
import { panelByCode } from '@carespine/pack-core/panels'
import type { Transaction } from '@carespine/store/contract'
import { collect, signalWorklist } from './collect-specimen.ts'
import { ACCESSION_SYSTEM, receiveResult } from './contract.ts'
import { convertTo } from './convert-unit.ts'
import { type LabOrder, moveTask, readLabOrder, whomOf } from './lab-order.ts'
import { announceResult } from './release-result.ts'
import { checkedValues, writeResults } from './result-values.ts'

type Received = z.output<typeof receiveResult.input>

interface ReceivedRow {
  order_id: string
  report_id: string
  patient_id: string
  critical: boolean
}

export const receiveResultCommand = command(receiveResult, async (input, { tx, actor, now }) => {
  const source = createHash('sha256').update(JSON.stringify([input.source.system, input.source.reference])).digest()
  const [before] = await tx.sql<ReceivedRow>(
    'select order_id, report_id, patient_id, critical from lab.received where branch = $1 and source = $2',
    [actor.branch, source],
  )
  if (before) {
    const { order_id: orderId, report_id: reportId, patient_id: patientId, critical } = before
    return { orderId, reportId, patientId, critical, applied: false }
  }
  let labOrder = await findOrder(tx, input, now)
  if (input.patientId !== undefined && input.patientId !== labOrder.patientId) refuse('LAB_PATIENT_MISMATCH')
  if (labOrder.state === 'cancelled') refuse('LAB_STATE', { state: labOrder.state })
  if (labOrder.state === 'ordered') {
    ;({ labOrder } = await collect(tx, labOrder, now, { at: input.observedAt }))
  }
  const whom = whomOf(await tx.read('Patient', labOrder.patientId), now)
  const values = checkedValues(labOrder.panel, inPanelUnits(labOrder, input), whom)
  if (values.size === 0) refuse('LAB_NO_VALUES', { field: 'items' })
  const corrected = labOrder.state === 'released' || input.status === 'corrected'
  const status = input.status === 'preliminary' && !corrected ? 'preliminary' : corrected ? 'corrected' : 'final'
  const written = await writeResults(tx, labOrder, values, whom, {
    status,
    at: input.observedAt ?? labOrder.task?.executionPeriod?.start ?? now.toISOString(),
    now,
    performer: input.performer,
    ...(corrected ? { reason: 'Corrected by the sender' } : {}),
  })
  const isReleased = status !== 'preliminary'
  const critical = isReleased && written.critical.length > 0
  moveTask(tx, labOrder, isReleased ? 'released' : 'resulted', now, {
    report: { reference: `DiagnosticReport/${written.report.id}` },
    ...(critical ? { callPending: true } : {}),
  })
  if (isReleased) announceResult(tx, labOrder, written, { corrected })
  signalWorklist(tx, actor.branch)
  await tx.sql(
    'insert into lab.received (branch, source, order_id, report_id, patient_id, critical, at) values ($1, $2, $3, $4, $5, $6, $7)',
    [actor.branch, source, labOrder.order.id, written.report.id, labOrder.patientId, critical, now],
  )
  return { reportId: written.report.id, orderId: labOrder.order.id, patientId: labOrder.patientId, critical, applied: true }
})

function inPanelUnits({ panel }: LabOrder, { items }: Received): { code: string; value?: number; text?: string }[] {
  const wrong: string[] = []
  const converted = items.map(({ code, value, text, unit }) => {
    const analyte = panel.analytes.find((one) => one.code === code)
    if (!analyte || value === undefined) return { code, ...(text === undefined ? {} : { text }) }
    const inUnit = convertTo(analyte.unit, value, unit, code)
    if (inUnit === undefined) wrong.push(code)
    return { code, value: inUnit ?? value, ...(text === undefined ? {} : { text }) }
  })
  if (wrong.length > 0) refuse('LAB_UNIT_MISMATCH', { fields: wrong })
  return converted
}

async function findOrder(tx: Transaction, input: Received, now: Date): Promise<LabOrder> {
  if (input.orderId !== undefined) return await readLabOrder(tx, input.orderId)
  if (input.accession !== undefined) {
    const [task] = await tx.search('Task', { identifier: tokenOf(ACCESSION_SYSTEM, input.accession), _count: '1' })
    const orderId = task?.focus?.reference?.replace('ServiceRequest/', '')
    if (orderId !== undefined) return await readLabOrder(tx, orderId)
  }
  if (input.orderNumber !== undefined) {
    const [order] = await tx.search('ServiceRequest', { identifier: tokenOf(ORDER_SYSTEM, input.orderNumber), _count: '1' })
    if (order) return await readLabOrder(tx, order.id)
    // The sender says that it was ordered here: filing it under an order made for it would hide the mistake.
    return refuse('LAB_ORDER_UNKNOWN')
  }
  if (input.patientId === undefined || input.panel === undefined) return refuse('LAB_ORDER_UNKNOWN')
  const panel = panelByCode(input.panel) ?? refuse('LAB_PANEL_UNKNOWN', { panel: input.panel })
  // A result nobody ordered here, such as from another laboratory: the order is put on record with it.
  const order: ServiceRequest = {
    resourceType: 'ServiceRequest',
    status: 'completed',
    intent: 'filler-order',
    priority: 'routine',
    code: {
      coding: [
        { system: 'http://loinc.org', code: panel.loinc, display: panel.name },
        { system: PANEL_SYSTEM, code: panel.code },
      ],
      text: panel.name,
    },
    subject: { reference: `Patient/${input.patientId}` },
    authoredOn: now.toISOString(),
  }
  await tx.read('Patient', input.patientId)
  const stored = tx.write(order)
  return { order: stored, task: undefined, state: 'ordered', panel, patientId: input.patientId }
}
