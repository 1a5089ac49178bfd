import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { type Issue, outcome } from '@carespine/fhir/outcome'
import { Refusal, refuse } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { FHIR_JSON } from '../answer.ts'
import { encodingFor } from '../compress.ts'
import type { Caller } from '../interactions.ts'
import { type InputRules, readInput } from '../operation-input.ts'
import { preferencesOf } from '../preferences.ts'
import { baseOf, callerOf, queryOf } from '../read-request.ts'
import { sendOutcome } from '../send.ts'
import { InputTooLarge, keepChunk, LineTooLong, readFile, sealChunk, wholeLines } from './chunks.ts'
import { isGood } from './file-links.ts'
import { type Asked, hasTooMany, keepJob, filesOf, ownJob } from './job.ts'
import { bulkOperations } from './operation-definitions.ts'
import { type ExportLevel, orderExport } from './order-export.ts'
import { orderImport, requireSomeWriting } from './order-import.ts'
import { sendStatus } from './show-job.ts'

export const bulkRefusals = {
  FHIR_BULK_ASYNC_NEEDED: { status: 400, message: 'This takes longer than a request may. Send the header Prefer: respond-async.' },
  FHIR_BULK_TOO_MANY: { status: 429, message: 'This account has five jobs under way. Wait for one, or delete it.' },
  FHIR_BULK_JOB_UNKNOWN: { status: 404, message: 'There is no such job of this account. It may have been deleted, or have expired.' },
  FHIR_BULK_LINK_INVALID: { status: 403, message: 'The link has expired or was changed. Ask for the status of the job again.' },
  FHIR_BULK_INPUT_TOO_LARGE: { status: 422, message: 'The input is too large, or a line of it longer than 16 MiB.' },
  FHIR_BULK_INPUT_UNAVAILABLE: { status: 422, message: 'An input could not be fetched.' },
  FHIR_BULK_ACCOUNT_CLOSED: { status: 403, message: 'The account that asked for the job was closed, or has left its branch.' },
  FHIR_BULK_JOB_BROKEN: { status: 422, message: 'The job could not be carried out. Give its id to your IT department.' },
} as const

export interface BulkRouteSettings {
  importOrigins: readonly string[]
}

const signedIn = { config: { allow: 'signed-in', anyFormat: true as const }, schema: { tags: ['fhir'] } }
const NDJSON = ['application/fhir+ndjson', 'application/ndjson', 'application/x-ndjson']
const BODY_LIMIT = 1024 * 1024
/** Of a body that holds the lines themselves. */
const LARGEST_UPLOAD = 512 * 1024 * 1024

const exports: readonly { url: string; level: ExportLevel; rules: InputRules }[] = [
  { url: '/$export', level: 'system', definition: bulkOperations['bulkdata-export'] },
  { url: '/Patient/$export', level: 'patient' as const, definition: bulkOperations['bulkdata-patient-export'] },
  { url: '/Group/:id/$export', level: 'group' as const, definition: bulkOperations['bulkdata-group-export'] },
].map(({ url, level, definition }) => ({
  url,
  level: level as ExportLevel,
  rules: { inputs: definition.inputs, understood: ['_outputFormat', '_since', '_type', '_elements', '_typeFilter', ...(level === 'system' ? [] : ['patient'])] },
}))

const importRules: InputRules = { inputs: bulkOperations['bulk-import'].inputs, understood: ['inputFormat', 'inputSource', 'input'] }

