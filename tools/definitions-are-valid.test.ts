import { Knowledge } from '@carespine/fhir/knowledge'
import type { Resource } from '@carespine/fhir/resource'
import { Validator } from '@carespine/fhir/validator'
import { expect, test } from 'vitest'
import { publishedResources } from './fhir-source.ts'

test.each(['profiles-types.json', 'profiles-others.json', 'extension-definitions.json', 'search-parameters.json'])(
  'what R4 publishes in %s is valid R4',
  async (file) => {
    const validator = new Validator({}, new Knowledge())
    const resources = publishedResources<Resource>(file)
    expect(resources.length).toBeGreaterThan(40)
    const faults: string[] = []
    for (const resource of resources) {
      const { issues } = validator.look(resource)
      for (const { code, expression, diagnostics } of issues) faults.push(`${resource.resourceType}/${resource.id}: ${code} ${expression}: ${diagnostics}`)
    }
    expect(faults).toEqual([])
  },
  60_000,
)
