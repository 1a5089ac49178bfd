import { usersWho } from '@carespine/identity/contract'
import type { ScheduledJob } from '@carespine/kit/module'
import { address, escalationTime, nudge } from './alerts.ts'
import { AlertEscalated, notificationHints } from './contract.ts'

interface Due {
  id: string
  branch: string
  escalation: number
  patient: string | null
}

/** Who else hears of an alert that nobody acknowledged, by level: all providers, then nurses, then the administration. */
const circles = ['provider', 'nurse', 'admin'] as const

/** Passes on critical alerts that nobody acknowledged in time. */
export const escalateAlerts: ScheduledJob = {
  name: 'notifications.escalate',
  everySeconds: 15,
  async run({ tx, ask, now }) {
    const due = await tx.sql<Due>(
      'select id, branch, escalation, patient from notifications.alert where acknowledged_at is null and escalate_at <= $1 ' +
        'order by escalate_at limit 50 for update skip locked',
      [now],
    )
    for (const { id, branch, escalation, patient } of due) {
      const level = escalation + 1
      const role = circles[Math.min(escalation, circles.length - 1)] ?? 'provider'
      const { userIds } = await ask(usersWho, { role: { name: role, branch } })
      await address(tx, id, branch, userIds, now)
      const all = await tx.sql<{ user_id: string }>('select user_id from notifications.addressee where alert = $1', [id])
      await tx.sql('update notifications.alert set escalation = $2, escalate_at = $3 where id = $1', [
        id,
        level,
        escalationTime(level, now),
      ])
      tx.emit(AlertEscalated, { alertId: id, level, ...(patient ? { patientId: patient } : {}) }, { branch, ...(patient ? { patient } : {}) })
      nudge(tx, id, all.map(({ user_id }) => user_id), notificationHints.critical)
    }
  },
}
