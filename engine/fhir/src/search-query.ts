import { isResourceType } from './definitions.ts'
import { isHashedDate } from './index-entries.ts'
import type { Issue } from './outcome.ts'
import type { ResourceType } from './resource.ts'
import { type SearchParameterDefinition, searchParametersOf } from './search-parameters.ts'
import { spanOf } from './dates.ts'

export type Comparator = 'eq' | 'ne' | 'gt' | 'ge' | 'lt' | 'le' | 'sa' | 'eb' | 'ap'

export interface Filter {
  parameter: SearchParameterDefinition
  modifier?: string
  /** Any of them matches. */
  values: readonly { comparator: Comparator; text: string }[]
}

export interface Include {
  /** Type that carries the reference. */
  source: ResourceType
  parameter: SearchParameterDefinition
  target?: string
}

/** A FHIR search, checked. */
export interface SearchQuery {
  type: ResourceType
  filters: readonly Filter[]
  /** Ids of `_id`, when given. */
  ids?: readonly string[]
  sort: readonly { parameter: SearchParameterDefinition | '_lastUpdated' | '_id'; descending: boolean }[]
  count: number
  cursor?: string
  includes: readonly Include[]
  revincludes: readonly Include[]
  total: 'none' | 'accurate'
  /** `_summary=count`: only how many. */
  countOnly: boolean
}

const DEFAULT_COUNT = 20
const MAX_COUNT = 1000
/** More than anybody means; each costs the database a condition. */
const MAX_PARAMETERS = 200
const MAX_SORTS = 8
const MAX_VALUES = 1000
const MAX_RANGES = 50
const COMPARATOR = /^(eq|ne|gt|ge|lt|le|sa|eb|ap)(?=[\d.+-])/
const IGNORED = new Set(['_format', '_pretty', '_elements'])

const modifiers: Readonly<Record<string, readonly string[]>> = {
  string: ['exact', 'contains', 'missing'],
  token: ['not', 'missing', 'starts-with'],
  reference: ['missing', 'identifier'],
  uri: ['missing'],
  date: ['missing'],
  number: ['missing'],
  quantity: ['missing'],
}

/**
 * Reads search parameters (R4 Search, http://hl7.org/fhir/R4/search.html). What is not understood is refused, not
 * ignored: a filter that silently does nothing shows the wrong patients.
 *
 * @returns The query, or the faults; `_elements`, `_format` and `_pretty` are left to the caller.
 */
export function parseSearch(
  type: ResourceType,
  parameters: Iterable<readonly [string, string]>,
): { query: SearchQuery; issues: [] } | { query: undefined; issues: Issue[] } {
  const issues: Issue[] = []
  const fault = (name: string, code: Issue['code'], diagnostics: string): void => {
    const shown = /^[\w:.-]{1,60}$/.test(name) ? name : 'a parameter'
    issues.push({ severity: 'error', code, diagnostics: `${shown}: ${diagnostics}` })
  }
  const known = searchParametersOf(type)
  const filters: Filter[] = []
  const includes: Include[] = []
  const revincludes: Include[] = []
  const query: { -readonly [K in keyof SearchQuery]: SearchQuery[K] } = {
    type,
    filters,
    sort: [],
    count: DEFAULT_COUNT,
    includes,
    revincludes,
    total: 'none',
    countOnly: false,
  }

  let given = 0
  for (const [name, text] of parameters) {
    given += 1
    if (given > MAX_PARAMETERS) {
      fault('parameters', 'too-costly', `give at most ${MAX_PARAMETERS}.`)
      break
    }
    if (text === '' || IGNORED.has(name)) continue
    // A cursor is looked at by whoever made it.
    if (name !== '_cursor' && text.includes('\0')) {
      fault(name, 'value', 'the value holds a NUL character.')
      continue
    }
    switch (name) {
      case '_count': {
        const count = Number(text)
        if (!Number.isInteger(count) || count < 0) fault(name, 'value', 'give a whole number from 0.')
        else query.count = Math.min(count, MAX_COUNT)
        continue
      }
      case '_id':
        query.ids = [...(query.ids ?? []), ...splitAt(text, ',')].slice(0, 1000)
        continue
      case '_cursor':
        query.cursor = text
        continue
      case '_total':
        if (!['none', 'accurate', 'estimate'].includes(text)) fault(name, 'value', 'use none, estimate or accurate.')
        else query.total = text === 'none' ? 'none' : 'accurate'
        continue
      case '_summary':
        if (text === 'count') query.countOnly = true
        else if (text !== 'false') fault(name, 'not-supported', 'only count and false are supported.')
        continue
      case '_sort':
        if (text.split(',').length > MAX_SORTS) {
          fault(name, 'too-costly', `sort by at most ${MAX_SORTS} parameters.`)
          continue
        }
        query.sort = text.split(',').flatMap((part): SearchQuery['sort'][number][] => {
          const descending = part.startsWith('-')
          const code = descending ? part.slice(1) : part
          if (code === '_lastUpdated' || code === '_id') return [{ parameter: code, descending }]
          const parameter = known.get(code)
          if (parameter && hasOrder(parameter)) return [{ parameter, descending }]
          const sortable = [...known.values()].filter(hasOrder).map((one) => one.code)
          fault(name, 'not-supported', `results can be sorted by _lastUpdated, _id, ${sortable.join(', ')}.`)
          return []
        })
        continue
      case '_include':
      case '_revinclude': {
        const include = readInclude(text)
        if (typeof include === 'string') fault(name, 'value', include)
        else (name === '_include' ? includes : revincludes).push(include)
        continue
      }
    }
    const [code = '', modifier] = name.split(':')
    const parameter = known.get(code)
    if (!parameter) {
      const reason = name.includes('.') || name.startsWith('_has') ? 'chained parameters are not supported.' : undefined
      fault(name, 'not-supported', reason ?? `${type} has no such search parameter. It has: ${[...known.keys()].join(', ')}.`)
      continue
    }
    const filter = readFilter(parameter, modifier, text)
    if (typeof filter === 'string') fault(name, 'value', filter)
    else filters.push(filter)
  }
  return issues.length > 0 ? { query: undefined, issues } : { query, issues: [] }
}

