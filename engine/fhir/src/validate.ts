import { isResourceType } from './definitions.ts'
import { ExtensionCheck } from './validate-extension.ts'
import type { Surroundings } from './fhirpath-functions.ts'
import { isObject, type Item, itemOf } from './fhirpath-values.ts'
import { judge } from './invariants.ts'
import type { Knowledge } from './knowledge.ts'
import { narrativeFault } from './narrative.ts'
import type { Issue } from './outcome.ts'
import { type CodeSet, type Invariant, type Plan, planOf, type Property } from './plans.ts'
import { Report } from './report.ts'
import { checkBundle } from './validate-bundle.ts'
import { resolverOf } from './resolve-within.ts'
import { checkContained, containedIds } from './validate-contained.ts'
import { ProfileCheck, sentence } from './validate-profile.ts'

const MAX_DEPTH = 40

export interface ValidationOptions {
  /** `all` tells warnings as well: good practice, extensible bindings, profiles that are not loaded. */
  level?: 'errors' | 'all'
  /** Profiles and value sets; without it only R4 itself is checked. */
  knowledge?: Knowledge
  /** Profiles that the resource has to fit beside those that it names itself. */
  profiles?: readonly string[]
  /** One of these at least has to be kept by a resource of their type. */
  demanded?: ReadonlyMap<string, readonly string[]>
  /** What invariants take for now; the clock's when absent. */
  now?: Date
  /** What to make of a named profile that is not loaded. Default: a warning. */
  unknownProfiles?: 'warn' | 'refuse'
}

/**
 * Checks a resource against the R4 definitions: elements, types, cardinalities, choices, primitive values, required
 * bindings, references, contained resources, Bundles, invariants; with `knowledge` against profiles and extensions too.
 * Never throws, whatever it is given, and never quotes a value of the resource.
 *
 * @returns Faults found, at most 50; empty when the resource is valid.
 */
export function validate(resource: unknown, options: ValidationOptions = {}): Issue[] {
  const check = new Check(options)
  check.resource(resource, 0, 'root')
  return check.report.issues
}

type Place = 'root' | 'contained' | 'other'

class Check {
  readonly report: Report
  readonly #options: ValidationOptions
  readonly #knowledge: Knowledge | undefined
  readonly #extensions: ExtensionCheck | undefined
  #contained: ReadonlySet<string> | undefined
  #around: Surroundings
  #root: unknown

  constructor(options: ValidationOptions) {
    this.#options = options
    this.#knowledge = options.knowledge
    const nothing: Item = { value: {}, type: 'Resource' }
    this.#around = { resource: nothing, root: nothing, ...(options.now ? { now: options.now } : {}) }
    this.report = new Report({ warns: options.level === 'all' })
    this.#extensions = options.knowledge ? new ExtensionCheck(this.report, options.knowledge) : undefined
  }

