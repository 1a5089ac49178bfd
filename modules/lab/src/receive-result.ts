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
import { boundOf } from './interpret-result.ts'
import { accessionOf, type LabOrder, moveTask, readLabOrder, whomOf } from './lab-order.ts'
import type { Result } from './merge-result.ts'
import { announceResult, callPendingAfter } from './release-result.ts'
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
  let labOrder = await findOrder(tx, input, now, actor.branch)
  if (input.patientId !== undefined && input.patientId !== labOrder.patientId) refuse('LAB_PATIENT_MISMATCH')
  if (labOrder.state === 'cancelled') refuse('LAB_STATE', { state: labOrder.state })
  await rememberNumber(tx, input, labOrder, actor.branch)
  if (labOrder.state === 'ordered') {
    ;({ labOrder } = await collect(tx, labOrder, now, { at: input.observedAt }))
  }
  const whom = whomOf(await tx.read('Patient', labOrder.patientId), now)
  const written = await writeResults(tx, labOrder, receivedResults(labOrder, input), whom, {
    at: input.observedAt ?? labOrder.task?.executionPeriod?.start ?? now.toISOString(),
    now,
    performer: input.performer,
    comment: input.comment,
    ...(input.items.some(({ status }) => status === 'corrected' || status === 'withdrawn') ? { reason: 'Corrected by the sender' } : {}),
  })
  const critical = written.critical.length > 0
  if (written.changed) {
    // What was given for another patient's order is taken back: the work on this one is still to be done.
    const state = written.isEmpty ? 'received' : written.isWaiting ? 'resulted' : 'released'
    moveTask(tx, labOrder, state, now, { report: { reference: `DiagnosticReport/${written.report.id}` }, ...callPendingAfter(written) })
    if (written.tells) announceResult(tx, labOrder, written)
    signalWorklist(tx, actor.branch)
  }
  await tx.sql(
    'insert into lab.received (branch, source, order_id, report_id, patient_id, critical, at) values ($1, $2, $3, $4, $5, $6, $7)',
    [actor.branch, source, labOrder.order.id, written.report.id, labOrder.patientId, critical, now],
  )
  return { reportId: written.report.id, orderId: labOrder.order.id, patientId: labOrder.patientId, critical, applied: true }
})

/** What was sent, in the panel's units. */
function receivedResults({ panel }: LabOrder, { items }: Received): Map<string, Result> {
  const wrong: string[] = []
  const converted = items.map(({ unit, ...item }) => {
    const analyte = panel.analytes.find(({ code }) => code === item.code)
    if (!analyte) return item
    const toPanel = (amount: number): number => {
      const inUnit = convertTo(analyte.unit, amount, unit, item.code)
      if (inUnit === undefined) wrong.push(item.code)
      return inUnit ?? amount
    }
    if (item.value !== undefined) return { ...item, value: toPanel(item.value) }
    const bound = boundOf(item.text ?? '')
    return bound ? { ...item, text: `${bound.comparator}${toPanel(bound.limit)}` } : item
  })
  if (wrong.length > 0) refuse('LAB_UNIT_MISMATCH', { fields: wrong })
  const results = new Map<string, Result>()
  const twice: string[] = []
  for (const { code, ...result } of checkedValues(panel, converted)) {
    const other = results.get(code)
    const isSame = other === undefined || (other.status === result.status && other.value === result.value && other.text === result.text)
    if (!isSame) twice.push(code)
    results.set(code, { ...other, ...result })
  }
  if (twice.length > 0) refuse('LAB_RESULT_TWICE', { fields: twice })
  if (results.size === 0) refuse('LAB_NO_VALUES', { field: 'items' })
  return results
}

/** The sender's own number for its work on a panel, as a keyed hash. */
function fillerNumber(tx: Transaction, { source, accession, panel }: Received): string | undefined {
  return accession === undefined ? undefined : tx.blind(JSON.stringify(['filler', source.system, accession, panel ?? '']))
}

// A correction comes under the same number of the sender's as what it corrects: without this, it would make an order of
// its own, and the wrong result would stay beside it.
async function rememberNumber(tx: Transaction, input: Received, { order, task }: LabOrder, branch: string): Promise<void> {
  const number = fillerNumber(tx, input)
  if (number === undefined || accessionOf(task) === input.accession) return
  await tx.sql(
    'insert into lab.filler_number (branch, number, order_id) values ($1, $2, $3) on conflict (branch, number) do update set order_id = $3',
    [branch, number, order.id],
  )
}

async function findOrder(tx: Transaction, input: Received, now: Date, branch: string): Promise<LabOrder> {
  if (input.orderId !== undefined) return await readLabOrder(tx, input.orderId)
  if (input.accession !== undefined) {
    const [task] = await tx.search('Task', { identifier: tokenOf(ACCESSION_SYSTEM, input.accession), _count: '1' })
    const orderId = task?.focus?.reference?.replace('ServiceRequest/', '')
    if (orderId !== undefined) return await readLabOrder(tx, orderId)
    const [before] = await tx.sql<{ order_id: string }>('select order_id from lab.filler_number where branch = $1 and number = $2', [
      branch,
      fillerNumber(tx, input),
    ])
    if (before) return await readLabOrder(tx, before.order_id)
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
