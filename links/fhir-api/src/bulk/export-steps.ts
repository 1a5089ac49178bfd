import { readJson, writeJson } from '@carespine/fhir/decimal-digits'
import type { Bundle } from '@carespine/fhir/resource'
import type { Filter } from '@carespine/fhir/search-query'
import { subsetOf } from '@carespine/fhir/subset'
import { allows } from '@carespine/kit/permission'
import type { Services } from '@carespine/kit/services'
import { filledTypes } from '@carespine/store/read-history'
import { markReading } from '@carespine/store/read-mark'
import type { StoredRow } from '@carespine/store/read-records'
import { readDeletions, type Walked } from '@carespine/store/walk-matches'
import { codeQuestions } from '../code-questions.ts'
import { parseQuery } from '../search.ts'
import { keepChunk, sealChunk } from './chunks.ts'
import { advance, type ExportOrder, type Hold, JobFault, type TypeOrder } from './job.ts'

interface OpenFile {
  number: number
  chunks: number
  count: number
  bytes: number
}

/** How far an export is. All of it is stored with the lines that it stands for. */
export interface ExportProgress {
  /** The type that is at work. */
  step: number
  part: 'matches' | 'deletions' | 'notes'
  /** Where its patients begin, of those who are named. */
  slice: number
  after?: string
  from?: { id: string; branch: string }
  /** Files so far. */
  numbers: number
  file?: OpenFile
  deleted?: OpenFile
  /** Rows to look at next. */
  rows: number
  /** Types that may have resources. */
  filled: readonly string[]
}

const FIRST_ROWS = 100
const MOST_ROWS = 1000
/** Bytes of lines that a part is to have: what is held in memory. */
const PART = 2 * 1024 * 1024
const MOST_IN_FILE = 100_000
const LARGEST_FILE = 128 * 1024 * 1024
/** Patients of one question: few enough for their rows to be found by patient and put in order each time. */
const SLICE = 50
const NOTES = 500

/** Takes the job to its end, part by part, each committed with the place that it ends at. */
export async function runExport(services: Services, hold: Hold<Partial<ExportProgress>>): Promise<void> {
  const { order, at } = orderOf(hold)
  let progress = await begun(services, hold)
  const since = order.since === undefined ? undefined : new Date(order.since)
  while (progress.part !== 'notes') {
    hold.check()
    const step = order.types[progress.step]
    if (!step) progress = { ...progress, part: 'notes' }
    else if (!progress.filled.includes(step.type)) progress = nextStep(progress)
    else if (progress.part === 'matches') progress = await exportMatches(services, hold, { order, step, since, at: at() }, progress)
    else progress = await exportDeletions(services, hold, { order, step, since: since as Date, at: at() }, progress)
  }
  await noteAndEnd(services, hold, progress)
}

function orderOf({ asked, job }: Hold<Partial<ExportProgress>>): { order: ExportOrder; at: () => Date } {
  const order = asked.export
  if (!order) throw new JobFault('FHIR_BULK_JOB_BROKEN')
  return { order, at: () => job.transaction_time as Date }
}

async function begun(services: Services, hold: Hold<Partial<ExportProgress>>): Promise<ExportProgress> {
  const { job, caller, asked } = hold
  if (job.transaction_time) return job.progress as ExportProgress
  const at = await markReading(services.store)
  const types = asked.export?.types.map(({ type }) => type) ?? []
  const filled = await filledTypes(services.store, services.store.scopeOf(caller.actor), types)
  const progress: ExportProgress = { step: 0, part: 'matches', slice: 0, numbers: 0, rows: FIRST_ROWS, filled }
  await services.transact(caller.actor, caller.origin, ({ tx }) => advance(tx, hold, { progress, transactionTime: at }))
  job.transaction_time = at
  return progress
}

interface Step {
  order: ExportOrder
  step: TypeOrder
  since: Date | undefined
  at: Date
}

