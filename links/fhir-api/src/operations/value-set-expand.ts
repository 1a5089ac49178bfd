import type { ValueSet } from '@carespine/fhir/resource'
import { expandValueSet } from '@carespine/terminology/contract'
import { requirePermission } from '../interactions.ts'
import type { Operation } from '../operations.ts'

/** The codes of a value set (http://hl7.org/fhir/R4/valueset-operation-expand.html). */
export const valueSetExpand: Operation = {
  definition: 'ValueSet-expand',
  levels: ['type', 'instance'],
  understood: [
    'url', 'valueSet', 'valueSetVersion', 'filter', 'offset', 'count', 'includeDesignations', 'designation', 'includeDefinition', 'activeOnly', 'excludeNested', 'excludeNotForUI',
    // Nothing here is post-coordinated.
    'excludePostCoordinated',
    'displayLanguage', 'exclude-system', 'system-version', 'check-system-version', 'force-system-version',
  ],
  async run({ services, caller, id, input }) {
    requirePermission(caller.actor, 'ValueSet', 'read')
    const { valueSet } = await services.perform(
      expandValueSet,
      {
        id,
        url: input.text('url'),
        valueSet: input.resource<ValueSet>('valueSet'),
        valueSetVersion: input.text('valueSetVersion'),
        filter: input.text('filter'),
        offset: input.number('offset'),
        count: input.number('count'),
        includeDesignations: input.flag('includeDesignations'),
        designation: input.all<string>('designation'),
        includeDefinition: input.flag('includeDefinition'),
        activeOnly: input.flag('activeOnly'),
        excludeNested: input.flag('excludeNested'),
        excludeNotForUI: input.flag('excludeNotForUI'),
        displayLanguage: input.text('displayLanguage'),
        excludeSystem: input.all<string>('exclude-system'),
        systemVersion: input.all<string>('system-version'),
        checkSystemVersion: input.all<string>('check-system-version'),
        forceSystemVersion: input.all<string>('force-system-version'),
      },
      caller.actor,
      caller.origin,
    )
    return valueSet
  },
}
