import { randomUUID } from 'node:crypto'
import { readJson } from '@carespine/fhir/decimal-digits'
import { idKey } from '@carespine/fhir/index-entries'
import type { Resource, ResourceType } from '@carespine/fhir/resource'
import { actorNow } from '@carespine/identity/contract'
import { allows } from '@carespine/kit/permission'
import type { Services } from '@carespine/kit/services'
import { type Actor, SHARED_BRANCH } from '@carespine/store/contract'
import type { EventRow, Focus, Settings, SubscriptionRow } from './ledger.ts'
import type { ShownEvent, Standing } from './notification-bundle.ts'
import type { Payload } from './read-subscription.ts'

/** The subscriber with the permissions and branches of this moment; undefined when its account is closed, or what an app was allowed has ended. */
export async function subscriberOf(ask: Services['ask'], { owner_kind: kind, owner: id, portal, app }: Pick<SubscriptionRow, 'owner_kind' | 'owner' | 'portal' | 'app'>): Promise<Actor | undefined> {
  const { actor } = await ask(actorNow, { kind, id, ...(portal === null ? {} : { portal }), ...(app === null ? {} : { app }) })
  return actor as Actor | undefined
}

/** Whether a subscriber may read a resource of a type in a branch at all. */
export function mayRead(actor: Actor, type: string, branch: string): boolean {
  return allows(actor.permissions, `fhir:${type}:read`) && (branch === SHARED_BRANCH ? actor.branches.length > 0 : actor.branches.includes(branch))
}

export function standingOf(row: SubscriptionRow, { id }: Pick<Settings, 'id'>): Standing {
  const { topic, status, last_number, last_error } = row
  // Turned off because of a fault is told as the fault.
  const told = status === 'off' && last_error !== null ? 'error' : status
  return { id, topic, status: told, lastNumber: Number(last_number), ...(last_error === null ? {} : { error: last_error }) }
}

const PURPOSE = 'value'

/** Opens what `tx.seal` sealed. */
export function openSealed<T>(services: Pick<Services, 'store'>, branch: string, sealed: Buffer): T {
  return JSON.parse(services.store.keyring.open(branch, sealed.subarray(16), PURPOSE).toString()) as T
}

/**
 * Events as the subscriber may see them now, and the numbers of those it may not. Those shown with more than a number are
 * reads of the subscriber's, and are in the audit trail when this resolves.
 *
 * @param action As the audit entries name it.
 */
export async function showEvents(
  services: Services,
  actor: Actor,
  events: readonly EventRow[],
  { payload, action }: { payload: Payload; action: string },
): Promise<{ shown: ShownEvent[]; withheld: string[] }> {
  const { store } = services
  const caller = { actor, origin: { correlationId: randomUUID(), action, module: 'subscriptions' } }
  const shown: ShownEvent[] = []
  const withheld: string[] = []
  const entries: ReturnType<typeof store.auditEntry>[] = []
  for (const event of events) {
    const { type, id, version, interaction } = openSealed<Focus>(services, event.branch, event.focus)
    // Of resources of one id in several branches, that of the event's branch.
    const scope = store.scopeOf({ ...actor, branches: actor.branches.filter((branch) => branch === event.branch || event.branch === SHARED_BRANCH) })
    const allowed = mayRead(actor, type, event.branch)
    const current = allowed ? await store.reader.peek(scope, type as ResourceType, id) : undefined
    if (!current) {
      withheld.push(event.number)
      continue
    }
    const row = interaction === 'delete' || current.deleted ? undefined : await store.reader.readVersion(scope, type as ResourceType, id, version)
    const resource = row && !row.deleted && payload === 'full-resource' ? (readJson(store.bodyOf(type as ResourceType, row).toString()) as Resource) : undefined
    shown.push({ number: Number(event.number), at: event.at, focus: { type, id, interaction }, ...(resource ? { resource } : {}) })
    const patient = row?.patient ?? current.patient
    if (payload !== 'empty' && patient !== null) {
      entries.push(store.auditEntry(caller, services.now(), { resourceType: type, resource: idKey(id), version, patient }))
    }
  }
  if (entries.length > 0) await store.trail.store(entries)
  return { shown, withheld }
}
