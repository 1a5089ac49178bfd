import { type Compiled, compileExpression } from './fhirpath.ts'
import { type Expression, ExpressionFault, parseExpression } from './fhirpath-syntax.ts'
import type { Surroundings } from './fhirpath-functions.ts'
import { isObject, isOfType, type Item } from './fhirpath-values.ts'
import type { Verdict } from './knowledge.ts'
import { coreTypeOf, type Profile, type Rule } from './profile-rules.ts'
import { fitsPattern, type Found } from './profile-values.ts'

/** What sorting into slices asks of who checks profiles. */
export interface SliceJudge {
  readonly around: Surroundings
  keeps(item: Item, rule: Rule, profile: Profile): boolean
  fits(item: Item, canonical: string): boolean | undefined
  inValueSet(item: Item, valueSet: string): Verdict | undefined
  profile(canonical: string): Profile | undefined
}

/** Whether a value belongs to a slice; undefined when the profile does not say how to tell. */
type Test = (item: Item) => boolean | undefined

interface Discriminator {
  type: string
  path: string
}

interface Path {
  steps: readonly string[]
  run: Compiled
  /** It ends with resolve(): what a reference points to is meant. */
  resolves: boolean
}

type Asked = { rule: Rule; profile: Profile } | { pattern: unknown[] }

const tells = (rule: Rule): boolean =>
  Boolean(rule.fixed || rule.pattern || rule.binding || rule.types || rule.slicing || rule.children.size > 0)

const paths = new Map<string, Path | null>()

/** Sorts the values of a sliced element into the slices of a profile. */
export class Slices {
  readonly #rule: Rule
  readonly #profile: Profile
  readonly #check: SliceJudge

  constructor(rule: Rule, profile: Profile, check: SliceJudge) {
    this.#rule = rule
    this.#profile = profile
    this.#check = check
  }

