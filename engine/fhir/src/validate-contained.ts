import { isObject } from './fhirpath-values.ts'
import type { Report } from './report.ts'

/** Ids of the resources that a resource contains. */
export function containedIds(value: Readonly<Record<string, unknown>>): ReadonlySet<string> {
  const ids = new Set<string>()
  if (Array.isArray(value.contained)) {
    for (const inner of value.contained) if (isObject(inner) && typeof inner.id === 'string') ids.add(inner.id)
  }
  return ids
}

/** http://hl7.org/fhir/R4/references.html#contained and dom-2 to dom-5 of http://hl7.org/fhir/R4/domainresource.html */
export function checkContained(outer: Readonly<Record<string, unknown>>, contained: readonly unknown[], place: string, report: Report): void {
  if (place === 'contained') {
    report.error('invariant', 'A contained resource may not contain others (dom-2).')
    return
  }
  const pointed = new Set<string>()
  collect(outer, pointed, 0)
  const seen = new Set<string>()
  contained.forEach((inner, at) => {
    if (!isObject(inner)) return
    report.path.push('contained', at)
    if (isObject(inner.meta)) {
      if (inner.meta.versionId !== undefined || inner.meta.lastUpdated !== undefined) {
        report.error('invariant', 'A contained resource has no meta.versionId or meta.lastUpdated (dom-4).')
      }
      if (inner.meta.security !== undefined) report.error('invariant', 'A contained resource has no security labels of its own (dom-5).')
    }
    const id = typeof inner.id === 'string' ? inner.id : undefined
    const pointsOut = new Set<string>()
    collect(inner, pointsOut, 0)
    if (id !== undefined && seen.has(id)) report.error('value', 'Another contained resource has this id: references could not tell them apart.')
    if (!pointsOut.has('#') && (id === undefined || !pointed.has(`#${id}`))) {
      report.error('invariant', 'A contained resource is referred to from elsewhere in the resource, or refers to the resource that contains it (dom-3).')
    }
    if (id !== undefined) seen.add(id)
    report.path.length -= 2
  })
}

/** Every text that may be a local reference: of a Reference, a canonical, a uri or a url. */
function collect(value: unknown, found: Set<string>, depth: number): void {
  if (typeof value === 'string') {
    if (value.startsWith('#')) found.add(value)
  } else if (typeof value === 'object' && value !== null && depth < 100) {
    for (const inner of Object.values(value)) collect(inner, found, depth + 1)
  }
}
