import { isResourceType } from './definitions.ts'
import { readFilterExpression } from './filter-expression.ts'
import type { Circle } from './near.ts'
import type { Issue } from './outcome.ts'
import type { ResourceType } from './resource.ts'
import { isFault, readFilter, type ReadingOptions } from './search-filters.ts'
import { type ParameterLookup, type SearchParameterDefinition, searchParametersOf } from './search-parameters.ts'
import { parseTextQuery, type TextQuery } from './text-query.ts'

/** The prefixes of R4; `overlaps` is `po` of a `_filter`. */
export type Comparator = 'eq' | 'ne' | 'gt' | 'ge' | 'lt' | 'le' | 'sa' | 'eb' | 'ap' | 'overlaps'

/** One value that is asked for, taken apart. */
export interface AskedValue {
  comparator: Comparator
  /** As it was given, without what escapes it. */
  text: string
  /** Of a token, an identifier or a quantity: absent when none was asked for, '' when it must be absent. */
  system?: string
  code?: string
  /** Of `:of-type`: system and code of the identifier's type. */
  kind?: { system?: string; code: string }
  number?: string
  unit?: string
  /** Of a composite, one for each component. */
  parts?: readonly AskedValue[]
  circle?: Circle
}

/** Values of one parameter; any of them matches. */
export interface ValueFilter {
  kind: 'value'
  parameter: SearchParameterDefinition
  /** As in R4; a `_filter` also brings `equal`, `starts`, `ends` and `unequal`. */
  modifier?: string
  values: readonly AskedValue[]
}

/** `subject:Patient.name=x`: a reference to a resource that matches. */
export interface ChainFilter {
  kind: 'chain'
  parameter: SearchParameterDefinition
  targets: readonly { type: ResourceType; filter: Filter }[]
}

/** `_has:Observation:patient:code=x`: a resource that matches refers to this one. */
export interface ReverseFilter {
  kind: 'has'
  source: ResourceType
  parameter: SearchParameterDefinition
  filter: Filter
}

/** `_list=12`: the resource is on that list. */
export interface ListFilter {
  kind: 'list'
  id: string
}

export interface TextFilter {
  kind: 'text'
  where: 'narrative' | 'content'
  query: TextQuery
}

/** `_contained`: the resource holds one of the type that matches. */
export interface ContainedFilter {
  kind: 'contained'
  type: ResourceType
  filters: readonly Filter[]
}

export type Filter =
  | ValueFilter
  | ChainFilter
  | ReverseFilter
  | ListFilter
  | TextFilter
  | ContainedFilter
  | { kind: 'all' | 'any'; filters: readonly Filter[] }
  | { kind: 'not'; filter: Filter }

export interface Include {
  /** Type that carries the reference; `*` for any. */
  source: ResourceType | '*'
  /** `*` for every reference parameter of the source. */
  parameter: SearchParameterDefinition | '*'
  target?: ResourceType
  /** Also follows from resources that were included. */
  iterate: boolean
}

export interface SortKey {
  parameter: SearchParameterDefinition | '_lastUpdated' | '_id'
  descending: boolean
}

/** A FHIR search, checked. */
export interface SearchQuery {
  type: ResourceType
  filters: readonly Filter[]
  /** Without any, by id: an order that writers do not change while pages are read. */
  sort: readonly SortKey[]
  count: number
  cursor?: string
  includes: readonly Include[]
  revincludes: readonly Include[]
  total: 'none' | 'accurate'
  /** `_summary=count`: only how many. */
  countOnly: boolean
  summary?: 'true' | 'text' | 'data'
  elements?: readonly string[]
  contained?: 'true' | 'both'
  containedType: 'container' | 'contained'
}

export interface SearchOptions {
  /** `lenient` leaves out what is not known or supported, and says so in `ignored`. */
  handling?: 'strict' | 'lenient'
  /** Parameters of a type; those of R4 when absent. */
  parametersOf?: ParameterLookup
  /** Address of this server: references under it are local ones. */
  base?: string
  /** Why a parameter that was added here cannot be searched by yet; undefined when there is none of this code. */
  notReady?(type: ResourceType, code: string): string | undefined
  /** Types that the asker may read: chains without a type reach no others. */
  mayRead?(type: ResourceType): boolean
}

export type ParsedSearch =
  | { query: SearchQuery; issues: []; ignored: Issue[]; used: [string, string][] }
  | { query: undefined; issues: Issue[]; ignored: Issue[]; used: [string, string][] }

const DEFAULT_COUNT = 20
export const MAX_COUNT = 1000
/** More than anybody means; each costs the database a condition. */
const MAX_PARAMETERS = 200
const MAX_SORTS = 8
const LEFT_TO_OTHERS = new Set(['_format', '_pretty'])

