import { randomUUID } from 'node:crypto'
import { isResourceType } from '@carespine/fhir/definitions'
import { withDigitsOf } from '@carespine/fhir/decimal-digits'
import { parseSearch } from '@carespine/fhir/search-query'
import type { Bundle, BundleEntry, Resource, ResourceType, Stored } from '@carespine/fhir/resource'
import { Refusal, refuse } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import type { Transaction } from '@carespine/store/contract'
import { outcomeOf } from './answer.ts'
import { announce, removeResource } from './announce.ts'
import { type Caller, putResource, requirePermission, withoutServerMeta } from './interactions.ts'

/** Most entries in one Bundle. */
export const MAX_ENTRIES = 20_000

interface Step {
  at: number
  method: 'POST' | 'PUT' | 'DELETE' | 'GET'
  type: ResourceType
  id?: string
  resource?: Resource
  ifMatch?: string
  ifNoneExist?: string
  fullUrl?: string
}

/** Runs a transaction Bundle, all or nothing, or a batch Bundle, entry by entry (R4 RESTful API, 3.1.0.11). */
export async function processBundle(services: Services, caller: Caller, bundle: Bundle): Promise<Bundle> {
  if (bundle.type !== 'transaction' && bundle.type !== 'batch') {
    refuse('BUNDLE_INVALID', { issues: [fault('Bundle.type', 'The type must be transaction or batch.')] })
  }
  const entries = bundle.entry ?? []
  if (!Array.isArray(entries)) refuse('BUNDLE_INVALID', { issues: [fault('Bundle.entry', 'This element repeats: send an array.')] })
  if (entries.length > MAX_ENTRIES) {
    refuse('BUNDLE_INVALID', { issues: [fault('Bundle.entry', `At most ${MAX_ENTRIES} entries at once.`)] })
  }
  if (bundle.type === 'transaction') {
    const entry = await transactTogether(services, caller, entries, 0)
    return answerOf('transaction-response', entry)
  }
  const answered: BundleEntry[] = []
  for (const [at, one] of entries.entries()) {
    try {
      const [entry] = await transactTogether(services, caller, [one], at)
      answered.push(entry ?? { response: { status: '200' } })
    } catch (error) {
      const known = outcomeOf(error, { ...bundleRefusals }) ?? outcomeOf(error)
      if (!known) throw error
      answered.push({ response: { status: String(known.status), outcome: known.body } })
    }
  }
  return answerOf('batch-response', answered)
}

function answerOf(type: 'transaction-response' | 'batch-response', entry: BundleEntry[]): Bundle {
  const bundle: Bundle = { resourceType: 'Bundle', type, entry }
  for (const { resource } of entry) if (resource) withDigitsOf(bundle, resource)
  return bundle
}

export const bundleRefusals = {
  BUNDLE_INVALID: { status: 400, message: 'The Bundle has faults.' },
  BUNDLE_REFERENCE_UNRESOLVED: { status: 422, message: 'A reference in the Bundle leads nowhere.' },
  CONDITION_NOT_UNIQUE: { status: 412, message: 'The condition matches more than one resource.' },
} as const

function fault(expression: string, diagnostics: string): object {
  return { severity: 'error', code: 'invalid', expression, diagnostics }
}

