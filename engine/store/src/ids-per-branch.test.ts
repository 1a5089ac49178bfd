import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { testDatabase, type TestDatabase } from '@carespine/testing/database'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from './migrate.ts'

const all = new URL('../migrations/', import.meta.url)
const [id, main, other] = ['0c5b1e0a-0000-4000-8000-000000000001', '10000000-0000-4000-8000-000000000001', '10000000-0000-4000-8000-000000000002']
let database: TestDatabase
let client: pg.Client
let early: string

beforeAll(async () => {
  database = await testDatabase()
  early = await mkdtemp(join(tmpdir(), 'carespine-migrations-'))
  for (const file of ['0001-foundation.sql', '0002-resource-tables.sql']) await copyFile(new URL(file, all), join(early, file))
  await migrate(database.url, [{ name: 'store', folder: pathToFileURL(`${early}/`) }])
  client = new pg.Client({ connectionString: database.url })
  await client.connect()
})
afterAll(async () => {
  await client?.end()
  await database?.drop()
  await rm(early, { recursive: true, force: true })
})

const insert = (branch: string): Promise<unknown> =>
  client.query("insert into fhir.observation (id, version, updated, branch, deleted, facts, body) values ($1, 2, now(), $2, false, '{}', 'x')", [id, branch])

test('a database with data keeps it, and from then on an id belongs to its branch', async () => {
  await insert(main)
  await client.query("insert into fhir.observation_history (id, version, updated, branch, deleted, body) values ($1, 1, now(), $2, false, 'x')", [id, main])
  await expect(insert(other)).rejects.toMatchObject({ code: '23505' })
  const applied = await migrate(database.url, [{ name: 'store', folder: all }])
  expect(applied).toContain('store/0003-ids-per-branch.sql')
  expect((await client.query('select id, branch from fhir.observation union all select id, branch from fhir.observation_history')).rows).toHaveLength(2)
  await insert(other)
  await expect(insert(main)).rejects.toMatchObject({ code: '23505' })
  const { rows } = await client.query("select count(*)::int as keys from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'fhir' and i.indisprimary and i.indnkeyatts = case when right(c.relname, 8) = '_history' then 3 else 2 end")
  const { rows: tables } = await client.query("select count(*)::int as tables from information_schema.tables where table_schema = 'fhir'")
  expect(rows[0].keys).toBe(tables[0].tables)
})
