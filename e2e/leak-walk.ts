import { compartmentMembers } from '@carespine/fhir/compartment-members'
import type { Resource, ResourceType } from '@carespine/fhir/resource'
import { madeResource } from './made-resource.ts'

/** One request of the walk; the path is that behind `/fhir/R4`. */
export interface Ask {
  method: string
  path: string
  body?: unknown
  headers?: Record<string, string>
}

/** What is asked about: something that is there, or, for comparison, something that is nowhere. */
export interface Place {
  type: ResourceType
  id: string
  /** A text that stands in the resource, in its codes too. */
  text: string
}

export interface Route {
  method: string
  /** As the API description has it, such as `/{type}/{id}`. */
  pattern: string
}

type Call = (at: Place) => Ask[]

const JSON_PATCH = { 'content-type': 'application/json-patch+json' }
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const GRAPHQL = { 'content-type': 'application/json' }
const ASYNC = { prefer: 'respond-async' }

const get = (path: string, headers?: Record<string, string>): Ask => ({ method: 'GET', path, ...(headers ? { headers } : {}) })
const post = (path: string, body: unknown, headers?: Record<string, string>): Ask => ({ method: 'POST', path, body, ...(headers ? { headers } : {}) })
// An array of FHIR is never empty.
const parameters = (...parameter: object[]) => ({ resourceType: 'Parameters', ...(parameter.length > 0 ? { parameter } : {}) })

/** A resource of the type that says nothing. */
const blank = (type: ResourceType, id?: string): Resource => {
  const { id: made, ...rest } = JSON.parse(JSON.stringify(madeResource(type, 'blank', [])).replaceAll(/made/gi, 'blank')) as Resource & Record<string, unknown>
  return { ...rest, ...(id === undefined ? {} : { id }) } as Resource
}
const entry = (method: string, url: string, resource?: unknown, more: object = {}) => ({ ...(resource ? { resource } : {}), request: { method, url, ...more } })
const bundle = (type: 'batch' | 'transaction', ...entries: object[]) => ({ resourceType: 'Bundle', type, entry: entries })
const tag = { system: 'urn:walk', code: 'seen' }
const emptyPatch = [{ op: 'test', path: '/resourceType', value: 'Nothing' }]

// Every search that names one resource by its id: what each of them finds, all the others find.
const searches = ({ type, id, text }: Place): string[] => [
  `_id=${id}`,
  `_id=${id}&_total=accurate`,
  `_id=${id}&_summary=count`,
  `_filter=_id eq "${id}"`,
  `_id=${id}&_include=*`,
  `_id=${id}&_revinclude=*`,
  `_list=${id}`,
  `_has:List:item:_id=${id}`,
  `_has:Provenance:target:_id=${id}`,
  `_content=${text}&_total=accurate`,
  `_text=${text}&_summary=count`,
  `_id=${id}&_contained=both`,
  ...(compartmentMembers('Patient').has(type) && type !== 'Patient' ? [`_has:AuditEvent:entity:_id=${id}`] : []),
]

const typeless = ({ type, id, text }: Place): string[] => [`_type=${type}&_id=${id}&_total=accurate`, `_type=${type}&_content=${text}&_summary=count`]

const asked = (query: string): string => new URLSearchParams(query).toString()
const both = (path: (at: Place) => string, body: (at: Place) => unknown): Readonly<Record<'GET' | 'POST', Call>> => ({
  GET: (at) => [get(path(at))],
  POST: (at) => [post(path(at).split('?')[0] ?? '', body(at))],
})

function operation(pattern: string, ...[path, body]: Parameters<typeof both>): Record<string, Call> {
  const calls = both(path, body)
  return { [`GET ${pattern}`]: calls.GET, [`POST ${pattern}`]: calls.POST }
}

/**
 * How every route of the FHIR API is asked about one resource. A route that is not here is not tested for leaks: the test
 * that reads this fails until it is.
 */
