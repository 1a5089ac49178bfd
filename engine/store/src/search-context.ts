import type { ResourceType } from '@carespine/fhir/resource'
import type { ParameterLookup } from '@carespine/fhir/search-parameters'
import type { Filter } from '@carespine/fhir/search-query'
import type { LookUp } from './contract.ts'
import type { Scope, Statement } from './database.ts'
import type { StoredRow } from './read-records.ts'
import type { Translated } from './search-clauses.ts'
import type { Candidate } from './search-pages.ts'

/** How a filter is answered: by the index, and where the index is coarser than the question by a look at candidates. */
export interface Planned extends Translated {
  /** The one patient that all of it is about. */
  patient?: string
  /** Rows that are filed under that patient are all that the clause asks for. */
  isFiled?: boolean
  /** Which candidates fit, in their order. */
  verify(candidates: readonly Candidate[]): Promise<boolean[]>
}

/** What a search asks about codes; answered by whoever knows code systems. */
export interface CodeQuestions {
  /** Codes of a value set; undefined when it is not known, or its codes cannot all be listed. */
  codesIn(valueSet: string): Promise<readonly { system: string; code: string }[] | undefined>
  /** The code with what it subsumes, or with what subsumes it; undefined when the system does not know it. */
  codesRelated(system: string, code: string, direction: 'above' | 'below'): Promise<readonly string[] | undefined>
}

/** What one search works with, searches for what its filters refer to included: all under the scope of one asker. */
export interface SearchContext {
  scope: Scope
  now: Date
  parametersOf: ParameterLookup
  /** Rows of the type that were indexed by an older form are still there. */
  hasOldForm(type: ResourceType): boolean
  query<R>(statement: Statement): Promise<R[]>
  /** A search within one patient: cheap, and asked together with those of the same moment. */
  lookUp<R>(lookUp: LookUp, values: readonly unknown[], patient: string): Promise<R[]>
  /** Bytes of a body that is about to be answered. */
  open(type: ResourceType, row: StoredRow): Buffer
  /** Bytes of a body among many that are looked through. */
  peek(type: ResourceType, row: StoredRow): Buffer
  /** Hashes that a row of the type may bear for a term. */
  hashes(type: ResourceType, term: string): readonly string[]
  seal(text: string): string
  unseal(text: string): string | undefined
  codes?: CodeQuestions
  /** At most `limit` resources that match, or all of them with these keys. */
  find(type: ResourceType, wanted: { keys?: readonly string[]; filters?: readonly Filter[]; limit?: number }): Promise<Candidate[]>
  /** All resources that match, some at a time. */
  pages(type: ResourceType, filters: readonly Filter[]): AsyncIterable<Candidate[]>
}
