import { elementsOf, invariantsOf, isResourceType, resourceTypes, structureNames } from './definitions.ts'
import { type Invariant, invariant, planOf, type Property } from './plans.ts'
import type { ProfileDefinition, ProfileElement } from './profile-definition.ts'

/** What a profile asks of one element beyond what R4 asks of it. */
export interface Rule {
  /** As the definitions call it: `value`. */
  name: string
  /** As the profile calls it: `Observation.component:systolic.value[x]`. */
  id: string
  min: number
  max: number
  /** Types that R4 allows here. */
  base: readonly string[]
  /** Given when it is narrower than in R4. */
  types?: readonly TypeRule[]
  fixed?: { value: unknown }
  pattern?: { value: unknown }
  low?: { value: unknown; type: string }
  high?: { value: unknown; type: string }
  maxLength?: number
  binding?: { strength: string; valueSet: string; most?: string }
  invariants: Invariant[]
  children: Map<string, Rule>
  slicing?: Slicing
  /** Another element of the profile, whose children this one has. */
  sameAs?: string
}

export interface TypeRule {
  code: string
  profile?: readonly string[]
  targetProfile?: readonly string[]
}

interface Slicing {
  discriminators: readonly { type: string; path: string }[]
  rules: string
  ordered: boolean
  slices: Map<string, Rule>
}

/** A profile made ready for checking. */
export interface Profile {
  url: string
  name: string
  type: string
  kind: string
  root: Rule
  /** Rules by element id, for content that refers to another element. */
  byId: ReadonlyMap<string, Rule>
  context: readonly { type: string; expression: string }[]
  contextInvariant: readonly Invariant[]
  /** One of those that R4 itself publishes. */
  isPublished: boolean
  /** Of an extension: whether it changes the meaning of what it stands in. */
  isModifier: boolean
}

const CORE = 'http://hl7.org/fhir/StructureDefinition/'

/** The R4 type that a canonical URL stands for; undefined when it is a profile. */
export function coreTypeOf(canonical: string): string | undefined {
  if (!canonical.startsWith(CORE)) return undefined
  const name = canonical.slice(CORE.length).split('|')[0] ?? ''
  return isResourceType(name) || elementsOf(name) || name === 'Resource' || name === 'DomainResource' ? name : undefined
}

let ofR4: ReadonlySet<string> | undefined

// A snapshot repeats the invariants of R4, which have been checked when its rules are looked at.
function isOfR4(key: string, expression: string): boolean {
  ofR4 ??= new Set(
    structureNames().flatMap((path) =>
      [...invariantsOf(path), ...Object.values(elementsOf(path) ?? {}).flatMap(({ c }) => c ?? [])].map((one) => `${one.key} ${one.expression}`),
    ),
  )
  return ofR4.has(`${key} ${expression}`)
}

function emptyRule(name: string, id: string, base: readonly string[]): Rule {
  return { name, id, base, min: 0, max: Number.POSITIVE_INFINITY, invariants: [], children: new Map() }
}

/**
 * The rules of a profile. `inherited` are the elements of the profile it is derived from; none when that is a type of R4,
 * or when the definition comes with a snapshot.
 */
export function rulesOf(definition: ProfileDefinition, inherited: readonly ProfileElement[], isPublished: boolean): Profile {
  const { url, name, type, kind, context = [], contextInvariant = [] } = definition
  const root = emptyRule(type, type, [type])
  const byId = new Map<string, Rule>([[type, root]])
  let isModifier = false
  for (const element of [...inherited, ...definition.elements]) {
    const segments = segmentsOf(element)
    if (segments.length === 0) isModifier = element.isModifier ?? isModifier
    const place = placeOf(root, segments, byId)
    if (place) apply(place.rule, element, place.property)
  }
  prune(root)
  return {
    url,
    name,
    type,
    kind,
    root,
    byId,
    context,
    contextInvariant: contextInvariant.map((expression) => invariant({ key: 'context', human: 'the condition under which it may stand', expression })),
    isPublished,
    isModifier,
  }
}

interface Segment {
  name: string
  slice?: string
}

function segmentsOf({ id }: ProfileElement): Segment[] {
  return id
    .split('.')
    .slice(1)
    .map((part) => {
      const at = part.indexOf(':')
      return at < 0 ? { name: part } : { name: part.slice(0, at), slice: part.slice(at + 1) }
    })
}

interface Place {
  rule: Rule
  property?: Property
}

function placeOf(root: Rule, segments: readonly Segment[], byId: Map<string, Rule>): Place | undefined {
  let rule = root
  let property: Property | undefined
  for (const { name, slice } of segments) {
    const found = childOf(rule, name)
    if (!found) return undefined
    property = found.property
    rule = found.rule
    // A choice may be written as the one type that is meant: Observation.valueQuantity.
    const meant = slice ?? (found.oneOf === undefined ? undefined : name)
    if (meant !== undefined) rule = sliceOf(rule, meant, found.oneOf === undefined ? rule.base : [found.oneOf])
    byId.set(rule.id, rule)
  }
  return { rule, ...(property ? { property } : {}) }
}

