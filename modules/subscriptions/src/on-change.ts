import { readJson } from '@carespine/fhir/decimal-digits'
import type { Resource, ResourceType } from '@carespine/fhir/resource'
import { type CommandContext, type Reaction, reaction } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import { LabCriticalAlert } from '@carespine/lab/contract'
import { idKey } from '@carespine/fhir/index-entries'
import type { ResourceChange } from '@carespine/store/contract'
import { ResourceChanged } from './contract.ts'
import { keepSubscription, selectRows } from './keep-subscription.ts'
import type { Focus, Settings, SubscriptionRow } from './ledger.ts'
import { mayRead, subscriberOf } from './show-events.ts'
import { concerns, type Happening } from './topic-match.ts'

interface Change extends Focus {
  type: ResourceType
  branch: string
  /** Type of the module event that tells of it; absent for a write. */
  event?: string
}

/** A stored version, for deciding whether it concerns somebody. It is shown to nobody, so it is no read. */
async function versionOf({ store }: Services, branches: readonly string[], { type, id }: Change, version: number): Promise<{ resource: Resource; patient: string | null } | undefined> {
  if (version < 1) return undefined
  const scope = store.scopeOf({ kind: 'system', id: '', display: '', roles: [], permissions: [], branches, branch: branches[0] ?? '' })
  const row = await store.reader.readVersion(scope, type, id, version)
  return row && !row.deleted ? { resource: readJson(store.bodyOf(type, row).toString()) as Resource, patient: row.patient } : undefined
}

/** Gives every subscription that a change concerns, and whose subscriber may read it, its next event. */
async function number(services: Services, change: Change, { tx, now, ask }: CommandContext): Promise<void> {
  const rows = await tx.sql<SubscriptionRow>(
    `${selectRows} where status in ('active', 'error') and $1 = any (types) and (ends_at is null or ends_at > $2) order by row`,
    [change.type, now],
  )
  if (rows.length === 0) return
  const { type, id, version, interaction, branch } = change
  const previous = await versionOf(services, [branch], change, version - 1)
  const current = interaction === 'delete' ? previous : await versionOf(services, [branch], change, version)
  if (!current) return
  const happening: Happening = {
    type,
    interaction,
    resource: current.resource,
    ...(change.event === undefined ? {} : { event: change.event }),
    ...(previous && interaction === 'update' ? { previous: previous.resource } : {}),
  }
  for (const row of rows) {
    const { filters } = JSON.parse(tx.open(row.settings)) as Settings
    if (!concerns({ topic: row.topic, filters }, happening, now)) continue
    const actor = await subscriberOf(ask, row)
    if (!actor || !mayRead(actor, type, branch)) continue
    if (actor.patient !== undefined && current.patient !== null && idKey(actor.patient) !== current.patient) continue
    const focus: Focus = { type, id, version, interaction }
    await tx.sql(
      'with next as (update subscriptions.subscription set last_number = last_number + 1 where row = $1 returning last_number) ' +
        'insert into subscriptions.event (subscription, number, at, branch, focus, due_at) select $1, last_number, $2, $3, $4, $2 from next',
      [row.row, now, branch, tx.seal(JSON.stringify(focus), branch)],
    )
  }
}

export function onResourceChanged(services: () => Services): Reaction {
  return reaction({
    name: 'subscriptions.on-resource-changed',
    on: ResourceChanged,
    async run(event, context) {
      const data = event.data as ResourceChange
      if (data.type === 'Subscription') await keepSubscription({ ...event, data }, context.tx)
      await number(services(), { ...data, branch: event.branch }, context)
    },
  })
}

export function onCriticalAlert(services: () => Services): Reaction {
  return reaction({
    name: 'subscriptions.on-critical-alert',
    on: LabCriticalAlert,
    async run({ resource, branch, type }, context) {
      if (!resource) return
      await number(services(), { type: resource.type, id: resource.id, version: Number(resource.version), interaction: 'update', branch, event: type }, context)
    },
  })
}
