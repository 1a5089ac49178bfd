import { command, refuse } from '@carespine/kit/module'
import { taskIdOf } from '@carespine/lab/contract'
import { can, cancelOrder, LabOrderCancelled } from './contract.ts'
import { stateOf } from './order-summary.ts'

export const cancelOrderCommand = command(cancelOrder, async ({ orderId, reason }, { tx }) => {
  const order = await tx.read('ServiceRequest', orderId)
  const state = stateOf(order, await tx.find('Task', taskIdOf(orderId)))
  if (!can.cancel.includes(state)) refuse('ORDERS_STATE', { state, allowed: can.cancel })
  const cancelled = tx.write({ ...order, status: 'revoked' }, { reason })
  const patientId = order.subject.reference?.replace('Patient/', '') ?? ''
  tx.emit(LabOrderCancelled, { orderId, patientId, reason }, { resource: cancelled })
  return { orderId }
})
