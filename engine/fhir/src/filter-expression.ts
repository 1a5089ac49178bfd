import type { ResourceType } from './resource.ts'
import { type FilterFault, isFault, readValue, readValues, type ReadingOptions, targetsOf } from './search-filters.ts'
import type { SearchParameterDefinition } from './search-parameters.ts'
import type { AskedValue, Filter } from './search-query.ts'

// `_filter` (R4, http://hl7.org/fhir/R4/search_filter.html). `and` and `or` have one rank, from left to right.

const MOST_DEPTH = 20
const MOST_LENGTH = 10_000

const wrong = (problem: string): FilterFault => ({ code: 'value', problem })
const notSupported = (problem: string): FilterFault => ({ code: 'not-supported', problem })

/** Reads an expression such as `given eq "peter" and (birthdate ge 2014-10-10 or not (active eq false))`. */
export function readFilterExpression(type: ResourceType, text: string, options: ReadingOptions): Filter | FilterFault {
  if (text.length > MOST_LENGTH) return { code: 'too-costly', problem: 'the expression is too long.' }
  const reader = new FilterReader(text, options)
  const filter = reader.logical(type, 0)
  if (isFault(filter)) return filter
  return reader.isAtEnd ? filter : wrong(`"${reader.rest}" is not understood.`)
}

class FilterReader {
  readonly #text: string
  readonly #options: ReadingOptions
  #at = 0

  constructor(text: string, options: ReadingOptions) {
    this.#text = text
    this.#options = options
  }

  get isAtEnd(): boolean {
    this.#match(/\s*/y)
    return this.#at === this.#text.length
  }

  get rest(): string {
    return this.#text.slice(this.#at, this.#at + 30)
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (!match) return undefined
    this.#at = pattern.lastIndex
    return match[1] ?? match[0]
  }

  logical(type: ResourceType, depth: number): Filter | FilterFault {
    if (depth > MOST_DEPTH) return { code: 'too-costly', problem: 'the expression is nested too deeply.' }
    let left = this.#term(type, depth)
    for (;;) {
      if (isFault(left)) return left
      const join = this.#match(/\s*(and|or)(?=[\s(])/y)
      if (join === undefined) return left
      const right = this.#term(type, depth)
      if (isFault(right)) return right
      left = { kind: join === 'and' ? 'all' : 'any', filters: [left, right] }
    }
  }

