import { compileParameter } from '@carespine/fhir/added-parameters'
import { INDEX_FORM, indexColumns, indexEntries } from '@carespine/fhir/index-entries'
import { resourceTypes } from '@carespine/fhir/definitions'
import type { Resource, ResourceType, SearchParameter } from '@carespine/fhir/resource'
import { plainArray, textArray } from './array-literal.ts'
import type { Scope } from './database.ts'
import type { Store } from './store.ts'

const everywhere: Scope = { branches: '', patient: '' }
const BATCH = 250
/** How often the definitions are looked at. */
const EVERY_MILLISECONDS = 2000
/** Until then every process indexes what it writes by a new definition: it is told at once, and looks every ten seconds. */
const EVERYONE_KNOWS_MILLISECONDS = 12_000
const LOCK = 4_203_120

/** Tells the other processes that the search index is another. */
export const INDEX_CHANNEL = 'carespine_index'

interface StateRow {
  type: string
  /** As PostgreSQL writes it: a Date would lose the microseconds. */
  wanted_at: string
  after_id: string | null
  after_branch: string | null
}

type BodyRow = { id: string; version: number; branch: string; body: Buffer }

/**
 * Keeps the search index as the server and the SearchParameter resources of the installation want it, in the background:
 * one process does it at a time, in small steps that go on where another left off.
 */
export class IndexKeeper {
  readonly #store: Store
  readonly #onFault: (error: unknown) => void
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #stopped = false
  #seen = ''

  constructor(store: Store, onFault: (error: unknown) => void) {
    this.#store = store
    this.#onFault = onFault
  }

  start(): void {
    this.#schedule(0)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  #schedule(milliseconds: number): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#running = this.#turn()
        .catch(this.#onFault)
        .finally(() => this.#schedule(EVERY_MILLISECONDS))
    }, milliseconds)
    this.#timer.unref()
  }

