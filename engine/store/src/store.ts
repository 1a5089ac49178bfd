import { createHash } from 'node:crypto'
import { idKey } from '@carespine/fhir/index-entries'
import type { Resource, ResourceType } from '@carespine/fhir/resource'
import type { SearchQuery } from '@carespine/fhir/search-query'
import { Knowledge } from '@carespine/fhir/knowledge'
import { type ValidationRules, Validator } from '@carespine/fhir/validator'
import { type AuditEntry, AuditTrail } from './audit.ts'
import { Batch } from './batch.ts'
import { commitStatement, MARKED, merge, type Plan, signatureOf } from './commit.ts'
import { type Actor, type EventEnvelope, type Hint, type LookUp, type Origin, SHARED_BRANCH } from './contract.ts'
import { Database, type Scope, scopeKey, type Session, type Statement } from './database.ts'
import type { KeyEncryption } from './key-encryption.ts'
import { keyShelf } from './key-shelf.ts'
import { Keyring } from './keys.ts'
import { LookUps, lookUpWithin } from './look-up.ts'
import { narrowingOf, termsOf } from './narrowing.ts'
import { OpenedBodies } from './opened-bodies.ts'
import { PatientRecords } from './patient-records.ts'
import { RecordReader, type StoredRow } from './read-records.ts'
import { isOutage, Refusal, refuse, storeRefusal } from './refusal.ts'
import { type Page, runAcross, runSearch, searchContext } from './search.ts'
import type { CodeQuestions, SearchContext } from './search-context.ts'
import { timeAfterMark } from './read-mark.ts'
import { SearchIndex } from './search-index.ts'
import { findStoredProfile } from './stored-profiles.ts'
import { UnitOfWork } from './unit-of-work.ts'
import { type Walk, type Walked, walkMatches } from './walk-matches.ts'

/** A resource type that only one module's commands may write once it belongs to that module's workflow. */
export interface Governed {
  module: string
  when?(resource: Resource): boolean
  instead: string
}

export interface StoreOptions {
  url: string
  kek: KeyEncryption
  now(): Date
  connections?: number
  /** Who owns which resources; raw writes of them are refused. */
  governed?: ReadonlyMap<ResourceType, readonly Governed[]>
  validation?: ValidationRules
}

/** What happened at a commit that others in this process may want to look at. */
export interface Committed {
  events: boolean
  hints: readonly Hint[]
}

interface Idempotency {
  key: string
  /** The request, to tell a repetition from another request under the same key. */
  request: string
}

export interface TransactOptions {
  now?: Date
  idempotency?: Idempotency
}

export interface SearchOptions {
  session?: Session
  /** The audit entry of a search within one patient. */
  note?(patient: string): AuditEntry
  codes?: CodeQuestions
  /** Nobody waits for it: it may take as long as any statement. */
  unhurried?: true
}

/** What validation rests on: a change of one is seen by the next write. */
const DEFINITIONS: readonly ResourceType[] = ['StructureDefinition', 'ValueSet', 'CodeSystem']

/** Conflicts with somebody else's commit; the work may be done again from the start. */
export function isConflict(error: unknown): boolean {
  if (error instanceof Refusal) return ['RECORD_MOVED_ON', 'RECORD_EXISTS', MARKED].includes(error.code)
  const code = (error as { code?: string }).code
  return code === '40001' || code === '40P01'
}

/** The record: reads and writes of resources under an actor's branches, versioned, encrypted, indexed and audited. */
export class Store {
  readonly database: Database
  readonly keyring: Keyring
  readonly governed: ReadonlyMap<ResourceType, readonly Governed[]>
  readonly now: () => Date
  readonly validator: Validator
  readonly trail: AuditTrail
  readonly reader: RecordReader
  readonly patientRecords: PatientRecords
  readonly lookUps: LookUps
  /** What resources are searched by here, and how far they are indexed. */
  readonly searchIndex: SearchIndex
  /** Called after each commit that emitted events or hints. */
  onCommitted: (committed: Committed) => void = () => undefined
  readonly #opened = new OpenedBodies()
  /** Types whose writes leave an event `RESOURCE_CHANGED`, beside what their module says. Of others nothing is kept. */
  followed: ReadonlySet<ResourceType> = new Set()
  /** Asked before each unit of work that may write; refuses when there is no room for it. */
  admit: (actor: Actor, origin: Origin) => void = () => undefined
  readonly #scopes = new WeakMap<Actor, Scope>()
  readonly #commits = new Map<string, Batch<Plan, true | Error>>()

