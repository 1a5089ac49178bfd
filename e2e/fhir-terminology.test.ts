import { readFileSync } from 'node:fs'
import type { CodeSystem, ConceptMap, Parameters, ParametersParameter, Resource, ValueSet } from '@carespine/fhir/resource'
import { codeInValueSet, codesOfValueSet, codesRelated } from '@carespine/terminology/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultsOf, type FhirAnswer, type FhirClient, fhirClient } from './fhir-client.ts'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
let fhir: FhirClient

beforeAll(async () => {
  hospital = await startTestHospital()
  fhir = fhirClient((await hospital.asClient()).fetch)
})
afterAll(() => hospital.close())

const parameters = (parameter: ParametersParameter[]): Parameters => ({ resourceType: 'Parameters', parameter })
const get = <T = Parameters>(path: string) => fhir.send<T>('GET', path)
const post = <T = Parameters>(path: string, parameter: ParametersParameter[]) => fhir.send<T>('POST', path, parameters(parameter))
const codesOf = ({ body }: FhirAnswer<ValueSet>) => body.expansion?.contains?.map(({ code }) => code)
const enc = encodeURIComponent

/** Values of a Parameters answer by name; the first of each. */
function valuesOf({ body, text }: FhirAnswer<Parameters>): Record<string, unknown> {
  if (body.resourceType !== 'Parameters') throw new Error(`no Parameters but ${text}`)
  return Object.fromEntries(
    (body.parameter ?? []).toReversed().map(({ name = '', ...rest }) => [name, Object.entries(rest).find(([key]) => key.startsWith('value'))?.[1] ?? rest.part]),
  )
}

const ACT_CODE = 'http://terminology.hl7.org/CodeSystem/v3-ActCode'
const GENDER = 'http://hl7.org/fhir/ValueSet/administrative-gender'

/** A code system of a laboratory, as an outside system would bring it. */
const tubes: CodeSystem = {
  resourceType: 'CodeSystem',
  url: 'http://lab.example/tubes',
  version: '1',
  name: 'Tubes',
  status: 'active',
  content: 'complete',
  caseSensitive: true,
  hierarchyMeaning: 'is-a',
  property: [{ code: 'colour', type: 'code' }, { code: 'inactive', uri: 'http://hl7.org/fhir/concept-properties#inactive', type: 'boolean' }],
  concept: [
    {
      code: 'blood', display: 'Blood tube', concept: [
        { code: 'edta', display: 'EDTA tube', definition: 'Keeps cells whole', designation: [{ language: 'ar', value: 'أنبوب إي دي تي أي' }], property: [{ code: 'colour', valueCode: 'lavender' }] },
        { code: 'citrate', display: 'Citrate tube', property: [{ code: 'colour', valueCode: 'blue' }] },
        { code: 'oxalate', display: 'Oxalate tube', property: [{ code: 'colour', valueCode: 'grey' }, { code: 'inactive', valueBoolean: true }] },
      ],
    },
    { code: 'urine', display: 'Urine cup', property: [{ code: 'colour', valueCode: 'yellow' }] },
  ],
}

const set = (name: string, compose: ValueSet['compose']): ValueSet => ({ resourceType: 'ValueSet', url: `http://lab.example/vs/${name}`, name, status: 'active', compose })

