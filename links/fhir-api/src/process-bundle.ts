import { readJson, withDigitsOf } from '@carespine/fhir/decimal-digits'
import { outcome } from '@carespine/fhir/outcome'
import type { Bundle, BundleEntry, OperationOutcome, Resource } from '@carespine/fhir/resource'
import { Refusal } from '@carespine/kit/module'
import { outcomeOf } from './answer.ts'
import { located, refuseBundle } from './bundle/bundle-fault.ts'
import { severalAtOnce } from './bundle/in-turns.ts'
import { type Done, runTransaction } from './bundle/run-transaction.ts'
import { type AskStep, isWrite, readStep, type Step } from './bundle/steps.ts'
import type { Setting } from './condition.ts'
import { readResource } from './interactions.ts'
import { hasVersion } from './preconditions.ts'
import type { Preferences } from './preferences.ts'

/** Most entries in one Bundle. */
const MAX_ENTRIES = 20_000

export interface BundleSetting extends Setting {
  /** How much of what was written is answered. */
  returned: Preferences['return']
  /** Asks this server as the caller would: for searches, histories and operations. */
  ask(step: AskStep): Promise<{ status: number; etag?: string; lastModified?: string; body: string }>
}

/** Runs a transaction Bundle, all or nothing, or a batch Bundle, entry by entry (R4 RESTful API, 3.1.0.11). */
export async function processBundle(setting: BundleSetting, bundle: Bundle): Promise<Bundle> {
  if (bundle.type !== 'transaction' && bundle.type !== 'batch') refuseBundle('Bundle.type', 'The type must be transaction or batch.')
  const entries = bundle.entry ?? []
  if (!Array.isArray(entries)) refuseBundle('Bundle.entry', 'This element repeats: send an array.')
  if (entries.length > MAX_ENTRIES) refuseBundle('Bundle.entry', `At most ${MAX_ENTRIES} entries at once.`, 'too-costly')
  return bundle.type === 'transaction' ? await runWhole(setting, entries) : await runEach(setting, entries)
}

async function runWhole(setting: BundleSetting, entries: readonly BundleEntry[]): Promise<Bundle> {
  const steps = entries.map((entry, at) => readStep(setting, entry, at))
  for (const step of steps) if (!isWrite(step) && step.method === 'POST') refuseBundle(`Bundle.entry[${step.at}].request`, 'An operation that is posted is no part of a transaction: send it in a batch.', 'not-supported')
  const done = await commit(setting, steps)
  const answers = new Map<number, BundleEntry>()
  for (const [at, one] of done) answers.set(at, answerTo(setting, one))
  // What else is asked is answered from what was committed, and cannot undo it.
  await askAll(setting, steps.filter((step): step is AskStep => !isWrite(step) && !done.has(step.at)), answers)
  return answerOf('transaction-response', steps, answers)
}

// Some faults are found when all is written, and are told with the resource that has them.
async function commit(setting: BundleSetting, steps: readonly Step[]): Promise<Map<number, Done>> {
  const { services, caller } = setting
  const places = new Map<string, number>()
  try {
    return await services.transact(caller.actor, caller.origin, ({ tx }) => runTransaction(tx, setting, steps, places))
  } catch (error) {
    const at = error instanceof Refusal ? places.get(String((error.details as { of?: string }).of)) : undefined
    throw error instanceof Refusal && at !== undefined ? located(error, at, services.refusals) : error
  }
}

/** Entries in their order, each for itself; reads that follow one another are asked together. */
async function runEach(setting: BundleSetting, entries: readonly BundleEntry[]): Promise<Bundle> {
  const answers = new Map<number, BundleEntry>()
  const steps: Step[] = []
  let reads: AskStep[] = []
  const askReads = async (): Promise<void> => {
    const these = reads
    reads = []
    await askAll(setting, these, answers)
  }
  for (const [at, entry] of entries.entries()) {
    try {
      const step = readStep(setting, entry, at)
      steps.push(step)
      if (!isWrite(step) && step.method !== 'POST') {
        reads.push(step)
        continue
      }
      await askReads()
      if (isWrite(step)) {
        const done = (await commit(setting, [step])).get(at)
        if (done) answers.set(at, answerTo(setting, done))
      } else {
        await askAll(setting, [step], answers)
      }
    } catch (error) {
      answers.set(at, failed(setting, error))
    }
  }
  await askReads()
  return answerOf('batch-response', entries.map((_entry, at) => ({ at })), answers)
}

