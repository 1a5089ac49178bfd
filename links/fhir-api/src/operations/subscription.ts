import { refuse } from '@carespine/kit/module'
import { bindingToken, subscriptionEvents, subscriptionStatus } from '@carespine/subscriptions/contract'
import type { Operation } from '../operations.ts'

function invalid(diagnostics: string): never {
  return refuse('FHIR_OPERATION_INPUT_INVALID', { issues: [{ severity: 'error', code: 'value', diagnostics }] })
}

function numberIn(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined
  return /^\d{1,15}$/.test(text) ? Number(text) : invalid(`${name} is the number of an event.`)
}

const payloads = ['empty', 'id-only', 'full-resource'] as const

/** How subscriptions stand. */
export const statusOfSubscription: Operation = {
  definition: 'backport-subscription-status',
  levels: ['type', 'instance'],
  understood: ['id', 'status'],
  async run({ services, caller, id, input }) {
    const ids = id === undefined ? input.texts('id') : [id]
    const statuses = input.texts('status')
    const asked = { ...(ids.length > 0 ? { ids } : {}), ...(statuses.length > 0 ? { statuses } : {}) }
    return (await services.perform(subscriptionStatus, asked, caller.actor, caller.origin)).bundle
  },
}

/** Events again, under the permissions of who asks now. */
export const eventsOfSubscription: Operation = {
  definition: 'backport-subscription-events',
  levels: ['instance'],
  understood: ['eventsSinceNumber', 'eventsUntilNumber', 'content'],
  async run({ services, caller, id = '', input }) {
    const since = numberIn(input.text('eventsSinceNumber'), 'eventsSinceNumber')
    const until = numberIn(input.text('eventsUntilNumber'), 'eventsUntilNumber')
    const given = input.text('content')
    const content = payloads.find((one) => one === given)
    if (given !== undefined && content === undefined) invalid('The content is empty, id-only or full-resource.')
    return (await services.perform(subscriptionEvents, { id, since, until, content }, caller.actor, caller.origin)).bundle
  },
}

/** A token that binds a websocket to one subscription. */
export const bindingTokenOf: Operation = {
  definition: 'backport-subscription-get-ws-binding-token',
  levels: ['type', 'instance'],
  understood: ['id'],
  async run({ services, caller, base, id, input }) {
    const [only, ...more] = id === undefined ? input.texts('id') : [id]
    if (only === undefined || more.length > 0) invalid('Name one subscription: a token binds one.')
    const url = `${base.replace(/^http/, 'ws')}/subscriptions`
    return (await services.perform(bindingToken, { id: only, url }, caller.actor, caller.origin)).parameters
  },
}
