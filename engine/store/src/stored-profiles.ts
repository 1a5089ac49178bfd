import type { StructureDefinition } from '@carespine/fhir/resource'
import { SHARED_BRANCH } from './contract.ts'
import { searchOf } from './search-input.ts'
import type { Store } from './store.ts'

const everyBranch = { branches: `{${SHARED_BRANCH}}`, patient: '' }

/** The StructureDefinition of a canonical URL, `|version` included when one is meant; else the newest that is not retired. */
export async function findStoredProfile(store: Store, canonical: string): Promise<StructureDefinition | undefined> {
  const [url = '', version] = canonical.split('|')
  // `,`, `|` and `\` mean something to a search.
  const query = searchOf('StructureDefinition', { url: url.replace(/[\\,|$]/g, '\\$&'), _count: '50' })
  const { rows } = await store.search(everyBranch, query)
  const found = rows.map(({ body }) => JSON.parse(body.toString()) as StructureDefinition)
  if (version !== undefined) return found.find((one) => one.version === version)
  return found.find(({ status }) => status !== 'retired') ?? found[0]
}
