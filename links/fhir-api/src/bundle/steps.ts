import { readJson } from '@carespine/fhir/decimal-digits'
import { isResourceType } from '@carespine/fhir/definitions'
import type { Bundle, BundleEntry, Resource, ResourceType } from '@carespine/fhir/resource'
import { outlineOf } from '@carespine/kit/json-body'
import { Refusal } from '@carespine/kit/module'
import { type Condition, conditionOf, type Setting } from '../condition.ts'
import { JSON_PATCH, type Patch, patchIn } from '../interactions/patch.ts'
import { requirePermission } from '../interactions.ts'
import { type Preconditions, preconditionsIn } from '../preconditions.ts'
import { located, refuseBundle } from './bundle-fault.ts'

interface Common {
  /** Place in the Bundle. */
  at: number
  fullUrl?: string
}

/** An entry that writes to one type. */
export interface WriteStep extends Common {
  method: 'DELETE' | 'POST' | 'PUT' | 'PATCH'
  type: ResourceType
  /** In the URL; for a create given by the server. */
  id?: string
  /** Instead of an id; for a create, of what must not be there. */
  condition?: Condition
  preconditions: Preconditions
  resource?: Resource
  patch?: Patch
}

/** An entry that only reads, or that calls an operation: any address of this server. */
export interface AskStep extends Common {
  method: 'GET' | 'HEAD' | 'POST'
  /** Behind the base, without a slash: `Patient/7`, `Patient?name=x`. */
  url: string
  /** A plain read of the current version. */
  read?: { type: ResourceType; id: string }
  ifNoneMatch?: string
  ifModifiedSince?: string
  /** What is sent to an operation. */
  resource?: Resource
}

export type Step = WriteStep | AskStep

