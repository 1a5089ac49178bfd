import { createHash } from 'node:crypto'
import { type Span, spanOfValue } from './dates.ts'
import { digitsOf, wordsOf } from './normalize.ts'
import type { Resource, ResourceType } from './resource.ts'
import { type SearchParameterDefinition, searchParametersOf, valuesAt } from './search-parameters.ts'
import { canonicalUnit } from './units.ts'

/** Longest beginning of a word that is indexed; longer terms are checked after decryption. */
export const LONGEST_PREFIX = 10

export interface IndexColumn {
  name: string
  sqlType: 'timestamptz' | 'float8'
}

export interface IndexEntries {
  /** Index terms, to be hashed. */
  facts: string[]
  /** Typed columns: ISO times or numbers. */
  columns: Record<string, string | number | null>
}

// Birth and death dates identify people: they are hashed like names, never stored as dates.
const HASHED_DATES: ReadonlySet<string> = new Set(['birthdate', 'death-date'])

/** True for date parameters that have no column; ranges of them are checked after decryption. */
export function isHashedDate(code: string): boolean {
  return HASHED_DATES.has(code)
}

function columnOf(code: string): string {
  return code.replace(/^_/, '').replaceAll('-', '_')
}

/** Column names of a parameter's lower and upper end. */
export function columnsOf({ code }: SearchParameterDefinition): { low: string; high: string } {
  return { low: `${columnOf(code)}_lo`, high: `${columnOf(code)}_hi` }
}

function hasColumns({ type, code }: SearchParameterDefinition): boolean {
  if (code.startsWith('_') || code.startsWith('context-')) return false
  return (type === 'date' && !isHashedDate(code)) || type === 'number' || type === 'quantity'
}

const columnLists = new Map<ResourceType, readonly IndexColumn[]>()

/** The typed columns of a resource type's table, in order. */
export function indexColumns(type: ResourceType): readonly IndexColumn[] {
  let columns = columnLists.get(type)
  if (!columns) {
    columns = [...searchParametersOf(type).values()]
      .filter(hasColumns)
      .sort((a, b) => (a.code < b.code ? -1 : 1))
      .flatMap((parameter): IndexColumn[] => {
        const sqlType = parameter.type === 'date' ? 'timestamptz' : 'float8'
        const { low, high } = columnsOf(parameter)
        return [
          { name: low, sqlType },
          { name: high, sqlType },
        ]
      })
    columnLists.set(type, columns)
  }
  return columns
}

const MAIN_DATES = ['date', 'authored-on', 'authoredon', 'authored', 'issued', 'recorded-date', 'onset-date', 'period', 'effective', 'occurrence', 'whenhandedover', 'created', 'sent', 'collected']

