import type { Actor, Origin } from './contract.ts'
import { plainArray, textArray } from './array-literal.ts'
import { Batch } from './batch.ts'
import type { Database, Scope } from './database.ts'

/** One line of the audit trail: who did what to which resource of which patient, when, from where. */
export interface AuditEntry {
  at: string
  actor: Actor
  origin: Origin
  action: string
  outcome: 'success' | 'failure'
  resourceType?: string
  resource?: string
  version?: number
  patient?: string
  patients?: readonly string[]
  /** Sealed. */
  reason?: Buffer
}

const columns =
  'at, branch, actor_kind, actor, session, portal, address, action, outcome, resource_type, resource, version, ' +
  'patient, patients, correlation, reason'

/** Number of parameters that `auditValues` gives. */
export const AUDIT_PARAMETERS = 16

/** An INSERT of the entries in parameters `$first` and following; `where` may drop some. */
export function auditInsert(first: number): string {
  const types = [
    'timestamptz',
    'uuid',
    'text',
    'uuid',
    'text',
    'text',
    'text',
    'text',
    'text',
    'text',
    'uuid',
    'int',
    'uuid',
    'text',
    'text',
    'text',
  ]
  const arrays = types.map((type, at) => `$${first + at}::${type}[]`).join(', ')
  return (
    `insert into audit.entry (${columns}) select a.at, a.branch, a.actor_kind, a.actor, a.session, a.portal, ` +
    `a.address, a.action, a.outcome, a.resource_type, a.resource, a.version, a.patient, a.patients::uuid[], ` +
    `a.correlation, decode(a.reason, 'base64') from unnest(${arrays}) as a(${columns})`
  )
}

/** The parameters of `auditInsert`, one array for each column. */
export function auditValues(entries: readonly AuditEntry[]): string[] {
  return [
    plainArray(entries.map((entry) => entry.at)),
    plainArray(entries.map((entry) => entry.actor.branch)),
    plainArray(entries.map((entry) => entry.actor.kind)),
    plainArray(entries.map((entry) => entry.actor.id)),
    textArray(entries.map((entry) => entry.actor.session)),
    textArray(entries.map((entry) => entry.actor.portal)),
    textArray(entries.map((entry) => entry.origin.address)),
    textArray(entries.map((entry) => entry.action)),
    plainArray(entries.map((entry) => entry.outcome)),
    plainArray(entries.map((entry) => entry.resourceType)),
    plainArray(entries.map((entry) => entry.resource)),
    plainArray(entries.map((entry) => entry.version)),
    plainArray(entries.map((entry) => entry.patient)),
    textArray(entries.map((entry) => (entry.patients === undefined ? null : plainArray(entry.patients)))),
    textArray(entries.map((entry) => entry.origin.correlationId)),
    textArray(entries.map((entry) => entry.reason?.toString('base64'))),
  ]
}

const insertion = auditInsert(1)

/** Entries of reads, stored in batches before the answers leave. */
export class AuditTrail {
  readonly #batch: Batch<readonly AuditEntry[], undefined>

  /**
   * @param scopeOf Entries may be added under any scope. They go under that of one of their actors, whose connections are
   * at hand: under a scope of their own, a batch cost two more round trips, one to enter it and one to come back.
   */
  constructor(database: Database, scopeOf: (actor: Actor) => Scope) {
    this.#batch = new Batch(
      async (groups) => {
        const entries = groups.flat()
        const scope = scopeOf((entries[0] as AuditEntry).actor)
        await database.query(scope, { name: 'audit', text: insertion, values: auditValues(entries) })
        return groups.map(() => undefined)
      },
      { largest: 200 },
    )
  }

  /** Resolves when the entries are committed. */
  async store(entries: readonly AuditEntry[]): Promise<void> {
    if (entries.length > 0) await this.#batch.add(entries)
  }
}