describe('value sets are expanded', () => {
  test('administrative gender has the four codes of the specification, by URL, by id, and by POST', async () => {
    const four = ['male', 'female', 'other', 'unknown']
    const byUrl = await get<ValueSet>(`/ValueSet/$expand?url=${GENDER}`)
    expect([byUrl.status, codesOf(byUrl)]).toEqual([200, four])
    expect(byUrl.body).toMatchObject({ resourceType: 'ValueSet', url: GENDER, version: '4.0.1', expansion: { total: 4 } })
    expect(byUrl.body.compose).toBeUndefined()
    expect(byUrl.body.expansion?.parameter).toContainEqual({ name: 'version', valueUri: 'http://hl7.org/fhir/administrative-gender|4.0.1' })
    expect(codesOf(await get(`/ValueSet/administrative-gender/$expand`))).toEqual(four)
    expect(codesOf(await post('/ValueSet/$expand', [{ name: 'url', valueUri: GENDER }]))).toEqual(four)
    const { body } = await get<ValueSet>(`/ValueSet/$expand?url=${GENDER}&includeDefinition=true`)
    expect(body.compose?.include).toHaveLength(1)
  })

  test('a set by hierarchy has what is below, and not what it excludes: the encounter classes of v3', async () => {
    const answer = await get<ValueSet>('/ValueSet/$expand?url=http://terminology.hl7.org/ValueSet/v3-ActEncounterCode')
    expect(codesOf(answer)?.toSorted()).toEqual(['ACUTE', 'AMB', 'EMER', 'FLD', 'HH', 'IMP', 'NONAC', 'OBSENC', 'PRENC', 'SS', 'VR'])
    const tree = await get<ValueSet>('/ValueSet/$expand?url=http://terminology.hl7.org/ValueSet/v3-ActEncounterCode&excludeNested=false')
    const inpatient = tree.body.expansion?.contains?.find(({ code }) => code === 'IMP')
    expect(inpatient?.contains?.map(({ code }) => code)).toEqual(['ACUTE', 'NONAC'])
  })

  test('displays are in Arabic when asked, and a typed beginning of a word finds in both scripts', async () => {
    const arabic = await get<ValueSet>(`/ValueSet/$expand?url=${GENDER}&displayLanguage=ar`)
    expect(arabic.body.expansion?.contains?.map(({ display }) => display)).toEqual(['ذكر', 'أنثى', 'آخر', 'غير معروف'])
    expect(codesOf(await get(`/ValueSet/$expand?url=${GENDER}&filter=${enc('انث')}`))).toEqual(['female'])
    expect(codesOf(await get(`/ValueSet/$expand?url=${GENDER}&filter=FEM`))).toEqual(['female'])
    expect(codesOf(await get(`/ValueSet/$expand?url=${GENDER}&filter=zzz`))).toBeUndefined()
    const german = await get<ValueSet>('/ValueSet/$expand?url=http://terminology.hl7.org/ValueSet/v2-0001&displayLanguage=de')
    expect(german.body.expansion?.contains?.find(({ code }) => code === 'F')?.display).toBe('weiblich')
    const designated = await get<ValueSet>(`/ValueSet/$expand?url=${GENDER}&designation=${enc('urn:ietf:bcp:47|ar')}`)
    expect(designated.body.expansion?.contains?.[0]?.designation).toEqual([{ language: 'ar', value: 'ذكر' }])
  })

  test('pages follow one another without a gap and know the total', async () => {
    const url = 'http://terminology.hl7.org/ValueSet/v3-RoleCode'
    const whole = codesOf(await get(`/ValueSet/$expand?url=${url}`)) ?? []
    expect(whole.length).toBeGreaterThan(300)
    const seen: (string | undefined)[] = []
    for (let offset = 0; offset < whole.length; offset += 100) {
      const page = await get<ValueSet>(`/ValueSet/$expand?url=${url}&offset=${offset}&count=100`)
      expect(page.body.expansion).toMatchObject({ total: whole.length, offset })
      seen.push(...(codesOf(page) ?? []))
    }
    expect(seen).toEqual(whole)
    const none = await get<ValueSet>(`/ValueSet/$expand?url=${url}&count=0`)
    expect([none.body.expansion?.total, codesOf(none)]).toEqual([whole.length, undefined])
  })

  test('each filter operator of R4 selects what it says', async () => {
    await fhir.create(tubes)
    const expand = async (op: string, property: string, value: string) => {
      const valueSet = set('filter', { include: [{ system: tubes.url, filter: [{ op, property, value } as never] }] })
      return codesOf(await post('/ValueSet/$expand', [{ name: 'valueSet', resource: valueSet }]))
    }
    expect(await expand('is-a', 'concept', 'blood')).toEqual(['blood', 'edta', 'citrate', 'oxalate'])
    expect(await expand('descendent-of', 'concept', 'blood')).toEqual(['edta', 'citrate', 'oxalate'])
    expect(await expand('is-not-a', 'concept', 'blood')).toEqual(['urine'])
    expect(await expand('generalizes', 'concept', 'edta')).toEqual(['blood', 'edta'])
    expect(await expand('=', 'colour', 'blue')).toEqual(['citrate'])
    expect(await expand('in', 'colour', 'blue,grey')).toEqual(['citrate', 'oxalate'])
    expect(await expand('not-in', 'colour', 'blue,grey')).toEqual(['blood', 'edta', 'urine'])
    expect(await expand('exists', 'colour', 'false')).toEqual(['blood'])
    expect(await expand('regex', 'code', '.*ate')).toEqual(['citrate', 'oxalate'])
    expect(await expand('=', 'parent', 'blood')).toEqual(['edta', 'citrate', 'oxalate'])
  })

  test('value sets take in value sets, exclude, and leave out what is not in use', async () => {
    await fhir.create(set('blood', { include: [{ system: tubes.url, filter: [{ property: 'concept', op: 'descendent-of', value: 'blood' }] }] }))
    await fhir.create(set('coloured', { include: [{ system: tubes.url, concept: [{ code: 'urine' }, { code: 'edta', display: 'Lavender top' }] }] }))
    const expand = async (compose: ValueSet['compose'], more: ParametersParameter[] = []) =>
      codesOf(await post('/ValueSet/$expand', [{ name: 'valueSet', resource: set('x', compose) }, ...more]))
    const [blood, coloured] = ['http://lab.example/vs/blood', 'http://lab.example/vs/coloured']
    expect(await expand({ include: [{ valueSet: [blood] }, { valueSet: [coloured] }] })).toEqual(['edta', 'citrate', 'oxalate', 'urine'])
    // Sets in one include: what is in all of them.
    expect(await expand({ include: [{ valueSet: [blood, coloured] }] })).toEqual(['edta'])
    expect(await expand({ include: [{ system: tubes.url }], exclude: [{ valueSet: [blood] }] })).toEqual(['blood', 'urine'])
    expect(await expand({ inactive: false, include: [{ valueSet: [blood] }] })).toEqual(['edta', 'citrate'])
    expect(await expand({ include: [{ valueSet: [blood] }] }, [{ name: 'activeOnly', valueBoolean: true }])).toEqual(['edta', 'citrate'])
    expect(await expand({ include: [{ system: tubes.url }, { valueSet: [GENDER] }] }, [{ name: 'exclude-system', valueUri: tubes.url }])).toHaveLength(4)
    const listed = await get<ValueSet>(`/ValueSet/$expand?url=${coloured}`)
    expect(listed.body.expansion?.contains?.map(({ display }) => display)).toEqual(['Urine cup', 'Lavender top'])
  })

  test('a set that cannot be listed whole is refused, not shortened', async () => {
    const expand = (valueSet: ValueSet) => post('/ValueSet/$expand', [{ name: 'valueSet', resource: valueSet }])
    const snomed = await expand(set('x', { include: [{ system: tubes.url }, { system: 'http://snomed.info/sct' }] }))
    expect([snomed.status, ...faultsOf(snomed)]).toEqual([422, 'not-found'])
    expect(snomed.text).toContain('http://snomed.info/sct')
    const units = await get('/ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/ucum-units')
    expect([units.status, ...faultsOf(units)]).toEqual([422, 'too-costly'])
    await fhir.create(set('ring-a', { include: [{ valueSet: ['http://lab.example/vs/ring-b'] }] }))
    await fhir.create(set('ring-b', { include: [{ valueSet: ['http://lab.example/vs/ring-a'] }] }))
    const ring = await get('/ValueSet/$expand?url=http://lab.example/vs/ring-a')
    expect([ring.status, ...faultsOf(ring)]).toEqual([422, 'business-rule'])
    const filter = await expand(set('x', { include: [{ system: tubes.url, filter: [{ property: 'colour', op: 'is-a', value: 'blue' }] }] }))
    expect([filter.status, ...faultsOf(filter)]).toEqual([422, 'not-supported'])
    const endless = await expand(set('x', { include: [{ system: ACT_CODE, filter: [{ property: 'definition', op: 'regex', value: '(([a-zA-Z ]+)+)+!' }] }] }))
    expect([endless.status, ...faultsOf(endless)]).toEqual([422, 'not-supported'])
  })

  test('what is asked wrongly is refused with its name', async () => {
    const fault = async (path: string) => {
      const { status, body } = await get<Resource>(path)
      return [status, body.resourceType === 'OperationOutcome' ? body.issue[0]?.diagnostics : undefined]
    }
    expect(await fault('/ValueSet/$expand?url=http://nowhere.example/vs')).toEqual([404, 'The value set http://nowhere.example/vs is not here.'])
    expect(await fault('/ValueSet/$expand')).toEqual([400, 'Name the value set: url, valueSet, or the address of one.'])
    expect(await fault(`/ValueSet/$expand?url=${GENDER}&colour=blue`)).toEqual([400, 'colour is no parameter of this operation.'])
    expect(await fault(`/ValueSet/$expand?url=${GENDER}&date=2020`)).toEqual([400, 'date is not supported here. Leave it out.'])
    expect(await fault(`/ValueSet/$expand?url=${GENDER}&count=-1`)).toEqual([400, 'count: give a integer.'])
    expect(await fault(`/ValueSet/$expand?url=${GENDER}&url=${GENDER}`)).toEqual([400, 'url is given once at most.'])
    expect((await fault('/ValueSet/nobody/$expand'))[0]).toBe(404)
    const broken = await post('/ValueSet/$expand', [{ name: 'valueSet', resource: { resourceType: 'ValueSet', status: 'active', compose: { include: 5 } } as never }])
    expect([broken.status, ...faultsOf(broken)]).toEqual([422, 'structure Parameters.parameter[0].resource.compose.include'])
  })

  test('each required binding of R4 has the codes that the validator takes', async () => {
    const { bindings } = JSON.parse(readFileSync('engine/fhir/generated/definitions.json', 'utf8')) as { bindings: Record<string, Record<string, string[]>> }
    const urls = Object.keys(bindings)
    expect(urls.length).toBeGreaterThan(150)
    for (const valueSet of urls) {
      const wanted = Object.entries(bindings[valueSet] ?? {}).flatMap(([system, codes]) => codes.map((code) => `${system}|${code}`))
      const { codes } = await hospital.hospital.services.ask(codesOfValueSet, { valueSet })
      expect(codes.map(({ system, code }) => `${system}|${code}`).toSorted(), valueSet).toEqual(wanted.toSorted())
    }
  })

  test('countries, currencies and their names come from the standards', async () => {
    const countries = await get<ValueSet>('/ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/iso3166-1-2&displayLanguage=ar')
    expect(countries.body.expansion?.total).toBe(249)
    expect(countries.body.expansion?.contains?.find(({ code }) => code === 'EG')?.display).toBe('مصر')
    const currencies = await get<ValueSet>('/ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/currencies&filter=riyal')
    expect(codesOf(currencies)).toContain('SAR')
  })
})

