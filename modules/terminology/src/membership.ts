import type { ValueSet, ValueSetComposeInclude, ValueSetExpansionContains } from '@carespine/fhir/resource'
import type { CodeBook, Concept } from './code-book.ts'
import { filterOf } from './compose-filter.ts'
import type { Library } from './library.ts'

/** Whether a code is in a set. `unknown` when a code system or a value set that decides it is not here. */
export interface Membership {
  is: 'in' | 'out' | 'unknown'
  /** Where the value set lists the code: the display it gives. */
  listed?: { display?: string; designations: Concept['designations'] }
  system?: string
  /** What is not here, as a canonical URL. */
  missing?: string
}

const DEEPEST = 20
const out: Membership = { is: 'out' }
const unknown = (missing: string): Membership => ({ is: 'unknown', missing })

export interface Asked {
  /** Undefined when the code alone was given: it may be of any system of the set. */
  system?: string
  version?: string
  code: string
}

/** Value sets sent with the question or contained in another are looked up in the library as well. */
export async function membershipOf(set: ValueSet, asked: Asked, library: Library, path: readonly string[] = []): Promise<Membership> {
  if (!set.compose) return set.expansion ? inExpansion(set.expansion.contains ?? [], asked) : unknown(set.url ?? '')
  if (path.length > DEEPEST || (set.url !== undefined && path.includes(set.url))) return unknown(set.url ?? '')
  const below = set.url === undefined ? path : [...path, set.url]
  let found: Membership = out
  for (const include of set.compose.include ?? []) {
    const one = await inInclude(include, asked, library, below, set.compose.inactive === false)
    if (one.is === 'in') {
      found = one
      break
    }
    if (one.is === 'unknown') found = one
  }
  if (found.is === 'out') return out
  for (const exclude of set.compose.exclude ?? []) {
    const one = await inInclude(exclude, found.system === undefined ? asked : { ...asked, system: found.system }, library, below, false)
    if (one.is === 'in') return out
    if (one.is === 'unknown') found = one
  }
  return found
}

async function inInclude(include: ValueSetComposeInclude, asked: Asked, library: Library, path: readonly string[], activeOnly: boolean): Promise<Membership> {
  library.spend(20)
  let found: Membership | undefined
  if (include.system !== undefined) {
    if (asked.system !== undefined && asked.system !== include.system) return out
    found = await inSystem(include, include.system, asked, library, activeOnly)
    if (found.is === 'out') return out
  }
  for (const canonical of include.valueSet ?? []) {
    const set = await library.valueSet(canonical)
    const one = set ? await membershipOf(set, found?.system === undefined ? asked : { ...asked, system: found.system }, library, path) : unknown(canonical)
    if (one.is === 'out') return out
    found = found === undefined || found.is === 'in' ? { ...one, ...(found?.listed ? { listed: found.listed } : {}) } : found
  }
  return found ?? out
}

async function inSystem(include: ValueSetComposeInclude, system: string, asked: Asked, library: Library, activeOnly: boolean): Promise<Membership> {
  const inside: Membership = { is: 'in', system }
  const book = await library.codes(system, include.version)
  const concept = book?.find(asked.code)
  if (activeOnly && concept?.inactive) return out
  if (include.concept) {
    const listed = include.concept.find(({ code }) => code === asked.code || (concept !== undefined && code === concept.code))
    if (!listed) return out
    return { ...inside, listed: { ...(listed.display === undefined ? {} : { display: listed.display }), designations: listed.designation ?? [] } }
  }
  if (!book) return unknown(include.version === undefined ? system : `${system}|${include.version}`)
  if (!concept) return isOpen(book) ? unknown(system) : out
  for (const filter of include.filter ?? []) if (!filterOf(book, filter, library.patience)(concept)) return out
  return inside
}

const isOpen = ({ complete }: CodeBook): boolean => !complete

function inExpansion(contains: readonly ValueSetExpansionContains[], asked: Asked): Membership {
  for (const { system, code, display, designation, contains: inner } of contains) {
    if (code === asked.code && (asked.system === undefined || asked.system === system)) {
      return { is: 'in', ...(system === undefined ? {} : { system }), listed: { ...(display === undefined ? {} : { display }), designations: designation ?? [] } }
    }
    const below = inner ? inExpansion(inner, asked) : out
    if (below.is === 'in') return below
  }
  return out
}
