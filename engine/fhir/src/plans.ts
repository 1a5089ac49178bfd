import { codesOf, elementsOf, type ElementDefinition, type InvariantDefinition, invariantsOf, isResourceType } from './definitions.ts'
import type { Compiled } from './fhirpath.ts'
import { primitives } from './primitives.ts'

/** One property as JSON has it: `valueQuantity` is one of the properties of the element `value`. */
export interface Property {
  name: string
  element: ElementDefinition
  /** The one type that this property name stands for; without the `#` of a structure of its own. */
  type: string
  primitive?: { is(value: unknown): boolean; wanted: string }
  /** Required codes, any system; and `system|code` pairs. */
  codes?: CodeSet
  /** Those of this place alone. */
  invariants?: readonly Invariant[]
  /** The structure below; looked up when first needed. */
  plan?: Plan
}

/** An invariant, compiled when it is first looked at: most of them never are. */
export interface Invariant {
  key: string
  human: string
  severity: 'error' | 'warning'
  expression: string
  /** Null when the expression cannot be compiled. */
  compiled?: Compiled | null
  fault?: string
}

export function invariant({ key, human, expression, w }: InvariantDefinition): Invariant {
  return { key, human, expression, severity: w ? 'warning' : 'error' }
}

export interface CodeSet {
  any: Pick<ReadonlySet<string>, 'has'>
  pairs: Pick<ReadonlySet<string>, 'has'>
}

/** A structure of R4 made ready for walking. */
export interface Plan {
  path: string
  properties: ReadonlyMap<string, Property>
  /** The properties of an element: several for a choice. */
  elements: ReadonlyMap<string, readonly Property[]>
  /** Element names that must be present, each with the property names that satisfy it. */
  required: readonly { name: string; by: readonly string[] }[]
  /** Choices, of which one at most may be present. */
  choices: readonly { name: string; by: readonly string[] }[]
  invariants: readonly Invariant[]
}

const plans = new Map<string, Plan>()
const MEDIA_TYPE = /^[A-Za-z0-9!#$&^_.+-]+\/[A-Za-z0-9!#$&^_.+*-]+(?:\s*;.*)?$/s
// The short names of FHIR's own formats stand for their media types: http://hl7.org/fhir/R4/http.html#mime-type
const FORMATS = new Set(['xml', 'json', 'ttl', 'html'])
const mediaTypes = { has: (code: string) => FORMATS.has(code) || MEDIA_TYPE.test(code) }

/** Those listed in the definitions, as they are asked for; media types follow a rule and cannot be listed. */
const codeSets = new Map<string, CodeSet>([['http://hl7.org/fhir/ValueSet/mimetypes', { any: mediaTypes, pairs: mediaTypes }]])

/** Codes of a required value set of the definitions; undefined when they are not listed there. */
function codeSetOf(url: string): CodeSet | undefined {
  let set = codeSets.get(url)
  if (!set) {
    const codes = codesOf(url)
    if (!codes) return undefined
    const pairs = new Set<string>()
    for (const [system, values] of Object.entries(codes)) for (const code of values) pairs.add(`${system}|${code}`)
    set = { any: new Set(Object.values(codes).flat()), pairs }
    codeSets.set(url, set)
  }
  return set
}

/** The name of a choice for one type: `value` and `Quantity` give `valueQuantity`. */
function choiceName(name: string, type: string): string {
  return name + type[0]?.toUpperCase() + type.slice(1)
}

/** The plan of a resource, a datatype or an inner structure (`Observation.component`). */
export function planOf(path: string): Plan | undefined {
  const known = plans.get(path)
  if (known) return known
  // What is not there is not kept: paths come from what was sent.
  const definitions = elementsOf(path)
  if (!definitions) return undefined
  const properties = new Map<string, Property>()
  const elements = new Map<string, Property[]>()
  const required: { name: string; by: string[] }[] = []
  const choices: { name: string; by: string[] }[] = []
  for (const [name, element] of Object.entries(definitions)) {
    const names = element.x ? element.t.map((type) => choiceName(name, type)) : [name]
    const ofElement = names.map((property, at): Property => {
      // The definitions give every id as a FHIRPath string; that of a resource is narrower (R4 Resource.id).
      const type = name === 'id' && isResourceType(path) ? 'id' : (element.t[at] ?? 'string').replace('#', '')
      const primitive = primitives.get(type)
      const codes = element.b ? codeSetOf(element.b) : undefined
      const invariants = element.c?.map(invariant)
      return { name: property, element, type, ...(primitive ? { primitive } : {}), ...(codes ? { codes } : {}), ...(invariants ? { invariants } : {}) }
    })
    elements.set(name, ofElement)
    for (const property of ofElement) properties.set(property.name, property)
    if (element.min) required.push({ name: element.x ? `${name}[x]` : name, by: names })
    if (element.x) choices.push({ name: `${name}[x]`, by: names })
  }
  const plan = { path, properties, elements, required, choices, invariants: invariantsOf(path).map(invariant) }
  plans.set(path, plan)
  return plan
}
