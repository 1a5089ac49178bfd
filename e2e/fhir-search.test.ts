import { randomUUID } from 'node:crypto'
import type { Bundle, Observation, OperationOutcome, Patient } from '@carespine/fhir/resource'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultsOf, fhirClient, type FhirClient } from './fhir-client.ts'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
let fhir: FhirClient
/** Readable names for stored ids, so that a failed search tells which resources it found. */
const names = new Map<string, string>()
const idOf = (name: string): string => [...names].find(([, known]) => known === name)?.[0] ?? `no ${name}`

async function found(path: string): Promise<string[]> {
  return (await fhir.ids(path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => idOf(name)))).map((id) => names.get(id) ?? id)
}

const SYSTEM = 'urn:test:mrn'
const LOINC = 'http://loinc.org'
const UCUM = 'http://unitsofmeasure.org'
const kilograms = (value: number): Partial<Observation> => ({ valueQuantity: { value, unit: 'kg', system: UCUM, code: 'kg' } })

beforeAll(async () => {
  hospital = await startTestHospital()
  fhir = fhirClient((await hospital.asClient()).fetch)
  const patients: [string, Omit<Patient, 'resourceType'>][] = [
    ['ana', { identifier: [{ system: SYSTEM, value: 'A-1' }], name: [{ family: 'Álvarez', given: ['Ana', 'María'] }], birthDate: '1980-05-17', gender: 'female', active: true }],
    ['omar', { identifier: [{ system: 'urn:other', value: 'A-1' }], name: [{ family: 'الزهراني', given: ['عمر'] }], birthDate: '1980-11-02', gender: 'male' }],
    ['long', { name: [{ family: 'Featherstonehaugh' }], birthDate: '1991-01-01', multipleBirthInteger: 2 }],
  ]
  for (const [name, content] of patients) names.set((await fhir.create({ resourceType: 'Patient', ...content })).id, name)
  const observations: [string, Partial<Observation>][] = [
    ['march', { effectiveDateTime: '2024-03-15T10:00:00Z', ...kilograms(80) }],
    ['april', { effectiveDateTime: '2024-04-02', ...kilograms(81.5) }],
    ['spring', { effectivePeriod: { start: '2024-03-20', end: '2024-05-31' }, ...kilograms(83) }],
    ['grams', { effectiveDateTime: '2023-12-31T23:30:00-02:00', valueQuantity: { value: 80_000, system: UCUM, code: 'g' } }],
    ['empty', {}],
  ]
  for (const [name, content] of observations) {
    const stored = await fhir.create({
      resourceType: 'Observation',
      status: name === 'april' ? 'preliminary' : 'final',
      code: { coding: [{ system: LOINC, code: '29463-7' }] },
      subject: { reference: `Patient/${idOf(name === 'empty' ? 'omar' : 'ana')}` },
      ...content,
    })
    names.set(stored.id, name)
  }
  for (const [name, url] of [['form', 'https://forms.example/intake'], ['other', 'https://forms.example/intake/2']] as const) {
    names.set((await fhir.create({ resourceType: 'Questionnaire', status: 'active', url })).id, name)
  }
  for (const [name, probabilityDecimal] of [['likely', 0.8], ['unlikely', 0.05]] as const) {
    names.set((await fhir.create({ resourceType: 'RiskAssessment', status: 'final', subject: { reference: `Patient/${idOf('ana')}` }, prediction: [{ probabilityDecimal }] })).id, name)
  }
})
afterAll(() => hospital?.close())

