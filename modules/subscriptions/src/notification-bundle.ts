import { randomUUID } from 'node:crypto'
import type { Bundle, BundleEntry, ParametersParameter, Resource } from '@carespine/fhir/resource'
import type { Payload } from './read-subscription.ts'

const STATUS_PROFILE = 'http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-status-r4'

export type NotificationType = 'handshake' | 'heartbeat' | 'event-notification' | 'query-status' | 'query-event'

/** How a subscription stands. */
export interface Standing {
  id: string
  topic: string
  status: 'requested' | 'active' | 'error' | 'off'
  lastNumber: number
  error?: string
}

/** An event as its subscriber may see it. */
export interface ShownEvent {
  number: number
  at: Date
  focus: { type: string; id: string; interaction: 'create' | 'update' | 'delete' }
  /** Absent when it was deleted. */
  resource?: Resource
}

const methods = { create: 'POST', update: 'PUT', delete: 'DELETE' } as const
const answers = { create: '201', update: '200', delete: '204' } as const

/** The SubscriptionStatus of R5 as Parameters of R4. */
export function statusEntry(standing: Standing, type: NotificationType, events: readonly ShownEvent[] = [], payload: Payload = 'empty'): BundleEntry {
  const { id, topic, status, lastNumber, error } = standing
  const parameter: ParametersParameter[] = [
    { name: 'subscription', valueReference: { reference: `Subscription/${id}` } },
    { name: 'topic', valueCanonical: topic },
    { name: 'status', valueCode: status },
    { name: 'type', valueCode: type },
    { name: 'events-since-subscription-start', valueString: String(lastNumber) },
    ...events.map(({ number, at, focus }): ParametersParameter => ({
      name: 'notification-event',
      part: [
        { name: 'event-number', valueString: String(number) },
        { name: 'timestamp', valueInstant: at.toISOString() },
        ...(payload === 'empty' ? [] : [{ name: 'focus', valueReference: { reference: `${focus.type}/${focus.id}` } }]),
      ],
    })),
    ...(error === undefined ? [] : [{ name: 'error', valueCodeableConcept: { text: error } }]),
  ]
  return {
    fullUrl: `urn:uuid:${randomUUID()}`,
    resource: { resourceType: 'Parameters', id: randomUUID(), meta: { profile: [STATUS_PROFILE] }, parameter },
    request: { method: 'GET', url: `Subscription/${id}/$status` },
    response: { status: '200' },
  }
}

/** A notification (http://hl7.org/fhir/uv/subscriptions-backport/notifications.html): a history Bundle that begins with the status. */
export function notificationOf(standing: Standing, type: NotificationType, now: Date, events: readonly ShownEvent[] = [], payload: Payload = 'empty'): Bundle {
  const entries = events.map(({ focus, resource }): BundleEntry => {
    const url = `${focus.type}/${focus.id}`
    return {
      fullUrl: `urn:uuid:${randomUUID()}`,
      ...(payload === 'full-resource' && resource ? { resource } : {}),
      request: { method: methods[focus.interaction], url: focus.interaction === 'create' ? focus.type : url },
      response: { status: answers[focus.interaction] },
    }
  })
  return {
    resourceType: 'Bundle',
    id: randomUUID(),
    type: 'history',
    timestamp: now.toISOString(),
    entry: [statusEntry(standing, type, events, payload), ...(payload === 'empty' ? [] : entries)],
  }
}
