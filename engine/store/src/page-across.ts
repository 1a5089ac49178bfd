import type { ResourceOf, ResourceType, Stored } from '@carespine/fhir/resource'
import type { ReadView, SearchInput } from './contract.ts'
import { refuse } from './refusal.ts'

/**
 * Several searches of one type as one list, in their order: all of the first, then all of the second. For an order that
 * no parameter has. A resource that two of them match comes twice.
 */
export async function pageAcross<T extends ResourceType>(
  view: ReadView,
  type: T,
  searches: readonly SearchInput[],
  { limit, cursor }: { limit: number; cursor?: string | undefined },
): Promise<{ resources: Stored<ResourceOf<T>>[]; next?: string }> {
  // `1~` begins the second search, `1~eyJ…` goes on in it.
  const [, from = '0', inner = ''] = cursor === undefined ? [] : (/^(\d)~([\w-]*)$/.exec(cursor) ?? refuse('SEARCH_CURSOR_INVALID'))
  const resources: Stored<ResourceOf<T>>[] = []
  let within = inner
  for (let at = Number(from); at < searches.length; at += 1) {
    const { resources: found, next } = await view.page(type, {
      ...searches[at],
      _count: String(limit - resources.length),
      ...(within === '' ? {} : { _cursor: within }),
    })
    resources.push(...found)
    if (next !== undefined) return { resources, next: `${at}~${next}` }
    if (resources.length >= limit) return at + 1 < searches.length ? { resources, next: `${at + 1}~` } : { resources }
    within = ''
  }
  return { resources }
}
