import { describe, expect, test } from 'vitest'
import type { Issue } from './outcome.ts'
import { validate } from './validate.ts'

/** Faults as `code expression`. */
const told = (issues: readonly Issue[]): string[] => issues.map(({ code, expression = '' }) => `${code} ${expression}`)

const observation = { resourceType: 'Observation', status: 'final', code: { text: 'x' } }
const questionnaire = { resourceType: 'Questionnaire', status: 'active' }
const concept = (code: string, system = 'http://example.org') => ({ coding: [{ system, code }] })

describe('each fault has a code and the expression of its element', () => {
  test.each<[string, object, string]>([
    ['an unknown element', { resourceType: 'Patient', surname: 'x' }, 'structure Patient.surname'],
    ['an unknown type', { resourceType: 'Person2' }, 'structure '],
    ['an empty object', { resourceType: 'Patient', name: [{}] }, 'structure Patient.name[0]'],
    ['an empty array', { resourceType: 'Patient', name: [] }, 'structure Patient.name'],
    ['one value where it repeats', { resourceType: 'Patient', name: { family: 'x' } }, 'structure Patient.name'],
    ['several where it does not', { resourceType: 'Patient', gender: ['male'] }, 'structure Patient.gender'],
    ['two of a choice', { resourceType: 'Patient', deceasedBoolean: true, deceasedDateTime: '2020' }, 'structure Patient'],
    ['a required element that is absent', { resourceType: 'Observation', code: { text: 'x' } }, 'required Observation.status'],
    ['a required choice that is absent', { resourceType: 'MedicationRequest', status: 'active', intent: 'order', subject: { display: 'x' } }, 'required MedicationRequest.medication[x]'],
    ['a day that is none', { resourceType: 'Patient', birthDate: '2023-02-29' }, 'value Patient.birthDate'],
    ['a number in quotes', { ...observation, valueQuantity: { value: '1' } }, 'value Observation.valueQuantity.value'],
    ['a code with spaces', { ...observation, code: { coding: [{ code: ' x' }] } }, 'value Observation.code.coding[0].code'],
    ['an id too long', { resourceType: 'Patient', id: 'x'.repeat(65) }, 'value Patient.id'],
    ['a code of no required set', { resourceType: 'Patient', gender: 'm' }, 'code-invalid Patient.gender'],
    ['a concept of no required set', { resourceType: 'Condition', subject: { display: 'x' }, verificationStatus: concept('sure') }, 'code-invalid Condition.verificationStatus'],
    ['a reference to a type not allowed', { ...observation, subject: { reference: 'Practitioner/1' } }, 'value Observation.subject'],
    ['a reference to no type', { ...observation, subject: { reference: 'Animal/1' } }, 'value Observation.subject'],
    ['a reference that is no URL', { ...observation, subject: { reference: 'somebody' } }, 'value Observation.subject'],
    ['a reference whose type says otherwise', { ...observation, subject: { reference: 'Patient/1', type: 'Group' } }, 'value Observation.subject'],
    ['an empty reference', { ...observation, subject: { type: 'Patient' } }, 'required Observation.subject'],
    ['a reference to nothing contained', { ...observation, subject: { reference: '#p' } }, 'not-found Observation.subject'],
    [
      'a reference to a contained resource of a type not allowed',
      { ...observation, subject: { reference: '#p' }, contained: [{ resourceType: 'Practitioner', id: 'p' }] },
      'value Observation.subject',
    ],
    ['an extension with a value and parts', { resourceType: 'Patient', extension: [{ url: 'urn:x', valueString: 'x', extension: [{ url: 'y', valueString: 'z' }] }] }, 'invariant Patient.extension[0]'],
    ['an extension without either', { resourceType: 'Patient', extension: [{ url: 'urn:x' }] }, 'invariant Patient.extension[0]'],
    ['arrays of unlike length', { resourceType: 'Patient', name: [{ given: ['a', 'b'], _given: [{ id: 'x' }] }] }, 'structure Patient.name[0]._given'],
    ['a narrative that runs something', { resourceType: 'Patient', text: { status: 'generated', div: '<div onclick="x">y</div>' } }, 'invariant Patient.text.div'],
  ])('%s', (_what, resource, fault) => {
    expect(told(validate(resource))).toEqual([fault])
  })
})