/** The column that orders a patient's resources of a type in time. */
export function mainDateOf(type: ResourceType): string | undefined {
  const parameters = searchParametersOf(type)
  const code = MAIN_DATES.find((name) => parameters.get(name)?.type === 'date')
  const parameter = code === undefined ? undefined : parameters.get(code)
  return parameter && columnsOf(parameter).low
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Key of a resource id: the id itself when it is a uuid in lower case, else a uuid made from its hash. */
export function idKey(id: string): string {
  if (UUID.test(id)) return id
  const hex = createHash('sha256').update(`carespine-id:${id}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-9${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** Index terms and typed columns of a resource, for every R4 search parameter of its type. */
export function indexEntries(resource: Resource): IndexEntries {
  const facts = new Set<string>()
  const columns: IndexEntries['columns'] = {}
  for (const parameter of searchParametersOf(resource.resourceType).values()) {
    if (parameter.code === '_id' || parameter.code === '_lastUpdated') continue
    for (const path of parameter.paths) {
      for (const value of valuesAt(resource, path)) {
        switch (parameter.type) {
          case 'token':
            if (isOtherContact(parameter.code, value)) break
            for (const token of tokensOf(value)) addToken(facts, parameter.code, token)
            if (resource.resourceType === 'Patient') addNumberPrefixes(facts, parameter.code, value)
            break
          case 'reference':
            addReference(facts, parameter.code, value, path.target)
            break
          case 'string':
            for (const text of textsOf(value)) addString(facts, parameter.code, text)
            break
          case 'uri':
            if (typeof value === 'string') facts.add(`${parameter.code}=${value}`)
            break
          case 'date':
            if (isHashedDate(parameter.code)) addHashedDate(facts, parameter.code, value)
            else if (hasColumns(parameter)) widenDate(columns, parameter, spanOfValue(value))
            break
          default:
            if (hasColumns(parameter)) widenNumber(facts, columns, parameter, value)
        }
      }
    }
  }
  return { facts: [...facts], columns: datesAsText(resource.resourceType, columns) }
}

function datesAsText(type: ResourceType, columns: IndexEntries['columns']): IndexEntries['columns'] {
  for (const { name, sqlType } of indexColumns(type)) {
    const value = columns[name]
    if (sqlType === 'timestamptz' && typeof value === 'number') columns[name] = new Date(value).toISOString()
  }
  return columns
}

export interface Token {
  system?: string
  code: string
}

/** Codes in a value of a token parameter: Coding, CodeableConcept, Identifier, ContactPoint, boolean, code. */
export function tokensOf(value: unknown): Token[] {
  if (typeof value === 'string') return [{ code: value }]
  if (typeof value === 'boolean') return [{ code: String(value) }]
  if (typeof value !== 'object' || value === null) return []
  const { coding, system, code, value: identifier } = value as { coding?: unknown[]; system?: string; code?: string; value?: string }
  if (Array.isArray(coding)) return coding.flatMap(tokensOf)
  const text = code ?? identifier
  if (typeof text !== 'string') return []
  return [{ ...(typeof system === 'string' ? { system } : {}), code: text }]
}

// `phone` and `email` select from telecom by its system.
function isOtherContact(parameter: string, value: unknown): boolean {
  if (parameter !== 'phone' && parameter !== 'email') return false
  return (value as { system?: unknown }).system !== parameter
}

function addToken(facts: Set<string>, parameter: string, { system, code }: Token): void {
  facts.add(`${parameter}||${code}`)
  facts.add(`${parameter}|${system ?? '-'}|${code}`)
  if (system !== undefined) facts.add(`${parameter}|${system}|`)
}

// Search as one types, by the beginning of an MRN or of a phone number: the whole digits and the last nine, so that a
// number is found with and without its country code.
function addNumberPrefixes(facts: Set<string>, parameter: string, value: unknown): void {
  const { value: text } = value as { value?: unknown }
  if (typeof text !== 'string' || (parameter !== 'identifier' && parameter !== 'phone')) return
  const digits = parameter === 'phone' ? digitsOf(text) : text.toLowerCase()
  for (const form of parameter === 'phone' ? [digits, digits.slice(-9)] : [digits, digitsOf(text)]) {
    for (let length = 3; length <= Math.min(form.length, 14); length++) facts.add(`${parameter}^${form.slice(0, length)}`)
  }
  if (parameter === 'phone') facts.add(`phone=${digits.slice(-9)}`)
}

const REFERENCE = /^(?:https?:\/\/.*\/)?([A-Z][A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/.*)?$/

function addReference(facts: Set<string>, parameter: string, value: unknown, target: string | undefined): void {
  const reference = typeof value === 'string' ? value : (value as { reference?: unknown }).reference
  if (typeof reference === 'string') {
    const local = REFERENCE.exec(reference)
    if (local && !reference.includes('://')) {
      if (target !== undefined && local[1] !== target) return
      facts.add(`${parameter}=${local[1]}/${local[2]}`)
      facts.add(`${parameter}=/${local[2]}`)
    } else {
      if (target !== undefined && local && local[1] !== target) return
      facts.add(`${parameter}=${reference}`)
    }
  }
  const { identifier } = value as { identifier?: unknown }
  for (const { system, code } of tokensOf(identifier)) facts.add(`${parameter}:identifier|${system ?? '-'}|${code}`)
}

/** Texts in a value of a string parameter: HumanName and Address give their parts. */
export function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  const parts = value as Record<string, unknown>
  return ['text', 'family', 'given', 'prefix', 'suffix', 'line', 'city', 'district', 'state', 'postalCode', 'country']
    .flatMap((name) => parts[name] ?? [])
    .filter((part): part is string => typeof part === 'string')
}

function addString(facts: Set<string>, parameter: string, text: string): void {
  facts.add(`${parameter}=${text}`)
  for (const word of wordsOf(text)) {
    for (let length = 1; length <= Math.min(word.length, LONGEST_PREFIX); length++) {
      facts.add(`${parameter}^${word.slice(0, length)}`)
    }
  }
}

function addHashedDate(facts: Set<string>, parameter: string, value: unknown): void {
  if (typeof value !== 'string') return
  for (const length of [4, 7, 10]) if (value.length >= length) facts.add(`${parameter}=${value.slice(0, length)}`)
}

function widen(columns: IndexEntries['columns'], parameter: SearchParameterDefinition, span: Span): void {
  const { low, high } = columnsOf(parameter)
  const [lower, upper] = [columns[low], columns[high]]
  columns[low] = typeof lower === 'number' ? Math.min(lower, span.low) : span.low
  columns[high] = typeof upper === 'number' ? Math.max(upper, span.high) : span.high
}

function widenDate(columns: IndexEntries['columns'], parameter: SearchParameterDefinition, span: Span | undefined): void {
  if (span) widen(columns, parameter, span)
}

/** A number or quantity as the span it covers, in canonical units. */
export function numberSpanOf(value: unknown): (Span & { dimension?: string }) | undefined {
  if (typeof value === 'number') return { low: value, high: value }
  if (typeof value !== 'object' || value === null) return undefined
  const quantity = value as { value?: unknown; code?: string; unit?: string; low?: unknown; high?: unknown; currency?: string }
  if (typeof quantity.value === 'number') {
    const unit = quantity.code ?? quantity.unit
    if (unit === undefined) return { low: quantity.value, high: quantity.value }
    const { factor, dimension } = canonicalUnit(unit)
    return { low: quantity.value * factor, high: quantity.value * factor, dimension }
  }
  const low = numberSpanOf(quantity.low)
  const high = numberSpanOf(quantity.high)
  if (!low && !high) return undefined
  return { low: low?.low ?? Number.MIN_SAFE_INTEGER, high: high?.high ?? Number.MAX_SAFE_INTEGER }
}

function widenNumber(
  facts: Set<string>,
  columns: IndexEntries['columns'],
  parameter: SearchParameterDefinition,
  value: unknown,
): void {
  const span = numberSpanOf(value)
  if (!span) return
  widen(columns, parameter, span)
  if (span.dimension !== undefined) facts.add(`${parameter.code}~${span.dimension}`)
}
