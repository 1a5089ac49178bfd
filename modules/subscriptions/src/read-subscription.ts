import { isResourceType } from '@carespine/fhir/definitions'
import type { Extension, ResourceType, Subscription } from '@carespine/fhir/resource'
import { subscriptionTopics } from '@carespine/pack-core/topics'
import { isForwarded } from './sign-notification.ts'
import { faultOfSearch } from './topic-match.ts'

const BACKPORT = 'http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport'

const payloads = ['empty', 'id-only', 'full-resource'] as const
export type Payload = (typeof payloads)[number]
export type Channel = 'rest-hook' | 'websocket' | 'email'

/** A search that the focus of an event has to match: `Observation?code=718-7`. */
export interface FilterCriterion {
  type: ResourceType
  search: string
}

/** A Subscription of the R5 backport (http://hl7.org/fhir/uv/subscriptions-backport, 1.1), taken apart. */
export interface ReadSubscription {
  topic: string
  types: ResourceType[]
  filters: FilterCriterion[]
  channel: Channel
  payload: Payload
  endpoint: string
  headers: [string, string][]
  /** Given in the header `Carespine-Secret`, which is not sent on. */
  secret?: string
  /** Seconds a receiver has to answer. */
  timeout: number
  /** Events in one notification. */
  maxCount: number
  heartbeatSeconds?: number
  endsAt?: string
}

const SECRET_HEADER = 'carespine-secret'
const MOST_FILTERS = 20

type Extended = { extension?: Extension[] } | undefined
const extensionsOf = (element: Extended, name: string): Extension[] => element?.extension?.filter(({ url }) => url === `${BACKPORT}-${name}`) ?? []

/** What a Subscription asks for, or the first reason why it cannot be had. */
export function readSubscription(subscription: Subscription): ReadSubscription | { fault: string } {
  const { criteria, channel, end } = subscription
  const topic = subscriptionTopics.find(({ url }) => url === criteria)
  if (!topic) return { fault: 'The criteria name no topic of this server. Its topics are in the capability statement.' }
  const { _criteria } = subscription as { _criteria?: Extended }
  const filters: FilterCriterion[] = []
  for (const { valueString = '' } of extensionsOf(_criteria, 'filter-criteria')) {
    const at = valueString.indexOf('?')
    const type = at < 0 ? valueString : valueString.slice(0, at)
    if (!isResourceType(type)) return { fault: 'A filter criterion is a type with a search: Observation?code=718-7.' }
    const search = at < 0 ? '' : valueString.slice(at + 1)
    const fault = faultOfSearch(type, search)
    if (fault !== undefined) return { fault }
    filters.push({ type, search })
  }
  if (filters.length > MOST_FILTERS) return { fault: `At most ${MOST_FILTERS} filter criteria are looked at.` }
  const named = topic.triggers.map(({ resource }) => resource).filter(isResourceType)
  const isOpen = topic.triggers.some(({ resource }) => resource === '*')
  if (isOpen && filters.length === 0) return { fault: 'This topic takes its types from filter criteria. Give one at least.' }
  const stray = isOpen ? undefined : filters.find(({ type }) => !named.includes(type))
  if (stray) return { fault: `The topic is not about ${stray.type}.` }
  const { type, _payload } = channel as typeof channel & { _payload?: Extended }
  if (type !== 'rest-hook' && type !== 'websocket' && type !== 'email') return { fault: 'The channel is rest-hook, websocket or email.' }
  const payload = payloads.find((one) => one === (extensionsOf(_payload, 'payload-content')[0]?.valueCode ?? 'empty'))
  if (!payload) return { fault: 'The payload content is empty, id-only or full-resource.' }
  if (channel.payload !== undefined && !/^application\/(fhir\+)?json$/.test(channel.payload)) return { fault: 'Notifications are sent as application/fhir+json.' }
  const endpoint = channel.endpoint ?? ''
  if (type === 'rest-hook' && !URL.canParse(endpoint)) return { fault: 'The endpoint of a rest-hook is a URL.' }
  if (type === 'email' && !/^mailto:[^\s@,;<>"]+@[^\s@,;<>"]+$/.test(endpoint)) return { fault: 'The endpoint of an e-mail channel is mailto: and one address.' }
  const given = (channel.header ?? []).map((line): [string, string] => {
    const at = line.indexOf(':')
    return [line.slice(0, at).trim(), line.slice(at + 1).trim()]
  })
  const refused = given.find(([name, value]) => !isForwarded(name, value))
  if (refused) return { fault: 'A header is malformed, or one that the server sets itself.' }
  const secret = given.find(([name]) => name.toLowerCase() === SECRET_HEADER)?.[1]
  if (secret !== undefined && (secret.length < 24 || secret.length > 500)) return { fault: 'A signing secret has 24 to 500 characters.' }
  const numberOf = (name: string): number | undefined => {
    const [one] = extensionsOf(channel, name)
    return one?.valueUnsignedInt ?? one?.valuePositiveInt ?? one?.valueInteger
  }
  const heartbeat = numberOf('heartbeat-period')
  return {
    topic: topic.url,
    types: [...new Set(isOpen ? filters.map((filter) => filter.type) : named)],
    filters,
    channel: type,
    payload,
    endpoint,
    headers: given.filter(([name]) => name.toLowerCase() !== SECRET_HEADER),
    ...(secret === undefined ? {} : { secret }),
    timeout: Math.min(Math.max(numberOf('timeout') ?? 10, 1), 30),
    maxCount: Math.min(Math.max(numberOf('max-count') ?? 1, 1), 100),
    // A heartbeat more often than once in ten seconds says nothing more.
    ...(heartbeat === undefined || heartbeat === 0 ? {} : { heartbeatSeconds: Math.max(heartbeat, 10) }),
    ...(end === undefined ? {} : { endsAt: end }),
  }
}
