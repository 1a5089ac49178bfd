import { resourceTypes } from '@carespine/fhir/definitions'
import type { CapabilityStatementRestResource, CapabilityStatementRestResourceSearchParam, Parameters, ResourceType } from '@carespine/fhir/resource'
import type { ParameterLookup } from '@carespine/fhir/search-parameters'
import type { Store } from '@carespine/store/store'

type SearchParam = CapabilityStatementRestResourceSearchParam

/** Parameters of every type, and of searches over several, that no element stands behind. */
export const commonSearchParams: readonly SearchParam[] = [
  { name: '_text', type: 'string', definition: 'http://hl7.org/fhir/SearchParameter/DomainResource-text' },
  { name: '_content', type: 'string', definition: 'http://hl7.org/fhir/SearchParameter/Resource-content' },
  { name: '_list', type: 'special', documentation: 'The id of a List.' },
  { name: '_has', type: 'special', documentation: 'Reverse chains, at any depth.' },
  { name: '_filter', type: 'special', documentation: 'Expressions with and, or, not, brackets and chains.' },
  { name: '_type', type: 'special', documentation: 'Searches over several types: their names.' },
]

type SearchCapabilities = Pick<CapabilityStatementRestResource, 'searchParam' | 'searchInclude' | 'searchRevInclude'>

/** What can be asked of each type, and what can come along. */
export function searchCapabilities(parametersOf: ParameterLookup): (type: ResourceType) => SearchCapabilities {
  const pointers = new Map<string, string[]>()
  for (const source of resourceTypes) {
    for (const { code, type: kind, targets } of parametersOf(source).values()) {
      // References to anything, such as Provenance.target, would make the list longer than the rest of the statement.
      if (kind !== 'reference' || targets.length > MANY) continue
      for (const target of targets) pointers.set(target, [...(pointers.get(target) ?? []), `${source}:${code}`])
    }
  }
  return (type) => {
    const parameters = [...parametersOf(type).values()]
    const searchInclude = parameters.filter((one) => one.type === 'reference').map(({ code }) => `${type}:${code}`)
    return {
      searchParam: parameters.map(({ code, type: kind, url }) => ({ name: code, definition: url, type: kind })),
      searchInclude: ['*', ...(searchInclude.length > 0 ? [`${type}:*`] : []), ...searchInclude],
      searchRevInclude: ['*', ...(pointers.get(type) ?? [])],
    }
  }
}

const MANY = 40

/** How far the resources are indexed, as `GET /$index-status` says it. */
export function indexStatus({ searchIndex }: Store): Parameters {
  const types = searchIndex.progress.map(({ type, done, total }) => ({
    name: 'indexing',
    part: [
      { name: 'type', valueCode: type },
      { name: 'done', valueInteger: done },
      { name: 'total', valueInteger: total },
    ],
  }))
  const added = searchIndex.added.map(({ type, code, url, ready, problem }) => ({
    name: 'parameter',
    part: [
      { name: 'type', valueCode: type },
      { name: 'code', valueCode: code },
      { name: 'url', valueUri: url },
      { name: 'status', valueCode: ready ? 'ready' : problem === undefined ? 'indexing' : 'unusable' },
      ...(problem === undefined ? [] : [{ name: 'problem', valueString: problem }]),
    ],
  }))
  return { resourceType: 'Parameters', parameter: [...types, ...added] } as Parameters
}
