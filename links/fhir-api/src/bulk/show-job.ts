import { outcome } from '@carespine/fhir/outcome'
import { refuse } from '@carespine/kit/module'
import { engineRefusals } from '@carespine/kit/refusals'
import type { Services } from '@carespine/kit/services'
import type { FastifyReply } from 'fastify'
import { FHIR_JSON } from '../answer.ts'
import type { Caller } from '../interactions.ts'
import type { ExportProgress } from './export-steps.ts'
import { linkTo } from './file-links.ts'
import type { ImportProgress } from './import-steps.ts'
import { type Asked, filesOf, type Job, type JobFile, openAsked, ownJob } from './job.ts'

/** How a job stands: still at work, failed, or what it made (Bulk Data, Bulk Data Status Request). */
export async function sendStatus(services: Services, caller: Caller, reply: FastifyReply, { id, base }: { id: string; base: string }): Promise<FastifyReply> {
  const job = (await ownJob(services, caller, id)) ?? refuse('FHIR_BULK_JOB_UNKNOWN')
  const asked = openAsked(services, job)
  if (job.state === 'failed') return sendFailure(services, reply, job)
  if (job.state !== 'complete') {
    return reply.code(202).header('x-progress', progressOf(job, asked)).header('retry-after', String(waitFor(job, services.now()))).send()
  }
  const files = await filesOf(services, caller, job.id)
  const expires = job.expires_at ?? services.now()
  const shown = async (kinds: JobFile['kind'][]): Promise<{ type: string; url: string; count: number }[]> =>
    await Promise.all(
      files
        .filter(({ kind }) => kinds.includes(kind))
        .map(async ({ number, type, count }) => ({
          type,
          url: `${base}${await linkTo(services, { job: job.id, file: number, owner: job.owner, expires: expires.getTime() })}`,
          count: Number(count),
        })),
    )
  const deleted = await shown(['deleted'])
  const manifest = {
    transactionTime: job.transaction_time?.toISOString(),
    request: asked.url,
    requiresAccessToken: true,
    output: await shown(['output']),
    ...(deleted.length > 0 ? { deleted } : {}),
    error: await shown(['error']),
  }
  return reply.header('expires', expires.toUTCString()).header('content-type', 'application/json; charset=utf-8').send(Buffer.from(JSON.stringify(manifest)))
}

/** A sentence of at most 100 characters. */
function progressOf({ kind, state, done, progress }: Job, asked: Asked): string {
  if (state === 'receiving' || (state === 'waiting' && done === '0')) return 'waiting'
  if (kind === 'import') return `${done} lines read, input ${((progress as Partial<ImportProgress>).input ?? 0) + 1} of ${asked.import?.inputs.length ?? 1}`
  const { step = 0 } = progress as Partial<ExportProgress>
  const types = asked.export?.types.length ?? 1
  return `${done} resources written, type ${Math.min(step + 1, types)} of ${types}`
}

// Whoever asks early has a small job; a long one is not asked about all the time.
function waitFor({ created_at: began }: Job, now: Date): number {
  const seconds = (now.getTime() - began.getTime()) / 1000
  return Math.min(60, Math.max(1, Math.round(seconds / 5)))
}

function sendFailure(services: Services, reply: FastifyReply, job: Job): FastifyReply {
  const known = { ...engineRefusals, ...services.refusals }[job.error ?? '']
  const diagnostics = `${known?.message ?? 'The job could not be carried out.'} Job ${job.id}.`
  return reply.code(500).header('content-type', FHIR_JSON).send(Buffer.from(JSON.stringify(outcome([{ severity: 'error', code: 'processing', diagnostics }]))))
}