describe('codes are checked', () => {
  const check = async (query: string) => valuesOf(await get(`/ValueSet/$validate-code?${query}`))

  test('a code is in the set or not, and the answer says the display', async () => {
    expect(await check(`url=${GENDER}&code=male&system=http://hl7.org/fhir/administrative-gender`)).toEqual({
      result: true, display: 'Male', code: 'male', system: 'http://hl7.org/fhir/administrative-gender',
    })
    expect(await check(`url=${GENDER}&code=male`)).toMatchObject({ result: true, system: 'http://hl7.org/fhir/administrative-gender' })
    const wrong = await check(`url=${GENDER}&code=m&system=http://hl7.org/fhir/administrative-gender`)
    expect(wrong).toMatchObject({ result: false, message: expect.stringContaining('has no such code') })
    expect(await check(`url=${GENDER}&code=male&system=http://hl7.org/fhir/contact-point-use`)).toMatchObject({ result: false })
    expect(await check(`url=${GENDER}&code=female&displayLanguage=ar`)).toMatchObject({ display: 'أنثى' })
  })

  test('a wrong display makes the result false and names the right one; a designation is right', async () => {
    const base = `url=${GENDER}&code=female&system=http://hl7.org/fhir/administrative-gender`
    expect(await check(`${base}&display=Female`)).toMatchObject({ result: true })
    expect(await check(`${base}&display=FEMALE`)).toMatchObject({ result: true })
    expect(await check(`${base}&display=${enc('أنثى')}`)).toMatchObject({ result: true })
    expect(await check(`${base}&display=Male`)).toMatchObject({ result: false, display: 'Female', message: expect.stringContaining('Female') })
  })

  test('of a CodeableConcept one coding that is right decides, and is named', async () => {
    const codeableConcept = { coding: [{ system: 'http://other.example', code: 'x' }, { system: 'http://hl7.org/fhir/administrative-gender', code: 'other' }] }
    const answer = valuesOf(await post('/ValueSet/$validate-code', [{ name: 'url', valueUri: GENDER }, { name: 'codeableConcept', valueCodeableConcept: codeableConcept }]))
    expect(answer).toMatchObject({ result: true, code: 'other', system: 'http://hl7.org/fhir/administrative-gender' })
    const coding = { system: 'http://hl7.org/fhir/administrative-gender', code: 'nobody' }
    expect(valuesOf(await post('/ValueSet/administrative-gender/$validate-code', [{ name: 'coding', valueCoding: coding }])).result).toBe(false)
  })

  test('a code that only gathers others is not to be used, unless that is allowed', async () => {
    const base = `url=http://terminology.hl7.org/ValueSet/v3-ActCode&system=${ACT_CODE}&code=_ActEncounterCode`
    expect(await check(base)).toMatchObject({ result: false })
    expect(await check(`${base}&abstract=true`)).toMatchObject({ result: true })
  })

  test('what follows a rule is checked by it: units, languages, media types', async () => {
    const unit = (code: string) => check(`url=http://hl7.org/fhir/ValueSet/ucum-units&system=http://unitsofmeasure.org&code=${enc(code)}`)
    for (const code of ['mg/dL', '10*3/uL', 'mm[Hg]', '{beats}/min', '[degF]']) expect(await unit(code), code).toMatchObject({ result: true })
    for (const code of ['meter', 'mgs', 'KG/', '']) expect((await unit(code || ' ')).result, code).toBe(false)
    const distance = (code: string) => check(`url=http://hl7.org/fhir/ValueSet/all-distance-units&system=http://unitsofmeasure.org&code=${enc(code)}`)
    expect([(await distance('cm')).result, (await distance('kg')).result]).toEqual([true, false])
    expect(await check('url=http://hl7.org/fhir/ValueSet/all-languages&system=urn:ietf:bcp:47&code=ar-SA')).toMatchObject({ result: true })
    expect(await check('url=http://hl7.org/fhir/ValueSet/all-languages&system=urn:ietf:bcp:47&code=xx-YY')).toMatchObject({ result: false })
    expect(await check('url=http://hl7.org/fhir/ValueSet/mimetypes&system=urn:ietf:bcp:13&code=text/plain')).toMatchObject({ result: true })
  })

  test('a code system that is not here gives no yes, and other modules learn that nobody knows', async () => {
    const answer = await check('url=http://snomed.info/sct?fhir_vs&system=http://snomed.info/sct&code=22298006')
    expect(answer).toMatchObject({ result: false, message: expect.stringContaining('not here') })
    const { ask } = hospital.hospital.services
    const codings = [{ system: 'http://snomed.info/sct', code: '22298006' }]
    expect(await ask(codeInValueSet, { valueSet: 'http://snomed.info/sct?fhir_vs', codings })).toMatchObject({ verdict: 'unknown' })
    expect(await ask(codeInValueSet, { valueSet: 'http://nowhere.example/vs', codings })).toMatchObject({ verdict: 'unknown' })
    expect(await ask(codeInValueSet, { valueSet: GENDER, codings: [{ code: 'male' }] })).toMatchObject({ verdict: 'valid' })
    expect(await ask(codeInValueSet, { valueSet: GENDER, codings: [{ code: 'm' }] })).toMatchObject({ verdict: 'invalid' })
  })

  test('a code in a code system, by URL, by id, and sent with the question', async () => {
    const bySystem = async (query: string) => valuesOf(await get(`/CodeSystem/$validate-code?${query}`))
    expect(await bySystem(`url=${ACT_CODE}&code=AMB&display=ambulatory`)).toMatchObject({ result: true, display: 'ambulatory' })
    expect(await bySystem(`url=${ACT_CODE}&code=amb`)).toMatchObject({ result: false })
    expect(valuesOf(await get('/CodeSystem/v3-ActCode/$validate-code?code=EMER'))).toMatchObject({ result: true })
    expect(valuesOf(await get('/CodeSystem/nobody/$validate-code?code=EMER').then((answer) => ({ ...answer, body: { resourceType: 'Parameters' } as Parameters })))).toEqual({})
    const sent: CodeSystem = { ...tubes, url: 'http://sent.example', caseSensitive: false }
    expect(valuesOf(await post('/CodeSystem/$validate-code', [{ name: 'codeSystem', resource: sent }, { name: 'code', valueCode: 'EDTA' }]))).toMatchObject({ result: true })
  })
})

