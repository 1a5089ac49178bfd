import { command, refuse } from '@carespine/kit/module'
import { can } from '@carespine/orders/contract'
import type { Transaction } from '@carespine/store/contract'
import { signalWorklist } from './collect-specimen.ts'
import { amendResult, LabCriticalAlert, LabResultAvailable, releaseResult } from './contract.ts'
import { derivedId, type LabOrder, moveTask, readLabOrder, requireState, whomOf } from './lab-order.ts'
import type { Result } from './merge-result.ts'
import { enteredResults, statusOf, type WrittenResults, writeResults } from './result-values.ts'

/** Says that a result is there, and raises the alarm when it is critical. */
export function announceResult(
  tx: Transaction,
  labOrder: LabOrder,
  { report, critical, corrects }: WrittenResults,
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
  tx.emit(LabResultAvailable, { ...about, critical: critical.length > 0, corrected: corrects }, { resource: report })
  if (critical.length > 0) {
    tx.emit(LabCriticalAlert, { ...about, observationIds: critical.map(({ id }) => id) }, { resource: report })
  }
}

/** Whether somebody must still be called: about what is critical now, or about what was and stays so. */
export function callPendingAfter({ critical, staysCritical }: WrittenResults): { callPending?: boolean } {
  return critical.length > 0 ? { callPending: true } : staysCritical ? {} : { callPending: false }
}

export const releaseResultCommand = command(releaseResult, async ({ orderId }, { tx, actor, now }) => {
  const labOrder = await readLabOrder(tx, orderId)
  requireState(labOrder, can.release)
  const whom = whomOf(await tx.read('Patient', labOrder.patientId), now)
  const missing: string[] = []
  const released = new Map<string, Result>()
  for (const { code, derived } of labOrder.panel.analytes) {
    const observation = await tx.find('Observation', derivedId(orderId, code))
    const status = observation && statusOf(observation)
    if (derived === undefined && (status === undefined || status === 'withdrawn')) missing.push(code)
    if (status === 'preliminary') released.set(code, { status: 'final' })
  }
  if (missing.length > 0) refuse('LAB_INCOMPLETE', { fields: missing })
  const written = await writeResults(tx, labOrder, released, whom, {
    at: labOrder.task?.executionPeriod?.start ?? now.toISOString(),
    now,
    performer: actor.display,
  })
  moveTask(tx, labOrder, 'released', now, callPendingAfter(written))
  announceResult(tx, labOrder, written)
  signalWorklist(tx, actor.branch)
  return { reportId: written.report.id, critical: written.critical.length > 0 }
})

export const amendResultCommand = command(amendResult, async ({ orderId, values, reason }, { tx, actor, now }) => {
  const labOrder = await readLabOrder(tx, orderId)
  requireState(labOrder, can.amend)
  const whom = whomOf(await tx.read('Patient', labOrder.patientId), now)
  const corrected = enteredResults(labOrder.panel, values, 'corrected')
  if (corrected.size === 0) refuse('LAB_NO_VALUES', { field: 'values' })
  const written = await writeResults(tx, labOrder, corrected, whom, {
    at: labOrder.task?.executionPeriod?.start ?? now.toISOString(),
    now,
    performer: actor.display,
    reason,
  })
  if (written.changed) {
    moveTask(tx, labOrder, 'released', now, callPendingAfter(written))
    announceResult(tx, labOrder, written)
    signalWorklist(tx, actor.branch)
  }
  return { reportId: written.report.id, critical: written.critical.length > 0 }
})
