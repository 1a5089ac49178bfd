import { isResourceType, resourceTypes } from '@carespine/fhir/definitions'
import type { ResourceType } from '@carespine/fhir/resource'
import { allows } from '@carespine/kit/permission'
import type { Actor, Narrowing } from '@carespine/store/contract'

type Level = 'patient' | 'user' | 'system'
type Letter = 'c' | 'r' | 'u' | 'd' | 's'

/** A scope for resources: `patient/Observation.rs?category=system|code` (SMART App Launch 2.2, section 4.1). */
export interface DataScope {
  text: string
  level: Level
  type: ResourceType | '*'
  letters: ReadonlySet<Letter>
  /** The one search parameter that it is narrowed by. */
  filter?: { name: string; value: string }
}

/** Scopes that say something else than which resources. */
export const CONTEXT_SCOPES = ['openid', 'fhirUser', 'launch', 'launch/patient', 'launch/encounter', 'online_access', 'offline_access'] as const

const LETTERS: readonly Letter[] = ['c', 'r', 'u', 'd', 's']
/** What the scopes of SMART 1 mean (section 4.1.9). */
const VERSION_1: Readonly<Record<string, string>> = { read: 'rs', write: 'cud', '*': 'cruds' }
const DATA = /^(patient|user|system)\/([A-Z][A-Za-z]*|\*)\.(read|write|\*|c?r?u?d?s?)(?:\?([^?]*))?$/

/** Scopes of a request, each once. */
export function scopesIn(text: string): string[] {
  return [...new Set(text.split(' ').filter((scope) => scope !== ''))]
}

/** Reads a scope for resources; undefined for any other, and for what is none. */
export function dataScope(text: string): DataScope | undefined {
  const [, level = '', type = '', rights = '', query] = DATA.exec(text) ?? []
  const letters = VERSION_1[rights] ?? rights
  if (letters === '' || (type !== '*' && !isResourceType(type))) return undefined
  const parameters = query === undefined ? [] : [...new URLSearchParams(query)]
  const [filter] = parameters
  if (query !== undefined && (parameters.length !== 1 || filter?.[1] === '' || type === '*' || rights in VERSION_1)) return undefined
  return {
    text,
    level: level as Level,
    type: type as ResourceType | '*',
    letters: new Set(letters as Iterable<Letter>),
    ...(filter ? { filter: { name: filter[0], value: filter[1] } } : {}),
  }
}

export function isContextScope(text: string): boolean {
  return (CONTEXT_SCOPES as readonly string[]).includes(text)
}

function dataScopes(scopes: readonly string[]): DataScope[] {
  return scopes.flatMap((text) => dataScope(text) ?? [])
}

/** Whether a scope lies within one of those that were registered or granted. */
export function isWithin(text: string, known: readonly string[]): boolean {
  if (known.includes(text)) return true
  const asked = dataScope(text)
  if (!asked) return false
  return dataScopes(known).some(
    (one) =>
      one.level === asked.level &&
      (one.type === '*' || one.type === asked.type) &&
      [...asked.letters].every((letter) => one.letters.has(letter)) &&
      (one.filter === undefined || (one.filter.name === asked.filter?.name && one.filter.value === asked.filter.value)),
  )
}

/** Terms of the index that a filter stands for; undefined when the index cannot tell what fits. */
export type TermsOf = (type: ResourceType, name: string, value: string) => readonly string[] | undefined

/** Whether what a scope asks for can be kept to: its filter is one that the index decides. */
export function isEnforceable({ type, filter }: DataScope, termsOf: TermsOf): boolean {
  return filter === undefined || (type !== '*' && termsOf(type, filter.name, filter.value) !== undefined)
}

interface OfType {
  letters: Set<Letter>
  narrowing: Narrowing
}

/**
 * The actor as an app acts for it: no more than it may do itself, and of that what the scopes say. With scopes of one level
 * `patient`, nothing of another patient is seen; where others stand beside them, each type keeps to its own.
 *
 * Filters of one type are joined by "or", and writing keeps to them as well. So a letter counts when every filter has it, or
 * a scope without one; and what is narrowed by a filter cannot be deleted: a deleted row has nothing to judge it by.
 */
