import { answer, defineModule } from '@carespine/kit/module'
import { AlertAcknowledged, AlertEscalated, openAlerts, refusals } from './contract.ts'
import { escalateAlerts } from './escalate.ts'
import { acknowledgeNotificationCommand, getNotificationQuery, listNotificationsQuery, openAlertsOf, readNotificationCommand } from './list-notifications.ts'
import { onFactorChanged } from './on-factor-changed.ts'
import { onCriticalAlert, onResultAvailable } from './on-result.ts'

/** Tells people what they must know, and goes on until somebody takes responsibility. */
export const notifications = defineModule({
  name: 'notifications',
  migrations: new URL('../migrations/', import.meta.url),
  actions: [listNotificationsQuery, getNotificationQuery, readNotificationCommand, acknowledgeNotificationCommand],
  answers: [
    answer(openAlerts, async ({ userId, patientId }, { view }) => ({ alerts: await openAlertsOf(view, userId, patientId) })),
  ],
  reactions: [onResultAvailable, onCriticalAlert, onFactorChanged],
  jobs: [escalateAlerts],
  events: [AlertAcknowledged, AlertEscalated],
  gauges: {
    help: {
      carespine_alerts_unacknowledged: 'Critical alerts that nobody took responsibility for',
      carespine_alerts_oldest_seconds: 'Age of the oldest of them',
    },
    async read({ view, now }) {
      const [row] = await view.sql<{ count: number; oldest: Date | null }>(
        'select count(*)::int as count, min(created_at) as oldest from notifications.alert where requires_acknowledgment and acknowledged_at is null',
      )
      const oldest = row?.oldest ? (now.getTime() - row.oldest.getTime()) / 1000 : 0
      return { carespine_alerts_unacknowledged: row?.count, carespine_alerts_oldest_seconds: oldest }
    },
  },
  refusals,
})
