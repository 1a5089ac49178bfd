import { query } from '@carespine/kit/module'
import { taskIdOf } from '@carespine/lab/contract'
import { listOrders } from './contract.ts'
import { orderSummaryOf } from './order-summary.ts'

export const listOrdersQuery = query(listOrders, async ({ patientId, open }, { view }) => {
  const orders = await view.search('ServiceRequest', {
    subject: `Patient/${patientId}`,
    ...(open ? { status: 'active' } : {}),
    _sort: '-authored',
    _count: '200',
  })
  const summaries = await Promise.all(
    orders.map(async (order) => orderSummaryOf(order, await view.find('Task', taskIdOf(order.id)))),
  )
  return { orders: open ? summaries.filter(({ state }) => state !== 'released' && state !== 'cancelled') : summaries }
})