type Draft = { -readonly [K in keyof SearchQuery]: SearchQuery[K] } & { filters: Filter[]; includes: Include[]; revincludes: Include[] }

/**
 * Reads search parameters (R4 Search, http://hl7.org/fhir/R4/search.html). What is not understood is refused, not
 * ignored, unless the asker wants it so: a filter that silently does nothing shows the wrong patients.
 *
 * @returns The query, or the faults; `_format` and `_pretty` are left to the caller.
 */
export function parseSearch(type: ResourceType, parameters: Iterable<readonly [string, string]>, options: SearchOptions = {}): ParsedSearch {
  const { handling = 'strict', parametersOf = searchParametersOf } = options
  const reading: ReadingOptions = { ...options, parametersOf }
  const issues: Issue[] = []
  const ignored: Issue[] = []
  const used: [string, string][] = []
  const draft: Draft = {
    type,
    filters: [],
    sort: [],
    count: DEFAULT_COUNT,
    includes: [],
    revincludes: [],
    total: 'none',
    countOnly: false,
    containedType: 'container',
  }
  let given = 0
  for (const [name, text] of parameters) {
    given += 1
    if (given > MAX_PARAMETERS) {
      issues.push(faultOf('parameters', 'too-costly', `give at most ${MAX_PARAMETERS}.`))
      break
    }
    if (text === '') continue
    const fault = LEFT_TO_OTHERS.has(name) ? undefined : readParameter(draft, name, text, reading)
    if (!fault) used.push([name, text])
    else if (handling === 'lenient' && fault.code === 'not-supported') ignored.push({ ...fault, severity: 'warning', diagnostics: `Ignored: ${fault.diagnostics}` })
    else issues.push(fault)
  }
  // R4 Search, 3.1.1.5.3: no resources asked for is the same as how many there are.
  if (draft.count === 0) draft.countOnly = true
  const clash = clashOf(draft)
  if (clash) issues.push(clash)
  return issues.length > 0 ? { query: undefined, issues, ignored, used } : { query: draft, issues: [], ignored, used }
}

function faultOf(name: string, code: Issue['code'], diagnostics: string): Issue {
  const shown = /^[\w:.-]{1,100}$/.test(name) ? name : 'a parameter'
  return { severity: 'error', code, diagnostics: `${shown}: ${diagnostics}` }
}

function readParameter(draft: Draft, name: string, text: string, reading: ReadingOptions): Issue | undefined {
  // A cursor is looked at by whoever made it.
  if (name !== '_cursor' && text.includes('\0')) return faultOf(name, 'value', 'the value holds a NUL character.')
  const control = Object.hasOwn(controls, name) ? controls[name] : undefined
  if (control) return control(draft, text, reading, name)
  const [head = ''] = name.split(':')
  if (head === '_include' || head === '_revinclude') return readInclude(draft, name, text, reading)
  const filter = readFilter(draft.type, name, text, reading)
  if (isFault(filter)) return faultOf(name, filter.code, filter.problem)
  draft.filters.push(filter)
  return undefined
}

type Control = (draft: Draft, text: string, reading: ReadingOptions, name: string) => Issue | undefined

function oneOf<T extends string>(choices: readonly T[], set: (draft: Draft, choice: T) => void): Control {
  return (draft, text, _reading, name) => {
    const choice = choices.find((one) => one === text)
    if (choice === undefined) return faultOf(name, 'value', `use one of ${choices.join(', ')}.`)
    set(draft, choice)
    return undefined
  }
}

function textFilter(where: TextFilter['where']): Control {
  return (draft, text, _reading, name) => {
    const query = parseTextQuery(text)
    if (!query) return faultOf(name, 'value', 'give words, with AND, OR, NOT, brackets and quotes where needed.')
    draft.filters.push({ kind: 'text', where, query })
    return undefined
  }
}

