import { spanOf } from './dates.ts'
import { isResourceType } from './definitions.ts'
import { circleOf } from './near.ts'
import type { Issue } from './outcome.ts'
import type { ResourceType } from './resource.ts'
import type { ParameterLookup, ParameterType, SearchParameterDefinition } from './search-parameters.ts'
import type { AskedValue, Comparator, Filter, SearchOptions } from './search-query.ts'
import { localReference } from './search-values.ts'

export interface ReadingOptions extends Pick<SearchOptions, 'base' | 'mayRead' | 'notReady'> {
  parametersOf: ParameterLookup
}

/** Why a filter cannot be read. */
export interface FilterFault {
  code: Issue['code']
  problem: string
}

export function isFault(read: Filter | FilterFault): read is FilterFault {
  return 'problem' in read
}

const notSupported = (problem: string): FilterFault => ({ code: 'not-supported', problem })
const wrong = (problem: string): FilterFault => ({ code: 'value', problem })

const MAX_VALUES = 1000
const MAX_RANGES = 50
/** Links of one chain. */
const MAX_DEPTH = 8
/** Types that a chain may reach when it names none. */
const MAX_TARGETS = 12
const COMPARATOR = /^(eq|ne|gt|ge|lt|le|sa|eb|ap)(?=[\d.+-])/

const modifiers: Readonly<Record<ParameterType, readonly string[]>> = {
  string: ['exact', 'contains', 'missing'],
  token: ['not', 'text', 'in', 'not-in', 'above', 'below', 'missing'],
  reference: ['identifier', 'above', 'below', 'text', 'missing'],
  uri: ['above', 'below', 'missing'],
  date: ['missing'],
  number: ['missing'],
  quantity: ['missing'],
  composite: [],
  special: ['missing'],
}

/** Modifiers that a parameter of a type takes, those that name a resource type apart. */
function modifiersOf(type: ResourceType, { code, type: kind, paths }: SearchParameterDefinition): readonly string[] {
  if (code === '_id' || code === '_lastUpdated') return code === '_id' ? ['not', 'missing'] : ['missing']
  const more = paths.some((path) => path.type === 'Identifier') ? ['of-type'] : []
  // As one types: the beginning of a patient's number.
  const typed = type === 'Patient' && (code === 'identifier' || code === 'phone') ? ['starts-with'] : []
  return [...modifiers[kind], ...(kind === 'token' ? [...more, ...typed] : [])]
}

/** One parameter of a search, chains and `_has` included. */
export function readFilter(type: ResourceType, name: string, text: string, options: ReadingOptions, depth = 0): Filter | FilterFault {
  if (depth > MAX_DEPTH) return { code: 'too-costly', problem: `a chain has at most ${MAX_DEPTH} links.` }
  if (name.startsWith('_has:')) return readReverse(name, text, options, depth)
  const dot = name.indexOf('.')
  if (dot >= 0) return readChain(type, name.slice(0, dot), name.slice(dot + 1), text, options, depth)
  const [code = '', ...rest] = name.split(':')
  const modifier = rest.length === 0 ? undefined : rest.join(':')
  const parameter = options.parametersOf(type).get(code)
  if (!parameter) return unknownParameter(type, code, options)
  return readValues(type, parameter, modifier, text, options)
}

function unknownParameter(type: ResourceType, code: string, { parametersOf, notReady }: ReadingOptions): FilterFault {
  const reason = notReady?.(type, code)
  return notSupported(reason ?? `${type} has no such search parameter. It has: ${[...parametersOf(type).keys()].join(', ')}.`)
}

