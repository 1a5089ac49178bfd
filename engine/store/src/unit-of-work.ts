import { randomUUID } from 'node:crypto'
import { isSharedType } from '@carespine/fhir/compartments'
import { readJson } from '@carespine/fhir/decimal-digits'
import { idKey } from '@carespine/fhir/index-entries'
import type { Resource, ResourceOf, ResourceType, Stored } from '@carespine/fhir/resource'
import type { SearchQuery } from '@carespine/fhir/search-query'
import type { AuditEntry } from './audit.ts'
import { checkBeforeCommit } from './check-before-commit.ts'
import { Claims } from './claims.ts'
import { commitStatement, emptyPlan, type Plan } from './commit.ts'
import {
  type Actor,
  type AuditNote,
  type EventAbout,
  type EventType,
  type Hint,
  type LookUp,
  type Origin,
  RESOURCE_CHANGED,
  type SearchInput,
  SHARED_BRANCH,
  type Transaction,
  type WriteOptions,
} from './contract.ts'
import type { Scope, Session } from './database.ts'
import { lookUpWithin } from './look-up.ts'
import { changeOf, type Envelope, envelopeOf, type Pending, planEvent, planWrite } from './plan-write.ts'
import { readVersions } from './read-history.ts'
import type { StoredRow } from './read-records.ts'
import { refuse, storeRefusal } from './refusal.ts'
import { searchOf } from './search-input.ts'
import type { Store } from './store.ts'

/** Resources after which others get their turn. */
const TURN = 50
const MOST_VERSIONS = 500
/** Module name of an import; no route carries it. */
const IMPORT = 'import'

interface Known {
  row: StoredRow
  body: Buffer
}

/** A transaction as it gathers what it will change. Nothing reaches the database before `finish`. */
export class UnitOfWork implements Transaction {
  readonly actor: Actor
  readonly origin: Origin
  readonly now: Date
  readonly scope: Scope
  readonly plan: Plan = emptyPlan()
  readonly hints: Hint[] = []
  readonly #store: Store
  readonly #known = new Map<string, Known>()
  readonly #peeked = new Map<string, Known>()
  readonly #pending = new Map<string, Pending>()
  readonly #envelopes: Envelope[] = []
  readonly #claims: Claims
  #opening: Promise<Session> | undefined
  readonly #reads: AuditEntry[] = []
  readonly #notes: AuditEntry[] = []

  readonly #reading: boolean

  /** @param purpose `read` runs each statement for itself, without a transaction around them. */
  constructor(store: Store, actor: Actor, origin: Origin, now: Date, purpose: 'read' | 'change') {
    this.#store = store
    this.#reading = purpose === 'read'
    this.actor = actor
    this.origin = origin
    this.now = now
    this.scope = store.scopeOf(actor)
    this.#claims = new Claims((term) => store.keyring.blind(term))
  }

  /** True when there is something to commit. */
  get changes(): boolean {
    return this.#pending.size > 0 || this.#envelopes.length > 0 || this.plan.answers.length > 0
  }

