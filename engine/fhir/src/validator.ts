import { Knowledge } from './knowledge.ts'
import type { Issue } from './outcome.ts'
import { validate, type ValidationOptions } from './validate.ts'

/** What an installation asks of every resource beyond R4. */
export interface ValidationRules {
  /** By type: profiles, one of which at least each resource has to fit. */
  demanded?: ReadonlyMap<string, readonly string[]>
  /** What to make of a profile that a resource names and that is not loaded. Default: it is accepted. */
  unknownProfiles?: 'accept' | 'refuse'
  /** Whether what a reference points to has to be there when it is written. Default: it need not. */
  references?: 'any' | 'existing'
}

/** A profile may rest on others that are found one after the other; more rounds than that nobody's do. */
const MOST_ROUNDS = 25

/** Validation as an installation is set up for: R4, the profiles and value sets that it has, its own rules. */
export class Validator {
  readonly knowledge: Knowledge
  readonly rules: ValidationRules
  readonly #options: ValidationOptions

  constructor(rules: ValidationRules = {}, knowledge = new Knowledge()) {
    this.rules = rules
    this.knowledge = knowledge
    this.#options = {
      knowledge,
      ...(rules.demanded ? { demanded: rules.demanded } : {}),
      unknownProfiles: rules.unknownProfiles === 'refuse' ? 'refuse' : 'warn',
    }
  }

  /** Errors as far as they can be told without asking anybody; `settled` when that is all the way. */
  look(resource: unknown, options: Pick<ValidationOptions, 'level' | 'profiles'> = {}): { issues: Issue[]; settled: boolean } {
    const { missed } = this.knowledge
    const issues = validate(resource, { ...this.#options, ...options })
    return { issues, settled: this.knowledge.missed === missed }
  }

  /** Everything there is to tell, after profiles and codes have been looked up. */
  async check(resource: unknown, options: Pick<ValidationOptions, 'level' | 'profiles'> = {}): Promise<Issue[]> {
    for (let round = 1; ; round++) {
      const { issues, settled } = this.look(resource, options)
      if (settled || round >= MOST_ROUNDS) return issues
      await this.knowledge.settle()
    }
  }
}

/** Every reference of the form Type/id, with the place where it stands. */
export function* localReferences(value: unknown, path: string): Generator<{ type: string; id: string; expression: string }> {
  if (typeof value !== 'object' || value === null) return
  for (const [name, inner] of Object.entries(value)) {
    if (name === 'reference' && typeof inner === 'string') {
      const match = /^([A-Z][A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/.exec(inner)
      if (match?.[1] && match[2]) yield { type: match[1], id: match[2], expression: path }
    } else if (typeof inner === 'object') {
      yield* localReferences(inner, Array.isArray(value) ? `${path}[${name}]` : `${path}.${name}`)
    }
  }
}