function nextStep({ file: _file, after: _after, from: _from, ...rest }: ExportProgress): ExportProgress {
  return { ...rest, step: rest.step + 1, part: 'matches', slice: 0 }
}

/** Whose rows this part looks at; absent: everybody's. */
function patientsIn({ order, step }: Step, { slice }: ExportProgress): 'any' | readonly string[] | undefined {
  if (step.whole || order.patients === undefined) return undefined
  return order.patients === 'any' ? 'any' : order.patients.slice(slice, slice + SLICE)
}

/** The same patients further on, the next ones, or what comes after them all. */
function placeAfter(step: Step, progress: ExportProgress, goesOn: Pick<ExportProgress, 'after' | 'from'> | undefined): ExportProgress {
  const { after: _after, from: _from, ...rest } = progress
  if (goesOn) return { ...rest, ...goesOn }
  const patients = patientsIn(step, progress)
  if (Array.isArray(patients) && rest.slice + SLICE < (step.order.patients?.length ?? 0)) return { ...rest, slice: rest.slice + SLICE }
  return rest.part === 'matches' && step.since ? { ...rest, part: 'deletions', slice: 0 } : nextStep(rest)
}

async function exportMatches(services: Services, hold: Hold<unknown>, step: Step, progress: ExportProgress): Promise<ExportProgress> {
  const { store } = services
  const { caller } = hold
  const { type, elements } = step.step
  if (!allows(caller.actor.permissions, `fhir:${type}:read`)) throw new JobFault('PERMISSION_MISSING')
  const patients = patientsIn(step, progress)
  const walked: Walked =
    patients?.length === 0
      ? { found: [] }
      : await store.walk(
          store.scopeOf(caller.actor),
          {
            type,
            filters: filtersOf(services, hold, step.step),
            ...(patients ? { patients } : {}),
            ...(step.since ? { changedAfter: step.since } : {}),
            ...(progress.after === undefined ? {} : { after: progress.after }),
            limit: progress.rows,
          },
          codeQuestions(services),
        )
  // What was made since belongs to the next export. What was changed since is given as it is now, and there again.
  const rows = walked.found.filter(({ row }) => row.version > 1 || row.updated <= step.at)
  const lines = rows.map(({ body }) => (elements ? writeJson(subsetOf(readJson(body.toString()) as Record<string, unknown>, { elements })) : body))
  const size = walked.found.reduce((sum, { body }) => sum + body.length, 0)
  const average = Math.max(1, size / Math.max(1, walked.found.length))
  const wanted = Math.min(MOST_ROWS, progress.rows * 4, Math.max(10, Math.floor(PART / average)))
  const moved = placeAfter(step, { ...progress, rows: wanted }, walked.next === undefined ? undefined : { after: walked.next })
  return await keepPart(services, hold, { progress, moved, lines, kind: 'output', type, rows: rows.map(({ row }) => row) })
}

function filtersOf(services: Services, { caller, asked }: Hold<unknown>, { type, queries }: TypeOrder): Filter[] {
  if (queries.length === 0) return []
  const searches = queries.map((text): Filter => ({ kind: 'all', filters: parseQuery(services, type, caller, { base: asked.base, parameters: [...new URLSearchParams(text)] }).query.filters }))
  return [searches.length === 1 ? (searches[0] as Filter) : { kind: 'any', filters: searches }]
}

