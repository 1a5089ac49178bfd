import type { TerminologyCapabilities } from '@carespine/fhir/resource'
import type { Services } from '@carespine/kit/services'
import { knownCodeSystems } from '@carespine/terminology/contract'
import { valueSetExpand } from './operations/value-set-expand.ts'

/** What this server knows of codes and can do with them. Stored code systems belong to whoever may read them, and are not listed. */
export async function terminologyCapabilities(services: Services, base: string, now: Date): Promise<TerminologyCapabilities> {
  const { codeSystems } = await services.ask(knownCodeSystems, {})
  return {
    resourceType: 'TerminologyCapabilities',
    status: 'active',
    date: now.toISOString(),
    description: 'The code systems that are always here. Every CodeSystem, ValueSet and ConceptMap of the record that the caller may read counts as well, and before these.',
    kind: 'instance',
    software: { name: 'Carespine', version: '0.1.0' },
    implementation: { description: 'Carespine FHIR R4 API', url: base },
    codeSystem: codeSystems.map(({ url, version }) => ({ uri: url, ...(version === undefined ? {} : { version: [{ code: version, isDefault: true }] }) })),
    expansion: {
      hierarchical: true,
      paging: true,
      // All codes or a refusal.
      incomplete: false,
      parameter: valueSetExpand.understood.map((name) => ({ name })),
      textFilter: 'Words of the filter, in any order, are beginnings of words of a code, a display or a designation, in Latin or Arabic script.',
    },
    // A search of value sets by code looks at the codes that they name.
    codeSearch: 'explicit',
    // A display may be that of any language.
    validateCode: { translations: true },
    translation: { needsMap: false },
    closure: { translation: false },
  }
}
