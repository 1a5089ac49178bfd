import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isResourceType } from '@carespine/fhir/definitions'
import type { Resource, SearchParameter } from '@carespine/fhir/resource'
import { type SearchParameterDefinition, searchParametersOf } from '@carespine/fhir/search-parameters'
import { valuesOf } from '@carespine/fhir/search-values'
import { describe, expect, test } from 'vitest'
import { publishedResources } from './fhir-source.ts'

const archive = fileURLToPath(new URL('../../shared/cases/fhir-r4-examples.tar.gz', import.meta.url))

describe.skipIf(!existsSync(archive))('paths of search parameters (../shared/cases/fhir-r4-examples.tar.gz)', () => {
  test('lead to what their published expressions do as FHIRPath, in every example', () => {
    const folder = mkdtempSync(join(tmpdir(), 'carespine-examples-'))
    execFileSync('tar', ['-xzf', archive, '-C', folder])
    const resources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.json'))
      .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Resource)
      .filter(({ resourceType }) => isResourceType(resourceType))
    rmSync(folder, { recursive: true, force: true })
    const published = new Map(publishedResources<SearchParameter>('search-parameters.json').map((one) => [one.url, one]))
    const faults = new Set<string>()
    let compared = 0
    for (const resource of resources) {
      for (const parameter of searchParametersOf(resource.resourceType).values()) {
        const { expression } = published.get(parameter.url) ?? {}
        if (!expression || parameter.type === 'composite' || parameter.paths.some(({ exists }) => exists)) continue
        const asFhirPath: SearchParameterDefinition = { ...parameter, paths: [{ steps: [], type: '', many: true, expression: ownPart(expression, resource.resourceType) }] }
        // A union of FHIRPath has no value twice; quantities that differ in their comparator are one to it.
        const texts = (one: SearchParameterDefinition): string[] => [...new Set(valuesOf(resource, one).map(({ value }) => JSON.stringify(value, (name, inner: unknown) => (name === 'comparator' ? undefined : inner))))].toSorted()
        const [ours, theirs] = [texts(parameter), texts(asFhirPath)]
        compared += ours.length
        if (ours.join() !== theirs.join()) faults.add(`${resource.resourceType}/${resource.id} ${parameter.code}: ${ours.slice(0, 3)} | ${theirs.slice(0, 3)}`)
      }
    }
    expect([...faults]).toEqual([])
    expect(compared).toBeGreaterThan(5000)
  })
})

/** The alternatives of a union that are about a type: FHIRPath takes offence at names of others. */
function ownPart(expression: string, type: string): string {
  const parts = expression.split(/\s\|\s/).filter((part) => new RegExp(`^\\(?(?:${type}|Resource|DomainResource)\\b`).test(part.trim()))
  return parts.length > 0 ? parts.join(' | ') : expression
}
