import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import pg from 'pg'
import type { Database } from './database.ts'

/** The numbered SQL files of one owner: `0001-name.sql`, applied in order, once. */
export interface MigrationSet {
  name: string
  folder: URL
}

const FILE = /^\d{4}-[a-z0-9-]+\.sql$/
const LOCK = 4_203_116

/**
 * Brings a database up to date, forward only. Each file is one transaction; a file that was applied and changed since
 * stops the start, because what it made can no longer be told.
 *
 * @param ownerUrl An account that may create schemas and roles.
 * @returns What was applied, as `set/file`.
 */
export async function migrate(
  ownerUrl: string,
  sets: readonly MigrationSet[],
  options: { onProgress?(file: string): void } = {},
): Promise<string[]> {
  const client = new pg.Client({ connectionString: ownerUrl })
  await client.connect()
  const applied: string[] = []
  try {
    // Two processes that start at once wait for each other here.
    await client.query('select pg_advisory_lock($1)', [LOCK])
    await prepare(client)
    await openTheIndex(client)
    const { rows } = await client.query<{ set: string; file: string; checksum: string }>('select * from migration')
    const known = new Map(rows.map(({ set, file, checksum }) => [`${set}/${file}`, checksum]))
    for (const { name, folder } of sets) {
      for (const file of readdirSync(folder).filter((entry) => FILE.test(entry)).sort()) {
        const sql = readFileSync(new URL(file, folder), 'utf8')
        const checksum = createHash('sha256').update(sql).digest('hex')
        const id = `${name}/${file}`
        const before = known.get(id)
        if (before === checksum) continue
        if (before !== undefined) {
          throw new Error(`Migration ${id} was changed after it was applied. Restore it, and add a new file instead.`)
        }
        options.onProgress?.(id)
        await apply(client, name, file, sql, checksum)
        applied.push(id)
      }
    }
  } finally {
    await client.end()
  }
  return applied
}

/**
 * Whom statements run under, each with what it has of others. `guarded`: somebody whom rules about single patients concern;
 * `narrowed`: an app, which sees what it was granted.
 */
const ROLES: readonly (readonly [name: string, of?: string])[] = [
  ['carespine_app'],
  ['carespine_guarded', 'carespine_app'],
  ['carespine_narrowed', 'carespine_app'],
  ['carespine_guarded_narrowed', 'carespine_guarded, carespine_narrowed'],
]

// Roles belong to the whole server: another database of it may make one at the same moment.
function makeRole([name, of]: (typeof ROLES)[number]): string {
  return `
    do $$ begin
      if not exists (select 1 from pg_roles where rolname = '${name}') then
        create role ${name} nologin nosuperuser nocreatedb nocreaterole nobypassrls${of === undefined ? '' : ` in role ${of}`};
      end if;
    exception when duplicate_object or unique_violation then null;
    end $$;
    do $$ begin
      if not pg_has_role(current_user, '${name}', 'member') then
        execute format('grant ${name} to %I', current_user);
      end if;
    exception when duplicate_object or unique_violation then null;
    end $$;`
}

async function prepare(client: pg.Client): Promise<void> {
  await client.query(`
    ${ROLES.map(makeRole).join('\n')}
    create table if not exists migration (
      set text not null,
      file text not null,
      checksum text not null,
      applied_at timestamptz not null default now(),
      primary key (set, file)
    );
    comment on table migration is 'No branch: which files were applied; the server itself may not touch it'`)
}

/**
 * Under row-level security PostgreSQL uses an index only for operators that tell nothing of rows they are not shown:
 * those it calls leakproof. It says so of `=` and `<`, but not of `&&` and `@>`, because of element types that others may
 * define; of integers they tell nothing. Without this each search by a code or a name reads its table from end to end:
 * 19 ms instead of 0.1 ms for a number among 6,000 patients. Only a superuser may say it, and a dump does not keep it.
 */
async function openTheIndex(client: pg.Client): Promise<void> {
  await client.query(`
    do $$ begin
      if not ${INDEX_IS_OPEN} and (select rolsuper from pg_roles where rolname = current_user) then
        ${howToOpenTheIndex};
      end if;
    end $$`)
}

/** SQL that is true when searches may use the index of facts; see `openTheIndex`. */
const INDEX_IS_OPEN =
  "(select bool_and(proleakproof) from pg_proc where oid in ('pg_catalog.arraycontains'::regproc, 'pg_catalog.arrayoverlap'::regproc))"

/** Whether searches may use the index of facts; if not, a superuser has to run `howToOpenTheIndex` once. */
export async function isIndexOpen(database: Database): Promise<boolean> {
  const [row] = await database.query<{ open: boolean }>({ branches: '', patient: '' }, { text: `select ${INDEX_IS_OPEN} as open` })
  return row?.open === true
}

export const howToOpenTheIndex =
  'alter function pg_catalog.arraycontains(anyarray, anyarray) leakproof; alter function pg_catalog.arrayoverlap(anyarray, anyarray) leakproof'

async function apply(client: pg.Client, set: string, file: string, sql: string, checksum: string): Promise<void> {
  try {
    await client.query('begin')
    await client.query(sql)
    await client.query('insert into migration (set, file, checksum) values ($1, $2, $3)', [set, file, checksum])
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw new Error(`Migration ${set}/${file} failed: ${error instanceof Error ? error.message : String(error)}`)
  }
}
