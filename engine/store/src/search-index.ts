import { resourceTypes } from '@carespine/fhir/definitions'
import { INDEX_FORM } from '@carespine/fhir/index-entries'
import type { ResourceType } from '@carespine/fhir/resource'
import { type CompiledParameter, type ParameterLookup, readParameter, type SearchParameterDefinition, searchParametersOf } from '@carespine/fhir/search-parameters'
import type { Database } from './database.ts'

const everywhere = { branches: '', patient: '' }

/** A search parameter that was added to the installation. */
export interface AddedParameter {
  type: ResourceType
  code: string
  url: string
  definition?: SearchParameterDefinition
  /** Why it cannot be used. */
  problem?: string
  ready: boolean
}

/** How far the resources of a type are indexed again. */
export interface IndexProgress {
  type: ResourceType
  form: number
  done: number
  total: number
  /** Oldest version of the index key that rows may bear. */
  indexKey: number
}

/**
 * What resources are searched by in this installation: the parameters of R4 and those that were added, and which types
 * are being indexed again. Known to every process; refreshed when one of them says that it changed.
 */
export class SearchIndex {
  readonly #database: Database
  #added: readonly AddedParameter[] = []
  #progress = new Map<ResourceType, IndexProgress>()
  #text = ''
  /** Another number whenever the parameters are others. */
  generation = 0
  /** With every added parameter, for what is written; and with those that are ready, for searches. */
  readonly #written = new Map<ResourceType, ReadonlyMap<string, SearchParameterDefinition>>()
  readonly #searched = new Map<ResourceType, ReadonlyMap<string, SearchParameterDefinition>>()

  constructor(database: Database) {
    this.#database = database
  }

  get added(): readonly AddedParameter[] {
    return this.#added
  }

  get progress(): readonly IndexProgress[] {
    return [...this.#progress.values()]
  }

  /** Parameters that resources are indexed by as they are written. */
  readonly written: ParameterLookup = (type) => this.#written.get(type) ?? searchParametersOf(type)

  /** Parameters that every resource of the type is indexed by. */
  readonly searched: ParameterLookup = (type) => this.#searched.get(type) ?? searchParametersOf(type)

  /** Rows of the type that were indexed by an older form are still there. */
  hasOldForm(type: ResourceType): boolean {
    return (this.#progress.get(type)?.form ?? INDEX_FORM) < INDEX_FORM
  }

  /** The oldest version of the index key that rows of the type may bear; undefined when they bear that of now. */
  oldestKey(type: ResourceType): number | undefined {
    return this.#progress.size === 0 ? undefined : this.#progress.get(type)?.indexKey
  }

  /** Why a parameter cannot be searched by, when it is one that was added here. */
  notReady(type: ResourceType, code: string): string | undefined {
    const added = this.#added.find((one) => one.type === type && one.code === code && !one.ready)
    if (!added) return undefined
    if (added.problem !== undefined) return added.problem
    const { done = 0, total = 0 } = this.#progress.get(type) ?? {}
    return `resources are being indexed by this parameter: ${total === 0 ? 0 : Math.min(99, Math.floor((done / total) * 100))} % done. Try again later.`
  }

  /** What reads a search needs to know of this installation. */
  readonly reading = {
    parametersOf: this.searched,
    notReady: (type: ResourceType, code: string): string | undefined => this.notReady(type, code),
  }

  async refresh(): Promise<void> {
    const [row] = await this.#database.query<{ state: StateRow[] | null; added: AddedRow[] | null }>(everywhere, {
      name: 'search-index',
      text:
        "select (select json_agg(s) from (select type, form, done, total, index_key from store.index_state) s) as state, " +
        '(select json_agg(p) from (select type, code, url, definition, problem, ready_at is not null as ready from store.search_parameter) p) as added',
    })
    const byLower = new Map(resourceTypes.map((type) => [type.toLowerCase(), type]))
    this.#progress = new Map(
      (row?.state ?? []).flatMap(({ type: lower, form, done, total, index_key: indexKey }) => {
        const type = byLower.get(lower)
        return type ? [[type, { type, form, done: Number(done), total: Number(total), indexKey }] as const] : []
      }),
    )
    this.#added = (row?.added ?? []).map(({ type, code, url, definition, problem, ready }) => ({
      type,
      code,
      url,
      ready: ready && definition !== null,
      ...(definition ? { definition: { ...readParameter(code, definition), url } } : {}),
      ...(problem === null ? {} : { problem }),
    }))
    const text = JSON.stringify(this.#added.map(({ type, code, url, ready }) => [type, code, url, ready]))
    if (text !== this.#text) this.generation += 1
    this.#text = text
    this.#written.clear()
    this.#searched.clear()
    for (const type of new Set(this.#added.map((one) => one.type))) {
      this.#written.set(type, withAdded(type, this.#added))
      this.#searched.set(type, withAdded(type, this.#added.filter(({ ready }) => ready)))
    }
  }
}

interface StateRow {
  type: string
  index_key: number
  form: number
  done: number
  total: number
}

interface AddedRow {
  type: ResourceType
  code: string
  url: string
  definition: CompiledParameter | null
  problem: string | null
  ready: boolean
}

// A parameter of R4 is never replaced.
function withAdded(type: ResourceType, added: readonly AddedParameter[]): ReadonlyMap<string, SearchParameterDefinition> {
  const more = added.flatMap((one) => (one.type === type && one.definition ? [[one.code, one.definition] as const] : []))
  return new Map([...more, ...searchParametersOf(type)])
}