  private constructor(options: StoreOptions, database: Database, keyring: Keyring) {
    this.database = database
    this.keyring = keyring
    this.governed = options.governed ?? new Map()
    this.now = options.now
    // Who answers about codes is started later; until then no code is judged but those of R4 itself.
    this.validator = new Validator(options.validation, new Knowledge({ findProfile: (url) => findStoredProfile(this, url), judgeCode: async () => 'unknown' }))
    this.trail = new AuditTrail(database, (actor) => this.scopeOf(actor))
    this.reader = new RecordReader(this)
    this.patientRecords = new PatientRecords(this)
    this.lookUps = new LookUps(database)
    this.searchIndex = new SearchIndex(database)
  }

  static async open(options: StoreOptions): Promise<Store> {
    const database = new Database(options.url, { connections: options.connections })
    try {
      const keyring = await Keyring.open(options.kek, keyShelf(database))
      await keyring.ensure(SHARED_BRANCH)
      const store = new Store(options, database, keyring)
      await store.searchIndex.refresh()
      return store
    } catch (error) {
      await database.close()
      throw error
    }
  }

  async close(): Promise<void> {
    await this.database.close()
  }

  /** What row-level security lets the actor see. */
  scopeOf(actor: Actor): Scope {
    let scope = this.#scopes.get(actor)
    if (!scope) {
      const branches = actor.branches.length > 0 ? [...new Set([...actor.branches, SHARED_BRANCH])].sort() : []
      scope = {
        branches: `{${branches.join(',')}}`,
        patient: actor.patient === undefined ? '' : idKey(actor.patient),
        // The shared branch and one other: no id can be met twice.
        ...(branches.length > 2 || actor.guard?.widened ? { prefers: actor.branch } : {}),
        ...(actor.guard ? { guard: { person: actor.guard.person, acts: actor.branch } } : {}),
        ...(actor.narrowing === undefined ? {} : { narrowing: narrowingOf(actor.narrowing, (type, term) => this.#hashesOf(type as ResourceType, term)) }),
      }
      this.#scopes.set(actor, scope)
    }
    return scope
  }

  /** Opens a row's body. The bytes are the resource as JSON. */
  bodyOf(type: ResourceType, row: Pick<StoredRow, 'id' | 'version' | 'branch' | 'body'>): Buffer {
    const bound = `${type}/${row.id}/${row.version}`
    return this.#opened.open(row.branch, row.body, bound, () => this.keyring.open(row.branch, row.body, bound))
  }

  /** Reads as `actor`; audit entries are committed before this resolves. */
  async view<T>(
    actor: Actor,
    origin: Origin,
    run: (view: UnitOfWork) => Promise<T>,
    now = this.now(),
  ): Promise<T> {
    const unit = new UnitOfWork(this, actor, origin, now, 'read')
    try {
      return await run(unit)
    } finally {
      await this.trail.store(unit.auditsOfFailure)
    }
  }

  /**
   * One unit of work: commits when `run` resolves, leaves nothing but the audit entries of its reads when it throws.
   * Done again up to four times when somebody else's commit came in between, so `run` decides and does nothing else.
   * With an idempotency key, the answer of the first run is given again.
   */
  async transact<T>(
    actor: Actor,
    origin: Origin,
    run: (tx: UnitOfWork) => Promise<T>,
    options: TransactOptions = {},
  ): Promise<T> {
    this.admit(actor, origin)
    if (!this.keyring.has(actor.branch)) await this.keyring.ensure(actor.branch)
    let { now } = options
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(actor, origin, run, { ...options, ...(now ? { now } : {}) })
      } catch (error) {
        // The same request may have been done between the look for its answer and the reading it was refused by.
        const meanwhile = options.idempotency && error instanceof Refusal ? await this.#answered<T>(actor, origin, options.idempotency) : undefined
        if (meanwhile) return meanwhile.answer
        const again = isConflict(error) || (options.idempotency && isKeyTaken(error))
        if (!again || attempt === 5) throw error instanceof Error ? conflictRefusal(error) : error
        await new Promise((resolve) => setTimeout(resolve, 2 ** attempt + Math.random() * 10))
        if (error instanceof Refusal && error.code === MARKED) now = await timeAfterMark(this)
      }
    }
  }

  async #attempt<T>(
    actor: Actor,
    origin: Origin,
    run: (tx: UnitOfWork) => Promise<T>,
    { now = this.now(), idempotency }: TransactOptions,
  ): Promise<T> {
    if (idempotency) {
      const known = await this.#answered<T>(actor, origin, idempotency)
      if (known) return known.answer
    }
    const unit = new UnitOfWork(this, actor, origin, now, 'change')
    try {
      const answer = await run(unit)
      if (idempotency) this.#keepAnswer(unit, idempotency, answer)
      await this.#commit(unit)
      return answer
    } catch (error) {
      await unit.rollback()
      await this.trail.store(unit.auditsOfFailure)
      throw error
    }
  }