function childOf(parent: Rule, written: string): { rule: Rule; property?: Property; oneOf?: string } | undefined {
  const name = written.replace('[x]', '')
  const structures = parent.types?.map(({ code }) => code) ?? parent.base
  for (const type of structures) {
    const plan = planOf(type)
    const ofElement = plan?.elements.get(name)
    const single = ofElement ? undefined : plan?.properties.get(name)
    const element = single ? choiceOf(plan, name) : name
    const property = ofElement?.[0] ?? single
    if (!property || element === undefined) continue
    let rule = parent.children.get(element)
    if (!rule) {
      const types = plan?.elements.get(element)?.map((one) => one.type) ?? []
      rule = emptyRule(element, `${parent.id}.${property.element.x ? `${element}[x]` : element}`, types)
      parent.children.set(element, rule)
    }
    return { rule, property, ...(single ? { oneOf: single.type } : {}) }
  }
  return undefined
}

function choiceOf(plan: ReturnType<typeof planOf>, property: string): string | undefined {
  for (const [name, ofElement] of plan?.elements ?? []) if (ofElement.some((one) => one.name === property)) return name
  return undefined
}

// `A/B` is the slice B of the slice A.
function sliceOf(rule: Rule, name: string, base: readonly string[]): Rule {
  const at = name.lastIndexOf('/')
  const sliced = at > 0 ? sliceOf(rule, name.slice(0, at), base) : rule
  sliced.slicing ??= { discriminators: [], rules: 'open', ordered: false, slices: new Map() }
  let slice = sliced.slicing.slices.get(name)
  if (!slice) {
    const typed = rule.base.find((type) => name === rule.name + type[0]?.toUpperCase() + type.slice(1))
    slice = emptyRule(rule.name, `${rule.id}:${name}`, typed === undefined ? base : [typed])
    sliced.slicing.slices.set(name, slice)
  }
  return slice
}

function apply(rule: Rule, element: ProfileElement, property: Property | undefined): void {
  const { min, max, type, fixed, pattern, minValue, maxValue, maxLength, binding, constraint, slicing, contentReference } = element
  const isSlice = rule.id.endsWith(`:${element.sliceName ?? ''}`) && element.sliceName !== undefined
  const base = isSlice ? undefined : property?.element
  if (min !== undefined) rule.min = min <= (base?.min ?? 0) ? 0 : min
  if (max !== undefined) rule.max = max === '*' || (max === '1' && base && !base.many) ? Number.POSITIVE_INFINITY : Number(max)
  if (type && type.length > 0 && property && !sameTypes(type, property, rule.base)) rule.types = type
  if (fixed) rule.fixed = { value: fixed.value }
  if (pattern) rule.pattern = { value: pattern.value }
  if (minValue) rule.low = { value: minValue.value, type: typeNamed(minValue.name) }
  if (maxValue) rule.high = { value: maxValue.value, type: typeNamed(maxValue.name) }
  if (maxLength !== undefined) rule.maxLength = maxLength
  if (binding) {
    const valueSet = binding.valueSet.split('|')[0]
    const known = (binding.strength === 'required' && property?.element.b === valueSet) || (binding.strength === 'extensible' && property?.element.e === valueSet)
    if (!known || binding.most !== undefined) rule.binding = binding
  }
  if (contentReference !== undefined) rule.sameAs = contentReference
  if (slicing) {
    rule.slicing = {
      discriminators: slicing.discriminator ?? rule.slicing?.discriminators ?? [],
      rules: slicing.rules ?? rule.slicing?.rules ?? 'open',
      ordered: slicing.ordered ?? rule.slicing?.ordered ?? false,
      slices: rule.slicing?.slices ?? new Map(),
    }
  }
  for (const { key, severity, human, expression } of constraint ?? []) {
    if (isOfR4(key, expression) || rule.invariants.some((known) => known.key === key && known.expression === expression)) continue
    rule.invariants.push(invariant({ key, human, expression, ...(severity === 'warning' ? { w: 1 } : {}) }))
  }
}

function typeNamed(name: string): string {
  return planOf(name) ? name : (name[0]?.toLowerCase() ?? '') + name.slice(1)
}

function sameTypes(types: readonly TypeRule[], property: Property, base: readonly string[]): boolean {
  if (types.some(({ profile }) => profile !== undefined)) return false
  const isInner = types.length === 1 && (types[0]?.code === 'BackboneElement' || types[0]?.code === 'Element')
  if (!isInner && !base.every((type) => types.some(({ code }) => code === type || (code === 'string' && /^(id|uri)$/.test(type))))) return false
  const targets = types.flatMap(({ targetProfile }) => targetProfile ?? [])
  if (targets.length === 0) return true
  const names = targets.map(coreTypeOf)
  if (names.includes('Resource')) return true
  const { r } = property.element
  if (r === undefined) return resourceTypes.every((type) => names.includes(type))
  return names.every((name) => name !== undefined) && r.every((name) => names.includes(name))
}

/** Leaves out rules that ask nothing. */
function prune(rule: Rule): boolean {
  for (const [name, child] of rule.children) if (prune(child)) rule.children.delete(name)
  for (const slice of rule.slicing?.slices.values() ?? []) prune(slice)
  if (rule.slicing && rule.slicing.slices.size === 0 && rule.slicing.rules !== 'closed') delete rule.slicing
  // What refers to an element that asks nothing asks nothing; told when it is followed.
  return (
    rule.min === 0 && rule.max === Number.POSITIVE_INFINITY && rule.children.size === 0 && rule.invariants.length === 0 &&
    !rule.types && !rule.fixed && !rule.pattern && !rule.low && !rule.high && rule.maxLength === undefined && !rule.binding && !rule.slicing && rule.sameAs === undefined
  )
}
