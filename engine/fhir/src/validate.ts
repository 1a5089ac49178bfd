import { codesOf, elementsOf, isResourceType, type ElementDefinition } from './definitions.ts'
import type { Issue } from './outcome.ts'
import { primitives } from './primitives.ts'

const MAX_DEPTH = 40
const MAX_ISSUES = 50

interface Property {
  name: string
  element: ElementDefinition
  /** The one type that this property name stands for. */
  type: string
  primitive?: { is(value: unknown): boolean; wanted: string }
  /** Required codes, any system; and `system|code` pairs. */
  codes?: { any: ReadonlySet<string>; pairs: ReadonlySet<string> }
  /** The structure below; looked up when first needed. */
  plan?: Plan
}

interface Plan {
  path: string
  properties: ReadonlyMap<string, Property>
  /** Element names that must be present, each with the property names that satisfy it. */
  required: readonly { name: string; by: readonly string[] }[]
  /** Choices, of which one at most may be present. */
  choices: readonly { name: string; by: readonly string[] }[]
}

const plans = new Map<string, Plan | undefined>()
const codeSets = new Map<string, { any: Set<string>; pairs: Set<string> }>()

function codeSetOf(url: string): { any: Set<string>; pairs: Set<string> } | undefined {
  let set = codeSets.get(url)
  if (!set) {
    const codes = codesOf(url)
    if (!codes) return undefined
    set = { any: new Set(Object.values(codes).flat()), pairs: new Set() }
    for (const [system, values] of Object.entries(codes)) for (const code of values) set.pairs.add(`${system}|${code}`)
    codeSets.set(url, set)
  }
  return set
}

function planOf(path: string): Plan | undefined {
  if (plans.has(path)) return plans.get(path)
  const elements = elementsOf(path)
  if (!elements) {
    plans.set(path, undefined)
    return undefined
  }
  const properties = new Map<string, Property>()
  const required: { name: string; by: string[] }[] = []
  const choices: { name: string; by: string[] }[] = []
  for (const [name, element] of Object.entries(elements)) {
    const names = element.x ? element.t.map((type) => name + type[0]?.toUpperCase() + type.slice(1)) : [name]
    names.forEach((property, at) => {
      // The definitions give every id as a FHIRPath string; that of a resource is narrower (R4 Resource.id).
      const type = name === 'id' && isResourceType(path) ? 'id' : (element.t[at] ?? 'string')
      const primitive = primitives.get(type)
      const codes = element.b ? codeSetOf(element.b) : undefined
      properties.set(property, { name: property, element, type, ...(primitive ? { primitive } : {}), ...(codes ? { codes } : {}) })
    })
    if (element.min) required.push({ name: element.x ? `${name}[x]` : name, by: names })
    if (element.x) choices.push({ name: `${name}[x]`, by: names })
  }
  const plan = { path, properties, required, choices }
  plans.set(path, plan)
  return plan
}

/**
 * Checks a resource against the R4 definitions: elements, types, cardinalities, choices, primitive values, required
 * bindings, references, contained resources. Never throws, whatever it is given, and never quotes a value.
 *
 * @returns Faults found, at most 50; empty when the resource is valid.
 */
export function validate(resource: unknown): Issue[] {
  const check = new Check()
  check.resource(resource, 0)
  return check.issues
}

class Check {
  readonly issues: Issue[] = []
  readonly #path: (string | number)[] = []
  #contained: ReadonlySet<string> | undefined

  #fault(code: Issue['code'], diagnostics: string): void {
    if (this.issues.length >= MAX_ISSUES) return
    let expression = ''
    for (const part of this.#path) expression += typeof part === 'number' ? `[${part}]` : (expression && '.') + part
    this.issues.push({ severity: 'error', code, ...(expression ? { expression } : {}), diagnostics })
  }

  resource(value: unknown, depth: number): void {
    if (!isObject(value)) {
      this.#fault('structure', 'A resource is a JSON object.')
      return
    }
    const type = value.resourceType
    if (typeof type !== 'string' || !(isResourceType(type) || type === 'Parameters')) {
      this.#fault('structure', 'resourceType must name an R4 resource type.')
      return
    }
    const nested = this.#path.length > 0
    if (!nested) this.#path.push(type)
    const outer = this.#contained
    if (!nested || depth === 0 || Array.isArray(value.contained)) this.#contained = containedIds(value)
    const plan = planOf(type)
    if (plan) this.#structure(value, plan, depth, { skip: 'resourceType' })
    if (isObject(value.contained)) this.#fault('structure', 'contained is an array.')
    if (Array.isArray(value.contained)) this.#checkContained(value.contained)
    this.#contained = outer
    if (!nested) this.#path.pop()
  }