describe('codes are looked up and compared', () => {
  test('a look-up gives display, properties, what is above and below, and designations', async () => {
    const answer = await get(`/CodeSystem/$lookup?system=${ACT_CODE}&code=IMP&displayLanguage=ar`)
    expect(valuesOf(answer)).toMatchObject({ name: 'v3.ActCode', version: '2018-08-12', display: 'تنويم' })
    const properties = answer.body.parameter?.filter(({ name }) => name === 'property').map(({ part }) => part?.map(({ name: _name, ...value }) => Object.values(value)[0]))
    expect(properties).toContainEqual(['parent', '_ActEncounterCode', 'ActEncounterCode'])
    expect(properties).toContainEqual(['child', 'ACUTE', 'inpatient acute'])
    expect(properties).toContainEqual(['inactive', false])
    const only = await get(`/CodeSystem/$lookup?system=${ACT_CODE}&code=IMP&property=parent`)
    expect(only.body.parameter?.map(({ name }) => name)).toEqual(['name', 'version', 'display', 'property'])
    const coding = await post('/CodeSystem/$lookup', [{ name: 'coding', valueCoding: { system: 'http://unitsofmeasure.org', code: 'mg' } }])
    expect(valuesOf(coding)).toMatchObject({ name: 'UCUM', display: 'milligram' })
  })

  test('a code or system that is not here is told apart', async () => {
    const unknown = await get('/CodeSystem/$lookup?system=http://loinc.org&code=718-7')
    expect([unknown.status, ...faultsOf(unknown)]).toEqual([404, 'not-found'])
    expect(unknown.text).toContain('The codes of http://loinc.org are not here.')
    expect((await get(`/CodeSystem/$lookup?system=${ACT_CODE}&code=NOBODY`)).text).toContain("no code 'NOBODY'")
    expect((await get('/CodeSystem/$lookup?code=AMB')).status).toBe(400)
  })

  test('subsumption goes up and down the hierarchy, and sideways is none', async () => {
    const outcome = async (a: string, b: string) => valuesOf(await get(`/CodeSystem/$subsumes?system=${ACT_CODE}&codeA=${a}&codeB=${b}`)).outcome
    expect(await outcome('IMP', 'ACUTE')).toBe('subsumes')
    expect(await outcome('ACUTE', '_ActEncounterCode')).toBe('subsumed-by')
    expect(await outcome('ACUTE', 'ACUTE')).toBe('equivalent')
    expect(await outcome('AMB', 'IMP')).toBe('not-subsumed')
    const [codingA, codingB] = ['IMP', 'ACUTE'].map((code) => ({ system: ACT_CODE, code }))
    expect(valuesOf(await post('/CodeSystem/v3-ActCode/$subsumes', [{ name: 'codingA', valueCoding: codingA as object }, { name: 'codingB', valueCoding: codingB as object }])).outcome).toBe('subsumes')
    expect((await get(`/CodeSystem/$subsumes?system=${ACT_CODE}&codeA=IMP&codeB=NOBODY`)).status).toBe(404)
    expect((await get(`/CodeSystem/$subsumes?codeA=IMP&codeB=ACUTE`)).status).toBe(400)
    const { ask } = hospital.hospital.services
    expect((await ask(codesRelated, { system: ACT_CODE, code: 'IMP', direction: 'below' })).codes.toSorted()).toEqual(['ACUTE', 'IMP', 'NONAC'])
    expect((await ask(codesRelated, { system: ACT_CODE, code: 'ACUTE', direction: 'above' })).codes).toEqual(expect.arrayContaining(['ACUTE', 'IMP', '_ActEncounterCode']))
  })
})

