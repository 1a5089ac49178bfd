import { randomUUID } from 'node:crypto'
import type { Bundle, Subscription } from '@carespine/fhir/resource'
import type { Services } from '@carespine/kit/services'
import type { Session } from '@carespine/store/database'
import { follow } from './follow-types.ts'
import { selectRows } from './keep-subscription.ts'
import { CHANNEL, everywhere, type EventRow, MOST_DEAD, settle, type Settings, type SubscriptionRow, waitAfter, waitingEvents } from './ledger.ts'
import { notificationOf, type ShownEvent } from './notification-bundle.ts'
import { faultOfEndpoint, NotTaken, postTo } from './reach-endpoint.ts'
import { type MailSettings, sendMail } from './send-mail.ts'
import { openSealed, showEvents, standingOf, subscriberOf } from './show-events.ts'
import { signedHeaders } from './sign-notification.ts'

export interface DeliverySettings {
  /** `host` or `host:port` that may be reached over http, or inside the hospital's network. */
  trustedHosts: readonly string[]
  /** Absent: no e-mail. */
  mail?: MailSettings
}

const ELECTION = 4_203_121
const POLL_MILLISECONDS = 1000
const AT_ONCE = 8
const NO_ACCOUNT = 'The account of the subscriber is closed.'

/**
 * Sends what is due over rest-hooks and by mail, in one process at a time: the one whose connection holds an advisory lock.
 * Of each subscription one notification is under way at a time, the oldest first, so event numbers arrive in order.
 */
