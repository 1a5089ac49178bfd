import type { CodeSystem, CodeSystemConcept, CodeSystemConceptDesignation, CodeSystemConceptProperty } from '@carespine/fhir/resource'

/** One code of a system and what is said about it. */
export interface Concept {
  code: string
  display?: string
  definition?: string
  designations: readonly CodeSystemConceptDesignation[]
  properties: readonly CodeSystemConceptProperty[]
  /** Not approved for use any more. */
  inactive: boolean
  /** Only there to gather others (http://hl7.org/fhir/concept-properties#notSelectable). */
  abstract: boolean
}

/** The codes of one system, listed or told by a rule. */
export interface CodeBook {
  url: string
  version?: string
  name: string
  /** Language of the displays. */
  language?: string
  /** False when a code that is not found may exist all the same: the system is here in part, or as examples. */
  complete: boolean
  /** Whether a code stands for what is below it. Not so where the hierarchy only groups (R4 CodeSystem.hierarchyMeaning). */
  subsumes: boolean
  find(code: string): Concept | undefined
  /** Every code, in the order of the system; undefined when they cannot be listed. */
  all(): readonly Concept[] | undefined
  parentsOf(code: string): readonly string[]
  childrenOf(code: string): readonly string[]
  /** Values of a property that a rule knows; undefined leaves it to the properties of the concept. */
  computed?(code: string, property: string): string | undefined
}

const PROPERTY = 'http://hl7.org/fhir/concept-properties#'
const INACTIVE_STATES = new Set(['retired', 'inactive'])
const nothing: readonly never[] = []

export function textOf(property: CodeSystemConceptProperty): string | undefined {
  const { valueCode, valueCoding, valueString, valueInteger, valueBoolean, valueDateTime, valueDecimal } = property
  const value = valueCode ?? valueCoding?.code ?? valueString ?? valueInteger ?? valueBoolean ?? valueDateTime ?? valueDecimal
  return value === undefined ? undefined : String(value)
}

/** The codes of a CodeSystem resource, with what supplements add to them. */
export class ListedCodes implements CodeBook {
  readonly url: string
  readonly version?: string
  readonly name: string
  readonly language?: string
  readonly complete: boolean
  readonly subsumes: boolean
  readonly #concepts = new Map<string, Concept>()
  readonly #folded = new Map<string, string>()
  readonly #caseSensitive: boolean
  readonly #parents = new Map<string, string[]>()
  readonly #children = new Map<string, string[]>()
  #list: readonly Concept[] | undefined

  constructor(system: CodeSystem, supplements: readonly CodeSystem[] = []) {
    this.url = system.url ?? ''
    this.name = system.name ?? system.title ?? this.url
    if (system.version !== undefined) this.version = system.version
    if (system.language !== undefined) this.language = system.language
    this.complete = system.content === 'complete'
    this.subsumes = system.hierarchyMeaning !== 'grouped-by' && system.hierarchyMeaning !== 'part-of'
    // Absent says nothing (R4 CodeSystem.caseSensitive); codes that differ only in case are then taken for two.
    this.#caseSensitive = system.caseSensitive !== false
    const roles = new Map((system.property ?? []).map(({ code, uri }) => [code ?? '', uri?.startsWith(PROPERTY) ? uri.slice(PROPERTY.length) : code]))
    this.#add(system.concept ?? [], undefined, (code) => roles.get(code) ?? code)
    for (const supplement of supplements) this.#supplement(supplement.concept ?? [])
  }