function readStep(entry: BundleEntry, at: number): Step {
  const where = `Bundle.entry[${at}]`
  const { request, resource } = entry ?? {}
  if (typeof request !== 'object' || request === null) return refuse('BUNDLE_INVALID', { issues: [fault(`${where}.request`, 'Each entry needs a request.')] })
  const { method } = request
  if (method !== 'POST' && method !== 'PUT' && method !== 'DELETE' && method !== 'GET') {
    return refuse('BUNDLE_INVALID', { issues: [fault(`${where}.request.method`, 'GET, POST, PUT and DELETE are supported.')] })
  }
  for (const name of ['url', 'ifMatch', 'ifNoneExist'] as const) {
    if (request[name] !== undefined && typeof request[name] !== 'string') {
      return refuse('BUNDLE_INVALID', { issues: [fault(`${where}.request.${name}`, 'The value must be a text.')] })
    }
  }
  const [type = '', id] = (request.url ?? '').split('?')[0]?.split('/') ?? []
  if (!isResourceType(type)) {
    return refuse('BUNDLE_INVALID', { issues: [fault(`${where}.request.url`, 'The URL must start with an R4 resource type.')] })
  }
  if ((method === 'POST' || method === 'PUT') && resource?.resourceType !== type) {
    return refuse('BUNDLE_INVALID', { issues: [fault(`${where}.resource`, 'The resource is missing, or of another type than the URL.')] })
  }
  if ((method === 'PUT' || method === 'DELETE' || method === 'GET') && !id) {
    return refuse('BUNDLE_INVALID', { issues: [fault(`${where}.request.url`, `${method} needs Type/id here.`)] })
  }
  return {
    at,
    method,
    type,
    ...(id ? { id } : {}),
    ...(resource ? { resource } : {}),
    ...(request.ifMatch ? { ifMatch: request.ifMatch.replace(/^W\/"|"$/g, '') } : {}),
    ...(request.ifNoneExist ? { ifNoneExist: request.ifNoneExist } : {}),
    ...(entry.fullUrl ? { fullUrl: entry.fullUrl } : {}),
  }
}

// R4 RESTful API, 3.1.0.11.2: in a transaction no resource is written by two entries.
function refuseTwice(steps: readonly Step[]): void {
  const seen = new Set<string>()
  for (const { at, method, type, id } of steps) {
    if (id === undefined || method === 'GET') continue
    const key = `${type}/${id}`
    if (seen.has(key)) {
      refuse('BUNDLE_INVALID', { issues: [fault(`Bundle.entry[${at}]`, 'Another entry of this transaction writes the same resource.')] })
    }
    seen.add(key)
  }
}

// Some faults are found when all is written, and are told with the resource that has them.
async function transactTogether(services: Services, caller: Caller, entries: readonly BundleEntry[], first: number): Promise<BundleEntry[]> {
  const places = new Map<string, number>()
  try {
    return await services.transact(caller.actor, caller.origin, ({ tx }) => runTogether(tx, caller, entries, first, places))
  } catch (error) {
    const at = error instanceof Refusal ? places.get(String((error.details as { of?: string }).of)) : undefined
    throw error instanceof Refusal && at !== undefined ? located(error, at) : error
  }
}

async function runTogether(tx: Transaction, caller: Caller, entries: readonly BundleEntry[], first: number, places: Map<string, number>): Promise<BundleEntry[]> {
  const steps = entries.map((entry, at) => readStep(entry, first + at))
  refuseTwice(steps)
  const links = new Map<string, string>()
  const existing = new Map<number, Stored<Resource>>()
  // Ids first, so that references may point forward and backward.
  for (const step of steps) {
    requirePermission(caller.actor, step.type, step.method === 'GET' ? 'read' : 'write')
    if (step.method === 'POST') {
      const match = step.ifNoneExist === undefined ? undefined : await matchOf(tx, step.type, step.ifNoneExist)
      if (match) existing.set(step.at, match)
      step.id = match?.id ?? randomUUID()
    }
    if (step.id) places.set(`${step.type}/${step.id}`, step.at)
    if (step.fullUrl && step.id) links.set(step.fullUrl, `${step.type}/${step.id}`)
  }
  await Promise.all(steps.map(({ method, type, id }) => (method === 'PUT' && id ? tx.versionOf(type, id) : undefined)))
  const conditional = new Map<string, string>()
  for (const step of steps) if (step.resource) await findConditional(tx, step.resource, conditional)
  const resolve = (reference: string): string | undefined => links.get(reference) ?? conditional.get(reference)

  const answers: BundleEntry[] = []
  const order = { DELETE: 0, POST: 1, PUT: 2, GET: 3 }
  for (const step of steps.toSorted((a, b) => order[a.method] - order[b.method])) {
    answers[step.at - first] = await runStep(tx, step, resolve, existing.get(step.at))
  }
  return answers
}

