import { idKey } from '@carespine/fhir/index-entries'
import type { ResourceType } from '@carespine/fhir/resource'
import { AUDIT_PARAMETERS, type AuditEntry, auditInsert, auditValues } from './audit.ts'
import { Batch } from './batch.ts'
import type { Actor, Origin } from './contract.ts'
import { type Scope, scopeKey, type Session, type Statement } from './database.ts'
import type { Store } from './store.ts'
import { onlyMeant, preferredBranch } from './twins.ts'

/** A row of a resource table as it lies in the database. */
export interface StoredRow {
  id: string
  version: number
  updated: Date
  branch: string
  patient: string | null
  owner: string | null
  deleted: boolean
  body: Buffer
}

export interface Asker {
  actor: Actor
  origin: Origin
  now: Date
}

interface Asked extends Asker {
  key: string
  /** Of the entry that an absent resource gets as well. */
  entry: AuditEntry
}

const row = 't.id, t.version, t.updated, t.branch, t.patient, t.owner, t.deleted, t.body'

/** Reads by id: requests of one moment for one type become one statement that reads and writes their audit entries. */
export class RecordReader {
  readonly #store: Store
  readonly #peeks = new Map<string, Batch<string, StoredRow | undefined>>()
  readonly #batches = new Map<string, Batch<Asked, StoredRow | undefined>>()

  constructor(store: Store) {
    this.#store = store
  }

  /** The current row, deleted ones included, or undefined. The audit entry is committed when this resolves. */
  async read(asker: Asker, scope: Scope, type: ResourceType, id: string): Promise<StoredRow | undefined> {
    const batchKey = batchKeyOf(scope, type)
    let batch = this.#batches.get(batchKey)
    if (!batch) {
      batch = new Batch((asked) => this.#readAll(scope, type, asked), { largest: 64 })
      this.#batches.set(batchKey, batch)
    }
    const key = idKey(id)
    const entry = this.#store.auditEntry(asker, asker.now, { resourceType: type, resource: key })
    const found = await batch.add({ ...asker, key, entry })
    if (batch.idle) this.#batches.delete(batchKey)
    return found
  }

  async #readAll(scope: Scope, type: ResourceType, asked: Asked[]): Promise<(StoredRow | undefined)[]> {
    const rows = await this.#store.database.query<StoredRow>(
      scope,
      {
        ...readAndAudit(type, scope),
        values: [asked.map(({ key }) => key), ...auditValues(asked.map(({ entry }) => entry)), ...ownOf(scope, type)],
      },
      { retry: 'reads' },
    )
    const byId = new Map(rows.map((found) => [found.id, found]))
    return asked.map(({ key }) => byId.get(key))
  }

  /** The row for a writer that looks at its version and owner only. Nothing of it is shown, so nothing is audited. */
  async peek(scope: Scope, type: ResourceType, id: string): Promise<StoredRow | undefined> {
    const batchKey = batchKeyOf(scope, type)
    let batch = this.#peeks.get(batchKey)
    if (!batch) {
      batch = new Batch((keys) => this.#peekAll(scope, type, keys), { largest: 200 })
      this.#peeks.set(batchKey, batch)
    }
    const found = await batch.add(idKey(id))
    if (batch.idle) this.#peeks.delete(batchKey)
    return found
  }

  async #peekAll(scope: Scope, type: ResourceType, keys: string[]): Promise<(StoredRow | undefined)[]> {
    const rows = await this.#query(scope, {
      name: nameOf('peek', type, scope),
      text: `select ${row} from fhir.${type.toLowerCase()} t where t.id = any ($1::uuid[])${meant(scope, type, 2)}`,
      values: [keys, ...ownOf(scope, type)],
    })
    const byId = new Map(rows.map((found) => [found.id, found]))
    return keys.map((key) => byId.get(key))
  }

  /** The same inside a transaction that is open; the caller keeps the audit entry. */
  async readWithin(session: Session, scope: Scope, type: ResourceType, id: string): Promise<StoredRow | undefined> {
    const [found] = await session.query<StoredRow>({
      name: nameOf('read-within', type, scope),
      text: `select ${row} from fhir.${type.toLowerCase()} t where t.id = $1${meant(scope, type, 2)}`,
      values: [idKey(id), ...ownOf(scope, type)],
    })
    return found
  }

  /** One version, current or superseded. */
  async readVersion(scope: Scope, type: ResourceType, id: string, version: number): Promise<StoredRow | undefined> {
    const table = `fhir.${type.toLowerCase()}`
    const [found] = await this.#query(scope, {
      name: nameOf('vread', type, scope),
      text:
        `select ${row} from ${table} t where t.id = $1 and t.version = $2${meant(scope, type, 3)} union all select ` +
        `${historyRow} from ${table}_history t where t.id = $1 and t.version = $2${meant(scope, type, 3)}`,
      values: [idKey(id), version, ...ownOf(scope, type)],
    })
    return found
  }

  #query(scope: Scope, statement: Statement): Promise<StoredRow[]> {
    return this.#store.database.query<StoredRow>(scope, statement, { retry: 'reads' })
  }
}

const historyRow = 't.id, t.version, t.updated, t.branch, t.patient, null::text as owner, t.deleted, t.body'

function batchKeyOf(scope: Scope, type: ResourceType): string {
  return `${type};${scopeKey(scope)};${scope.prefers ?? ''}`
}

// The last parameter of every statement here, for those that may meet two resources of one id.
function ownOf(scope: Scope, type: ResourceType): string[] {
  const branch = preferredBranch(scope, type)
  return branch === undefined ? [] : [branch]
}

function meant(scope: Scope, type: ResourceType, last: number): string {
  const condition = onlyMeant(scope, type, 't', () => `$${last}::uuid`)
  return condition === undefined ? '' : ` and ${condition}`
}

function nameOf(what: string, type: ResourceType, scope: Scope): string {
  return preferredBranch(scope, type) === undefined ? `${what}-${type}` : `${what}-${type}-own`
}

const statements = new Map<string, string>()

// Entries of what is not about a patient, such as a ward or a panel definition, are left out; those of a resource that
// is absent or hidden from the actor are kept as failures.
function readAndAudit(type: ResourceType, scope: Scope): { name: string; text: string } {
  const name = nameOf('read', type, scope)
  let text = statements.get(name)
  if (text === undefined) {
    const insert = auditInsert(2)
      .replace('a.outcome', "case when f.id is null then 'failure' else 'success' end")
      .replace('a.version', 'f.version')
      .replace('a.patient,', 'f.patient,')
    text =
      `with found as materialized (select ${row} from fhir.${type.toLowerCase()} t where t.id = any ($1::uuid[])${meant(scope, type, AUDIT_PARAMETERS + 2)}), ` +
      `noted as (${insert} left join found f on f.id = a.resource where f.id is null or f.patient is not null) ` +
      'select * from found'
    statements.set(name, text)
  }
  return { name, text }
}

