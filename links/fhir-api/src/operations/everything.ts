import { spanOf } from '@carespine/fhir/dates'
import { isResourceType } from '@carespine/fhir/definitions'
import { idKey } from '@carespine/fhir/index-entries'
import type { ResourceType } from '@carespine/fhir/resource'
import { allows } from '@carespine/kit/permission'
import { refuse } from '@carespine/kit/module'
import type { Scope } from '@carespine/store/database'
import { type CompartmentAsked, type CompartmentPlace, readCompartmentPage } from '@carespine/store/compartment-page'
import type { OpenedRow } from '@carespine/store/patient-records'
import type { Store } from '@carespine/store/store'
import { bundleBytes, entryOf } from '../bundle-bytes.ts'
import { auditRead, requirePermission } from '../interactions.ts'
import type { OperationInput } from '../operation-input.ts'
import type { Asked, Operation } from '../operations.ts'

const MOST_ON_PAGE = 1000

/** Types that support a patient's record: who, where and with what. What they belong to is sent along. */
const SUPPORTING: readonly ResourceType[] = ['Practitioner', 'PractitionerRole', 'Organization', 'Location', 'HealthcareService', 'Medication', 'Device', 'Substance']
const REFERENCE = new RegExp(`"reference":"((?:Patient|${SUPPORTING.join('|')})/[A-Za-z0-9\\-.]{1,64})["/]`, 'g')

// The store keeps bodies that were opened lately, and a body never changes: looking through the 500 of a long record once
// more each time was a sixth of the processor time of its answer.
const looked = new WeakMap<Buffer, readonly string[]>()
const none: readonly string[] = []

function referencesIn(body: Buffer): readonly string[] {
  let found = looked.get(body)
  if (!found) {
    found = [...body.toString('latin1').matchAll(REFERENCE)].flatMap(([, reference = '']) => reference)
    looked.set(body, found.length > 0 ? found : none)
  }
  return found
}

const ofPatient: ReadonlySet<string> = new Set(SUPPORTING)
// An encounter's record is read together with whose it is.
const ofEncounter: ReadonlySet<string> = new Set([...SUPPORTING, 'Patient'])

function fault(diagnostics: string): never {
  return refuse('FHIR_OPERATION_INPUT_INVALID', { issues: [{ severity: 'error', code: 'value', diagnostics }] })
}

function typesOf(input: OperationInput): ReadonlySet<string> | undefined {
  const names = input.texts('_type')
  for (const name of names) if (!isResourceType(name)) fault('_type names resource types of R4, separated by commas.')
  return names.length > 0 ? new Set(names) : undefined
}

const timeOf = (text: string | undefined, end: 'low' | 'high'): Date | undefined => {
  const span = text === undefined ? undefined : spanOf(text)
  return span && new Date(span[end])
}

function readPlace(cursor: string | undefined): CompartmentPlace | undefined {
  if (cursor === undefined) return undefined
  try {
    const [type, id, branch] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[]
    if (isResourceType(String(type)) && [id, branch].every((one) => /^[0-9a-f-]{36}$/.test(String(one)))) {
      return { type: type as ResourceType, id: String(id), branch: String(branch) }
    }
  } catch {
    // Falls through to the refusal.
  }
  return refuse('SEARCH_CURSOR_INVALID')
}

const writePlace = ({ type, row }: OpenedRow): string => Buffer.from(JSON.stringify([type, row.id, row.branch])).toString('base64url')

