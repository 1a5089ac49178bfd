import { idKey } from '@carespine/fhir/index-entries'
import type { ResourceType } from '@carespine/fhir/resource'
import { parseSearch } from '@carespine/fhir/search-query'
import type { Narrowing } from './contract.ts'
import type { Clause } from './search-clauses.ts'
import { translate } from './search-clauses.ts'
import type { SearchIndex } from './search-index.ts'

/** A narrowing as the policies read it; see `0010-narrowed.sql`. */
export function narrowingOf(narrowing: Readonly<Record<string, Narrowing>>, hashesOf: (type: string, term: string) => readonly string[]): string {
  const entries = Object.entries(narrowing).map(([type, { patient, terms }]) => [
    type.toLowerCase(),
    { ...(patient === undefined ? {} : { patient: idKey(patient) }), ...(terms === undefined ? {} : { facts: terms.flatMap((term) => hashesOf(type, term)).sort() }) },
  ])
  return JSON.stringify(Object.fromEntries(entries.sort()))
}

/**
 * The terms of the index that resources carry, one of them each, which a search parameter selects: `category` and
 * `http://terminology.hl7.org/CodeSystem/observation-category|laboratory`. Undefined when the index alone cannot tell:
 * of dates, of amounts, of chains and of modifiers.
 */
export function termsOf(searchIndex: SearchIndex, type: ResourceType, name: string, value: string, now: Date): readonly string[] | undefined {
  if (value === '' || name.startsWith('_')) return undefined
  const { query } = parseSearch(type, [[name, value]], { base: '', handling: 'strict', mayRead: () => false, ...searchIndex.reading })
  const [filter, ...others] = query?.filters ?? []
  if (filter?.kind !== 'value' || others.length > 0 || filter.modifier !== undefined) return undefined
  const { clause, exact } = translate(filter, { type, now, parametersOf: searchIndex.searched, hasOldForm: searchIndex.hasOldForm(type) })
  return exact ? termsIn(clause) : undefined
}

function termsIn(clause: Clause): readonly string[] | undefined {
  if (typeof clause !== 'object') return undefined
  if ('anyTerm' in clause) return clause.anyTerm
  return 'terms' in clause && clause.terms.length === 1 ? clause.terms : undefined
}
