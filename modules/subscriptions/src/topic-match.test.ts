import type { Encounter, Observation, Subscription } from '@carespine/fhir/resource'
import { describe, expect, test } from 'vitest'
import { waitAfter } from './ledger.ts'
import { readSubscription } from './read-subscription.ts'
import { concerns, faultOfSearch } from './topic-match.ts'

const TOPICS = 'https://carespine.example/fhir/SubscriptionTopic'
const now = new Date('2024-06-01T08:00:00Z')
const encounter = (status: Encounter['status']): Encounter => ({ resourceType: 'Encounter', status, class: { code: 'AMB' }, subject: { reference: 'Patient/7' } })
const pulse: Observation = { resourceType: 'Observation', status: 'final', code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] }, subject: { reference: 'Patient/7' }, valueQuantity: { value: 120, unit: '/min' } }

describe('what concerns a subscription', () => {
  const started = { topic: `${TOPICS}/encounter-started`, filters: [] }
  test.each([
    ['a visit that is created in progress', undefined, 'in-progress', true],
    ['a planned visit that begins', 'planned', 'in-progress', true],
    ['a visit that goes on', 'in-progress', 'in-progress', false],
    ['a visit that is planned', undefined, 'planned', false],
  ] as const)('the beginning of a visit: %s', (_name, before, after, expected) => {
    const previous = before === undefined ? {} : { previous: encounter(before) }
    expect(concerns(started, { type: 'Encounter', interaction: before === undefined ? 'create' : 'update', resource: encounter(after), ...previous }, now)).toBe(expected)
  })

  test.each([
    [['Observation?code=8867-4'], true],
    [['Observation?code=8867-4&patient=Patient/7'], true],
    [['Observation?code=8867-4&patient=Patient/8'], false],
    [['Observation?value-quantity=gt100'], true],
    [['Observation?value-quantity=gt130', 'Observation?status=final'], true],
    [['Observation?status:not=final'], false],
    [['Condition?code=8867-4'], false],
  ])('an observation under the filters %j: %s', (texts, expected) => {
    const filters = texts.map((text) => ({ type: text.split('?')[0] as 'Observation', search: text.split('?')[1] ?? '' }))
    expect(concerns({ topic: `${TOPICS}/resource-changed`, filters }, { type: 'Observation', interaction: 'create', resource: pulse }, now)).toBe(expected)
  })

  test('an event of a module is no write, and a write is no event', () => {
    const critical = { topic: `${TOPICS}/critical-result`, filters: [] }
    const report = { type: 'DiagnosticReport', interaction: 'update', resource: { resourceType: 'DiagnosticReport', status: 'final', code: {} } } as const
    expect(concerns(critical, { ...report, event: 'lab.critical.alert.v1' }, now)).toBe(true)
    expect(concerns(critical, report, now)).toBe(false)
    expect(concerns({ topic: `${TOPICS}/result-available`, filters: [] }, { ...report, event: 'lab.critical.alert.v1' }, now)).toBe(false)
  })

  test.each(['patient.name=x', '_has:Provenance:target:agent=1', '_sort=date', 'nothing=1', 'code:in=http://hl7.org/fhir/ValueSet/observation-codes'])('the filter %s is refused', (search) => {
    expect(faultOfSearch('Observation', search)).toBeTypeOf('string')
  })
})

describe('a Subscription as it is read', () => {
  const asked = (channel: object, more: object = {}) =>
    readSubscription({ resourceType: 'Subscription', status: 'requested', reason: 'a test', criteria: `${TOPICS}/allergy-added`, channel: { type: 'rest-hook', endpoint: 'https://receiver.example', ...channel }, ...more } as Subscription)

  test('has defaults', () => {
    expect(asked({})).toMatchObject({ types: ['AllergyIntolerance'], payload: 'empty', timeout: 10, maxCount: 1 })
  })

  test('keeps its secret apart from the headers that are sent', () => {
    expect(asked({ header: ['Carespine-Secret: 0123456789abcdef0123456789abcdef', 'X-Ward: 7'] })).toMatchObject({ secret: '0123456789abcdef0123456789abcdef', headers: [['X-Ward', '7']] })
  })

  test.each([
    [{ header: ['Host: elsewhere.example'] }, 'header'],
    [{ header: ['X-Ward: 7\r\nHost: elsewhere.example'] }, 'header'],
    [{ header: ['webhook-signature: v1,forged'] }, 'header'],
    [{ header: ['Carespine-Secret: short'] }, 'secret'],
    [{ endpoint: 'receiver' }, 'URL'],
    [{ type: 'sms' }, 'channel'],
    [{ type: 'email', endpoint: 'mailto:a@b.example,c@d.example' }, 'one address'],
    [{ payload: 'application/fhir+xml' }, 'json'],
  ])('%j is refused', (channel, fault) => {
    expect(asked(channel)).toMatchObject({ fault: expect.stringContaining(fault) })
  })
})

test('five waits, then a dead letter', () => {
  expect([1, 2, 3, 4, 5, 6].map((attempts) => (waitAfter(attempts) ?? 0) / 60_000)).toEqual([1, 5, 15, 60, 360, 0])
})