export const fhirCalls: Readonly<Record<string, Call>> = {
  'GET /{type}/{id}': ({ type, id }) => [
    get(`/${type}/${id}`),
    get(`/${type}/${id}?_format=xml`),
    get(`/${type}/${id}?_summary=text`),
    get(`/${type}/${id}`, { 'if-none-match': 'W/"1"' }),
    get(`/${type}/${id}`, { 'if-modified-since': 'Fri, 01 Jan 2100 00:00:00 GMT' }),
    { method: 'HEAD', path: `/${type}/${id}` },
  ],
  'GET /{type}/{id}/_history': ({ type, id }) => [get(`/${type}/${id}/_history`), get(`/${type}/${id}/_history?_count=0`), get(`/${type}/${id}/_history?_format=xml`)],
  'GET /{type}/{id}/_history/{version}': ({ type, id }) => [get(`/${type}/${id}/_history/1`), get(`/${type}/${id}/_history/2`)],
  'GET /{type}/_history': ({ type }) => [get(`/${type}/_history`)],
  'GET /_history': () => [get('/_history?_count=1000')],
  'GET /{type}': (at) => searches(at).map((query) => get(`/${at.type}?${asked(query)}`)),
  'POST /{type}/_search': (at) => [searches(at)[1] ?? '', searches(at)[2] ?? ''].map((query) => post(`/${at.type}/_search`, asked(query), FORM)),
  'GET ': (at) => typeless(at).map((query) => get(`/?${asked(query)}`)),
  'POST /_search': (at) => typeless(at).map((query) => post('/_search', asked(query), FORM)),
  'GET /{type}/{id}/{inner}': ({ type, id }) => ['Condition?_total=accurate', '*?_type=Condition&_summary=count'].map((inner) => get(`/${type}/${id}/${inner}`)),
  'POST /{type}/{id}/{inner}/_search': ({ type, id }) => [post(`/${type}/${id}/Condition/_search`, '_summary=count', FORM)],
  ...operation('/{type}/$meta', ({ type }) => `/${type}/$meta`, () => parameters()),
  ...operation('/$meta', () => '/$meta', () => parameters()),
  ...operation('/{type}/{id}/$meta', ({ type, id }) => `/${type}/${id}/$meta`, () => parameters()),
  'POST /{type}/{id}/$meta-add': ({ type, id }) => [post(`/${type}/${id}/$meta-add`, parameters({ name: 'meta', valueMeta: { tag: [tag] } }))],
  'POST /{type}/{id}/$meta-delete': ({ type, id }) => [post(`/${type}/${id}/$meta-delete`, parameters({ name: 'meta', valueMeta: { tag: [tag] } }))],
  'POST /{type}/$validate': ({ type, id }) => [post(`/${type}/$validate`, { ...blank(type), subject: { reference: `${type}/${id}` } })],
  'GET /{type}/{id}/$validate': ({ type, id }) => [get(`/${type}/${id}/$validate`), get(`/${type}/${id}/$validate?mode=delete`)],
  'POST /{type}/{id}/$validate': ({ type, id }) => [post(`/${type}/${id}/$validate?mode=delete`, undefined), post(`/${type}/${id}/$validate?mode=update`, blank(type, id))],
  'GET /{type}/{id}/$graphql': ({ type, id }) => [get(`/${type}/${id}/$graphql?query=${encodeURIComponent('{id resourceType}')}`)],
  'POST /{type}/{id}/$graphql': ({ type, id }) => [post(`/${type}/${id}/$graphql`, { query: '{id meta{versionId lastUpdated}}' }, GRAPHQL)],
  'GET /$graphql': ({ type, id }) => [get(`/$graphql?query=${encodeURIComponent(`{${type}(id:"${id}"){id}}`)}`)],
  'POST /$graphql': ({ type, id }) => [
    post('/$graphql', { query: `{${type}List(_id:"${id}"){id} ${type}Connection(_id:"${id}"){count}}` }, GRAPHQL),
  ],
  ...operation('/Patient/{id}/$everything', ({ id }) => `/Patient/${id}/$everything`, () => parameters()),
  ...operation('/Patient/$everything', () => '/Patient/$everything', () => parameters()),
  ...operation('/Encounter/{id}/$everything', ({ id }) => `/Encounter/${id}/$everything`, () => parameters()),
  ...operation('/Composition/{id}/$document', ({ id }) => `/Composition/${id}/$document`, () => parameters()),
  ...operation('/Composition/$document', ({ id }) => `/Composition/$document?id=${id}`, ({ id }) => parameters({ name: 'id', valueUri: `Composition/${id}` })),
  'GET /Observation/$lastn': ({ id, text }) => lastn(id, text).map((query) => get(`/Observation/$lastn?${query}`)),
  'POST /Observation/$lastn': ({ id, text }) => lastn(id, text).map((query) => post('/Observation/$lastn', query, FORM)),
  'GET /Patient/$match': () => [get('/Patient/$match')],
  'POST /Patient/$match': ({ text }) => [post('/Patient/$match', parameters({ name: 'resource', resource: { resourceType: 'Patient', identifier: [{ system: `urn:${text}:numbers`, value: 'M-7' }], name: [{ family: `${text}well`, given: ['Mo'] }], birthDate: '2019-03-04' } }))],
  ...operation('/Subscription/$status', ({ id }) => `/Subscription/$status?id=${id}`, ({ id }) => parameters({ name: 'id', valueId: id })),
  ...operation('/Subscription/{id}/$status', ({ id }) => `/Subscription/${id}/$status`, () => parameters()),
  ...operation('/Subscription/{id}/$events', ({ id }) => `/Subscription/${id}/$events`, () => parameters()),
  ...operation('/Subscription/{id}/$get-ws-binding-token', ({ id }) => `/Subscription/${id}/$get-ws-binding-token`, () => parameters()),
  ...operation('/Subscription/$get-ws-binding-token', ({ id }) => `/Subscription/$get-ws-binding-token?id=${id}`, ({ id }) => parameters({ name: 'id', valueId: id })),
  'GET /CodeSystem/$lookup': ({ text }) => [get(`/CodeSystem/$lookup?system=urn:${text}:thing&code=a`)],
  'POST /CodeSystem/$lookup': ({ text }) => [post('/CodeSystem/$lookup', parameters({ name: 'system', valueUri: `urn:${text}:thing` }, { name: 'code', valueCode: 'a' }))],
  ...operation('/CodeSystem/$subsumes', ({ text }) => `/CodeSystem/$subsumes?system=urn:${text}:thing&codeA=a&codeB=b`, ({ text }) => parameters({ name: 'system', valueUri: `urn:${text}:thing` }, { name: 'codeA', valueCode: 'a' }, { name: 'codeB', valueCode: 'b' })),
  ...operation('/CodeSystem/{id}/$subsumes', ({ id }) => `/CodeSystem/${id}/$subsumes?codeA=a&codeB=b`, () => parameters({ name: 'codeA', valueCode: 'a' }, { name: 'codeB', valueCode: 'b' })),
  ...operation('/CodeSystem/$validate-code', ({ text }) => `/CodeSystem/$validate-code?url=urn:${text}:thing&code=a`, ({ text }) => parameters({ name: 'url', valueUri: `urn:${text}:thing` }, { name: 'code', valueCode: 'a' })),
  ...operation('/CodeSystem/{id}/$validate-code', ({ id }) => `/CodeSystem/${id}/$validate-code?code=a`, () => parameters({ name: 'code', valueCode: 'a' })),
  ...operation('/ValueSet/$validate-code', ({ text }) => `/ValueSet/$validate-code?url=urn:${text}:thing&code=a&system=urn:x`, ({ text }) => parameters({ name: 'url', valueUri: `urn:${text}:thing` }, { name: 'code', valueCode: 'a' }, { name: 'system', valueUri: 'urn:x' })),
  ...operation('/ValueSet/{id}/$validate-code', ({ id }) => `/ValueSet/${id}/$validate-code?code=a&system=urn:x`, () => parameters({ name: 'code', valueCode: 'a' }, { name: 'system', valueUri: 'urn:x' })),
  ...operation('/ValueSet/$expand', ({ text }) => `/ValueSet/$expand?url=urn:${text}:thing`, ({ text }) => parameters({ name: 'url', valueUri: `urn:${text}:thing` })),
  ...operation('/ValueSet/{id}/$expand', ({ id }) => `/ValueSet/${id}/$expand`, () => parameters()),
  ...operation('/ConceptMap/$translate', ({ text }) => `/ConceptMap/$translate?url=urn:${text}:thing&code=a&system=urn:x`, ({ text }) => parameters({ name: 'url', valueUri: `urn:${text}:thing` }, { name: 'code', valueCode: 'a' }, { name: 'system', valueUri: 'urn:x' })),
  ...operation('/ConceptMap/{id}/$translate', ({ id }) => `/ConceptMap/${id}/$translate?code=a&system=urn:x`, () => parameters({ name: 'code', valueCode: 'a' }, { name: 'system', valueUri: 'urn:x' })),
  'POST /$closure': () => [post('/$closure', parameters({ name: 'name', valueString: 'walk' }))],
  'GET /$export': ({ type }) => [get(`/$export?_type=${type}`)],
  'POST /$export': ({ type }) => [post(`/$export?_type=${type}`, undefined)],
  'GET /Patient/$export': () => [get('/Patient/$export')],
  'POST /Patient/$export': ({ id }) => [post('/Patient/$export', parameters({ name: 'patient', valueReference: { reference: `Patient/${id}` } }))],
  'GET /Group/{id}/$export': ({ id }) => [get(`/Group/${id}/$export`, ASYNC)],
  'POST /Group/{id}/$export': ({ id }) => [post(`/Group/${id}/$export`, parameters({ name: 'patient', valueReference: { reference: `Patient/${id}` } }), ASYNC)],
  'POST /$import': () => [post('/$import', parameters())],
  'GET /$bulk-status/{job}': ({ id }) => [get(`/$bulk-status/${id}`)],
  'DELETE /$bulk-status/{job}': () => [],
  'GET /$bulk-file/{job}/{file}': ({ id }) => [get(`/$bulk-file/${id}/0?expires=9999999999&signature=x`)],
  'GET /$index-status': () => [get('/$index-status')],
  'GET /metadata': () => [get('/metadata')],
  'GET /.well-known/smart-configuration': () => [get('/.well-known/smart-configuration')],

  // What changes something comes last.
  'PATCH /{type}/{id}': ({ type, id }) => [
    { method: 'PATCH', path: `/${type}/${id}`, body: emptyPatch, headers: JSON_PATCH },
    { method: 'PATCH', path: `/${type}/${id}`, body: emptyPatch, headers: { ...JSON_PATCH, 'if-match': 'W/"1"' } },
  ],
  'PATCH /{type}': ({ type, id }) => [{ method: 'PATCH', path: `/${type}?_id=${id}`, body: emptyPatch, headers: JSON_PATCH }],
  'POST /{type}': ({ type, id, text }) => [`_id=${id}`, `_content=${text}`].map((condition) => post(`/${type}`, blank(type), { 'if-none-exist': condition })),
  'POST ': ({ type, id }) => [
    post('/', bundle('batch', entry('GET', `${type}/${id}`), entry('GET', `${type}?_id=${id}&_total=accurate`), entry('GET', `${type}/${id}/_history`), entry('GET', `${type}/${id}/_history/1`), entry('HEAD', `${type}/${id}`))),
    post('/', bundle('transaction', entry('GET', `${type}/${id}`), entry('GET', `${type}/${id}/$meta`))),
    post('/', bundle('transaction', entry('POST', type, blank(type), { ifNoneExist: `_id=${id}` }))),
    post('/', bundle('batch', entry('POST', 'Basic', { resourceType: 'Basic', code: { text: 'x' }, subject: { reference: `${type}?_id=${id}` } }))),
    post('/', bundle('transaction', entry('POST', 'Basic', { resourceType: 'Basic', code: { text: 'x' }, subject: { reference: `${type}?_id=${id}` } }))),
    post('/', bundle('transaction', entry('PATCH', `${type}/${id}`, parameters(), { ifMatch: 'W/"1"' }))),
    post('/', bundle('transaction', entry('PUT', `${type}/${id}`, blank(type, id), { ifMatch: 'W/"1"' }))),
    post('/', bundle('transaction', entry('DELETE', `${type}?_id=${id}`))),
  ],
  'DELETE /{type}': ({ type, id }) => [{ method: 'DELETE', path: `/${type}?_id=${id}`, headers: { prefer: 'return=OperationOutcome' } }],
  'PUT /{type}': ({ type, id }) => [{ method: 'PUT', path: `/${type}?_id=${id}`, body: blank(type) }],
  'PUT /{type}/{id}': ({ type, id }) => [
    { method: 'PUT', path: `/${type}/${id}`, body: blank(type, id), headers: { 'if-match': 'W/"1"' } },
    { method: 'PUT', path: `/${type}/${id}`, body: blank(type, id) },
  ],
  'DELETE /{type}/{id}': ({ type, id }): Ask[] => [
    { method: 'DELETE', path: `/${type}/${id}`, headers: { 'if-match': 'W/"7"' } },
    { method: 'DELETE', path: `/${type}/${id}`, headers: { prefer: 'return=OperationOutcome' } },
  ],
}

function lastn(id: string, text: string): string[] {
  return [`patient=Patient/${id}`, `patient=Patient/${id}&max=3`, `patient:Patient.identifier=${text}`, `subject:Patient.name=${text}&_has:Provenance:target:_id=${id}`, `subject:Patient._id=${id}&_list=${id}`].map(asked)
}

/** Routes that answer the same whatever one resource says, or that are asked in a test of their own. */
export const askNothing = new Set([
  'GET /metadata',
  'GET /.well-known/smart-configuration',
  'GET /$index-status',
  // By likeness; see patient-matching.test.ts.
  'GET /Patient/$match',
  'POST /Patient/$match',
  'POST /$closure',
  // Of a patient's own sign-in.
  ...['GET', 'POST'].map((method) => `${method} /Patient/$everything`),
  'POST /{type}/$validate',
  ...['GET', 'POST'].flatMap((method) => [`${method} /$export`, `${method} /Patient/$export`]),
  'POST /$import',
  'GET /$bulk-status/{job}',
  'DELETE /$bulk-status/{job}',
  'GET /$bulk-file/{job}/{file}',
])