async function runStep(
  tx: Transaction,
  step: Step,
  resolve: (reference: string) => string | undefined,
  match: Stored<Resource> | undefined,
): Promise<BundleEntry> {
  try {
    switch (step.method) {
      case 'GET': {
        const resource = await tx.read(step.type, step.id ?? '')
        return { resource: resource as Resource, response: { status: '200', etag: `W/"${resource.meta.versionId}"` } }
      }
      case 'DELETE': {
        const resource = await tx.find(step.type, step.id ?? '')
        if (resource) removeResource(tx, resource as Stored<Resource>)
        return { response: { status: '204' } }
      }
      case 'POST': {
        if (match) return answerFor(match, '200')
        const resource = withReferences(withoutServerMeta({ ...(step.resource as Resource), id: step.id }), resolve, step.at)
        const stored = tx.write(resource as Resource) as Stored<Resource>
        announce(tx, stored, { created: true })
        return answerFor(stored, '201')
      }
      case 'PUT': {
        const resource = withReferences({ ...(step.resource as Resource), id: step.id }, resolve, step.at)
        const { stored, created } = await putResource(tx, resource as Resource, step.ifMatch ? { ifMatch: [step.ifMatch] } : {})
        return answerFor(stored, created ? '201' : '200')
      }
    }
  } catch (error) {
    throw error instanceof Refusal ? located(error, step.at) : error
  }
}

// Faults of a resource are told with the entry they stand in.
function located(error: Refusal, at: number): Refusal {
  const { issues } = error.details as { issues?: { expression?: string }[] }
  if (!issues) return error
  return new Refusal(error.code, {
    ...error.details,
    issues: issues.map((issue) => ({
      ...issue,
      expression: issue.expression?.startsWith('Bundle.')
        ? issue.expression
        : `Bundle.entry[${at}].resource${issue.expression ? `.${issue.expression.split('.').slice(1).join('.')}` : ''}`,
    })),
  })
}

function answerFor(stored: Stored<Resource>, status: '200' | '201'): BundleEntry {
  return {
    response: {
      status,
      location: `${stored.resourceType}/${stored.id}/_history/${stored.meta.versionId}`,
      etag: `W/"${stored.meta.versionId}"`,
      lastModified: stored.meta.lastUpdated,
    },
  }
}

async function matchOf(tx: Transaction, type: ResourceType, condition: string): Promise<Stored<Resource> | undefined> {
  const given = [...new URLSearchParams(condition)]
  const { query, issues } = parseSearch(type, given)
  if (!query) return refuse('BUNDLE_INVALID', { issues })
  const search: Record<string, string[]> = {}
  for (const [name, value] of given) search[name] = [...(search[name] ?? []), value]
  const found = await tx.search(type, { ...search, _count: '2' })
  if (found.length > 1) refuse('CONDITION_NOT_UNIQUE', { resourceType: type })
  return found[0] as Stored<Resource> | undefined
}

/** Looks up references of the form `Practitioner?identifier=…`. */
async function findConditional(tx: Transaction, value: unknown, found: Map<string, string>): Promise<void> {
  for (const reference of referencesIn(value)) {
    const [type = '', condition] = reference.split('?')
    if (condition === undefined || found.has(reference) || !isResourceType(type)) continue
    const match = await matchOf(tx, type, condition)
    if (match) found.set(reference, `${type}/${match.id}`)
  }
}

function* referencesIn(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  for (const [name, inner] of Object.entries(value)) {
    if (name === 'reference' && typeof inner === 'string') yield inner
    else yield* referencesIn(inner)
  }
}

function withReferences<R>(resource: R, resolve: (reference: string) => string | undefined, at: number): R {
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return withDigitsOf(value.map(walk), value)
    if (typeof value !== 'object' || value === null) return value
    const copy: Record<string, unknown> = {}
    for (const [name, inner] of Object.entries(value)) {
      if (name === 'reference' && typeof inner === 'string') {
        const target = resolve(inner)
        if (target === undefined && (inner.startsWith('urn:uuid:') || /^[A-Za-z]+\?/.test(inner))) {
          refuse('BUNDLE_REFERENCE_UNRESOLVED', {
            issues: [fault(`Bundle.entry[${at}].resource`, 'A reference points to no entry of this Bundle and matches no stored resource.')],
          })
        }
        copy[name] = target ?? inner
      } else copy[name] = walk(inner)
    }
    return withDigitsOf(copy, value)
  }
  return walk(resource) as R
}