/** Bulk Data: http://hl7.org/fhir/uv/bulkdata/STU2/export.html, and its counterpart for what comes in. */
export function bulkRoutes(fhir: FastifyInstance, services: Services, { importOrigins }: BulkRouteSettings): void {
  for (const { url, level, rules } of exports) {
    fhir.route<{ Params: { id?: string } }>({
      method: ['GET', 'POST'],
      url,
      ...signedIn,
      bodyLimit: BODY_LIMIT,
      handler: async (request, reply) => {
        const caller = callerOf(request, 'fhir.export')
        const { handling } = await admit(services, caller, request, reply)
        const read = inputOf(rules, request, handling)
        const base = baseOf(request)
        const { order, ignored } = await orderExport({ services, caller, base, level, id: request.params.id ?? '', input: read.input, handling })
        const asked = { ...askedBy(request, caller), export: order }
        const id = await start(services, caller, 'export', asked)
        return accept(reply, base, id, [...read.ignored, ...ignored])
      },
    })
  }
  void fhir.register(async (scope) => {
    scope.addContentTypeParser(NDJSON, (_request, payload, done) => done(null, payload))
    scope.post('/$import', { ...signedIn, bodyLimit: BODY_LIMIT }, async (request, reply) => {
      const caller = callerOf(request, 'fhir.import')
      await admit(services, caller, request, reply)
      requireSomeWriting(caller)
      const asked = askedBy(request, caller)
      const id =
        request.body instanceof Readable
          ? await receive(services, caller, asked, request.body)
          : await start(services, caller, 'import', { ...asked, import: orderImport(readInput(importRules, queryOf(request), request.body), importOrigins) })
      return accept(reply, baseOf(request), id, [])
    })
  })
  fhir.get<{ Params: { job: string } }>('/$bulk-status/:job', signedIn, async (request, reply) => {
    return await sendStatus(services, callerOf(request, 'fhir.bulk-status'), reply, { id: request.params.job, base: baseOf(request) })
  })
  fhir.delete<{ Params: { job: string } }>('/$bulk-status/:job', signedIn, async (request, reply) => {
    await cancel(services, callerOf(request, 'fhir.bulk-delete'), request.params.job)
    return sendOutcome(reply.code(202), 'The job and its files are deleted.')
  })
  fhir.get<{ Params: { job: string; file: string } }>('/$bulk-file/:job/:file', signedIn, async (request, reply) => await sendFile(services, request, reply))
}

async function admit(services: Services, caller: Caller, request: FastifyRequest, reply: FastifyReply): Promise<{ handling: 'strict' | 'lenient' }> {
  const { respondAsync, handling } = preferencesOf(request.headers)
  if (!respondAsync) refuse('FHIR_BULK_ASYNC_NEEDED')
  if (await hasTooMany(services, caller)) {
    reply.header('retry-after', '60')
    refuse('FHIR_BULK_TOO_MANY')
  }
  return { handling }
}

/** Under leniency, what is not supported is left out and said. */
function inputOf(rules: InputRules, request: FastifyRequest, handling: 'strict' | 'lenient'): { input: ReturnType<typeof readInput>; ignored: Issue[] } {
  const { body } = request
  if (handling === 'strict') return { input: readInput(rules, queryOf(request), body), ignored: [] }
  const ignored: Issue[] = []
  const isKnown = (name: unknown): boolean => {
    if (typeof name !== 'string' || rules.understood.includes(name) || name === '_format' || name === '_pretty') return true
    ignored.push({ severity: 'warning', code: 'not-supported', diagnostics: `Ignored: ${/^[\w:.-]{1,60}$/.test(name) ? name : 'a parameter'} is not supported here.` })
    return false
  }
  const { parameter } = (body ?? {}) as { parameter?: unknown }
  const lenient = Array.isArray(parameter) ? { ...(body as object), parameter: parameter.filter((one) => isKnown((one as { name?: unknown } | null)?.name)) } : body
  return { input: readInput(rules, queryOf(request).filter(([name]) => isKnown(name)), lenient), ignored }
}

function askedBy(request: FastifyRequest, { actor, origin }: Caller): Asked {
  const { permissions, branches, patient, session, app } = actor
  return {
    url: `${request.protocol}://${request.host}${request.url}`,
    base: baseOf(request),
    actor: { permissions, branches, ...(patient === undefined ? {} : { patient }), ...(session === undefined ? {} : { session }), ...(app === undefined ? {} : { app }) },
    origin: { correlationId: origin.correlationId, ...(origin.address === undefined ? {} : { address: origin.address }) },
  }
}

async function start(services: Services, caller: Caller, kind: 'export' | 'import', asked: Asked): Promise<string> {
  const id = randomUUID()
  await services.transact(caller.actor, caller.origin, async ({ tx }) => {
    await keepJob(services, tx, caller, { id, kind, state: 'waiting', asked })
    tx.record({ action: `fhir.${kind}`, outcome: 'success', reason: asked.url })
  })
  return id
}

