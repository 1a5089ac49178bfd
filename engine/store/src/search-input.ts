import type { ResourceType } from '@carespine/fhir/resource'
import { type ParameterLookup, searchParametersOf } from '@carespine/fhir/search-parameters'
import { parseSearch, type SearchQuery } from '@carespine/fhir/search-query'
import type { SearchInput } from './contract.ts'
import { refuse } from './refusal.ts'

/**
 * A module's search as a checked query. Values come from whoever asks, so a wrong one is refused; a parameter that does
 * not exist is a bug of the module, and is thrown.
 */
export function searchOf(type: ResourceType, input: SearchInput, parametersOf: ParameterLookup = searchParametersOf): SearchQuery {
  const parameters = Object.entries(input).flatMap(([name, value]) =>
    (typeof value === 'string' ? [value] : value).map((one): [string, string] => [name, one]),
  )
  const { query, issues } = parseSearch(type, parameters, { parametersOf })
  // Modules show what is new first, unless they say otherwise.
  if (query) return query.sort.length > 0 ? query : { ...query, sort: [{ parameter: '_lastUpdated', descending: true }] }
  const problems = issues.map((issue) => issue.diagnostics)
  if (issues.every(({ code }) => code === 'value')) {
    refuse('INPUT_INVALID', { fields: problems.map((problem) => ({ field: '', problem })) })
  }
  throw new Error(`Search of ${type}: ${problems.join(' ')}`)
}