function answerOf(type: 'transaction-response' | 'batch-response', steps: readonly { at: number }[], answers: ReadonlyMap<number, BundleEntry>): Bundle {
  const entry = steps.map(({ at }) => answers.get(at) ?? { response: { status: '500' } })
  const bundle: Bundle = { resourceType: 'Bundle', type, entry }
  for (const { resource } of entry) if (resource) withDigitsOf(bundle, resource)
  return bundle
}

function answerTo({ returned }: BundleSetting, { status, stored, shown, version }: Done): BundleEntry {
  const { resourceType, id, meta } = stored ?? {}
  const versionId = meta?.versionId ?? version
  const said = returned === 'OperationOutcome' && !shown && stored ? outcome([{ severity: 'information', code: 'informational', diagnostics: `${resourceType}/${id} is at version ${versionId}.` }]) : undefined
  return {
    ...(stored && (shown || (returned === 'representation' && status !== '304')) ? { resource: stored } : {}),
    response: {
      status,
      ...(stored && !shown && status !== '304' ? { location: `${resourceType}/${id}/_history/${versionId}` } : {}),
      ...(versionId === undefined ? {} : { etag: `W/"${versionId}"` }),
      ...(meta ? { lastModified: meta.lastUpdated } : {}),
      ...(said ? { outcome: said } : {}),
    },
  }
}

async function askAll(setting: BundleSetting, steps: readonly AskStep[], answers: Map<number, BundleEntry>): Promise<void> {
  await severalAtOnce(steps, async (step) => {
    try {
      answers.set(step.at, step.read ? await readOne(setting, step) : await askOne(setting, step))
    } catch (error) {
      answers.set(step.at, failed(setting, error))
    }
  })
}

async function readOne({ services, caller }: BundleSetting, step: AskStep): Promise<BundleEntry> {
  const { type, id } = step.read ?? refuseBundle(`Bundle.entry[${step.at}]`, 'There is nothing to read.')
  const { body, version, updated } = await readResource(services, caller, type, id)
  const isKnown = hasVersion(step, version, updated)
  return {
    ...(isKnown || step.method === 'HEAD' ? {} : { resource: readJson(body.toString()) as Resource }),
    response: { status: isKnown ? '304' : '200', etag: `W/"${version}"`, lastModified: updated.toISOString() },
  }
}

async function askOne({ ask }: BundleSetting, step: AskStep): Promise<BundleEntry> {
  const { status, etag, lastModified, body } = await ask(step)
  const resource = body === '' ? undefined : (readJson(body) as Resource)
  const response = { status: String(status), ...(etag ? { etag } : {}), ...(lastModified ? { lastModified: new Date(lastModified).toISOString() } : {}) }
  if (status >= 400) return { response: { ...response, ...(resource ? { outcome: resource as OperationOutcome } : {}) } }
  return { ...(resource ? { resource } : {}), response }
}

/** The outcome of an entry that was refused. What is a bug of ours stays the matter of that entry. */
function failed({ services, caller }: BundleSetting, error: unknown): BundleEntry {
  const known = outcomeOf(error, services.refusals)
  if (known) return { response: { status: String(known.status), outcome: known.body } }
  const { correlationId } = caller.origin
  services.log.error({ correlationId, err: { type: error instanceof Error ? error.name : typeof error, stack: error instanceof Error ? error.stack?.split('\n').slice(1, 13).join('\n') : undefined } })
  return { response: { status: '500', outcome: outcome([{ severity: 'error', code: 'exception', diagnostics: `Something broke in the server. Correlation id: ${correlationId}.` }]) } }
}
