import { lookUpCode } from '@carespine/terminology/contract'
import { requirePermission } from '../interactions.ts'
import { type OperationInput, parametersOf } from '../operation-input.ts'
import type { Operation } from '../operations.ts'

function codingOf(input: OperationInput) {
  return input.coding('coding') ?? { system: input.text('system'), code: input.text('code'), version: input.text('version') }
}

/** What a code means (http://hl7.org/fhir/R4/codesystem-operation-lookup.html). */
export const codeSystemLookup: Operation = {
  definition: 'CodeSystem-lookup',
  levels: ['type'],
  understood: ['code', 'system', 'version', 'coding', 'displayLanguage', 'property'],
  async run({ services, caller, input }) {
    requirePermission(caller.actor, 'CodeSystem', 'read')
    const asked = { coding: codingOf(input), displayLanguage: input.text('displayLanguage'), properties: input.texts('property') }
    const { name, version, display, definition, designations, properties } = await services.perform(lookUpCode, asked, caller.actor, caller.origin)
    return parametersOf([
      { name: 'name', valueString: name },
      version === undefined ? undefined : { name: 'version', valueString: version },
      { name: 'display', valueString: display },
      ...designations.map(({ language, use, value }) => ({
        name: 'designation',
        part: [
          ...(language === undefined ? [] : [{ name: 'language', valueCode: language }]),
          ...(use ? [{ name: 'use', valueCoding: use }] : []),
          { name: 'value', valueString: value },
        ],
      })),
      // R4 has no output of this name; a definition is one of the properties.
      definition === undefined ? undefined : { name: 'property', part: [{ name: 'code', valueCode: 'definition' }, { name: 'value', valueString: definition }] },
      ...properties.map(({ code, description, ...value }) => ({
        name: 'property',
        part: [
          { name: 'code', valueCode: code },
          { name: 'value', ...value },
          ...(description === undefined ? [] : [{ name: 'description', valueString: description }]),
        ],
      })),
    ])
  },
}