async function exportDeletions(services: Services, hold: Hold<unknown>, step: Step & { since: Date }, progress: ExportProgress): Promise<ExportProgress> {
  const { store } = services
  const { type } = step.step
  const patients = patientsIn(step, progress)
  const rows =
    patients?.length === 0
      ? []
      : await readDeletions(store, store.scopeOf(hold.caller.actor), {
          type,
          ...(patients ? { patients } : {}),
          after: step.since,
          until: step.at,
          ...(progress.from ? { from: progress.from } : {}),
          limit: MOST_ROWS,
        })
  const last = rows.at(-1)
  const moved = placeAfter(step, progress, last && rows.length === MOST_ROWS ? { from: { id: last.id, branch: last.branch } } : undefined)
  if (rows.length === 0) return moved
  const entry = rows.map((row) => ({ request: { method: 'DELETE' as const, url: `${type}/${(JSON.parse(store.bodyOf(type, row).toString()) as { id: string }).id}` } }))
  const bundle: Bundle = { resourceType: 'Bundle', type: 'transaction', entry }
  return await keepPart(services, hold, { progress, moved, lines: [JSON.stringify(bundle)], kind: 'deleted', type: 'Bundle', rows })
}

interface Part {
  progress: ExportProgress
  moved: ExportProgress
  lines: readonly (Buffer | string)[]
  kind: 'output' | 'deleted'
  type: string
  rows: readonly StoredRow[]
}

const NEWLINE = Buffer.from('\n')

async function keepPart(services: Services, hold: Hold<unknown>, { progress, moved, lines, kind, type, rows }: Part): Promise<ExportProgress> {
  const { job, caller } = hold
  const { actor, origin } = caller
  if (lines.length === 0) {
    await services.transact(actor, origin, ({ tx }) => advance(tx, hold, { progress: moved }))
    return moved
  }
  const bytes = Buffer.concat(lines.flatMap((line) => [Buffer.from(line), NEWLINE]))
  const open = kind === 'output' ? progress.file : progress.deleted
  const numbers = progress.numbers + (open ? 0 : 1)
  const file: OpenFile = open ?? { number: numbers, chunks: 0, count: 0, bytes: 0 }
  const place = { job: job.id, branch: job.branch, file: file.number, nth: file.chunks }
  const sealed = await sealChunk(services, place, bytes)
  const grown: OpenFile = { number: file.number, chunks: file.chunks + 1, count: file.count + lines.length, bytes: file.bytes + bytes.length }
  const isFull = grown.count >= MOST_IN_FILE || grown.bytes >= LARGEST_FILE
  // A file goes on while its type does.
  const goesOn = kind === 'output' && moved.step === progress.step && moved.part === progress.part && !isFull
  const next: ExportProgress = { ...moved, numbers, ...(kind === 'deleted' ? { deleted: grown } : goesOn ? { file: grown } : {}) }
  if (kind === 'output' && !goesOn) delete next.file
  const patients = [...new Set(rows.flatMap(({ patient }) => patient ?? []))]
  await services.transact(actor, origin, async ({ tx }) => {
    await advance(tx, hold, { progress: next, done: lines.length })
    await keepChunk(tx, place, { kind, type, count: lines.length, bytes: bytes.length }, sealed)
    if (patients.length > 0) {
      await tx.sql('insert into bulk.touched (job, patient, branch) select $1, p, $3 from unnest($2::uuid[]) p on conflict do nothing', [job.id, patients, job.branch])
    }
  })
  return next
}

/** One audit entry for each patient whose data are in the files; then nobody waits for them any longer. */
async function noteAndEnd(services: Services, hold: Hold<unknown>, progress: ExportProgress): Promise<void> {
  const { job, caller, fileHours } = hold
  for (let isLast = false; !isLast; ) {
    hold.check()
    isLast = await services.transact(caller.actor, caller.origin, async ({ tx, now }) => {
      const noted = await tx.sql<{ patient: string }>(
        'delete from bulk.touched where job = $1 and patient in (select patient from bulk.touched where job = $1 limit $2) returning patient',
        [job.id, NOTES],
      )
      for (const { patient } of noted) tx.record({ action: 'fhir.export', outcome: 'success', patient })
      const ends = noted.length < NOTES
      await advance(tx, hold, { progress, ...(ends ? { state: 'complete', ended: now, expires: new Date(now.getTime() + fileHours * 3_600_000) } : {}) })
      return ends
    })
  }
}
