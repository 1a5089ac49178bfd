import { withDigitsOf } from './decimal-digits.ts'
import { planOf, type Plan } from './plans.ts'

/** What a link becomes: another text, or undefined to stay as it is. */
export type Resolve = (link: string) => string | undefined

// R4 RESTful API, 3.1.0.11.2: links are replaced in references, in elements of type uri, url, oid and uuid, and in href
// and src of the narrative. Those of type canonical stay.
const LINK_TYPES = new Set(['uri', 'url', 'oid', 'uuid'])
const IN_NARRATIVE = /(<(?:a|img)\b[^<>]*?\s(?:href|src)\s*=\s*)(?:"([^"]*)"|'([^']*)')/g

export interface Links {
  /** Of an element of type Reference. */
  reference: Resolve
  /** Of any other link. */
  other: Resolve
}

/** A copy of a resource with its links replaced; what stands in a Bundle within it belongs to that Bundle, and stays. */
export function replaceLinks<R extends object>(resource: R, links: Links): R {
  return copyOf(resource as Record<string, unknown>, planOf((resource as { resourceType?: string }).resourceType ?? ''), links) as R
}

function copyOf(value: Record<string, unknown>, plan: Plan | undefined, links: Links): Record<string, unknown> {
  const copy: Record<string, unknown> = {}
  for (const [name, inner] of Object.entries(value)) {
    const beside = name.startsWith('_')
    const property = plan?.properties.get(beside ? name.slice(1) : name)
    const type = beside ? 'Element' : property?.type
    copy[name] = property && !(plan?.path === 'Bundle' && name === 'entry') ? replaced(inner, type ?? '', plan?.path === 'Reference' && name === 'reference', links) : inner
  }
  return withDigitsOf(copy, value)
}

function replaced(value: unknown, type: string, isReference: boolean, links: Links): unknown {
  if (Array.isArray(value)) return withDigitsOf(value.map((one: unknown) => replaced(one, type, isReference, links)), value)
  if (typeof value === 'string') {
    if (isReference) return links.reference(value) ?? value
    if (LINK_TYPES.has(type)) return links.other(value) ?? value
    return type === 'xhtml' ? inNarrative(value, links.other) : value
  }
  if (typeof value !== 'object' || value === null) return value
  const { resourceType } = value as { resourceType?: unknown }
  return copyOf(value as Record<string, unknown>, planOf(type === 'Resource' && typeof resourceType === 'string' ? resourceType : type), links)
}

function inNarrative(div: string, resolve: Resolve): string {
  return div.replace(IN_NARRATIVE, (whole, before: string, double: string | undefined, single: string | undefined) => {
    const target = resolve(double ?? single ?? '')
    return target === undefined ? whole : `${before}"${target}"`
  })
}
