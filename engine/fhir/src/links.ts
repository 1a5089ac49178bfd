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

/**
 * A resource with its links replaced: itself where there are none, else a copy of what they stand in. What stands in a Bundle
 * within it belongs to that Bundle, and stays.
 */
export function replaceLinks<R extends object>(resource: R, links: Links): R {
  return linked(resource as Record<string, unknown>, planOf((resource as { resourceType?: string }).resourceType ?? ''), links) as R
}

// Most of a resource holds no link. Copying all of it was a twentieth of the processor time of a transaction.
function linked(value: Record<string, unknown>, plan: Plan | undefined, links: Links): Record<string, unknown> {
  let copy: Record<string, unknown> | undefined
  for (const name of Object.keys(value)) {
    const inner = value[name]
    const beside = name.startsWith('_')
    const property = plan?.properties.get(beside ? name.slice(1) : name)
    if (!property || (plan?.path === 'Bundle' && name === 'entry')) continue
    const now = replaced(inner, beside ? 'Element' : property.type, plan?.path === 'Reference' && name === 'reference', links)
    if (now === inner) continue
    copy ??= withDigitsOf({ ...value }, value)
    copy[name] = now
  }
  return copy ?? value
}

function replaced(value: unknown, type: string, isReference: boolean, links: Links): unknown {
  if (typeof value === 'string') {
    if (isReference) return links.reference(value) ?? value
    if (LINK_TYPES.has(type)) return links.other(value) ?? value
    return type === 'xhtml' ? inNarrative(value, links.other) : value
  }
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const all = value.map((one: unknown) => replaced(one, type, isReference, links))
    return all.every((one, at) => one === value[at]) ? value : withDigitsOf(all, value)
  }
  const { resourceType } = value as { resourceType?: unknown }
  return linked(value as Record<string, unknown>, planOf(type === 'Resource' && typeof resourceType === 'string' ? resourceType : type), links)
}

function inNarrative(div: string, resolve: Resolve): string {
  return div.replace(IN_NARRATIVE, (whole, before: string, double: string | undefined, single: string | undefined) => {
    const target = resolve(double ?? single ?? '')
    return target === undefined ? whole : `${before}"${target}"`
  })
}
