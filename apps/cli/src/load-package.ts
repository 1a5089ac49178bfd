import { randomUUID } from 'node:crypto'
import { isResourceType } from '@carespine/fhir/definitions'
import { uncompiled } from '@carespine/fhir/profile-faults'
import type { Issue } from '@carespine/fhir/outcome'
import type { Resource, ResourceType, Stored, StructureDefinition } from '@carespine/fhir/resource'
import type { Services } from '@carespine/kit/services'
import { SHARED_BRANCH, type Transaction } from '@carespine/store/contract'
import { filesOf } from './package-archive.ts'

export interface PackageSummary {
  name: string
  version: string
  added: number
  changed: number
  /** There before, as they are in the package. */
  same: number
  refused: { where: string; why: string }[]
  /** What profiles of the package rest on and is not here. */
  missing: string[]
  /** Parts of profiles that will not be checked, and why. */
  unchecked: string[]
}

/** A definition with a canonical URL. */
type Definition = Resource & { url: string; version?: string }

interface Manifest {
  name?: string
  version?: string
  fhirVersions?: string[]
  'fhir-version-list'?: string[]
}

// What governs other resources; examples and what else a package brings along stay out of the record.
const LOADED: ReadonlySet<string> = new Set<ResourceType>([
  'StructureDefinition', 'ValueSet', 'CodeSystem', 'ConceptMap', 'SearchParameter', 'OperationDefinition', 'CapabilityStatement',
  'CompartmentDefinition', 'GraphDefinition', 'MessageDefinition', 'ImplementationGuide', 'Questionnaire', 'StructureMap',
  'ActivityDefinition', 'PlanDefinition', 'Library', 'Measure', 'ObservationDefinition', 'SpecimenDefinition',
])

const BATCH = 40

/**
 * Loads the definitions of a FHIR package (https://confluence.hl7.org/display/FHIR/NPM+Package+Specification) into the record,
 * where every branch sees them. A second run changes nothing; another version of a package stands beside the first.
 */
export async function loadPackage(services: Services, archive: Buffer, onProgress: (done: number, of: number) => void = () => undefined): Promise<PackageSummary> {
  const { manifest, definitions, unreadable } = readPackage(archive)
  const { name = 'package', version = '' } = manifest
  const summary: PackageSummary = { name, version, added: 0, changed: 0, same: 0, refused: unreadable, missing: [], unchecked: [] }
  const actor = services.system('import', [SHARED_BRANCH])
  const origin = { correlationId: randomUUID(), action: 'package.load', module: 'import' }
  for (let at = 0; at < definitions.length; at += BATCH) {
    const fit: Definition[] = []
    for (const definition of definitions.slice(at, at + BATCH)) {
      const [issue] = (await services.store.validator.check(definition)).filter(({ severity }) => severity === 'error')
      if (issue) summary.refused.push({ where: `${definition.resourceType} ${definition.url}`, why: sentenceOf(issue) })
      else fit.push({ ...definition, meta: { ...definition.meta, source: `urn:fhir-package:${name}#${version}` } })
    }
    const done = await services.transact(actor, origin, async ({ tx }) => {
      const outcomes: ('added' | 'changed' | 'same')[] = []
      const taken = new Set<string>()
      for (const definition of fit) outcomes.push(await keep(tx, definition, taken))
      return outcomes
    })
    for (const outcome of done) summary[outcome] += 1
    onProgress(Math.min(at + BATCH, definitions.length), definitions.length)
  }
  await lookAhead(services, definitions, summary)
  return summary
}

function readPackage(archive: Buffer): { manifest: Manifest; definitions: Definition[]; unreadable: PackageSummary['refused'] } {
  let manifest: Manifest | undefined
  const definitions: Definition[] = []
  const unreadable: PackageSummary['refused'] = []
  for (const { name, content } of filesOf(archive)) {
    const file = /^(?:\.\/)?package\/([^/]+\.json)$/.exec(name)?.[1]
    if (file === undefined || file.startsWith('.')) continue
    let json: unknown
    try {
      json = JSON.parse(content.toString('utf8'))
    } catch {
      unreadable.push({ where: file, why: 'The file is not JSON.' })
      continue
    }
    if (file === 'package.json') manifest = json as Manifest
    else if (isDefinition(json)) definitions.push(withoutNarrative(json))
  }
  if (!manifest) throw new Error('The archive has no package/package.json, so it is no FHIR package.')
  const releases = manifest.fhirVersions ?? manifest['fhir-version-list'] ?? []
  if (releases.length > 0 && !releases.some((release) => release.startsWith('4.0'))) {
    throw new Error(`The package is for FHIR ${releases.join(', ')}. This record is FHIR R4 (4.0.1).`)
  }
  return { manifest, definitions, unreadable }
}

function isDefinition(json: unknown): json is Definition {
  const { resourceType, url } = (json ?? {}) as { resourceType?: unknown; url?: unknown }
  return typeof resourceType === 'string' && isResourceType(resourceType) && LOADED.has(resourceType) && typeof url === 'string'
}

// Pages for readers of the guide, most of the bulk, and not always the XHTML that a narrative is.
function withoutNarrative(definition: Definition): Definition {
  const { text: _text, ...rest } = definition as Definition & { text?: unknown }
  return rest as Definition
}

const CONTENT = (resource: Resource): string => {
  const { meta, id: _id, ...rest } = resource
  const { versionId: _version, lastUpdated: _updated, ...kept } = meta ?? {}
  return JSON.stringify([rest, kept])
}

async function keep(tx: Transaction, definition: Definition, taken: Set<string>): Promise<'added' | 'changed' | 'same'> {
  const type = definition.resourceType
  const found = (await tx.search(type, { url: definition.url.replace(/[\\,|$]/g, '\\$&'), _count: '100' })) as unknown as Stored<Definition>[]
  const before = found.find(({ version }) => version === definition.version)
  if (before) {
    if (CONTENT(before) === CONTENT(definition)) return 'same'
    tx.write({ ...definition, id: before.id, meta: { ...definition.meta, versionId: before.meta.versionId } } as Resource)
    return 'changed'
  }
  tx.write({ ...definition, id: await freeId(tx, definition, taken) } as Resource)
  return 'added'
}

// The id of the package, so that links of the guide can be followed; with its version where another has it already.
async function freeId(tx: Transaction, { resourceType, id, version }: Definition, taken: Set<string>): Promise<string> {
  for (const wanted of [id, `${id ?? ''}-${version ?? ''}`]) {
    if (wanted === undefined || !/^[A-Za-z0-9\-.]{1,64}$/.test(wanted) || taken.has(`${resourceType}/${wanted}`)) continue
    if (await tx.versionOf(resourceType, wanted)) continue
    taken.add(`${resourceType}/${wanted}`)
    return wanted
  }
  return randomUUID()
}

// What will not be checked is better said on loading than found out later.
async function lookAhead(services: Services, definitions: readonly Definition[], summary: PackageSummary): Promise<void> {
  const { knowledge } = services.store.validator
  const missing = new Set<string>()
  for (const definition of definitions) {
    if (definition.resourceType !== 'StructureDefinition') continue
    const { rests, unchecked } = await uncompiled(knowledge, definition as StructureDefinition & Definition)
    for (const canonical of rests) missing.add(canonical)
    summary.unchecked.push(...unchecked)
  }
  summary.missing = [...missing].sort()
}

function sentenceOf({ expression, diagnostics }: Issue): string {
  return expression ? `${expression}: ${diagnostics}` : diagnostics
}
