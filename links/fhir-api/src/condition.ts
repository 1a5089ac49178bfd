import type { Issue } from '@carespine/fhir/outcome'
import type { Resource, ResourceType, Stored } from '@carespine/fhir/resource'
import { parseSearch, type SearchQuery } from '@carespine/fhir/search-query'
import { allows } from '@carespine/kit/permission'
import { refuse } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import type { Transaction } from '@carespine/store/contract'
import { type Caller, requirePermission } from './interactions.ts'
import { usesList } from './search.ts'

/** What a change is about, as a search instead of an id. */
export interface Condition {
  type: ResourceType
  /** For two of what it selects: enough to know whether there is one. */
  query: SearchQuery
  /** The same for two conditions that ask for the same, whatever the order. */
  name: string
}

/** Who sets a condition. */
export interface Setting {
  services: Services
  caller: Caller
  base: string
}

// Parameters that say how results are shown, not which there are. Two of them every request may carry.
const OF_RESULTS = /^_(sort|count|include|revinclude|summary|total|elements|contained|containedType|cursor|score|maxresults)(:|$)/
const OF_REQUESTS = new Set(['_format', '_pretty'])

/**
 * Reads criteria such as `identifier=urn:x|1`, with or without `[type]?` before them. Refuses when they have faults, or
 * select nothing: a change that forgot its criteria must not be about everything.
 */
export function conditionOf({ services, caller, base }: Setting, type: ResourceType, text: string): Condition {
  const { permissions } = caller.actor
  requirePermission(caller.actor, type, 'read', 's')
  const given = [...new URLSearchParams(text.slice(text.indexOf('?') + 1))]
  const criteria = given.filter(([name, value]) => !OF_REQUESTS.has(name) && value !== '')
  const faults: Issue[] = criteria
    .filter(([name]) => OF_RESULTS.test(name))
    .map(([name]) => ({ severity: 'error', code: 'not-supported', diagnostics: `${name} selects nothing: a condition takes search parameters alone.` }))
  if (criteria.length === 0) faults.push({ severity: 'error', code: 'required', diagnostics: 'A condition needs a search parameter, such as identifier=system|value.' })
  if (faults.length > 0) refuse('FHIR_CONDITION_INVALID', { issues: faults })
  const { query, issues } = parseSearch(type, [...criteria, ['_count', '2']], {
    base,
    mayRead: (target) => allows(permissions, `fhir:${target}:read`),
    ...services.store.searchIndex.reading,
  })
  if (!query) return refuse(issues.some(({ code }) => code === 'forbidden') ? 'PERMISSION_MISSING' : 'FHIR_CONDITION_INVALID', { issues })
  if (query.filters.some(usesList)) requirePermission(caller.actor, 'List', 'read')
  const encoded = criteria.map((pair) => pair.map(encodeURIComponent).join('=')).sort()
  return { type, query, name: `${type}?${encoded.join('&')}` }
}

/** The one resource that the condition selects; refuses when there are several. */
export async function theOne(tx: Transaction, condition: Condition): Promise<Stored<Resource> | undefined> {
  const [found, ...others] = await tx.select(condition.query)
  if (others.length > 0) refuse('FHIR_CONDITION_NOT_UNIQUE', { resourceType: condition.type })
  return found
}

/** As `theOne`; when there is none, nobody else who found none will commit at the same time. See decision 24. */
export async function theOneOrMine(tx: Transaction, condition: Condition): Promise<Stored<Resource> | undefined> {
  await tx.watch([condition.name])
  const found = await theOne(tx, condition)
  if (!found) tx.claim(condition.name)
  return found
}