/** What resources belong to or were done with, as far as the caller may read it. */
async function supporting({ services, caller, input }: Asked, matches: readonly OpenedRow[], types: ReadonlySet<string>): Promise<OpenedRow[]> {
  const { store } = services
  const asked = typesOf(input)
  const wanted = new Map<string, { type: ResourceType; id: string }>()
  for (const { body } of matches) {
    for (const reference of referencesIn(body)) {
      if (wanted.has(reference)) continue
      const [type = '', id = ''] = reference.split('/')
      if (types.has(type)) wanted.set(reference, { type: type as ResourceType, id })
    }
  }
  if (wanted.size === 0) return []
  const known = new Set(matches.map(({ type, row }) => `${type}/${row.id}`))
  const readable = [...wanted.values()].filter(({ type, id }) => !known.has(`${type}/${idKey(id)}`) && (asked?.has(type) ?? true) && allows(caller.actor.permissions, `fhir:${type}:read`))
  const scope = store.scopeOf(caller.actor)
  const rows = await Promise.all(readable.map(async ({ type, id }) => ({ type, row: await store.reader.peek(scope, type, id) })))
  return rows.flatMap(({ type, row }) => (row && !row.deleted ? [{ type, row, body: store.bodyOf(type, row) }] : []))
}

interface Record {
  matches: readonly OpenedRow[]
  /** The audit entry of reading them is committed. */
  noted?: boolean
  /** Types of what is sent along. */
  along: ReadonlySet<string>
  /** Of the patient or the encounter, for the audit entry. */
  id: string
  path: string
  next: string | undefined
}

async function answer(asked: Asked, { matches, noted, along, id, path, next }: Record): Promise<Buffer> {
  const { services, caller, base, input } = asked
  const included = await supporting(asked, matches, along)
  await auditRead(services, caller, asked.type ?? 'Patient', [...(noted ? [] : matches), ...included].map(({ row }) => row), id)
  const entries = [
    ...matches.map(({ type, row, body }) => entryOf(base, type, body, 'match', row)),
    ...included.map(({ type, row, body }) => entryOf(base, type, body, 'include', row)),
  ]
  const query = (cursor?: string): string => {
    const given = ['start', 'end', '_since', '_type', '_count'].flatMap((name) => input.all<string | number>(name).map((value): [string, string] => [name, String(value)]))
    if (cursor !== undefined) given.push(['_cursor', cursor])
    const text = new URLSearchParams(given).toString()
    return `${base}/${path}${text === '' ? '' : `?${text}`}`
  }
  const link = [{ relation: 'self', url: query(input.text('_cursor')) }, ...(next === undefined ? [] : [{ relation: 'next', url: query(next) }])]
  const whole = next === undefined && !input.has('_cursor')
  return bundleBytes({ resourceType: 'Bundle', type: 'searchset', ...(whole ? { total: matches.length } : {}), link }, entries)
}

function wantedBy({ caller, input }: Asked, except?: ResourceType): Pick<CompartmentAsked, 'isWanted' | 'since' | 'from' | 'to' | 'after'> {
  const types = typesOf(input)
  const [since, from, to] = [timeOf(input.text('_since'), 'low'), timeOf(input.text('start'), 'low'), timeOf(input.text('end'), 'high')]
  const after = readPlace(input.text('_cursor'))
  return {
    isWanted: (type) => type !== except && (types?.has(type) ?? true) && allows(caller.actor.permissions, `fhir:${type}:read`),
    ...(since ? { since } : {}),
    ...(from ? { from } : {}),
    ...(to ? { to } : {}),
    ...(after ? { after } : {}),
  }
}

function countOf(input: OperationInput): number | undefined {
  const count = input.number('_count')
  return count === undefined ? undefined : count === 0 ? fault('_count: give a whole number from 1.') : Math.min(count, MOST_ON_PAGE)
}

/** The patient whose record is asked for: the one named, or a patient's own. */
function patientOf({ id, caller }: Asked): string {
  const diagnostics = 'Name the patient: Patient/[id]/$everything.'
  return id ?? caller.actor.patient ?? refuse('FHIR_OPERATION_INPUT_INVALID', { issues: [{ severity: 'error', code: 'too-costly', diagnostics }] })
}

