import type { CodeSystem, ConceptMap, Stored, ValueSet } from '@carespine/fhir/resource'
import { arabicSupplement } from './arabic.ts'
import { type CodeBook, ListedCodes } from './code-book.ts'
import type { Patience } from './compose-filter.ts'
import { type Definition, type DefinitionOf, type DefinitionType, publishedById, publishedByUrl, publishedConceptMaps, publishedSystemOfValueSet } from './published.ts'
import { refuseSaying } from './refuse-saying.ts'
import { ruleBook } from './rule-books.ts'
import type { Reader, StoredDefinitions } from './stored-definitions.ts'

/** Which version of a code system an expansion uses (R4 ValueSet-expand); each `system|version`. */
export interface SystemVersions {
  /** Where the value set names none. */
  usual: readonly string[]
  /** Whatever the value set names. */
  forced: readonly string[]
  /** Another one is refused. */
  checked: readonly string[]
}

/** Codes and parts of definitions that one question may look at: some seconds of work, far above what any set needs. */
const MOST_WORK = 2_000_000

const anyVersion: SystemVersions = { usual: [], forced: [], checked: [] }

/** URL and version of a canonical. */
export function splitCanonical(canonical: string): { url: string; version?: string } {
  const at = canonical.lastIndexOf('|')
  return at < 0 ? { url: canonical } : { url: canonical.slice(0, at), version: canonical.slice(at + 1) }
}

function versionIn(list: readonly string[], system: string): string | undefined {
  return list.map(splitCanonical).find(({ url }) => url === system)?.version
}

// Versions as people number them: part by part, numbers as numbers.
function newerFirst(a: Definition, b: Definition): number {
  const [partsA, partsB] = [a, b].map(({ version = '' }) => version.split(/[.-]/)) as [string[], string[]]
  for (let at = 0; at < Math.max(partsA.length, partsB.length); at++) {
    const [one = '', two = ''] = [partsA[at], partsB[at]]
    if (one === two) continue
    const [first, second] = [Number(one), Number(two)]
    if (one !== '' && two !== '' && Number.isFinite(first) && Number.isFinite(second)) return second - first
    return one < two ? 1 : -1
  }
  return 0
}

const isRetired = ({ status }: Definition): number => (status === 'retired' ? 1 : 0)

function best<D extends Definition>(found: readonly D[], version: string | undefined): D | undefined {
  const fitting = version === undefined ? found : found.filter((one) => one.version === version)
  return fitting.toSorted((a, b) => isRetired(a) - isRetired(b) || newerFirst(a, b))[0]
}

// Books are made from resources and live as long as they are kept.
const books = new WeakMap<CodeSystem, { supplements: readonly CodeSystem[]; book: ListedCodes }>()

function bookOf(system: CodeSystem, supplements: readonly CodeSystem[]): CodeBook {
  const made = books.get(system)
  if (made && made.supplements.length === supplements.length && supplements.every((one, at) => one === made.supplements[at])) return made.book
  const book = new ListedCodes(system, supplements)
  books.set(system, { supplements, book })
  return book
}

/** SNOMED CT and LOINC name value sets by rule (R4 Using SNOMED CT, section 4.3.1.0.7; Using LOINC, 4.3.2.0.3). */
function setByRule(url: string): ValueSet | undefined {
  const set = (system: string, filter?: { property: string; op: 'is-a' | '='; value: string }): ValueSet => ({
    resourceType: 'ValueSet',
    url,
    status: 'active',
    compose: { include: [{ system, ...(filter ? { filter: [filter] } : {}) }] },
  })
  const snomed = /^(http:\/\/snomed\.info\/sct(?:\/\d+(?:\/version\/\d+)?)?)\?fhir_vs(?:=isa\/(\d+))?$/.exec(url)
  if (snomed) return set('http://snomed.info/sct', snomed[2] === undefined ? undefined : { property: 'concept', op: 'is-a', value: snomed[2] })
  const loinc = /^http:\/\/loinc\.org\/vs(?:\/(LP\d+-\d))?$/.exec(url)
  if (loinc) return set('http://loinc.org', loinc[1] === undefined ? undefined : { property: 'ancestor', op: '=', value: loinc[1] })
  return undefined
}

/** What one question can look up: resources sent with it, then what is stored, then what R4 publishes. */
export class Library {
  readonly #reader: Reader
  readonly #stored: StoredDefinitions
  readonly #own: readonly Definition[]
  readonly #versions: SystemVersions
  readonly #asked = new Map<string, Promise<unknown>>()
  /** Code systems that were used, as `system|version`. */
  readonly used = new Set<string>()
  readonly patience: Patience = { ms: 250 }
  #work = 0

  constructor(reader: Reader, stored: StoredDefinitions, own: readonly Definition[] = [], versions = anyVersion) {
    this.#reader = reader
    this.#stored = stored
    this.#own = own
    this.#versions = versions
  }

