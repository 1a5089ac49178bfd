import type { ValueSet, ValueSetComposeInclude, ValueSetExpansionContains } from '@carespine/fhir/resource'
import type { CodeBook, Concept } from './code-book.ts'
import { filterOf } from './compose-filter.ts'
import type { Library } from './library.ts'
import { refuseSaying } from './refuse-saying.ts'

/** One code of an expanded value set. */
export interface Entry {
  system: string
  version?: string
  code: string
  display?: string
  designations: Concept['designations']
  abstract: boolean
  inactive: boolean
  book?: CodeBook
  concept?: Concept
}

const DEEPEST = 20
/** More than this is not put together, page or no page. */
const MOST_ENTRIES = 400_000

const keyOf = ({ system, code }: { system: string; code: string }): string => `${system}|${code}`

function cannot(code: 'not-found' | 'too-costly' | 'business-rule', diagnostics: string): never {
  return refuseSaying(code === 'too-costly' ? 'TERMINOLOGY_TOO_COSTLY' : 'TERMINOLOGY_NOT_EXPANDABLE', code, diagnostics)
}

/**
 * The codes of a value set, in the order of its definition (R4 ValueSet, section 4.9.8). Refuses a set that cannot be
 * listed whole: a shorter list would be taken for the whole.
 */
export async function entriesOf(set: ValueSet, library: Library, path: readonly string[] = []): Promise<Entry[]> {
  const name = set.url ?? 'the value set'
  if (!set.compose) {
    return set.expansion ? expanded(set.expansion.contains ?? []) : cannot('business-rule', `${name} has neither a definition nor an expansion.`)
  }
  if (set.url !== undefined && path.includes(set.url)) cannot('business-rule', `${name} takes in itself.`)
  if (path.length > DEEPEST) cannot('too-costly', 'Value sets take in one another too deeply.')
  const below = [...path, set.url ?? '']
  const entries = new Map<string, Entry>()
  for (const include of set.compose.include ?? []) {
    for (const entry of await included(include, library, below)) {
      const key = keyOf(entry)
      if (!entries.has(key)) entries.set(key, entry)
    }
    if (entries.size > MOST_ENTRIES) cannot('too-costly', `${name} has more than ${MOST_ENTRIES} codes.`)
  }
  for (const exclude of set.compose.exclude ?? []) for (const entry of await included(exclude, library, below)) entries.delete(keyOf(entry))
  const list = [...entries.values()]
  return set.compose.inactive === false ? list.filter(({ inactive }) => !inactive) : list
}

function expanded(contains: readonly ValueSetExpansionContains[]): Entry[] {
  return contains.flatMap(({ system, version, code, display, designation, abstract, inactive, contains: inner }) => [
    ...(system === undefined || code === undefined
      ? []
      : [
          {
            system,
            ...(version === undefined ? {} : { version }),
            code,
            ...(display === undefined ? {} : { display }),
            designations: designation ?? [],
            abstract: abstract === true,
            inactive: inactive === true,
          },
        ]),
    ...(inner ? expanded(inner) : []),
  ])
}

// A system, narrowed by codes or filters, and value sets: what is in all of them.
async function included(include: ValueSetComposeInclude, library: Library, path: readonly string[]): Promise<Entry[]> {
  library.spend(20)
  const sets: Entry[][] = []
  for (const canonical of include.valueSet ?? []) {
    const set = (await library.valueSet(canonical)) ?? cannot('not-found', `The value set ${canonical} is not here.`)
    const entries = await entriesOf(set, library, path)
    library.spend(entries.length)
    sets.push(entries)
  }
  const [first, ...others] = sets
  const inOthers = others.map((entries) => new Set(entries.map(keyOf)))
  const isInAll = (entry: { system: string; code: string }): boolean => inOthers.every((keys) => keys.has(keyOf(entry)))
  if (include.system === undefined) return (first ?? []).filter(isInAll)
  if (!first) return await ofSystem(include, include.system, library)
  const { system } = include
  const candidates = first.filter((entry) => entry.system === system && isInAll(entry))
  return await narrowed(include, system, candidates, library)
}

async function ofSystem(include: ValueSetComposeInclude, system: string, library: Library): Promise<Entry[]> {
  const book = await library.codes(system, include.version)
  if (include.concept) {
    return include.concept.flatMap(({ code, display, designation }) => {
      if (code === undefined) return []
      const concept = book?.find(code)
      return [entryOf(system, include.version, code, book, concept, { display, designations: designation ?? [] })]
    })
  }
  if (!book) return cannot('not-found', `The codes of ${system}${include.version === undefined ? '' : ` ${include.version}`} are not here.`)
  const all = book.all() ?? cannot('too-costly', `The codes of ${system} follow a rule and cannot be listed.`)
  library.spend(all.length)
  const filters = (include.filter ?? []).map((filter) => filterOf(book, filter, library.patience))
  return all.filter((concept) => filters.every((fits) => fits(concept))).map((concept) => entryOf(system, include.version, concept.code, book, concept))
}

async function narrowed(include: ValueSetComposeInclude, system: string, candidates: Entry[], library: Library): Promise<Entry[]> {
  if (include.concept) {
    const listed = new Set(include.concept.map(({ code }) => code))
    return candidates.filter(({ code }) => listed.has(code))
  }
  if (!include.filter?.length) return candidates
  const book = (await library.codes(system, include.version)) ?? cannot('not-found', `The codes of ${system} are not here.`)
  const filters = include.filter.map((filter) => filterOf(book, filter, library.patience))
  return candidates.filter(({ code }) => {
    const concept = book.find(code)
    return concept !== undefined && filters.every((fits) => fits(concept))
  })
}

function entryOf(
  system: string,
  version: string | undefined,
  code: string,
  book: CodeBook | undefined,
  concept: Concept | undefined,
  listed: { display?: string | undefined; designations: Concept['designations'] } = { designations: [] },
): Entry {
  const display = listed.display ?? concept?.display
  return {
    system,
    ...(version === undefined ? {} : { version }),
    code,
    ...(display === undefined ? {} : { display }),
    designations: listed.designations.length > 0 ? [...listed.designations, ...(concept?.designations ?? [])] : (concept?.designations ?? []),
    abstract: concept?.abstract === true,
    inactive: concept?.inactive === true,
    ...(book ? { book } : {}),
    ...(concept ? { concept } : {}),
  }
}
