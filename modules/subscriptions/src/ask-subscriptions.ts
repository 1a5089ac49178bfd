import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { idKey } from '@carespine/fhir/index-entries'
import type { Bundle, Parameters } from '@carespine/fhir/resource'
import { command, query, refuse, type ServedAction } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import type { Actor, ReadView } from '@carespine/store/contract'
import { bindingToken, replayEvents, signingSecret, subscriptionEvents, subscriptionStatus } from './contract.ts'
import { selectRows } from './keep-subscription.ts'
import { type EventRow, replayFrom, type Settings, type SubscriptionRow } from './ledger.ts'
import { notificationOf, statusEntry } from './notification-bundle.ts'
import { showEvents, standingOf } from './show-events.ts'

const MOST_EVENTS = 1000
const TOKEN_MINUTES = 5

async function mine(view: ReadView, actor: Actor, id: string): Promise<{ row: SubscriptionRow; settings: Settings }> {
  const [row] = await view.sql<SubscriptionRow>(
    // What one app follows is not another's, though it be of the same person.
    `${selectRows} where key = $1 and owner = $2 and ($3::jsonb is null or app = $3)`,
    [idKey(id), actor.id, actor.app === undefined ? null : JSON.stringify(actor.app)],
  )
  if (!row) return refuse('SUBSCRIPTION_NOT_YOURS')
  return { row, settings: JSON.parse(view.open(row.settings)) as Settings }
}

export function tokenHash(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

/** What a subscriber may ask of its own subscriptions. */
export function subscriptionActions(services: () => Services): ServedAction[] {
  return [
    query(subscriptionStatus, async ({ ids, statuses }, { view, actor }) => {
      const rows = await view.sql<SubscriptionRow>(`${selectRows} where owner = $1 and ($2::uuid[] is null or key = any ($2)) order by row limit 1000`, [actor.id, ids?.map(idKey) ?? null])
      const entry = rows
        .filter(({ status }) => statuses === undefined || statuses.includes(status))
        .map((row) => ({ ...statusEntry(standingOf(row, JSON.parse(view.open(row.settings)) as Settings), 'query-status'), search: { mode: 'match' as const } }))
        // Requests and their answers are of histories.
        .map(({ request: _request, response: _response, ...match }) => match)
      const bundle: Bundle = { resourceType: 'Bundle', id: randomUUID(), type: 'searchset', total: entry.length, ...(entry.length > 0 ? { entry } : {}) }
      return { bundle }
    }),
    query(subscriptionEvents, async ({ id, since = 0, until, content }, { view, actor, now }) => {
      const { row, settings } = await mine(view, actor, id)
      const events = await view.sql<EventRow>(
        'select number, at, branch, focus, state, attempts from subscriptions.event where subscription = $1 and number >= $2 and ($3::bigint is null or number <= $3) order by number limit $4',
        [row.row, since, until ?? null, MOST_EVENTS],
      )
      const payload = content ?? settings.payload
      const { shown } = await showEvents(services(), actor, events, { payload, action: subscriptionEvents.name })
      return { bundle: notificationOf(standingOf(row, settings), 'query-event', now, shown, payload) }
    }),
    command(bindingToken, async ({ id, url }, { tx, actor, now }) => {
      const { row } = await mine(tx, actor, id)
      if (row.channel !== 'websocket') refuse('SUBSCRIPTION_CHANNEL')
      const token = randomBytes(32).toString('base64url')
      const expires = new Date(now.getTime() + TOKEN_MINUTES * 60_000)
      await tx.sql('delete from subscriptions.binding where expires_at < $1', [now])
      await tx.sql('insert into subscriptions.binding (token_hash, subscription, owner, expires_at) values ($1, $2, $3, $4)', [tokenHash(token), row.row, actor.id, expires])
      const parameters: Parameters = {
        resourceType: 'Parameters',
        parameter: [
          { name: 'token', valueString: token },
          { name: 'expiration', valueDateTime: expires.toISOString() },
          { name: 'subscription', valueString: id },
          { name: 'websocket-url', valueUrl: url },
        ],
      }
      return { parameters }
    }),
    command(replayEvents, async ({ id, from }, { tx, actor, now }) => {
      const { row } = await mine(tx, actor, id)
      tx.record({ action: replayEvents.name, outcome: 'success' })
      return { events: await replayFrom((text, values) => tx.sql(text, values), row.row, from, now) }
    }),
    query(signingSecret, async ({ id }, { view, actor }) => ({ secret: (await mine(view, actor, id)).settings.secret })),
  ]
}