  /** Counts what a question looks at; sets that take in one another many times over are refused before they take all day. */
  spend(work: number): void {
    this.#work += work
    if (this.#work > MOST_WORK) refuseSaying('TERMINOLOGY_TOO_COSTLY', 'too-costly', 'The value set takes in too much to be looked through.')
  }

  #once<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const answer = this.#asked.get(key) ?? ask()
    this.#asked.set(key, answer)
    return answer as Promise<T>
  }

  async #find<T extends DefinitionType>(type: T, url: string, version?: string): Promise<DefinitionOf<T> | undefined> {
    const own = this.#own.filter((one): one is DefinitionOf<T> => one.resourceType === type && (one.url === url || (url.startsWith('#') && one.id === url.slice(1))))
    const stored = await this.#once(`${type} ${url}`, () => this.#stored.find(this.#reader, type, 'url', url))
    const published = publishedByUrl(type, url)
    return best(own, version) ?? best(stored as readonly DefinitionOf<T>[], version) ?? best(published ? [published] : [], version)
  }

  /** A resource by its id: stored, or published with R4. */
  async byId<T extends DefinitionType>(type: T, id: string): Promise<DefinitionOf<T> | undefined> {
    return ((await this.#reader.view.find(type, id)) as DefinitionOf<T> | undefined) ?? publishedById(type, id)
  }

  async valueSet(canonical: string): Promise<ValueSet | undefined> {
    const { url, version } = splitCanonical(canonical)
    return (await this.#find('ValueSet', url, version)) ?? setByRule(url) ?? (await this.#setOfAll(url))
  }

  // CodeSystem.valueSet names the value set of all its codes, which often is not there as a resource.
  async #setOfAll(url: string): Promise<ValueSet | undefined> {
    const system = this.#own.find((one): one is CodeSystem => one.resourceType === 'CodeSystem' && one.valueSet === url) ?? publishedSystemOfValueSet(url)
    if (system?.url === undefined) return undefined
    return { resourceType: 'ValueSet', url, status: system.status ?? 'active', compose: { include: [{ system: system.url }] } }
  }

  /** The codes of a system; undefined when nothing here says what they are. */
  async codes(system: string, version?: string): Promise<CodeBook | undefined> {
    const { url, version: inUrl } = splitCanonical(system)
    const named = version ?? inUrl
    const wanted = versionIn(this.#versions.forced, url) ?? named ?? versionIn(this.#versions.usual, url)
    const checked = versionIn(this.#versions.checked, url)
    const book = await this.#once(`codes ${url}|${wanted ?? ''}`, () => this.#book(url, wanted))
    if (checked !== undefined && book && book.version !== checked) {
      refuseSaying('TERMINOLOGY_NOT_EXPANDABLE', 'business-rule', `The code system ${url} is to be of version ${checked}; it is of ${book.version ?? 'none'}.`)
    }
    if (book) this.used.add(book.version === undefined ? book.url : `${book.url}|${book.version}`)
    return book
  }

  async #book(url: string, version: string | undefined): Promise<CodeBook | undefined> {
    const [system, supplements] = await Promise.all([this.#find('CodeSystem', url, version), this.#supplements(url)])
    if (system && system.content !== 'not-present' && system.content !== 'supplement') return bookOf(system, supplements)
    return ruleBook(url)
  }

  /** The codes of a CodeSystem that was sent or read by its id. */
  async codesOf(system: CodeSystem): Promise<CodeBook> {
    const book = bookOf(system, await this.#supplements(system.url ?? ''))
    this.used.add(book.version === undefined ? book.url : `${book.url}|${book.version}`)
    return book
  }

  async #supplements(url: string): Promise<CodeSystem[]> {
    const stored = await this.#once('supplements', () => this.#stored.find(this.#reader, 'CodeSystem', 'content-mode', 'supplement'))
    const own = this.#own.filter((one): one is CodeSystem => one.resourceType === 'CodeSystem' && one.content === 'supplement')
    const arabic = arabicSupplement(url)
    return [...own, ...(stored as readonly Stored<CodeSystem>[]), ...(arabic ? [arabic] : [])].filter(
      ({ supplements, status }) => supplements !== undefined && status !== 'retired' && splitCanonical(supplements).url === url,
    )
  }

  async conceptMap(canonical: string): Promise<ConceptMap | undefined> {
    const { url, version } = splitCanonical(canonical)
    return await this.#find('ConceptMap', url, version)
  }

  /** Concept maps from (`source`) or to (`target`) a code system, by its URL; experimental ones of R4 are examples. */
  async conceptMaps(end: 'source' | 'target', system: string): Promise<ConceptMap[]> {
    const stored = await this.#stored.find(this.#reader, 'ConceptMap', `${end}-system`, system)
    const published = publishedConceptMaps().filter(
      ({ experimental, group, url }) => !experimental && group?.some((one) => one[end] === system) && !stored.some((one) => one.url === url),
    )
    const own = this.#own.filter((one): one is ConceptMap => one.resourceType === 'ConceptMap')
    return [...own, ...stored.filter(({ status }) => status !== 'retired'), ...published]
  }
}
