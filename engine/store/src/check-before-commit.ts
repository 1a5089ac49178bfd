import { isResourceType } from '@carespine/fhir/definitions'
import { idKey } from '@carespine/fhir/index-entries'
import type { Issue } from '@carespine/fhir/outcome'
import type { Resource, ResourceType, Stored } from '@carespine/fhir/resource'
import { localReferences, type Validator } from '@carespine/fhir/validator'
import { refuse } from './refusal.ts'

export interface Written {
  resource: Stored<Resource>
  deleted: boolean
  /** Whether all that validation asks about was known when it was written. */
  settled: boolean
}

/**
 * What can only be told by asking: profiles and codes that are looked up for the first time, and, where the installation
 * demands it, whether what is referred to is there. Refuses with the faults of the first resource that has some, and
 * names that resource: by now nobody else knows which of many it was.
 *
 * @param isThere Whether a resource is stored and visible to who writes.
 */
export async function checkBeforeCommit(
  validator: Validator,
  written: readonly Written[],
  isThere: (type: ResourceType, id: string) => Promise<boolean>,
): Promise<void> {
  const keys = new Set(written.flatMap(({ resource, deleted }) => (deleted ? [] : [`${resource.resourceType}/${idKey(resource.id)}`])))
  for (const { resource, deleted, settled } of written) {
    if (deleted) continue
    const issues = settled ? [] : await validator.check(resource)
    if (validator.rules.references === 'existing') issues.push(...(await missingReferences(resource, keys, isThere)))
    if (issues.length > 0) refuse('RECORD_INVALID', { issues, of: `${resource.resourceType}/${resource.id}` })
  }
}

/** Faults of references to what is not stored and not written together with the resource. */
export async function missingReferences(
  resource: Resource,
  writtenToo: ReadonlySet<string>,
  isThere: (type: ResourceType, id: string) => Promise<boolean>,
): Promise<Issue[]> {
  const asked = await Promise.all(
    [...localReferences(resource, resource.resourceType)].map(async ({ type, id, expression }) => {
      if (!isResourceType(type) || writtenToo.has(`${type}/${idKey(id)}`) || (await isThere(type, id))) return []
      const diagnostics = 'Nothing is stored under this reference. Store what it points to first, or in the same transaction.'
      return [{ severity: 'error' as const, code: 'not-found' as const, expression, diagnostics }]
    }),
  )
  return asked.flat()
}
