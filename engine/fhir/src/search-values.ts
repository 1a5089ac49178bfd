import { type Span, spanOfValue } from './dates.ts'
import { type Compiled, compileExpression } from './fhirpath.ts'
import { ExpressionFault } from './fhirpath-syntax.ts'
import { type Item, itemOf, type Items, startSpending } from './fhirpath-values.ts'
import { digitsOf } from './normalize.ts'
import type { Resource } from './resource.ts'
import { type ElementPath, type SearchParameterDefinition, valuesAt } from './search-parameters.ts'
import { scaleOf } from './units.ts'

export const UCUM = 'http://unitsofmeasure.org'

export interface Token {
  system?: string
  code: string
}

/** A value of a token parameter, as what can be asked for (R4 Search, 3.1.1.4.10). */
export function tokensOf(value: unknown, type: string): Token[] {
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') return [{ code: String(value) }]
  if (typeof value !== 'object' || value === null) return []
  const { coding, system, code, value: text, use } = value as { coding?: unknown; system?: unknown; code?: unknown; value?: unknown; use?: unknown }
  if (Array.isArray(coding)) return coding.flatMap((one) => tokensOf(one, 'Coding'))
  const found = type === 'Identifier' || type === 'ContactPoint' ? text : (code ?? text)
  if (typeof found !== 'string') return []
  if (type !== 'ContactPoint') return [typeof system === 'string' ? { system, code: found } : { code: found }]
  // The specification names the use; clients also give phone or email.
  const systems = [system, use].filter((one): one is string => typeof one === 'string')
  const contact = found.includes('@') ? found.toLowerCase() : found
  return systems.length === 0 ? [{ code: contact }] : systems.map((one) => ({ system: one, code: contact }))
}

/** The last nine digits of a phone number: what is the same with and without its country code. */
export function phoneDigitsOf(text: string): string {
  return text.includes('@') ? '' : digitsOf(text).slice(-9)
}

/** Texts that stand with a code: of a CodeableConcept, a Coding, an Identifier's type, a Reference. */
export function labelsOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  const { text, display, coding, type } = value as { text?: unknown; display?: unknown; coding?: unknown; type?: { text?: unknown } }
  return [text, display, type?.text, ...(Array.isArray(coding) ? coding.flatMap(labelsOf) : [])].filter((one): one is string => typeof one === 'string')
}

/** Texts in a value of a string parameter: HumanName and Address give their parts. */
export function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  const parts = value as Record<string, unknown>
  return ['text', 'family', 'given', 'prefix', 'suffix', 'line', 'city', 'district', 'state', 'postalCode', 'country']
    .flatMap((name) => parts[name] ?? [])
    .filter((part): part is string => typeof part === 'string')
}

/** What a date parameter's value covers; of a choice only what is a time. */
export function dateSpanOf(value: unknown, type: string): Span | undefined {
  return type === 'string' || type === 'Age' || type === 'Range' ? undefined : spanOfValue(value)
}

export interface Amount {
  /** As it stands in the resource. */
  raw: Span
  /** In base units. */
  canonical: Span
  /** What it can be compared with; absent without a unit. */
  dimension?: string
  system?: string
  /** Its code and its unit's name. */
  units: readonly string[]
}

const WITHOUT_END = 1e300

/** A number or quantity: of Range what lies between, of SampledData what it holds. */
export function amountOf(value: unknown): Amount | undefined {
  if (typeof value === 'number') return { raw: { low: value, high: value }, canonical: { low: value, high: value }, units: [] }
  if (typeof value !== 'object' || value === null) return undefined
  const quantity = value as Record<string, unknown>
  if (typeof quantity.value === 'number') return inUnits({ ...spanOfQuantity(quantity.value, quantity.comparator) }, quantity)
  if (typeof quantity.origin === 'object') return sampled(quantity)
  const low = quantity.low as { value?: unknown } | undefined
  const high = quantity.high as { value?: unknown } | undefined
  if (typeof low?.value !== 'number' && typeof high?.value !== 'number') return undefined
  const span = { low: typeof low?.value === 'number' ? low.value : -WITHOUT_END, high: typeof high?.value === 'number' ? high.value : WITHOUT_END }
  return inUnits(span, (low ?? high) as Record<string, unknown>)
}

function spanOfQuantity(value: number, comparator: unknown): Span {
  return {
    low: comparator === '<' || comparator === '<=' ? -WITHOUT_END : value,
    high: comparator === '>' || comparator === '>=' ? WITHOUT_END : value,
  }
}

function inUnits(raw: Span, { code, unit, system, currency }: Record<string, unknown>): Amount {
  const units = [code, unit, currency].filter((one): one is string => typeof one === 'string')
  const [name] = units
  const from = typeof system === 'string' ? system : typeof currency === 'string' ? 'urn:iso:std:iso:4217' : undefined
  const named = { units, ...(from === undefined ? {} : { system: from }) }
  if (name === undefined) return { raw, canonical: raw, ...named }
  if (from !== undefined && from !== UCUM) return { raw, canonical: raw, dimension: `unit:${name}`, ...named }
  const { factor, offset, dimension } = scaleOf(name)
  const base = (number: number): number => (Math.abs(number) === WITHOUT_END ? number : number * factor + offset)
  return { raw, canonical: { low: base(raw.low), high: base(raw.high) }, dimension, ...named }
}