const controls: Readonly<Record<string, Control>> = {
  _count(draft, text, _reading, name) {
    const count = Number(text)
    if (!/^\d{1,9}$/.test(text)) return faultOf(name, 'value', 'give a whole number from 0.')
    draft.count = Math.min(count, MAX_COUNT)
    return undefined
  },
  _cursor(draft, text) {
    draft.cursor = text
    return undefined
  },
  _total: oneOf(['none', 'accurate', 'estimate'], (draft, choice) => {
    draft.total = choice === 'none' ? 'none' : 'accurate'
  }),
  _summary: oneOf(['true', 'text', 'data', 'count', 'false'], (draft, choice) => {
    draft.countOnly = choice === 'count'
    if (choice === 'true' || choice === 'text' || choice === 'data') draft.summary = choice
  }),
  _elements(draft, text, _reading, name) {
    const elements = text.split(',').map((one) => one.trim()).filter(Boolean)
    if (elements.length > 100 || elements.some((one) => !/^[A-Za-z][\w.]{0,100}$/.test(one))) return faultOf(name, 'value', 'give names of elements, with commas between.')
    draft.elements = [...(draft.elements ?? []), ...elements]
    return undefined
  },
  _contained: oneOf(['false', 'true', 'both'], (draft, choice) => {
    if (choice !== 'false') draft.contained = choice
  }),
  _containedType: oneOf(['container', 'contained'], (draft, choice) => {
    draft.containedType = choice
  }),
  _text: textFilter('narrative'),
  _content: textFilter('content'),
  _list(draft, text, _reading, name) {
    if (text.startsWith('$')) return faultOf(name, 'not-supported', 'functional lists are not supported; give the id of a List.')
    const id = text.startsWith('List/') ? text.slice(5) : text
    if (!/^[A-Za-z0-9\-.]{1,64}$/.test(id)) return faultOf(name, 'value', 'give the id of a List.')
    draft.filters.push({ kind: 'list', id })
    return undefined
  },
  _filter(draft, text, reading, name) {
    const filter = readFilterExpression(draft.type, text, reading)
    if (isFault(filter)) return faultOf(name, filter.code, filter.problem)
    draft.filters.push(filter)
    return undefined
  },
  _query: (_draft, _text, _reading, name) => faultOf(name, 'not-supported', 'there are no named queries here.'),
  _sort(draft, text, reading, name) {
    const parts = text.split(',')
    if (parts.length > MAX_SORTS) return faultOf(name, 'too-costly', `sort by at most ${MAX_SORTS} parameters.`)
    const keys: SortKey[] = []
    for (const part of parts) {
      const descending = part.startsWith('-')
      const code = descending ? part.slice(1) : part
      const parameter = reading.parametersOf(draft.type).get(code)
      if (code === '_lastUpdated' || code === '_id') keys.push({ parameter: code, descending })
      else if (parameter && parameter.type !== 'composite' && parameter.type !== 'special') keys.push({ parameter, descending })
      else return faultOf(name, 'not-supported', `${draft.type} cannot be sorted by this; give its search parameters, composite and special ones apart.`)
    }
    draft.sort = keys
    return undefined
  },
}

function readInclude(draft: Draft, name: string, text: string, reading: ReadingOptions): Issue | undefined {
  const [head, modifier] = name.split(':')
  if (modifier !== undefined && modifier !== 'iterate' && modifier !== 'recurse') return faultOf(name, 'not-supported', 'takes :iterate only.')
  const iterate = modifier !== undefined
  const isReverse = head === '_revinclude'
  const list = isReverse ? draft.revincludes : draft.includes
  if (text === '*') {
    list.push({ source: '*', parameter: '*', iterate })
    return undefined
  }
  const [source = '', code = '', target] = text.split(':')
  if (!isResourceType(source)) return faultOf(name, 'value', 'give Type:parameter, with a type of R4, or *.')
  if (target !== undefined && !isResourceType(target)) return faultOf(name, 'value', 'the target is no type of R4.')
  const only = target === undefined ? {} : { target }
  if (code === '*') {
    list.push({ source, parameter: '*', iterate, ...only })
    return undefined
  }
  const parameter = reading.parametersOf(source).get(code)
  if (parameter?.type !== 'reference') return faultOf(name, 'not-supported', `${source} has no reference parameter of this name.`)
  list.push({ source, parameter, iterate, ...only })
  return undefined
}

// R4 Search, 3.1.1.5.8 and 3.1.1.5.5.
function clashOf({ summary, elements, includes, revincludes, contained, filters }: SearchQuery): Issue | undefined {
  if (summary === 'text' && (includes.length > 0 || revincludes.length > 0)) return faultOf('_summary', 'value', 'text cannot be combined with _include or _revinclude.')
  if (summary !== undefined && elements !== undefined) return faultOf('_elements', 'value', 'cannot be combined with _summary.')
  if (contained === undefined) return undefined
  if (includes.length > 0 || revincludes.length > 0) return faultOf('_contained', 'not-supported', 'cannot be combined with _include or _revinclude.')
  const reaches = (filter: Filter): boolean =>
    filter.kind === 'chain' || filter.kind === 'has' || filter.kind === 'list' || ('filters' in filter && filter.filters.some(reaches)) || (filter.kind === 'not' && reaches(filter.filter))
  return filters.some(reaches) ? faultOf('_contained', 'not-supported', 'cannot be combined with chains, _has and _list.') : undefined
}

/** A token to search for, exact whatever it holds: `,`, `|` and `\` of FHIR's search syntax are escaped in both parts. */
export function tokenOf(system: string, value: string): string {
  const literal = (text: string): string => text.replace(/[\\,|$]/g, '\\$&')
  return `${literal(system)}|${literal(value)}`
}
