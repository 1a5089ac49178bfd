import { readFileSync } from 'node:fs'
import { brotliDecompressSync } from 'node:zlib'
import type { CodeSystem, ConceptMap, ValueSet } from '@carespine/fhir/resource'

/** A resource that says something about codes. */
export type Definition = CodeSystem | ValueSet | ConceptMap
export type DefinitionType = Definition['resourceType']
export type DefinitionOf<T extends DefinitionType> = Extract<Definition, { resourceType: T }>

interface Entry {
  resourceType: DefinitionType
  id: string
  url: string
  version?: string
  /** Of a code system: the value set of all its codes, what it supplements, how many codes it has. */
  valueSet?: string
  supplements?: string
  concepts?: number
  length: number
  start: number
}

interface Shelf {
  file: Buffer
  byUrl: ReadonlyMap<string, Entry>
  byId: ReadonlyMap<string, Entry>
  entries: readonly Entry[]
}

// 1.1 MB compressed and an index of 0.6 MB stay in memory, from the first question on. Opened resources are kept while
// they are in use: half of the codes at most, 7 MB.
let opened: Shelf | undefined
const inUse = new Map<Entry, { resource: Definition; weight: number }>()
const MOST_CONCEPTS = 10_000
let weighed = 0

function shelf(): Shelf {
  if (opened) return opened
  const file = readFileSync(new URL('../generated/r4.bin', import.meta.url))
  const headLength = file.readUInt32LE(0)
  const entries = JSON.parse(brotliDecompressSync(file.subarray(4, 4 + headLength)).toString()) as Entry[]
  const byUrl = new Map<string, Entry>()
  const byId = new Map<string, Entry>()
  let start = 4 + headLength
  for (const entry of entries) {
    entry.start = start
    start += entry.length
    byUrl.set(`${entry.resourceType} ${entry.url}`, entry)
    byId.set(`${entry.resourceType}/${entry.id}`, entry)
  }
  opened = { file, byUrl, byId, entries }
  return opened
}

function take(entry: Entry | undefined): Definition | undefined {
  if (!entry) return undefined
  const known = inUse.get(entry)
  if (known) {
    inUse.delete(entry)
    inUse.set(entry, known)
    return known.resource
  }
  const { file } = shelf()
  const resource = JSON.parse(brotliDecompressSync(file.subarray(entry.start, entry.start + entry.length)).toString()) as Definition
  const weight = 10 + (entry.concepts ?? 0)
  inUse.set(entry, { resource, weight })
  weighed += weight
  for (const [other, { weight: freed }] of inUse) {
    if (weighed <= MOST_CONCEPTS || other === entry) break
    inUse.delete(other)
    weighed -= freed
  }
  return resource
}

/** What R4 publishes under a canonical URL. */
export function publishedByUrl<T extends DefinitionType>(type: T, url: string): DefinitionOf<T> | undefined {
  return take(shelf().byUrl.get(`${type} ${url}`)) as DefinitionOf<T> | undefined
}

/** What R4 publishes under an id, such as the value set `administrative-gender`. */
export function publishedById<T extends DefinitionType>(type: T, id: string): DefinitionOf<T> | undefined {
  return take(shelf().byId.get(`${type}/${id}`)) as DefinitionOf<T> | undefined
}

/** Every concept map of R4; there are 19. */
export function publishedConceptMaps(): ConceptMap[] {
  return shelf().entries.flatMap((entry) => (entry.resourceType === 'ConceptMap' ? [take(entry) as ConceptMap] : []))
}

/** Code systems of R4 with codes of their own, by URL and version. */
export function publishedCodeSystems(): { url: string; version?: string }[] {
  return shelf().entries.flatMap(({ resourceType, url, version, concepts = 0, supplements }) =>
    resourceType === 'CodeSystem' && concepts > 0 && supplements === undefined ? [{ url, ...(version === undefined ? {} : { version }) }] : [],
  )
}

/** The published code system whose codes all together are this value set. */
export function publishedSystemOfValueSet(valueSet: string): CodeSystem | undefined {
  return take(shelf().entries.find((entry) => entry.resourceType === 'CodeSystem' && entry.valueSet === valueSet)) as CodeSystem | undefined
}