describe('codes are translated', () => {
  const V2 = 'http://terminology.hl7.org/CodeSystem/v2-0190'
  const matchesOf = ({ body }: FhirAnswer<Parameters>) =>
    (body.parameter ?? []).flatMap(({ name, part = [] }) => {
      const value = (wanted: string) => part.find((one) => one.name === wanted)
      return name === 'match' ? [[value('equivalence')?.valueCode, value('concept')?.valueCoding?.code]] : []
    })

  test('the address uses of FHIR to those of v2, and back', async () => {
    const map = 'http://hl7.org/fhir/ConceptMap/cm-address-use-v2'
    const home = await get(`/ConceptMap/$translate?url=${map}&system=http://hl7.org/fhir/address-use&code=home`)
    expect([valuesOf(home).result, matchesOf(home)]).toEqual([true, [['equivalent', 'H']]])
    expect(home.text).toContain('"display":"Home"')
    const old = await get(`/ConceptMap/cm-address-use-v2/$translate?system=http://hl7.org/fhir/address-use&code=old`)
    expect(matchesOf(old)).toEqual([['wider', 'BA']])
    // What is wider seen from one end is narrower seen from the other.
    const back = await get(`/ConceptMap/$translate?url=${map}&system=${V2}&code=BA&reverse=true`)
    expect(matchesOf(back)).toEqual([['narrower', 'old']])
    const none = await get(`/ConceptMap/$translate?url=${map}&system=http://hl7.org/fhir/address-use&code=nowhere`)
    expect(valuesOf(none)).toMatchObject({ result: false, message: expect.any(String) })
  })

  test('without a map the target decides which maps are asked: the example of the specification', async () => {
    const answer = await get(
      '/ConceptMap/$translate?system=http://hl7.org/fhir/composition-status&code=preliminary' +
        '&source=http://hl7.org/fhir/ValueSet/composition-status&target=http://terminology.hl7.org/ValueSet/v3-ActStatus',
    )
    expect([valuesOf(answer).result, matchesOf(answer)]).toEqual([true, [['equivalent', 'active']]])
    const systems = await get(`/ConceptMap/$translate?system=http://hl7.org/fhir/address-use&code=work&targetsystem=${V2}`)
    expect(matchesOf(systems)).toEqual([['equivalent', 'O']])
    expect((await get('/ConceptMap/$translate?url=http://nowhere.example/map&system=a:b&code=c')).status).toBe(404)
  })

  test('dependencies, products, unmapped codes and other maps are followed', async () => {
    const conceptMap: ConceptMap = {
      resourceType: 'ConceptMap', url: 'http://lab.example/map', status: 'active',
      group: [{
        source: 'http://a.example', target: 'http://b.example',
        element: [{ code: 'pain', target: [
          { code: 'headache', equivalence: 'narrower', dependsOn: [{ property: 'http://site', value: 'head' }], product: [{ property: 'http://severity', value: 'any' }] },
          { code: 'none', equivalence: 'unmatched', dependsOn: [{ property: 'http://site', value: 'foot' }] },
        ] }],
        unmapped: { mode: 'other-map', url: 'http://lab.example/other' },
      }],
    }
    await fhir.create({
      resourceType: 'ConceptMap', url: 'http://lab.example/other', status: 'active',
      group: [{ source: 'http://a.example', target: 'http://b.example', element: [{ code: 'never' }], unmapped: { mode: 'fixed', code: 'unspecified' } }],
    } as ConceptMap)
    const dependency = (code: string) => ({ name: 'dependency', part: [{ name: 'element', valueUri: 'http://site' }, { name: 'concept', valueCodeableConcept: { coding: [{ code }] } }] })
    const translate = (code: string, more: ParametersParameter[] = []) =>
      post('/ConceptMap/$translate', [{ name: 'conceptMap', resource: conceptMap }, { name: 'system', valueUri: 'http://a.example' }, { name: 'code', valueCode: code }, ...more])
    expect(matchesOf(await translate('pain'))).toEqual([])
    const head = await translate('pain', [dependency('head')])
    expect([matchesOf(head), head.text.includes('http://severity')]).toEqual([[['narrower', 'headache']], true])
    const foot = await translate('pain', [dependency('foot')])
    expect([valuesOf(foot).result, matchesOf(foot)]).toEqual([false, [['unmatched', 'none']]])
    expect(matchesOf(await translate('itch'))).toEqual([['inexact', 'unspecified']])
  })
})

