import { randomUUID } from 'node:crypto'
import type { Resource, Stored } from '@carespine/fhir/resource'
import { Refusal, refuse } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import type { Transaction } from '@carespine/store/contract'
import type { Condition } from '../condition.ts'
import { targetOf } from '../interactions/update.ts'
import { located, refuseBundle } from './bundle-fault.ts'
import { severalAtOnce } from './in-turns.ts'
import type { WriteStep } from './steps.ts'

/** An entry, and which resource it is about. */
export interface Identified extends WriteStep {
  /** Absent when a condition of a deletion finds nothing. */
  id?: string
  /** What a condition found. */
  found?: Stored<Resource>
  /** A create whose condition an earlier create of the Bundle has too: that one makes the resource for both. */
  repeats?: true
}

/**
 * Which resource each entry is about, before any of them is touched (R4 RESTful API, 3.1.0.11.2): conditions are looked up,
 * ids given to what is created. Refuses when two entries change the same resource.
 */
export async function identify(tx: Transaction, refusals: Services['refusals'], steps: readonly WriteStep[]): Promise<Identified[]> {
  const conditions = new Map(steps.flatMap(({ condition }) => (condition ? [[condition.name, condition] as const] : [])))
  await tx.watch(steps.flatMap(({ method, condition }) => (condition && (method === 'POST' || method === 'PUT') ? [condition.name] : [])))
  const found = new Map<string, Stored<Resource>[]>()
  await severalAtOnce([...conditions.values()], async ({ name, query }) => {
    found.set(name, await tx.select(query))
  })
  const foundBy = (condition: Condition | undefined): Stored<Resource>[] => (condition && found.get(condition.name)) ?? []
  const deleted = new Set(
    steps.flatMap(({ method, type, id, condition }) => (method === 'DELETE' ? (id ? [id] : foundBy(condition).map((one) => one.id)).map((one) => `${type}/${one}`) : [])),
  )
  const made = new Map<string, string>()
  const identified: Identified[] = []
  for (const step of steps) {
    // What goes away first is not there any more for those that come after.
    const there = foundBy(step.condition).filter(({ id }) => step.method === 'DELETE' || !deleted.has(`${step.type}/${id}`))
    try {
      identified.push({ ...step, ...(await identityOf(tx, step, there, made)) })
    } catch (error) {
      throw error instanceof Refusal ? located(error, step.at, refusals) : error
    }
  }
  refuseTwice(identified)
  return identified
}

async function identityOf(tx: Transaction, step: WriteStep, there: readonly Stored<Resource>[], made: Map<string, string>): Promise<Pick<Identified, 'id' | 'found' | 'repeats'>> {
  const { method, type, id, condition, resource } = step
  if (!condition) return method === 'POST' ? { id: randomUUID() } : id === undefined ? {} : { id }
  const [found, ...others] = there
  if (others.length > 0) refuse('FHIR_CONDITION_NOT_UNIQUE', { resourceType: type })
  switch (method) {
    case 'DELETE':
      return found ? { id: found.id, found } : {}
    case 'PATCH':
      return found ? { id: found.id, found } : refuse('RECORD_NOT_FOUND', { resourceType: type })
    case 'PUT': {
      if (!found) tx.claim(condition.name)
      const target = await targetOf(tx, resource as Resource, found)
      return { id: target ?? randomUUID(), ...(found ? { found } : {}) }
    }
    case 'POST': {
      if (found) return { id: found.id, found }
      tx.claim(condition.name)
      const before = made.get(condition.name)
      if (before !== undefined) return { id: before, repeats: true }
      const fresh = randomUUID()
      made.set(condition.name, fresh)
      return { id: fresh }
    }
  }
}

/** Whether the entry makes or changes a resource, rather than naming one that is there. */
export function isChange({ method, id, found, repeats }: Identified): boolean {
  return id !== undefined && !repeats && !(method === 'POST' && found !== undefined)
}

function refuseTwice(steps: readonly Identified[]): void {
  const seen = new Set<string>()
  for (const step of steps) {
    if (!isChange(step)) continue
    const key = `${step.type}/${step.id}`
    if (seen.has(key)) refuseBundle(`Bundle.entry[${step.at}]`, 'Another entry of this transaction writes the same resource.')
    seen.add(key)
  }
}