  #add(concepts: readonly CodeSystemConcept[], parent: string | undefined, roleOf: (property: string) => string): void {
    for (const { code, display, definition, designation, property = nothing, concept } of concepts) {
      if (code === undefined) continue
      let inactive = false
      let abstract = false
      if (parent !== undefined) this.#relate(parent, code)
      for (const one of property) {
        const value = textOf(one)
        if (value === undefined) continue
        switch (roleOf(one.code ?? '')) {
          case 'inactive':
            inactive ||= value === 'true'
            break
          case 'status':
            inactive ||= INACTIVE_STATES.has(value)
            break
          case 'notSelectable':
          case 'abstract':
            abstract ||= value === 'true'
            break
          case 'parent':
          case 'subsumedBy':
            this.#relate(value, code)
            break
          case 'child':
            this.#relate(code, value)
        }
      }
      this.#concepts.set(code, {
        code,
        ...(display === undefined ? {} : { display }),
        ...(definition === undefined ? {} : { definition }),
        designations: designation ?? nothing,
        properties: property,
        inactive,
        abstract,
      })
      if (!this.#caseSensitive) this.#folded.set(code.toLowerCase(), code)
      if (concept) this.#add(concept, code, roleOf)
    }
  }

  #relate(parent: string, child: string): void {
    const parents = this.#parents.get(child)
    if (parents?.includes(parent)) return
    if (parents) parents.push(parent)
    else this.#parents.set(child, [parent])
    const children = this.#children.get(parent)
    if (children) children.push(child)
    else this.#children.set(parent, [child])
  }

  #supplement(concepts: readonly CodeSystemConcept[]): void {
    for (const { code, designation, property, concept } of concepts) {
      const known = code === undefined ? undefined : this.#concepts.get(code)
      if (known) {
        this.#concepts.set(known.code, {
          ...known,
          designations: [...known.designations, ...(designation ?? nothing)],
          properties: [...known.properties, ...(property ?? nothing)],
        })
      }
      if (concept) this.#supplement(concept)
    }
  }

  find(code: string): Concept | undefined {
    return this.#concepts.get(code) ?? this.#concepts.get(this.#folded.get(code.toLowerCase()) ?? '')
  }

  all(): readonly Concept[] {
    this.#list ??= [...this.#concepts.values()]
    return this.#list
  }

  parentsOf(code: string): readonly string[] {
    return this.#parents.get(code) ?? nothing
  }

  childrenOf(code: string): readonly string[] {
    return this.#children.get(code) ?? nothing
  }
}

function reach(from: string, next: (code: string) => readonly string[]): Set<string> {
  const found = new Set<string>()
  const waiting = [...next(from)]
  for (let code = waiting.pop(); code !== undefined; code = waiting.pop()) {
    if (found.has(code)) continue
    found.add(code)
    waiting.push(...next(code))
  }
  return found
}

/** Codes below a code, itself not among them. */
export function descendantsOf(book: CodeBook, code: string): Set<string> {
  return reach(code, (one) => book.childrenOf(one))
}

/** Codes above a code, itself not among them. */
export function ancestorsOf(book: CodeBook, code: string): Set<string> {
  return reach(code, (one) => book.parentsOf(one))
}

/** How two codes of one system stand to each other (R4 CodeSystem-subsumes). */
export function relationOf(book: CodeBook, a: string, b: string): 'equivalent' | 'subsumes' | 'subsumed-by' | 'not-subsumed' {
  if (a === b) return 'equivalent'
  if (!book.subsumes) return 'not-subsumed'
  if (ancestorsOf(book, b).has(a)) return 'subsumes'
  return ancestorsOf(book, a).has(b) ? 'subsumed-by' : 'not-subsumed'
}

const sameText = (a: string, b: string): boolean => a.trim().replace(/\s+/g, ' ').toLowerCase() === b.trim().replace(/\s+/g, ' ').toLowerCase()

/** True when a text is the display of a concept or one of its designations, but for case and spaces. */
export function isDisplayOf(concept: Pick<Concept, 'display' | 'designations'>, text: string): boolean {
  return (concept.display !== undefined && sameText(concept.display, text)) || concept.designations.some(({ value }) => value !== undefined && sameText(value, text))
}

const USAGE_ORDER = ['display', 'preferredForLanguage', 'preferred']

/** `ar` fits `ar-SA`, and the other way about. */
export function isLanguage(given: string | undefined, wanted: string): boolean {
  if (given === undefined) return false
  const [a, b] = [given.toLowerCase(), wanted.toLowerCase()]
  return a === b || a.startsWith(`${b}-`) || b.startsWith(`${a}-`)
}

/** The display in a language where there is one, else the usual display. */
export function displayIn(concept: Pick<Concept, 'display' | 'designations'>, language: string | undefined, ownLanguage?: string): string | undefined {
  if (language === undefined || isLanguage(ownLanguage ?? 'en', language)) return concept.display
  const fitting = concept.designations.filter((one) => isLanguage(one.language, language))
  const best = USAGE_ORDER.map((use) => fitting.find((one) => one.use?.code === use)).find(Boolean) ?? fitting.find(({ use }) => use === undefined)
  return best?.value ?? concept.display
}
