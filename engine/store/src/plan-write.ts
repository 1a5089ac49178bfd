import { randomUUID } from 'node:crypto'
import { encounterReferenceOf, patientReferenceOf } from '@carespine/fhir/compartments'
import { writeJson } from '@carespine/fhir/decimal-digits'
import { idKey, indexEntries } from '@carespine/fhir/index-entries'
import type { Resource, Stored } from '@carespine/fhir/resource'
import { moveClock, type Plan } from './commit.ts'
import type { Actor, EventAbout, EventEnvelope, EventType, Origin, ResourceChange } from './contract.ts'
import type { StoredRow } from './read-records.ts'
import type { Store } from './store.ts'

/** A version that waits for the end of its unit of work. */
export interface Pending {
  resource: Stored<Resource>
  branch: string
  owner: string | null
  deleted: boolean
  /** Whether validation knew all that it asks about. */
  settled: boolean
  /** Version it replaces; 0 for a new resource. */
  replaces: number
  reason?: string
}

/** An event that waits for it. */
export interface Envelope {
  envelope: Omit<EventEnvelope, 'sequence'>
  /** Key of its lane: events of one are handled in order. */
  lane: string | null
}

interface Unit {
  store: Store
  actor: Actor
  origin: Origin
  now: Date
}

/** Indexes and encrypts a version, into the plan. `before` is the row that it replaces, as far as there is one. */
export function planWrite(plan: Plan, { store, ...unit }: Unit, { resource, branch, owner, deleted, replaces, reason }: Pending, before: StoredRow | undefined): void {
  const { keyring } = store
  const type = resource.resourceType
  const key = idKey(resource.id)
  const version = replaces + 1
  const about = deleted ? before?.patient : patientReferenceOf(resource)
  const patient = about ? idKey(about) : null
  const encounter = deleted ? undefined : encounterReferenceOf(resource)
  const { facts, columns } = deleted ? { facts: [], columns: {} } : indexEntries(resource, store.searchIndex.written)
  const updated = unit.now.toISOString()
  const writes = replaces === 0 ? plan.creates : plan.updates
  const ofType = writes.get(type) ?? []
  ofType.push({
    type,
    key,
    version,
    updated,
    branch,
    patient,
    encounter: encounter === undefined ? null : idKey(encounter),
    deleted,
    owner,
    facts: facts.map((fact) => keyring.hash(fact)),
    columns,
    body: keyring.seal(branch, Buffer.from(writeJson(resource)), `${type}/${key}/${version}`),
  })
  writes.set(type, ofType)
  // The new version's own check covers the old one's.
  const unchanged = plan.unchanged.get(type)
  if (unchanged?.delete(`${key}/${branch}`) && unchanged.size === 0) plan.unchanged.delete(type)
  plan.audits.push(
    store.auditEntry(unit, unit.now, {
      resourceType: type,
      resource: key,
      version,
      ...(patient === null ? {} : { patient }),
      ...(reason === undefined ? {} : { reason: keyring.seal(branch, Buffer.from(reason), `reason/${key}`) }),
    }),
  )
  if (patient !== null) moveClock(plan, `${patient}/${branch}`, updated, [type])
  // The record that it leaves changes too.
  if (before?.patient && before.patient !== patient) moveClock(plan, `${before.patient}/${branch}`, updated, [])
}

/** What a write of a followed type tells: in order for each patient, and for each resource that is about none. */
export function changeOf({ resource, branch, deleted, replaces }: Pending, before: StoredRow | undefined): { data: ResourceChange; about: EventAbout } {
  const { resourceType: type, id, meta } = resource
  const isNew = replaces === 0 || before?.deleted === true
  return {
    data: { type, id, version: Number(meta.versionId), interaction: deleted ? 'delete' : isNew ? 'create' : 'update' },
    about: { lane: (deleted ? before?.patient : patientReferenceOf(resource)) ?? id, resource, branch },
  }
}

/** An event as it will lie in the outbox. Throws when its data are not what its type says. */
export function envelopeOf<D>({ actor, origin, now }: Omit<Unit, 'store'>, type: EventType<D>, data: D, about: EventAbout): Envelope {
  const patient = about.patient ?? (about.resource && patientReferenceOf(about.resource))
  const lane = about.lane ?? patient
  const { kind, id, display, portal, app } = actor
  const resource = about.resource && { type: about.resource.resourceType, id: about.resource.id, version: about.resource.meta.versionId }
  return {
    envelope: {
      id: randomUUID(),
      type: type.type,
      at: now.toISOString(),
      actor: { kind, id, display, ...(app ? { app } : {}) },
      ...(portal === undefined ? {} : { portal }),
      branch: about.branch ?? actor.branch,
      correlationId: origin.correlationId,
      ...(patient === undefined ? {} : { patient }),
      ...(resource ? { resource } : {}),
      data: type.parse(data),
    },
    lane: lane === undefined ? null : idKey(lane),
  }
}

/** Encrypts an event, into the plan. */
export function planEvent(plan: Plan, { keyring }: Store, { envelope, lane }: Envelope): void {
  const { id, type, at, branch } = envelope
  const body = keyring.seal(branch, Buffer.from(JSON.stringify(envelope)), `event/${id}`)
  plan.events.push({ id, type, at, patient: lane, branch, body })
  if (lane !== null) moveClock(plan, `${lane}/${branch}`, at, [])
}
