import type { ServiceRequest } from '@carespine/fhir/resource'
import { defineModule } from '@carespine/kit/module'
import { cancelOrderCommand } from './cancel-order.ts'
import { LabOrderCancelled, LabOrderCreated, ORDER_SYSTEM, refusals } from './contract.ts'
import { listOrdersQuery } from './list-orders.ts'
import { onResultAvailable } from './on-result-available.ts'
import { placeOrderCommand } from './place-order.ts'

/** Orders: what was asked for, by whom, and whether it was fulfilled. */
export const orders = defineModule({
  name: 'orders',
  migrations: new URL('../migrations/', import.meta.url),
  owns: [
    {
      type: 'ServiceRequest',
      when: (resource) => ((resource as ServiceRequest).identifier ?? []).some(({ system }) => system === ORDER_SYSTEM),
      instead: 'POST /api/orders/place or /api/orders/cancel',
    },
  ],
  actions: [placeOrderCommand, cancelOrderCommand, listOrdersQuery],
  reactions: [onResultAvailable],
  events: [LabOrderCreated, LabOrderCancelled],
  refusals,
})
