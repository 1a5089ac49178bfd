// Operations of http://hl7.org/fhir/uv/subscriptions-backport, version 1.1.0, in the form of those of R4.
const inputs = {
  id: { type: 'id', min: 0, max: '*' },
  status: { type: 'code', min: 0, max: '*' },
  eventsSinceNumber: { type: 'string', min: 0, max: '1' },
  eventsUntilNumber: { type: 'string', min: 0, max: '1' },
  content: { type: 'code', min: 0, max: '1' },
} as const

const DEFINITIONS = 'http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition'

export const backportOperations = {
  'backport-subscription-status': {
    code: 'status',
    url: `${DEFINITIONS}/backport-subscription-status`,
    levels: ['type', 'instance'],
    types: ['Subscription'],
    inputs: { id: inputs.id, status: inputs.status },
  },
  'backport-subscription-events': {
    code: 'events',
    url: `${DEFINITIONS}/backport-subscription-events`,
    levels: ['instance'],
    types: ['Subscription'],
    inputs: { eventsSinceNumber: inputs.eventsSinceNumber, eventsUntilNumber: inputs.eventsUntilNumber, content: inputs.content },
  },
  'backport-subscription-get-ws-binding-token': {
    code: 'get-ws-binding-token',
    url: `${DEFINITIONS}/backport-subscription-get-ws-binding-token`,
    levels: ['type', 'instance'],
    types: ['Subscription'],
    inputs: { id: inputs.id },
  },
}
