import { action, event, z } from '@carespine/kit/contract'

export const Priority = z.enum(['routine', 'urgent', 'stat'])

/** Where a laboratory order stands on its way. */
export const OrderState = z.enum(['ordered', 'collected', 'received', 'resulted', 'released', 'cancelled'])
export type OrderState = z.infer<typeof OrderState>

/** In which states each step may be taken; screens and commands read the same table. */
export const can: Readonly<
  Record<'cancel' | 'collect' | 'receive' | 'enterResult' | 'release' | 'amend', readonly OrderState[]>
> = {
  cancel: ['ordered', 'collected', 'received'],
  collect: ['ordered'],
  receive: ['collected'],
  enterResult: ['collected', 'received', 'resulted'],
  release: ['resulted'],
  amend: ['released'],
}

/** System of order numbers (HL7 v2 placer order number) and of the state tag on the ServiceRequest. */
export const ORDER_SYSTEM = 'https://carespine.example/fhir/sid/order'

export const OrderSummary = z.object({
  id: z.string(),
  version: z.string(),
  /** What staff read out and analysers send as the placer order number. */
  number: z.string(),
  panel: z.string(),
  panelName: z.string(),
  panelNameArabic: z.string(),
  priority: Priority,
  state: OrderState,
  orderedAt: z.string(),
  orderedBy: z.string().optional(),
  patientId: z.string(),
  encounterId: z.string().optional(),
  reportId: z.string().optional(),
})
export type OrderSummary = z.infer<typeof OrderSummary>

export const placeOrder = action({
  kind: 'command',
  name: 'orders.place',
  allow: 'orders.place',
  summary: 'Orders laboratory panels (`cbc`, `bmp`, `cmp`) in an open encounter.',
  input: z.object({
    encounterId: z.string(),
    panels: z.array(z.string()).min(1).max(20),
    priority: Priority.default('routine'),
    note: z.string().trim().max(500).optional(),
    /** Order although the same panel is already waiting. */
    repeat: z.boolean().default(false),
  }),
  output: z.object({ orders: z.array(z.object({ orderId: z.string(), number: z.string(), panel: z.string() })) }),
})

export const cancelOrder = action({
  kind: 'command',
  name: 'orders.cancel',
  allow: 'orders.place',
  summary: 'Withdraws an order that has no result yet.',
  input: z.object({ orderId: z.string(), reason: z.string().trim().min(3).max(300) }),
  output: z.object({ orderId: z.string() }),
})

export const listOrders = action({
  kind: 'query',
  name: 'orders.of-patient',
  allow: 'orders.read',
  summary: 'Orders of one patient, latest first.',
  input: z.object({ patientId: z.string(), open: z.boolean().default(false) }),
  output: z.object({ orders: z.array(OrderSummary) }),
})

export const LabOrderCreated = event(
  'lab.order.created',
  1,
  'A laboratory panel was ordered.',
  z.object({
    orderId: z.string(),
    number: z.string(),
    patientId: z.string(),
    encounterId: z.string().optional(),
    panel: z.string(),
    priority: Priority,
  }),
)

export const LabOrderCancelled = event(
  'lab.order.cancelled',
  1,
  'A laboratory order was withdrawn before it had a result.',
  z.object({ orderId: z.string(), patientId: z.string(), reason: z.string() }),
)

export const refusals = {
  ORDERS_ENCOUNTER_CLOSED: { status: 409, message: 'The encounter has ended. Order in an open one.' },
  ORDERS_PANEL_UNKNOWN: { status: 422, message: 'No panel has this code. Use one of the codes in the details.' },
  ORDERS_ALREADY_WAITING: {
    status: 409,
    message: 'The same panel is already waiting for this patient. Order it again only if it is needed twice.',
  },
  ORDERS_STATE: { status: 409, message: 'The order is in a state that does not allow this.' },
} as const
