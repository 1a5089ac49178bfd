import { randomUUID } from 'node:crypto'
import { addClient } from '@carespine/identity/accounts'
import { isSharedType } from '@carespine/fhir/compartments'
import { isResourceType, resourceTypes } from '@carespine/fhir/definitions'
import { idKey } from '@carespine/fhir/index-entries'
import type { Bundle, Resource, ResourceType } from '@carespine/fhir/resource'
import { searchParametersOf } from '@carespine/fhir/search-parameters'
import { subscriptionTopics } from '@carespine/pack-core/topics'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bulkClient } from './bulk-client.ts'
import { type Ask, askNothing, fhirCalls, type Place, type Route } from './leak-walk.ts'
import { madeResource } from './made-resource.ts'
import { tokenLike } from './made-token.ts'
import { questionFor } from './search-question.ts'
import { BRANCHES, startTestHospital, type TestHospital } from './test-hospital.ts'

/** Ten thousand questions, on a machine that may be busy. */
const PATIENCE = 400_000
const HIDDEN = 'kept-secret'
const ABSENT = 'not-at-all1'
const marker = (type: string): string => `canary${type}canary`
const NOWHERE = 'nowhereNOTHINGnowhere'
const CANARY = /canary([A-Za-z]+?)canary/g

interface Answer {
  status: number
  text: string
  headers: string
}

type Send = (ask: Ask, correlation?: string) => Promise<Answer>

let hospital: TestHospital
let routes: Route[] = []
let owner: Send
let ownersToken = ''
/** By whom: what they send, and of which types they may see something. */
const strangers: Record<string, { token: string; send: Send; sees: (type: ResourceType) => boolean }> = {}
const stored = new Map<ResourceType, Resource>()

