import type { Resource, Stored } from '@carespine/fhir/resource'
import { refuse } from '@carespine/kit/module'
import type { Transaction } from '@carespine/store/contract'
import { type Condition, conditionOf, theOneOrMine } from '../condition.ts'
import type { Asked, Interaction } from '../interaction.ts'
import { postResource, putResource, requirePermission } from '../interactions.ts'
import { checkPreconditions, type Preconditions, preconditionsIn } from '../preconditions.ts'
import { sendStored } from '../send.ts'

interface Updated {
  stored: Stored<Resource>
  created: boolean
}

/** Which id a conditional update writes to: undefined for one of the server's choice (R4 RESTful API, 3.1.0.4.3). */
export async function targetOf(tx: Transaction, resource: Resource, found: Stored<Resource> | undefined): Promise<string | undefined> {
  const { resourceType, id } = resource
  if (found) return id === undefined || id === found.id ? found.id : refuse('FHIR_CONDITION_ID_MISMATCH')
  if (id === undefined) return undefined
  // With an id of the client's choice it is an update that creates; a resource that has the id and does not fit the
  // condition is not what was meant.
  const taken = await tx.versionOf(resourceType, id)
  return taken === undefined || taken.deleted ? id : refuse('FHIR_CONDITION_ID_TAKEN')
}

async function updateConditionally(tx: Transaction, resource: Resource, condition: Condition, preconditions: Preconditions): Promise<Updated> {
  const found = await theOneOrMine(tx, condition)
  const id = await targetOf(tx, resource, found)
  if (id !== undefined) return await putResource(tx, { ...resource, id }, preconditions)
  checkPreconditions(preconditions, undefined)
  return { stored: postResource(tx, resource), created: true }
}

const preconditionsOf = (asked: Asked): Preconditions => preconditionsIn({ ifMatch: asked.header('if-match'), ifNoneMatch: asked.header('if-none-match') })

export const update: Interaction = {
  method: 'PUT',
  url: '/:type/:id',
  action: 'fhir.update',
  ofType: ['update'],
  says: { updateCreate: true },
  async run(asked) {
    const { services, caller, type, resource, id } = asked
    requirePermission(caller.actor, type, 'write', 'u')
    if (resource.id !== id) refuse('FHIR_ID_MISMATCH')
    const preconditions = preconditionsOf(asked)
    const { stored, created } = await services.transact(caller.actor, caller.origin, ({ tx }) => putResource(tx, resource, preconditions))
    return sendStored(asked, stored, created ? 'created' : 'updated')
  },
}

export const conditionalUpdate: Interaction = {
  method: 'PUT',
  url: '/:type',
  action: 'fhir.update',
  says: { conditionalUpdate: true },
  async run(asked) {
    const { services, caller, type, resource, criteria } = asked
    requirePermission(caller.actor, type, 'write', 'u')
    const condition = conditionOf(asked, type, criteria)
    const preconditions = preconditionsOf(asked)
    const { stored, created } = await services.transact(caller.actor, caller.origin, ({ tx }) => updateConditionally(tx, resource, condition, preconditions))
    return sendStored(asked, stored, created ? 'created' : 'updated')
  },
}
