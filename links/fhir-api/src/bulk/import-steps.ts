import { readJson } from '@carespine/fhir/decimal-digits'
import { type Issue, outcome } from '@carespine/fhir/outcome'
import type { Resource } from '@carespine/fhir/resource'
import { validate } from '@carespine/fhir/validate'
import { readJsonText } from '@carespine/kit/json-body'
import { Refusal, refuse } from '@carespine/kit/module'
import { engineRefusals } from '@carespine/kit/refusals'
import type { Services } from '@carespine/kit/services'
import type { Transaction } from '@carespine/store/contract'
import { outcomeOf } from '../answer.ts'
import { requirePermission } from '../interactions.ts'
import { InputTooLarge, keepChunk, linesOf, LineTooLong, readChunk, sealChunk, wholeLines } from './chunks.ts'
import { fetchInput } from './fetch-input.ts'
import { advance, type Hold, type ImportOrder, JobFault } from './job.ts'
import { type Fate, loadResources, withId } from './load-resources.ts'

/** How far an import is. */
export interface ImportProgress {
  input: number
  /** The input's lines are all here. */
  fetched: boolean
  /** Chunk that is next, and the line that it begins with. */
  chunk: number
  line: number
  /** Lines of the error file, in chunks. */
  errors: { chunks: number; count: number }
  types: Readonly<Record<string, { added: number; known: number; refused: number }>>
}

/** Of one input: bytes after which it is too large. */
const LARGEST_INPUT = 4 * 1024 * 1024 * 1024
const BEGUN: ImportProgress = { input: 0, fetched: false, chunk: 0, line: 1, errors: { chunks: 0, count: 0 }, types: {} }
/** Lines of which it is not known what they are. */
const NO_TYPE = 'Resource'

/** Takes the job to its end, chunk by chunk, each committed with the place that comes after it. */
export async function runImport(services: Services, hold: Hold<Partial<ImportProgress>>): Promise<void> {
  const order = hold.asked.import
  if (!order) throw new JobFault('FHIR_BULK_JOB_BROKEN')
  let progress: ImportProgress = { ...BEGUN, ...hold.job.progress }
  while (progress.input < order.inputs.length) {
    hold.check()
    progress = progress.fetched ? await loadChunk(services, hold, order, progress) : await fetchAll(services, hold, order, progress)
  }
  await end(services, hold, order, progress)
}

// Inputs come first, then the file of what was refused, then what was done.
const numberOf = {
  input: ({ input }: ImportProgress): number => input + 1,
  errors: ({ inputs }: ImportOrder): number => inputs.length + 1,
  summary: ({ inputs }: ImportOrder): number => inputs.length + 2,
}

/** Fetches an input into the database. What an earlier attempt left of it is thrown away. */
async function fetchAll(services: Services, hold: Hold<unknown>, { inputs }: ImportOrder, progress: ImportProgress): Promise<ImportProgress> {
  const { job, caller, importOrigins } = hold
  const { url } = inputs[progress.input] ?? {}
  const move = async (moved: ImportProgress, also?: (tx: Transaction) => Promise<unknown>): Promise<ImportProgress> => {
    await services.transact(caller.actor, caller.origin, async ({ tx }) => {
      await advance(tx, hold, { progress: moved })
      await also?.(tx)
    })
    return moved
  }
  // What came in the body is here since before the request was answered.
  if (url === undefined) return await move({ ...progress, fetched: true })
  const file = numberOf.input(progress)
  await move(progress, (tx) => tx.sql('delete from bulk.file where job = $1 and number = $2', [job.id, file]))
  let nth = 0
  try {
    for await (const { lines, count } of wholeLines(await fetchInput(url, importOrigins), LARGEST_INPUT)) {
      hold.check()
      const place = { job: job.id, branch: job.branch, file, nth }
      const sealed = await sealChunk(services, place, lines)
      await move(progress, (tx) => keepChunk(tx, place, { kind: 'input', type: 'lines', count, bytes: lines.length }, sealed))
      nth += 1
    }
  } catch (error) {
    if (error instanceof LineTooLong || error instanceof InputTooLarge) throw new JobFault('FHIR_BULK_INPUT_TOO_LARGE')
    throw error
  }
  return await move({ ...progress, fetched: true })
}

interface Line {
  number: number
  type: string
  resource?: Resource
  fault?: readonly Issue[]
}