describe('contained resources (dom-2 to dom-5)', () => {
  const holding = (contained: object) => ({ ...observation, subject: { reference: '#p' }, contained: [contained] })
  test.each<[string, object, string]>([
    ['one that contains another', holding({ resourceType: 'Patient', id: 'p', contained: [{ resourceType: 'Patient' }] }), 'invariant Observation.contained[0]'],
    ['one with a version', holding({ resourceType: 'Patient', id: 'p', meta: { versionId: '1' } }), 'invariant Observation.contained[0]'],
    ['one with security labels', holding({ resourceType: 'Patient', id: 'p', meta: { security: [{ code: 'R' }] } }), 'invariant Observation.contained[0]'],
    ['one that nothing refers to', { ...observation, contained: [{ resourceType: 'Patient', id: 'p' }] }, 'invariant Observation.contained[0]'],
    ['one that has a fault of its own', holding({ resourceType: 'Patient', id: 'p', gender: 'm' }), 'code-invalid Observation.contained[0].gender'],
    ['two of one id', { ...holding({ resourceType: 'Patient', id: 'p' }), contained: [1, 2].map(() => ({ resourceType: 'Patient', id: 'p' })) }, 'value Observation.contained[1]'],
  ])('%s', (_what, resource, fault) => {
    expect(told(validate(resource))).toEqual([fault])
  })

  test('one that refers to what contains it is in its place', () => {
    const provenance = { resourceType: 'Provenance', id: 'p', target: [{ reference: '#' }], recorded: '2024-05-01T10:00:00Z', agent: [{ who: { display: 'x' } }] }
    expect(validate({ ...observation, contained: [provenance] })).toEqual([])
  })
})

describe('invariants of R4', () => {
  const item = (more: object) => ({ ...questionnaire, item: [{ linkId: '1', type: 'string', ...more }] })
  test.each<[string, object, string, string]>([
    ['per-1', { resourceType: 'Encounter', status: 'finished', class: { code: 'AMB' }, period: { start: '2024-05-02', end: '2024-05-01' } }, 'Encounter.period', 'start'],
    ['pat-1', { resourceType: 'Patient', contact: [{ gender: 'male' }] }, 'Patient.contact[0]', "contact's details"],
    ['cpt-2', { resourceType: 'Patient', telecom: [{ value: '1' }] }, 'Patient.telecom[0]', 'system'],
    ['qty-3', { ...observation, valueQuantity: { value: 1, code: 'g' } }, 'Observation.valueQuantity', 'system'],
    ['rng-2', { ...observation, valueRange: { low: { value: 2 }, high: { value: 1 } } }, 'Observation.valueRange', 'low'],
    ['obs-3', { ...observation, referenceRange: [{ age: { low: { value: 1 } } }] }, 'Observation.referenceRange[0]', 'at least'],
    ['obs-6', { ...observation, valueString: 'x', dataAbsentReason: { text: 'y' } }, 'Observation', 'dataAbsentReason'],
    ['obs-7', { ...observation, code: concept('a'), valueString: 'x', component: [{ code: concept('a'), valueString: 'y' }] }, 'Observation', 'component'],
    ['tim-2', { resourceType: 'ServiceRequest', status: 'active', intent: 'order', subject: { display: 'x' }, occurrenceTiming: { repeat: { period: 1 } } }, 'ServiceRequest.occurrenceTiming.repeat', 'units'],
    ['org-3', { resourceType: 'Organization', name: 'x', telecom: [{ use: 'home', system: 'phone', value: '1' }] }, 'Organization.telecom[0]', 'home'],
    ['con-5', { resourceType: 'Condition', subject: { display: 'x' }, clinicalStatus: concept('active', 'http://terminology.hl7.org/CodeSystem/condition-clinical'), verificationStatus: concept('entered-in-error', 'http://terminology.hl7.org/CodeSystem/condition-ver-status') }, 'Condition', 'clinicalStatus'],
    ['que-2', { ...questionnaire, item: [1, 2].map(() => ({ linkId: '1', type: 'string' })) }, 'Questionnaire', 'unique'],
    ['que-5', item({ type: 'boolean', answerOption: [{ valueString: 'x' }] }), 'Questionnaire.item[0]', 'answerValueSet'],
    ['que-7', item({ enableWhen: [{ question: '2', operator: 'exists', answerString: 'x' }] }), 'Questionnaire.item[0].enableWhen[0]', 'exists'],
    ['ras-2', { resourceType: 'RiskAssessment', status: 'final', subject: { display: 'x' }, prediction: [{ probabilityDecimal: 101 }] }, 'RiskAssessment.prediction[0]', '100'],
    ['ras-1', { resourceType: 'RiskAssessment', status: 'final', subject: { display: 'x' }, prediction: [{ probabilityRange: { low: { value: 1 } } }] }, 'RiskAssessment.prediction[0].probabilityRange', 'low'],
    ['ctm-1', { resourceType: 'CareTeam', participant: [{ member: { reference: '#p' }, onBehalfOf: { display: 'x' } }], contained: [{ resourceType: 'Patient', id: 'p' }] }, 'CareTeam.participant[0]', 'onBehalfOf'],
    ['csd-1', { resourceType: 'CodeSystem', status: 'active', content: 'complete', concept: [{ code: 'a', concept: [{ code: 'a' }] }] }, 'CodeSystem', 'unique'],
    ['eld-3', { resourceType: 'StructureDefinition', url: 'urn:x', name: 'X', status: 'draft', kind: 'resource', abstract: false, type: 'Patient', baseDefinition: 'urn:y', differential: { element: [{ id: 'Patient.name', path: 'Patient.name', max: 'many' }] } }, 'StructureDefinition.differential.element[0].max', '*'],
    ['inv-1', { resourceType: 'Parameters', parameter: [{ name: 'x' }] }, 'Parameters.parameter[0]', 'parameter'],
  ])('%s', (key, resource, expression, word) => {
    const issues = validate(resource)
    expect(told(issues)).toEqual([`invariant ${expression}`])
    expect(issues[0]?.diagnostics).toContain(`(${key})`)
    expect(issues[0]?.diagnostics).toContain(word)
  })

  test('what an invariant cannot tell is no fault', () => {
    expect(validate({ resourceType: 'Encounter', status: 'finished', class: { code: 'AMB' }, period: { start: '2024-05', end: '2024-05-01' } })).toEqual([])
    expect(validate({ resourceType: 'RiskAssessment', status: 'final', subject: { display: 'x' }, prediction: [{ qualitativeRisk: { text: 'x' } }] })).toEqual([])
  })

  test('good practice is told only to who asks for all', () => {
    expect(validate({ resourceType: 'Patient' })).toEqual([])
    const [issue] = validate({ resourceType: 'Patient' }, { level: 'all' })
    expect(issue).toMatchObject({ severity: 'warning', code: 'invariant', expression: 'Patient', diagnostics: expect.stringContaining('(dom-6)') })
  })
})