  resource(value: unknown, depth: number, place: Place): void {
    const { report } = this
    if (!isObject(value)) {
      report.error('structure', 'A resource is a JSON object.')
      return
    }
    const type = value.resourceType
    if (typeof type !== 'string' || !(isResourceType(type) || type === 'Parameters')) {
      report.error('structure', 'resourceType must name an R4 resource type.')
      return
    }
    if (place === 'root') {
      report.path.push(type)
      this.#root = value
    }
    const outer = { contained: this.#contained, around: this.#around }
    if (place !== 'contained') this.#contained = containedIds(value)
    this.#around = this.#surround(itemOf(value), place)
    const plan = planOf(type)
    if (plan) this.#structure(value, plan, depth, 'resourceType')
    if (Array.isArray(value.contained)) checkContained(value, value.contained, place, report)
    if (type === 'Bundle') checkBundle(value, report)
    this.#profiles(value, type, place)
    this.#contained = outer.contained
    this.#around = outer.around
    if (place === 'root') report.path.pop()
  }

  #surround(resource: Item, place: Place): Surroundings {
    const root = place === 'contained' ? this.#around.root : resource
    const outer = place === 'root' ? undefined : this.#around
    const within = resolverOf(root.value as Record<string, unknown>)
    const around: Surroundings = {
      resource,
      root,
      ...(this.#around.now ? { now: this.#around.now } : {}),
      resolve: (reference) => within(reference) ?? outer?.resolve?.(reference),
    }
    const knowledge = this.#knowledge
    if (knowledge) {
      around.isMember = (valueSet, coding) => {
        const verdict = knowledge.verdict(valueSet, coding)
        return verdict === 'valid' ? true : verdict === 'invalid' ? false : undefined
      }
      around.conformsTo = (item, canonical) => new ProfileCheck(this.report, around, knowledge).fits(item, canonical)
    }
    return around
  }

  #profiles(value: Record<string, unknown>, type: string, place: Place): void {
    const knowledge = this.#knowledge
    if (!knowledge || this.report.full) return
    const named = isObject(value.meta) && Array.isArray(value.meta.profile) ? value.meta.profile.filter((one) => typeof one === 'string') : []
    const asked = place === 'root' ? (this.#options.profiles ?? []) : []
    const item = this.#around.resource
    for (const canonical of new Set([...named, ...asked])) {
      const profile = knowledge.profile(canonical)
      if (profile) new ProfileCheck(this.report, this.#around, knowledge).check(item, profile)
      else if (profile === null) {
        const sentence = `The profile ${canonical} is not loaded, so the resource was not checked against it.`
        if (asked.includes(canonical) || this.#options.unknownProfiles === 'refuse') this.report.error('not-found', sentence)
        else this.report.warning('not-found', sentence)
      }
    }
    const demanded = place === 'contained' ? undefined : this.#options.demanded?.get(type)
    if (demanded) this.#oneOf(item, demanded, knowledge)
  }

  #oneOf(item: Item, demanded: readonly string[], knowledge: Knowledge): void {
    let nearest: Report | undefined
    for (const canonical of demanded) {
      const profile = knowledge.profile(canonical)
      if (profile === undefined) return
      if (profile === null) {
        this.report.error('not-found', `The profile ${canonical}, which this installation demands, is not loaded.`)
        return
      }
      const report = new Report({ warns: this.report.warns, path: this.report.path })
      new ProfileCheck(report, this.#around, knowledge).check(item, profile)
      if (!report.hasErrors) return
      if (!nearest || report.issues.length < nearest.issues.length) nearest = report
    }
    if (nearest) this.report.take(nearest)
  }

  #structure(value: Record<string, unknown>, plan: Plan, depth: number, skip?: string): void {
    const { report } = this
    if (depth > MAX_DEPTH) {
      report.error('too-long', `Elements are nested deeper than ${MAX_DEPTH} levels.`)
      return
    }
    let count = 0
    for (const name in value) {
      if (!Object.hasOwn(value, name)) continue
      count += 1
      if (name === skip) continue
      const property = plan.properties.get(name)
      if (property) {
        report.path.push(name)
        this.#property(value[name], property, depth, value[`_${name}`])
        report.path.pop()
      } else if (name.startsWith('_') && plan.properties.get(name.slice(1))?.primitive) {
        report.path.push(name)
        this.#sibling(value[name], value[name.slice(1)], plan.properties.get(name.slice(1)) as Property, depth)
        report.path.pop()
      } else {
        report.at(/^[A-Za-z_]\w{0,40}$/.test(name) ? name : '(unknown)', () => report.error('structure', `${plan.path} has no element of this name.`))
      }
    }
    if (count === 0) report.error('structure', 'An object is not empty: leave it out, or give it an element.')
    for (const { name, by } of plan.required) {
      if (!by.some((property) => value[property] !== undefined || value[`_${property}`] !== undefined)) {
        report.at(name, () => report.error('required', `${name} is required here.`))
      }
    }
    for (const { name, by } of plan.choices) {
      let present = 0
      for (const property of by) if (value[property] !== undefined || value[`_${property}`] !== undefined) present += 1
      if (present > 1) report.error('structure', `Only one of ${name} may be given.`)
    }
    if (plan.invariants.length > 0) this.#invariants({ value, type: plan.path }, plan.invariants)
    if (plan.path === 'Extension') this.#extension(value)
  }

  #extension(value: Record<string, unknown>): void {
    let hasValue = false
    for (const name in value) if (name.startsWith('value') || name.startsWith('_value')) hasValue = true
    if (hasValue === (value.extension !== undefined)) {
      this.report.error('invariant', 'An extension has either a value or extensions of its own (ext-1).')
    }
    this.#extensions?.check(value, this.#root, this.#around)
  }

  #invariants(item: Item, invariants: readonly Invariant[]): void {
    const { report } = this
    for (const invariant of invariants) {
      if (invariant.severity === 'warning' && !report.warns) continue
      // The narrative of what is contained is that of the whole (http://hl7.org/fhir/R4/references.html#contained).
      if (invariant.key === 'dom-6' && this.#around.root !== this.#around.resource) continue
      if (judge(invariant, item, this.#around) !== 'broken') continue
      if (invariant.severity === 'error') report.error('invariant', sentence(invariant.human, invariant.key))
      else report.warning('invariant', sentence(invariant.human, invariant.key))
    }
  }

  #property(value: unknown, property: Property, depth: number, sibling: unknown): void {
    const { report } = this
    if (property.element.many) {
      if (!Array.isArray(value)) {
        report.error('structure', 'This element repeats: send an array.')
        return
      }
      if (value.length === 0) report.error('structure', 'An array is not empty: leave it out.')
      for (let at = 0; at < value.length; at++) {
        report.path.push(at)
        const beside = Array.isArray(sibling) ? (sibling as unknown[])[at] : undefined
        if (value[at] === null && property.primitive && beside) {
          // A gap whose extensions stand in the `_` array.
        } else this.#single(value[at], property, depth)
        report.path.pop()
        if (report.full) return
      }
      return
    }
    if (Array.isArray(value)) {
      report.error('structure', 'This element does not repeat: send one value instead of an array.')
      return
    }
    this.#single(value, property, depth)
  }

  #single(value: unknown, property: Property, depth: number): void {
    const { report } = this
    const { primitive, type, codes } = property
    if (primitive) {
      if (!primitive.is(value)) {
        report.error('value', `The value must be ${primitive.wanted}.`)
        return
      }
      if (type === 'xhtml') {
        const fault = narrativeFault(value as string)
        if (fault !== undefined) report.error('invariant', `The narrative is not the XHTML that FHIR allows. ${fault}`)
      }
      if (codes && !codes.any.has(value as string)) {
        report.error('code-invalid', `The code is not of the required value set ${property.element.b}.`)
      } else if (!codes && property.element.b !== undefined) this.#asked({ value, type }, property.element.b)
      if (property.invariants) this.#invariants({ value, type }, property.invariants)
      return
    }
    if (type === 'Resource' || isResourceType(type)) {
      this.resource(value, depth + 1, property.name === 'contained' ? 'contained' : 'other')
      return
    }
    if (!isObject(value)) {
      report.error('structure', `The value must be a JSON object (${type}).`)
      return
    }
    property.plan ??= planOf(type)
    if (property.plan) this.#structure(value, property.plan, depth + 1)
    if (type === 'Reference') this.#reference(value, property.element.r)
    if (codes) this.#bound(value, type, codes, property.element.b ?? '')
    else if (property.element.b !== undefined) this.#asked({ value, type }, property.element.b)
    else if (report.warns && property.element.e !== undefined) this.#extensible({ value, type }, property.element.e)
    if (property.invariants) this.#invariants({ value, type }, property.invariants)
  }

  // Extensions and ids of primitives: http://hl7.org/fhir/R4/json.html#primitive
  #sibling(value: unknown, main: unknown, property: Property, depth: number): void {
    const { report } = this
    const plan = planOf('Element')
    if (!plan) return
    const one = (sibling: unknown): void => {
      if (!isObject(sibling)) report.error('structure', 'Extensions of a value are a JSON object with id or extension.')
      else this.#structure(sibling, plan, depth + 1)
    }
    if (!property.element.many) {
      one(value)
      return
    }
    if (!Array.isArray(value)) {
      report.error('structure', 'This element repeats: its extensions are an array as well.')
      return
    }
    if (Array.isArray(main) && main.length !== value.length) {
      report.error('structure', 'The arrays of values and of their extensions must be of one length, with null for gaps.')
    }
    value.forEach((sibling, at) => {
      if (sibling !== null) report.at(at, () => one(sibling))
    })
  }

