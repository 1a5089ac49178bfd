import { command, refuse } from '@carespine/kit/module'
import { can } from '@carespine/orders/contract'
import type { Transaction } from '@carespine/store/contract'
import { signalWorklist } from './collect-specimen.ts'
import { amendResult, LabCriticalAlert, LabResultAvailable, releaseResult } from './contract.ts'
import { derivedId, type LabOrder, moveTask, readLabOrder, requireState, whomOf } from './lab-order.ts'
import { checkedValues, type WrittenResults, writeResults } from './result-values.ts'

/** Says that a result is there, and raises the alarm when it is critical. */
export function announceResult(
  tx: Transaction,
  labOrder: LabOrder,
  { report, critical }: WrittenResults,
  options: { corrected: boolean },
): void {
  const about = {
    reportId: report.id,
    orderId: labOrder.order.id,
    patientId: labOrder.patientId,
    panel: labOrder.panel.code,
    ...(labOrder.order.encounter?.reference
      ? { encounterId: labOrder.order.encounter.reference.replace('Encounter/', '') }
      : {}),
  }
  tx.emit(LabResultAvailable, { ...about, critical: critical.length > 0, corrected: options.corrected }, { resource: report })
  if (critical.length > 0) {
    tx.emit(LabCriticalAlert, { ...about, observationIds: critical.map(({ id }) => id) }, { resource: report })
  }
}

export const releaseResultCommand = command(releaseResult, async ({ orderId }, { tx, actor, now }) => {
  const labOrder = await readLabOrder(tx, orderId)
  requireState(labOrder, can.release)
  const whom = whomOf(await tx.read('Patient', labOrder.patientId), now)
  const missing: string[] = []
  for (const { code, derived } of labOrder.panel.analytes) {
    if (derived === undefined && !(await tx.find('Observation', derivedId(orderId, code)))) missing.push(code)
  }
  if (missing.length > 0) refuse('LAB_INCOMPLETE', { fields: missing })
  const written = await writeResults(tx, labOrder, new Map(), whom, {
    status: 'final',
    at: labOrder.task?.executionPeriod?.start ?? now.toISOString(),
    now,
    performer: actor.display,
  })
  moveTask(tx, labOrder, 'released', now, { callPending: written.critical.length > 0 })
  announceResult(tx, labOrder, written, { corrected: false })
  signalWorklist(tx, actor.branch)
  return { reportId: written.report.id, critical: written.critical.length > 0 }
})

export const amendResultCommand = command(amendResult, async ({ orderId, values, reason }, { tx, actor, now }) => {
  const labOrder = await readLabOrder(tx, orderId)
  requireState(labOrder, can.amend)
  const whom = whomOf(await tx.read('Patient', labOrder.patientId), now)
  const checked = checkedValues(labOrder.panel, values, whom)
  if (checked.size === 0) refuse('LAB_NO_VALUES', { field: 'values' })
  const written = await writeResults(tx, labOrder, checked, whom, {
    status: 'corrected',
    at: labOrder.task?.executionPeriod?.start ?? now.toISOString(),
    now,
    performer: actor.display,
    reason,
  })
  moveTask(tx, labOrder, 'released', now, { callPending: written.critical.length > 0 })
  announceResult(tx, labOrder, written, { corrected: true })
  signalWorklist(tx, actor.branch)
  return { reportId: written.report.id, critical: written.critical.length > 0 }
})
