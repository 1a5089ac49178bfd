import type { Database, Scope } from './database.ts'
import type { KeyShelf } from './keys.ts'

const everywhere: Scope = { branches: '', patient: '' }

/** Wrapped keys and secrets in the database, which all processes share. What is there first stays. */
export function keyShelf(database: Database): KeyShelf {
  return {
    load: () =>
      database.query(everywhere, { text: 'select branch, version, wrapped from store.branch_key order by 1, 2' }),
    async keep(branch, version, wrapped) {
      const [row] = await database.query<{ wrapped: Buffer }>(everywhere, {
        text:
          'with made as (insert into store.branch_key (branch, version, wrapped) values ($1, $2, $3) ' +
          'on conflict do nothing returning wrapped) ' +
          'select wrapped from made union all ' +
          'select wrapped from store.branch_key where branch = $1 and version = $2',
        values: [branch, version, wrapped],
      })
      return row?.wrapped ?? (await this.keep(branch, version, wrapped))
    },
    async keepSecret(name, wrapped) {
      const [row] = await database.query<{ wrapped: Buffer }>(everywhere, {
        text:
          'with made as (insert into store.secret (name, wrapped) values ($1, $2) on conflict do nothing ' +
          'returning wrapped) select wrapped from made union all select wrapped from store.secret where name = $1',
        values: [name, wrapped],
      })
      return row?.wrapped ?? (await this.keepSecret(name, wrapped))
    },
  }
}
