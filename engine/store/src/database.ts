import { connect } from 'node:net'
import pg from 'pg'
import { isConnectionLoss, isDiskFull, isTimeOut } from './database-faults.ts'
import { refuse } from './refusal.ts'

/** What row-level security lets a statement see. */
export interface Scope {
  /** Sorted branch uuids, joined as a PostgreSQL array literal. */
  branches: string
  /** The only patient visible, or ''. */
  patient: string
  /** As whom the rules about single patients are looked at, and the branch where they act; absent when none concerns them. */
  guard?: { person: string; acts: string }
  /** Rows that an app was granted, by resource type, as `store.narrowing` reads it. Absent: whatever the rest lets through. */
  narrowing?: string
  /** The branch whose resource is meant when several have one of the same id; absent when one branch alone is seen. */
  prefers?: string
}

/** What tells scopes apart: statements of one key see the same. */
export function scopeKey({ branches, patient, guard, narrowing }: Scope): string {
  const seen = guard === undefined ? `${branches};${patient}` : `${branches};${patient};${guard.person};${guard.acts}`
  return narrowing === undefined ? seen : `${seen};${narrowing}`
}

export interface Statement {
  text: string
  values?: readonly unknown[]
  /** Prepared under this name when given: for texts that come back. */
  name?: string
}

/** A transaction that is open. */
export interface Session {
  query<R>(statement: Statement): Promise<R[]>
  commit(): Promise<void>
  rollback(): Promise<void>
}

const BYTEA = 17

// pg reads rows as text, binary format included, so bytea comes as hex. Node's own decoder takes it at memory speed;
// the parser that pg brings walks it byte by byte.
const types = {
  getTypeParser(oid: number, format?: string): (value: never) => unknown {
    if (oid === BYTEA) return (value: string) => Buffer.from(value.slice(2), 'hex')
    return pg.types.getTypeParser(oid, format as 'text') as (value: never) => unknown
  },
}

interface Waiter {
  scope: string
  passedOver: number
  take(connection: Connection): void
  fail(error: unknown): void
}

const MOST_PASSED_OVER = 8

// Statements of the modules carry no name. Those that come back are prepared: planning the two of a chart anew took
// PostgreSQL longer than running them. Texts with values in them would not come back, and fill no more than this.
const PREPARED_AFTER = 3
const MOST_TEXTS = 1000
const seenTexts = new Map<string, { uses: number; name: string }>()

function nameOf({ text, values }: Statement): string | undefined {
  if (values === undefined || values.length === 0) return undefined
  let seen = seenTexts.get(text)
  if (!seen) {
    if (seenTexts.size >= MOST_TEXTS) return undefined
    seen = { uses: 0, name: `text-${seenTexts.size}` }
    seenTexts.set(text, seen)
  }
  seen.uses += 1
  return seen.uses > PREPARED_AFTER ? seen.name : undefined
}

export interface QueryOptions {
  /** A read that loses its connection is tried once more on a new one. */
  retry?: 'reads' | undefined
  /** A search whose cost nobody knows before: it is ended when it takes longer than the server has patience for. */
  within?: 'patience'
}

interface Connection {
  client: pg.Client
  scope: string
  broken: boolean
}

/**
 * What plans depend on. A page anywhere on a disk of today costs little more than the next one: as PostgreSQL comes, it takes
 * them for disks that turn, and read 68,000 entries of one code sooner than the 450 rows of a day. An entry of the index of
 * facts takes a microsecond, a row some two: as PostgreSQL comes, it takes an entry for a two hundredth of a row.
 */
export const PLANNER = { jit: 'off', random_page_cost: '1.1', cpu_index_tuple_cost: '0.05' } as const

const UNGUARDED = 'carespine_app'
/** Has the policies about single patients beside those of everybody: migration 0012. */
const GUARDED = 'carespine_guarded'

/** Made by `prepare` in `migrate.ts`; see `0010-narrowed.sql` and `0012-guarded-patients.sql`. */
function roleOf({ guard, narrowing }: Scope): string {
  if (narrowing === undefined) return guard ? GUARDED : UNGUARDED
  return guard ? 'carespine_guarded_narrowed' : 'carespine_narrowed'
}

// A process whose machine has gone says no farewell: without probes the server would keep its locks for two hours, and with
// them the dispatching of events. One that hangs gives them up after half a minute.
const SESSION = Object.entries({
  role: UNGUARDED,
  statement_timeout: 60_000,
  timezone: 'UTC',
  idle_in_transaction_session_timeout: 30_000,
  tcp_keepalives_idle: 15,
  tcp_keepalives_interval: 5,
  tcp_keepalives_count: 3,
  ...PLANNER,
})
  .map(([name, value]) => `-c ${name}=${value}`)
  .join(' ')

/**
 * Connections to PostgreSQL as the role that cannot bypass row-level security. Each remembers the scope it was last
 * given, so that a statement usually needs one round trip: settings are sent again only when the actor sees other
 * branches than the one before.
 */
