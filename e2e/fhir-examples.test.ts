import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isResourceType } from '@carespine/fhir/definitions'
import type { OperationOutcome, Resource } from '@carespine/fhir/resource'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fhirClient, type FhirClient } from './fhir-client.ts'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

const archive = fileURLToPath(new URL('../../shared/cases/fhir-r4-examples.tar.gz', import.meta.url))

// Examples that the specification itself forbids, or lets a server refuse.
const broken: Readonly<Record<string, string>> = {
  // A narrative has some content (txt-2): these divs are empty.
  'ActivityDefinition-blood-tubes-supply': 'text.div',
  'ActivityDefinition-heart-valve-replacement': 'text.div',
  'EventDefinition-example': 'text.div',
  'Questionnaire-zika-virus-exposure-assessment': 'text.div',
  // A fullUrl does not disagree with the id of its resource (Bundle.entry.fullUrl): Patient/pat12 is pat2, and so on.
  'Bundle-10bb101f-a121-4264-a920-67be9cb82c74': 'entry[2].fullUrl',
  'Bundle-3a0707d3-549e-4467-b8b8-5a2ab3800efe': 'entry[3].fullUrl',
  'Bundle-lri-example': 'entry[1].fullUrl',
  // References to types that the element does not allow.
  'DeviceMetric-example': 'parent',
  'DeviceUseStatement-example': 'reasonReference[0]',
  'MedicationRequest-medrx0301': 'dispenseRequest.performer',
  'Observation-clinical-gender': 'performer[0]',
  // Modifier extensions that nobody here knows: who does not understand one may refuse it (R4 Extensibility, Modifier Extensions).
  'Basic-referral': 'modifierExtension[0]',
  // Items without the linkId that each must have.
  'Questionnaire-qs1': 'item[0].item[0].linkId',
}

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
          const [issue] = (put.body as unknown as OperationOutcome).issue
          faults.push(`${basename(file, '.json')}: ${put.status} ${issue?.expression?.[0]?.replace(`${type}.`, '')}`)
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
    expect(faults.toSorted()).toEqual(Object.entries(broken).map(([name, where]) => `${name}: 422 ${where}`).toSorted())
    expect(stored).toBe(files.length - Object.keys(broken).length)
  }, 120_000)
})
