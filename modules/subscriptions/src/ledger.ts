import type { Database } from '@carespine/store/database'
import type { AppAccess } from '@carespine/store/contract'
import type { FilterCriterion, Channel, Payload } from './read-subscription.ts'

export const CHANNEL = 'carespine_subscriptions'
export const everywhere = { branches: '', patient: '' }

const MINUTE = 60_000
/** Milliseconds from each failed attempt to the next; after the last one the event is a dead letter. */
export const RETRIES: readonly number[] = [MINUTE, 5 * MINUTE, 15 * MINUTE, 60 * MINUTE, 360 * MINUTE]
/** Dead letters in a row after which a subscription is turned off: its receiver was away for most of a day. */
export const MOST_DEAD = 3

/** Milliseconds until an event that failed so many times is tried again; undefined when it is not. */
export function waitAfter(attempts: number): number | undefined {
  return RETRIES[attempts - 1]
}

/** What is sealed of a subscription. */
export interface Settings {
  id: string
  ownerDisplay: string
  filters: FilterCriterion[]
  payload: Payload
  endpoint: string
  headers: [string, string][]
  secret: string
  timeout: number
  maxCount: number
}

export interface SubscriptionRow {
  row: string
  key: string
  branch: string
  owner_kind: 'user' | 'client'
  owner: string
  portal: string | null
  /** Set when an app made it: it is told what the app may see. */
  app: AppAccess | null
  status: 'requested' | 'active' | 'error' | 'off'
  topic: string
  channel: Channel
  types: string[]
  settings: Buffer
  heartbeat_seconds: number | null
  ends_at: Date | null
  last_number: string
  dead_in_a_row: number
  sent_at: Date | null
  last_error: string | null
}

export interface EventRow {
  number: string
  at: Date
  branch: string
  focus: Buffer
  state: 'waiting' | 'delivered' | 'withheld' | 'dead'
  attempts: number
}

/** What an event is about. */
export interface Focus {
  type: string
  id: string
  version: number
  interaction: 'create' | 'update' | 'delete'
}

export async function waitingEvents(database: Database, row: string, limit: number): Promise<EventRow[]> {
  return await database.query<EventRow>(everywhere, {
    text: "select number, at, branch, focus, state, attempts from subscriptions.event where subscription = $1 and state = 'waiting' order by number limit $2",
    values: [row, limit],
  })
}

/** Writes down what became of events, whatever they were before. */
export async function settle(database: Database, row: string, numbers: readonly string[], state: 'delivered' | 'withheld', now: Date): Promise<void> {
  if (numbers.length === 0) return
  await database.query(everywhere, {
    text:
      'with ended as (update subscriptions.event set state = $3, ended_at = $4, last_error = null where subscription = $1 and number = any ($2::bigint[]) returning 1) ' +
      "update subscriptions.subscription set sent_at = case when $3 = 'delivered' then $4::timestamptz else sent_at end, " +
      "dead_in_a_row = case when $3 = 'delivered' then 0 else dead_in_a_row end where row = $1",
    values: [row, numbers, state, now],
  })
}

/** Runs one statement, in a transaction or outside. */
type Run = (text: string, values: readonly unknown[]) => Promise<object[]>

/** Puts events from a number on back in line, whatever became of them, and due at once. Returns how many. */
export async function replayFrom(run: Run, row: string, from: number, now: Date): Promise<number> {
  const rows = await run(
    "update subscriptions.event set state = 'waiting', attempts = 0, due_at = $3, ended_at = null where subscription = $1 and number >= $2 returning 1",
    [row, from, now],
  )
  return rows.length
}

export interface DeadNotification {
  row: string
  owner: string
  number: string
  attempts: number
  error: string | null
  at: Date
}

/** Events that no attempt could deliver, oldest first. */
export async function listDeadNotifications(database: Database): Promise<DeadNotification[]> {
  return await database.query<DeadNotification>(everywhere, {
    text:
      'select e.subscription as row, s.owner, e.number, e.attempts, e.last_error as error, e.ended_at as at from subscriptions.event e ' +
      "join subscriptions.subscription s on s.row = e.subscription where e.state = 'dead' order by e.ended_at limit 500",
  })
}
