import { action, event, question, z } from '@carespine/kit/contract'

export const Notification = z.object({
  id: z.string(),
  /** `lab.result`, `lab.critical`, … */
  type: z.string(),
  priority: z.enum(['normal', 'urgent']),
  title: z.string(),
  message: z.string(),
  patientId: z.string().optional(),
  /** Whom it is about; in lists, where the asker may see it. */
  patientName: z.string().optional(),
  patientNameArabic: z.string().optional(),
  mrn: z.string().optional(),
  reportId: z.string().optional(),
  action: z.object({ type: z.string(), url: z.string() }).optional(),
  details: z
    .object({
      testName: z.string(),
      value: z.number().or(z.string()),
      unit: z.string().optional(),
      criticalReason: z.string().optional(),
    })
    .partial()
    .optional(),
  requiresAcknowledgment: z.boolean(),
  createdAt: z.string(),
  readAt: z.string().optional(),
  acknowledgedAt: z.string().optional(),
  acknowledgedBy: z.string().optional(),
  /** How often it was passed on because nobody acted. */
  escalation: z.number().int(),
  /** What screens translate: keys of the message catalogue under `notifications`, and their values. */
  text: z.object({ key: z.string(), values: z.record(z.string(), z.string().or(z.number())) }),
})
export type Notification = z.infer<typeof Notification>

export const listNotifications = action({
  kind: 'query',
  name: 'notifications.list',
  allow: 'notifications.read',
  summary: 'My notifications, latest first; open ones are unread or unacknowledged.',
  input: z.object({
    open: z.boolean().default(true),
    limit: z.number().int().min(1).max(100).default(50),
    cursor: z.string().max(200).optional(),
  }),
  output: z.object({
    notifications: z.array(Notification),
    /** Of those that need no acknowledgement, or have it. */
    unread: z.number().int(),
    unacknowledged: z.number().int(),
    next: z.string().optional(),
  }),
})

export const getNotification = action({
  kind: 'query',
  name: 'notifications.get',
  allow: 'notifications.read',
  summary: 'One notification of mine, checked against what I may see now.',
  input: z.object({ id: z.string() }),
  output: Notification,
})

export const readNotification = action({
  kind: 'command',
  name: 'notifications.read',
  allow: 'notifications.read',
  summary: 'Marks notifications of mine as read. Those that need it still wait for acknowledgement.',
  input: z.object({ ids: z.array(z.string()).min(1).max(100) }),
  output: z.object({ read: z.number().int() }),
})

export const acknowledgeNotification = action({
  kind: 'command',
  name: 'notifications.acknowledge',
  allow: 'notifications.acknowledge',
  summary: 'Takes responsibility for a critical alert; recorded with who and when, closed for all addressees.',
  input: z.object({ id: z.string(), note: z.string().trim().max(300).optional() }),
  output: z.object({ id: z.string(), acknowledgedAt: z.string(), acknowledgedBy: z.string() }),
})

/** The open alerts of one user, all or about one patient. */
export const openAlerts = question({
  name: 'notifications.open-alerts',
  input: z.object({ userId: z.string(), patientId: z.string().optional() }),
  output: z.object({ alerts: z.array(Notification) }),
})

/** Names of the hints, and of the socket events, that carry a notification to its addressee. */
export const notificationHints = { normal: 'notification', critical: 'critical_alert' } as const

export const AlertAcknowledged = event(
  'notification.acknowledged',
  1,
  'Somebody took responsibility for a critical alert.',
  z.object({ alertId: z.string(), patientId: z.string().optional(), reportId: z.string().optional() }),
)
export const AlertEscalated = event(
  'notification.escalated',
  1,
  'Nobody acknowledged a critical alert in time; it went to more people.',
  z.object({ alertId: z.string(), patientId: z.string().optional(), level: z.number().int() }),
)

export const refusals = {
  NOTIFICATIONS_NOT_YOURS: { status: 404, message: 'No notification of yours has this id.' },
  NOTIFICATIONS_NO_ACKNOWLEDGEMENT_NEEDED: { status: 409, message: 'This notification needs no acknowledgement.' },
} as const
