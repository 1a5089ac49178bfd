import { createHash } from 'node:crypto'
import { writeJson } from '@carespine/fhir/decimal-digits'
import { idKey } from '@carespine/fhir/index-entries'
import type { Resource } from '@carespine/fhir/resource'
import { Refusal } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import type { Transaction } from '@carespine/store/contract'
import { type Caller, withoutServerMeta } from '../interactions.ts'

/** What became of a resource: written, there before and left as it was, or refused. */
export type Fate = 'added' | 'known' | Refusal

/** Passing, or of the whole installation: says nothing about a resource. */
const OUTAGES = new Set(['STORE_UNAVAILABLE', 'STORE_BUSY', 'STORE_FULL', 'RECORD_BUSY'])

export function isPassing(error: unknown): boolean {
  return error instanceof Refusal && OUTAGES.has(error.code)
}

/** The resource with an id: without one, one that is made of its content, so that the same comes again under the same id. */
export function withId<R extends Resource>(resource: R): R {
  if (resource.id !== undefined) return resource
  const hex = createHash('sha256').update(`carespine-import:${writeJson(resource)}`).digest('hex')
  return { ...resource, id: `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}` }
}

interface LoadOptions {
  /** Refuses what this caller may not bring in; throws a Refusal. */
  judge?(resource: Resource): void
  /** `whole`: all of them or none; the refusal of one is thrown. */
  mode: 'whole' | 'each'
  /** Joins the transaction when all went in one. Not called when some had to be tried for themselves. */
  alongside?(tx: Transaction, fates: readonly Fate[]): Promise<void>
}

/**
 * Brings resources in under the ids they have, and leaves those that are there as they are: a second run adds nothing.
 * One transaction where that is possible. Where the commit refuses one of them, halves are tried, down to the one at fault.
 *
 * @returns What became of each, and whether `alongside` was committed with them.
 */
export async function loadResources(services: Services, caller: Caller, resources: readonly Resource[], options: LoadOptions): Promise<{ fates: Fate[]; together: boolean }> {
  try {
    return { fates: await loadTogether(services, caller, resources, options), together: true }
  } catch (error) {
    if (options.mode === 'whole' || !(error instanceof Refusal) || isPassing(error)) throw error
    return { fates: await loadInHalves(services, caller, resources, options, error), together: false }
  }
}

async function loadInHalves(services: Services, caller: Caller, resources: readonly Resource[], options: LoadOptions, refusal: Refusal): Promise<Fate[]> {
  if (resources.length <= 1) return resources.map(() => refusal)
  const middle = Math.ceil(resources.length / 2)
  const fates: Fate[] = []
  const { alongside: _alone, ...apart } = options
  for (const half of [resources.slice(0, middle), resources.slice(middle)]) fates.push(...(await loadResources(services, caller, half, apart)).fates)
  return fates
}

async function loadTogether(services: Services, { actor, origin }: Caller, resources: readonly Resource[], { judge, mode, alongside }: LoadOptions): Promise<Fate[]> {
  return await services.transact(actor, origin, async ({ tx }) => {
    const before = await Promise.all(resources.map(({ resourceType, id = '' }) => tx.versionOf(resourceType, id)))
    const seen = new Set<string>()
    const fates = resources.map((resource, at): Fate => {
      try {
        judge?.(resource)
        const key = `${resource.resourceType}/${idKey(resource.id ?? '')}`
        if (before[at] || seen.has(key)) return 'known'
        tx.write(withoutServerMeta(resource))
        seen.add(key)
        return 'added'
      } catch (error) {
        if (mode === 'whole' || !(error instanceof Refusal)) throw error
        return error
      }
    })
    await alongside?.(tx, fates)
    return fates
  })
}
