import { isResourceType } from '@carespine/fhir/definitions'
import type { ResourceType } from '@carespine/fhir/resource'
import type { Services } from '@carespine/kit/services'
import { CHANNEL, everywhere } from './ledger.ts'

const POLL_MILLISECONDS = 5000

/** Looks up which types are followed. */
export async function follow({ store }: Pick<Services, 'store'>): Promise<void> {
  const rows = await store.database.query<{ type: string }>(everywhere, {
    name: 'followed-types',
    text: "select distinct unnest(types) as type from subscriptions.subscription where status <> 'off'",
  })
  const types = new Set<ResourceType>(['Subscription'])
  for (const { type } of rows) if (isResourceType(type)) types.add(type)
  store.followed = types
}

/**
 * Keeps the store telling of those types, and no others, that a subscription follows. In every process that writes, before
 * its first write. Returns how to stop.
 */
export async function followTypes(services: Pick<Services, 'store' | 'log'>): Promise<() => void> {
  await follow(services)
  const again = (): void => void follow(services).catch(() => services.log.warn('followed types were not read'))
  const stop = await services.store.database.listen([CHANNEL], (_channel, payload) => {
    if (payload === 'subscription') again()
  })
  const timer = setInterval(again, POLL_MILLISECONDS)
  timer.unref()
  return () => {
    clearInterval(timer)
    stop()
  }
}