export class Database {
  /** Milliseconds that a search may take; less than the 60 seconds of any statement. */
  patience = 15_000
  readonly #url: string
  readonly #max: number
  readonly #idle: Connection[] = []
  #open = 0
  // A transaction often asks for a statement on the side: a question to another module, an audit entry. If transactions
  // could take every connection, each would wait for one that another holds, for ever.
  #sessions = 0
  readonly #mostSessions: number
  readonly #waitingForSession: (() => void)[] = []
  readonly #waiting: Waiter[] = []
  #closed = false
  /** The last attempt to connect found nobody. */
  #isAway = false

  constructor(url: string, options: { connections?: number } = {}) {
    this.#url = url
    this.#max = options.connections ?? 16
    this.#mostSessions = Math.max(1, Math.floor(this.#max * 0.75))
  }

  async #connect(): Promise<Connection> {
    const deadline = performance.now() + 15_000
    for (;;) {
      const client = new pg.Client({
        connectionString: this.#url,
        options: SESSION,
        connectionTimeoutMillis: 5000,
        keepAlive: true,
      })
      const connection: Connection = { client, scope: '', broken: false }
      client.on('error', () => {
        connection.broken = true
      })
      try {
        await client.connect()
        this.#isAway = false
        return connection
      } catch (error) {
        client.end().catch(ignoreEndOfBrokenClient)
        if (!isConnectionLoss(error)) throw error
        this.#isAway = true
        if (performance.now() > deadline || this.#closed) refuse('STORE_UNAVAILABLE')
        await new Promise((resolve) => setTimeout(resolve, 150))
      }
    }
  }

  async #take(scope: string): Promise<Connection> {
    if (this.#closed) refuse('STORE_UNAVAILABLE')
    for (;;) {
      const at = this.#idle.findLastIndex((idle) => idle.scope === scope)
      const connection = at >= 0 ? this.#idle.splice(at, 1)[0] : this.#idle.length > 0 ? this.#idle.shift() : undefined
      if (connection) {
        if (!connection.broken) return connection
        this.#drop(connection)
        continue
      }
      if (this.#open < this.#max) {
        this.#open += 1
        try {
          return await this.#connect()
        } catch (error) {
          this.#open -= 1
          throw error
        }
      }
      return await new Promise<Connection>((take, fail) => this.#waiting.push({ scope, passedOver: 0, take, fail }))
    }
  }

  #drop(connection: Connection): void {
    this.#open -= 1
    connection.client.end().catch(ignoreEndOfBrokenClient)
  }

