import { randomUUID } from 'node:crypto'
import type { ValueSet, ValueSetExpansionContains, ValueSetExpansionParameter } from '@carespine/fhir/resource'
import { wordsOf } from '@carespine/fhir/normalize'
import type { z } from '@carespine/kit/contract'
import { refuse } from '@carespine/kit/module'
import { displayIn, isLanguage } from './code-book.ts'
import type { expandValueSet } from './contract.ts'
import { type Entry, entriesOf } from './expansion.ts'
import { Library, splitCanonical } from './library.ts'
import type { Definition } from './published.ts'
import { refuseSaying } from './refuse-saying.ts'
import type { Reader, StoredDefinitions } from './stored-definitions.ts'

type Input = z.output<(typeof expandValueSet)['input']>

/** Most codes in one answer; for more there are pages. */
const MOST_IN_ONE = 10_000

/** The value set that a question names: sent with it, by id, or by canonical URL. */
export async function valueSetAsked(
  { url, id, valueSet, valueSetVersion }: Partial<Pick<Input, 'url' | 'id' | 'valueSet' | 'valueSetVersion'>>,
  library: Library,
): Promise<ValueSet> {
  if (valueSet) return valueSet
  if (id !== undefined) return (await library.byId('ValueSet', id)) ?? refuse('TERMINOLOGY_VALUE_SET_UNKNOWN')
  if (url === undefined) {
    return refuseSaying('TERMINOLOGY_INPUT_INVALID', 'required', 'Name the value set: url, valueSet, or the address of one.')
  }
  const canonical = valueSetVersion === undefined ? url : `${splitCanonical(url).url}|${valueSetVersion}`
  return (await library.valueSet(canonical)) ?? refuseSaying('TERMINOLOGY_VALUE_SET_UNKNOWN', 'not-found', `The value set ${canonical} is not here.`)
}

/** Resources sent with a question: itself, and what it contains. */
export function ownDefinitions(resource: Definition | undefined): Definition[] {
  if (!resource) return []
  const inner = (resource.contained ?? []).filter((one): one is Definition => ['ValueSet', 'CodeSystem', 'ConceptMap'].includes(one.resourceType))
  return [resource, ...inner]
}

/** Beginnings of words, in any order, of a code, a display or a designation; Arabic and Latin script alike. */
function fits(entry: Entry, wanted: readonly string[]): boolean {
  const words = [entry.code, entry.display ?? '', ...entry.designations.map(({ value }) => value ?? '')].flatMap(wordsOf)
  return wanted.every((part) => words.some((word) => word.startsWith(part)))
}

function isWanted(designation: Entry['designations'][number], tokens: readonly string[]): boolean {
  return tokens.some((token) => {
    const { url: system, version: code = '' } = splitCanonical(token)
    if (system === 'urn:ietf:bcp:47') return isLanguage(designation.language, code)
    return designation.use?.code === code && designation.use.system === system
  })
}

function containsOf(entry: Entry, { includeDesignations, designation, displayLanguage }: Input): ValueSetExpansionContains {
  const display = displayIn(entry, displayLanguage, entry.book?.language)
  const wanted = designation.length > 0 ? entry.designations.filter((one) => isWanted(one, designation)) : includeDesignations ? entry.designations : []
  return {
    system: entry.system,
    ...(entry.version === undefined ? {} : { version: entry.version }),
    ...(entry.abstract ? { abstract: true } : {}),
    ...(entry.inactive ? { inactive: true } : {}),
    code: entry.code,
    ...(display === undefined ? {} : { display }),
    ...(wanted.length > 0 ? { designation: [...wanted] } : {}),
  }
}