describe('what each kind of parameter finds', () => {
  test.each<[string, string[]]>([
    // token
    [`/Patient?identifier=${SYSTEM}|A-1`, ['ana']],
    ['/Patient?identifier=A-1', ['ana', 'omar']],
    [`/Patient?identifier=${SYSTEM}|`, ['ana']],
    [`/Patient?identifier=${SYSTEM}|A-2`, []],
    ['/Patient?gender=female,male', ['ana', 'omar']],
    ['/Patient?active=true', ['ana']],
    [`/Observation?code=${LOINC}|29463-7&status=preliminary`, ['april']],
    ['/Observation?code=|29463-7', []],
    ['/Observation?status:not=final', ['april']],
    // string
    ['/Patient?family=alv', ['ana']],
    ['/Patient?family:exact=Alvarez', []],
    ['/Patient?family:exact=Álvarez', ['ana']],
    ['/Patient?name=mar', ['ana']],
    ['/Patient?name:contains=varez', ['ana']],
    ['/Patient?name=زهر', []],
    ['/Patient?name=الزهر', ['omar']],
    ['/Patient?family=Featherstonehaugh', ['long']],
    ['/Patient?family=Featherstonehoax', []],
    // reference
    ['/Observation?subject=Patient/{omar}', ['empty']],
    ['/Observation?patient={omar}', ['empty']],
    ['/Observation?subject:Patient={omar}', ['empty']],
    ['/Observation?subject=Group/{omar}', []],
    // date
    ['/Observation?date=2024-03', ['march']],
    ['/Observation?date=2024-03-15', ['march']],
    ['/Observation?date=2024', ['march', 'april', 'spring', 'grams']],
    ['/Observation?date=2024-01-01', ['grams']],
    ['/Observation?date=ge2024-04-01', ['april', 'spring']],
    ['/Observation?date=gt2024-05-31', []],
    ['/Observation?date=lt2024-03-20', ['march', 'grams']],
    ['/Observation?date=le2024-03-20', ['march', 'spring', 'grams']],
    ['/Observation?date=sa2024-03-18', ['april', 'spring']],
    ['/Observation?date=eb2024-04-02', ['march', 'grams']],
    ['/Observation?date=ne2024-03', ['april', 'spring', 'grams']],
    // a tenth of the time since then: months, for what lies years back
    ['/Observation?date=ap2024-04-20', ['march', 'april', 'spring']],
    ['/Observation?date=ge2024-03-01&date=lt2024-04-01', ['march', 'spring']],
    ['/Observation?date:missing=true', ['empty']],
    ['/Patient?birthdate=1980-05-17', ['ana']],
    ['/Patient?birthdate=1980', ['ana', 'omar']],
    ['/Patient?birthdate=gt1980-05-17', ['omar', 'long']],
    // quantity: by unit across units, or by the bare number; 81 is 80.5 up to but not 81.5
    [`/Observation?value-quantity=80|${UCUM}|kg`, ['march', 'grams']],
    ['/Observation?value-quantity=80||kg', ['march', 'grams']],
    ['/Observation?value-quantity=80', ['march']],
    ['/Observation?value-quantity=gt81||kg', ['april', 'spring']],
    ['/Observation?value-quantity=le80.0||kg', ['march', 'grams']],
    ['/Observation?value-quantity=81||kg', []],
    ['/Observation?value-quantity=82||kg,83||kg', ['april', 'spring']],
    ['/Observation?value-quantity=80||mm', []],
    // number and uri
    ['/RiskAssessment?probability=0.8', ['likely']],
    ['/RiskAssessment?probability=lt0.5', ['unlikely']],
    ['/Questionnaire?url=https://forms.example/intake', ['form']],
    // common to all types
    ['/Patient?_id={ana},{long}', ['ana', 'long']],
    ['/Patient?_lastUpdated=lt2020', []],
    ['/Patient?_lastUpdated=ge2020', ['ana', 'omar', 'long']],
  ])('%s', async (path, wanted) => {
    expect((await found(path)).toSorted()).toEqual(wanted.toSorted())
  })

  test('a search may be posted as a form, so that no name stands in an address', async () => {
    const answer = await fhir.send<Bundle>('POST', '/Patient/_search', 'family=alv', { 'content-type': 'application/x-www-form-urlencoded' })
    expect(answer.body.entry?.map(({ resource }) => names.get(resource?.id ?? ''))).toEqual(['ana'])
  })

  test.each([
    '/Patient?colour=blue',
    '/Patient?name:sounds=x',
    '/Observation?subject.colour=blue',
    '/Observation?status.name=ana',
    '/Patient?_has:Observation:colour:code=x',
    '/Observation?date=soon',
    '/Observation?date=2024-02-30',
    '/Observation?value-quantity=heavy',
    '/Observation?_sort=colour',
    '/Observation?_count=few',
    '/Observation?_include=Observation:colour',
    '/Observation?_total=roughly',
  ])('%s is refused, not ignored', async (path) => {
    const answer = await fhir.send('GET', path)
    expect(answer.status).toBe(400)
    faultsOf(answer)
    expect((answer.body as unknown as OperationOutcome).issue[0]?.diagnostics).toContain(path.split(/[?=]/)[1])
  })
})