/** Takes the lines in before it answers: what was accepted is kept. */
async function receive(services: Services, caller: Caller, asked: Asked, body: Readable): Promise<string> {
  const { actor, origin } = caller
  const id = randomUUID()
  const order: Asked = { ...asked, import: { inputs: [{}] } }
  await services.transact(actor, origin, ({ tx }) => keepJob(services, tx, caller, { id, kind: 'import', state: 'receiving', asked: order }))
  try {
    let nth = 0
    for await (const { lines, count } of wholeLines(body.iterator({ destroyOnReturn: false }), LARGEST_UPLOAD)) {
      const place = { job: id, branch: actor.branch, file: 1, nth }
      const sealed = await sealChunk(services, place, lines)
      await services.transact(actor, origin, ({ tx }) => keepChunk(tx, place, { kind: 'input', type: 'lines', count, bytes: lines.length }, sealed))
      nth += 1
    }
    if (nth === 0) refuse('FHIR_OPERATION_INPUT_INVALID', { issues: [{ severity: 'error', code: 'required', diagnostics: 'The body holds no lines.' }] })
    await services.transact(actor, origin, async ({ tx }) => {
      await tx.sql("update bulk.job set state = 'waiting' where id = $1 and state = 'receiving'", [id])
      tx.record({ action: 'fhir.import', outcome: 'success', reason: asked.url })
    })
    return id
  } catch (error) {
    // Read to its end and thrown away: who sends it would not hear the answer otherwise.
    body.resume()
    await services.store.database.query(services.store.scopeOf(actor), { text: "update bulk.job set state = 'cancelled' where id = $1", values: [id] })
    throw error instanceof LineTooLong || error instanceof InputTooLarge ? new Refusal('FHIR_BULK_INPUT_TOO_LARGE') : error
  }
}

function accept(reply: FastifyReply, base: string, id: string, ignored: readonly Issue[]): FastifyReply {
  const issues: Issue[] = [{ severity: 'information', code: 'informational', diagnostics: 'The job was accepted. Ask for its status at the address in Content-Location.' }, ...ignored]
  return reply.code(202).header('content-location', `${base}/$bulk-status/${id}`).header('content-type', FHIR_JSON).send(Buffer.from(JSON.stringify(outcome(issues))))
}

async function cancel(services: Services, caller: Caller, id: string): Promise<void> {
  const job = (await ownJob(services, caller, id)) ?? refuse('FHIR_BULK_JOB_UNKNOWN')
  await services.transact(caller.actor, caller.origin, async ({ tx }) => {
    // Its files go with the next run of the housekeeping; from now on nobody finds them.
    await tx.sql("update bulk.job set state = 'cancelled' where id = $1", [job.id])
    tx.record({ action: 'fhir.bulk-delete', outcome: 'success' })
  })
}

async function sendFile(services: Services, request: FastifyRequest<{ Params: { job: string; file: string } }>, reply: FastifyReply): Promise<FastifyReply> {
  const caller = callerOf(request, 'fhir.bulk-file')
  const { store } = services
  const job = (await ownJob(services, caller, request.params.job)) ?? refuse('FHIR_BULK_JOB_UNKNOWN')
  const query = new Map(queryOf(request))
  const link = { job: job.id, file: Number(request.params.file), owner: caller.actor.id, expires: Number(query.get('expires')) }
  if (!(await isGood(services, link, query.get('signature') ?? ''))) refuse('FHIR_BULK_LINK_INVALID')
  const file = (await filesOf(services, caller, job.id)).find(({ number }) => number === link.file)
  if (!file || job.state !== 'complete') return refuse('FHIR_BULK_JOB_UNKNOWN')
  await store.trail.store([store.auditEntry(caller, services.now(), { resourceType: file.type, resource: job.id })])
  const zipped = encodingFor([request.headers['accept-encoding']].flat().join(',').replace(/\bbr\b/g, '') || undefined) === 'gzip'
  reply.header('content-type', 'application/fhir+ndjson').header('vary', 'Accept-Encoding')
  if (zipped) reply.header('content-encoding', 'gzip')
  const place = { job: job.id, branch: job.branch, file: file.number, chunks: file.chunks }
  return reply.send(Readable.from(readFile(services, store.scopeOf(caller.actor), place, zipped ? 'gzip' : 'lines'), { objectMode: false }))
}
