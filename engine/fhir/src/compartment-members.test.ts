import { expect, test } from 'vitest'
import { compartmentMembers, ITSELF } from './compartment-members.ts'
import { isResourceType } from './definitions.ts'
import { searchParametersOf } from './search-parameters.ts'

test('every member of a compartment is put there by a reference that may lead to it', () => {
  for (const compartment of ['Patient', 'Encounter', 'Practitioner', 'RelatedPerson', 'Device'] as const) {
    const members = compartmentMembers(compartment)
    expect(members.get(compartment)).toContain(ITSELF)
    for (const [type, codes] of members) {
      expect(isResourceType(type), type).toBe(true)
      for (const code of codes) {
        if (code === ITSELF) continue
        const parameter = searchParametersOf(type).get(code)
        expect(parameter?.type, `${type}.${code}`).toBe('reference')
      }
    }
  }
})
