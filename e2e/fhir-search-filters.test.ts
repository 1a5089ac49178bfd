import type { Location, Observation, OperationOutcome, Patient, Resource } from '@carespine/fhir/resource'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultsOf, fhirClient, type FhirClient } from './fhir-client.ts'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
let fhir: FhirClient
const names = new Map<string, string>()
const idOf = (name: string): string => [...names].find(([, known]) => known === name)?.[0] ?? `no ${name}`
const withIds = (path: string): string => path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => idOf(name))

async function found(path: string): Promise<string[]> {
  return (await fhir.ids(withIds(path))).map((id) => names.get(id) ?? id).toSorted()
}

async function keep<R extends Resource>(name: string, resource: R): Promise<void> {
  names.set((await fhir.create(resource)).id, name)
}

const LOINC = 'http://loinc.org'
const UCUM = 'http://unitsofmeasure.org'
const coded = (system: string, code: string, display?: string) => ({ coding: [{ system, code, ...(display ? { display } : {}) }] })
const loinc = (code: string, display?: string) => coded(LOINC, code, display)
const measured = (value: number, code: string, more: Record<string, string> = {}) => ({ value, unit: code, system: UCUM, code, ...more })
const about = (name: string) => ({ subject: { reference: `Patient/${idOf(name)}` } })
const observed = (more: Partial<Observation>): Observation => ({ resourceType: 'Observation', status: 'final', code: loinc('x'), ...more })

