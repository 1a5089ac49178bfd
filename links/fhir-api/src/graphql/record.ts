import { readJson } from '@carespine/fhir/decimal-digits'
import { isResourceType } from '@carespine/fhir/definitions'
import type { ResourceType } from '@carespine/fhir/resource'
import type { SearchQuery } from '@carespine/fhir/search-query'
import { localReference } from '@carespine/fhir/search-values'
import { Refusal } from '@carespine/kit/module'
import { allows } from '@carespine/kit/permission'
import type { Services } from '@carespine/kit/services'
import type { Page } from '@carespine/store/search'
import { codeQuestions } from '../code-questions.ts'
import { auditRead, type Caller, readResource, readVersion, requirePermission } from '../interactions.ts'
import { parseQuery } from '../search.ts'
import type { Arguments } from './arguments.ts'
import { tooMuch } from './graphql-fault.ts'

export type Json = Readonly<Record<string, unknown>>

/** Resources that one query looks at, each counted once however often it is referred to. */
const MOST_RESOURCES = 5000
/** Searches that one query makes, those for each of many resources one by one. */
const MOST_SEARCHES = 500
const AT_ONCE = 8
/** Matches that are passed over to come to pages that no cursor leads to. */
const MOST_PASSED = 20_000

/** The record as one query sees it: under the permissions and the branches of its caller, with an audit entry for each read. */
export class RecordInSight {
  readonly services: Services
  readonly caller: Caller
  readonly base: string
  readonly #known = new Map<string, Promise<Json | undefined>>()
  readonly #waiting: (() => void)[] = []
  #resources = 0
  #searches = 0
  #passed = 0
  #underWay = 0

  constructor(services: Services, caller: Caller, base: string) {
    this.services = services
    this.caller = caller
    this.base = base
  }

  /** Refuses what is absent, hidden, deleted or not permitted. */
  async read(type: ResourceType, id: string): Promise<Json> {
    requirePermission(this.caller.actor, type, 'read')
    this.#count(1)
    const { body } = await readResource(this.services, this.caller, type, id)
    return readJson(body.toString()) as Json
  }

  /**
   * What a reference leads to; undefined when it is not there or not for this caller, which look alike. Those that are
   * asked for in one moment are read by one statement for each type.
   */
  resolve(reference: string): Promise<Json | undefined> {
    const text = reference.startsWith(`${this.base}/`) ? reference.slice(this.base.length + 1) : reference
    let found = this.#known.get(text)
    if (!found) {
      found = this.#lookUp(text)
      this.#known.set(text, found)
    }
    return found
  }

  async #lookUp(text: string): Promise<Json | undefined> {
    const [address = '', version] = text.split('/_history/')
    const { type = '', id = '' } = localReference(address) ?? {}
    if (!isResourceType(type) || !allows(this.caller.actor.permissions, `fhir:${type}:read`)) return undefined
    this.#count(1)
    try {
      const { body } = version === undefined ? await readResource(this.services, this.caller, type, id) : await readVersion(this.services, this.caller, type, id, version)
      return readJson(body.toString()) as Json
    } catch (error) {
      if (error instanceof Refusal && (error.code === 'RECORD_NOT_FOUND' || error.code === 'RECORD_DELETED')) return undefined
      throw error
    }
  }

  /** A search as its arguments ask for it. Refuses one that has faults, or is not permitted. */
  searchOf(type: ResourceType, parameters: readonly (readonly [string, string])[]): SearchQuery {
    requirePermission(this.caller.actor, type, 'read')
    return parseQuery(this.services, type, this.caller, { base: this.base, parameters }).query
  }

  /** One page of a search. The caller of this writes down what of it is shown, with `shown`. */
  async page(query: SearchQuery): Promise<Page & { noted: boolean }> {
    this.#searches += 1
    if (this.#searches > MOST_SEARCHES) tooMuch(`The query makes more than ${MOST_SEARCHES} searches: one for each resource that they stand in. Ask for fewer resources at once (_count).`)
    await this.#turn()
    try {
      const { store } = this.services
      return await store.search(store.scopeOf(this.caller.actor), query, {
        note: (patient) => store.auditEntry(this.caller, this.services.now(), { resourceType: query.type, patient }),
        codes: codeQuestions(this.services),
      })
    } finally {
      this.#underWay -= 1
      this.#waiting.shift()?.()
    }
  }

  /** Resources of a page that are about to be answered, written down as read unless the search was. */
  async shown({ rows, noted }: Page & { noted: boolean }): Promise<Json[]> {
    this.#count(rows.length)
    const [first] = rows
    if (first && !noted) await auditRead(this.services, this.caller, first.type, rows.map(({ row }) => row))
    return rows.map(({ body }) => readJson(body.toString()) as Json)
  }

  /** Counts matches that are looked at and not shown. */
  pass(matches: number): void {
    this.#passed += matches
    if (this.#passed > MOST_PASSED) tooMuch(`A page is more than ${MOST_PASSED} matches away. Narrow the search, or sort it the other way round.`)
  }

  #count(resources: number): void {
    this.#resources += resources
    if (this.#resources > MOST_RESOURCES) tooMuch(`The query looks at more than ${MOST_RESOURCES} resources. Ask for fewer at once (_count).`)
  }

  // One query must not take every connection to the database.
  async #turn(): Promise<void> {
    if (this.#underWay >= AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#underWay += 1
  }
}

/** Search parameters as the arguments of a field say them. Values of an array are alternatives; a comma in one is a comma. */
export function parametersIn(given: Arguments, parameterOf: (name: string) => string | undefined): [string, string][] {
  return [...given].flatMap(([name, value]): [string, string][] => {
    const parameter = parameterOf(name)
    if (parameter === undefined) return []
    const values = Array.isArray(value) ? (value as readonly string[]) : [String(value)]
    // Of an order, and of an expression, commas are what they are.
    const isPlain = parameter === '_sort' || parameter === '_filter' || parameter === '_text' || parameter === '_content'
    return [[parameter, values.map((one) => (isPlain ? one : one.replace(/\\?,/g, '\\,'))).join(',')]]
  })
}