describe('a closure table is kept for a client', () => {
  const closure = (parameter: ParametersParameter[]) => post<ConceptMap>('/$closure', [{ name: 'name', valueString: 'visits' }, ...parameter])
  const concept = (code: string): ParametersParameter => ({ name: 'concept', valueCoding: { system: ACT_CODE, code } })
  const relationsOf = ({ body }: FhirAnswer<ConceptMap>) =>
    (body.group ?? []).flatMap(({ element }) => (element ?? []).flatMap(({ code, target }) => (target ?? []).map((one) => `${code} ${one.equivalence} ${one.code}`)))

  test('each answer has what is new, and an earlier version is caught up with', async () => {
    expect((await closure([concept('IMP')])).status).toBe(404)
    const begun = await closure([])
    expect([begun.status, begun.body.version, relationsOf(begun)]).toEqual([200, '0', []])
    expect(relationsOf(await closure([concept('IMP'), concept('AMB')]))).toEqual([])
    // As in the specification: the target subsumes the code.
    const acute = await closure([concept('ACUTE')])
    expect([acute.body.version, relationsOf(acute)]).toEqual(['2', ['ACUTE subsumes IMP']])
    const wide = await closure([concept('_ActEncounterCode')])
    expect(relationsOf(wide).toSorted()).toEqual(['ACUTE', 'AMB', 'IMP'].map((code) => `_ActEncounterCode specializes ${code}`))
    expect(relationsOf(await closure([concept('ACUTE')]))).toEqual([])
    const since = await closure([{ name: 'version', valueString: '2' }])
    expect(relationsOf(since)).toHaveLength(3)
    expect((await closure([concept('NOBODY')])).status).toBe(404)
    expect((await closure([concept('EMER'), { name: 'version', valueString: '1' }])).status).toBe(400)
    expect(relationsOf(await closure([{ name: 'version', valueString: '0' }]))).toHaveLength(4)
    expect((await get('/$closure?name=visits')).status).toBe(404)
  })

  test('another sign-in has tables of its own', async () => {
    const nurse = fhirClient((await hospital.signIn('nurse', 'other')).fetch)
    const answer = await nurse.send('POST', '/$closure', parameters([{ name: 'name', valueString: 'visits' }, { name: 'version', valueString: '0' }]))
    expect(answer.status).toBe(404)
  })
})