  /** Each value with the first slice that it belongs to. Undefined when the profile does not say how slices differ. */
  sort(all: readonly Found[]): { found: Found; slice?: string }[] | undefined {
    const slices = [...(this.#rule.slicing?.slices ?? [])].filter(([name]) => name !== '@default')
    const discriminators = this.#discriminators()
    if (discriminators.length === 0 && slices.length > 0) return undefined
    const tests = slices.map(([name, slice]) => ({ name, tests: discriminators.map((one) => this.#test(slice, one)) }))
    let unclear = false
    const sorted = all.map((found) => {
      const slice = tests.find(({ tests: ofSlice }) => {
        const answers = ofSlice.map((test) => test(found.item))
        if (answers.includes(false)) return false
        if (answers.includes(undefined)) unclear = true
        return !answers.includes(undefined)
      })
      return { found, ...(slice ? { slice: slice.name } : {}) }
    })
    return unclear ? undefined : sorted
  }

  // Extensions are always sliced by their URL, and a choice by its type, also where the profile does not repeat it.
  #discriminators(): readonly Discriminator[] {
    const given = this.#rule.slicing?.discriminators ?? []
    if (given.length > 0) return given
    if (this.#rule.base[0] === 'Extension') return [{ type: 'value', path: 'url' }]
    if (this.#rule.id.endsWith('[x]')) return [{ type: 'type', path: '$this' }]
    return []
  }

  #test(slice: Rule, { type, path }: Discriminator): Test {
    if (path === 'url' && slice.base[0] === 'Extension') {
      const url = slice.types?.[0]?.profile?.[0]?.split('|')[0] ?? slice.children.get('url')?.fixed?.value
      if (url !== undefined) return ({ value }) => isObject(value) && value.url === url
    }
    const at = pathOf(path)
    if (!at) return () => undefined
    switch (type) {
      case 'value':
      case 'pattern':
        return this.#valueTest(slice, at)
      case 'exists':
        return this.#existsTest(slice, at)
      case 'type':
        return this.#typeTest(slice, at)
      case 'profile':
        return this.#profileTest(slice, at)
      default:
        return () => undefined
    }
  }

  #items(item: Item, { run }: Path): readonly Item[] {
    return run(item, this.#check.around)
  }

  #valueTest(slice: Rule, at: Path): Test {
    const asked = this.#asked(slice, this.#profile, at.steps).filter((one) => 'pattern' in one || tells(one.rule))
    if (asked.length === 0) return () => undefined
    return (item) => this.#items(item, at).some((value) => asked.some((one) => this.#isAsked(value, one)))
  }

  #isAsked(item: Item, asked: Asked): boolean {
    if ('pattern' in asked) return asked.pattern.some((pattern) => fitsPattern(item.value, pattern))
    const { rule, profile } = asked
    if (!this.#check.keeps(item, rule, profile)) return false
    // What is not known to be in the value set does not belong to the slice.
    const decides = rule.binding?.strength === 'required' && !rule.fixed && !rule.pattern
    return !decides || this.#check.inValueSet(item, rule.binding?.valueSet ?? '') === 'valid'
  }

  /** What the slice asks of the value at a path: rules there, those of slices on the way included, or what a rule above fixes. */
  #asked(rule: Rule, profile: Profile, steps: readonly string[]): Asked[] {
    const set = rule.fixed ?? rule.pattern
    const pattern = set ? valuesAt(set.value, steps) : []
    if (pattern.length > 0) return [{ pattern }]
    const [step, ...rest] = steps
    if (step === undefined) return [{ rule, profile }]
    const next = this.#below(rule, profile, step)
    if (!next) return []
    const ofSlices = [...(next.rule.slicing?.slices.values() ?? [])].flatMap((slice) => this.#asked(slice, next.profile, rest))
    return [...this.#asked(next.rule, next.profile, rest), ...ofSlices]
  }

  #below(rule: Rule, profile: Profile, step: string): { rule: Rule; profile: Profile } | undefined {
    const url = /^extension (.*)$/s.exec(step)?.[1]
    if (url === undefined) {
      const child = rule.children.get(step)
      if (child) return { rule: child, profile }
      const inner = rule.types?.[0]?.profile?.[0]
      const other = inner === undefined ? undefined : this.#check.profile(inner)
      const ofOther = other?.root.children.get(step)
      return other && ofOther ? { rule: ofOther, profile: other } : undefined
    }
    for (const slice of rule.children.get('extension')?.slicing?.slices.values() ?? []) {
      const named = slice.types?.[0]?.profile?.[0]
      if (named === url) {
        const other = this.#check.profile(url)
        if (other) return { rule: other.root, profile: other }
      }
      if (slice.children.get('url')?.fixed?.value === url || named === url) return { rule: slice, profile }
    }
    return undefined
  }

  #existsTest(slice: Rule, at: Path): Test {
    const [asked] = this.#asked(slice, this.#profile, at.steps)
    if (asked && 'rule' in asked && asked.rule.max === 0) return (item) => this.#items(item, at).length === 0
    return (item) => this.#items(item, at).length > 0
  }

  #typeTest(slice: Rule, at: Path): Test {
    const [asked] = this.#asked(slice, this.#profile, at.steps)
    const rule = asked && 'rule' in asked ? asked.rule : undefined
    if (!rule) return () => undefined
    if (at.resolves) {
      const targets = (rule.types ?? []).flatMap(({ targetProfile = [] }) => targetProfile.flatMap((target) => coreTypeOf(target) ?? this.#check.profile(target)?.type ?? []))
      if (targets.length === 0) return () => undefined
      return (item) => this.#items(item, at).some((one) => targets.includes(this.#targetOf(one) ?? ''))
    }
    const types = rule.types?.map(({ code }) => code) ?? rule.base
    return (item) => this.#items(item, at).some((one) => types.some((type) => isOfType(one, type)))
  }

  #targetOf({ value }: Item): string | undefined {
    const reference = isObject(value) ? value.reference : value
    if (typeof reference !== 'string') return undefined
    return this.#check.around.resolve?.(reference)?.type ?? /(?:^|\/)([A-Z][A-Za-z]+)\/[A-Za-z0-9\-.]{1,64}(?:\/_history\/[^/]+)?$/.exec(reference)?.[1]
  }

  #profileTest(slice: Rule, at: Path): Test {
    const [asked] = this.#asked(slice, this.#profile, at.steps)
    const types = asked && 'rule' in asked ? (asked.rule.types ?? []) : []
    const profiles = types.flatMap(({ profile = [], targetProfile = [] }) => (at.resolves ? targetProfile : profile))
    if (profiles.length === 0) return () => undefined
    return (item) =>
      this.#items(item, at).some((one) => {
        const target = at.resolves ? this.#resolved(one) : one
        return target !== undefined && profiles.some((profile) => this.#check.fits(target, profile) === true)
      })
  }

  #resolved({ value }: Item): Item | undefined {
    const reference = isObject(value) ? value.reference : value
    return typeof reference === 'string' ? this.#check.around.resolve?.(reference) : undefined
  }
}

// A path without its last resolve(): references are told by what they point to, also where that is not at hand.
function pathOf(path: string): Path | null {
  let known = paths.get(path)
  if (known === undefined) {
    known = readPath(path)
    if (paths.size < 5000) paths.set(path, known)
  }
  return known
}

function readPath(path: string): Path | null {
  try {
    const resolves = /(^|\.)resolve\(\)$/.test(path)
    const plain = resolves ? path.replace(/\.?resolve\(\)$/, '') || '$this' : path
    const steps = stepsOf(parseExpression(plain))
    return steps && { steps, run: compileExpression(plain), resolves }
  } catch (error) {
    if (error instanceof ExpressionFault) return null
    throw error
  }
}

// The restricted FHIRPath of discriminators: http://hl7.org/fhir/R4/profiling.html#discriminator
function stepsOf(expression: Expression): string[] | null {
  if (expression.kind === 'this') return []
  if (expression.kind !== 'step' && expression.kind !== 'call') return null
  const before = expression.on ? stepsOf(expression.on) : []
  if (!before) return null
  if (expression.kind === 'step') return [...before, expression.name]
  const [argument] = expression.args
  if (expression.name === 'extension' && argument?.kind === 'literal') return [...before, `extension ${String(argument.value)}`]
  // Narrows to a type: the rule is the same.
  return expression.name === 'ofType' || expression.name === 'resolve' ? before : null
}

function valuesAt(value: unknown, steps: readonly string[]): unknown[] {
  if (Array.isArray(value)) return value.flatMap((one) => valuesAt(one, steps))
  const [step, ...rest] = steps
  if (step === undefined) return [value]
  return isObject(value) && value[step] !== undefined ? valuesAt(value[step], rest) : []
}
