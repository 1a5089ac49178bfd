import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getChart } from '@carespine/chart/contract'
import { filesToImport, importFiles } from '@carespine/cli/import-files'
import { searchPatients } from '@carespine/registration/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BRANCHES, startTestHospital, type TestHospital } from './test-hospital.ts'

const SYNTHEA = fileURLToPath(new URL('../../shared/cases/synthea-r4.tar.gz', import.meta.url))

let hospital: TestHospital
let folder = ''

beforeAll(async () => {
  hospital = await startTestHospital()
  folder = await mkdtemp(join(tmpdir(), 'carespine-import-'))
})
afterAll(async () => {
  await hospital?.close()
  await rm(folder, { recursive: true, force: true })
})

const load = (path: string) => importFiles(hospital.hospital.services, filesToImport(path), { branch: BRANCHES.main })

describe('import', () => {
  test('loads bundles and lines, says what was refused and why, and adds nothing on a second run', async () => {
    const patient = { resourceType: 'Patient', name: [{ family: 'Import', given: ['Bundle'] }], birthDate: '1960-01-01' }
    const entry = (uuid: string, resource: object) => ({ fullUrl: `urn:uuid:${uuid}`, resource, request: { method: 'POST', url: 'x' } })
    const bundle = {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [
        entry('7d2ea1a0-0000-4000-8000-000000000001', patient),
        entry('7d2ea1a0-0000-4000-8000-000000000002', {
          resourceType: 'Condition',
          subject: { reference: 'urn:uuid:7d2ea1a0-0000-4000-8000-000000000001' },
          code: { text: 'Asthma' },
        }),
      ],
    }
    await writeFile(join(folder, 'a.json'), JSON.stringify(bundle))
    const lines = [
      { resourceType: 'Patient', id: 'line-1', name: [{ family: 'Line' }] },
      { resourceType: 'Patient', id: 'line-2', gender: 'neither' },
    ]
    await writeFile(join(folder, 'b.ndjson'), `${lines.map((line) => JSON.stringify(line)).join('\n')}\nnot json\n`)
    const first = await load(folder)
    expect(first.added).toBe(3)
    expect(first.refused.map(({ where }) => where)).toEqual(['b.ndjson line 2', 'b.ndjson line 3'])
    expect(first.refused[0]?.why).toContain('Patient.gender')
    const second = await load(folder)
    expect([second.added, second.known]).toEqual([0, 3])
    const provider = await hospital.signIn('provider')
    const { patients } = await provider.call(searchPatients, { text: 'bundle import' })
    const chart = await provider.call(getChart, { patientId: patients[0]?.id ?? '' })
    expect(chart.problems.map(({ name }) => name)).toEqual(['Asthma'])
  })

  test.skipIf(!existsSync(SYNTHEA))('forty Synthea bundles load whole, and their patients open', { timeout: 120_000 }, async () => {
    const cases = await mkdtemp(join(tmpdir(), 'carespine-synthea-'))
    execFileSync('tar', ['-xzf', SYNTHEA, '-C', cases])
    try {
      const summary = await load(cases)
      expect([summary.files, summary.refused]).toEqual([40, []])
      expect(summary.added).toBeGreaterThan(15_000)
      expect((await load(cases)).added).toBe(0)
      const provider = await hospital.signIn('provider')
      const { patients } = await provider.call(searchPatients, { text: '', limit: 20 })
      let results = 0
      for (const { id } of patients) {
        const chart = await provider.call(getChart, { patientId: id })
        results += chart.trends.length + chart.vitals.latest.length
      }
      expect(results).toBeGreaterThan(50)
    } finally {
      await rm(cases, { recursive: true, force: true })
    }
  })
})
