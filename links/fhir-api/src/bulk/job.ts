import { actorNow } from '@carespine/identity/contract'
import { resourceTypes } from '@carespine/fhir/definitions'
import type { ResourceType } from '@carespine/fhir/resource'
import { allows } from '@carespine/kit/permission'
import type { Services } from '@carespine/kit/services'
import type { Actor, AppAccess, Origin, Transaction } from '@carespine/store/contract'
import type { Caller } from '../interactions.ts'

/** What is exported of one type. */
export interface TypeOrder {
  type: ResourceType
  /** Searches, any of which matches; none: everything. */
  queries: readonly string[]
  elements?: readonly string[]
  /** Also what is filed under no patient. */
  whole: boolean
}

export interface ExportOrder {
  types: readonly TypeOrder[]
  since?: string
  /** Whose: everybody's, those who are named, or `any` for all that is about somebody. Absent: the whole record. */
  patients?: 'any' | readonly string[]
}

export interface ImportOrder {
  /** Without a URL: what came with the request. */
  inputs: readonly { type?: ResourceType; url?: string }[]
}

/** What was asked, and as whom. Kept sealed. */
export interface Asked {
  url: string
  base: string
  actor: Pick<Actor, 'permissions' | 'branches' | 'patient' | 'session' | 'app'>
  origin: Pick<Origin, 'correlationId' | 'address'>
  export?: ExportOrder
  import?: ImportOrder
}

export type JobState = 'receiving' | 'waiting' | 'running' | 'complete' | 'failed' | 'cancelled'

export interface Job<P = unknown> {
  id: string
  branch: string
  kind: 'export' | 'import'
  owner_kind: 'user' | 'client'
  owner: string
  portal: string | null
  state: JobState
  asked: Buffer
  progress: P
  done: string
  transaction_time: Date | null
  attempts: number
  error: string | null
  created_at: Date
  ended_at: Date | null
  expires_at: Date | null
}

export interface JobFile {
  number: number
  kind: 'output' | 'deleted' | 'error' | 'input'
  type: string
  count: string
  chunks: number
}

/** The job was cancelled, or another process works at it. */
export class JobLost extends Error {}

/** A fault that no repetition mends. */
export class JobFault extends Error {}

const bound = (id: string): string => `bulk-job/${id}`

function sealAsked({ store }: Services, id: string, branch: string, asked: Asked): Buffer {
  return store.keyring.seal(branch, Buffer.from(JSON.stringify(asked)), bound(id))
}

export function openAsked({ store }: Services, { id, branch, asked }: Pick<Job, 'id' | 'branch' | 'asked'>): Asked {
  return JSON.parse(store.keyring.open(branch, asked, bound(id)).toString()) as Asked
}

/** Unfinished jobs that one account may have. */
const MOST_OPEN = 5

/** Whether the account has as many jobs under way as it may have. */
export async function hasTooMany({ store }: Services, { actor }: Caller): Promise<boolean> {
  const [open] = await store.database.query<{ count: number }>(store.scopeOf(actor), {
    text: "select count(*)::int as count from bulk.job where owner = $1 and state in ('receiving', 'waiting', 'running')",
    values: [actor.id],
  })
  return (open?.count ?? 0) >= MOST_OPEN
}

export async function keepJob(services: Services, tx: Transaction, caller: Caller, job: { id: string; kind: Job['kind']; state: JobState; asked: Asked }): Promise<void> {
  const { kind, id, portal, branch } = caller.actor
  const now = services.now()
  await tx.sql(
    'insert into bulk.job (id, branch, kind, owner_kind, owner, portal, state, asked, due_at, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)',
    [job.id, branch, job.kind, kind, id, portal ?? null, job.state, sealAsked(services, job.id, branch, job.asked), now],
  )
}

const columns = 'id, branch, kind, owner_kind, owner, portal, state, asked, progress, done, transaction_time, attempts, error, created_at, ended_at, expires_at'
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/

/** A job of the caller's own. Undefined for anybody else's, and for one that was deleted or has expired. */
export async function ownJob(services: Services, { actor }: Caller, id: string): Promise<Job | undefined> {
  const { store, now } = services
  if (!UUID.test(id)) return undefined
  const [job] = await store.database.query<Job>(
    store.scopeOf(actor),
    {
      text: `select ${columns} from bulk.job where id = $1 and owner = $2 and owner_kind = $3 and state <> 'cancelled' and coalesce(expires_at > $4, true)`,
      values: [id, actor.id, actor.kind, now()],
    },
    { retry: 'reads' },
  )
  // What one app exports is not another's, though it be of the same person, nor its own with fewer scopes.
  const app = job && actor.app ? openAsked(services, job).actor.app : actor.app
  return isSameApp(app, actor.app) ? job : undefined
}