export function actorWithin(actor: Actor, scopes: readonly string[], { patient, termsOf }: { patient?: string; termsOf: TermsOf }): Actor {
  const given = dataScopes(scopes).filter((scope) => scope.level !== 'patient' || patient !== undefined || actor.patient !== undefined)
  const levels = new Set(given.map(({ level }) => level === 'patient'))
  const named = [...new Set(given.map(({ type }) => type))]
  const narrowing: Record<string, Narrowing> = {}
  const permissions: string[] = actor.permissions.includes('terminology.read') || allows(actor.permissions, 'terminology.read') ? ['terminology.read'] : []
  const types: (ResourceType | '*')[] = levels.size > 1 || (named.length > 1 && named.includes('*')) ? [...resourceTypes] : named
  for (const type of types) {
    const one = ofType(given, type, patient, termsOf)
    if (!one) continue
    permissions.push(...permissionsFor(actor, type, one.letters))
    if (one.narrowing.terms || (one.narrowing.patient && levels.size > 1)) narrowing[type] = one.narrowing
  }
  const only = levels.size === 1 && levels.has(true) ? patient : undefined
  const bound = actor.patient ?? only
  return { ...actor, permissions, ...(bound === undefined ? {} : { patient: bound }), ...(Object.keys(narrowing).length > 0 ? { narrowing } : {}) }
}

function ofType(given: readonly DataScope[], type: ResourceType | '*', patient: string | undefined, termsOf: TermsOf): OfType | undefined {
  const all = given.filter((scope) => scope.type === type || scope.type === '*')
  const wide = all.filter(({ level }) => level !== 'patient')
  const scopes = wide.length > 0 ? wide : all
  if (scopes.length === 0) return undefined
  const bound = wide.length === 0 && patient !== undefined ? { patient } : {}
  const reading = scopes.filter(({ letters }) => letters.has('r') || letters.has('s'))
  const deciding = reading.length > 0 ? reading : scopes
  const whole = scopes.filter(({ filter }) => filter === undefined)
  if (deciding.some(({ filter }) => filter === undefined)) {
    return { letters: new Set(whole.flatMap(({ letters }) => [...letters])), narrowing: bound }
  }
  // All filters count for each letter, so a letter is given when each of them has it.
  const filters = Map.groupBy(deciding, filterText)
  const has = (some: readonly DataScope[], letter: Letter): boolean => some.some(({ letters }) => letters.has(letter))
  const letters = LETTERS.filter((letter) => letter !== 'd' && (has(whole, letter) || [...filters.keys()].every((text) => has(scopes.filter((scope) => filterText(scope) === text), letter))))
  const terms = deciding.flatMap(({ filter }) => (type === '*' || !filter ? [] : (termsOf(type, filter.name, filter.value) ?? [])))
  return { letters: new Set(letters), narrowing: { ...bound, terms: [...new Set(terms)] } }
}

const filterText = ({ filter }: DataScope): string => (filter ? `${filter.name}=${filter.value}` : '')

function permissionsFor({ permissions }: Actor, type: ResourceType | '*', letters: ReadonlySet<Letter>): string[] {
  return [...accessOf('read', 'rs', letters), ...accessOf('write', 'cud', letters)].flatMap(({ access, part }) => {
    const suffix = part === undefined ? access : `${access}:${part}`
    if (type !== '*' || allows(permissions, `fhir:*:${access}`)) return allows(permissions, `fhir:${type}:${access}`) ? [`fhir:${type}:${suffix}`] : []
    return resourceTypes.filter((one) => allows(permissions, `fhir:${one}:${access}`)).map((one) => `fhir:${one}:${suffix}`)
  })
}

/** A permission as a whole when all of its letters are given, else letter by letter: `fhir:Patient:read:s`. */
function accessOf(access: 'read' | 'write', parts: string, letters: ReadonlySet<Letter>): { access: string; part?: Letter }[] {
  const some = LETTERS.filter((letter) => parts.includes(letter) && letters.has(letter))
  return some.length === parts.length ? [{ access }] : some.map((part) => ({ access, part }))
}
