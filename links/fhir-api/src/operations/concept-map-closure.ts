import type { Coding } from '@carespine/fhir/resource'
import { maintainClosure } from '@carespine/terminology/contract'
import { requirePermission } from '../interactions.ts'
import type { Operation } from '../operations.ts'

/** Keeps a client's closure table (http://hl7.org/fhir/R4/conceptmap-operation-closure.html). */
export const conceptMapClosure: Operation = {
  definition: 'ConceptMap-closure',
  levels: ['system'],
  understood: ['name', 'concept', 'version'],
  changes: true,
  async run({ services, caller, input }) {
    requirePermission(caller.actor, 'ConceptMap', 'read')
    const asked = { name: input.text('name') ?? '', concepts: input.all<Coding>('concept'), version: input.text('version') }
    const { conceptMap } = await services.perform(maintainClosure, asked, caller.actor, caller.origin)
    return conceptMap
  },
}