  /** Entries of what was read and noted: kept even when nothing else is. */
  get auditsOfFailure(): readonly AuditEntry[] {
    return [...this.#reads, ...this.#notes]
  }

  // Reading

  async find<T extends ResourceType>(type: T, id: string): Promise<Stored<ResourceOf<T>> | undefined> {
    const pending = this.#pending.get(`${type}/${idKey(id)}`)
    if (pending) return pending.deleted ? undefined : (pending.resource as unknown as Stored<ResourceOf<T>>)
    const known = await this.#current(type, id)
    if (!known || known.row.deleted) return undefined
    this.#holdUnchanged(type, known.row)
    return readJson(known.body.toString()) as Stored<ResourceOf<T>>
  }

  async read<T extends ResourceType>(type: T, id: string): Promise<Stored<ResourceOf<T>>> {
    return (await this.find(type, id)) ?? refuse('RECORD_NOT_FOUND', { resourceType: type })
  }

  async versionOf(type: ResourceType, id: string): Promise<{ version: string; deleted: boolean } | undefined> {
    const known = await this.#current(type, id, 'peek')
    return known && { version: String(known.row.version), deleted: known.row.deleted }
  }

  async versions<T extends ResourceType>(type: T, id: string): Promise<Stored<ResourceOf<T>>[]> {
    const versions = await readVersions(this.#store, this.scope, { types: [type], id, limit: MOST_VERSIONS })
    const [latest] = versions
    if (!latest || latest.row.deleted) return []
    this.#auditRead({ resourceType: type, resource: idKey(id), patient: latest.row.patient ?? undefined })
    return versions.flatMap(({ row }) => (row.deleted ? [] : [readJson(this.#store.bodyOf(type, row).toString()) as Stored<ResourceOf<T>>]))
  }

  async #current(type: ResourceType, id: string, purpose: 'show' | 'peek' = 'show'): Promise<Known | undefined> {
    const key = `${type}/${idKey(id)}`
    const known = this.#known.get(key)
    if (known) return known
    let row: StoredRow | undefined
    if (this.#opening) {
      row = await this.#store.reader.readWithin(await this.#opening, this.scope, type, id)
      if (purpose === 'show') this.#auditRead({ resourceType: type, resource: idKey(id), patient: row?.patient ?? undefined })
    } else if (purpose === 'peek') {
      row = await this.#store.reader.peek(this.scope, type, id)
    } else {
      row = await this.#store.reader.read(this, this.scope, type, id)
    }
    if (!row) return undefined
    const found = { row, body: this.#store.bodyOf(type, row) }
    // A peek is forgotten as content: a later read is audited. What it told of the version is kept for `write`.
    if (purpose === 'peek') this.#peeked.set(key, found)
    else this.#known.set(key, found)
    return found
  }

  /** What is known of the version before, shown or not. */
  #seen(key: string): Known | undefined {
    return this.#known.get(key) ?? this.#peeked.get(key)
  }

  // What was decided on must still be so at commit: the statement that commits checks the version of each.
  #holdUnchanged(type: ResourceType, row: StoredRow): void {
    const versions = this.plan.unchanged.get(type) ?? new Map<string, number>()
    versions.set(`${row.id}/${row.branch}`, row.version)
    this.plan.unchanged.set(type, versions)
  }

  async search<T extends ResourceType>(type: T, input: SearchInput): Promise<Stored<ResourceOf<T>>[]> {
    return (await this.page(type, input)).resources
  }

  async page<T extends ResourceType>(
    type: T,
    input: SearchInput,
  ): Promise<{ resources: Stored<ResourceOf<T>>[]; next?: string; total?: number }> {
    return await this.#pageOf<T>(searchOf(type, input, this.#store.searchIndex.searched))
  }

  async select(query: SearchQuery): Promise<Stored<Resource>[]> {
    return (await this.#pageOf(query)).resources as Stored<Resource>[]
  }

  async #pageOf<T extends ResourceType>(query: SearchQuery): Promise<{ resources: Stored<ResourceOf<T>>[]; next?: string; total?: number }> {
    const type = query.type as T
    const session = this.#opening && (await this.#opening)
    const page = await this.#store.search(this.scope, query, {
      ...(session ? { session } : {}),
      note: (patient) => this.#store.auditEntry(this, this.now, { resourceType: type, patient }),
    })
    const patients = [...new Set(page.rows.flatMap(({ row }) => row.patient ?? []))]
    if (patients.length > 0 && !page.noted) {
      this.#auditRead({
        resourceType: type,
        ...(patients.length === 1 ? { patient: patients[0] } : { patients }),
      })
    }
    for (const { row, body } of page.rows) this.#known.set(`${type}/${row.id}`, { row, body })
    const { next, total } = page
    return {
      resources: page.rows.map(({ body }) => readJson(body.toString()) as Stored<ResourceOf<T>>),
      ...(next === undefined ? {} : { next }),
      ...(total === undefined ? {} : { total }),
    }
  }

  noteRead(patients: readonly string[]): void {
    const keys = [...new Set(patients.map(idKey))]
    if (keys.length === 0) return
    this.#auditRead(keys.length === 1 ? { patient: keys[0] } : { patients: keys })
  }