  #give(connection: Connection): void {
    if (connection.broken || this.#closed) {
      this.#drop(connection)
      const next = this.#waiting.shift()
      if (next) this.#take('').then(next.take, next.fail)
      return
    }
    const next = this.#nextFor(connection)
    if (next) next.take(connection)
    else this.#idle.push(connection)
  }

  // Who waits for the scope that the connection has needs no round trip to change it. The one who waits longest is
  // passed over a few times, not for ever.
  #nextFor({ scope }: Connection): Waiter | undefined {
    const [longest] = this.#waiting
    if (!longest || longest.scope === scope || longest.passedOver >= MOST_PASSED_OVER) return this.#waiting.shift()
    const at = this.#waiting.findIndex((waiter) => waiter.scope === scope)
    if (at < 0) return this.#waiting.shift()
    longest.passedOver += 1
    return this.#waiting.splice(at, 1)[0]
  }

  async #enter(connection: Connection, scope: Scope): Promise<void> {
    const wanted = scopeKey(scope)
    if (connection.scope === wanted) return
    connection.scope = ''
    await connection.client.query({
      name: 'scope',
      text:
        "select set_config('carespine.branches', $1, false), set_config('carespine.patient', $2, false), " +
        "set_config('carespine.person', $3, false), set_config('carespine.acts', $4, false), " +
        "set_config('carespine.narrowing', $5, false), set_config('role', $6, false)",
      values: [scope.branches, scope.patient, scope.guard?.person ?? '', scope.guard?.acts ?? '', scope.narrowing ?? '', roleOf(scope)],
    })
    connection.scope = wanted
  }

  async #runPatiently<R>(connection: Connection, statement: Statement): Promise<R[]> {
    const timer = setTimeout(() => {
      // The request to end it may come late: whatever runs on this connection next would be ended instead.
      connection.broken = true
      cancelStatement(connection.client)
    }, this.patience)
    try {
      return await this.#run<R>(connection, statement)
    } catch (error) {
      if (isTimeOut(error)) refuse('SEARCH_TOO_SLOW')
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  async #run<R>(connection: Connection, statement: Statement): Promise<R[]> {
    const name = statement.name ?? nameOf(statement)
    const result = await connection.client.query({
      text: statement.text,
      values: statement.values as unknown[],
      ...(name === undefined ? {} : { name }),
      types,
    } as pg.QueryConfig)
    return result.rows as R[]
  }

  /** Runs one statement under the scope. A read that loses its connection is tried once more on a new one. */
  async query<R>(scope: Scope, statement: Statement, options: QueryOptions = {}): Promise<R[]> {
    const connection = await this.#take(scopeKey(scope))
    try {
      await this.#enter(connection, scope)
      return await (options.within === 'patience' ? this.#runPatiently<R>(connection, statement) : this.#run<R>(connection, statement))
    } catch (error) {
      if (isDiskFull(error)) refuse('STORE_FULL')
      if (isTimeOut(error)) refuse('STORE_BUSY')
      if (isConnectionLoss(error)) {
        connection.broken = true
        if (options.retry === 'reads') return await this.query(scope, statement, { ...options, retry: undefined })
        refuse('STORE_UNAVAILABLE')
      }
      throw error
    } finally {
      this.#give(connection)
    }
  }

  /** Opens a transaction; it holds a connection until `commit` or `rollback`, one of which must be called. */
  async begin(scope: Scope): Promise<Session> {
    if (this.#sessions < this.#mostSessions) this.#sessions += 1
    else await new Promise<void>((begin) => this.#waitingForSession.push(begin))
    const connection = await this.#take(scopeKey(scope)).catch((error: unknown) => {
      this.#endSession()
      throw error
    })
    let ended = false
    const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
      try {
        return await work()
      } catch (error) {
        if (isDiskFull(error)) refuse('STORE_FULL')
        if (isTimeOut(error)) refuse('STORE_BUSY')
        if (!isConnectionLoss(error)) throw error
        connection.broken = true
        refuse('STORE_UNAVAILABLE')
      }
    }
    const end = async (how: 'commit' | 'rollback'): Promise<void> => {
      if (ended) return
      ended = true
      try {
        await guarded(() => connection.client.query(how))
      } finally {
        this.#give(connection)
        this.#endSession()
      }
    }
    try {
      await this.#enter(connection, scope)
      await connection.client.query('begin')
    } catch (error) {
      ended = true
      connection.broken = true
      this.#give(connection)
      this.#endSession()
      if (isConnectionLoss(error)) refuse('STORE_UNAVAILABLE')
      throw error
    }
    return {
      query: (statement) => guarded(() => this.#run(connection, statement)),
      commit: () => end('commit'),
      rollback: () => end('rollback').catch(ignoreEndOfBrokenClient),
    }
  }

  #endSession(): void {
    const next = this.#waitingForSession.shift()
    if (next) next()
    else this.#sessions -= 1
  }

  /** A connection of its own that listens; `onMessage` gets each payload. Reconnects until closed. */
  async listen(channels: readonly string[], onMessage: (channel: string, payload: string) => void): Promise<() => void> {
    let client: pg.Client | undefined
    let stopped = false
    const connect = async (): Promise<void> => {
      const connection = await this.#connect()
      client = connection.client
      client.on('notification', ({ channel, payload }) => onMessage(channel, payload ?? ''))
      for (const channel of channels) await client.query(`listen ${pg.escapeIdentifier(channel)}`)
      client.on('end', () => void connectAgain())
    }
    const connectAgain = async (): Promise<void> => {
      while (!stopped && !this.#closed) {
        try {
          return await connect()
        } catch {
          // However long the database is away: who gave up would never hear anything again.
          await new Promise((resolve) => setTimeout(resolve, 500))
        }
      }
    }
    await connect()
    return () => {
      stopped = true
      client?.end().catch(ignoreEndOfBrokenClient)
    }
  }

  /** Whether the database answers now: a query would wait for one that is coming back, this does not. */
  async isReachable(milliseconds = 1500): Promise<boolean> {
    let answered: boolean | undefined
    void this.query({ branches: '', patient: '' }, { text: 'select 1' }).then(
      () => (answered = true),
      () => (answered = false),
    )
    for (let waited = 0; waited < milliseconds && answered === undefined && !this.#isAway; waited += 10) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    return answered === true
  }

  /** Connections that are open, for the metrics page. */
  get connections(): { open: number; idle: number; waiting: number } {
    return { open: this.#open, idle: this.#idle.length, waiting: this.#waiting.length }
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#idle.splice(0).map((connection) => connection.client.end().catch(ignoreEndOfBrokenClient)))
  }
}

// The connection is being thrown away; that its server has gone already changes nothing.
function ignoreEndOfBrokenClient(): void {}

const CANCEL_REQUEST = 80_877_102

// CancelRequest of PostgreSQL's protocol (section 54.7): the only way to end a statement that needs no right to do so.
function cancelStatement(client: pg.Client): void {
  const { host, port, processID, secretKey } = client as unknown as { host: string; port: number; processID: number; secretKey: number }
  const request = Buffer.alloc(16)
  for (const [at, word] of [16, CANCEL_REQUEST, processID, secretKey].entries()) request.writeInt32BE(word, at * 4)
  const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host)
  socket.on('error', ignoreEndOfBrokenClient)
  socket.end(request)
}
