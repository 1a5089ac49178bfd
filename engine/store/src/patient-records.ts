import { idKey } from '@carespine/fhir/index-entries'
import { isResourceType } from '@carespine/fhir/definitions'
import type { ResourceType } from '@carespine/fhir/resource'
import { LRUCache } from 'lru-cache'
import { type AuditEntry, auditInsert, auditValues } from './audit.ts'
import { plainArray, textArray } from './array-literal.ts'
import { Batch } from './batch.ts'
import { type Scope, scopeKey } from './database.ts'
import type { Asker, StoredRow } from './read-records.ts'
import type { Store } from './store.ts'
import { onlyMeant } from './twins.ts'

/** A resource as it was opened. */
export interface OpenedRow {
  type: ResourceType
  row: Pick<StoredRow, 'id' | 'version' | 'branch' | 'patient' | 'updated'>
  body: Buffer
}

/** Every current resource of a patient's compartment that a scope shows. */
export interface PatientRecord {
  /** The Patient first. Empty for a patient of whom nothing is seen. */
  found: readonly OpenedRow[]
  /** The audit entry of this reading is committed. */
  noted: boolean
}

interface Asked {
  key: string
  known: string
  entry: AuditEntry
}

interface Clock {
  patient: string
  at: string
  types: string
}

interface Kept {
  at: string
  found: readonly OpenedRow[]
}

const MOST_BYTES = 16 * 1024 * 1024
/** What a row takes beside its body. */
const OVERHEAD = 400

// The entry goes in with the question whether the record has moved: when it has not, nothing else is asked.
const clocks =
  `with asked as materialized (select * from unnest($1::uuid[], $2::text[]) as q(patient, known)), ` +
  `clock as materialized (select c.patient, string_agg(c.branch || '=' || c.tick, ';' order by c.branch) as at, ` +
  `string_agg(array_to_string(c.types, ','), ',') as types from store.patient_clock c where c.patient = any ($1::uuid[]) group by c.patient), ` +
  `noted as (${auditInsert(3)} where exists (select 1 from asked q join clock k on k.patient = q.patient and k.at = q.known where q.patient = a.patient)) ` +
  'select patient::text, at, types from clock'

/**
 * Whole records of patients, kept as long as they stand. Every write about a patient moves the clock of its branch in the
 * statement that stores it: a record whose clocks, as the scope of this request shows them, stand where they stood is the
 * same to the byte. A record of 500 resources took 8 ms of the processor, most of it to fetch and look through rows that
 * were known; asking for its clocks takes less than one.
 */
export class PatientRecords {
  readonly #store: Store
  readonly #kept = new LRUCache<string, Kept>({
    maxSize: MOST_BYTES,
    sizeCalculation: ({ found }) => found.reduce((sum, { body }) => sum + body.length + OVERHEAD, 1),
  })
  readonly #batches = new Map<string, Batch<Asked, Clock | undefined>>()

  constructor(store: Store) {
    this.#store = store
  }

  /** Reads it. Unless `noted`, the caller has to audit what it shows of it. */
  async read(asker: Asker, scope: Scope, patient: string): Promise<PatientRecord> {
    const key = idKey(patient)
    const seenBy = scopeKey(scope)
    const place = `${key};${seenBy}`
    // Which of two resources of one id a caller of several branches means may change with a write about somebody else.
    const keeps = scope.prefers === undefined
    const kept = keeps ? this.#kept.get(place) : undefined
    const clock = await this.#clockOf(asker, scope, seenBy, key, kept?.at ?? '')
    if (!clock) return { found: [], noted: false }
    if (kept && kept.at === clock.at) return { found: kept.found, noted: true }
    // Read after its clocks: what changes in between moves them, and is asked for again.
    const found = await this.#readAll(scope, key, clock.types.split(','))
    if (keeps && found.length > 0) this.#kept.set(place, { at: clock.at, found })
    return { found, noted: false }
  }

  async #clockOf(asker: Asker, scope: Scope, seenBy: string, key: string, known: string): Promise<Clock | undefined> {
    let batch = this.#batches.get(seenBy)
    if (!batch) {
      batch = new Batch((asked) => this.#clocksOf(scope, asked), { largest: 32 })
      this.#batches.set(seenBy, batch)
    }
    const entry = this.#store.auditEntry(asker, asker.now, { resourceType: 'Patient', resource: key, patient: key })
    const clock = await batch.add({ key, known, entry })
    if (batch.idle) this.#batches.delete(seenBy)
    return clock
  }

  async #clocksOf(scope: Scope, asked: readonly Asked[]): Promise<(Clock | undefined)[]> {
    const rows = await this.#store.database.query<Clock>(
      scope,
      {
        name: 'clocks',
        text: clocks,
        values: [plainArray(asked.map(({ key }) => key)), textArray(asked.map(({ known }) => known)), ...auditValues(asked.map(({ entry }) => entry))],
      },
      { retry: 'reads' },
    )
    const byPatient = new Map(rows.map((row) => [row.patient, row]))
    return asked.map(({ key }) => byPatient.get(key))
  }

  async #readAll(scope: Scope, key: string, named: readonly string[]): Promise<OpenedRow[]> {
    const types = [...new Set(named)].filter(isResourceType).sort()
    if (types.length === 0) return []
    const text = types
      .map(
        (type) =>
          `select '${type}' as type, t.id, t.version, t.updated, t.branch, t.patient, t.body from fhir.${type.toLowerCase()} t ` +
          `where t.patient = $1 and not t.deleted${meant(scope, type)}`,
      )
      .join(' union all ')
    const rows = await this.#store.database.query<Omit<StoredRow, 'owner' | 'deleted'> & { type: ResourceType }>(
      scope,
      { text, values: [key, ...(text.includes('$2') && scope.prefers !== undefined ? [scope.prefers] : [])], ...statementName(text) },
      { retry: 'reads' },
    )
    const found = rows.map(({ type, body, ...row }): OpenedRow => ({ type, row, body: this.#store.bodyOf(type, { ...row, body }) }))
    return [...found.filter(({ type }) => type === 'Patient'), ...found.filter(({ type }) => type !== 'Patient')]
  }
}

function meant(scope: Scope, type: ResourceType): string {
  const condition = onlyMeant(scope, type, 't', () => '$2::uuid')
  return condition === undefined ? '' : ` and ${condition}`
}

// Patients of one hospital share few sets of types; each set is prepared once.
const names = new Map<string, string>()
const MOST_NAMES = 200

function statementName(text: string): { name?: string } {
  const known = names.get(text) ?? `compartment-${names.size}`
  if (names.size >= MOST_NAMES && !names.has(text)) return {}
  names.set(text, known)
  return { name: known }
}
