import type { Resource, ResourceOf, ResourceType, Stored } from '@carespine/fhir/resource'
import type { SearchQuery } from '@carespine/fhir/search-query'

/** A question to a module's own tables that is asked together with those of the same moment. */
export interface LookUp {
  /**
   * Reads from the relation `asked`: the columns named by `columns`, and `nth`, which its rows must carry.
   */
  text: string
  /** Names and SQL types of what an asker gives. */
  columns: Readonly<Record<string, string>>
}

/** Branch of what every branch shares: demographics, staff, places, definitions. */
export const SHARED_BRANCH = '00000000-0000-0000-0000-000000000000'

/** That some patients are hidden from an actor, or shown beyond its branches; which ones, the database says at each statement. */
export interface Guard {
  /** As whom it is looked at: by its own id, or as anybody of whom nothing is said. A uuid. */
  person: string
  /** It may meet content of branches that are not its own. */
  widened: boolean
}

/** Who acts. Row-level security and audit are derived from this and from nothing else. */
export interface Actor {
  kind: 'user' | 'client' | 'system'
  /** uuid of the user or client; for the system, of the consumer's own account. */
  id: string
  /** Name shown in audit and on documents. */
  display: string
  roles: readonly string[]
  /** Actions such as `orders.place` or `fhir:Observation:read`; `*` matches one segment or the rest. */
  permissions: readonly string[]
  /** Branches whose content this actor may see. The shared branch is implied when any is present. */
  branches: readonly string[]
  /** Where this actor's writes belong. */
  branch: string
  /** Set for a patient's own log-in: nothing of another patient is visible. */
  patient?: string
  /** Absent when no rule about single patients concerns this actor; see `Guard`. */
  guard?: Guard
  /** The FHIR Practitioner this user is. */
  practitioner?: string
  portal?: string
  session?: string
  /** Set when an app acts, for this actor or for itself. */
  app?: AppAccess
  /** Of resource types, by name or `*` for those not named: which resources the app was granted. Absent: all that the rest shows. */
  narrowing?: Readonly<Record<string, Narrowing>>
}

/** Under which grant an app acts. */
export interface AppAccess {
  client: string
  /** Scopes of OAuth 2, with blanks between. */
  scope: string
  /** What somebody allowed it; absent when it acts for itself. */
  grant?: string
}

/** Which resources of a type are met: those of this patient or of none, those that carry one of these terms of the index. */
export interface Narrowing {
  patient?: string
  terms?: readonly string[]
}

/** Where a request came from; copied into audit entries and events. */
export interface Origin {
  correlationId: string
  /** The command, query or FHIR interaction at work, such as `orders.place` or `fhir.read`. */
  action: string
  /** The module whose command is at work; decides who may write governed resources. */
  module: string
  address?: string
}

/** An event as it leaves the outbox. */
export interface EventEnvelope<D = unknown> {
  id: string
  /** Position in the outbox; grows in commit order for one patient. */
  sequence: string
  /** Versioned name: `lab.result.available.v1`. */
  type: string
  at: string
  actor: { kind: Actor['kind']; id: string; display: string; app?: AppAccess }
  portal?: string
  branch: string
  correlationId: string
  /** Patient the event is about; events of one patient are handled in order. */
  patient?: string
  /** The FHIR resource the event is about. */
  resource?: { type: ResourceType; id: string; version: string }
  data: D
}

/** Type of the event that a write of a followed type leaves; its data are a `ResourceChange`. */
export const RESOURCE_CHANGED = 'record.resource.changed.v1'

export interface ResourceChange {
  type: ResourceType
  id: string
  version: number
  interaction: 'create' | 'update' | 'delete'
}

/** An event definition: a versioned name and how its data are checked. */
export interface EventType<D = unknown> {
  type: string
  parse(data: unknown): D
}

export interface EventAbout {
  patient?: string
  /** Events of one lane are handled in order. Default: the patient; give it when the patient is not known yet. */
  lane?: string
  resource?: Stored<Resource>
  branch?: string
}

export type SearchInput = Readonly<Record<string, string | readonly string[]>>