export async function deliverNotifications(services: Services, settings: DeliverySettings): Promise<() => Promise<void>> {
  const { database } = services.store
  const underWay = new Map<string, Promise<void>>()
  /** Ended since the last look at the ledger began: that look may still see them as due. */
  const ended = new Set<string>()
  let lock: Session | undefined
  let isClosed = false
  let wake: () => void = () => undefined
  let isWoken = false

  const isElected = async (): Promise<boolean> => {
    if (lock) {
      await lock.query({ name: 'lock-alive', text: 'select 1' })
      return true
    }
    const session = await database.begin(everywhere)
    const [row] = await session.query<{ held: boolean }>({ text: 'select pg_try_advisory_xact_lock($1) as held', values: [ELECTION] })
    if (row?.held) lock = session
    else await session.rollback()
    return row?.held === true
  }

  const due = async (): Promise<(SubscriptionRow & { ready: boolean; over: boolean; silent: boolean })[]> =>
    await database.query(everywhere, {
      name: 'due-notifications',
      text:
        `select * from (select s.*, coalesce(s.ends_at <= $1, false) as over, exists (select 1 from (select due_at from subscriptions.event e where e.subscription = s.row and ` +
        "e.state = 'waiting' order by number limit 1) first where first.due_at <= $1) as ready, " +
        "coalesce(s.status = 'active' and coalesce(s.sent_at, 'epoch') + s.heartbeat_seconds * interval '1 second' <= $1, false) as silent " +
        `from (${selectRows} where status <> 'off') s) d where over or status = 'requested' or (channel <> 'websocket' and (ready or silent)) order by sent_at nulls first limit 200`,
      values: [services.now()],
    })

  const round = async (): Promise<void> => {
    ended.clear()
    for (const row of await due()) {
      if (underWay.size >= AT_ONCE) return
      if (underWay.has(row.row) || ended.has(row.row)) continue
      const run = attend(row)
        .catch((error: unknown) => services.log.warn({ fault: (error as Error).name }, 'a notification was not delivered'))
        .finally(() => {
          underWay.delete(row.row)
          ended.add(row.row)
          rouse()
        })
      underWay.set(row.row, run)
    }
  }

  const attend = async (row: SubscriptionRow & { ready: boolean; over: boolean }): Promise<void> => {
    if (row.over) return await setStatus(services, row, 'off')
    const opened = openSealed<Settings>(services, row.branch, row.settings)
    if (row.status === 'requested') return await shakeHands(row, opened)
    if (!row.ready) return await beat(row, opened)
    const actor = await subscriberOf(services.ask, row)
    if (!actor) return await setStatus(services, row, 'off', NO_ACCOUNT)
    const [head, ...behind] = await waitingEvents(database, row.row, opened.maxCount)
    if (!head) return
    const events = [head, ...behind]
    try {
      const { shown, withheld } = await showEvents(services, actor, events, { payload: opened.payload, action: 'subscriptions.notify' })
      if (shown.length > 0) {
        const id = `${row.row}.${shown[0]?.number}-${shown.at(-1)?.number}`
        await send(row, opened, notificationOf(standingOf(row, opened), 'event-notification', services.now(), shown, opened.payload), id, shown)
        await settle(database, row.row, shown.map((event) => String(event.number)), 'delivered', services.now())
        if (row.status === 'error') await setStatus(services, row, 'active')
      }
      await settle(database, row.row, withheld, 'withheld', services.now())
    } catch (error) {
      if (!(error instanceof NotTaken)) throw error
      await failed(row, head, error.reason)
    }
  }

  const shakeHands = async (row: SubscriptionRow, opened: Settings): Promise<void> => {
    const refused =
      row.channel === 'rest-hook' ? faultOfEndpoint(opened.endpoint, settings.trustedHosts)
      : row.channel === 'email' ? faultOfMail(opened, settings.mail)
      : undefined
    if (refused !== undefined) return await setStatus(services, row, 'off', refused)
    if (!(await subscriberOf(services.ask, row))) return await setStatus(services, row, 'off', NO_ACCOUNT)
    // A websocket is greeted when it is bound.
    if (row.channel !== 'websocket') {
      try {
        await send(row, opened, notificationOf(standingOf(row, opened), 'handshake', services.now()), `${row.row}.${randomUUID()}`, [])
      } catch (error) {
        if (!(error instanceof NotTaken)) throw error
        return await setStatus(services, row, 'off', `The handshake was not taken: ${error.reason}. Put the Subscription again when the receiver is ready.`)
      }
      await database.query(everywhere, { text: 'update subscriptions.subscription set sent_at = $2 where row = $1', values: [row.row, services.now()] })
    }
    // Who sees that it is active may count on being told of the next write here.
    await follow(services)
    await setStatus(services, row, 'active')
  }

  // Says that all is well; when it is not taken, the next event finds out.
  const beat = async (row: SubscriptionRow, opened: Settings): Promise<void> => {
    await database.query(everywhere, { text: 'update subscriptions.subscription set sent_at = $2 where row = $1', values: [row.row, services.now()] })
    await send(row, opened, notificationOf(standingOf(row, opened), 'heartbeat', services.now()), `${row.row}.${randomUUID()}`, []).catch((error: unknown) => {
      if (!(error instanceof NotTaken)) throw error
    })
  }

  const send = async (row: SubscriptionRow, opened: Settings, bundle: Bundle, id: string, shown: readonly ShownEvent[]): Promise<void> => {
    const timeoutMilliseconds = opened.timeout * 1000
    if (row.channel === 'email') {
      if (!settings.mail) throw new NotTaken('MAIL_NOT_SET_UP')
      const what = shown.length === 0 ? 'The subscription is active.' : `Events ${shown[0]?.number} to ${shown.at(-1)?.number}.`
      const text = `${what}\n\nSubscription/${opened.id}, topic ${row.topic}.\nAsk Subscription/${opened.id}/$events for what they are about.\n`
      return await sendMail(settings.mail, { to: opened.endpoint.slice('mailto:'.length), subject: 'Notification of a subscription', text, bundle, messageId: id }, timeoutMilliseconds)
    }
    const body = JSON.stringify(bundle)
    const headers = { ...Object.fromEntries(opened.headers), 'content-type': 'application/fhir+json', ...signedHeaders(opened.secret, id, services.now(), body) }
    await postTo({ endpoint: opened.endpoint, headers, body, timeoutMilliseconds, trusted: settings.trustedHosts })
  }

  const failed = async (row: SubscriptionRow, head: EventRow, reason: string): Promise<void> => {
    const attempts = head.attempts + 1
    const wait = waitAfter(attempts)
    const now = services.now()
    await database.query(everywhere, {
      text:
        "update subscriptions.event set attempts = $3, last_error = $4, state = case when $5::timestamptz is null then 'dead' else 'waiting' end, " +
        'due_at = coalesce($5, due_at), ended_at = case when $5::timestamptz is null then $6::timestamptz end where subscription = $1 and number = $2',
      values: [row.row, head.number, attempts, reason, wait === undefined ? null : new Date(now.getTime() + wait), now],
    })
    if (wait !== undefined) return
    services.log.warn({ subscription: row.row, number: head.number, reason }, 'a notification became a dead letter')
    const dead = row.dead_in_a_row + 1
    await database.query(everywhere, { text: 'update subscriptions.subscription set dead_in_a_row = $2 where row = $1', values: [row.row, dead] })
    await setStatus(services, row, dead >= MOST_DEAD ? 'off' : 'error', `Event ${head.number} was not taken in ${attempts} attempts: ${reason}.`)
  }

  const rouse = (): void => {
    isWoken = true
    wake()
  }
  const rest = (): Promise<void> => {
    if (isWoken || isClosed) {
      isWoken = false
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      const rise = (): void => {
        wake = () => undefined
        isWoken = false
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(rise, POLL_MILLISECONDS)
      wake = rise
    })
  }
  const loop = (async () => {
    while (!isClosed) {
      try {
        if (await isElected()) await round()
      } catch (error) {
        await lock?.rollback()
        lock = undefined
        services.log.warn({ fault: (error as Error).name }, 'notifications are not delivered')
      }
      await rest()
    }
  })()
  const stop = await database.listen([CHANNEL], rouse)
  return async () => {
    isClosed = true
    rouse()
    stop()
    await loop
    await Promise.all(underWay.values())
    await lock?.rollback()
  }
}

function faultOfMail({ payload }: Settings, mail: MailSettings | undefined): string | undefined {
  if (!mail) return 'This server sends no e-mail: MAIL_URL is not set.'
  // RFC 5321 relays see what they carry.
  return payload === 'full-resource' && mail.content === 'no-resources' ? 'Resources are not sent by e-mail here. Choose the payload empty or id-only.' : undefined
}

/** Changes how a subscription stands, in the ledger and in its resource together. */
async function setStatus(services: Services, row: SubscriptionRow, status: SubscriptionRow['status'], error?: string): Promise<void> {
  const origin = { correlationId: randomUUID(), action: 'subscriptions.set-status', module: 'subscriptions' }
  await services.transact(services.system('subscriptions', [row.branch]), origin, async ({ tx }) => {
    const changed = await tx.sql(
      // Not over a change that its client made meanwhile.
      'update subscriptions.subscription set status = $3, last_error = $4 where row = $1 and status = $2 and settings = $5 returning 1',
      [row.row, row.status, status, error ?? null, row.settings],
    )
    if (changed.length === 0) return
    const { id } = openSealed<Settings>(services, row.branch, row.settings)
    const resource = await tx.find('Subscription', id)
    if (!resource) return
    const { error: _before, ...rest } = resource
    const told = status === 'off' && error !== undefined ? 'error' : status
    tx.write<Subscription>({ ...rest, status: told, ...(error === undefined ? {} : { error }) })
  })
}