/** Each code below the nearest code above it that is in the set as well. */
function nested(entries: readonly Entry[], input: Input): ValueSetExpansionContains[] {
  const nodes = new Map(entries.map((entry) => [`${entry.system}|${entry.code}`, containsOf(entry, input)]))
  const top: ValueSetExpansionContains[] = []
  for (const { system, code, book } of entries) {
    const node = nodes.get(`${system}|${code}`) as ValueSetExpansionContains
    const parent = book?.parentsOf(code).map((one) => nodes.get(`${system}|${one}`)).find(Boolean)
    if (parent) parent.contains = [...(parent.contains ?? []), node]
    else top.push(node)
  }
  return top
}

function parametersOf(input: Input, library: Library): ValueSetExpansionParameter[] {
  const { filter, offset, count, activeOnly, includeDesignations, designation, excludeNested, excludeNotForUI, displayLanguage, excludeSystem } = input
  return [
    ...(filter === undefined ? [] : [{ name: 'filter', valueString: filter }]),
    ...(count === undefined ? [] : [{ name: 'offset', valueInteger: offset }, { name: 'count', valueInteger: count }]),
    ...(activeOnly ? [{ name: 'activeOnly', valueBoolean: true }] : []),
    ...(includeDesignations ? [{ name: 'includeDesignations', valueBoolean: true }] : []),
    ...designation.map((valueString) => ({ name: 'designation', valueString })),
    { name: 'excludeNested', valueBoolean: excludeNested },
    ...(excludeNotForUI ? [{ name: 'excludeNotForUI', valueBoolean: true }] : []),
    ...(displayLanguage === undefined ? [] : [{ name: 'displayLanguage', valueCode: displayLanguage }]),
    ...excludeSystem.map((valueUri) => ({ name: 'exclude-system', valueUri })),
    ...[...library.used].filter((used) => used.includes('|')).map((valueUri) => ({ name: 'version', valueUri })),
  ]
}

/** A value set with its expansion (R4 ValueSet-expand). Pages are cut after filtering; `total` counts all pages. */
export async function expand(input: Input, reader: Reader, stored: StoredDefinitions): Promise<ValueSet> {
  const { usual, forced, checked } = { usual: input.systemVersion, forced: input.forceSystemVersion, checked: input.checkSystemVersion }
  let library = new Library(reader, stored, ownDefinitions(input.valueSet), { usual, forced, checked })
  const set = await valueSetAsked(input, library)
  // What a stored set contains it may name as well.
  if (set.contained && !input.valueSet) library = new Library(reader, stored, ownDefinitions(set), { usual, forced, checked })
  const words = input.filter === undefined ? [] : wordsOf(input.filter)
  const excluded = new Set(input.excludeSystem.map((canonical) => splitCanonical(canonical).url))
  const entries = (await entriesOf(set, library)).filter(
    (entry) =>
      !(input.activeOnly && entry.inactive) && !(input.excludeNotForUI && entry.abstract) && !excluded.has(entry.system) && fits(entry, words),
  )
  const count = input.count ?? MOST_IN_ONE
  if (input.count === undefined && entries.length > MOST_IN_ONE) {
    const diagnostics = `The value set has ${entries.length} codes, of which at most ${MOST_IN_ONE} are sent at once. Ask for a page with count, or narrow it with filter.`
    refuseSaying('TERMINOLOGY_TOO_COSTLY', 'too-costly', diagnostics)
  }
  const page = entries.slice(input.offset, input.offset + count)
  // A page has no tree: what is above may stand on another.
  const contains = input.excludeNested || input.count !== undefined || words.length > 0 ? page.map((entry) => containsOf(entry, input)) : nested(page, input)
  const { compose, contained: _contained, text: _text, expansion: _expansion, ...head } = set
  return {
    ...head,
    ...(input.includeDefinition && compose ? { compose } : {}),
    expansion: {
      identifier: `urn:uuid:${randomUUID()}`,
      timestamp: reader.now.toISOString(),
      total: entries.length,
      ...(input.count === undefined && input.offset === 0 ? {} : { offset: input.offset }),
      parameter: parametersOf(input, library),
      ...(contains.length > 0 ? { contains } : {}),
    },
  }
}