export function isWrite(step: Step): step is WriteStep {
  return 'preconditions' in step
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
type Method = (typeof METHODS)[number]
const TEXTS = ['url', 'ifMatch', 'ifNoneMatch', 'ifNoneExist', 'ifModifiedSince'] as const

/** Reads what an entry asks for. Refuses with the fault and the entry that has it. */
export function readStep(setting: Setting, entry: BundleEntry, at: number): Step {
  try {
    return read(setting, entry, at)
  } catch (error) {
    throw error instanceof Refusal ? located(error, at, setting.services.refusals) : error
  }
}

type Request = NonNullable<NonNullable<Bundle['entry']>[number]['request']>

function read(setting: Setting, entry: BundleEntry, at: number): Step {
  const where = `Bundle.entry[${at}]`
  const { request, resource, fullUrl } = entry ?? {}
  if (typeof request !== 'object' || request === null) return refuseBundle(`${where}.request`, 'Each entry needs a request.', 'required')
  const method = METHODS.find((known) => known === request.method) ?? refuseBundle(`${where}.request.method`, `The method must be one of ${METHODS.join(', ')}.`)
  for (const name of TEXTS) if (request[name] !== undefined && typeof request[name] !== 'string') refuseBundle(`${where}.request.${name}`, 'The value must be a text.')
  if (fullUrl !== undefined && typeof fullUrl !== 'string') refuseBundle(`${where}.fullUrl`, 'The value must be a text.')
  const url = urlOf(setting.base, request, where)
  const common = { at, ...(fullUrl ? { fullUrl } : {}) }
  const [path = '', criteria] = splitAt(url)
  const [type = '', id, ...more] = path.split('/')
  const isOperation = path.split('/').some((part) => part.startsWith('$'))
  if (method === 'GET' || method === 'HEAD' || isOperation) return askStep(common, method, url, request, resource, where)
  if (!isResourceType(type)) return refuseBundle(`${where}.request.url`, 'The URL must start with an R4 resource type.')
  if (more.length > 0 || (method === 'POST' && (id !== undefined || criteria !== undefined))) {
    return refuseBundle(`${where}.request.url`, method === 'POST' ? 'POST takes a type.' : `${method} takes Type/id, or Type?criteria.`)
  }
  if (method !== 'POST' && (id === undefined || id === '') && criteria === undefined) {
    return refuseBundle(`${where}.request.url`, `${method} needs Type/id, or Type?criteria.`)
  }
  requirePermission(setting.caller.actor, type, 'write', method === 'POST' ? 'c' : method === 'DELETE' ? 'd' : 'u')
  const { ifMatch, ifNoneMatch, ifNoneExist } = request
  const condition = method === 'POST' ? ifNoneExist : id ? undefined : criteria
  return {
    ...common,
    method,
    type,
    ...(id ? { id } : {}),
    ...(condition === undefined ? {} : { condition: conditionOf(setting, type, condition) }),
    preconditions: method === 'POST' ? {} : preconditionsIn({ ifMatch: ifMatch || undefined, ifNoneMatch: (method === 'PUT' && ifNoneMatch) || undefined }),
    ...bodyOf(method, type, id, resource, where),
  }
}

/** The URL behind the base; an absolute one must be of this server. */
function urlOf(base: string, { url = '' }: Request, where: string): string {
  const behind = url.startsWith(`${base}/`) || url === base ? url.slice(base.length) : url
  const relative = behind.replace(/^\//, '')
  if (/^[a-z][a-z0-9+.-]*:/i.test(relative) || /(^|\/)\.{1,2}(\/|$)/.test(relative.split('?')[0] ?? '') || relative.startsWith('/') || relative.includes('\\')) {
    return refuseBundle(`${where}.request.url`, 'The URL must be of this server, such as Patient/7.')
  }
  return relative
}

function splitAt(url: string): [string, string?] {
  const at = url.indexOf('?')
  return at < 0 ? [url] : [url.slice(0, at), url.slice(at + 1)]
}

const READ = /^([A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})$/

function askStep(common: Common, method: Method, url: string, { ifNoneMatch, ifModifiedSince }: Request, resource: Resource | undefined, where: string): AskStep {
  if (method !== 'GET' && method !== 'HEAD' && method !== 'POST') return refuseBundle(`${where}.request.method`, 'An operation is called with GET or POST.')
  const [, type = '', id] = READ.exec(url) ?? []
  return {
    ...common,
    method,
    url,
    ...(method !== 'POST' && id !== undefined && isResourceType(type) ? { read: { type, id } } : {}),
    ...(ifNoneMatch ? { ifNoneMatch } : {}),
    ...(ifModifiedSince ? { ifModifiedSince } : {}),
    ...(method === 'POST' && resource ? { resource } : {}),
  }
}

function bodyOf(method: WriteStep['method'], type: ResourceType, id: string | undefined, resource: Resource | undefined, where: string): Pick<WriteStep, 'resource' | 'patch'> {
  if (method === 'DELETE') return {}
  if (typeof resource !== 'object' || resource === null) return refuseBundle(`${where}.resource`, 'The resource is missing.', 'required')
  if (method === 'PATCH') return { patch: patchOf(resource, where) }
  if (resource.resourceType !== type) return refuseBundle(`${where}.resource`, 'The resource is of another type than the URL.')
  if (method === 'PUT' && id && resource.id !== undefined && resource.id !== id) return refuseBundle(`${where}.resource`, 'The id in the resource and in the URL must be the same.')
  return { resource }
}

/** A FHIRPath Patch as Parameters, or a patch of either kind in a Binary (R4 RESTful API, 3.1.0.6.1). */
function patchOf(resource: Resource, where: string): Patch {
  if (resource.resourceType !== 'Binary') return patchIn(resource, undefined)
  const { contentType, data } = resource as { contentType?: unknown; data?: unknown }
  if (typeof contentType !== 'string' || typeof data !== 'string') return refuseBundle(`${where}.resource`, `A Binary with a patch has contentType (${JSON_PATCH}) and data.`)
  const text = Buffer.from(data, 'base64').toString()
  if (outlineOf(text).tooDeepAt !== undefined || text.includes('__proto__')) return refuseBundle(`${where}.resource.data`, 'The patch is nested too deeply, or has names that are not used in FHIR.')
  try {
    return patchIn(readJson(text), contentType)
  } catch (error) {
    if (error instanceof SyntaxError) return refuseBundle(`${where}.resource.data`, 'The patch is not JSON.')
    throw error
  }
}
