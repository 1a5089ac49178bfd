import { isResourceType } from '@carespine/fhir/definitions'
import { type Issue, outcome } from '@carespine/fhir/outcome'
import type { Parameters, Resource, ResourceType, Stored } from '@carespine/fhir/resource'
import { refuse, Refusal } from '@carespine/kit/module'
import { engineRefusals } from '@carespine/kit/refusals'
import type { Services } from '@carespine/kit/services'
import { missingReferences } from '@carespine/store/check-before-commit'
import type { FastifyInstance } from 'fastify'
import { removeResource } from './announce.ts'
import { outcomeOf } from './answer.ts'
import { type Caller, postResource, putResource, readResource, requirePermission } from './interactions.ts'
import { callerOf, queryOf } from './read-request.ts'
import { send } from './send.ts'

const BODY_LIMIT = 64 * 1024 * 1024
const MODES = ['create', 'update', 'delete', 'profile'] as const
type Mode = (typeof MODES)[number]

interface Question {
  type: ResourceType
  id: string | undefined
  resource: unknown
  mode: Mode | undefined
  profiles: readonly string[]
}

/** The operation $validate: http://hl7.org/fhir/R4/resource-operation-validate.html */
export function validateRoutes(fhir: FastifyInstance, services: Services): void {
  const address = { config: { allow: 'signed-in' }, schema: { tags: ['fhir'] }, bodyLimit: BODY_LIMIT }
  for (const { method, url } of [
    { method: 'POST' as const, url: '/:type/$validate' },
    { method: ['GET' as const, 'POST' as const], url: '/:type/:id/$validate' },
  ]) {
    fhir.route<{ Params: { type: string; id?: string } }>({
      method,
      url,
      ...address,
      handler: async (request, reply) => {
        const { type, id } = request.params
        if (!isResourceType(type)) refuse('FHIR_TYPE_UNKNOWN')
        const question = readQuestion({ type, id }, queryOf(request), request.body)
        const issues = await answerTo(services, callerOf(request, 'fhir.validate'), question)
        return send(reply, Buffer.from(JSON.stringify(outcome(issues.length > 0 ? issues : [nothingFound]))))
      },
    })
  }
}

const nothingFound: Issue = { severity: 'information', code: 'informational', diagnostics: 'No faults found.' }

function fault(code: Issue['code'], diagnostics: string, expression?: string): Issue {
  return { severity: 'error', code, diagnostics, ...(expression === undefined ? {} : { expression }) }
}

function readQuestion(where: { type: ResourceType; id: string | undefined }, query: readonly (readonly [string, string])[], body: unknown): Question {
  const issues: Issue[] = []
  const profiles: string[] = []
  let given: string | undefined
  const take = (name: string, value: unknown): void => {
    if (typeof value !== 'string' || value === '') issues.push(fault('value', `${name}: give a text.`))
    else if (name === 'profile') profiles.push(value)
    else given = value
  }
  for (const [name, value] of query) {
    if (name === 'mode' || name === 'profile') take(name, value)
    else if (name !== '_format' && name !== '_pretty') issues.push(fault('invalid', 'The operation takes mode and profile, and the resource in the body.'))
  }
  let resource = body ?? undefined
  if ((body as { resourceType?: unknown } | undefined)?.resourceType === 'Parameters') {
    resource = undefined
    const { parameter } = body as Parameters
    for (const one of Array.isArray(parameter) ? parameter : []) {
      if (one?.name === 'resource') resource = one.resource
      else if (one?.name === 'mode') take('mode', one.valueCode ?? one.valueString)
      else if (one?.name === 'profile') take('profile', one.valueUri ?? one.valueCanonical ?? one.valueString)
      else issues.push(fault('invalid', 'The operation takes the parameters resource, mode and profile.'))
    }
  }
  const mode = MODES.find((one) => one === given)
  if (given !== undefined && mode === undefined) issues.push(fault('value', `mode is one of ${MODES.join(', ')}.`))
  if (mode === 'profile' && profiles.length === 0) issues.push(fault('required', 'With mode profile, say which: profile.'))
  if ((mode === 'delete' || mode === 'update') && where.id === undefined) issues.push(fault('invalid', `With mode ${mode}, call the operation on the resource: ${where.type}/[id]/$validate.`))
  if (resource === undefined && where.id === undefined) issues.push(fault('required', 'Send the resource, alone or as the parameter resource of Parameters.'))
  if (issues.length > 0) refuse('FHIR_OPERATION_INPUT_INVALID', { issues })
  return { ...where, resource, mode, profiles }
}

async function answerTo(services: Services, caller: Caller, question: Question): Promise<Issue[]> {
  const { type, id, mode, profiles } = question
  // What is to be deleted is asked about, not what it says.
  if (mode === 'delete') return await tryOut(services, caller, question)
  const resource =
    question.resource === undefined && id !== undefined
      ? (JSON.parse((await readResource(services, caller, type, id)).body.toString()) as unknown)
      : question.resource
  const found = (resource as { resourceType?: unknown } | null)?.resourceType
  if (typeof found === 'string' && isResourceType(found) && found !== type) return [fault('structure', 'The resource is of another type than the URL.', found)]
  const issues = await services.store.validator.check(resource, { level: 'all', profiles })
  if (id !== undefined && question.resource !== undefined && (resource as { id?: unknown }).id !== id) {
    issues.push(fault('value', 'The id in the resource and in the URL must be the same.', `${type}.id`))
  }
  if (services.store.validator.rules.references === 'existing' && found === type) issues.push(...(await dangling(services, caller, resource as Resource)))
  if (issues.some(({ severity }) => severity === 'error') || (mode !== 'create' && mode !== 'update')) return issues
  return [...issues, ...(await tryOut(services, caller, { ...question, resource }))]
}

async function dangling({ store }: Services, { actor }: Caller, resource: Resource): Promise<Issue[]> {
  const scope = store.scopeOf(actor)
  return await missingReferences(resource, new Set(), async (type, id) => {
    const row = await store.reader.peek(scope, type, id)
    return row !== undefined && !row.deleted
  })
}

class TriedOut extends Error {}

/** What would keep the interaction from being carried out now. It is carried out up to the commit, and given up there. */
async function tryOut(services: Services, caller: Caller, { type, id, resource, mode }: Question): Promise<Issue[]> {
  try {
    requirePermission(caller.actor, type, 'write')
    await services.transact(caller.actor, caller.origin, async ({ tx }) => {
      if (mode === 'create') postResource(tx, resource as Resource)
      else if (mode === 'update') await putResource(tx, resource as Resource)
      else removeResource(tx, (await tx.read(type, id ?? '')) as Stored<Resource>)
      throw new TriedOut()
    })
  } catch (error) {
    if (error instanceof TriedOut) return []
    const told = error instanceof Refusal ? outcomeOf(error, { ...services.refusals, ...engineRefusals }) : undefined
    if (!told) throw error
    return told.body.issue.map(({ severity, code, diagnostics = '', expression }) => ({
      severity: severity === 'fatal' ? 'error' : severity,
      code,
      diagnostics,
      ...(expression?.[0] === undefined ? {} : { expression: expression[0] }),
    }))
  }
  return []
}
