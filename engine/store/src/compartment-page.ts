import { columnsOf, idKey, mainDateOf } from '@carespine/fhir/index-entries'
import { isResourceType } from '@carespine/fhir/definitions'
import type { ResourceType } from '@carespine/fhir/resource'
import type { Scope } from './database.ts'
import type { StoredRow } from './read-records.ts'
import type { Store } from './store.ts'
import { onlyMeant } from './twins.ts'

/** Where a page ends: the last row of it. */
export interface CompartmentPlace {
  type: ResourceType
  id: string
  branch: string
}

export interface CompartmentAsked {
  patient: string
  /** Only what came to be in this encounter. */
  encounter?: string
  isWanted(type: ResourceType): boolean
  /** Changed at or after. */
  since?: Date
  /** Care given in this time: by the main date of each type; what has none is always in. */
  from?: Date
  to?: Date
  after?: CompartmentPlace
  /** Default: all. */
  limit?: number
}

// The Patient first, then types by name: an order that no write changes, so that pages neither repeat nor skip.
const rank = (type: ResourceType): string => (type === 'Patient' ? '' : type)

/** Resources of a patient's compartment that the scope shows. Does not audit: the caller does, with what it answers. */
export async function readCompartmentPage(store: Store, scope: Scope, asked: CompartmentAsked): Promise<{ type: ResourceType; row: StoredRow }[]> {
  const { after, limit } = asked
  const key = idKey(asked.patient)
  const clocks = await store.database.query<{ types: string[] }>(
    scope,
    { name: 'compartment', text: 'select types from store.patient_clock where patient = $1', values: [key] },
    { retry: 'reads' },
  )
  const types = [...new Set(clocks.flatMap((clock) => clock.types))]
    .filter(isResourceType)
    .filter((type) => asked.isWanted(type) && (after === undefined || rank(type) >= rank(after.type)))
    .sort((a, b) => (rank(a) < rank(b) ? -1 : 1))
  if (types.length === 0) return []
  const values: unknown[] = [key]
  const parameter = (value: unknown): string => `$${values.push(value)}`
  const encounter = asked.encounter === undefined ? undefined : parameter(idKey(asked.encounter))
  const since = asked.since && parameter(asked.since)
  const from = asked.from && parameter(asked.from)
  const to = asked.to && parameter(asked.to)
  const most = limit === undefined ? '' : ` limit ${parameter(limit)}`
  const statements = types.map((type, at) => {
    const conditions = ['t.patient = $1', 'not t.deleted']
    if (encounter) conditions.push(`t.encounter = ${encounter}`)
    if (since) conditions.push(`t.updated >= ${since}::timestamptz`)
    const date = dateColumns(type)
    if (date && from) conditions.push(`coalesce(t.${date.high} >= ${from}::timestamptz, true)`)
    if (date && to) conditions.push(`coalesce(t.${date.low} <= ${to}::timestamptz, true)`)
    const meant = onlyMeant(scope, type, 't', (branch) => `${parameter(branch)}::uuid`)
    if (meant) conditions.push(meant)
    if (after?.type === type) conditions.push(`(t.id, t.branch) > (${parameter(after.id)}::uuid, ${parameter(after.branch)}::uuid)`)
    return (
      `(select ${at} as place, t.id, t.version, t.updated, t.branch, t.patient, t.owner, t.deleted, t.body ` +
      `from fhir.${type.toLowerCase()} t where ${conditions.join(' and ')} order by t.id, t.branch${most})`
    )
  })
  const text = `select * from (${statements.join(' union all ')}) found order by place, id, branch${most}`
  const rows = await store.database.query<StoredRow & { place: number }>(scope, { text, values }, { retry: 'reads' })
  return rows.map(({ place, ...row }) => ({ type: types[place] as ResourceType, row }))
}

function dateColumns(type: ResourceType): { low: string; high: string } | undefined {
  const date = mainDateOf(type)
  return date && columnsOf(date)
}
