import pg from 'pg'
import type { Database, Scope } from './database.ts'
import type { KeyShelf } from './keys.ts'

const everywhere: Scope = { branches: '', patient: '' }

const active = "coalesce(extract(epoch from nullif(active_at, '-infinity') - clock_timestamp()) * 1000, -1)::float8"

interface Row {
  branch: string
  version: number
  wrapped: Buffer
  active_in: number
  destroyed: boolean
}

/** Wrapped keys and secrets in the database, which all processes share. What is there first stays. */
export function keyShelf(database: Database): KeyShelf {
  // One of several that add the same key: the others' row is seen by their next statement.
  const keep = async (insert: string, select: string, values: readonly unknown[]): Promise<Buffer> => {
    for (;;) {
      const [row] = await database.query<{ wrapped: Buffer }>(everywhere, {
        text: `with made as (${insert} on conflict do nothing returning wrapped) select wrapped from made union all ${select}`,
        values,
      })
      if (row) return row.wrapped
    }
  }
  return {
    async load() {
      const rows = await database.query<Row & { of: 'branch' | 'index' }>(everywhere, {
        text:
          `select 'branch' as of, branch, version, wrapped, ${active} as active_in, destroyed_at is not null as destroyed from store.branch_key ` +
          `union all select 'index', null, version, wrapped, ${active}, destroyed_at is not null from store.index_key order by 1, 2, 3`,
      })
      const shelved = ({ branch, version, wrapped, active_in: activeIn, destroyed }: Row) => ({ branch, version, wrapped, activeIn, destroyed })
      return {
        branchKeys: rows.filter((row) => row.of === 'branch').map(shelved),
        indexKeys: rows.filter((row) => row.of === 'index').map(shelved),
      }
    },
    keep: (branch, version, wrapped, by, activeIn) =>
      keep(
        "insert into store.branch_key (branch, version, wrapped, wrapped_by, active_at) select $1::uuid, $2::int, $3::bytea, $4::text, now() + $5::float8 * interval '1 millisecond'",
        'select wrapped from store.branch_key where branch = $1 and version = $2',
        [branch, version, wrapped, by, activeIn],
      ),
    keepIndexKey: (version, wrapped, by, activeIn) =>
      keep(
        "insert into store.index_key (version, wrapped, wrapped_by, active_at) select $1::int, $2::bytea, $3::text, now() + $4::float8 * interval '1 millisecond'",
        'select wrapped from store.index_key where version = $1',
        [version, wrapped, by, activeIn],
      ),
    keepSecret: (name, wrapped, by) =>
      keep(
        'insert into store.secret (name, wrapped, wrapped_by) select $1::text, $2::bytea, $3::text',
        'select wrapped from store.secret where name = $1',
        [name, wrapped, by],
      ),
    async findSecret(name) {
      const [row] = await database.query<{ wrapped: Buffer }>(everywhere, { text: 'select wrapped from store.secret where name = $1', values: [name] })
      return row?.wrapped
    },
    async holdsRecords() {
      const [row] = await database.query<{ holds: boolean }>(everywhere, { text: 'select store.holds_records() as holds' })
      return row?.holds === true
    },
  }
}

/**
 * The wrapped index key of the database at the address, before anything is done to it; undefined when Carespine never ran
 * on it. Whoever opens it holds the right key-encryption key.
 */
export async function indexKeyAt(ownerUrl: string): Promise<Buffer | undefined> {
  const client = new pg.Client({ connectionString: ownerUrl })
  await client.connect()
  try {
    const { rows } = await client.query<{ there: boolean }>("select to_regclass('store.secret') is not null as there")
    if (!rows[0]?.there) return undefined
    const { rows: keys } = await client.query<{ wrapped: Buffer }>("select wrapped from store.secret where name = 'index-key'")
    return keys[0]?.wrapped
  } finally {
    await client.end()
  }
}
