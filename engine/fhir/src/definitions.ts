import { readFileSync } from 'node:fs'
import type { ResourceType } from './resource.ts'

/** One element of a structure, as the R4 definitions give it. */
export interface ElementDefinition {
  /** Type names; `#Observation.component` for a structure of its own. */
  t: readonly string[]
  min?: 1
  many?: 1
  /** A choice: `value` stands for valueQuantity, valueString and so on. */
  x?: 1
  /** Allowed targets of a reference; absent when any will do. */
  r?: readonly string[]
  /** Required value set. */
  b?: string
  /** Extensible value set. */
  e?: string
  /** Invariants of this place alone. */
  c?: readonly InvariantDefinition[]
}

/** A constraint as the definitions give it: an expression that is true of what is valid. */
export interface InvariantDefinition {
  key: string
  human: string
  expression: string
  /** 1 for what is good practice only. */
  w?: 1
}

interface Definitions {
  resourceTypes: ResourceType[]
  structures: Record<string, Record<string, ElementDefinition>>
  invariants: Record<string, InvariantDefinition[]>
  bindings: Record<string, Record<string, string[]>>
}

const definitions = JSON.parse(
  readFileSync(new URL('../generated/definitions.json', import.meta.url), 'utf8'),
) as Definitions

/** Every R4 resource type that can be stored, in alphabetical order. */
export const resourceTypes: readonly ResourceType[] = definitions.resourceTypes

const known = new Set<string>(resourceTypes)

export function isResourceType(name: string): name is ResourceType {
  return known.has(name)
}

/** Elements of a resource, a datatype or an inner structure (`Observation.component`); undefined when unknown. */
export function elementsOf(path: string): Readonly<Record<string, ElementDefinition>> | undefined {
  return Object.hasOwn(definitions.structures, path) ? definitions.structures[path] : undefined
}

/** Every structure there is. */
export function structureNames(): string[] {
  return Object.keys(definitions.structures)
}

/** Invariants of a resource, a datatype or an inner structure. */
export function invariantsOf(path: string): readonly InvariantDefinition[] {
  return (Object.hasOwn(definitions.invariants, path) && definitions.invariants[path]) || []
}

/** Codes by system of a required value set. */
export function codesOf(valueSet: string): Readonly<Record<string, readonly string[]>> | undefined {
  return definitions.bindings[valueSet]
}
