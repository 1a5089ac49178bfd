import { applyFhirPathPatch } from '@carespine/fhir/fhirpath-patch'
import { applyJsonPatch } from '@carespine/fhir/json-patch'
import { PatchFault } from '@carespine/fhir/patch-fault'
import type { Resource, ResourceType, Stored } from '@carespine/fhir/resource'
import { refuse } from '@carespine/kit/module'
import type { Transaction } from '@carespine/store/contract'
import { announce } from '../announce.ts'
import { type Condition, conditionOf, theOne } from '../condition.ts'
import type { Asked, Interaction } from '../interaction.ts'
import { currentOf, requirePermission, withoutServerMeta } from '../interactions.ts'
import { checkPreconditions, type Preconditions, preconditionsIn } from '../preconditions.ts'
import { sendStored } from '../send.ts'

export const JSON_PATCH = 'application/json-patch+json'

/** A change that is described: gives the resource as it should be. */
export type Patch = (resource: object) => unknown

/** A JSON Patch, when the body came as one, else a FHIRPath Patch (R4 RESTful API, 3.1.0.6). */
export function patchIn(body: unknown, contentType: string | undefined): Patch {
  if (contentType?.split(';')[0]?.trim().toLowerCase() === JSON_PATCH) return (resource) => applyJsonPatch(resource, body)
  if ((body as { resourceType?: unknown } | null | undefined)?.resourceType === 'Parameters') return (resource) => applyFhirPathPatch(resource, body)
  return refuse('FHIR_PATCH_UNSUPPORTED')
}

function changed(before: Stored<Resource>, patch: Patch): Resource {
  try {
    const after = patch(before) as Partial<Resource> | null
    const isSame = typeof after === 'object' && after !== null && after.resourceType === before.resourceType && after.id === before.id
    return isSame ? (after as Resource) : refuse('FHIR_PATCH_FAILED', { issues: [{ severity: 'error', code: 'processing', diagnostics: 'A patch changes neither type nor id.' }] })
  } catch (error) {
    if (!(error instanceof PatchFault)) throw error
    return refuse(error.malformed ? 'FHIR_PATCH_INVALID' : 'FHIR_PATCH_FAILED', { issues: [error.issue] })
  }
}

/** Applies a patch to what is there and writes the next version. */
export function patchFound(tx: Transaction, before: Stored<Resource>, patch: Patch, preconditions: Preconditions): Stored<Resource> {
  const { versionId } = before.meta
  checkPreconditions(preconditions, { version: versionId, deleted: false })
  const after = withoutServerMeta(changed(before, patch))
  const stored = tx.write({ ...after, meta: { ...after.meta, versionId } } as Resource) as Stored<Resource>
  announce(tx, stored, { created: false, previous: before })
  return stored
}

async function patchResource(tx: Transaction, type: ResourceType, id: string, patch: Patch, preconditions: Preconditions): Promise<Stored<Resource>> {
  return patchFound(tx, await currentOf(tx, type, id), patch, preconditions)
}

async function patchConditionally(tx: Transaction, condition: Condition, patch: Patch, preconditions: Preconditions): Promise<Stored<Resource>> {
  const found = await theOne(tx, condition)
  return found ? patchFound(tx, found, patch, preconditions) : refuse('RECORD_NOT_FOUND', { resourceType: condition.type })
}

async function run(asked: Asked, work: (tx: Transaction, patch: Patch, preconditions: Preconditions) => Promise<Stored<Resource>>) {
  const { services, caller, type, request } = asked
  requirePermission(caller.actor, type, 'write', 'u')
  // The answer shows the whole of what was changed in part.
  requirePermission(caller.actor, type, 'read', 'r')
  const preconditions = preconditionsIn({ ifMatch: asked.header('if-match') })
  const patch = patchIn(request.body, request.headers['content-type'])
  return sendStored(asked, await services.transact(caller.actor, caller.origin, ({ tx }) => work(tx, patch, preconditions)), 'updated')
}

export const patch: Interaction = {
  method: 'PATCH',
  url: '/:type/:id',
  action: 'fhir.patch',
  ofType: ['patch'],
  run: (asked) => run(asked, (tx, change, preconditions) => patchResource(tx, asked.type, asked.id, change, preconditions)),
}

export const conditionalPatch: Interaction = {
  method: 'PATCH',
  url: '/:type',
  action: 'fhir.patch',
  async run(asked) {
    const condition = conditionOf(asked, asked.type, asked.criteria)
    return await run(asked, (tx, change, preconditions) => patchConditionally(tx, condition, change, preconditions))
  },
}

export const patchRefusals = {
  FHIR_PATCH_UNSUPPORTED: { status: 422, message: 'A patch is a Parameters resource, or a JSON Patch sent as application/json-patch+json.' },
  FHIR_PATCH_INVALID: { status: 400, message: 'The patch has faults.' },
  FHIR_PATCH_FAILED: { status: 422, message: 'The patch cannot be applied to the resource.' },
} as const
