import type { Bundle, Parameters } from '@carespine/fhir/resource'
import { action, event, z } from '@carespine/kit/contract'

const Id = z.string().min(1).max(64)

/** A write of a type that somebody follows. Left by the store itself, in the commit of the write. */
export const ResourceChanged = event(
  'record.resource.changed',
  1,
  'A resource of a type that a subscription follows was created, changed or deleted. Of other types nothing is told.',
  z.object({ type: z.string(), id: z.string(), version: z.number(), interaction: z.enum(['create', 'update', 'delete']) }),
)

export const subscriptionStatus = action({
  kind: 'query',
  name: 'subscriptions.status',
  allow: 'fhir:Subscription:read',
  summary: 'How subscriptions of mine stand, as a searchset Bundle',
  input: z.object({ ids: z.array(Id).max(100).optional(), statuses: z.array(z.string()).max(10).optional() }),
  output: z.object({ bundle: z.custom<Bundle>() }),
})

export const subscriptionEvents = action({
  kind: 'query',
  name: 'subscriptions.events',
  allow: 'fhir:Subscription:read',
  summary: 'Events of a subscription of mine again, as a notification of the type query-event; at most 1,000',
  input: z.object({ id: Id, since: z.number().int().min(0).optional(), until: z.number().int().min(0).optional(), content: z.enum(['empty', 'id-only', 'full-resource']).optional() }),
  output: z.object({ bundle: z.custom<Bundle>() }),
})

export const bindingToken = action({
  kind: 'command',
  name: 'subscriptions.binding-token',
  allow: 'fhir:Subscription:read',
  summary: 'A token that binds a websocket to a subscription of mine; good once, for five minutes',
  input: z.object({ id: Id, url: z.string().max(500) }),
  output: z.object({ parameters: z.custom<Parameters>() }),
})

export const replayEvents = action({
  kind: 'command',
  name: 'subscriptions.replay',
  allow: 'fhir:Subscription:write',
  summary: 'Sends the events of a subscription of mine again, from a number on, dead letters included',
  input: z.object({ id: Id, from: z.number().int().min(1) }),
  output: z.object({ events: z.number() }),
})

export const signingSecret = action({
  kind: 'query',
  name: 'subscriptions.signing-secret',
  allow: 'fhir:Subscription:write',
  summary: 'The secret that signs the notifications of a subscription of mine',
  input: z.object({ id: Id }),
  output: z.object({ secret: z.string() }),
})

export const refusals = {
  SUBSCRIPTION_NOT_YOURS: { status: 404, message: 'There is no such subscription of yours. Only who made it, or changed it last, may ask.' },
  SUBSCRIPTION_CHANNEL: { status: 409, message: 'A token is for a subscription whose channel is websocket.' },
} as const
