import { idKey } from '@carespine/fhir/index-entries'
import { isResourceType } from '@carespine/fhir/definitions'
import type { ResourceType } from '@carespine/fhir/resource'
import type { AskedValue, ValueFilter } from '@carespine/fhir/search-query'
import { localReference, referenceOf, valuesOf } from '@carespine/fhir/search-values'
import type { SearchParameterDefinition } from '@carespine/fhir/search-parameters'
import { refuse, refuseSearch } from './refusal.ts'
import type { SearchContext } from './search-context.ts'

/** Most places of a hierarchy, or codes, that stand for one value. */
const MOST = 10_000

/** `:in`, `:not-in`, `:above` and `:below` of codes, as the codes that they stand for. */
export async function askCodes(filter: ValueFilter, context: SearchContext): Promise<ValueFilter> {
  const { parameter, modifier, values } = filter
  const { codes } = context
  if (!codes) return refuseSearch('not-supported', `${parameter.code}:${modifier}: nobody here knows code systems.`)
  const found: AskedValue[] = []
  for (const value of values) {
    if (modifier === 'in' || modifier === 'not-in') {
      const valueSet = await canonicalOf(value.text, context)
      const listed = valueSet === undefined ? undefined : await codes.codesIn(valueSet)
      if (!listed) return refuseSearch('not-found', `${parameter.code}:${modifier}: this value set is not known here, or its codes cannot all be listed.`)
      found.push(...listed.map(({ system, code }): AskedValue => ({ comparator: 'eq', text: code, system, code })))
    } else {
      const { system, code = '' } = value
      if (!system || code === '') return refuseSearch('value', `${parameter.code}:${modifier}: give system|code.`)
      const related = await codes.codesRelated(system, code, modifier === 'above' ? 'above' : 'below')
      if (!related) return refuseSearch('not-found', `${parameter.code}:${modifier}: this code is not known here, so what lies ${modifier} it cannot be told.`)
      found.push(...related.map((one): AskedValue => ({ comparator: 'eq', text: one, system, code: one })))
    }
    if (found.length > MOST) refuse('SEARCH_TOO_WIDE')
  }
  const plain = { kind: filter.kind, parameter, values: found }
  return modifier === 'not-in' ? { ...plain, modifier: 'not' } : plain
}

// R4 lets a value set be named by its canonical URL or by a reference to it.
async function canonicalOf(text: string, context: SearchContext): Promise<string | undefined> {
  const local = localReference(text)
  if (local?.type !== 'ValueSet') return text
  const [found] = await context.find('ValueSet', { keys: [idKey(local.id)] })
  return (found?.resource as { url?: string } | undefined)?.url
}

/**
 * `:above` and `:below` of references: the place itself and those it is part of, or that are part of it, at any depth
 * (R4 Search, 3.1.1.4.11.2). Other references, such as canonicals, are left as they are.
 */
export async function askHierarchy(filter: ValueFilter, context: SearchContext): Promise<ValueFilter> {
  const { parameter, modifier, values } = filter
  const found: AskedValue[] = []
  for (const value of values) {
    const starts = placesOf(value.text, parameter, context)
    if (starts.length === 0) {
      // A canonical: what lies within its URL is told from the text.
      if (value.text.includes(':')) return filter
      return refuseSearch('value', `${parameter.code}:${modifier}: this reference leads to nothing that is part of another.`)
    }
    for (const { type, id, by } of starts) {
      const ids = modifier === 'below' ? await partsOf(type, id, by, context) : await wholesOf(type, id, by, context)
      found.push(...ids.map((one): AskedValue => ({ comparator: 'eq', text: `${type}/${one}` })))
    }
  }
  return { kind: filter.kind, parameter, values: found }
}

interface Place {
  type: ResourceType
  id: string
  /** The parameter that says what it is part of. */
  by: SearchParameterDefinition
}

function placesOf(text: string, { targets }: SearchParameterDefinition, context: SearchContext): Place[] {
  const local = localReference(text)
  if (!local && /[/:]/.test(text)) return []
  const types = local ? [local.type] : targets
  return types.filter(isResourceType).flatMap((type) => {
    const by = [...context.parametersOf(type).values()].find(
      (one) => one.type === 'reference' && one.targets.includes(type) && one.paths.length === 1 && one.paths[0]?.steps.join() === 'partOf',
    )
    return by ? [{ type, id: local?.id ?? text, by }] : []
  })
}

async function partsOf(type: ResourceType, id: string, by: SearchParameterDefinition, context: SearchContext): Promise<string[]> {
  const known = new Set([id])
  let edge = [id]
  while (edge.length > 0) {
    const values = edge.map((one): AskedValue => ({ comparator: 'eq', text: `${type}/${one}` }))
    const parts = await context.find(type, { filters: [{ kind: 'value', parameter: by, values }], limit: MOST })
    edge = parts.map(({ resource }) => (resource as { id: string }).id).filter((one) => !known.has(one))
    for (const one of edge) known.add(one)
    if (known.size >= MOST) refuse('SEARCH_TOO_WIDE')
  }
  return [...known]
}

async function wholesOf(type: ResourceType, id: string, by: SearchParameterDefinition, context: SearchContext): Promise<string[]> {
  const known = new Set<string>()
  let edge = [id]
  while (edge.length > 0) {
    for (const one of edge) known.add(one)
    const found = await context.find(type, { keys: edge.map(idKey), limit: MOST })
    const wholes = found.flatMap(({ resource }) => valuesOf(resource, by).map(({ value }) => referenceOf(value, resource)))
    edge = [...new Set(wholes.flatMap((whole) => (whole?.type === type && whole.id !== undefined && !known.has(whole.id) ? [whole.id] : [])))]
    if (known.size >= MOST) refuse('SEARCH_TOO_WIDE')
  }
  return [...known]
}
