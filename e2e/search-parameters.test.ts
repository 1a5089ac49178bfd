import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isResourceType, resourceTypes } from '@carespine/fhir/definitions'
import { matches } from '@carespine/fhir/match'
import type { Resource, ResourceType } from '@carespine/fhir/resource'
import { searchParametersOf } from '@carespine/fhir/search-parameters'
import { parseSearch, type ValueFilter } from '@carespine/fhir/search-query'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fhirClient, type FhirClient } from './fhir-client.ts'
import { madeFor, madeId, questionFor } from './search-question.ts'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

const archive = fileURLToPath(new URL('../../shared/cases/fhir-r4-examples.tar.gz', import.meta.url))

/** Thousands of searches, on a machine that may be busy. */
const PATIENCE = 300_000

describe.skipIf(!existsSync(archive))('every search parameter of every type (../shared/cases/fhir-r4-examples.tar.gz)', () => {
  let hospital: TestHospital
  let fhir: FhirClient
  const stored = new Map<ResourceType, Resource[]>()
  const refused: string[] = []

  const put = async (resource: Resource, text = JSON.stringify(resource)): Promise<boolean> => {
    const type = resource.resourceType
    const answer = await fhir.send('PUT', `/${type}/${resource.id}`, text)
    if (answer.status < 300) stored.set(type, [...(stored.get(type) ?? []), resource])
    return answer.status < 300
  }

  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'carespine-examples-'))
    execFileSync('tar', ['-xzf', archive, '-C', folder])
    hospital = await startTestHospital()
    fhir = fhirClient((await hospital.asClient()).fetch)
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.json'))
    const texts = files.map((file) => readFileSync(join(folder, file), 'utf8'))
    rmSync(folder, { recursive: true, force: true })
    const waiting = texts.values()
    const work = async (): Promise<void> => {
      for (const text of waiting) {
        const resource = JSON.parse(text) as Resource
        if (isResourceType(resource.resourceType) && resource.id !== undefined) await put(resource, text)
      }
    }
    await Promise.all([work(), work(), work(), work()])
    // What no example shows is shown by resources made for it.
    const lacking = resourceTypes.flatMap((type) => {
      const examples = stored.get(type) ?? []
      const shown = new Set([...searchParametersOf(type).values()].filter((parameter) => examples.some((one) => questionFor(one, parameter) !== undefined)).map(({ code }) => madeId(code)))
      return madeFor(type).filter(({ id }) => !shown.has(id ?? ''))
    })
    // They mean nothing, and no rule of content holds for them: what is tested is the index.
    hospital.hospital.services.store.validator.look = () => ({ issues: [], settled: true })
    const made = lacking.values()
    const make = async (): Promise<void> => {
      for (const resource of made) if (!(await put(resource))) refused.push(`${resource.resourceType}/${resource.id}`)
    }
    await Promise.all([make(), make(), make(), make()])
  }, PATIENCE)
  afterAll(() => hospital?.close())

  test('the index finds by each exactly what a look at the resources finds', async () => {
    const faults: string[] = []
    const unasked: string[] = []
    let asked = 0
    const work = async (types: Iterable<ResourceType>): Promise<void> => {
      for (const type of types) {
        const all = stored.get(type) ?? []
        for (const parameter of searchParametersOf(type).values()) {
          // Set by the server alone, and tested with the searches of fhir-search.test.ts.
          if (parameter.code === '_lastUpdated') continue
          const questions = [...new Set(all.flatMap((one) => questionFor(one, parameter) ?? []))]
          if (questions.length === 0) unasked.push(`${type}.${parameter.code}`)
          for (const question of questions.slice(0, 3)) {
            asked += 1
            const { query, issues } = parseSearch(type, [[parameter.code, question]])
            if (!query) {
              faults.push(`${type}?${parameter.code}=${question}: ${issues[0]?.diagnostics}`)
              continue
            }
            const [filter] = query.filters as ValueFilter[]
            const wanted = all.filter((one) => filter && matches(one, filter, new Date())).map(({ id }) => id ?? '')
            const found = await fhir.ids(`/${type}?${parameter.code}=${encodeURIComponent(question)}&_count=1000`)
            if (wanted.length === 0 || found.toSorted().join() !== wanted.toSorted().join()) {
              faults.push(`${type}?${parameter.code}=${question}: found ${found.slice(0, 5)}; wanted ${wanted.slice(0, 5)}`)
            }
          }
        }
      }
    }
    const types = resourceTypes.values()
    await Promise.all([work(types), work(types), work(types)])
    expect(faults).toEqual([])
    expect({ unasked, refused }).toEqual({ unasked: [], refused: [] })
    expect(asked).toBeGreaterThan(3000)
  }, PATIENCE)
})