  #bound(value: Record<string, unknown>, type: string, codes: CodeSet, url: string): void {
    const matches = (coding: unknown): boolean =>
      isObject(coding) &&
      (typeof coding.system === 'string' ? codes.pairs.has(`${coding.system}|${coding.code}`) : codes.any.has(coding.code as string))
    const fits =
      type === 'CodeableConcept'
        ? !Array.isArray(value.coding) ? value.text !== undefined || value.extension !== undefined : value.coding.some(matches)
        : type === 'Coding' ? matches(value) : typeof value.code === 'string' ? codes.any.has(value.code) : true
    if (!fits) this.report.error('code-invalid', `The code is not of the required value set ${url}.`)
  }

  // Required sets whose codes follow a rule, such as media types and currencies, are no list that could be looked through.
  #asked(item: Item, valueSet: string): void {
    if (!this.#knowledge) return
    if (new ProfileCheck(this.report, this.#around, this.#knowledge).inValueSet(item, valueSet) === 'invalid') {
      this.report.error('code-invalid', `The code is not of the required value set ${valueSet}.`)
    }
  }

  #extensible(item: Item, valueSet: string): void {
    if (!this.#knowledge) return
    // A text alone says that no code was at hand, which an extensible binding allows.
    if (item.type === 'CodeableConcept' && !(item.value as { coding?: unknown }).coding) return
    if (new ProfileCheck(this.report, this.#around, this.#knowledge).inValueSet(item, valueSet) === 'invalid') {
      this.report.warning('code-invalid', `The code is not of the value set ${valueSet}; use one of it unless none fits.`)
    }
  }

  #reference(value: Record<string, unknown>, targets: readonly string[] | undefined): void {
    const { report } = this
    const { reference, type } = value
    if (reference === undefined && value.identifier === undefined && value.display === undefined && value.extension === undefined && value._reference === undefined) {
      report.error('required', 'A reference needs reference, identifier or display (ref-1).')
    }
    if (typeof reference !== 'string') return
    if (reference.startsWith('#')) {
      if (reference.length > 1 && this.#contained && !this.#contained.has(reference.slice(1))) {
        report.error('not-found', 'No contained resource has this id (ref-1).')
        return
      }
      const target = this.#around.resolve?.(reference)?.type
      if (target !== undefined && targets && !targets.includes(target)) report.error('value', `The reference may point to ${targets.join(', ')}.`)
      return
    }
    const local = /^([A-Za-z]+)\/[A-Za-z0-9\-.]{1,64}(\/_history\/[A-Za-z0-9\-.]{1,64})?$/.exec(reference)
    if (!local) {
      if (!/^(urn:|https?:\/\/|[A-Za-z]+\?)/.test(reference)) {
        report.error('value', 'A reference is Type/id, an absolute URL, urn:uuid:… or #id of a contained resource.')
      }
      return
    }
    const target = local[1] as string
    if (!isResourceType(target)) report.error('value', 'The reference names no R4 resource type.')
    else if (targets && !targets.includes(target)) report.error('value', `The reference may point to ${targets.join(', ')}.`)
    else if (type !== undefined && type !== target) report.error('value', 'type and reference name different types.')
  }
}
