import { answer, defineModule } from '@carespine/kit/module'
import { AlertAcknowledged, AlertEscalated, openAlerts, refusals } from './contract.ts'
import { escalateAlerts } from './escalate.ts'
import { acknowledgeNotificationCommand, getNotificationQuery, listNotificationsQuery, openAlertsOf, readNotificationCommand } from './list-notifications.ts'
import { onCriticalAlert, onResultAvailable } from './on-result.ts'

/** Tells people what they must know, and goes on until somebody takes responsibility. */
export const notifications = defineModule({
  name: 'notifications',
  migrations: new URL('../migrations/', import.meta.url),
  actions: [listNotificationsQuery, getNotificationQuery, readNotificationCommand, acknowledgeNotificationCommand],
  answers: [
    answer(openAlerts, async ({ userId, patientId }, { view }) => ({ alerts: await openAlertsOf(view, userId, patientId) })),
  ],
  reactions: [onResultAvailable, onCriticalAlert],
  jobs: [escalateAlerts],
  events: [AlertAcknowledged, AlertEscalated],
  refusals,
})
