import { existsSync, readFileSync } from 'node:fs'
import type { ResourceType } from './resource.ts'

export type ParameterType = 'string' | 'token' | 'reference' | 'uri' | 'date' | 'number' | 'quantity'

/** Where the values of a parameter stand: property names from the resource, the type found, and a filter on it. */
export interface ElementPath {
  steps: readonly string[]
  type: string
  /** Only references to this type, or only elements with this `type`. */
  target?: string
  relation?: string
}

export interface SearchParameterDefinition {
  code: string
  type: ParameterType
  paths: readonly ElementPath[]
  targets: readonly string[]
}

type Compiled = Record<string, Record<string, { type: ParameterType; paths: [string, string, string?][]; targets?: string[] }>>

const source = new URL('../generated/search.json', import.meta.url)
// Absent only while it is being generated.
const compiled: Compiled = existsSync(source) ? (JSON.parse(readFileSync(source, 'utf8')) as Compiled) : {}
const byType = new Map<string, ReadonlyMap<string, SearchParameterDefinition>>()

/** The R4 search parameters of a type by code; composite and special ones apart. */
export function searchParametersOf(type: ResourceType): ReadonlyMap<string, SearchParameterDefinition> {
  let parameters = byType.get(type)
  if (!parameters) {
    parameters = new Map(
      Object.entries(compiled[type] ?? {}).map(([code, { type: kind, paths, targets = [] }]) => [
        code,
        {
          code,
          type: kind,
          targets,
          paths: paths.map(([path, found, only]) => ({
            steps: path.split('.'),
            type: found,
            ...(only === undefined ? {} : only.startsWith('type=') ? { relation: only.slice(5) } : { target: only }),
          })),
        },
      ]),
    )
    byType.set(type, parameters)
  }
  return parameters
}

/** Values at a path; arrays on the way are walked through. */
export function valuesAt(resource: unknown, path: ElementPath): unknown[] {
  const found: unknown[] = []
  collect(resource, path.steps, 0, found, path.relation)
  return found
}

function collect(value: unknown, steps: readonly string[], at: number, found: unknown[], relation?: string): void {
  if (value === undefined || value === null) return
  if (Array.isArray(value)) {
    for (const one of value) collect(one, steps, at, found, relation)
    return
  }
  if (at === steps.length) {
    found.push(value)
    return
  }
  // A relation such as relatedArtifact.where(type='depends-on') filters the element that carries the last step.
  const last = at === steps.length - 1
  if (last && relation !== undefined && (value as { type?: unknown }).type !== relation) return
  collect((value as Record<string, unknown>)[steps[at] as string], steps, at + 1, found, relation)
}
