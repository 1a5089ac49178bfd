import { randomUUID } from 'node:crypto'
import { idKey } from '@carespine/fhir/index-entries'
import type { ReadView, Transaction } from '@carespine/store/contract'
import { type Notification, notificationHints } from './contract.ts'

/** What of a notification is sealed: everything that says something about a patient. */
type Content = Pick<Notification, 'title' | 'message' | 'action' | 'details' | 'text'>

export interface NewAlert extends Content {
  type: string
  priority: 'normal' | 'urgent'
  patientId?: string
  reportId?: string
  requiresAcknowledgment: boolean
}

/** Minutes after which an alert that nobody acknowledged goes to more people, by how often it did already. */
const ESCALATE_AFTER_MINUTES = [5, 10, 20] as const

export function escalationTime(level: number, now: Date): Date | null {
  const minutes = ESCALATE_AFTER_MINUTES[level]
  return minutes === undefined ? null : new Date(now.getTime() + minutes * 60_000)
}

interface AlertRow {
  id: string
  type: string
  priority: 'normal' | 'urgent'
  patient: string | null
  report: string | null
  content: Buffer
  requires_acknowledgment: boolean
  created_at: Date
  acknowledged_at: Date | null
  acknowledged_name: Buffer | null
  escalation: number
  read_at: Date | null
}

export const alertColumns =
  'a.id, a.type, a.priority, a.patient, a.report, a.content, a.requires_acknowledgment, a.created_at, a.acknowledged_at, ' +
  'a.acknowledged_name, a.escalation'

/** A row as the notification that its addressee sees. */
export function notificationOf(view: ReadView, row: AlertRow): Notification {
  return {
    ...(JSON.parse(view.open(row.content)) as Content),
    id: row.id,
    type: row.type,
    priority: row.priority,
    ...(row.patient === null ? {} : { patientId: row.patient }),
    ...(row.report === null ? {} : { reportId: row.report }),
    requiresAcknowledgment: row.requires_acknowledgment,
    createdAt: row.created_at.toISOString(),
    ...(row.read_at ? { readAt: row.read_at.toISOString() } : {}),
    ...(row.acknowledged_at ? { acknowledgedAt: row.acknowledged_at.toISOString() } : {}),
    ...(row.acknowledged_name ? { acknowledgedBy: view.open(row.acknowledged_name) } : {}),
    escalation: row.escalation,
  }
}

/** Stores an alert for its addressees, and nudges their browsers after the commit. */
export async function raise(tx: Transaction, alert: NewAlert, branch: string, userIds: readonly string[], now: Date): Promise<string> {
  const id = randomUUID()
  const { title, message, action, details, text } = alert
  await tx.sql(
    'insert into notifications.alert (id, branch, type, priority, patient, patient_key, report, content, requires_acknowledgment, ' +
      'created_at, escalate_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)',
    [
      id,
      branch,
      alert.type,
      alert.priority,
      alert.patientId ?? null,
      alert.patientId === undefined ? null : idKey(alert.patientId),
      alert.reportId ?? null,
      tx.seal(JSON.stringify({ title, message, action, details, text }), branch),
      alert.requiresAcknowledgment,
      now,
      alert.requiresAcknowledgment ? escalationTime(0, now) : null,
    ],
  )
  await address(tx, id, branch, userIds, now)
  nudge(tx, id, userIds, alert.requiresAcknowledgment ? notificationHints.critical : notificationHints.normal)
  return id
}

export async function address(tx: Transaction, alert: string, branch: string, userIds: readonly string[], now: Date): Promise<string[]> {
  const rows = await tx.sql<{ user_id: string }>(
    'insert into notifications.addressee (alert, user_id, branch, created_at) select $1, u, $2, $3 from unnest($4::uuid[]) u ' +
      'where not exists (select 1 from notifications.addressee x where x.alert = $1 and x.user_id = u) returning user_id',
    [alert, branch, now, userIds],
  )
  return rows.map(({ user_id }) => user_id)
}

export function nudge(tx: Transaction, alert: string, userIds: readonly string[], name: string): void {
  for (const userId of userIds) tx.signal({ room: `user:${userId}`, name, ref: { id: alert } })
}
