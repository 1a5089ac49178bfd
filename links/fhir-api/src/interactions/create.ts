import type { Resource, Stored } from '@carespine/fhir/resource'
import type { Transaction } from '@carespine/store/contract'
import { type Condition, conditionOf, theOneOrMine } from '../condition.ts'
import type { Interaction } from '../interaction.ts'
import { postResource, requirePermission } from '../interactions.ts'
import { sendStored } from '../send.ts'

/** Creates, unless the condition finds what is there (R4 RESTful API, 3.1.0.8.1). */
async function createResource(tx: Transaction, resource: Resource, condition?: Condition): Promise<{ stored: Stored<Resource>; done: 'created' | 'existing' }> {
  const existing = condition && (await theOneOrMine(tx, condition))
  return existing ? { stored: existing, done: 'existing' } : { stored: postResource(tx, resource), done: 'created' }
}

export const create: Interaction = {
  method: 'POST',
  url: '/:type',
  action: 'fhir.create',
  ofType: ['create'],
  says: { conditionalCreate: true },
  async run(asked) {
    const { services, caller, type, resource } = asked
    requirePermission(caller.actor, type, 'write', 'c')
    const criteria = asked.header('if-none-exist')
    const condition = criteria === undefined ? undefined : conditionOf(asked, type, criteria)
    const { stored, done } = await services.transact(caller.actor, caller.origin, ({ tx }) => createResource(tx, resource, condition))
    return sendStored(asked, stored, done)
  },
}
