import { command, query, refuse } from '@carespine/kit/module'
import { can } from '@carespine/orders/contract'
import { signalWorklist } from './collect-specimen.ts'
import { enterResults, getResultForm } from './contract.ts'
import { moveTask, readLabOrder, requireState, whomOf } from './lab-order.ts'
import { enteredResults, resultItems, writeResults } from './result-values.ts'
import { worklistRow } from './worklist.ts'

export const getResultFormQuery = query(getResultForm, async ({ orderId }, { view, now }) => {
  const labOrder = await readLabOrder(view, orderId)
  const patient = await view.read('Patient', labOrder.patientId)
  const row = labOrder.task && (await worklistRow(view, labOrder.task))
  if (!row) return refuse('LAB_STATE', { state: labOrder.state, allowed: can.enterResult })
  const report = row.reportId === undefined ? undefined : await view.find('DiagnosticReport', row.reportId)
  return {
    row,
    items: await resultItems(view, labOrder, whomOf(patient, now), { previous: 'include' }),
    ...(report?.conclusion ? { comment: report.conclusion } : {}),
  }
})

export const enterResultsCommand = command(enterResults, async ({ orderId, values, comment }, { tx, actor, now }) => {
  const labOrder = await readLabOrder(tx, orderId)
  requireState(labOrder, can.enterResult)
  const whom = whomOf(await tx.read('Patient', labOrder.patientId), now)
  const entered = enteredResults(labOrder.panel, values, 'preliminary')
  if (entered.size === 0) refuse('LAB_NO_VALUES', { field: 'values' })
  const { report } = await writeResults(tx, labOrder, entered, whom, {
    at: labOrder.task?.executionPeriod?.start ?? now.toISOString(),
    now,
    comment,
    performer: actor.display,
  })
  moveTask(tx, labOrder, 'resulted', now, { report: { reference: `DiagnosticReport/${report.id}` } })
  signalWorklist(tx, actor.branch)
  return {
    reportId: report.id,
    version: report.meta.versionId,
    items: await resultItems(tx, labOrder, whom, { previous: 'leave out' }),
  }
})
