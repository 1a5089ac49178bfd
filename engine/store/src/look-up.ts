import pg from 'pg'
import { plainArray, textArray } from './array-literal.ts'
import { type AuditEntry, auditInsert, auditValues } from './audit.ts'
import { Batch } from './batch.ts'
import type { LookUp } from './contract.ts'
import { type Database, type Scope, scopeKey, type Session, type Statement } from './database.ts'

interface Asked {
  values: readonly unknown[]
  notes: readonly AuditEntry[]
}

type Row = { nth: string }

/**
 * Look-ups of one moment under one scope become one statement, which writes their audit entries too. With 16 callers
 * that took a patient's Observations by code and date from two statements each to about one for six.
 */
export class LookUps {
  readonly #database: Database
  readonly #batches = new Map<string, Batch<Asked, Row[] | Error>>()

  constructor(database: Database) {
    this.#database = database
  }

  /** The rows of this asker. Its audit entries are committed when this resolves. */
  async ask<R>(scope: Scope, lookUp: LookUp, values: readonly unknown[], notes: readonly AuditEntry[] = []): Promise<R[]> {
    const key = `${scopeKey(scope)};${lookUp.text}`
    let batch = this.#batches.get(key)
    if (!batch) {
      batch = new Batch((asked) => this.#askEach(scope, lookUp, asked), { largest: 32 })
      this.#batches.set(key, batch)
    }
    const rows = await batch.add({ values, notes })
    if (batch.idle) this.#batches.delete(key)
    if (rows instanceof Error) throw rows
    return rows as R[]
  }

  // If one of them cannot be answered, each is asked on its own, and only the one at fault fails.
  async #askEach(scope: Scope, lookUp: LookUp, asked: Asked[]): Promise<(Row[] | Error)[]> {
    try {
      return await this.#askAll(scope, lookUp, asked)
    } catch (error) {
      if (asked.length === 1 || !(error instanceof pg.DatabaseError)) throw error
      return await Promise.all(
        asked.map(async (one) => (await this.#askAll(scope, lookUp, [one]).catch((fault: Error) => [fault]))[0] as Row[] | Error),
      )
    }
  }

  async #askAll(scope: Scope, lookUp: LookUp, asked: Asked[]): Promise<Row[][]> {
    const notes = asked.flatMap((one) => one.notes)
    const statement = statementOf(lookUp, asked.map(({ values }) => values), notes)
    const rows = await this.#database.query<Row>(scope, statement, { retry: 'reads', within: 'patience' })
    const byAsker = asked.map((): Row[] => [])
    for (const row of rows) byAsker[Number(row.nth) - 1]?.push(row)
    return byAsker
  }
}

/** The same inside a transaction that is open. */
export async function lookUpWithin<R>(session: Session, lookUp: LookUp, values: readonly unknown[]): Promise<R[]> {
  return await session.query<R>(statementOf(lookUp, [values], []))
}

function statementOf({ text, columns }: LookUp, asked: readonly (readonly unknown[])[], notes: readonly AuditEntry[]): Statement {
  const names = Object.keys(columns)
  const given = names.map((_name, at) => `$${at + 1}::text[]`).join(', ')
  const cast = names.map((name) => `a.${name}::${columns[name]} as ${name}`).join(', ')
  const noted = notes.length > 0 ? `, noted as (${auditInsert(names.length + 1)})` : ''
  return {
    text: `with asked as materialized (select a.nth, ${cast} from unnest(${given}) with ordinality as a(${names.join(', ')}, nth))${noted} ${text}`,
    values: [
      ...names.map((_name, at) => textArray(asked.map((values) => literal(values[at])))),
      ...(notes.length > 0 ? auditValues(notes) : []),
    ],
  }
}

function literal(value: unknown): string | null {
  if (value === null || value === undefined) return null
  if (Buffer.isBuffer(value)) return `\\x${value.toString('hex')}`
  return Array.isArray(value) ? plainArray(value) : String(value)
}
