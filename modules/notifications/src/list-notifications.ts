import { command, query, refuse } from '@carespine/kit/module'
import { summaryOf } from '@carespine/registration/patient-summary'
import type { LookUp, ReadView } from '@carespine/store/contract'
import { alertColumns, notificationOf, nudge } from './alerts.ts'
import { acknowledgeNotification, AlertAcknowledged, getNotification, listNotifications, type Notification, readNotification } from './contract.ts'

type Row = Parameters<typeof notificationOf>[1]

const open = '(x.read_at is null or (a.requires_acknowledgment and a.acknowledged_at is null))'

const openNow: LookUp = {
  columns: { user_id: 'uuid', patient: 'text' },
  text:
    'select q.nth, found.* from asked q cross join lateral (' +
    `select ${alertColumns}, x.read_at from notifications.addressee x join notifications.alert a on a.id = x.alert ` +
    `where x.user_id = q.user_id and ${open} and (q.patient is null or a.patient = q.patient) ` +
    'order by x.created_at desc limit 50) found',
}

/** The open alerts of one user, all or about one patient. */
export async function openAlertsOf(view: ReadView, userId: string, patientId?: string): Promise<Notification[]> {
  const rows = await view.lookUp<Row>(openNow, [userId, patientId])
  return rows.map((row) => notificationOf(view, row))
}

/** Adds whom it is about. What the asker may not see any more, or a person removed meanwhile, is left out. */
async function withPatient(view: ReadView, notification: Notification): Promise<Notification> {
  const patient = notification.patientId === undefined ? undefined : await view.find('Patient', notification.patientId)
  if (!patient) return notification
  const { name, nameArabic, mrn } = summaryOf(patient)
  return { ...notification, patientName: name, ...(nameArabic ? { patientNameArabic: nameArabic } : {}), ...(mrn ? { mrn } : {}) }
}

export const listNotificationsQuery = query(listNotifications, async (input, { view, actor }) => {
  const rows = await view.sql<Row & { at: string }>(
    `select ${alertColumns}, x.read_at, x.created_at::text || '/' || x.alert as at from notifications.addressee x ` +
      'join notifications.alert a on a.id = x.alert where x.user_id = $1 ' +
      `and (not $2 or ${open}) ` +
      "and ($3::text is null or (x.created_at, x.alert) < (split_part($3, '/', 1)::timestamptz, split_part($3, '/', 2)::uuid)) " +
      'order by x.created_at desc, x.alert desc limit $4',
    [actor.id, input.open, /^[\d :.+-]+\/[0-9a-f-]{36}$/.test(input.cursor ?? '') ? input.cursor : null, input.limit + 1],
  )
  const [counts] = await view.sql<{ unread: number; unacknowledged: number }>(
    'select (count(*) filter (where x.read_at is null and not (a.requires_acknowledgment and a.acknowledged_at is null)))::int as unread, ' +
      '(count(*) filter (where a.requires_acknowledgment and a.acknowledged_at is null))::int as unacknowledged ' +
      'from notifications.addressee x join notifications.alert a on a.id = x.alert where x.user_id = $1',
    [actor.id],
  )
  const shown = rows.slice(0, input.limit)
  view.noteRead(shown.flatMap(({ patient }) => patient ?? []))
  const last = shown.at(-1)
  return {
    notifications: await Promise.all(shown.map((row) => withPatient(view, notificationOf(view, row)))),
    unread: counts?.unread ?? 0,
    unacknowledged: counts?.unacknowledged ?? 0,
    ...(rows.length > input.limit && last ? { next: last.at } : {}),
  }
})

export const getNotificationQuery = query(getNotification, async ({ id }, { view, actor }) => {
  const [row] = await view.sql<Row>(
    `select ${alertColumns}, x.read_at from notifications.addressee x join notifications.alert a on a.id = x.alert ` +
      'where x.user_id = $1 and x.alert = $2',
    [actor.id, /^[0-9a-f-]{36}$/.test(id) ? id : null],
  )
  if (!row) return refuse('NOTIFICATIONS_NOT_YOURS')
  // The same check as a read of what it is about.
  if (row.report !== null) await view.read('DiagnosticReport', row.report)
  else if (row.patient !== null) await view.read('Patient', row.patient)
  return notificationOf(view, row)
})

export const readNotificationCommand = command(readNotification, async ({ ids }, { tx, actor, now }) => {
  const known = ids.filter((id) => /^[0-9a-f-]{36}$/.test(id))
  const rows = await tx.sql(
    'update notifications.addressee set read_at = $3 where user_id = $1 and alert = any ($2::uuid[]) and read_at is null returning 1',
    [actor.id, known, now],
  )
  tx.signal({ room: `user:${actor.id}`, name: 'notifications' })
  return { read: rows.length }
})

interface Acknowledged {
  acknowledged_at: Date
  acknowledged_name: Buffer
  patient: string | null
  report: string | null
  requires_acknowledgment: boolean
}

export const acknowledgeNotificationCommand = command(acknowledgeNotification, async ({ id, note }, { tx, actor, now }) => {
  if (!/^[0-9a-f-]{36}$/.test(id)) refuse('NOTIFICATIONS_NOT_YOURS')
  const mine = await tx.sql('update notifications.addressee set read_at = coalesce(read_at, $3) where alert = $1 and user_id = $2 returning 1', [id, actor.id, now])
  if (mine.length === 0) refuse('NOTIFICATIONS_NOT_YOURS')
  // The first one counts; whoever comes second is told who was first.
  const [fresh] = await tx.sql<{ branch: string }>(
    'update notifications.alert set acknowledged_at = $2, acknowledged_by = $3, acknowledged_name = $4, note = $5, escalate_at = null ' +
      'where id = $1 and requires_acknowledgment and acknowledged_at is null returning branch',
    [id, now, actor.id, tx.seal(actor.display), note === undefined ? null : tx.seal(note)],
  )
  const [row] = await tx.sql<Acknowledged>(
    'select acknowledged_at, acknowledged_name, patient, report, requires_acknowledgment from notifications.alert where id = $1',
    [id],
  )
  if (!row?.requires_acknowledgment) return refuse('NOTIFICATIONS_NO_ACKNOWLEDGEMENT_NEEDED')
  if (fresh) {
    tx.emit(
      AlertAcknowledged,
      { alertId: id, ...(row.patient ? { patientId: row.patient } : {}), ...(row.report ? { reportId: row.report } : {}) },
      { branch: fresh.branch, ...(row.patient ? { patient: row.patient } : {}) },
    )
    const addressees = await tx.sql<{ user_id: string }>('select user_id from notifications.addressee where alert = $1', [id])
    nudge(tx, id, addressees.map(({ user_id }) => user_id), 'notifications')
  }
  return { id, acknowledgedAt: row.acknowledged_at.toISOString(), acknowledgedBy: tx.open(row.acknowledged_name) }
})