async function loadChunk(services: Services, hold: Hold<unknown>, order: ImportOrder, progress: ImportProgress): Promise<ImportProgress> {
  const { job, caller } = hold
  const file = numberOf.input(progress)
  const member = await readChunk(services, services.store.scopeOf(caller.actor), { job: job.id, branch: job.branch, file, nth: progress.chunk })
  if (!member) {
    const moved = { ...progress, input: progress.input + 1, fetched: false, chunk: 0, line: 1 }
    // The lines are in the record now, or among the errors.
    await services.transact(caller.actor, caller.origin, async ({ tx }) => {
      await advance(tx, hold, { progress: moved })
      await tx.sql('delete from bulk.file where job = $1 and number = $2', [job.id, file])
    })
    return moved
  }
  const texts = await linesOf(member)
  const only = order.inputs[progress.input]?.type
  const lines = texts.flatMap((text, at) => (text.trim() === '' ? [] : [lineOf(text, progress.line + at, only)]))
  const good = lines.filter((line): line is Line & { resource: Resource } => line.resource !== undefined)
  let moved = progress
  let failed: { count: number; bytes: number; sealed: Buffer } | undefined
  const place = { job: job.id, branch: job.branch, file: numberOf.errors(order), nth: progress.errors.chunks }
  const settle = async (fates: readonly Fate[]): Promise<void> => {
    const fateOf = new Map<Line, Fate>(good.map((line, at) => [line, fates[at] as Fate]))
    const refused = lines.flatMap((line) => {
      const fate = fateOf.get(line)
      const issues = line.fault ?? (fate instanceof Refusal ? issuesOf(services, fate) : [])
      return issues.length > 0 ? [JSON.stringify(outcome(issues.map((issue) => ({ ...issue, diagnostics: `Line ${line.number}${placeOf(order, progress)}: ${issue.diagnostics}` }))))] : []
    })
    moved = {
      ...progress,
      chunk: progress.chunk + 1,
      line: progress.line + texts.length,
      errors: { chunks: progress.errors.chunks + (refused.length > 0 ? 1 : 0), count: progress.errors.count + refused.length },
      types: counted(progress.types, lines, fateOf),
    }
    const bytes = Buffer.from(refused.map((line) => `${line}\n`).join(''))
    failed = refused.length > 0 ? { count: refused.length, bytes: bytes.length, sealed: await sealChunk(services, place, bytes) } : undefined
  }
  const keep = async (tx: Transaction): Promise<void> => {
    await advance(tx, hold, { progress: moved, done: lines.length })
    if (failed) await keepChunk(tx, place, { kind: 'error', type: 'OperationOutcome', ...failed }, failed.sealed)
  }
  const { fates, together } = await loadResources(services, caller, good.map(({ resource }) => resource), {
    mode: 'each',
    judge: ({ resourceType }) => requirePermission(caller.actor, resourceType, 'write'),
    async alongside(tx, known) {
      await settle(known)
      await keep(tx)
    },
  })
  if (!together) {
    await settle(fates)
    await services.transact(caller.actor, caller.origin, ({ tx }) => keep(tx))
  }
  return moved
}

const placeOf = ({ inputs }: ImportOrder, { input }: ImportProgress): string => (inputs.length > 1 ? ` of input ${input + 1}` : '')

function lineOf(text: string, number: number, only: string | undefined): Line {
  let type = NO_TYPE
  try {
    const resource = readJsonText(text.replace(/^\uFEFF/, ''), readJson) as Resource
    // What the code after this relies on; the store looks at all the rest.
    const [fault] = validate(resource).filter(({ severity }) => severity === 'error')
    if (typeof resource?.resourceType === 'string' && /^[A-Za-z]{1,40}$/.test(resource.resourceType)) type = resource.resourceType
    if (fault) return { number, type, fault: [fault] }
    if (only !== undefined && resource.resourceType !== only) refuse('FHIR_TYPE_MISMATCH')
    return { number, type, resource: withId(resource) }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const diagnostics = error.code === 'FHIR_TYPE_MISMATCH' ? `The input holds ${only}, and this is another type.` : error.code === 'INPUT_TOO_DEEP' ? 'The JSON is nested too deeply.' : 'The line is not JSON, or a name stands twice in it.'
    return { number, type, fault: [{ severity: 'error', code: 'structure', diagnostics }] }
  }
}

function issuesOf(services: Services, refusal: Refusal): Issue[] {
  const told = outcomeOf(refusal, { ...services.refusals, ...engineRefusals })
  if (!told) throw refusal
  return told.body.issue.map(({ code, diagnostics = '', expression }) => ({ severity: 'error', code, diagnostics, ...(expression?.[0] === undefined ? {} : { expression: expression[0] }) }))
}

function counted(before: ImportProgress['types'], lines: readonly Line[], fateOf: ReadonlyMap<Line, Fate>): ImportProgress['types'] {
  const types: Record<string, { added: number; known: number; refused: number }> = structuredClone(before)
  for (const line of lines) {
    const fate = fateOf.get(line)
    const counts = types[line.type] ?? { added: 0, known: 0, refused: 0 }
    types[line.type] = counts
    if (fate === 'added' || fate === 'known') counts[fate] += 1
    else counts.refused += 1
  }
  return types
}

async function end(services: Services, hold: Hold<unknown>, order: ImportOrder, progress: ImportProgress): Promise<void> {
  const { job, caller, fileHours } = hold
  const said = Object.entries(progress.types).toSorted().map(([type, { added, known, refused }]) =>
    JSON.stringify(outcome([{ severity: 'information', code: 'informational', diagnostics: `${type}: ${added} added, ${known} were there before, ${refused} refused.` }])),
  )
  const place = { job: job.id, branch: job.branch, file: numberOf.summary(order), nth: 0 }
  const bytes = Buffer.from(said.map((line) => `${line}\n`).join(''))
  const sealed = await sealChunk(services, place, bytes)
  await services.transact(caller.actor, caller.origin, async ({ tx, now }) => {
    await advance(tx, hold, { progress, state: 'complete', transactionTime: now, ended: now, expires: new Date(now.getTime() + fileHours * 3_600_000) })
    if (said.length > 0) await keepChunk(tx, place, { kind: 'output', type: 'OperationOutcome', count: said.length, bytes: bytes.length }, sealed)
  })
}