  // dom-2, dom-4: a contained resource holds no others and has no version of its own.
  #checkContained(contained: readonly unknown[]): void {
    contained.forEach((inner, at) => {
      if (!isObject(inner)) return
      this.#path.push('contained', at)
      if (inner.contained !== undefined) this.#fault('invariant', 'A contained resource may not contain others (dom-2).')
      if (isObject(inner.meta) && (inner.meta.versionId !== undefined || inner.meta.lastUpdated !== undefined)) {
        this.#fault('invariant', 'A contained resource has no meta.versionId or meta.lastUpdated (dom-4).')
      }
      this.#path.length -= 2
    })
  }

  #structure(value: Record<string, unknown>, plan: Plan, depth: number, options: { skip?: string } = {}): void {
    if (depth > MAX_DEPTH) {
      this.#fault('too-long', `Elements are nested deeper than ${MAX_DEPTH} levels.`)
      return
    }
    let count = 0
    for (const name in value) {
      if (!Object.hasOwn(value, name)) continue
      count += 1
      if (name === options.skip) continue
      const property = plan.properties.get(name)
      if (property) {
        this.#path.push(name)
        this.#property(value[name], property, depth, value[`_${name}`])
        this.#path.pop()
      } else if (name.startsWith('_') && plan.properties.get(name.slice(1))?.primitive) {
        this.#path.push(name)
        this.#sibling(value[name], value[name.slice(1)], plan.properties.get(name.slice(1)) as Property, depth)
        this.#path.pop()
      } else {
        this.#path.push(/^[A-Za-z_]\w{0,40}$/.test(name) ? name : '(unknown)')
        this.#fault('structure', `${plan.path} has no element of this name.`)
        this.#path.pop()
      }
    }
    if (count === 0) this.#fault('structure', 'An object is not empty: leave it out, or give it an element.')
    for (const { name, by } of plan.required) {
      if (!by.some((property) => value[property] !== undefined || value[`_${property}`] !== undefined)) {
        this.#path.push(name)
        this.#fault('required', `${name} is required here.`)
        this.#path.pop()
      }
    }
    for (const { name, by } of plan.choices) {
      let present = 0
      for (const property of by) if (value[property] !== undefined || value[`_${property}`] !== undefined) present += 1
      if (present > 1) this.#fault('structure', `Only one of ${name} may be given.`)
    }
    this.#invariants(value, plan)
  }

  #property(value: unknown, property: Property, depth: number, sibling: unknown): void {
    if (property.element.many) {
      if (!Array.isArray(value)) {
        this.#fault('structure', 'This element repeats: send an array.')
        return
      }
      if (value.length === 0) this.#fault('structure', 'An array is not empty: leave it out.')
      for (let at = 0; at < value.length; at++) {
        this.#path.push(at)
        const beside = Array.isArray(sibling) ? (sibling as unknown[])[at] : undefined
        if (value[at] === null && property.primitive && beside) {
          // A gap whose extensions stand in the `_` array.
        } else this.#single(value[at], property, depth)
        this.#path.pop()
        if (this.issues.length >= MAX_ISSUES) return
      }
      return
    }
    if (Array.isArray(value)) {
      this.#fault('structure', 'This element does not repeat: send one value instead of an array.')
      return
    }
    this.#single(value, property, depth)
  }

  #single(value: unknown, property: Property, depth: number): void {
    const { primitive, type, codes } = property
    if (primitive) {
      if (!primitive.is(value)) {
        this.#fault('value', `The value must be ${primitive.wanted}.`)
        return
      }
      if (codes && !codes.any.has(value as string)) {
        this.#fault('code-invalid', `The code is not of the required value set ${property.element.b}.`)
      }
      return
    }
    if (type === 'Resource' || isResourceType(type)) {
      this.resource(value, depth + 1)
      return
    }
    if (!isObject(value)) {
      this.#fault('structure', `The value must be a JSON object (${type.replace('#', '')}).`)
      return
    }
    property.plan ??= planOf(type.replace('#', ''))
    if (property.plan) this.#structure(value, property.plan, depth + 1)
    if (type === 'Reference') this.#reference(value, property.element.r)
    if (codes) this.#bound(value, type, codes, property.element.b ?? '')
  }

  // Extensions and ids of primitives: http://hl7.org/fhir/R4/json.html#primitive
  #sibling(value: unknown, main: unknown, property: Property, depth: number): void {
    const plan = planOf('Element')
    if (!plan) return
    const one = (sibling: unknown): void => {
      if (!isObject(sibling)) this.#fault('structure', 'Extensions of a value are a JSON object with id or extension.')
      else this.#structure(sibling, plan, depth + 1)
    }
    if (!property.element.many) {
      one(value)
      return
    }
    if (!Array.isArray(value)) {
      this.#fault('structure', 'This element repeats: its extensions are an array as well.')
      return
    }
    if (Array.isArray(main) && main.length !== value.length) {
      this.#fault('structure', 'The arrays of values and of their extensions must be of one length, with null for gaps.')
    }
    value.forEach((sibling, at) => {
      if (sibling === null) return
      this.#path.push(at)
      one(sibling)
      this.#path.pop()
    })
  }

  #bound(value: Record<string, unknown>, type: string, codes: NonNullable<Property['codes']>, url: string): void {
    const matches = (coding: unknown): boolean =>
      isObject(coding) &&
      (typeof coding.system === 'string' ? codes.pairs.has(`${coding.system}|${coding.code}`) : codes.any.has(coding.code as string))
    const fits =
      type === 'CodeableConcept'
        ? !Array.isArray(value.coding) ? value.text !== undefined || value.extension !== undefined : value.coding.some(matches)
        : type === 'Coding' ? matches(value) : typeof value.code === 'string' ? codes.any.has(value.code) : true
    if (!fits) this.#fault('code-invalid', `The code is not of the required value set ${url}.`)
  }

  #reference(value: Record<string, unknown>, targets: readonly string[] | undefined): void {
    const { reference, type } = value
    if (reference === undefined && value.identifier === undefined && value.display === undefined && value.extension === undefined) {
      this.#fault('required', 'A reference needs reference, identifier or display (ref-1).')
    }
    if (typeof reference !== 'string') return
    if (reference.startsWith('#')) {
      if (reference.length > 1 && this.#contained && !this.#contained.has(reference.slice(1))) {
        this.#fault('not-found', 'No contained resource has this id (ref-1).')
      }
      return
    }
    const local = /^([A-Za-z]+)\/[A-Za-z0-9\-.]{1,64}(\/_history\/[A-Za-z0-9\-.]{1,64})?$/.exec(reference)
    if (!local) {
      if (!/^(urn:|https?:\/\/|[A-Za-z]+\?)/.test(reference)) {
        this.#fault('value', 'A reference is Type/id, an absolute URL, urn:uuid:… or #id of a contained resource.')
      }
      return
    }
    const target = local[1] as string
    if (!isResourceType(target)) this.#fault('value', 'The reference names no R4 resource type.')
    else if (targets && !targets.includes(target)) {
      this.#fault('value', `The reference may point to ${targets.join(', ')}.`)
    } else if (type !== undefined && type !== target) this.#fault('value', 'type and reference name different types.')
  }

  // Invariants of R4 that catch real mistakes and cost no FHIRPath: ext-1, per-1, obs-6, obs-7, pat-1.
  #invariants(value: Record<string, unknown>, plan: Plan): void {
    switch (plan.path) {
      case 'Extension': {
        const hasValue = Object.keys(value).some((name) => name.startsWith('value') || name.startsWith('_value'))
        if (hasValue === (value.extension !== undefined)) {
          this.#fault('invariant', 'An extension has either a value or extensions of its own (ext-1).')
        }
        return
      }
      case 'Period': {
        const { start, end } = value
        if (typeof start === 'string' && typeof end === 'string' && endsBefore(start, end)) {
          this.#fault('invariant', 'A period does not end before it starts (per-1).')
        }
        return
      }
      case 'Observation': {
        const hasValue = Object.keys(value).some((name) => /^value[A-Z]/.test(name))
        if (hasValue && value.dataAbsentReason !== undefined) {
          this.#fault('invariant', 'dataAbsentReason is given only where there is no value (obs-6).')
        }
        return
      }
      case 'Patient.contact': {
        const { name, telecom, address, organization } = value
        if (name === undefined && telecom === undefined && address === undefined && organization === undefined) {
          this.#fault('invariant', 'A contact needs a name, telecom, address or organization (pat-1).')
        }
      }
    }
  }
}

// Dates of different precision are compared as far as both say something.
function endsBefore(start: string, end: string): boolean {
  const length = Math.min(start.length, end.length)
  if (length > 10) return Date.parse(end) < Date.parse(start)
  return end.slice(0, length) < start.slice(0, length)
}

function containedIds(value: Record<string, unknown>): ReadonlySet<string> {
  const ids = new Set<string>()
  if (Array.isArray(value.contained)) {
    for (const inner of value.contained) if (isObject(inner) && typeof inner.id === 'string') ids.add(inner.id)
  }
  return ids
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
