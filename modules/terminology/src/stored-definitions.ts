import type { CodeSystemConcept, Stored } from '@carespine/fhir/resource'
import type { ReadView } from '@carespine/store/contract'
import type { Definition, DefinitionOf, DefinitionType } from './published.ts'

/** How the record is read, and when. */
export interface Reader {
  view: Pick<ReadView, 'page' | 'find'>
  now: Date
}

interface Kept {
  /** Whatever was stored until then is known. */
  asOf: number
  resources: readonly Stored<Definition>[]
  weight: number
}

// A commit bears the time at which it began; it is seen when it ends.
const LONGEST_COMMIT_MS = 60_000
const MOST_FOUND = '200'
const MOST_CONCEPTS = 10_000

const countOf = (concepts: readonly CodeSystemConcept[] | undefined): number => (concepts ?? []).reduce((sum, { concept }) => sum + 1 + countOf(concept), 0)
const weightOf = (resource: Definition): number => 10 + (resource.resourceType === 'CodeSystem' ? countOf(resource.concept) : 0)

/**
 * Stored CodeSystems, ValueSets and ConceptMaps by what is searched for. Opened ones are kept, and each question asks the
 * record how many there are and whether one has changed: a code system can be large, and is read again only then.
 */
export class StoredDefinitions {
  readonly #kept = new Map<string, Kept>()
  #weight = 0

  async find<T extends DefinitionType>({ view, now }: Reader, type: T, parameter: string, value: string): Promise<readonly Stored<DefinitionOf<T>>[]> {
    const key = `${type}?${parameter}=${value}`
    const kept = this.#kept.get(key)
    const asOf = now.getTime()
    // `,`, `|` and `\` mean something to a search.
    const search = { [parameter]: value.replace(/[\\,|$]/g, '\\$&') }
    const { total = 0 } = await view.page(type, { ...search, _count: '0', _total: 'accurate' })
    if (kept?.resources.length === total) {
      const since = new Date(kept.asOf - LONGEST_COMMIT_MS).toISOString()
      const changed = total === 0 ? [] : (await view.page(type, { ...search, _lastUpdated: `ge${since}`, _count: MOST_FOUND })).resources
      const isKnown = (one: Stored<Definition>): boolean => kept.resources.some(({ id, meta }) => id === one.id && meta.versionId === one.meta.versionId)
      if ((changed as Stored<Definition>[]).every(isKnown)) {
        kept.asOf = asOf
        this.#kept.delete(key)
        this.#kept.set(key, kept)
        return kept.resources as unknown as readonly Stored<DefinitionOf<T>>[]
      }
    }
    const resources = total === 0 ? [] : ((await view.page(type, { ...search, _count: MOST_FOUND })).resources as Stored<Definition>[])
    this.#keep(key, { asOf, resources, weight: resources.reduce((sum, one) => sum + weightOf(one), 1) })
    return resources as unknown as readonly Stored<DefinitionOf<T>>[]
  }

  #keep(key: string, kept: Kept): void {
    this.#weight += kept.weight - (this.#kept.get(key)?.weight ?? 0)
    this.#kept.delete(key)
    this.#kept.set(key, kept)
    for (const [other, { weight }] of this.#kept) {
      if (this.#weight <= MOST_CONCEPTS || other === key) break
      this.#kept.delete(other)
      this.#weight -= weight
    }
  }
}
