import type { Surroundings } from './fhirpath-functions.ts'
import { compare, isObject, isOfType, type Item, sameJson } from './fhirpath-values.ts'
import { judge } from './invariants.ts'
import type { Knowledge, Verdict } from './knowledge.ts'
import { coreTypeOf, type Profile, type Rule, type TypeRule } from './profile-rules.ts'
import { childrenOf, codingsOf, fitsPattern, type Found } from './profile-values.ts'
import { Report } from './report.ts'
import { type SliceJudge, Slices } from './slices.ts'

const MAX_DEPTH = 60
const LOCAL = /^(?:https?:\/\/.*\/)?([A-Z][A-Za-z]+)\/[A-Za-z0-9\-.]{1,64}(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/

/** Checks values against the rules of profiles; what R4 itself asks of them has been checked before. */
export class ProfileCheck implements SliceJudge {
  readonly #report: Report
  readonly #around: Surroundings
  readonly #knowledge: Knowledge
  readonly #depth: number

  constructor(report: Report, around: Surroundings, knowledge: Knowledge, depth = 0) {
    this.#report = report
    this.#around = around
    this.#knowledge = knowledge
    this.#depth = depth
  }

  /** Tells what keeps a value from fitting a profile. */
  check(item: Item, profile: Profile): void {
    if (this.#depth > MAX_DEPTH) return
    if (!isOfType(item, profile.type) && profile.type !== 'Element') {
      this.#report.error('structure', `The profile ${profile.url} is for ${profile.type}.`)
      return
    }
    this.#value(item, profile.root, profile)
  }

  /** Whether a value fits a profile; undefined when the profile is not here. */
  fits(item: Item, canonical: string): boolean | undefined {
    const core = coreTypeOf(canonical)
    if (core !== undefined) return isOfType(item, core)
    const profile = this.#knowledge.profile(canonical)
    if (!profile) return undefined
    return this.#dry((check) => check.check(item, profile))
  }

  /** Whether a value keeps one rule of a profile. */
  keeps(item: Item, rule: Rule, profile: Profile): boolean {
    return this.#dry((check) => check.#value(item, rule, profile))
  }

  #dry(run: (check: ProfileCheck) => void): boolean {
    if (this.#depth > MAX_DEPTH) return false
    const report = new Report({ warns: false, most: 1 })
    run(new ProfileCheck(report, this.#around, this.#knowledge, this.#depth + 1))
    return !report.hasErrors
  }

  get around(): Surroundings {
    return this.#around
  }

  profile(canonical: string): Profile | undefined {
    return this.#knowledge.profile(canonical) ?? undefined
  }

  #value(item: Item, rule: Rule, profile: Profile): void {
    const report = this.#report
    if (report.full) return
    if (rule.types && !this.#typed(item, rule.types)) return
    if (rule.fixed && !sameJson(item.value, rule.fixed.value)) report.error('value', `The profile ${profile.name} fixes the value to ${shown(rule.fixed.value)}.`)
    if (rule.pattern && !fitsPattern(item.value, rule.pattern.value)) report.error('value', `The profile ${profile.name} asks for a value that has ${shown(rule.pattern.value)}.`)
    this.#limits(item, rule, profile)
    if (rule.binding) this.#bound(item, rule.binding)
    for (const invariant of rule.invariants) {
      if (invariant.severity === 'warning' && !report.warns) continue
      const verdict = judge(invariant, item, this.#around)
      const { key, human } = invariant
      if (verdict === 'broken') {
        if (invariant.severity === 'error') report.error('invariant', sentence(human, key))
        else report.warning('invariant', sentence(human, key))
      } else if (verdict === 'not evaluated') report.warning('not-supported', `The invariant ${key} of ${profile.url} cannot be evaluated${invariant.fault === undefined ? '' : `: ${invariant.fault}`}.`)
    }
    this.#children(item, rule, profile)
    const other = rule.sameAs === undefined ? undefined : profile.byId.get(rule.sameAs)
    if (other && other !== rule) this.#children(item, other, profile)
  }

  #limits({ value, type }: Item, { low, high, maxLength }: Rule, profile: Profile): void {
    const item = { value, type }
    if (low && compare(item, low) === -1) this.#report.error('value', `The profile ${profile.name} asks for ${shown(low.value)} at least.`)
    if (high && compare(item, high) === 1) this.#report.error('value', `The profile ${profile.name} asks for ${shown(high.value)} at most.`)
    if (maxLength !== undefined && typeof value === 'string' && value.length > maxLength) {
      this.#report.error('too-long', `The profile ${profile.name} allows ${maxLength} characters at most.`)
    }
  }

  /** False when the value is of no type that the profile allows here: nothing else about it is worth telling. */
  #typed(item: Item, types: readonly TypeRule[]): boolean {
    const ofType = types.filter(({ code }) => isOfType(item, code) || (code === 'string' && /^(id|uri|System\.String)$/.test(item.type)) || item.type.includes('.'))
    if (ofType.length === 0) {
      this.#report.error('structure', `The value may be ${types.map(({ code }) => code).join(' or ')} here.`)
      return false
    }
    const profiles = ofType.flatMap(({ profile }) => profile ?? [])
    if (profiles.length > 0 && ofType.every(({ profile }) => profile !== undefined)) this.#ofProfiles(item, profiles)
    if (item.type === 'Reference') this.#target(item, ofType.flatMap(({ targetProfile }) => targetProfile ?? []))
    return true
  }

  #ofProfiles(item: Item, canonicals: readonly string[]): void {
    const [only] = canonicals
    if (canonicals.length === 1 && only !== undefined) {
      const profile = this.#knowledge.profile(only)
      // Told in full: "does not fit" would leave the sender to guess. An extension is checked where it stands.
      if (profile && profile.type !== 'Extension') new ProfileCheck(this.#report, this.#around, this.#knowledge, this.#depth + 1).check(item, profile)
      else if (profile === null) this.#report.warning('not-found', `The profile ${only} is not loaded, so this value was not checked against it.`)
      return
    }
    const answers = canonicals.map((canonical) => this.fits(item, canonical))
    if (answers.every((fits) => fits === false)) this.#report.error('structure', `The value fits none of the profiles allowed here: ${canonicals.join(', ')}.`)
  }

  #target({ value }: Item, targets: readonly string[]): void {
    const reference = isObject(value) ? value.reference : undefined
    if (typeof reference !== 'string' || targets.length === 0) return
    const found = this.#around.resolve?.(reference)
    const type = found?.type ?? LOCAL.exec(reference)?.[1]
    if (type === undefined) return
    const types = targets.map((target) => coreTypeOf(target) ?? this.#knowledge.profile(target)?.type)
    // What a profile that is not here is for, nobody knows.
    if (types.includes(undefined)) return
    if (!types.includes(type) && !types.includes('Resource')) {
      this.#report.error('value', `The reference may point to ${[...new Set(types)].join(', ')} here.`)
    } else if (found && targets.every((target) => this.fits(found, target) === false)) {
      this.#report.error('value', `What the reference points to fits none of ${targets.join(', ')}.`)
    }
  }

  #bound(item: Item, { strength, valueSet, most }: NonNullable<Rule['binding']>): void {
    if (strength === 'required' && this.inValueSet(item, valueSet) === 'invalid') {
      this.#report.error('code-invalid', `The code is not of the required value set ${valueSet}.`)
    }
    if (strength === 'extensible' && this.#report.warns && this.inValueSet(item, valueSet) === 'invalid') {
      this.#report.warning('code-invalid', `The code is not of the value set ${valueSet}; use one of it unless none fits.`)
    }
    if (most !== undefined && this.inValueSet(item, most) === 'invalid') {
      this.#report.error('code-invalid', `The code is not of the value set ${most}, which holds all that is allowed here.`)
    }
  }

  /** Whether one of the codes of a value is in a value set. Undefined while that is not known. */
  inValueSet(item: Item, valueSet: string): Verdict | undefined {
    const codings = codingsOf(item)
    if (!codings) return 'unknown'
    if (codings.length === 0) return isObject(item.value) && item.value.extension !== undefined ? 'unknown' : 'invalid'
    const verdicts = codings.map((coding) => this.#knowledge.verdict(valueSet, coding))
    if (verdicts.includes('valid')) return 'valid'
    return verdicts.includes(undefined) ? undefined : verdicts.includes('unknown') ? 'unknown' : 'invalid'
  }

  #children(item: Item, rule: Rule, profile: Profile): void {
    for (const child of rule.children.values()) {
      const all = childrenOf(item, child.name)
      if (all) this.#several(all, child, profile)
    }
  }

  #several(all: readonly Found[], rule: Rule, profile: Profile): void {
    const report = this.#report
    const [element = '', slice] = rule.id.slice(rule.id.lastIndexOf('.') + 1).split(':')
    const name = slice === undefined ? element : `${element} of the slice ${slice}`
    if (all.length < rule.min) {
      report.at(rule.name, () => report.error('required', `The profile ${profile.name} asks for ${rule.min === 1 ? '' : `${rule.min} of `}${name} here${all.length > 0 ? `; there ${all.length === 1 ? 'is' : 'are'} ${all.length}` : ''}.`))
    }
    if (all.length > rule.max) {
      report.at(rule.name, () => report.error('structure', rule.max === 0 ? `The profile ${profile.name} does not allow ${name} here.` : `The profile ${profile.name} allows ${rule.max} of ${name} at most.`))
    }
    for (const found of all) this.#at(found, () => this.#value(found.item, rule, profile))
    if (rule.slicing) this.#sliced(all, rule, profile)
  }

  #at({ steps }: Found, run: () => void): void {
    this.#report.path.push(...steps)
    run()
    this.#report.path.length -= steps.length
  }

  // http://hl7.org/fhir/R4/profiling.html#slicing
  #sliced(all: readonly Found[], rule: Rule, profile: Profile): void {
    const report = this.#report
    const { slices, rules, ordered } = rule.slicing as NonNullable<Rule['slicing']>
    const sorted = new Slices(rule, profile, this).sort(all)
    if (!sorted) {
      report.warning('not-supported', `The profile ${profile.name} does not tell how the slices of ${rule.id} differ; they were not checked.`)
      return
    }
    let last = -1
    let unmatched: Found | undefined
    for (const { found, slice } of sorted) {
      const at = slice === undefined ? -1 : [...slices.keys()].indexOf(slice)
      if (slice === undefined) {
        if (rules === 'closed' && !slices.has('@default')) this.#at(found, () => report.error('structure', `The value fits no slice of ${rule.id}, and the profile ${profile.name} allows no others.`))
        unmatched ??= found
        continue
      }
      if (rules === 'openAtEnd' && unmatched) {
        this.#at(unmatched, () => report.error('structure', `What fits no slice of ${rule.id} stands after those that do.`))
        unmatched = undefined
      }
      if (ordered && at < last) this.#at(found, () => report.error('structure', `The slices of ${rule.id} stand in the order ${[...slices.keys()].join(', ')}.`))
      last = Math.max(last, at)
    }
    for (const [name, slice] of slices) {
      const ofSlice = sorted.filter((one) => (one.slice ?? '@default') === name).map(({ found }) => found)
      this.#several(ofSlice, slice, profile)
    }
  }
}

// What a profile fixes is its author's, and no patient's.
function shown(value: unknown): string {
  const text = JSON.stringify(value)
  return text.length > 300 ? `${text.slice(0, 300)}…` : text
}

export function sentence(human: string, key: string): string {
  const plain = human.trim().replace(/[.\s]+$/, '')
  return `${plain} (${key}).`
}