describe('what is stored counts at once', () => {
  test('a stored value set, its change and its deletion are seen by the next question', async () => {
    const url = 'http://lab.example/vs/changing'
    const codes = async () => codesOf(await get(`/ValueSet/$expand?url=${url}`))
    const body = (code: string) => ({ ...set('changing', { include: [{ system: 'http://x.example', concept: [{ code }] }] }) })
    const { id } = await fhir.create(body('one'))
    expect(await codes()).toEqual(['one'])
    for (const code of ['two', 'three']) {
      await fhir.send('PUT', `/ValueSet/${id}`, { ...body(code), id })
      expect(await codes()).toEqual([code])
    }
    await fhir.send('DELETE', `/ValueSet/${id}`)
    expect((await get(`/ValueSet/$expand?url=${url}`)).status).toBe(404)
  })

  test('of several versions the newest counts, unless one is named', async () => {
    const url = 'http://lab.example/vs/versions'
    for (const version of ['1.9.0', '1.10.0', '1.2.0']) {
      await fhir.create({ ...set('versions', { include: [{ system: 'http://x.example', concept: [{ code: version }] }] }), version })
    }
    expect(codesOf(await get(`/ValueSet/$expand?url=${url}`))).toEqual(['1.10.0'])
    expect(codesOf(await get(`/ValueSet/$expand?url=${enc(`${url}|1.2.0`)}`))).toEqual(['1.2.0'])
    expect(codesOf(await get(`/ValueSet/$expand?url=${url}&valueSetVersion=1.9.0`))).toEqual(['1.9.0'])
    expect((await get(`/ValueSet/$expand?url=${url}&valueSetVersion=3`)).status).toBe(404)
  })

  test('a stored supplement adds designations to a code system of R4', async () => {
    await fhir.create({
      resourceType: 'CodeSystem', url: 'http://lab.example/turkish', status: 'active', content: 'supplement', supplements: 'http://hl7.org/fhir/administrative-gender',
      concept: [{ code: 'female', designation: [{ language: 'tr', value: 'Kadın' }] }],
    })
    const answer = await get<ValueSet>(`/ValueSet/$expand?url=${GENDER}&displayLanguage=tr`)
    expect(answer.body.expansion?.contains?.find(({ code }) => code === 'female')?.display).toBe('Kadın')
  })

  test('a version of a code system is forced, and another than the checked one refused', async () => {
    await fhir.create({ ...tubes, version: '2', concept: [{ code: 'gel', display: 'Gel tube' }] })
    const valueSet = set('all', { include: [{ system: tubes.url }] })
    const expand = (name: string, version: string) =>
      post<ValueSet>('/ValueSet/$expand', [{ name: 'valueSet', resource: valueSet }, { name, valueUri: `${tubes.url}|${version}` }])
    expect(codesOf(await expand('force-system-version', '2'))).toEqual(['gel'])
    expect(codesOf(await expand('system-version', '1'))).toHaveLength(5)
    expect((await expand('check-system-version', '2')).status).toBe(200)
    expect((await expand('check-system-version', '1')).status).toBe(422)
  })
})

