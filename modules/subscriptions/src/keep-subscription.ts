import { randomUUID } from 'node:crypto'
import { idKey } from '@carespine/fhir/index-entries'
import type { Subscription } from '@carespine/fhir/resource'
import type { EventEnvelope, ResourceChange, Transaction } from '@carespine/store/contract'
import type { Settings, SubscriptionRow } from './ledger.ts'
import { readSubscription } from './read-subscription.ts'
import { newSecret } from './sign-notification.ts'

const columns =
  'row, key, branch, owner_kind, owner, portal, app, status, topic, channel, types, settings, heartbeat_seconds, ends_at, last_number, ' +
  'dead_in_a_row, sent_at, last_error'

export const selectRows = `select ${columns} from subscriptions.subscription s`

/**
 * Follows what a client did to its Subscription. What is new or changed is `requested` until the handshake, and who wrote
 * it last is its subscriber. What the system itself writes of its status is no news.
 */
export async function keepSubscription({ data, actor, branch, portal }: EventEnvelope<ResourceChange>, tx: Transaction): Promise<void> {
  if (actor.kind === 'system') return
  const key = idKey(data.id)
  const resource = await tx.find('Subscription', data.id)
  // Criteria that are a search are R4's own kind of Subscription: kept, and served by nobody.
  if (!resource || !URL.canParse(resource.criteria)) {
    await tx.sql('delete from subscriptions.subscription where key = $1 and branch = $2', [key, branch])
    return
  }
  // A later version has an event of its own.
  if (resource.meta.versionId !== String(data.version)) return
  const [known] = await tx.sql<SubscriptionRow>(`${selectRows} where key = $1 and branch = $2`, [key, branch])
  if (resource.status !== 'requested' && resource.status !== 'active') {
    await tx.sql("update subscriptions.subscription set status = 'off' where key = $1 and branch = $2", [key, branch])
    return
  }
  const read = readSubscription(resource)
  if ('fault' in read) {
    await tx.sql("update subscriptions.subscription set status = 'off', last_error = $3 where key = $1 and branch = $2", [key, branch, read.fault])
    tx.write<Subscription>({ ...resource, status: 'error', error: read.fault })
    return
  }
  const before = known && known.owner === actor.id ? (JSON.parse(tx.open(known.settings)) as Settings) : undefined
  const settings: Settings = {
    id: resource.id,
    ownerDisplay: actor.display,
    filters: read.filters,
    payload: read.payload,
    endpoint: read.endpoint,
    headers: read.headers,
    secret: read.secret ?? before?.secret ?? newSecret(),
    timeout: read.timeout,
    maxCount: read.maxCount,
  }
  await tx.sql(
    'insert into subscriptions.subscription (row, key, branch, owner_kind, owner, portal, status, topic, channel, types, settings, heartbeat_seconds, ends_at, app) ' +
      "values ($1, $2, $3, $4, $5, $6, 'requested', $7, $8, $9, $10, $11, $12, $13) on conflict (key, branch) do update set owner_kind = $4, owner = $5, portal = $6, " +
      "status = 'requested', topic = $7, channel = $8, types = $9, settings = $10, heartbeat_seconds = $11, ends_at = $12, app = $13, last_error = null, dead_in_a_row = 0",
    [
      known?.row ?? randomUUID(), key, branch, actor.kind, actor.id, portal ?? null, read.topic, read.channel, read.types,
      tx.seal(JSON.stringify(settings), branch), read.heartbeatSeconds ?? null, read.endsAt ?? null,
      actor.app === undefined ? null : JSON.stringify(actor.app),
    ],
  )
  // What a client says of the status is a wish.
  if (resource.status !== 'requested') tx.write<Subscription>({ ...resource, status: 'requested' })
  tx.record({ action: 'subscriptions.request', outcome: 'success' })
}