/** Everything of one patient (http://hl7.org/fhir/R4/patient-operation-everything.html). */
export const patientEverything: Operation = {
  definition: 'Patient-everything',
  levels: ['type', 'instance'],
  understood: ['start', 'end', '_since', '_type', '_count'],
  more: ['_cursor'],
  async run(asked) {
    const { services, caller, input, level } = asked
    requirePermission(caller.actor, 'Patient', 'read')
    const { store } = services
    const scope = store.scopeOf(caller.actor)
    const id = patientOf(asked)
    const path = level === 'type' ? 'Patient/$everything' : `Patient/${id}/$everything`
    const count = countOf(input)
    const isPlain = !['start', 'end', '_since', '_type', '_count', '_cursor'].some((name) => input.has(name))
    if (isPlain) {
      const { found, noted } = await store.patientRecords.read({ ...caller, now: services.now() }, scope, id)
      if (found[0]?.type !== 'Patient') return await absent(asked, id)
      const mayRead = new Map<ResourceType, boolean>()
      for (const { type } of found) if (!mayRead.has(type)) mayRead.set(type, allows(caller.actor.permissions, `fhir:${type}:read`))
      const matches = found.filter(({ type }) => mayRead.get(type))
      return await answer(asked, { matches, noted, along: ofPatient, id, path, next: undefined })
    }
    const patient = await store.reader.peek(scope, 'Patient', id)
    if (!patient || patient.deleted) return await absent(asked, id)
    const found = await readPage(store, scope, { patient: id, ...wantedBy(asked), ...(count === undefined ? {} : { limit: count + 1 }) })
    return await answer(asked, { ...pageOf(found, count), along: ofPatient, id, path })
  },
}

// Read once more in the way that writes down the attempt and tells absent from deleted.
async function absent({ services, caller }: Asked, id: string): Promise<never> {
  const { store } = services
  const row = await store.reader.read({ ...caller, now: services.now() }, store.scopeOf(caller.actor), 'Patient', id)
  return refuse(row?.deleted ? 'RECORD_DELETED' : 'RECORD_NOT_FOUND', { resourceType: 'Patient' })
}

async function readPage(store: Store, scope: Scope, page: CompartmentAsked): Promise<OpenedRow[]> {
  return (await readCompartmentPage(store, scope, page)).map(({ type, row }) => ({ type, row, body: store.bodyOf(type, row) }))
}

function pageOf(found: readonly OpenedRow[], count: number | undefined): { matches: readonly OpenedRow[]; next: string | undefined } {
  if (count === undefined || found.length <= count) return { matches: found, next: undefined }
  const matches = found.slice(0, count)
  return { matches, next: writePlace(matches[count - 1] as OpenedRow) }
}

/** Everything of one encounter (http://hl7.org/fhir/R4/encounter-operation-everything.html). */
export const encounterEverything: Operation = {
  definition: 'Encounter-everything',
  levels: ['instance'],
  understood: ['_since', '_type', '_count'],
  more: ['_cursor'],
  async run(asked) {
    const { services, caller, input, id = '' } = asked
    requirePermission(caller.actor, 'Encounter', 'read')
    const { store } = services
    const scope = store.scopeOf(caller.actor)
    const row = await store.reader.read({ ...caller, now: services.now() }, scope, 'Encounter', id)
    if (!row || row.deleted) return refuse(row ? 'RECORD_DELETED' : 'RECORD_NOT_FOUND', { resourceType: 'Encounter' })
    const wanted = wantedBy(asked, 'Encounter')
    const types = typesOf(input)
    const count = countOf(input)
    // The encounter itself heads the first page, beside what the page counts.
    const isFirst = wanted.after === undefined && (types?.has('Encounter') ?? true) && !(wanted.since && row.updated < wanted.since)
    const found = row.patient === null ? [] : await readPage(store, scope, { patient: row.patient, encounter: id, ...wanted, ...(count === undefined ? {} : { limit: count + 1 }) })
    const { matches, next } = pageOf(found, count)
    return await answer(asked, {
      matches: isFirst ? [{ type: 'Encounter', row, body: store.bodyOf('Encounter', row) }, ...matches] : matches,
      along: ofEncounter,
      id,
      path: `Encounter/${id}/$everything`,
      next,
    })
  },
}