function isSameApp(one: AppAccess | undefined, other: AppAccess | undefined): boolean {
  return one?.client === other?.client && one?.grant === other?.grant && one?.scope === other?.scope
}

export async function filesOf({ store }: Services, { actor }: Caller, job: string): Promise<JobFile[]> {
  return await store.database.query<JobFile>(
    store.scopeOf(actor),
    { text: "select number, kind, type, count, chunks from bulk.file where job = $1 and kind <> 'input' order by number", values: [job] },
    { retry: 'reads' },
  )
}

/** Jobs that somebody should work at, oldest first. */
export async function openJobs({ store, system, now }: Services): Promise<{ id: string }[]> {
  return await store.database.query<{ id: string }>(store.scopeOf(system('fhir-api')), {
    name: 'open-bulk-jobs',
    text: "select id from bulk.job where state in ('waiting', 'running') and due_at <= $1 order by created_at limit 20",
    values: [now()],
  })
}

/** Puts a job into the hands of this runner. Undefined when it has ended meanwhile. */
export async function takeJob<P>({ store, system }: Services, id: string, runner: string): Promise<Job<P> | undefined> {
  const [job] = await store.database.query<Job<P>>(store.scopeOf(system('fhir-api')), {
    text: `update bulk.job set runner = $2, state = 'running' where id = $1 and state in ('waiting', 'running') returning ${columns}`,
    values: [id, runner],
  })
  return job
}

/** Moves a job on, in the transaction of what was done. Throws JobLost when it is somebody else's, or was cancelled. */
export async function advance(tx: Transaction, { job, runner }: Hold, moved: { progress: object; done?: number; state?: JobState; transactionTime?: Date; ended?: Date; expires?: Date }): Promise<void> {
  const rows = await tx.sql(
    'update bulk.job set progress = $3, done = done + $4, state = coalesce($5, state), transaction_time = coalesce($6, transaction_time), ' +
      "ended_at = $7, expires_at = $8, attempts = 0 where id = $1 and runner = $2 and state = 'running' returning 1",
    [job.id, runner, JSON.stringify(moved.progress), moved.done ?? 0, moved.state ?? null, moved.transactionTime ?? null, moved.ended ?? null, moved.expires ?? null],
  )
  if (rows.length === 0) throw new JobLost()
}

/** A job as one process works at it. */
export interface Hold<P = unknown> {
  job: Job<P>
  asked: Asked
  runner: string
  caller: Caller
  /** Hours that its files are kept. */
  fileHours: number
  importOrigins: readonly string[]
  /** Throws JobLost when this process should let go of it. */
  check(): void
}

/**
 * As whom a job works: the account as it is now, with no more permissions and branches than it asked with. Undefined when
 * the account is closed, has left the branch, or has taken back what it allowed the app.
 */
export async function callerOfJob({ ask }: Services, job: Job, { actor: then, origin }: Asked): Promise<Caller | undefined> {
  const { actor: now } = await ask(actorNow, { kind: job.owner_kind, id: job.owner, ...(job.portal === null ? {} : { portal: job.portal }), ...(then.app === undefined ? {} : { app: then.app }) })
  const branches = now?.branches.filter((branch) => then.branches.includes(branch)) ?? []
  if (!now || !branches.includes(job.branch)) return undefined
  const patient = then.patient ?? now.patient
  const actor: Actor = {
    ...(now as Actor),
    permissions: inBoth(then.permissions, now.permissions),
    branches,
    branch: job.branch,
    ...(patient === undefined ? {} : { patient }),
    ...(then.session === undefined ? {} : { session: then.session }),
  }
  return { actor, origin: { ...origin, action: `fhir.${job.kind}`, module: 'fhir-api' } }
}

// Permissions are patterns: what two lists of them have in common is told type by type.
function inBoth(then: readonly string[], now: readonly string[]): readonly string[] {
  if (then.join() === now.join()) return now
  const all = resourceTypes.flatMap((type) => [`fhir:${type}:read`, `fhir:${type}:write`])
  return all.filter((permission) => allows(then, permission) && allows(now, permission))
}
