import { type ProfileDefinition, type ProfileElement, definingPart } from './profile-definition.ts'
import { coreTypeOf, type Profile, rulesOf } from './profile-rules.ts'
import { publishedProfile } from './published-profiles.ts'
import type { StructureDefinition } from './resource.ts'

export interface AskedCoding {
  system?: string
  code: string
}

export type Verdict = 'valid' | 'invalid' | 'unknown'

/** Where answers come from that no resource holds itself. */
export interface Sources {
  /** The StructureDefinition of a canonical URL, with `|version` when one is meant. */
  findProfile(canonical: string): Promise<StructureDefinition | undefined>
  judgeCode(valueSet: string, coding: AskedCoding): Promise<Verdict>
}

const MOST_VERDICTS = 50_000
const MOST_PROFILES = 2_000
/** A profile derived from another, and so on: more than anybody means. */
const MOST_ANCESTORS = 20

/**
 * What validation knows of profiles and value sets. It answers at once or not yet: validation runs without waiting, notes
 * what was open, and runs again when `settle` has found out. Absence is an answer too, until `forget`.
 */
export class Knowledge {
  #sources: Sources | undefined
  readonly #definitions = new Map<string, ProfileDefinition | null>()
  readonly #profiles = new Map<string, Profile | null>()
  readonly #verdicts = new Map<string, Verdict>()
  readonly #asked = new Map<string, Promise<void>>()
  #generation = 0
  /** Counts answers that were not there; a run that moved it has to be done again. */
  missed = 0

  constructor(sources?: Sources) {
    this.#sources = sources
  }

  /** Named when what answers about codes has been started. */
  set sources(sources: Sources) {
    this.#sources = sources
    this.forget()
  }

  /** Called when definitions of these types changed; without types, when any may have. */
  forget(types: readonly string[] = ['StructureDefinition', 'CodeSystem']): void {
    this.#generation += 1
    if (types.includes('StructureDefinition')) {
      this.#definitions.clear()
      this.#profiles.clear()
    }
    if (types.some((type) => type !== 'StructureDefinition')) this.#verdicts.clear()
  }

  /** Null when it is not here; undefined when that is not known yet. */
  profile(canonical: string): Profile | null | undefined {
    const known = this.#profiles.get(canonical)
    if (known !== undefined) return known
    const definition = this.#definition(canonical)
    if (definition === undefined) return undefined
    const inherited = definition && this.#inherited(definition)
    if (inherited === undefined) return undefined
    const profile = definition && inherited ? rulesOf(definition, inherited, publishedProfile(canonical) !== undefined) : null
    if (this.#profiles.size >= MOST_PROFILES) this.#profiles.clear()
    this.#profiles.set(canonical, profile)
    return profile
  }

  /** As `profile`, after it was looked for. */
  async find(canonical: string): Promise<Profile | null> {
    for (;;) {
      const profile = this.profile(canonical)
      if (profile !== undefined) return profile
      await this.settle()
    }
  }

  verdict(valueSet: string, coding: AskedCoding): Verdict | undefined {
    const key = `${valueSet} ${coding.system ?? ''} ${coding.code}`
    const known = this.#verdicts.get(key)
    if (known !== undefined) return known
    if (!this.#sources || coding.code.length > 1000) return 'unknown'
    this.#ask(key, async (sources, keep) => {
      const verdict = await sources.judgeCode(valueSet, coding)
      keep(() => {
        if (this.#verdicts.size >= MOST_VERDICTS) this.#verdicts.clear()
        this.#verdicts.set(key, verdict)
      })
    })
    return undefined
  }

  /** Waits for the answers to what was asked and not known. Rejects when one of them cannot be had. */
  async settle(): Promise<void> {
    await Promise.all(this.#asked.values())
  }

  #ask(key: string, find: (sources: Sources, keep: (store: () => void) => void) => Promise<void>): void {
    this.missed += 1
    const sources = this.#sources
    if (!sources || this.#asked.has(key)) return
    const generation = this.#generation
    // An answer that was overtaken by a change is dropped, and asked for again.
    const answer = find(sources, (store) => generation === this.#generation && store()).finally(() => this.#asked.delete(key))
    // Whoever waits hears of a failure; nobody needs to.
    answer.catch(() => undefined)
    this.#asked.set(key, answer)
  }

  #definition(canonical: string): ProfileDefinition | null | undefined {
    const known = this.#definitions.get(canonical)
    if (known !== undefined) return known
    const published = publishedProfile(canonical)
    if (published) return published
    if (!this.#sources || canonical.length > 1000) return null
    this.#ask(`profile ${canonical}`, async (sources, keep) => {
      const found = await sources.findProfile(canonical)
      const definition = found ? definingPart(found) : null
      keep(() => {
        if (this.#definitions.size >= MOST_PROFILES) this.#definitions.clear()
        this.#definitions.set(canonical, definition)
      })
    })
    return undefined
  }

  // Elements of what a profile is derived from, from the type of R4 down. Null when one of them is not here.
  #inherited(definition: ProfileDefinition): ProfileElement[] | null | undefined {
    if (definition.whole) return []
    const elements: ProfileElement[][] = []
    let { baseDefinition } = definition
    for (let depth = 0; baseDefinition !== undefined && coreTypeOf(baseDefinition) === undefined; depth++) {
      const base: ProfileDefinition | null | undefined = this.#definition(baseDefinition)
      if (base === undefined) return undefined
      if (base === null || depth > MOST_ANCESTORS) return null
      elements.unshift(base.elements)
      if (base.whole) break
      baseDefinition = base.baseDefinition
    }
    return elements.flat()
  }
}