beforeAll(async () => {
  hospital = await startTestHospital()
  fhir = fhirClient((await hospital.asClient()).fetch)
  await keep('north', { resourceType: 'Organization', name: 'North Hospital', identifier: [{ system: 'urn:org', value: 'N' }] })
  await keep('ward', { resourceType: 'Organization', name: 'Ward 3', partOf: { reference: `Organization/${idOf('north')}` } })
  await keep('bay', { resourceType: 'Organization', name: 'Bay 3b', partOf: { reference: `Organization/${idOf('ward')}` } })
  const patients: [string, Partial<Patient>][] = [
    ['ana', { name: [{ family: 'Álvarez', given: ['Ana'] }], birthDate: '1980-05-17', gender: 'female', managingOrganization: { reference: `Organization/${idOf('bay')}` }, telecom: [{ system: 'phone', value: '+34 (600) 111-222', use: 'mobile' }, { system: 'email', value: 'Ana@Example.org' }] }],
    ['ben', { name: [{ family: 'Berg', given: ['Ben'] }], birthDate: '1980-05', deceasedDateTime: '2023-11-05', managingOrganization: { reference: `Organization/${idOf('north')}` } }],
    ['cho', { name: [{ family: 'Cho', given: ['Chen'], suffix: ['Alvaro'] }], birthDate: '1980', deceasedBoolean: false, identifier: [{ type: coded('http://terminology.hl7.org/CodeSystem/v2-0203', 'MR'), system: 'urn:mrn', value: '77' }] }],
    ['dan', { name: [{ family: 'Dan' }], birthDate: '1650-01-02', identifier: [{ type: coded('http://terminology.hl7.org/CodeSystem/v2-0203', 'SS'), system: 'urn:ssn', value: '77' }] }],
  ]
  for (const [name, content] of patients) await keep(name, { resourceType: 'Patient', ...content })
  await keep('warm', observed({ ...about('ana'), code: loinc('8310-5', 'Body temperature'), valueQuantity: measured(38.5, 'Cel'), effectiveDateTime: '2024-02-10T08:00:00Z' }))
  await keep('cool', observed({ ...about('ben'), code: loinc('8310-5', 'Body temperature'), valueQuantity: measured(97, '[degF]'), effectiveDateTime: '2024-02-11' }))
  await keep('kelvin', observed({ code: loinc('8310-5'), valueQuantity: { value: 300, unit: 'degrees', system: 'urn:local', code: 'K' }, effectiveDateTime: '2024-02-12' }))
  const pressure = (systolic: number, diastolic: number) => [
    { code: loinc('8480-6'), valueQuantity: measured(systolic, 'mm[Hg]', { unit: 'mmHg' }) },
    { code: loinc('8462-4'), valueQuantity: measured(diastolic, 'mm[Hg]', { unit: 'mmHg' }) },
  ]
  await keep('high', observed({ ...about('ana'), code: loinc('85354-9'), component: pressure(160, 95), effectivePeriod: { start: '2024-01-01', end: '2024-06-30' } }))
  await keep('odd', observed({ ...about('ben'), code: loinc('85354-9'), component: pressure(95, 160) }))
  await keep('group', observed({ ...about('ana'), code: { text: 'ABO group' }, valueCodeableConcept: { coding: [{ system: 'http://snomed.info/sct', code: '112144000', display: 'Blood group A (finding)' }], text: 'Group A' } }))
  await keep('trace', observed({ ...about('ana'), code: loinc('5767-9'), valueSampledData: { origin: measured(5, 'mg'), period: 10, dimensions: 1, data: '1 2 3 E 9' } }))
  await keep('below', observed({ ...about('cho'), code: loinc('2000-8'), valueQuantity: { ...measured(5, 'mg'), comparator: '<' } }))
  await keep('flu', { resourceType: 'Condition', ...about('ana'), code: coded('http://hl7.org/fhir/sid/icd-10', 'J11'), clinicalStatus: coded('http://terminology.hl7.org/CodeSystem/condition-clinical', 'recurrence'), category: [coded('http://terminology.hl7.org/CodeSystem/condition-category', 'encounter-diagnosis')] })
  await keep('cold', { resourceType: 'Condition', ...about('ben'), code: coded('http://hl7.org/fhir/sid/icd-10', 'J00'), clinicalStatus: coded('http://terminology.hl7.org/CodeSystem/condition-clinical', 'resolved'), onsetAge: measured(30, 'a'), text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml"><p>A runny nose &amp; fever</p></div>' } })
  await keep('visit', { resourceType: 'Encounter', status: 'finished', class: { code: 'AMB' }, ...about('ana'), serviceProvider: { reference: `Organization/${idOf('bay')}` }, reasonReference: [{ reference: `Condition/${idOf('flu')}` }] })
  await keep('during', observed({ ...about('ana'), code: loinc('8867-4'), encounter: { reference: `Encounter/${idOf('visit')}` } }))
  await keep('form', { resourceType: 'Questionnaire', status: 'active', url: 'http://forms.example/a/intake', version: '2.0', title: 'Intake at the door', name: 'Intake', item: [{ linkId: '1', type: 'display', text: 'Hello' }] })
  await keep('answer', { resourceType: 'QuestionnaireResponse', status: 'completed', questionnaire: 'http://forms.example/a/intake|2.0', ...about('ana') })
  await keep('list', { resourceType: 'List', status: 'current', mode: 'working', entry: [{ item: { reference: `Patient/${idOf('ana')}` } }, { item: { reference: `Patient/${idOf('cho')}` } }, { item: { reference: `Condition/${idOf('flu')}` } }] })
  await keep('logical', observed({ code: loinc('1-8'), subject: { identifier: { system: 'urn:mrn', value: '77' }, display: 'Mrs. Somebody Else' } }))
  const place = (latitude: number, longitude: number): Location => ({ resourceType: 'Location', name: 'A place', position: { latitude, longitude } })
  await keep('riyadh', place(24.7136, 46.6753))
  await keep('diriyah', place(24.734, 46.572))
  await keep('jeddah', place(21.4858, 39.1925))
})
afterAll(() => hospital?.close())

describe('modifiers and prefixes', () => {
  test.each<[string, string[]]>([
    // codes
    ['/Observation?code:text=body temp', ['cool', 'warm']],
    ['/Observation?code:text=abo', ['group']],
    ['/Observation?value-concept:text=blood', ['group']],
    ['/Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|77', ['cho']],
    ['/Patient?identifier=77', ['cho', 'dan']],
    ['/Patient?gender=http://hl7.org/fhir/administrative-gender|female', ['ana']],
    ['/Patient?gender:not=female&family:missing=false', ['ben', 'cho', 'dan']],
    ['/Patient?deceased=true', ['ben']],
    ['/Patient?deceased=false', ['ana', 'cho', 'dan']],
    ['/Condition?clinical-status:in=http://hl7.org/fhir/ValueSet/condition-clinical', ['cold', 'flu']],
    ['/Condition?clinical-status:not-in=http://hl7.org/fhir/ValueSet/condition-clinical', []],
    ['/Condition?clinical-status:below=http://terminology.hl7.org/CodeSystem/condition-clinical|active', ['flu']],
    ['/Condition?clinical-status:above=http://terminology.hl7.org/CodeSystem/condition-clinical|resolved', ['cold']],
    // contacts, however they are written
    ['/Patient?phone=600111222', ['ana']],
    ['/Patient?telecom=+34-600-111-222', ['ana']],
    ['/Patient?email=ana@example.org', ['ana']],
    ['/Patient?telecom=mobile|', ['ana']],
    // texts
    ['/Patient?name:contains=lvar', ['ana', 'cho']],
    ['/Patient?family:exact=Berg', ['ben']],
    ['/Patient?family:exact=berg', []],
    // references
    ['/Observation?subject:identifier=urn:mrn|77', ['logical']],
    ['/Observation?subject:identifier=77', ['logical']],
    ['/Observation?subject:text=somebody', ['logical']],
    ['/Encounter?service-provider:below=Organization/{north}', ['visit']],
    ['/Patient?organization:below={ward}', ['ana']],
    ['/Patient?organization:above=Organization/{bay}', ['ana', 'ben']],
    ['/QuestionnaireResponse?questionnaire=http://forms.example/a/intake', ['answer']],
    ['/QuestionnaireResponse?questionnaire=http://forms.example/a/intake|2.0', ['answer']],
    ['/QuestionnaireResponse?questionnaire=http://forms.example/a/intake|3.0', []],
    // addresses
    ['/Questionnaire?url:below=http://forms.example/a', ['form']],
    ['/Questionnaire?url:below=http://forms.example/a/int', []],
    ['/Questionnaire?url:above=http://forms.example/a/intake/page/2', ['form']],
    ['/Questionnaire?url:above=http://forms.example/a/intakes', []],
    // births, known to the day, the month and the year, and long ago
    ['/Patient?birthdate=ge1980-05-10&birthdate=le1980-05-20', ['ana', 'ben', 'cho']],
    ['/Patient?birthdate=1980-05', ['ana', 'ben']],
    ['/Patient?birthdate=sa1980-05-16', ['ana']],
    ['/Patient?birthdate=lt1700', ['dan']],
    ['/Patient?birthdate=ge1980-05-18&birthdate=lt1980-06', ['ben', 'cho']],
    ['/Patient?death-date=gt2023', []],
    ['/Patient?death-date=ge2023-11-05', ['ben']],
    // quantities across units; a local system is not UCUM
    ['/Observation?value-quantity=gt38||Cel', ['warm']],
    [`/Observation?value-quantity=lt100|${UCUM}|[degF]`, ['cool']],
    ['/Observation?value-quantity=311.65||K', ['warm']],
    ['/Observation?value-quantity=300|urn:local|K', ['kelvin']],
    ['/Observation?value-quantity=300||degrees', ['kelvin']],
    ['/Observation?value-quantity=3.85e1||Cel', ['warm']],
    ['/Observation?component-value-quantity=ge21||kPa', ['high', 'odd']],
    ['/Observation?value-quantity=gt10||mg', ['trace']],
    ['/Observation?value-quantity=lt1||mg', ['below']],
    ['/Observation?value-quantity=eq5||mg', []],
    ['/Condition?onset-age=30||a', ['cold']],
    // dates that last
    ['/Observation?date=ge2024-06-01&date=le2024-06-02', ['high']],
    ['/Observation?date=sa2024-02-10', ['cool', 'kelvin']],
    // composites: both at one place
    ['/Observation?component-code-value-quantity=http://loinc.org|8480-6$gt150', ['high']],
    ['/Observation?combo-code-value-quantity=8480-6$lt100||mmHg', ['odd']],
    ['/Observation?combo-code-value-quantity=8310-5$gt38||Cel,8462-4$gt150', ['odd', 'warm']],
    ['/Observation?code-value-concept=group$http://snomed.info/sct|112144000', []],
    ['/Observation?code-value-quantity=8310-5$38.5||Cel', ['warm']],
    // places
    ['/Location?near=24.7136|46.6753|5|km', ['riyadh']],
    ['/Location?near=24.7136|46.6753|20|km', ['diriyah', 'riyadh']],
    ['/Location?near=24.7136|46.6753|1000', ['diriyah', 'jeddah', 'riyadh']],
    ['/Location?near=24.7136|46.6753', ['diriyah', 'riyadh']],
    ['/Location?near=24.7136|46.6753|5|[mi_i]', ['riyadh']],
    // lists and texts
    ['/Patient?_list={list}', ['ana', 'cho']],
    ['/Condition?_list={list}&code=J11', ['flu']],
    ['/Condition?_text=nose', ['cold']],
    ['/Condition?_text="runny nose" AND (cough OR fever) NOT pain', ['cold']],
    ['/Condition?_text=strong', []],
    ['/Questionnaire?_content=hello', ['form']],
    ['/Observation?encounter:missing=false', ['during']],
  ])('%s', async (path, wanted) => {
    expect(await found(path.replaceAll('+', '%2B'))).toEqual(wanted.toSorted())
  })

  test.each([
    ['/Observation?code:sounds=x', 'not-supported'],
    ['/Observation?code:in=http://nowhere.example/vs', 'not-found'],
    ['/Condition?clinical-status:below=active', 'value'],
    ['/Patient?identifier:of-type=MR|77', 'value'],
    ['/Location?near=here', 'value'],
    ['/Patient?_list=nobodys-list', 'not-found'],
    ['/Patient?_list=$current-allergies', 'not-supported'],
    ['/Observation?component-code-value-quantity=8480-6', 'value'],
    ['/Patient?_text=(nose', 'value'],
    ['/Observation?combo-code-value-quantity:missing=true', 'not-supported'],
    ['/Patient?_query=x', 'not-supported'],
    ['/Observation?focus.code=x', 'value'],
    ['/Observation?subject:Medication.code=x', 'value'],
  ])('%s is refused as %s', async (path, code) => {
    const answer = await fhir.send('GET', path)
    expect(answer.status, answer.text).toBe(400)
    expect(faultsOf(answer)).toEqual([code])
    expect((answer.body as unknown as OperationOutcome).issue[0]?.diagnostics).toBeTruthy()
  })
})

describe('chains, either way', () => {
  test.each<[string, string[]]>([
    ['/Observation?subject:Patient.family=alv', ['during', 'group', 'high', 'trace', 'warm']],
    ['/Observation?patient.name=berg', ['cool', 'odd']],
    ['/Observation?subject.name=berg', ['cool', 'odd']],
    ['/Observation?patient.birthdate=ge1980-05-10&patient.gender=female&code=8310-5', ['warm']],
    ['/Observation?patient.organization.partof.partof.name=north', ['during', 'group', 'high', 'trace', 'warm']],
    ['/Observation?encounter.reason-reference:Condition.code=J11', ['during']],
    ['/Observation?encounter.status:not=finished', []],
    ['/Encounter?subject:Patient._id={ana}', ['visit']],
    ['/Patient?organization.name=nobody', []],
    ['/QuestionnaireResponse?questionnaire.title=intake', ['answer']],
    ['/QuestionnaireResponse?questionnaire.title=other', []],
    ['/Patient?_has:Observation:patient:code=8310-5', ['ana', 'ben']],
    ['/Patient?_has:Observation:patient:value-quantity=gt38||Cel', ['ana']],
    ['/Patient?_has:Encounter:patient:reason-reference.code=J11', ['ana']],
    ['/Patient?_has:Observation:patient:_has:AuditEvent:entity:agent=x', []],
    ['/Organization?_has:Patient:organization:_has:Observation:patient:code=8867-4', ['bay']],
    ['/Organization?_has:Patient:organization:gender:missing=true', ['north']],
    ['/Condition?_has:Encounter:reason-reference:status=finished', ['flu']],
    ['/Questionnaire?_has:QuestionnaireResponse:questionnaire:status=completed', ['form']],
    ['/Observation?patient._has:Condition:patient:code=J00', ['cool', 'odd']],
  ])('%s', async (path, wanted) => {
    expect(await found(path)).toEqual(wanted.toSorted())
  })
})

describe('_filter', () => {
  test.each<[string, string, string[]]>([
    ['Patient', 'family eq "berg"', ['ben']],
    ['Patient', 'family eq "ber"', []],
    ['Patient', 'given co "he"', ['cho']],
    ['Patient', 'family sw "Álv" or family ew "erg"', ['ana', 'ben']],
    ['Patient', 'birthdate ge 1980-05-10 and not (gender eq female)', ['ben', 'cho']],
    ['Patient', 'gender pr false and (family eq "dan" or family eq "cho")', ['cho', 'dan']],
    ['Patient', 'gender ne male', ['ana']],
    ['Patient', 'organization.name co "ward" or organization.partof.name co "ward"', ['ana']],
    ['Patient', 'organization[name eq "bay 3b"].partof pr true', ['ana']],
    ['Observation', 'code eq http://loinc.org|8310-5 and value-quantity gt 38||Cel', ['warm']],
    ['Observation', 'date po 2024-05', ['high']],
    ['Observation', 'patient eq Patient/{ben} and component-value-quantity lt 100||mm[Hg]', ['odd']],
    ['Condition', 'clinical-status ss http://terminology.hl7.org/CodeSystem/condition-clinical|active', ['flu']],
    ['Questionnaire', 'url sb http://forms.example/a/intake/page/2', ['form']],
  ])('%s: %s', async (type, expression, wanted) => {
    expect(await found(`/${type}?_filter=${encodeURIComponent(withIds(expression))}`)).toEqual(wanted.toSorted())
  })

  test.each(['family eq', 'family eq "a" and', '(family eq "a"', 'colour eq blue', 'family zz "a"', 'birthdate co "1980"', 'gender.name eq x', 'not family eq "a"', 'family eq "a" )'])(
    '%s is refused',
    async (expression) => {
      const answer = await fhir.send('GET', `/Patient?_filter=${encodeURIComponent(expression)}`)
      expect(answer.status).toBe(400)
      faultsOf(answer)
    },
  )
})
