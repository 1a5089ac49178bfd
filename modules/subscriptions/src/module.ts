import { defineModule, type ModuleDefinition, type ScheduledJob } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import { subscriptionActions } from './ask-subscriptions.ts'
import { refusals, ResourceChanged } from './contract.ts'
import { onCriticalAlert, onResourceChanged } from './on-change.ts'

const forgetEvents: ScheduledJob = {
  name: 'subscriptions.forget',
  everySeconds: 3600,
  async run({ tx, now }) {
    const days = (count: number): Date => new Date(now.getTime() - count * 86_400_000)
    await tx.sql("delete from subscriptions.event where (state in ('delivered', 'withheld') and at < $1) or at < $2", [days(30), days(90)])
    await tx.sql('delete from subscriptions.binding where expires_at < $1', [now])
  },
}

/** Tells outside systems of what they subscribed to. */
export function createSubscriptions(): ModuleDefinition {
  let running: Services | undefined
  const services = (): Services => {
    if (!running) throw new Error('subscriptions were used before the server started')
    return running
  }
  return defineModule({
    name: 'subscriptions',
    migrations: new URL('../migrations/', import.meta.url),
    actions: subscriptionActions(services),
    reactions: [onResourceChanged(services), onCriticalAlert(services)],
    jobs: [forgetEvents],
    events: [ResourceChanged],
    gauges: {
      help: {
        carespine_notifications_waiting: 'Events of subscriptions that wait to be delivered over a rest-hook or by mail',
        carespine_notifications_dead: 'Events of subscriptions that no attempt could deliver',
      },
      async read({ view }) {
        const [row] = await view.sql<{ waiting: number; dead: number }>(
          "select count(*) filter (where e.state = 'waiting' and s.channel <> 'websocket')::int as waiting, count(*) filter (where e.state = 'dead')::int as dead " +
            "from subscriptions.event e join subscriptions.subscription s on s.row = e.subscription where e.state in ('waiting', 'dead')",
        )
        return { carespine_notifications_waiting: row?.waiting, carespine_notifications_dead: row?.dead }
      },
    },
    refusals,
    start: (started) => {
      running = started
      started.store.followed = new Set(['Subscription'])
    },
  })
}