function readReverse(name: string, text: string, options: ReadingOptions, depth: number): Filter | FilterFault {
  const [, source = '', code = '', ...rest] = name.split(':')
  if (!isResourceType(source)) return wrong('_has takes a type of R4: _has:Type:reference:parameter.')
  if (rest.length === 0) return wrong('_has takes a parameter after the reference: _has:Type:reference:parameter.')
  if (options.mayRead?.(source) === false) return { code: 'forbidden', problem: `this sign-in may not read ${source}.` }
  const parameter = options.parametersOf(source).get(code)
  if (parameter?.type !== 'reference') return notSupported(`${source} has no reference parameter of this name.`)
  const filter = readFilter(source, rest.join(':'), text, options, depth + 1)
  return isFault(filter) ? filter : { kind: 'has', source, parameter, filter }
}

function readChain(type: ResourceType, head: string, rest: string, text: string, options: ReadingOptions, depth: number): Filter | FilterFault {
  const [code = '', only, ...more] = head.split(':')
  const parameter = options.parametersOf(type).get(code)
  if (!parameter) return unknownParameter(type, code, options)
  if (parameter.type !== 'reference' || more.length > 0) return notSupported('only references can be followed.')
  if (only !== undefined && !isResourceType(only)) return notSupported(`${only} is no type of R4.`)
  const targets = targetsOf(parameter, only, options)
  if (isFaultOf(targets)) return targets
  const filters: { type: ResourceType; filter: Filter }[] = []
  let first: FilterFault | undefined
  for (const target of targets) {
    const filter = readFilter(target, rest, text, options, depth + 1)
    if (isFault(filter)) first ??= filter
    else filters.push({ type: target, filter })
  }
  if (filters.length === 0) return first ?? wrong('the reference leads to no type that has this parameter.')
  return { kind: 'chain', parameter, targets: filters }
}

function isFaultOf(value: readonly ResourceType[] | FilterFault): value is FilterFault {
  return 'problem' in value
}

/** The types that a chain over a reference may reach. */
export function targetsOf(parameter: SearchParameterDefinition, only: ResourceType | undefined, options: ReadingOptions): readonly ResourceType[] | FilterFault {
  if (only !== undefined) {
    if (options.mayRead?.(only) === false) return { code: 'forbidden', problem: `this sign-in may not read ${only}.` }
    return parameter.targets.length === 0 || parameter.targets.includes(only) ? [only] : wrong(`this reference never leads to ${only}; it leads to ${parameter.targets.join(', ')}.`)
  }
  const targets = parameter.targets.filter(isResourceType)
  if (targets.length > MAX_TARGETS || targets.length === 0) return wrong('name the type that is referred to: parameter:Type.next.')
  // What the asker may not read is not there for a chain without a type.
  const readable = targets.filter((target) => options.mayRead?.(target) !== false)
  return readable.length > 0 ? readable : { code: 'forbidden', problem: `this sign-in may not read ${targets.join(', ')}.` }
}

/** Splits at a separator that no backslash stands before; the backslashes stay. */
function splitAt(text: string, separator: ',' | '|' | '$'): string[] {
  const parts: string[] = []
  let part = ''
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\' && at + 1 < text.length) {
      part += (text[at] as string) + text[at + 1]
      at += 1
    } else if (text[at] === separator) {
      parts.push(part)
      part = ''
    } else part += text[at]
  }
  return [...parts, part]
}

function plain(text: string): string {
  return text.replace(/\\(.)/gs, '$1')
}

export function readValues(
  type: ResourceType,
  parameter: SearchParameterDefinition,
  modifier: string | undefined,
  text: string,
  options: ReadingOptions,
): Filter | FilterFault {
  const isType = parameter.type === 'reference' && modifier !== undefined && isResourceType(modifier)
  const known = modifiersOf(type, parameter)
  if (modifier !== undefined && !isType && !known.includes(modifier)) {
    return notSupported(`the modifier is not supported here; ${known.length > 0 ? `use ${known.join(', ')}` : 'this parameter takes none'}.`)
  }
  const made = modifier === undefined ? { kind: 'value' as const, parameter } : { kind: 'value' as const, parameter, modifier }
  if (modifier === 'missing') {
    return text === 'true' || text === 'false' ? { ...made, values: [{ comparator: 'eq', text }] } : wrong(':missing takes true or false.')
  }
  const parts = splitAt(text, ',').filter((part) => part !== '')
  const most = isOrdered(parameter.type) ? MAX_RANGES : MAX_VALUES
  if (parts.length > most) return { code: 'too-costly', problem: `give at most ${most} values.` }
  const values: AskedValue[] = []
  for (const part of parts) {
    const value = readValue(parameter, modifier, part, options)
    if (typeof value === 'string') return wrong(value)
    values.push(value)
  }
  return values.length > 0 ? { ...made, values } : wrong('give a value.')
}

