import type { Issue } from '@carespine/fhir/outcome'
import type { Resource, ResourceType, Stored } from '@carespine/fhir/resource'
import { parseSearch } from '@carespine/fhir/search-query'
import { allows } from '@carespine/kit/permission'
import { refuse } from '@carespine/kit/module'
import type { Transaction } from '@carespine/store/contract'
import { requirePermission } from './interactions.ts'

/** What a change is about, as a search instead of an id. */
export interface Condition {
  type: ResourceType
  criteria: readonly (readonly [string, string])[]
  /** The same for two conditions that ask for the same, whatever the order. */
  name: string
}

// Parameters that say how results are shown, not which there are. Two of them every request may carry.
const OF_RESULTS = /^_(sort|count|include|revinclude|summary|total|elements|contained|containedType|cursor|score|maxresults)(:|$)/
const OF_REQUESTS = new Set(['_format', '_pretty'])

/**
 * Reads criteria such as `identifier=urn:x|1`, with or without `[type]?` before them. Refuses when they have faults, or
 * select nothing: a change that forgot its criteria must not be about everything.
 */
export function conditionOf(type: ResourceType, text: string): Condition {
  const given = [...new URLSearchParams(text.slice(text.indexOf('?') + 1))]
  const criteria = given.filter(([name, value]) => !OF_REQUESTS.has(name) && value !== '')
  const issues: Issue[] = criteria
    .filter(([name]) => OF_RESULTS.test(name))
    .map(([name]) => ({ severity: 'error', code: 'not-supported', diagnostics: `${name} selects nothing: a condition takes search parameters alone.` }))
  if (criteria.length === 0) issues.push({ severity: 'error', code: 'required', diagnostics: 'A condition needs a search parameter, such as identifier=system|value.' })
  if (issues.length > 0) refuse('FHIR_CONDITION_INVALID', { issues })
  const encoded = criteria.map((pair) => pair.map(encodeURIComponent).join('=')).sort()
  return { type, criteria, name: `${type}?${encoded.join('&')}` }
}

/** What the condition selects, at most `most` of them. To know whether there is one, ask for two. */
export async function selectedBy(tx: Transaction, { type, criteria }: Condition, most: number): Promise<Stored<Resource>[]> {
  const { permissions } = tx.actor
  requirePermission(tx.actor, type, 'read')
  const { query, issues } = parseSearch(type, criteria, { mayRead: (target) => allows(permissions, `fhir:${target}:read`) })
  if (!query) return refuse(issues.some(({ code }) => code === 'forbidden') ? 'PERMISSION_MISSING' : 'FHIR_CONDITION_INVALID', { issues })
  const search: Record<string, string[]> = {}
  for (const [name, value] of criteria) search[name] = [...(search[name] ?? []), value]
  return (await tx.search(type, { ...search, _count: [String(most)] })) as Stored<Resource>[]
}

/** The one resource that the condition selects; refuses when there are several. */
export async function theOne(tx: Transaction, condition: Condition): Promise<Stored<Resource> | undefined> {
  const [found, ...others] = await selectedBy(tx, condition, 2)
  if (others.length > 0) refuse('FHIR_CONDITION_NOT_UNIQUE', { resourceType: condition.type })
  return found
}

/** As `theOne`; when there is none, nobody else who found none will commit at the same time. See decision 19. */
export async function theOneOrMine(tx: Transaction, condition: Condition): Promise<Stored<Resource> | undefined> {
  await tx.watch([condition.name])
  const found = await theOne(tx, condition)
  if (!found) tx.claim(condition.name)
  return found
}