test('operations are asked and answered in XML as in JSON', async () => {
  const client = await hospital.asClient()
  const body = '<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="url"/><valueUri value="http://hl7.org/fhir/ValueSet/administrative-gender"/></parameter></Parameters>'
  const answer = await client.fetch('/fhir/R4/ValueSet/$expand', { method: 'POST', body, headers: { 'content-type': 'application/fhir+xml', accept: 'application/fhir+xml' } })
  const text = await answer.text()
  expect([answer.status, answer.headers.get('content-type')?.split(';')[0]]).toEqual([200, 'application/fhir+xml'])
  expect(text).toContain('<code value="female"/>')
})

test('questions about codes need a sign-in and the permission, and the capability statement names them', async () => {
  expect((await fetch(`${hospital.url}/fhir/R4/ValueSet/$expand?url=${GENDER}`)).status).toBe(401)
  const desk = fhirClient((await hospital.signIn('hub')).fetch)
  const refused = await desk.send('GET', `/ValueSet/$expand?url=${GENDER}`)
  expect([refused.status, ...faultsOf(refused)]).toEqual([403, 'forbidden'])
  const provider = fhirClient((await hospital.signIn('provider')).fetch)
  expect((await provider.send('GET', `/ValueSet/$expand?url=${GENDER}`)).status).toBe(200)
  const { body } = await fhir.send<import('@carespine/fhir/resource').CapabilityStatement>('GET', '/metadata')
  const [rest] = body.rest ?? []
  expect(rest?.operation).toContainEqual({ name: 'closure', definition: 'http://hl7.org/fhir/OperationDefinition/ConceptMap-closure' })
  expect(rest?.resource?.find(({ type }) => type === 'ValueSet')?.operation?.map(({ name }) => name)).toEqual(expect.arrayContaining(['expand', 'validate-code']))
})

test('what the server knows of codes is told to anybody, by mode', async () => {
  const address = `${hospital.url}/fhir/R4/metadata`
  const told = (await (await fetch(`${address}?mode=terminology`)).json()) as import('@carespine/fhir/resource').TerminologyCapabilities
  expect(told).toMatchObject({ resourceType: 'TerminologyCapabilities', kind: 'instance', expansion: { paging: true, incomplete: false }, translation: { needsMap: false } })
  const known = new Map(told.codeSystem?.map(({ uri, version }) => [uri, version?.[0]?.code]))
  expect([known.get('http://hl7.org/fhir/administrative-gender'), known.get('http://unitsofmeasure.org'), known.has('http://snomed.info/sct')]).toEqual(['4.0.1', '2.1', false])
  expect(known.size).toBeGreaterThan(1000)
  const validated = await fhir.send('POST', '/TerminologyCapabilities/$validate', told)
  expect(validated.body).toMatchObject({ issue: expect.not.arrayContaining([expect.objectContaining({ severity: 'error' })]) })
  // Each that is told can be asked about.
  const unknown: string[] = []
  for (const system of [...known.keys()].filter((_one, at) => at % 50 === 0)) {
    const { status } = await get(`/CodeSystem/$validate-code?url=${enc(system ?? '')}&code=x`)
    if (status !== 200) unknown.push(`${status} ${system}`)
  }
  expect(unknown).toEqual([])
  for (const mode of ['', '?mode=full', '?mode=normative']) expect(await (await fetch(address + mode)).json()).toMatchObject({ resourceType: 'CapabilityStatement' })
  const refused = await fetch(`${address}?mode=everything`)
  expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining('mode: use one of full, normative, terminology.')])
})

test('what an operation cannot heed it refuses by name', async () => {
  for (const [path, name] of [
    [`/ValueSet/$expand?url=${GENDER}&date=2020-01-01`, 'date'],
    [`/ValueSet/$expand?url=${GENDER}&context=Patient.gender`, 'context'],
    [`/ValueSet/$expand?url=${GENDER}&contextDirection=incoming`, 'contextDirection'],
    ['/Composition/some/$document?graph=http://example.org/graph', 'graph'],
  ] as const) {
    const { status, text } = await get(path)
    expect([path, status, text]).toEqual([path, 400, expect.stringContaining(`${name} is not supported here. Leave it out.`)])
  }
})
