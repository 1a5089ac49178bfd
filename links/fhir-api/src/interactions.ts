import { idKey } from '@carespine/fhir/index-entries'
import type { Resource, ResourceType, Stored } from '@carespine/fhir/resource'
import { allows } from '@carespine/kit/permission'
import { refuse } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import type { Actor, Origin, Transaction } from '@carespine/store/contract'
import type { StoredRow } from '@carespine/store/read-records'
import { announce, readBefore } from './announce.ts'
import { checkPreconditions, type Preconditions } from './preconditions.ts'

export interface Caller {
  actor: Actor
  origin: Origin
}

/** A stored version as it goes out: the bytes of its JSON. */
export interface Served {
  body: Buffer
  version: number
  updated: Date
}

/**
 * @param part What of the access is needed: an app may have less than the whole, such as `fhir:Observation:read:s` (create,
 * read, update, delete, search: SMART App Launch 2.2, section 4.1). Without it, the whole.
 */
export function requirePermission(actor: Actor, type: string, access: 'read' | 'write', part?: 'c' | 'r' | 'u' | 'd' | 's'): void {
  const permission = `fhir:${type}:${access}`
  if (allows(actor.permissions, permission) || (part !== undefined && allows(actor.permissions, `${permission}:${part}`))) return
  refuse('PERMISSION_MISSING', { permission })
}

/** The current version. Refuses when it is absent, hidden or deleted. */
export async function readResource(services: Services, caller: Caller, type: ResourceType, id: string): Promise<Served> {
  requirePermission(caller.actor, type, 'read', 'r')
  const { store } = services
  const row = await store.reader.read({ ...caller, now: services.now() }, store.scopeOf(caller.actor), type, id)
  return serve(services, type, row)
}

function serve(services: Services, type: ResourceType, row: StoredRow | undefined): Served {
  if (!row) return refuse('RECORD_NOT_FOUND', { resourceType: type })
  if (row.deleted) return refuse('RECORD_DELETED', { resourceType: type })
  return { body: services.store.bodyOf(type, row), version: row.version, updated: row.updated }
}

export async function readVersion(services: Services, caller: Caller, type: ResourceType, id: string, version: string): Promise<Served> {
  requirePermission(caller.actor, type, 'read', 'r')
  const { store } = services
  const number = /^\d{1,9}$/.test(version) ? Number(version) : refuse('RECORD_NOT_FOUND', { resourceType: type })
  const row = await store.reader.readVersion(store.scopeOf(caller.actor), type, id, number)
  await auditRead(services, caller, type, row ? [row] : [], id)
  return serve(services, type, row)
}

/** Stores the entry of a read before its answer leaves. */
export async function auditRead(services: Services, caller: Caller, type: ResourceType, rows: readonly Pick<StoredRow, 'patient'>[], id?: string): Promise<void> {
  const patients = [...new Set(rows.flatMap((row) => row.patient ?? []))]
  if (patients.length === 0) return
  await services.store.trail.store([
    services.store.auditEntry(caller, services.now(), {
      resourceType: type,
      ...(id === undefined ? {} : { resource: idKey(id) }),
      ...(patients.length === 1 ? { patient: patients[0] as string } : { patients }),
    }),
  ])
}

/** A resource as it came in, without what only the server sets. */
export function withoutServerMeta<R extends Resource>(resource: R): R {
  if (resource.meta === undefined) return resource
  if (typeof resource.meta !== 'object' || resource.meta === null || Array.isArray(resource.meta)) {
    const expression = `${resource.resourceType}.meta`
    refuse('RECORD_INVALID', { issues: [{ severity: 'error', code: 'structure', expression, diagnostics: 'The value must be a JSON object (Meta).' }] })
  }
  const { versionId: _version, lastUpdated: _updated, ...meta } = resource.meta
  const { meta: _meta, ...rest } = resource
  return (Object.keys(meta).length > 0 ? { ...rest, meta } : rest) as R
}

/** The current version, as a unit of work has it. Refuses when it is absent, hidden or deleted. */
export async function currentOf(tx: Transaction, type: ResourceType, id: string): Promise<Stored<Resource>> {
  const found = (await tx.find(type, id)) as Stored<Resource> | undefined
  if (found) return found
  const known = await tx.versionOf(type, id)
  return refuse(known?.deleted ? 'RECORD_DELETED' : 'RECORD_NOT_FOUND', { resourceType: type })
}

/** Writes the next version of a resource, or its first. */
export async function putResource(
  tx: Transaction,
  resource: Resource,
  preconditions: Preconditions = {},
): Promise<{ stored: Stored<Resource>; created: boolean }> {
  const before = await tx.versionOf(resource.resourceType, resource.id ?? '')
  checkPreconditions(preconditions, before)
  const plain = withoutServerMeta(resource)
  const previous = before && !before.deleted ? await readBefore(tx, resource.resourceType, resource.id ?? '') : undefined
  const stored = tx.write(
    before && !before.deleted ? { ...plain, meta: { ...plain.meta, versionId: before.version } } : plain,
  ) as Stored<Resource>
  const created = before === undefined || before.deleted
  announce(tx, stored, { created, previous })
  return { stored, created }
}

export function postResource(tx: Transaction, resource: Resource): Stored<Resource> {
  const { id: _id, ...fresh } = withoutServerMeta(resource)
  const stored = tx.write(fresh as Resource) as Stored<Resource>
  announce(tx, stored, { created: true })
  return stored
}
