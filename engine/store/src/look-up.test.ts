import { randomUUID } from 'node:crypto'
import { testDatabase, type TestDatabase } from '@carespine/testing/database'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AuditEntry } from './audit.ts'
import type { LookUp } from './contract.ts'
import { Database } from './database.ts'
import { LookUps } from './look-up.ts'
import { migrate } from './migrate.ts'

const scope = { branches: '{}', patient: '' }
let owned: TestDatabase
let database: Database
let statements = 0

beforeAll(async () => {
  owned = await testDatabase()
  await migrate(owned.url, [{ name: 'store', folder: new URL('../migrations/', import.meta.url) }])
  database = new Database(owned.url)
  const query = database.query
  database.query = function (...given) {
    statements += 1
    return query.apply(this, given) as never
  }
})
afterAll(async () => {
  await database.close()
  await owned.drop()
})

const multiples: LookUp = {
  columns: { number: 'int', label: 'text', factors: 'int[]' },
  text: 'select q.nth, q.number * f as product, q.label from asked q cross join lateral unnest(q.factors) f order by q.nth, f',
}

function entryOf(patient: string): AuditEntry {
  return {
    at: new Date().toISOString(),
    actor: { kind: 'system', id: randomUUID(), display: 'test', roles: [], permissions: [], branches: [], branch: randomUUID() },
    origin: { correlationId: 'look-up-test', action: 'test.look-up', module: 'test' },
    action: 'test.look-up',
    outcome: 'success',
    patient,
  }
}

test('everyone who asks at the same moment gets the rows of their own question', async () => {
  const lookUps = new LookUps(database)
  statements = 0
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_unused, at) =>
      lookUps.ask<{ product: number; label: string | null }>(scope, multiples, [at, at % 3 === 0 ? null : `"${at}\\`, at % 2 === 0 ? [1, 2] : []]),
    ),
  )
  answers.forEach((rows, at) => {
    const label = at % 3 === 0 ? null : `"${at}\\`
    expect(rows.map(({ product, label: given }) => ({ product, given }))).toEqual(
      at % 2 === 0 ? [{ product: at, given: label }, { product: at * 2, given: label }] : [],
    )
  })
  expect(statements).toBeLessThan(5)
})

test('the audit entry of each is committed with the answer', async () => {
  const lookUps = new LookUps(database)
  const patients = Array.from({ length: 7 }, () => randomUUID())
  await Promise.all(patients.map((patient, at) => lookUps.ask(scope, multiples, [at, null, [1]], at === 3 ? [] : [entryOf(patient)])))
  const owner = new pg.Client({ connectionString: owned.url })
  await owner.connect()
  const { rows } = await owner.query<{ patient: string }>("select patient from audit.entry where action = 'test.look-up'")
  await owner.end()
  expect(rows.map(({ patient }) => patient).sort()).toEqual(patients.filter((_patient, at) => at !== 3).sort())
})

test('a question that cannot be answered fails alone', async () => {
  const lookUps = new LookUps(database)
  const answers = await Promise.allSettled(['1', 'no number', '3'].map((number) => lookUps.ask(scope, multiples, [number, null, [1]])))
  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
})
