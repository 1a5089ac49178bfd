import type { Resource, ResourceType, Stored } from '@carespine/fhir/resource'
import type { Transaction } from '@carespine/store/contract'
import { removeResource } from '../announce.ts'
import { type Condition, conditionOf, theOne } from '../condition.ts'
import type { Asked, Interaction } from '../interaction.ts'
import { requirePermission } from '../interactions.ts'
import { checkPreconditions, type Preconditions, preconditionsIn } from '../preconditions.ts'
import { preferencesOf } from '../preferences.ts'
import { sendOutcome } from '../send.ts'

/** Deletes what is there; the version that tells of it, or undefined when there was nothing. */
async function deleteResource(tx: Transaction, type: ResourceType, id: string, preconditions: Preconditions): Promise<string | undefined> {
  const resource = (await tx.find(type, id)) as Stored<Resource> | undefined
  checkPreconditions(preconditions, resource && { version: resource.meta.versionId, deleted: false })
  return resource && removeResource(tx, resource)
}

// Of what a condition finds, one alone is deleted: criteria that select more than was meant would take a record away
// that nobody looked at (R4 RESTful API, 3.1.0.7.1).
async function deleteConditionally(tx: Transaction, condition: Condition, preconditions: Preconditions): Promise<string | undefined> {
  const found = await theOne(tx, condition)
  checkPreconditions(preconditions, found && { version: found.meta.versionId, deleted: false })
  return found && removeResource(tx, found)
}

async function run(asked: Asked, work: (tx: Transaction, preconditions: Preconditions) => Promise<string | undefined>) {
  const { services, caller, type, request, reply } = asked
  requirePermission(caller.actor, type, 'write', 'd')
  const preconditions = preconditionsIn({ ifMatch: asked.header('if-match') })
  const version = await services.transact(caller.actor, caller.origin, ({ tx }) => work(tx, preconditions))
  if (version !== undefined) reply.header('etag', `W/"${version}"`)
  if (preferencesOf(request.headers).return !== 'OperationOutcome') return reply.code(204).send()
  return sendOutcome(reply, version === undefined ? 'There was nothing to delete.' : `${type} was deleted: version ${version} says so.`)
}

export const deletion: Interaction = {
  method: 'DELETE',
  url: '/:type/:id',
  action: 'fhir.delete',
  ofType: ['delete'],
  run: (asked) => run(asked, (tx, preconditions) => deleteResource(tx, asked.type, asked.id, preconditions)),
}

export const conditionalDeletion: Interaction = {
  method: 'DELETE',
  url: '/:type',
  action: 'fhir.delete',
  says: { conditionalDelete: 'single' },
  async run(asked) {
    const condition = conditionOf(asked, asked.type, asked.criteria)
    return await run(asked, (tx, preconditions) => deleteConditionally(tx, condition, preconditions))
  },
}