function isOrdered(type: ParameterType): boolean {
  return type === 'date' || type === 'number' || type === 'quantity'
}

/** One value, as R4 writes it for the type of its parameter; or what is wrong with it. */
export function readValue(
  parameter: Pick<SearchParameterDefinition, 'type' | 'components'>,
  modifier: string | undefined,
  escaped: string,
  options: Pick<ReadingOptions, 'base'>,
): AskedValue | string {
  const { type } = parameter
  const prefix = isOrdered(type) ? COMPARATOR.exec(escaped)?.[1] : undefined
  const comparator = (prefix ?? 'eq') as Comparator
  const rest = prefix ? escaped.slice(2) : escaped
  const text = plain(rest)
  switch (type) {
    case 'token':
      return modifier === 'of-type' ? readOfType(rest) : { comparator, text, ...readToken(rest) }
    case 'reference':
      if (modifier === 'identifier') return { comparator, text, ...readToken(rest) }
      return { comparator, text: modifier === 'text' ? text : localPart(text, modifier, options.base) }
    case 'date':
      return spanOf(text) ? { comparator, text } : 'give a date: YYYY, YYYY-MM, YYYY-MM-DD or with a time.'
    case 'number':
      return isNumber(text) ? { comparator, text, number: text } : 'give a number.'
    case 'quantity': {
      const [number = '', system, unit] = splitAt(rest, '|').map(plain)
      if (!isNumber(number)) return 'give a number, or number|system|unit.'
      return { comparator, text, number, ...(system ? { system } : {}), ...(unit ? { unit } : {}) }
    }
    case 'composite': {
      const parts = splitAt(rest, '$')
      const components = parameter.components ?? []
      if (parts.length !== components.length) return `give ${components.length} values with $ between.`
      const read: AskedValue[] = []
      for (const [at, component] of components.entries()) {
        const value = readValue(component, undefined, parts[at] ?? '', options)
        if (typeof value === 'string') return value
        read.push(value)
      }
      return { comparator, text, parts: read }
    }
    case 'special': {
      const circle = circleOf(splitAt(rest, '|').map(plain))
      return circle ? { comparator, text, circle } : 'give latitude|longitude|distance|units.'
    }
    default:
      return { comparator, text }
  }
}

function isNumber(text: string): boolean {
  return /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?$/.test(text) && Number.isFinite(Number(text))
}

function readToken(escaped: string): { system?: string; code: string } {
  const parts = splitAt(escaped, '|').map(plain)
  return parts.length === 1 ? { code: parts[0] ?? '' } : { system: parts[0] ?? '', code: parts.slice(1).join('|') }
}

function readOfType(escaped: string): AskedValue | string {
  const [system, kind, ...value] = splitAt(escaped, '|').map(plain)
  if (!kind || value.length === 0) return 'give system|code|value.'
  return { comparator: 'eq', text: plain(escaped), kind: { code: kind, ...(system ? { system } : {}) }, code: value.join('|') }
}

// A reference under the address of this server is a local one; which version it names makes no difference here.
function localPart(text: string, modifier: string | undefined, base: string | undefined): string {
  const inside = base !== undefined && text.startsWith(`${base}/`) ? text.slice(base.length + 1) : text
  const local = localReference(inside)
  if (local) return `${local.type}/${local.id}`
  return modifier !== undefined && isResourceType(modifier) && /^[A-Za-z0-9\-.]{1,64}$/.test(text) ? `${modifier}/${text}` : inside
}