function sender(token: string | undefined): Send {
  return async ({ method, path, body, headers = {} }, correlation) => {
    const response = await fetch(`${hospital.url}/fhir/R4${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(correlation === undefined ? {} : { 'x-correlation-id': correlation }),
        ...(body === undefined ? {} : { 'content-type': 'application/fhir+json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const kept = [...response.headers].filter(([name]) => !/^(date|x-correlation-id|content-length|keep-alive|connection)$/.test(name))
    return { status: response.status, text: await response.text(), headers: JSON.stringify(kept) }
  }
}

async function tokenOf(client: { branch?: string; branches: string[]; permissions?: string[] }): Promise<string> {
  const { services } = hospital.hospital
  const origin = { correlationId: randomUUID(), action: 'test.client', module: 'identity' }
  const made = await services.transact(services.system('identity'), origin, ({ tx }) => addClient(tx, { display: 'Stranger', roles: ['system'], ...client }))
  return (await hospital.asClient(made)).token
}

/** What makes a resource answer for itself. */
const served: Partial<Record<ResourceType, object>> = {
  CodeSystem: { url: 'urn:made:thing', status: 'active', content: 'complete', concept: [{ code: 'a', display: 'made' }, { code: 'b' }] },
  // Nobody answers at its endpoint.
  Subscription: {
    status: 'requested',
    criteria: subscriptionTopics[0]?.url,
    channel: { type: 'rest-hook', endpoint: 'https://127.0.0.1:9/made', payload: 'application/fhir+json' },
  },
}

/** With a value for nearly every search parameter of its type; each text in it names the type. */
function canaryOf(type: ResourceType): Resource {
  const paths = [...searchParametersOf(type).values()].filter((parameter) => parameter.type !== 'composite' && !parameter.code.startsWith('_')).flatMap(({ paths: [path] }) => (path && path.type !== 'Attachment' ? [path] : []))
  const made = { ...madeResource(type, 'made', paths), meta: { tag: [{ system: 'urn:made', code: 'made' }] }, ...served[type] }
  const text = JSON.stringify(made)
  return JSON.parse(text.replaceAll(/([A-Z][A-Za-z]+)\/made\b/g, `$1/${HIDDEN}`).replaceAll('"id":"made"', `"id":"${HIDDEN}"`).replaceAll(/made/gi, marker(type))) as Resource
}

/** Several at once, in the order they come. */
async function each<T>(all: Iterable<T>, work: (one: T) => Promise<void>): Promise<void> {
  const waiting = all[Symbol.iterator]()
  const take = async (): Promise<void> => {
    for (let next = waiting.next(); !next.done; next = waiting.next()) await work(next.value)
  }
  await Promise.all(Array.from({ length: 8 }, take))
}

beforeAll(async () => {
  hospital = await startTestHospital()
  const { services } = hospital.hospital
  // What is stored here means nothing, and no rule of content holds for it: what is tested is who sees it.
  services.store.validator.look = () => ({ issues: [], settled: true })
  ownersToken = await tokenOf({ branch: BRANCHES.main, branches: [BRANCHES.main] })
  owner = sender(ownersToken)
  const known: [string, Parameters<typeof tokenOf>[0], (type: ResourceType) => boolean][] = [
    ['another branch', { branch: BRANCHES.other, branches: [BRANCHES.other] }, isSharedType],
    ['no branch', { branches: [] }, () => false],
    ['a narrower scope', { branch: BRANCHES.main, branches: [BRANCHES.main], permissions: ['fhir:Observation:read'] }, (type) => type === 'Observation'],
  ]
  for (const [name, client, sees] of known) {
    const token = await tokenOf(client)
    strangers[name] = { token, send: sender(token), sees }
  }
  const description = (await (await fetch(`${hospital.url}/docs/json`)).json()) as { paths: Record<string, Record<string, unknown>> }
  routes = Object.entries(description.paths).flatMap(([pattern, methods]) => Object.keys(methods).map((method) => ({ method: method.toUpperCase(), pattern })))
  await each(resourceTypes, async (type) => {
    const resource = canaryOf(type)
    const { status, text } = await owner({ method: 'PUT', path: `/${type}/${HIDDEN}`, body: resource })
    if (status !== 201) throw new Error(`${type}: ${status} ${text}`)
    stored.set(type, resource)
  })
}, PATIENCE)
afterAll(() => hospital?.close())

const fhirRoutes = () => routes.filter(({ pattern }) => /^\/fhir\/R4(\/|$)/.test(pattern)).map(({ method, pattern }) => ({ method, pattern: pattern.replace('/fhir/R4', '') }))
const nameOf = ({ method, pattern }: Route): string => `${method} ${pattern}`
const changes = ({ method, pattern }: Route): boolean => ['PUT', 'PATCH', 'DELETE'].includes(method) || (method === 'POST' && (pattern === '' || pattern === '/{type}' || pattern.includes('$meta-') || pattern.includes('$import')))
/** What a stranger writes under the same id is its own: made and then deleted, always both. */
const isOwnCopy = ({ method, pattern }: Route): boolean => pattern === '/{type}/{id}' && (method === 'PUT' || method === 'DELETE')
const typeOf = ({ pattern }: Route): ResourceType | undefined => pattern.split('/').find((part): part is ResourceType => isResourceType(part))

/** What of an answer may not differ: ids that the server gives and times apart. */
function comparable({ status, text, headers }: Answer, at: Place): string {
  return `${status} ${headers} ${text}`
    .replaceAll(at.id, '[id]')
    .replaceAll(new RegExp(`\\b${at.type}\\b`, 'g'), '[type]')
    .replaceAll(at.text, '[text]')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '[uuid]')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT/g, '[time]')
}

/** Types whose texts stand in an answer; those that the question itself held do not count. */
const canariesIn = (text: string, ask: Ask): string[] => [...new Set([...text.matchAll(CANARY)].flatMap(([found, type = '']) => (decodeURIComponent(ask.path).includes(found) || JSON.stringify(ask.body ?? '').includes(found) ? [] : type)))]

const hidden = (type: ResourceType): Place => ({ type, id: HIDDEN, text: marker(type) })
const absent = (type: ResourceType): Place => ({ type, id: ABSENT, text: NOWHERE })

describe('every search parameter of every type', () => {
  const questionsOf = (type: ResourceType): string[] =>
    [...searchParametersOf(type).values()].flatMap((parameter) => {
      const resource = stored.get(type)
      const question = resource && parameter.code !== '_lastUpdated' ? questionFor(resource, parameter) : undefined
      return question === undefined ? [] : [`${parameter.code}=${encodeURIComponent(question)}`]
    })

  async function totals(send: Send, type: ResourceType, questions: readonly string[]): Promise<(number | string | undefined)[]> {
    const entry = questions.map((question) => ({ request: { method: 'GET', url: `${type}?${question}&_summary=count` } }))
    const { text } = await send({ method: 'POST', path: '/', body: { resourceType: 'Bundle', type: 'batch', entry } })
    return (JSON.parse(text) as Bundle).entry?.map(({ resource, response }) => (response?.status === '200' ? (resource as Bundle).total : response?.status)) ?? []
  }

  test('counts what is hidden for nobody but who may see it', async () => {
    const leaks: string[] = []
    let asked = 0
    await each(resourceTypes, async (type) => {
      const questions = questionsOf(type)
      const known = await totals(owner, type, questions)
      asked += known.filter((total) => Number(total) > 0 && typeof total === 'number').length
      for (const [name, { send, sees }] of Object.entries(strangers)) {
        if (sees(type)) continue
        const wanted = name === 'a narrower scope' ? '403' : 0
        for (const [at, total] of (await totals(send, type, questions)).entries()) if (total !== wanted) leaks.push(`${name}: ${type}?${questions[at]} ${total}`)
      }
    })
    expect(leaks).toEqual([])
    // Each of these finds something for its owner.
    expect(asked).toBeGreaterThan(1200)
  }, PATIENCE)

  test('may not be asked by way of a type that is out of sight: chains, reverse chains, includes, lists, filters, $lastn', async () => {
    const send = strangers['a narrower scope']?.send ?? owner
    const leaks: string[] = []
    const references = [...searchParametersOf('Observation').values()].filter(({ type }) => type === 'reference')
    const targets = references.flatMap(({ code, targets }) => targets.filter(isResourceType).filter((target) => target !== 'Observation').map((target) => [code, target] as const))
    const paths = targets.flatMap(([code, target]) => [`${code}:${target}._id=ID`, `_filter=${code}.id eq "ID"`, `_include=Observation:${code}:${target}&_id=${HIDDEN}`])
    paths.push(...resourceTypes.filter((type) => type !== 'Observation').flatMap((type) => [...searchParametersOf(type).values()].filter((one) => one.type === 'reference' && one.targets.includes('Observation')).flatMap(({ code }) => [`_has:${type}:${code}:_id=ID`, `_revinclude=${type}:${code}&_id=${HIDDEN}`])))
    paths.push('_list=ID', '_include=*&_id=kept-secret', '_revinclude=*&_id=kept-secret', '_sort=subject.name')
    const forms = (query: string): string[] => [`/Observation?${query}`, `/Observation/$lastn?patient=Patient/${HIDDEN}&${query}`]
    let asked = 0
    await each([...new Set(paths)].flatMap(forms), async (path) => {
      const url = (id: string) => encodeURI(path.replaceAll('ID', id)).replaceAll('%25', '%')
      const [one, other] = [await send({ method: 'GET', path: url(HIDDEN) }), await send({ method: 'GET', path: url(ABSENT) })]
      asked += 1
      const seen = canariesIn(one.text, { method: 'GET', path }).filter((type) => type !== 'Observation')
      if (seen.length > 0) leaks.push(`${path} tells of ${seen}`)
      if (path.includes('ID') && comparable(one, hidden('Observation')) !== comparable(other, absent('Observation'))) leaks.push(`${path}: ${one.status} ${one.text.slice(0, 300)} but ${other.status} ${other.text.slice(0, 300)}`)
    })
    expect(leaks.slice(0, 20)).toEqual([])
    expect(asked).toBeGreaterThan(100)
  }, PATIENCE)
})

describe('who may see', () => {
  test('is told what others are not by every route, and each patient whose data it saw has an entry for it', async () => {
    const blind: string[] = []
    const shown = new Map<string, string>()
    const database = new pg.Client({ connectionString: hospital.databaseUrl })
    await database.connect()
    const ofPatient = new Set<string>()
    for (const type of resourceTypes) {
      const { rows } = await database.query(`select 1 from fhir.${type.toLowerCase()} where id = $1 and patient is not null`, [idKey(HIDDEN)])
      if (rows.length > 0) ofPatient.add(type)
    }
    expect(ofPatient.size).toBeGreaterThan(40)
    const reads = fhirRoutes().filter((route) => !changes(route))
    let number = 0
    await each(reads, async (route) => {
      let differs = askNothing.has(nameOf(route))
      for (const type of typeOf(route) ? [typeOf(route) as ResourceType] : (['Patient', 'Observation', 'Encounter', 'Provenance'] as const)) {
        const call = fhirCalls[nameOf(route)] ?? (() => [])
        for (const [at, ask] of call(hidden(type)).entries()) {
          const correlation = `leak-walk-${number++}`
          const answer = await owner(ask, correlation)
          const other = await owner(call(absent(type))[at] as Ask)
          if (canariesIn(answer.text, ask).length > 0 || comparable(answer, hidden(type)) !== comparable(other, absent(type))) differs = true
          const told = canariesIn(answer.text, ask).filter((name) => ofPatient.has(name))
          if (told.length > 0) shown.set(correlation, `${ask.method} ${ask.path}: ${told}`)
        }
      }
      if (!differs) blind.push(nameOf(route))
    })
    const { rows } = await database.query<{ correlation: string }>("select distinct correlation from audit.entry where correlation like 'leak-walk-%' and (patient = $1 or $1 = any (patients))", [idKey(HIDDEN)])
    await database.end()
    const noted = new Set(rows.map(({ correlation }) => correlation))
    expect([...shown].filter(([correlation]) => !noted.has(correlation)).map(([, ask]) => ask)).toEqual([])
    expect(shown.size).toBeGreaterThan(30)
    expect(blind).toEqual([])
  }, PATIENCE)
})

test('an export holds what who asked may see, and nothing else', async () => {
  const leaks: string[] = []
  for (const [name, { token, sees }] of Object.entries({ owner: { token: ownersToken, sees: (_type: ResourceType) => true }, ...strangers })) {
    const bulk = bulkClient(hospital.url, (path, init = {}) => fetch(hospital.url + path, { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } }))
    for (const path of ['/$export', '/Patient/$export']) {
      const response = await bulk.ask(path)
      const told = await response.text()
      const found = response.status === 202 ? await bulk.lines((await bulk.wait(response.headers.get('content-location') ?? '', 120_000)).output) : []
      const seen = canariesIn(told + JSON.stringify(found), { method: 'GET', path })
      leaks.push(...seen.filter((type) => !sees(type as ResourceType)).map((type) => `${name}: ${path} ${type}`))
      if (name === 'owner') expect(seen.length).toBeGreaterThan(path === '/$export' ? 140 : 40)
    }
  }
  expect(leaks).toEqual([])
}, PATIENCE)

// Last, since strangers leave resources of their own.
describe('every route of the FHIR API', () => {
  test('is known to the walk', () => {
    expect(fhirRoutes().map(nameOf).toSorted()).toEqual(Object.keys(fhirCalls).toSorted())
  })

  test('says nothing of what is hidden: it answers as for what was never there', async () => {
    const leaks: string[] = []
    const sent = new Set<string>()
    /** What is answered about what is nowhere, by stranger and kind of question: the type apart, it is the same for all. */
    const answers = new Map<string, Promise<string>>()
    const walk = resourceTypes.flatMap((type, nth) => Object.entries(strangers).filter(([, { sees }]) => !sees(type)).map(([name, { send }]) => ({ type, nth, name, send })))
    const turn = (route: Route): number => Number(changes(route)) + Number(isOwnCopy(route))
    // One after the other for all types: what strangers leave is found by their own searches.
    for (const phase of [0, 1, 2]) await each(walk, async ({ type, nth, name, send }) => {
      for (const route of fhirRoutes().filter((one) => turn(one) === phase)) {
        if ((typeOf(route) ?? type) !== type) continue
        const call = fhirCalls[nameOf(route)] ?? (() => [])
        const kinds = call(hidden(type))
        for (const [at, ask] of kinds.entries()) {
          // The first question of an interaction is asked of every type, its variants and the operations in turn.
          const inTurn = at > 0 || route.pattern.includes('$')
          if (inTurn && typeOf(route) === undefined && !isOwnCopy(route) && (nth + at) % 4 !== 0) continue
          const key = JSON.stringify([name, ask])
          if (sent.has(key)) continue
          sent.add(key)
          const answer = await send(ask)
          const told = `${name}: ${ask.method} ${ask.path} ${JSON.stringify(ask.body ?? '').slice(0, 200)}`
          const seen = canariesIn(answer.text, ask).filter((one) => !strangers[name]?.sees(one as ResourceType))
          if (seen.length > 0) leaks.push(`${told} tells of ${seen}: ${answer.status} ${answer.text.slice(0, 300)}`)
          else if (answer.status >= 500) leaks.push(`${told}: ${answer.status} ${answer.text.slice(0, 300)}`)
          // What names nothing that is hidden shows what may be seen, and no more than that.
          if (!JSON.stringify(ask).includes(HIDDEN) && !JSON.stringify(ask).includes(marker(type))) continue
          const about = absent(type)
          const other = async (): Promise<string> => comparable(await send(call(about)[at] as Ask), about)
          const kind = `${name} ${nameOf(route)} ${at}`
          if (!answers.has(kind)) answers.set(kind, other())
          const given = comparable(answer, hidden(type))
          // What one type is told otherwise than another is asked again about this one.
          if (given === (await answers.get(kind))) continue
          const otherwise = await other()
          if (given !== otherwise) leaks.push(`${told}: ${given.slice(0, 400)} but ${otherwise.slice(0, 400)}`)
        }
      }
    })
    expect(leaks.slice(0, 40)).toEqual([])
    expect(sent.size).toBeGreaterThan(8_000)
  }, PATIENCE)

  test('left everything as it was', async () => {
    const changed: string[] = []
    await each(resourceTypes, async (type) => {
      const { text } = await owner({ method: 'GET', path: `/${type}/${HIDDEN}`, headers: { accept: 'application/fhir+json' } })
      const { meta, ...rest } = JSON.parse(text) as Resource
      // A subscription says itself how it stands.
      const isSame = type === 'Subscription' || (meta?.versionId === '1' && JSON.stringify(rest) === JSON.stringify({ ...stored.get(type), meta: undefined }))
      if (!isSame) changed.push(`${type}: ${text.slice(0, 200)}`)
    })
    expect(changed).toEqual([])
  }, PATIENCE)

  test('has no answer without a token, or for one that is over, changed, signed by nobody or by somebody else', async () => {
    const [head = '', body = '', signature = ''] = ownersToken.split('.')
    const tokens: Record<string, string | undefined> = {
      none: undefined,
      expired: await tokenLike(hospital, ownersToken, { seconds: -1 }),
      'of another key': await tokenLike(hospital, ownersToken, { seconds: 60, key: 'another' }),
      unsigned: `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`,
      changed: `${head}.${Buffer.from(Buffer.from(body, 'base64url').toString().replace('client', 'cliens')).toString('base64url')}.${signature}`,
    }
    for (const [what, token] of Object.entries(tokens)) {
      const send = sender(token)
      const texts = new Set<string>()
      for (const route of fhirRoutes().filter(({ pattern }) => pattern !== '/metadata' && pattern !== '/.well-known/smart-configuration')) {
        for (const [place, of] of [[hidden, HIDDEN], [absent, ABSENT]] as const) {
          const [ask] = (fhirCalls[nameOf(route)] ?? (() => []))(place(typeOf(route) ?? 'Observation'))
          if (!ask) continue
          const { status, text } = await send(ask)
          expect([what, ask.path, status]).toEqual([what, ask.path, 401])
          expect(text).not.toContain(of)
          texts.add(route.pattern.includes('$graphql') ? '' : text)
        }
      }
      expect([...texts].filter((text) => text !== '')).toHaveLength(1)
    }
  }, PATIENCE)
})
