import { isObject, type Item, itemOf } from './fhirpath-values.ts'

/** Finds what references lead to within one resource: what it contains, or the entries of a Bundle. */
export function resolverOf(root: Readonly<Record<string, unknown>>): (reference: string) => Item | undefined {
  // Made at the first reference: most resources are never asked.
  let known: Map<string, Item> | undefined
  return (reference) => {
    if (reference === '#') return itemOf(root)
    if (!reference.startsWith('#') && root.resourceType !== 'Bundle') return undefined
    known ??= index(root)
    return known.get(reference)
  }
}

function index(root: Readonly<Record<string, unknown>>): Map<string, Item> {
  const known = new Map<string, Item>()
  for (const inner of Array.isArray(root.contained) ? root.contained : []) {
    if (isObject(inner) && typeof inner.id === 'string' && !known.has(`#${inner.id}`)) known.set(`#${inner.id}`, itemOf(inner))
  }
  if (root.resourceType !== 'Bundle') return known
  for (const entry of Array.isArray(root.entry) ? root.entry : []) {
    if (!isObject(entry) || !isObject(entry.resource)) continue
    const { fullUrl, resource } = entry
    for (const name of [fullUrl, `${String(resource.resourceType)}/${String(resource.id)}`]) {
      if (typeof name === 'string' && !known.has(name)) known.set(name, itemOf(resource))
    }
  }
  return known
}
