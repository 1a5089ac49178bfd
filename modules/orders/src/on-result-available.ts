import { reaction } from '@carespine/kit/module'
import { LabResultAvailable } from '@carespine/lab/contract'

/** A released result fulfils its order. */
export const onResultAvailable = reaction({
  name: 'orders.on-result-available',
  on: LabResultAvailable,
  async run({ data }, { tx }) {
    const order = await tx.find('ServiceRequest', data.orderId)
    if (order?.status === 'active') tx.write({ ...order, status: 'completed' })
  },
})
