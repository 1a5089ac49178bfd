import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Bundle, Patient } from '@carespine/fhir/resource'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FhirClient, fhirClient } from './fhir-client.ts'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

// Febrl, dataset 1 (Christen 2002, BSD): 500 made-up people and a distorted duplicate of each.
const archive = '../shared/cases/febrl1.tar.gz'
const present = existsSync(archive)
if (!present) process.stdout.write(`skipped: ${archive} is not here\n`)

interface Row {
  id: string
  isDuplicate: boolean
  patient: Patient
}

function rows(options: { withIdentifier: boolean }): Row[] {
  const text = execFileSync('tar', ['-xzOf', archive, 'febrl1/dataset1.csv']).toString()
  return text.trim().split('\n').slice(1).map((line) => {
    const [id = '', given, family, number, street, , city, postalCode, , born = '', social] = line.split(',').map((part) => part.trim())
    const birthDate = /^\d{8}$/.test(born) ? `${born.slice(0, 4)}-${born.slice(4, 6)}-${born.slice(6)}` : undefined
    const isDate = birthDate !== undefined && !Number.isNaN(Date.parse(birthDate)) && new Date(birthDate).toISOString().startsWith(birthDate)
    const address = [number, street].filter(Boolean).join(' ')
    return {
      id: id.split('-')[1] ?? '',
      isDuplicate: id.includes('-dup-'),
      patient: {
        resourceType: 'Patient',
        ...(given || family ? { name: [{ ...(family ? { family } : {}), ...(given ? { given: [given] } : {}) }] } : {}),
        ...(isDate ? { birthDate } : {}),
        address: [{ ...(address ? { line: [address] } : {}), ...(city ? { city } : {}), ...(postalCode ? { postalCode } : {}), country: 'AU' }],
        ...(options.withIdentifier && social ? { identifier: [{ system: 'urn:social-security', value: social }] } : {}),
      },
    }
  })
}

describe.skipIf(!present)('duplicates of the Febrl data are found', () => {
  let hospital: TestHospital
  let fhir: FhirClient
  beforeAll(async () => {
    hospital = await startTestHospital()
    fhir = fhirClient((await hospital.asClient()).fetch)
  })
  afterAll(() => hospital.close())

  test.each([
    // Names, birth dates and addresses alone; a fifth of the duplicates differ in most of them.
    { withIdentifier: false, recall: 0.9, certain: 0.65 },
    { withIdentifier: true, recall: 0.98, certain: 0.88 },
  ])('with a social security number: $withIdentifier', { timeout: 180_000 }, async ({ withIdentifier, recall: wanted, certain: wantedCertain }) => {
    const all = rows({ withIdentifier })
    const originals = all.filter(({ isDuplicate }) => !isDuplicate)
    const entry = originals.map(({ id, patient }) => ({ resource: { ...patient, id: `febrl-${withIdentifier ? 's' : 'n'}-${id}` }, request: { method: 'PUT' as const, url: `Patient/febrl-${withIdentifier ? 's' : 'n'}-${id}` } }))
    expect((await fhir.send('POST', '/', { resourceType: 'Bundle', type: 'transaction', entry })).status).toBe(200)

    const duplicates = all.filter(({ isDuplicate }) => isDuplicate)
    let [right, wrong, certain, wrongCertain] = [0, 0, 0, 0]
    for (const { id, patient } of duplicates) {
      const { body } = await fhir.send<Bundle>('POST', '/Patient/$match', patient)
      for (const { resource, search } of body.entry ?? []) {
        const isCertain = search?.extension?.[0]?.valueCode === 'certain'
        if (resource?.id === entry[0]?.resource.id.replace(/\d+$/, id)) {
          right += 1
          if (isCertain) certain += 1
        } else {
          wrong += 1
          if (isCertain) wrongCertain += 1
        }
      }
    }
    const [recall, precision] = [right / duplicates.length, right / (right + wrong)]
    process.stdout.write(
      `Febrl 1, ${withIdentifier ? 'with' : 'without'} social security number: recall ${recall.toFixed(3)}, precision ${precision.toFixed(3)}; ` +
        `certain: recall ${(certain / duplicates.length).toFixed(3)}, ${wrongCertain} wrong\n`,
    )
    expect(recall).toBeGreaterThan(wanted)
    expect(precision).toBeGreaterThan(0.98)
    expect(certain / duplicates.length).toBeGreaterThan(wantedCertain)
    expect(wrongCertain).toBe(0)
    await fhir.send('POST', '/', { resourceType: 'Bundle', type: 'transaction', entry: entry.map(({ request: { url } }) => ({ request: { method: 'DELETE', url } })) })
  })
})
