import { matches } from '@carespine/fhir/match'
import type { Resource, ResourceType } from '@carespine/fhir/resource'
import { type Filter, parseSearch } from '@carespine/fhir/search-query'
import { subscriptionTopics, type TopicTrigger } from '@carespine/pack-core/topics'
import type { FilterCriterion } from './read-subscription.ts'

/** A write, or an event of a module, that may concern subscriptions. */
export interface Happening {
  type: ResourceType
  interaction: 'create' | 'update' | 'delete'
  /** Type of the module event; absent for a write. */
  event?: string
  /** What was written; of a deletion, what was there. */
  resource: Resource
  /** What it was before; a creation has none. */
  previous?: Resource
}

// What asks other resources or code systems is not decided by looking at the resource itself.
const ELSEWHERE = ['in', 'not-in', 'above', 'below']

function isDecidable(filter: Filter): boolean {
  switch (filter.kind) {
    case 'value':
      return !ELSEWHERE.includes(filter.modifier ?? '')
    case 'all':
    case 'any':
      return filter.filters.every(isDecidable)
    case 'not':
      return isDecidable(filter.filter)
    default:
      return false
  }
}

function fits(filter: Filter, resource: Resource, now: Date): boolean {
  switch (filter.kind) {
    case 'value':
      return matches(resource, filter, now)
    case 'all':
      return filter.filters.every((one) => fits(one, resource, now))
    case 'any':
      return filter.filters.some((one) => fits(one, resource, now))
    case 'not':
      return !fits(filter.filter, resource, now)
    default:
      return false
  }
}

/** Why a search cannot be a filter criterion; undefined when it can. */
export function faultOfSearch(type: ResourceType, search: string): string | undefined {
  const { query, issues } = parseSearch(type, new URLSearchParams(search))
  if (!query) return issues[0]?.diagnostics ?? 'A filter criterion has faults.'
  const isMore = query.sort.length > 0 || query.includes.length > 0 || query.revincludes.length > 0 || query.cursor !== undefined
  if (isMore) return 'A filter criterion filters; it neither sorts, pages nor includes.'
  return query.filters.every(isDecidable) ? undefined : 'A filter criterion looks at the resource itself: no chains, _has, _list, text searches, or questions to code systems.'
}

/** Whether a resource matches a search that `faultOfSearch` found good. */
function fitsSearch(resource: Resource, type: ResourceType, search: string, now: Date): boolean {
  const { query } = parseSearch(type, new URLSearchParams(search))
  return query?.filters.every((filter) => fits(filter, resource, now)) ?? false
}

/** Whether this makes an event for a subscription with this topic and these filters: one of its filters for the type, if it has any, must match. */
export function concerns({ topic, filters }: { topic: string; filters: readonly FilterCriterion[] }, happening: Happening, now: Date): boolean {
  const { type, resource } = happening
  const triggers = subscriptionTopics.find(({ url }) => url === topic)?.triggers ?? []
  const isOpen = triggers.some((trigger) => trigger.resource === '*')
  if (!triggers.some((trigger) => sets(trigger, happening, now))) return false
  const ofType = filters.filter((filter) => filter.type === type)
  if (ofType.length === 0) return !isOpen && filters.length === 0
  return ofType.some(({ search }) => fitsSearch(resource, type, search, now))
}

function sets(trigger: TopicTrigger, { type, interaction, event, resource, previous }: Happening, now: Date): boolean {
  if (trigger.resource !== '*' && trigger.resource !== type) return false
  if (trigger.event !== undefined || event !== undefined) return trigger.event === event
  if (!trigger.on?.includes(interaction)) return false
  if (trigger.current !== undefined && !fitsSearch(resource, type, trigger.current, now)) return false
  return trigger.previous === undefined || previous === undefined || fitsSearch(previous, type, trigger.previous, now)
}