  #term(type: ResourceType, depth: number): Filter | FilterFault {
    const isNot = this.#match(/\s*(not)\s*(?=\()/y) !== undefined
    if (this.#match(/\s*\(/y) === undefined) return isNot ? wrong('not takes brackets.') : this.#condition(type, depth)
    const inner = this.logical(type, depth + 1)
    if (isFault(inner)) return inner
    if (this.#match(/\s*\)/y) === undefined) return wrong(`a bracket is not closed before "${this.rest}".`)
    return isNot ? { kind: 'not', filter: inner } : inner
  }

  #condition(type: ResourceType, depth: number): Filter | FilterFault {
    const code = this.#match(/\s*([A-Za-z_][\w-]*)/y)
    if (code === undefined) return wrong(`a parameter was expected at "${this.rest}".`)
    const parameter = this.#options.parametersOf(type).get(code)
    if (!parameter) return notSupported(`${type} has no search parameter ${code}.`)
    if (/^[.[]/.test(this.#text.slice(this.#at, this.#at + 1))) return this.#chain(parameter, depth)
    const operator = this.#match(/\s+([a-z]{2})(?=\s)/y)
    if (operator === undefined) return wrong(`an operator was expected at "${this.rest}".`)
    const value = this.#value()
    return value === undefined ? wrong(`a value was expected at "${this.rest}".`) : conditionOf(type, parameter, operator, value, this.#options)
  }

  // `subject.name co "x"`, or with more to be true of the same target: `subject[active eq true].name co "x"`.
  #chain(parameter: SearchParameterDefinition, depth: number): Filter | FilterFault {
    if (parameter.type !== 'reference') return notSupported(`${parameter.code} is no reference; only references can be followed.`)
    const targets = targetsOf(parameter, undefined, this.#options)
    if ('problem' in targets) return targets
    const start = this.#at
    const read: { type: ResourceType; filter: Filter }[] = []
    let first: FilterFault | undefined
    let end = start
    for (const target of targets) {
      this.#at = start
      const filter = this.#link(target, depth)
      if (isFault(filter)) first ??= filter
      else {
        read.push({ type: target, filter })
        end = this.#at
      }
    }
    this.#at = end
    return read.length > 0 ? { kind: 'chain', parameter, targets: read } : (first ?? wrong('the reference leads to no type.'))
  }

  #link(target: ResourceType, depth: number): Filter | FilterFault {
    let also: Filter | undefined
    if (this.#match(/\[/y) !== undefined) {
      const inner = this.logical(target, depth + 1)
      if (isFault(inner)) return inner
      if (this.#match(/\s*\]/y) === undefined) return wrong(`a bracket is not closed before "${this.rest}".`)
      also = inner
    }
    if (this.#match(/\./y) === undefined) return wrong(`a dot was expected at "${this.rest}".`)
    const filter = this.#condition(target, depth + 1)
    return isFault(filter) || !also ? filter : { kind: 'all', filters: [also, filter] }
  }

  #value(): string | undefined {
    const quoted = this.#match(/\s*("(?:[^"\\]|\\.)*")/y)
    // A unit may hold brackets of its own: 140||mm[Hg].
    if (quoted === undefined) return this.#match(/\s*((?:\[[^\s\]]*\]|[^\s)\]])+)/y)
    try {
      return JSON.parse(quoted) as string
    } catch {
      return undefined
    }
  }
}

const escaped = (text: string): string => text.replace(/[\\,$]/g, '\\$&')

function conditionOf(type: ResourceType, parameter: SearchParameterDefinition, operator: string, value: string, options: ReadingOptions): Filter | FilterFault {
  const kind = parameter.type
  const withModifier = (modifier: string | undefined): Filter | FilterFault => readValues(type, parameter, modifier, escaped(value), options)
  if (operator === 'pr') {
    if (value !== 'true' && value !== 'false') return wrong('pr takes true or false.')
    return readValues(type, parameter, 'missing', value === 'true' ? 'false' : 'true', options)
  }
  if (kind === 'date' || kind === 'number' || kind === 'quantity') return compared(parameter, operator, value, options)
  switch (`${kind} ${operator}`) {
    case 'string eq':
    case 'string sw':
    case 'string ew':
      return made(parameter, operator === 'eq' ? 'equal' : operator === 'sw' ? 'starts' : 'ends', { comparator: 'eq', text: value })
    case 'string co':
      return withModifier('contains')
    case 'token eq':
    case 'reference eq':
    case 'reference re':
    case 'uri eq':
    case 'composite eq':
      return withModifier(undefined)
    // "The value subsumes a concept in the set": what is found lies below what is asked for.
    case 'token ss':
    case 'uri ss':
    case 'reference ss':
      return withModifier('below')
    case 'token sb':
    case 'uri sb':
    case 'reference sb':
      return withModifier('above')
    case 'token in':
      return withModifier('in')
    case 'string ne':
    case 'token ne':
    case 'reference ne':
    case 'uri ne': {
      // "An item in the set has an unequal value": one that differs is enough.
      const asked = readValue(parameter, undefined, escaped(value), options)
      return typeof asked === 'string' ? wrong(asked) : made(parameter, 'unequal', asked)
    }
    default:
      return notSupported(`${operator} cannot be used with ${parameter.code}, which is of type ${kind}.`)
  }
}

function compared(parameter: SearchParameterDefinition, operator: string, value: string, options: ReadingOptions): Filter | FilterFault {
  const comparator = operator === 'po' && parameter.type === 'date' ? 'overlaps' : operator
  if (comparator !== 'overlaps' && !/^(eq|ne|gt|ge|lt|le|sa|eb|ap)$/.test(operator)) {
    return notSupported(`${operator} cannot be used with ${parameter.code}, which is of type ${parameter.type}.`)
  }
  const asked = readValue(parameter, undefined, `${comparator === 'overlaps' ? 'eq' : operator}${escaped(value)}`, options)
  if (typeof asked === 'string') return wrong(asked)
  return made(parameter, undefined, comparator === 'overlaps' ? { ...asked, comparator: 'overlaps' } : asked)
}

function made(parameter: SearchParameterDefinition, modifier: string | undefined, value: AskedValue): Filter {
  return { kind: 'value', parameter, ...(modifier === undefined ? {} : { modifier }), values: [value] }
}