function hasOrder({ code, type }: SearchParameterDefinition): boolean {
  return (type === 'date' && !isHashedDate(code)) || type === 'number' || type === 'quantity'
}

/** Splits at a separator that no backslash stands before, and takes the backslashes away. */
function splitAt(text: string, separator: ',' | '|'): string[] {
  const parts: string[] = []
  let part = ''
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\' && at + 1 < text.length) {
      // Kept for the later split at `|`.
      part += separator === ',' ? (text[at] as string) + text[at + 1] : text[at + 1]
      at += 1
    } else if (text[at] === separator) {
      parts.push(part)
      part = ''
    } else part += text[at]
  }
  return [...parts, part]
}

/** A token to search for, exact whatever it holds: `,`, `|` and `\` of FHIR's search syntax are escaped in both parts. */
export function tokenOf(system: string, value: string): string {
  const literal = (text: string): string => text.replace(/[\\,|$]/g, '\\$&')
  return `${literal(system)}|${literal(value)}`
}

/** `system|code` of a token value: system undefined when none was asked for, '' when it must be absent. */
export function splitToken(text: string): { system?: string; code: string } {
  const parts = splitAt(text, '|')
  return parts.length === 1 ? { code: parts[0] ?? '' } : { system: parts[0] ?? '', code: parts.slice(1).join('|') }
}

/** Number, system and unit of a quantity value. */
export function splitQuantity(text: string): { number: string; unit?: string } {
  const [number = '', , unit] = splitAt(text, '|')
  return { number, ...(unit ? { unit } : {}) }
}

function readFilter(parameter: SearchParameterDefinition, modifier: string | undefined, text: string): Filter | string {
  const isType = parameter.type === 'reference' && modifier !== undefined && isResourceType(modifier)
  if (modifier !== undefined && !isType && !modifiers[parameter.type]?.includes(modifier)) {
    return `the modifier is not supported here; ${parameter.type} parameters take ${modifiers[parameter.type]?.join(', ')}.`
  }
  if (modifier === 'missing' && text !== 'true' && text !== 'false') return ':missing takes true or false.'
  const ordered = parameter.type === 'date' || parameter.type === 'number' || parameter.type === 'quantity'
  const parts = splitAt(text, ',')
  // Split again at `|` later, which takes the backslashes away.
  const hasParts = parameter.type === 'token' || parameter.type === 'quantity' || modifier === 'identifier'
  const most = ordered ? MAX_RANGES : MAX_VALUES
  if (parts.length > most) return `give at most ${most} values.`
  const values = parts.map((part) => {
    const comparator = ordered ? COMPARATOR.exec(part)?.[1] : undefined
    const value = comparator ? part.slice(2) : part
    return { comparator: (comparator ?? 'eq') as Comparator, text: hasParts ? value : value.replace(/\\(.)/gs, '$1') }
  })
  if (modifier !== 'missing') {
    for (const value of values) {
      if (parameter.type === 'date' && !spanOf(value.text)) return 'give a date: YYYY, YYYY-MM, YYYY-MM-DD or with a time.'
      if (parameter.type === 'number' && !Number.isFinite(Number(value.text || 'x'))) return 'give a number.'
      if (parameter.type === 'quantity' && !Number.isFinite(Number(splitQuantity(value.text).number || 'x'))) {
        return 'give a number, or number|system|unit.'
      }
    }
  }
  return { parameter, ...(modifier === undefined ? {} : { modifier }), values }
}

function readInclude(text: string): Include | string {
  const [source = '', code = '', target] = text.split(':')
  if (!isResourceType(source)) return 'give Type:parameter, with a type of R4.'
  const parameter = searchParametersOf(source).get(code)
  if (parameter?.type !== 'reference') return `${source} has no reference parameter of this name.`
  if (target !== undefined && !isResourceType(target)) return 'the target is no type of R4.'
  return { source, parameter, ...(target === undefined ? {} : { target }) }
}
