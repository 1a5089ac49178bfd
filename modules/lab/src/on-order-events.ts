import { reaction } from '@carespine/kit/module'
import { LabOrderCancelled, LabOrderCreated } from '@carespine/orders/contract'
import { signalWorklist } from './collect-specimen.ts'
import { taskIdOf } from './contract.ts'
import { moveTask } from './lab-order.ts'

/** A new order becomes work for the laboratory. */
export const onOrderCreated = reaction({
  name: 'lab.on-order-created',
  on: LabOrderCreated,
  async run({ data, branch }, { tx, now }) {
    if (await tx.find('Task', taskIdOf(data.orderId))) return
    const order = await tx.read('ServiceRequest', data.orderId)
    moveTask(tx, { order, task: undefined }, order.status === 'revoked' ? 'cancelled' : 'ordered', now)
    signalWorklist(tx, branch)
  },
})

/** A withdrawn order leaves the worklist. */
export const onOrderCancelled = reaction({
  name: 'lab.on-order-cancelled',
  on: LabOrderCancelled,
  async run({ data, branch }, { tx, now }) {
    const [order, task] = [await tx.read('ServiceRequest', data.orderId), await tx.find('Task', taskIdOf(data.orderId))]
    moveTask(tx, { order, task }, 'cancelled', now)
    signalWorklist(tx, branch)
  },
})