describe('order, pages and what comes along', () => {
  test('results come in the order asked for', async () => {
    expect(await found('/Observation?_sort=date&patient={ana}')).toEqual(['grams', 'march', 'spring', 'april'])
    expect(await found('/Observation?_sort=-date&patient={ana}')).toEqual(['april', 'spring', 'march', 'grams'])
    expect(await found('/Observation?_sort=-value-quantity,date&patient={ana}')).toEqual(['spring', 'april', 'grams', 'march'])
    expect(await found('/Observation?_sort=_lastUpdated&patient={ana}')).toEqual(['march', 'april', 'spring', 'grams'])
    expect((await found('/Observation?_sort=date')).at(-1)).toBe('empty')
  })

  test('the total counts every match, whatever is shown of it', async () => {
    const totals = ['_total=accurate&_count=1', '_total=accurate&_count=0', '_summary=count', '_total=accurate&date=2024', 'date=2024&_summary=count']
    const counted = []
    for (const query of totals) counted.push((await fhir.search(`/Observation?${query}`)).total)
    expect(counted).toEqual([5, 5, 5, 4, 4])
    expect((await fhir.search('/Observation?_count=1')).total).toBeUndefined()
  })

  test('included resources come along once, marked as such, and do not count', async () => {
    const forward = await fhir.search('/Observation?status=final&_include=Observation:subject&_total=accurate')
    const shown = (bundle: Bundle) => bundle.entry?.map(({ search, resource }) => `${search?.mode} ${names.get(resource?.id ?? '')}`).toSorted()
    expect(shown(forward)).toEqual(['include ana', 'include omar', 'match empty', 'match grams', 'match march', 'match spring'])
    expect(forward.total).toBe(4)
    const backward = await fhir.search(`/Patient?_id=${idOf('ana')}&_revinclude=Observation:patient&_revinclude=RiskAssessment:subject`)
    expect(shown(backward)).toEqual(['include april', 'include grams', 'include likely', 'include march', 'include spring', 'include unlikely', 'match ana'])
  })

  test('pages that follow the next link show every match once while others write', async () => {
    const tag = `T-${randomUUID().slice(0, 8)}`
    const task = (at: number) =>
      fhir.create({ resourceType: 'Task', status: 'requested', intent: 'order', identifier: [{ value: tag }], authoredOn: `2024-01-${String((at % 9) + 1).padStart(2, '0')}` })
    const there = []
    for (let at = 0; at < 25; at++) there.push((await task(at)).id)
    for (const sort of ['', '&_sort=authored-on', '&_sort=-authored-on,_id']) {
      const seen: string[] = []
      let path: string | undefined = `/Task?identifier=${tag}&_count=4${sort}`
      while (path !== undefined) {
        const page: Bundle = await fhir.search(path)
        seen.push(...(page.entry ?? []).map(({ resource }) => resource?.id ?? ''))
        expect(page.entry?.length).toBeLessThanOrEqual(4)
        await task(seen.length)
        const next = page.link?.find(({ relation }) => relation === 'next')?.url
        path = next?.slice(`${hospital.url}/fhir/R4`.length)
        expect(seen.length).toBeLessThan(80)
      }
      expect(new Set(seen).size, `${sort}: repeated`).toBe(seen.length)
      expect(there.filter((id) => !seen.includes(id)), `${sort}: left out`).toEqual([])
    }
  })

  test.each([
    ['not base64 of ours', 'abc'],
    ['another shape', Buffer.from('{"a":1}').toString('base64url')],
    ['no time', Buffer.from('["aaaa","00000000-0000-0000-0000-000000000000"]').toString('base64url')],
    ['no id', Buffer.from('["2024-01-01T00:00:00Z","------------------------------------"]').toString('base64url')],
    ['a time that never was', Buffer.from('["2024-99-01T00:00:00Z","00000000-0000-0000-0000-000000000000"]').toString('base64url')],
  ])('a cursor that is %s is refused', async (_what, cursor) => {
    const answer = await fhir.send('GET', `/Patient?_cursor=${cursor}`)
    expect(answer.status).toBe(400)
    faultsOf(answer)
  })

  test('dates at the ends of time are stored and searched', async () => {
    for (const effectiveDateTime of ['0001-01-01', '9999-12-31T23:59:59-14:00', '0001-01-01T00:00:00+14:00', '2016-12-31T23:59:60Z']) {
      await fhir.create({ resourceType: 'Observation', status: 'final', code: { text: 'edge' }, effectiveDateTime })
    }
    for (const date of ['ge9999-12-31', 'lt0002', 'eq9999', 'ne0001-01-01', 'gt9999-12-31T23:59:59-14:00']) {
      expect((await fhir.send('GET', `/Observation?date=${date}`)).status, date).toBe(200)
    }
    expect((await fhir.send('GET', '/Observation?date=0000')).status).toBe(400)
    expect(await fhir.ids('/Observation?date=lt0002')).toHaveLength(2)
  })
})
