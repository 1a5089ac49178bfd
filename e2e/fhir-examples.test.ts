import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isResourceType } from '@carespine/fhir/definitions'
import type { Resource } from '@carespine/fhir/resource'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fhirClient, type FhirClient } from './fhir-client.ts'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

const archive = fileURLToPath(new URL('../../shared/cases/fhir-r4-examples.tar.gz', import.meta.url))

// Examples that the specification's own definitions forbid: references to other types, items without linkId.
const broken = ['DeviceMetric-example', 'DeviceUseStatement-example', 'MedicationRequest-medrx0301', 'Observation-clinical-gender', 'Questionnaire-qs1']

/** Numbers with a point as they are written, those in texts apart. */
function decimalsIn(json: string): string[] {
  const bare = json.replace(/"(?:[^"\\]|\\.)*"/g, '""')
  return (bare.match(/-?\d+\.\d+(?:[eE][-+]?\d+)?/g) ?? []).toSorted()
}

describe.skipIf(!existsSync(archive))('examples of the R4 specification (../shared/cases/fhir-r4-examples.tar.gz)', () => {
  let hospital: TestHospital
  let fhir: FhirClient
  let folder = ''
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'carespine-examples-'))
    execFileSync('tar', ['-xzf', archive, '-C', folder])
    hospital = await startTestHospital()
    fhir = fhirClient((await hospital.asClient()).fetch)
  })
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true })
    await hospital?.close()
  })

  test('are stored and given back to the digit', async () => {
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.json'))
    expect(files.length).toBeGreaterThan(500)
    const faults: string[] = []
    let stored = 0
    const waiting = files.values()
    const work = async () => {
      for (const file of waiting) {
        const text = readFileSync(join(folder, file), 'utf8')
        const resource = JSON.parse(text) as Resource
        const { resourceType: type, id } = resource
        if (!isResourceType(type) || id === undefined) continue
        const put = await fhir.send('PUT', `/${type}/${id}`, text)
        if (put.status >= 300) {
          faults.push(`${file}: ${put.status} ${put.text.slice(0, 300)}`)
          continue
        }
        stored += 1
        const got = await fhir.send<Resource>('GET', `/${type}/${id}`)
        const { meta: _got, ...back } = got.body
        const { meta: _sent, ...sent } = resource
        expect(back, file).toEqual(sent)
        expect(decimalsIn(got.text), file).toEqual(decimalsIn(text))
      }
    }
    await Promise.all([work(), work(), work(), work()])
    expect(faults.map((fault) => fault.slice(0, 120)).toSorted()).toEqual(broken.map((name) => expect.stringContaining(name)))
    expect(stored).toBeGreaterThan(700)
  })
})
