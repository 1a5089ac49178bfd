import { readFileSync } from 'node:fs'
import { elementsOf } from './definitions.ts'
import type { ResourceType } from './resource.ts'

export interface Subset {
  summary?: 'true' | 'text' | 'data'
  /** Names of elements, with or without their type before a dot; what must be there comes along. */
  elements?: readonly string[]
}

const SUBSETTED = { system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue', code: 'SUBSETTED' }
const always: ReadonlySet<string> = new Set(['resourceType', 'id', 'meta'])

let summaries: Record<string, string[]> | undefined

function summaryOf(structure: string): ReadonlySet<string> | undefined {
  summaries ??= JSON.parse(readFileSync(new URL('../generated/summary.json', import.meta.url), 'utf8')) as Record<string, string[]>
  const names = summaries[structure]
  return names && new Set(names)
}

type Json = Record<string, unknown>

/**
 * Part of a resource as `_summary` and `_elements` ask for it (R4 Search, 3.1.1.5.8 and 3.1.1.5.9), marked as
 * SUBSETTED. The resource itself stays as it is.
 */
export function subsetOf(resource: Json, { summary, elements }: Subset): Json {
  const type = resource.resourceType as ResourceType
  const kept = elements ? named(resource, type, elements) : summary === 'data' ? without(resource, 'text') : summary === 'text' ? named(resource, type, ['text']) : summarized(resource, type)
  const meta = (resource.meta ?? {}) as { tag?: unknown[] }
  return { ...kept, meta: { ...meta, tag: [...(meta.tag ?? []), SUBSETTED] } }
}

function without(resource: Json, name: string): Json {
  const { [name]: _left, ...rest } = resource
  return rest
}

/** The property that holds an element: `value` for `valueQuantity`, `birthDate` for `_birthDate`. */
function elementNames(type: string): (property: string) => { name: string; required: boolean } | undefined {
  const elements = elementsOf(type) ?? {}
  return (property) => {
    const bare = property.startsWith('_') ? property.slice(1) : property
    const own = elements[bare]
    if (own) return { name: bare, required: own.min === 1 }
    for (const [name, element] of Object.entries(elements)) {
      if (element.x && bare.startsWith(name) && element.t.some((one) => bare === name + one[0]?.toUpperCase() + one.slice(1))) return { name, required: element.min === 1 }
    }
    return undefined
  }
}

function named(resource: Json, type: ResourceType, elements: readonly string[]): Json {
  const wanted = new Set(elements.map((name) => (name.startsWith(`${type}.`) ? name.slice(type.length + 1) : name)).map((name) => name.split('.')[0]))
  const nameOf = elementNames(type)
  return Object.fromEntries(
    Object.entries(resource).filter(([property]) => {
      const element = nameOf(property)
      return always.has(property) || (element && (element.required || wanted.has(element.name) || wanted.has(property)))
    }),
  )
}

function summarized(value: Json, structure: string): Json {
  const names = summaryOf(structure)
  // A datatype: R4 marks nearly all of each as part of a summary.
  if (!names) return value
  const nameOf = elementNames(structure)
  const kept: Json = {}
  for (const [property, inner] of Object.entries(value)) {
    const name = nameOf(property)?.name
    if (!always.has(property) && (name === undefined || !names.has(name))) continue
    kept[property] = name === undefined || !summaryOf(`${structure}.${name}`) ? inner : summarizedParts(inner, `${structure}.${name}`)
  }
  return kept
}

function summarizedParts(value: unknown, structure: string): unknown {
  if (Array.isArray(value)) return value.map((one) => summarizedParts(one, structure))
  return typeof value === 'object' && value !== null ? summarized(value as Json, structure) : value
}