  #auditRead(entry: Partial<AuditEntry>): void {
    this.#reads.push(this.#store.auditEntry(this, this.now, entry))
  }

  async sql<R extends object>(text: string, values: readonly unknown[] = []): Promise<R[]> {
    if (this.#reading) return await this.#store.database.query<R>(this.scope, { text, values }, { retry: 'reads' })
    const session = await this.#openSession()
    try {
      return await session.query<R>({ text, values })
    } catch (error) {
      // A row of a branch that is not the actor's is a refusal here as it is at the commit.
      throw storeRefusal(error)
    }
  }

  async lookUp<R extends object>(lookUp: LookUp, values: readonly unknown[], patients: readonly string[] = []): Promise<R[]> {
    if (!this.#reading) {
      this.noteRead(patients)
      return await lookUpWithin<R>(await this.#openSession(), lookUp, values)
    }
    const notes = patients.map((patient) => this.#store.auditEntry(this, this.now, { patient: idKey(patient) }))
    return await this.#store.lookUps.ask<R>(this.scope, lookUp, values, notes)
  }

  // Opened by the first statement on a module's own tables. Work on resources alone never needs it: it commits as a
  // single statement.
  #openSession(): Promise<Session> {
    this.#opening ??= this.#store.database.begin(this.scope)
    return this.#opening
  }

  open(sealed: Uint8Array): string {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
    const hex = bytes.toString('hex', 0, 16)
    const branch = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
    return this.#store.keyring.open(branch, bytes.subarray(16), 'value').toString()
  }

  blind(value: string): string {
    return this.#store.keyring.blind(value)
  }

  // Writing

  write<R extends Resource>(resource: R, options: WriteOptions = {}): Stored<R> {
    const type = resource.resourceType
    const id = resource.id ?? randomUUID()
    const key = `${type}/${idKey(id)}`
    const known = this.#seen(key)
    const before = this.#pending.get(key)
    const given = Number(resource.meta?.versionId ?? 0)
    const replaces = before ? before.replaces : known?.row.deleted ? known.row.version : given
    if (known && !known.row.deleted && replaces !== known.row.version) {
      refuse('RECORD_VERSION_CONFLICT', { resourceType: type, id, current: String(known.row.version) })
    }
    const stored = {
      ...resource,
      id,
      meta: { ...resource.meta, versionId: String(replaces + 1), lastUpdated: this.now.toISOString() },
    } as Stored<R>
    const { issues, settled } = this.#store.validator.look(stored)
    if (issues.length > 0) refuse('RECORD_INVALID', { issues })
    const branch = this.#mine(known?.row.branch ?? before?.branch ?? this.#branchFor(type, options.branch))
    const owner = this.#checkGoverned(stored, known)
    this.#pending.set(key, { resource: stored, branch, owner, deleted: false, settled, replaces, reason: options.reason })
    return stored
  }

  remove(resource: Stored<Resource>): void {
    const key = `${resource.resourceType}/${idKey(resource.id)}`
    const known = this.#seen(key)
    const owner = this.#checkGoverned(resource, known)
    const replaces = Number(resource.meta.versionId)
    const tombstone = {
      resourceType: resource.resourceType,
      id: resource.id,
      meta: { versionId: String(replaces + 1), lastUpdated: this.now.toISOString() },
    } as Stored<Resource>
    const branch = this.#mine(known?.row.branch ?? this.#branchFor(resource.resourceType))
    this.#pending.set(key, { resource: tombstone, branch, owner, deleted: true, settled: true, replaces })
  }

  #branchFor(type: ResourceType, given?: string): string {
    return this.#mine(given ?? (isSharedType(type) ? SHARED_BRANCH : this.actor.branch))
  }

  // What a consent or an emergency shows of another branch is there to be read.
  #mine(branch: string): string {
    if (branch !== SHARED_BRANCH && !this.actor.branches.includes(branch)) refuse('BRANCH_FORBIDDEN')
    return branch
  }

  // A governed resource is written by its owner's commands; anybody else is told which operation to use.
  #checkGoverned(resource: Resource, known: Known | undefined): string | null {
    const rules = this.#store.governed.get(resource.resourceType) ?? []
    const rule = rules.find(
      ({ module, when }) => known?.row.owner === module || (when === undefined ? true : when(resource)),
    )
    if (!rule) return known?.row.owner ?? null
    // Records that are brought over whole belong to the workflow they came from.
    if (this.origin.module === IMPORT) return rule.module
    if (rule.module !== this.origin.module) {
      refuse('RECORD_GOVERNED', { resourceType: resource.resourceType, instead: rule.instead })
    }
    return rule.module
  }

  async watch(things: readonly string[]): Promise<void> {
    await this.#claims.watch(things, async () => {
      const session = this.#opening && (await this.#opening)
      return (statement) => (session ? session.query(statement) : this.#store.database.query(this.scope, statement, { retry: 'reads' }))
    })
  }

  claim(thing: string): void {
    this.#claims.claim(this.plan, thing)
  }

  emit<D>(type: EventType<D>, data: D, about: EventAbout): void {
    this.#envelopes.push(envelopeOf(this, type, data, about))
  }

  signal(hint: Hint): void {
    this.hints.push(hint)
  }

  seal(text: string, branch = this.actor.branch): Buffer {
    return Buffer.concat([
      Buffer.from(branch.replaceAll('-', ''), 'hex'),
      this.#store.keyring.seal(branch, Buffer.from(text), 'value'),
    ])
  }

  record(entry: AuditNote): void {
    const { action, outcome, reason, patient } = entry
    this.#notes.push(
      this.#store.auditEntry(this, this.now, {
        action,
        outcome,
        ...(reason === undefined ? {} : { reason: this.seal(reason) }),
        ...(patient === undefined ? {} : { patient: idKey(patient) }),
      }),
    )
  }

  // Ending

  /** Encrypts and indexes what is to be written. */
  async finish(): Promise<Plan> {
    const { plan } = this
    const { validator } = this.#store
    const pending = [...this.#pending.values()]
    if (validator.rules.references === 'existing' || pending.some(({ settled }) => !settled)) {
      await checkBeforeCommit(validator, pending, async (type, id) => (await this.versionOf(type, id))?.deleted === false)
    }
    for (const one of pending) if (this.#store.followed.has(one.resource.resourceType)) this.#tellOfChange(one)
    // Whose record a version leaves is known of its predecessor alone.
    const unread = pending.filter((one) => one.replaces > 0 && !this.#before(one))
    await Promise.all(unread.map(({ resource }) => this.versionOf(resource.resourceType, resource.id)))
    const branches = new Set(pending.map(({ branch }) => branch))
    for (const { envelope } of this.#envelopes) branches.add(envelope.branch)
    for (const branch of branches) await this.#store.keyring.ensure(branch)
    const unit = { store: this.#store, actor: this.actor, origin: this.origin, now: this.now }
    for (const [nth, one] of pending.entries()) {
      // A unit of thousands takes seconds to encrypt and index: others get their turn.
      if (nth % TURN === TURN - 1) await new Promise((resolve) => setImmediate(resolve))
      planWrite(plan, unit, one, this.#before(one))
    }
    for (const envelope of this.#envelopes) planEvent(plan, this.#store, envelope)
    plan.audits.push(...this.#reads, ...this.#notes)
    if (!this.changes && !this.inSession) plan.unchanged.clear()
    return plan
  }

  #tellOfChange(pending: Pending): void {
    const { data, about } = changeOf(pending, this.#before(pending))
    this.emit({ type: RESOURCE_CHANGED, parse: () => data }, data, about)
  }

  #before({ resource }: Pending): StoredRow | undefined {
    return this.#seen(`${resource.resourceType}/${idKey(resource.id)}`)?.row
  }

  /** True when a transaction is open in the database. */
  get inSession(): boolean {
    return this.#opening !== undefined
  }

  /** Stores the plan in the open transaction and commits it. */
  async commitSession(plan: Plan): Promise<void> {
    const session = await this.#openSession()
    try {
      if (this.changes || plan.audits.length > 0) await session.query(commitStatement(plan))
      await session.commit()
    } catch (error) {
      throw storeRefusal(error)
    }
  }

  /** Gives up what was not committed. */
  async rollback(): Promise<void> {
    if (this.#opening) await (await this.#opening).rollback()
  }
}