/** Reads under the actor's branches. Every read of patient data is audited before the answer leaves. */
export interface ReadView {
  readonly actor: Actor
  /** The resource, or a refusal `RECORD_NOT_FOUND` when it is absent, deleted or of a branch the actor may not see. */
  read<T extends ResourceType>(type: T, id: string): Promise<Stored<ResourceOf<T>>>
  /** As `read`, but undefined instead of a refusal. */
  find<T extends ResourceType>(type: T, id: string): Promise<Stored<ResourceOf<T>> | undefined>
  /** Matches of a FHIR search (`{ patient: 'Patient/1', _sort: '-date', _count: '50' }`), without included resources. */
  search<T extends ResourceType>(type: T, query: SearchInput): Promise<Stored<ResourceOf<T>>[]>
  /** As `search`, with the cursor of the page that follows. Give it back as `_cursor`. */
  page<T extends ResourceType>(
    type: T,
    query: SearchInput,
  ): Promise<{ resources: Stored<ResourceOf<T>>[]; next?: string; total?: number }>
  /** Matches of a search that was read already (`parseSearch`), without included resources. */
  select(query: SearchQuery): Promise<Stored<Resource>[]>
  /** Version of a resource, deleted ones included; undefined when there is none that the actor may see. */
  versionOf(type: ResourceType, id: string): Promise<{ version: string; deleted: boolean } | undefined>
  /** Every version of a resource that is not deleted, latest first; the 500 latest when there are more. */
  versions<T extends ResourceType>(type: T, id: string): Promise<Stored<ResourceOf<T>>[]>
  /** Adds the audit entry for patient data that come from a module's own tables. Ids of the patients shown. */
  noteRead(patients: readonly string[]): void
  /** Plain SQL on a module's own tables, under row-level security. Commits with the unit of work. */
  sql<R extends object>(text: string, values?: readonly unknown[]): Promise<R[]>
  /**
   * One question to a module's own tables, asked together with those of the same moment; see `LookUp`. `patients` are
   * those whose data it shows: the audit entries are written by the same statement.
   */
  lookUp<R extends object>(lookUp: LookUp, values: readonly unknown[], patients?: readonly string[]): Promise<R[]>
  /** Encrypts text under a branch's key, for module tables. Default: the actor's branch. */
  seal(text: string, branch?: string): Buffer
  /** Decrypts what `seal` made. */
  open(sealed: Uint8Array): string
  /** The keyed hash of a value, for looking up what is stored sealed. A signed 64-bit integer in decimal. */
  blind(value: string): string
}

/** One unit of work: what is written and emitted commits together or not at all. */
export interface Transaction extends ReadView {
  /**
   * Writes a resource: without `id` a new one; with `id` and `meta.versionId` the next version of the one that was
   * read (a newer one in the store refuses with `RECORD_VERSION_CONFLICT`); with `id` alone a new one of that id.
   * Validated at once; stored at commit. Returns it with its id, version and time.
   */
  write<R extends Resource>(resource: R, options?: WriteOptions): Stored<R>
  /** Deletes the version that was read; its history stays. */
  remove(resource: Stored<Resource>): void
  /**
   * Before looking for things whose absence decides: names them, such as `Patient?identifier=…`. Of the units of work
   * that named the same thing and claimed it, one commits; the others run again, and find what it made.
   */
  watch(things: readonly string[]): Promise<void>
  /** Claims a thing that was watched and not found, so that nobody else makes it at the same time. */
  claim(thing: string): void
  /** Puts an event into the outbox with this unit of work. */
  emit<D>(event: EventType<D>, data: D, about: EventAbout): void
  /** Tells browsers, after the commit, that something changed. Names and ids only: no clinical content. */
  signal(hint: Hint): void
  /** Adds an audit entry of its own, such as a sign-in. Names and codes only: no patient data. */
  record(entry: AuditNote): void
}

export interface AuditNote {
  /** `identity.login`, `break-glass`, … */
  action: string
  outcome: 'success' | 'failure'
  reason?: string
  patient?: string
}

export interface WriteOptions {
  /** Default: the actor's branch, or the shared branch for demographic types. An update keeps its branch. */
  branch?: string
  /** Why, for an amendment; kept in the audit entry. */
  reason?: string
}

/** A nudge to browsers: who should look again at what. */
export interface Hint {
  /** `user:<id>` or `branch:<id>`. */
  room: string
  /** What changed: `lab-worklist`, `notifications`, … */
  name: string
  /** Identifiers only. */
  ref?: Readonly<Record<string, string>>
}
