import { matches } from '@carespine/fhir/match'
import type { Resource, Stored } from '@carespine/fhir/resource'
import type { Filter } from '@carespine/fhir/search-query'
import { Refusal, refuse } from '@carespine/kit/module'
import type { Transaction } from '@carespine/store/contract'
import { announce, removeResource } from '../announce.ts'
import type { Condition, Setting } from '../condition.ts'
import { patchFound } from '../interactions/patch.ts'
import { currentOf, putResource, requirePermission, withoutServerMeta } from '../interactions.ts'
import { checkPreconditions, hasVersion } from '../preconditions.ts'
import { located } from './bundle-fault.ts'
import { BundleLinks, conditionalReferences } from './bundle-links.ts'
import { type Identified, identify, isChange } from './identities.ts'
import { inTurns, severalAtOnce } from './in-turns.ts'
import { type AskStep, isWrite, type Step } from './steps.ts'

/** What was done for one entry: the version that came of it, or what was read. */
export interface Done {
  status: '200' | '201' | '204' | '304'
  stored?: Stored<Resource>
  /** Asked for, and to be shown. */
  shown?: true
  /** Version of a deletion. */
  version?: string
}

/**
 * One transaction in the order that R4 gives: identities, DELETE, POST, PUT and PATCH, then reads, which see what was
 * written (R4 RESTful API, 3.1.0.11.2). Nothing is stored before the unit of work commits.
 *
 * @param places Is told at which entry each resource is written.
 * @returns What was done, by place. Entries that ask for more than a read by id are left to the caller.
 */
export async function runTransaction(tx: Transaction, setting: Setting, steps: readonly Step[], places: Map<string, number>): Promise<Map<number, Done>> {
  const { refusals } = setting.services
  const done = new Map<number, Done>()
  const run = async <T extends Step>(these: readonly T[], work: (step: T) => Done | Promise<Done>): Promise<void> => {
    await inTurns(these, async (step) => {
      try {
        done.set(step.at, await work(step))
      } catch (error) {
        throw error instanceof Refusal ? located(error, step.at, refusals) : error
      }
    })
  }
  const writes = await identify(tx, refusals, steps.filter(isWrite))
  for (const { at, type, id } of writes) if (id) places.set(`${type}/${id}`, at)
  const by = (method: Identified['method']): Identified[] => writes.filter((step) => step.method === method)
  const links = await linksOf(tx, setting, writes)
  // Versions of what is written over, many with one statement.
  await Promise.all(by('PUT').map(({ type, id = '' }) => tx.versionOf(type, id)))

  await run(by('DELETE'), (step) => remove(tx, step))
  const created = new Map<string, Stored<Resource>>()
  await run(by('POST'), (step) => create(tx, step, links, created))
  await run(by('PUT'), (step) => update(tx, step, links))
  await run(by('PATCH'), (step) => patch(tx, step, links))
  await run(
    steps.filter((step): step is AskStep => !isWrite(step) && step.read !== undefined),
    (step) => read(tx, step),
  )
  return done
}

/** Where links between entries lead, and what conditional references mean once everything is written. */
async function linksOf(tx: Transaction, setting: Setting, writes: readonly Identified[]): Promise<BundleLinks> {
  const links = new BundleLinks()
  const conditions = new Map<string, { condition: Condition; at: number }>()
  for (const { at, type, id, fullUrl, resource } of writes) {
    if (fullUrl && id) links.set(fullUrl, type, id)
    try {
      if (resource) for (const [reference, condition] of conditionalReferences(setting, resource)) conditions.set(reference, { condition, at })
    } catch (error) {
      throw error instanceof Refusal ? located(error, at, setting.services.refusals) : error
    }
  }
  if (conditions.size === 0) return links
  // What the store says of these is not so any more.
  const outdated = new Set(writes.filter(isChange).map(({ type, id }) => `${type}/${id}`))
  const now = setting.services.now()
  await severalAtOnce([...conditions], async ([reference, { condition, at }]) => {
    const { type, query } = condition
    const stored = (await tx.select(query)).map(({ id }) => id).filter((id) => !outdated.has(`${type}/${id}`))
    const fresh = writes.flatMap((step) => {
      if (step.type !== type || !step.resource || !step.id || !isChange(step)) return []
      const resource = { ...step.resource, id: step.id } as Resource
      return query.filters.every((filter) => fitsItself(resource, filter, now)) ? [step.id] : []
    })
    const [id, ...others] = new Set([...stored, ...fresh])
    if (others.length > 0) throw located(new Refusal('FHIR_CONDITION_NOT_UNIQUE', { resourceType: type }), at, setting.services.refusals)
    if (id !== undefined) links.setCondition(reference, type, id)
  })
  return links
}