  // The lock ends with the transaction that holds it, whatever becomes of this process.
  async #turn(): Promise<void> {
    const seen = await this.#whatIsThere()
    if (seen === undefined || seen === this.#seen) return
    const session = await this.#store.database.begin(everywhere)
    try {
      const [lock] = await session.query<{ mine: boolean }>({ text: 'select pg_try_advisory_xact_lock($1) as mine', values: [LOCK] })
      if (!lock?.mine) return
      await this.#reconcile()
      this.#seen = seen
      for (const type of await this.#wanted()) if (!this.#stopped) await this.#indexType(type)
    } finally {
      await session.rollback()
    }
  }

  // Two numbers of one small table say whether any definition changed; while something waits, no two answers are equal.
  async #whatIsThere(): Promise<string | undefined> {
    const [row] = await this.#query<{ seen: string; waiting: boolean }>(
      "select count(*) || ' ' || coalesce(max(updated)::text, '') as seen, exists (select from store.index_state) as waiting from fhir.searchparameter",
      [],
    )
    return row && (row.waiting ? `${row.seen} ${Date.now()}` : row.seen)
  }

  #scope(): Scope {
    return { branches: `{${this.#store.keyring.branches().sort().join(',')}}`, patient: '' }
  }

  #query<R>(text: string, values: readonly unknown[]): Promise<R[]> {
    return this.#store.database.query<R>(this.#scope(), { text, values })
  }

  async #told(): Promise<void> {
    await this.#query(`select pg_notify('${INDEX_CHANNEL}', '')`, [])
    await this.#store.searchIndex.refresh()
  }

  /** Brings the list of parameters in line with the SearchParameter resources that are stored. */
  async #reconcile(): Promise<void> {
    const rows = await this.#query<BodyRow>('select id, version, branch, body from fhir.searchparameter where not deleted order by updated, id', [])
    const wanted = new Map<string, ReturnType<typeof compileParameter>[0]>()
    for (const row of rows) {
      const parameter = this.#open('SearchParameter', row) as SearchParameter
      for (const compiled of compileParameter(parameter, this.#store.searchIndex.written)) wanted.set(`${compiled.type} ${compiled.code}`, compiled)
    }
    const list = [...wanted.values()]
    const changed = await this.#query<{ type: string; wanted: boolean }>(
      'with given as (select * from unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::text[]) as g(type, code, url, definition, problem)), ' +
        'gone as (delete from store.search_parameter p where not exists (select from given g where g.type = p.type and g.code = p.code) returning p.type), ' +
        'come as (insert into store.search_parameter as p (type, code, url, definition, problem) select type, code, url, definition, problem from given ' +
        'on conflict (type, code) do update set url = excluded.url, definition = excluded.definition, problem = excluded.problem, wanted_at = now(), ready_at = null ' +
        'where (p.url, p.definition, p.problem) is distinct from (excluded.url, excluded.definition, excluded.problem) returning p.type, p.definition) ' +
        'select type, false as wanted from gone union all select type, definition is not null from come',
      [
        list.map(({ type }) => type),
        list.map(({ code }) => code),
        list.map(({ url }) => url),
        list.map(({ definition }) => (definition ? JSON.stringify(definition) : null)),
        list.map(({ problem }) => problem ?? null),
      ],
    )
    if (changed.length === 0) return
    const types = [...new Set(changed.flatMap(({ type, wanted: again }) => (again ? [type.toLowerCase()] : [])))]
    await this.#query(
      'insert into store.index_state (type, form, wanted_at) select t, $2, now() from unnest($1::text[]) t ' +
        'on conflict (type) do update set wanted_at = now(), after_id = null, after_branch = null, done = 0, total = 0',
      [types, INDEX_FORM],
    )
    await this.#told()
  }

  async #wanted(): Promise<StateRow[]> {
    return await this.#query<StateRow>('select type, wanted_at::text, after_id, after_branch from store.index_state order by type', [])
  }

  async #indexType(state: StateRow): Promise<void> {
    const type = resourceTypes.find((one) => one.toLowerCase() === state.type)
    if (!type) return
    const table = `fhir.${state.type}`
    await this.#query(
      `update store.index_state set total = (select count(*) from ${table} where not deleted) where type = $1 and total = 0`,
      [state.type],
    )
    let after = { id: state.after_id ?? NO_ID, branch: state.after_branch ?? NO_ID }
    for (;;) {
      if (this.#stopped) return
      const rows = await this.#query<BodyRow>(
        `select id, version, branch, body from ${table} where not deleted and (id, branch) > ($1::uuid, $2::uuid) order by id, branch limit ${BATCH}`,
        [after.id, after.branch],
      )
      const last = rows.at(-1)
      if (!last) break
      await this.#indexRows(type, rows)
      after = last
      const [mine] = await this.#query(
        'update store.index_state set after_id = $2, after_branch = $3, done = done + $4 where type = $1 and wanted_at = $5::timestamptz returning 1',
        [state.type, after.id, after.branch, rows.length, state.wanted_at],
      )
      // Asked for anew meanwhile: the next turn begins from the start.
      if (!mine) return
      await this.#store.searchIndex.refresh()
    }
    if (Date.now() - Date.parse(state.wanted_at) < EVERYONE_KNOWS_MILLISECONDS) return
    await this.#indexLate(type, table, state)
    await this.#finish(type, state)
  }

  // What processes wrote that did not know yet.
  async #indexLate(type: ResourceType, table: string, { wanted_at }: StateRow): Promise<void> {
    const rows = await this.#query<BodyRow>(
      `select id, version, branch, body from ${table} where not deleted and updated >= $1::timestamptz - interval '1 minute' order by id, branch`,
      [wanted_at],
    )
    for (let at = 0; at < rows.length; at += BATCH) await this.#indexRows(type, rows.slice(at, at + BATCH))
  }

  async #finish(type: ResourceType, { type: lower, wanted_at }: StateRow): Promise<void> {
    await this.#query(
      'with done as (delete from store.index_state where type = $1 and wanted_at = $2::timestamptz returning 1) ' +
        'update store.search_parameter set ready_at = now() where type = $3 and ready_at is null and definition is not null ' +
        'and wanted_at <= $2::timestamptz and exists (select from done)',
      [lower, wanted_at, type],
    )
    await this.#told()
  }

  #open(type: ResourceType, row: BodyRow): Resource {
    return JSON.parse(this.#store.keyring.open(row.branch, row.body, `${type}/${row.id}/${row.version}`).toString()) as Resource
  }

  // A row that moves on meanwhile has been indexed by whoever wrote it.
  async #indexRows(type: ResourceType, rows: readonly BodyRow[]): Promise<void> {
    const { keyring, searchIndex } = this.#store
    const entries = rows.map((row) => indexEntries(this.#open(type, row), searchIndex.written))
    const columns = indexColumns(type)
    const names = ['id', 'branch', 'version', 'facts', ...columns.map(({ name }) => name)]
    const types = ['uuid', 'uuid', 'int', 'text', ...columns.map(({ sqlType }) => sqlType)]
    await this.#query(
      `update fhir.${type.toLowerCase()} t set facts = r.facts::int8[]${columns.map(({ name }) => `, ${name} = r.${name}`).join('')} ` +
        `from unnest(${types.map((sqlType, at) => `$${at + 1}::${sqlType}[]`).join(', ')}) as r(${names.join(', ')}) ` +
        'where t.id = r.id and t.branch = r.branch and t.version = r.version',
      [
        plainArray(rows.map(({ id }) => id)),
        plainArray(rows.map(({ branch }) => branch)),
        plainArray(rows.map(({ version }) => version)),
        textArray(entries.map(({ facts }) => plainArray(facts.map((fact) => keyring.hash(fact))))),
        ...columns.map(({ name }) => plainArray(entries.map((entry) => entry.columns[name]))),
      ],
    )
  }
}

const NO_ID = '00000000-0000-0000-0000-000000000000'