describe('Bundles', () => {
  const patient = { resourceType: 'Patient', id: 'p' }
  const urn = 'urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0'
  const bundle = (type: string, ...entry: object[]) => ({ resourceType: 'Bundle', type, entry })
  test.each<[string, object, string[]]>([
    ['a total where none belongs (bdl-1)', { ...bundle('collection', { resource: patient }), total: 1 }, ['invariant Bundle']],
    ['a transaction without requests (bdl-3)', bundle('transaction', { resource: patient }), ['invariant Bundle']],
    ['an entry without anything (bdl-5)', bundle('collection', { link: [{ relation: 'self', url: 'urn:x' }] }), ['invariant Bundle.entry[0]']],
    ['one resource twice (bdl-7)', bundle('collection', { fullUrl: urn, resource: patient }, { fullUrl: urn, resource: patient }), ['invariant Bundle']],
    ['a document that begins with no Composition (bdl-9 to bdl-11)', bundle('document', { fullUrl: urn, resource: patient }), ['invariant Bundle', 'invariant Bundle', 'invariant Bundle']],
    ['a message without header (bdl-12)', bundle('message', { fullUrl: urn, resource: patient }), ['invariant Bundle']],
    ['a fullUrl that disagrees', bundle('collection', { fullUrl: 'http://example.org/Patient/q', resource: patient }), ['value Bundle.entry[0].fullUrl']],
    ['a fullUrl that is not absolute', bundle('collection', { fullUrl: 'Patient/p', resource: patient }), ['value Bundle.entry[0].fullUrl']],
    [
      'a reference to an entry that is not there',
      bundle('collection', { fullUrl: 'http://example.org/Observation/o', resource: { ...observation, id: 'o', subject: { reference: urn } } }),
      ['not-found Bundle.entry[0].resource.subject.reference'],
    ],
    ['a fault in an entry', bundle('collection', { resource: { ...patient, gender: 'm' } }), ['code-invalid Bundle.entry[0].resource.gender']],
  ])('%s', (_what, resource, faults) => {
    expect(told(validate(resource))).toEqual(faults)
  })
})

describe('whatever it is given', () => {
  test.each([[null], [undefined], [5], ['x'], [[]], [{}], [{ resourceType: {} }], [{ resourceType: '__proto__' }], [{ resourceType: 'Bundle', entry: [null, 5, { resource: [] }] }], [{ resourceType: 'Observation', contained: [null, 5], referenceRange: [{ low: 'x' }], valueRange: { low: [], high: 5 } }]])('%j is told, not thrown', (value) => {
    expect(validate(value, { level: 'all' }).length).toBeGreaterThan(0)
  })

  test('at most 50 faults are told', () => {
    expect(validate({ resourceType: 'Patient', name: Array.from({ length: 500 }, () => ({ x: 1 })) })).toHaveLength(50)
  })

  test('no value of the resource is repeated', () => {
    const secret = 'secret-4711'
    const resource = { resourceType: 'Patient', [secret]: 1, gender: secret, birthDate: secret, managingOrganization: { reference: secret }, text: { status: 'generated', div: `<div ${secret}>` } }
    expect(JSON.stringify(validate(resource, { level: 'all' }))).not.toContain(secret)
  })

  test('nesting has an end', () => {
    let extension: object = { url: 'urn:x', valueString: 'x' }
    for (let depth = 0; depth < 5000; depth++) extension = { url: 'urn:x', extension: [extension] }
    expect(told(validate({ resourceType: 'Patient', extension: [extension] }))).toEqual([expect.stringContaining('too-long')])
  })
})