  async #commit(unit: UnitOfWork): Promise<void> {
    const plan = await unit.finish()
    if (unit.inSession) {
      await unit.commitSession(plan)
    } else if (unit.changes) {
      await this.#commitTogether(unit.scope, plan)
    } else {
      await this.trail.store(plan.audits)
    }
    // Other processes hear of it from the database.
    const changed = DEFINITIONS.filter((type) => plan.creates.has(type) || plan.updates.has(type))
    if (changed.length > 0) this.validator.knowledge.forget(changed)
    if (plan.events.length > 0 || unit.hints.length > 0) {
      this.onCommitted({ events: plan.events.length > 0, hints: unit.hints })
    }
  }

  // Units of work that wait at the same moment, see the same branches and have the same shape are stored by one
  // statement. If one of them cannot be, each is stored on its own, and only the one at fault fails.
  async #commitTogether(scope: Scope, plan: Plan): Promise<void> {
    const key = `${scopeKey(scope)};${signatureOf(plan)}`
    let batch = this.#commits.get(key)
    if (!batch) {
      batch = new Batch((plans) => this.#storeAll(scope, plans), { largest: 24, atOnce: 3 })
      this.#commits.set(key, batch)
    }
    const result = await batch.add(plan)
    if (batch.idle) this.#commits.delete(key)
    if (result !== true) throw result
  }

  async #storeAll(scope: Scope, plans: Plan[]): Promise<(true | Error)[]> {
    try {
      await this.database.query(scope, commitStatement(merge(plans)))
      return plans.map(() => true)
    } catch (error) {
      if (plans.length === 1 || isOutage(error)) {
        return plans.map(() => storeRefusal(error))
      }
      return await Promise.all(
        plans.map(async (plan) => {
          try {
            await this.database.query(scope, commitStatement(plan))
            return true as const
          } catch (fault) {
            return storeRefusal(fault)
          }
        }),
      )
    }
  }

  async #answered<T>(actor: Actor, origin: Origin, idempotency: Idempotency): Promise<{ answer: T } | undefined> {
    const [row] = await this.database.query<{ action: string; request: Buffer; branch: string; answer: Buffer }>(
      this.scopeOf(actor),
      {
        name: 'answered',
        text: 'select action, request, branch, answer from store.idempotency where actor = $1 and key = $2',
        values: [actor.id, digest(idempotency.key)],
      },
      { retry: 'reads' },
    )
    if (!row) return undefined
    if (row.action !== origin.action || !row.request.equals(digest(idempotency.request))) {
      refuse('IDEMPOTENCY_KEY_REUSED')
    }
    const answer = this.keyring.open(row.branch, row.answer, `answer/${actor.id}`).toString()
    return { answer: (answer === '' ? undefined : JSON.parse(answer)) as T }
  }

  #keepAnswer(unit: UnitOfWork, { key, request }: Idempotency, answer: unknown): void {
    const { id, branch } = unit.actor
    unit.plan.answers.push({
      actor: id,
      key: digest(key),
      action: unit.origin.action,
      request: digest(request),
      branch,
      answer: this.keyring.seal(branch, Buffer.from(JSON.stringify(answer) ?? ''), `answer/${id}`),
    })
  }

  /**
   * A FHIR search as opened rows, without parsing them. The caller audits what it answers, unless `noted` says that the
   * search within one patient was written down with it, as the entry that `note` gives.
   */
  async search(scope: Scope, query: SearchQuery, options: SearchOptions = {}): Promise<Page & { noted: boolean }> {
    const { note } = options
    let notes = 0
    const context = this.#searchContext(scope, options, (patient) => (note && notes++ === 0 ? [note(idKey(patient))] : []))
    const page = await runSearch(query, context)
    return { ...page, noted: notes > 0 }
  }

  /** One search over several types; see `runAcross`. Does not audit. */
  async searchAcross(scope: Scope, queries: readonly SearchQuery[], options: SearchOptions = {}): Promise<Page> {
    return await runAcross(queries, this.#searchContext(scope, options, () => []))
  }

  /** The next matches of a walk over all of them; see `walkMatches`. Does not audit. */
  async walk(scope: Scope, walk: Walk, codes: CodeQuestions): Promise<Walked> {
    return await walkMatches(walk, this.#searchContext(scope, { codes, unhurried: true }, () => []))
  }

  #searchContext(scope: Scope, { session, codes, unhurried }: SearchOptions, notes: (patient: string) => AuditEntry[]): SearchContext {
    const bound = (type: ResourceType, row: StoredRow): string => `${type}/${row.id}/${row.version}`
    return searchContext({
      scope,
      now: this.now(),
      parametersOf: this.searchIndex.searched,
      hasOldForm: (type) => this.searchIndex.hasOldForm(type),
      lookUp: <R>(lookUp: LookUp, values: readonly unknown[], patient: string) =>
        session ? lookUpWithin<R>(session, lookUp, values) : this.lookUps.ask<R>(scope, lookUp, values, notes(patient)),
      query: <R>(statement: Statement) =>
        session ? session.query<R>(statement) : this.database.query<R>(scope, statement, { retry: 'reads', ...(unhurried ? {} : { within: 'patience' }) }),
      open: (type, row) => this.bodyOf(type, row),
      peek: (type, row) => this.keyring.open(row.branch, row.body, bound(type, row)),
      hashes: (type, term) => this.#hashesOf(type, term),
      seal: (text) => this.sealText(text, 'cursor'),
      unseal: (text) => this.unsealText(text, 'cursor'),
      ...(codes ? { codes } : {}),
    })
  }

  #hashesOf(type: ResourceType, term: string): readonly string[] {
    const oldest = this.searchIndex.oldestKey(type)
    return oldest === undefined ? [this.keyring.hash(term)] : this.keyring.hashesSince(oldest, term)
  }

  /** Terms of which a resource that a search parameter selects carries one; see `termsOf`. */
  termsOf(type: ResourceType, name: string, value: string): readonly string[] | undefined {
    return termsOf(this.searchIndex, type, name, value, this.now())
  }

  /** Text that goes out to come back, such as a place in a list: nobody else can read or make one. */
  sealText(text: string, purpose: string): string {
    return this.keyring.seal(SHARED_BRANCH, Buffer.from(text), purpose).toString('base64url')
  }

  /** What `sealText` made for the same purpose; undefined for anything else. */
  unsealText(text: string, purpose: string): string | undefined {
    try {
      return this.keyring.open(SHARED_BRANCH, Buffer.from(text, 'base64url'), purpose).toString()
    } catch {
      return undefined
    }
  }

  /** Opens the body of an outbox row. */
  openEvent(row: { id: string; branch: string; body: Buffer }): Omit<EventEnvelope, 'sequence'> {
    return JSON.parse(this.keyring.open(row.branch, row.body, `event/${row.id}`).toString())
  }

  auditEntry(unit: { actor: Actor; origin: Origin }, now: Date, entry: Partial<AuditEntry>): AuditEntry {
    return {
      at: now.toISOString(),
      actor: unit.actor,
      origin: unit.origin,
      action: unit.origin.action,
      outcome: 'success',
      ...entry,
    }
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function isKeyTaken(error: unknown): boolean {
  return error instanceof Refusal && error.code === 'IDEMPOTENCY_KEY_TAKEN'
}

function conflictRefusal(error: Error): Error {
  const exists = error instanceof Refusal && error.code === 'RECORD_EXISTS'
  return isConflict(error) && !exists ? new Refusal('RECORD_BUSY') : error
}