function sampled({ origin, factor, data }: Record<string, unknown>): Amount | undefined {
  const { value: zero = 0 } = origin as { value?: number }
  if (typeof data !== 'string') return undefined
  const numbers = data.split(' ').map(Number).filter(Number.isFinite)
  if (numbers.length === 0) return undefined
  const values = numbers.map((one) => zero + one * (typeof factor === 'number' ? factor : 1))
  return inUnits({ low: Math.min(...values), high: Math.max(...values) }, origin as Record<string, unknown>)
}

export interface Reference {
  /** `Patient/12`, a canonical or another absolute URL. */
  text?: string
  type?: string
  id?: string
  identifier?: unknown
}

const RELATIVE = /^([A-Z][A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/[A-Za-z0-9\-.]+)?$/
const ABSOLUTE = /^https?:\/\/.*\/([A-Z][A-Za-z]+)\/[A-Za-z0-9\-.]{1,64}(?:\/_history\/[A-Za-z0-9\-.]+)?$/

/** A local reference as type and id, without its version. */
export function localReference(text: string): { type: string; id: string } | undefined {
  const match = RELATIVE.exec(text)
  return match ? { type: match[1] as string, id: match[2] as string } : undefined
}

/** A value of a reference parameter: Reference, canonical, uri, or a resource in a Bundle. */
export function referenceOf(value: unknown, container: unknown): Reference | undefined {
  if (typeof value === 'string') return { text: value }
  if (typeof value !== 'object' || value === null) return undefined
  const { reference, type, identifier, resourceType, id } = value as Record<string, unknown>
  if (typeof resourceType === 'string') {
    return typeof id === 'string' ? { text: `${resourceType}/${id}`, type: resourceType, id } : { type: resourceType }
  }
  const named = typeof type === 'string' ? { type: type.slice(type.lastIndexOf('/') + 1) } : {}
  const logical = typeof identifier === 'object' && identifier !== null ? { identifier } : {}
  if (typeof reference !== 'string') return { ...named, ...logical }
  const local = localReference(reference)
  if (local) return { text: `${local.type}/${local.id}`, ...local, ...logical }
  const elsewhere = ABSOLUTE.exec(reference)?.[1]
  if (elsewhere) return { text: reference, type: elsewhere, ...logical }
  const inside = reference.startsWith('#') ? containedIn(container, reference.slice(1)) : undefined
  return { text: reference, ...named, ...(inside ? { type: inside } : {}), ...logical }
}

function containedIn(container: unknown, id: string): string | undefined {
  const { contained } = container as { contained?: unknown }
  return Array.isArray(contained) ? (contained as Resource[]).find((one) => one?.id === id)?.resourceType : undefined
}

/** The values of a parameter in a resource, each with the path that led to it. */
export function valuesOf(resource: unknown, { paths, type }: Pick<SearchParameterDefinition, 'paths' | 'type'>): { value: unknown; path: ElementPath }[] {
  const found: { value: unknown; path: ElementPath }[] = []
  for (const path of paths) {
    if (path.expression !== undefined) {
      for (const item of evaluated(path.expression, resource)) {
        if (type !== 'reference' || item.type !== 'Attachment') found.push({ value: item.value, path: { ...path, type: item.type } })
      }
      continue
    }
    for (const value of valuesAt(resource, path)) {
      if (type === 'reference' && path.target !== undefined && referenceOf(value, resource)?.type !== path.target) continue
      if (type === 'reference' && path.type === 'Attachment') continue
      found.push({ value, path })
    }
  }
  return found
}

const compiled = new Map<string, Compiled>()

// What an expression cannot be asked of a resource has no value there: an error in one is no reason to refuse the other.
function evaluated(expression: string, resource: unknown): Items {
  let run = compiled.get(expression)
  if (!run) {
    run = compileExpression(expression)
    if (compiled.size < 500) compiled.set(expression, run)
  }
  const item = itemOf(resource as object)
  try {
    startSpending()
    return run(item, { resource: item, root: item, resolve: (reference) => leadsTo(reference, resource) })
  } catch (error) {
    if (error instanceof ExpressionFault) return []
    throw error
  }
}

// Of what a reference leads to, its type is known from the text.
function leadsTo(reference: string, resource: unknown): Item | undefined {
  const { type, id } = referenceOf({ reference }, resource) ?? {}
  return type === undefined ? undefined : itemOf({ resourceType: type, ...(id === undefined ? {} : { id }) })
}

/** For a parameter that asks whether something stands there. */
export function existenceOf(resource: unknown, parameter: SearchParameterDefinition): string | undefined {
  if (!parameter.paths.some(({ exists }) => exists)) return undefined
  return String(valuesOf(resource, parameter).some(({ value }) => value !== false))
}

/** A position on earth. */
export function positionOf(value: unknown): { latitude: number; longitude: number } | undefined {
  const { latitude, longitude } = (value ?? {}) as { latitude?: unknown; longitude?: unknown }
  return typeof latitude === 'number' && typeof longitude === 'number' ? { latitude, longitude } : undefined
}
