import { randomUUID } from 'node:crypto'
import { Refusal } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import type { Session } from '@carespine/store/database'
import { runExport } from './export-steps.ts'
import { NotFetched } from './fetch-input.ts'
import { runImport } from './import-steps.ts'
import { callerOfJob, type Hold, type Job, JobFault, JobLost, openAsked, openJobs, takeJob } from './job.ts'
import { isPassing } from './load-resources.ts'

export interface BulkSettings {
  /** Hours that the files of a job are kept. */
  fileHours: number
  /** Origins that `$import` may fetch from; `*` for every public one over https. */
  importOrigins: readonly string[]
}

const everywhere = { branches: '', patient: '' }
const LOCKS = 4_203_125
/** Jobs that one process works at: a small one does not wait for a large one. */
const AT_ONCE = 2
const POLL_MILLISECONDS = 500
/** Within the 30 seconds after which the database gives up the lock of a process that hangs. */
const BEAT_MILLISECONDS = 8000
/** Seconds from each failed attempt to the next. */
const WAITS: readonly number[] = [5, 30, 120]
const OUTAGE_SECONDS = 5

/**
 * Works at bulk jobs. Each is one process's at a time, whose connection holds an advisory lock: when the process ends,
 * however it ends, another one goes on from the last part that was committed.
 */
export function runBulkJobs(services: Services, settings: BulkSettings): () => Promise<void> {
  const underWay = new Map<string, Promise<void>>()
  let isClosed = false

  const round = async (): Promise<void> => {
    if (underWay.size >= AT_ONCE) return
    for (const { id } of await openJobs(services)) {
      if (underWay.size >= AT_ONCE || isClosed) return
      if (underWay.has(id)) continue
      const lock = await lockOf(services, id)
      if (!lock) continue
      const run = attend(services, settings, id, lock, () => isClosed)
        .catch((error: unknown) => services.log.warn({ job: id, fault: (error as Error).name }, 'a bulk job was not worked at'))
        .finally(() => underWay.delete(id))
      underWay.set(id, run)
    }
  }
  let isLooking = false
  const timer = setInterval(() => {
    if (isLooking || isClosed) return
    isLooking = true
    void round()
      .catch((error: unknown) => services.log.warn({ fault: (error as Error).name }, 'bulk jobs are not looked for'))
      .finally(() => (isLooking = false))
  }, POLL_MILLISECONDS)
  timer.unref()
  return async () => {
    isClosed = true
    clearInterval(timer)
    await Promise.all(underWay.values())
  }
}

async function lockOf({ store }: Services, id: string): Promise<Session | undefined> {
  const session = await store.database.begin(everywhere)
  try {
    const [row] = await session.query<{ held: boolean }>({ text: 'select pg_try_advisory_xact_lock($1, hashtext($2)) as held', values: [LOCKS, id] })
    if (row?.held) return session
  } catch (error) {
    await session.rollback()
    throw error
  }
  await session.rollback()
  return undefined
}

async function attend(services: Services, { fileHours, importOrigins }: BulkSettings, id: string, lock: Session, isClosed: () => boolean): Promise<void> {
  const runner = randomUUID()
  let isLost = false
  const beat = setInterval(() => void lock.query({ text: 'select 1' }).catch(() => (isLost = true)), BEAT_MILLISECONDS)
  try {
    const job = await takeJob(services, id, runner)
    if (!job) return
    const check = (): void => {
      if (isLost || isClosed()) throw new JobLost()
    }
    try {
      const asked = openAsked(services, job)
      const caller = await callerOfJob(services, job, asked)
      if (!caller) throw new JobFault('FHIR_BULK_ACCOUNT_CLOSED')
      const hold: Hold<never> = { job: job as Job<never>, asked, runner, caller, fileHours, importOrigins, check }
      await (job.kind === 'export' ? runExport(services, hold) : runImport(services, hold))
    } catch (error) {
      if (!(error instanceof JobLost)) await putAside(services, job, runner, error, fileHours)
    }
  } finally {
    clearInterval(beat)
    await lock.rollback()
  }
}

/** Tries again later, or gives up. What people are told is a code. */
async function putAside({ store, system, now, log }: Services, job: Job, runner: string, error: unknown, fileHours: number): Promise<void> {
  const passes = isPassing(error)
  const code = error instanceof Refusal ? error.code : error instanceof JobFault ? error.message : error instanceof NotFetched ? 'FHIR_BULK_INPUT_UNAVAILABLE' : 'FHIR_BULK_JOB_BROKEN'
  const wait = passes ? OUTAGE_SECONDS : error instanceof JobFault ? undefined : WAITS[job.attempts]
  const { name, message, stack } = error as Error
  // Messages of PostgreSQL may quote a value.
  log.warn({ job: job.id, code, ...(error instanceof NotFetched ? { reason: message } : {}), fault: name, at: stack?.split('\n').filter((line) => line.trimStart().startsWith('at ')).slice(0, 6) }, wait === undefined ? 'a bulk job failed' : 'a bulk job is tried again')
  const time = now()
  const failed = wait === undefined
  await store.database.query(store.scopeOf(system('fhir-api')), {
    text:
      'update bulk.job set state = $3, attempts = attempts + $4, due_at = $5, error = $6, ended_at = $7, expires_at = $8 ' +
      "where id = $1 and runner = $2 and state = 'running'",
    values: [
      job.id,
      runner,
      failed ? 'failed' : 'waiting',
      passes ? 0 : 1,
      new Date(time.getTime() + (wait ?? 0) * 1000),
      code,
      failed ? time : null,
      failed ? new Date(time.getTime() + fileHours * 3_600_000) : null,
    ],
  })
}