const ELSEWHERE = new Set(['in', 'not-in', 'above', 'below'])

/** Whether a resource fits that is not stored yet. What a chain, a list or a value set leads to is for the store to say. */
function fitsItself(resource: Resource, filter: Filter, now: Date): boolean {
  switch (filter.kind) {
    case 'value':
      return !ELSEWHERE.has(filter.modifier ?? '') && matches(resource, filter, now)
    case 'not':
      return !fitsItself(resource, filter.filter, now)
    case 'all':
      return filter.filters.every((one) => fitsItself(resource, one, now))
    case 'any':
      return filter.filters.some((one) => fitsItself(resource, one, now))
    default:
      return false
  }
}

async function remove(tx: Transaction, { type, id, preconditions }: Identified): Promise<Done> {
  const resource = id === undefined ? undefined : ((await tx.find(type, id)) as Stored<Resource> | undefined)
  checkPreconditions(preconditions, resource && { version: resource.meta.versionId, deleted: false })
  return resource ? { status: '204', version: removeResource(tx, resource) } : { status: '204' }
}

function linked({ at, id, resource, fullUrl }: Identified, links: BundleLinks): Resource {
  return links.apply(withoutServerMeta({ ...(resource as Resource), id } as Resource), at, fullUrl)
}

function create(tx: Transaction, step: Identified, links: BundleLinks, created: Map<string, Stored<Resource>>): Done {
  const key = `${step.type}/${step.id}`
  const there = step.found ?? (step.repeats && created.get(key))
  if (there) return { status: '200', stored: there }
  const stored = tx.write(linked(step, links)) as Stored<Resource>
  announce(tx, stored, { created: true })
  created.set(key, stored)
  return { status: '201', stored }
}

async function update(tx: Transaction, step: Identified, links: BundleLinks): Promise<Done> {
  const { stored, created } = await putResource(tx, linked(step, links), step.preconditions)
  return { status: created ? '201' : '200', stored }
}

async function patch(tx: Transaction, { at, type, id = '', patch: change, preconditions, fullUrl }: Identified, links: BundleLinks): Promise<Done> {
  const before = await currentOf(tx, type, id)
  const stored = patchFound(
    tx,
    before,
    (resource) => {
      const patched = change?.(resource)
      if (typeof patched !== 'object' || patched === null) return patched
      // Of references that lead nowhere only those are refused that the patch brings.
      const text = JSON.stringify(resource)
      return links.apply(patched as Resource, at, fullUrl, (reference) => text.includes(`"reference":${JSON.stringify(reference)}`))
    },
    preconditions,
  )
  return { status: '200', stored }
}

async function read(tx: Transaction, { method, read: wanted, ifNoneMatch, ifModifiedSince }: AskStep): Promise<Done> {
  const { type, id } = wanted ?? refuse('NOT_FOUND')
  requirePermission(tx.actor, type, 'read', 'r')
  const stored = await currentOf(tx, type, id)
  if (hasVersion({ ifNoneMatch, ifModifiedSince }, Number(stored.meta.versionId), new Date(stored.meta.lastUpdated))) return { status: '304', stored }
  return { status: '200', stored, ...(method === 'HEAD' ? {} : { shown: true }) }
}
