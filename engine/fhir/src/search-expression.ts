import { codesOf, type ElementDefinition, elementsOf } from './definitions.ts'

/** One move on the way to a value: to a property, to those of several that carry a value, or to one by its place. */
export type Step = string | { property: string; is: string } | { at: number }

/** Where the values of a parameter stand, from a resource or, for a component of a composite, from an element of it. */
export interface ElementPath {
  steps: readonly Step[]
  /** The datatype, or the name of a structure. */
  type: string
  /** Several values may stand there. */
  many: boolean
  /** Only references to this type. */
  target?: string
  /** The value is whether anything but false stands there, as `Patient.deceased`. */
  exists?: true
  /** Code systems of a `code`, which does not carry its own. */
  systems?: readonly string[]
  /** FHIRPath in place of steps, for parameters that were added and are more than a path. */
  expression?: string
}

interface Place extends ElementPath {
  /** Property names before choices were made; two that differ are two elements. */
  element: string
}

/** What an expression says that is not understood here. */
export class ExpressionFault extends Error {}

const TOKEN = /\s*(?:('(?:[^'\\]|\\.)*')|(\d+)|([A-Za-z_%][\w-]*)|(!=|[.()[\]|=]))/y

function tokensOf(expression: string): string[] {
  const tokens: string[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < expression.trimEnd().length) {
    const from = TOKEN.lastIndex
    const match = TOKEN.exec(expression)
    if (!match) throw new ExpressionFault(`"${expression.slice(from, from + 20)}" is not understood.`)
    tokens.push(match[1] ?? match[2] ?? match[3] ?? match[4] ?? '')
  }
  return tokens
}

const UNKNOWN_END = /^(.+)\.exists\(\) and \1 != false$/

/**
 * Reads the part of FHIRPath that search parameters are written in: paths and their unions, `as` and `ofType`, `where`
 * on one property, `where(resolve() is Type)`, `extension(url)`, `[n]`, `first()`, and `x.exists() and x != false`.
 *
 * @param context Type of the resource, or of the element that the expression starts from.
 * @returns Places by type of value; none when the expression is about other types. Throws an ExpressionFault.
 */
export function compileExpression(expression: string, context: string): ElementPath[] {
  const existence = UNKNOWN_END.exec(expression.trim())
  if (existence) {
    return compileExpression(existence[1] ?? '', context).map((path) => ({ ...path, exists: true as const }))
  }
  const reader = new ExpressionReader(tokensOf(expression), context)
  const places = reader.union()
  reader.end()
  const severalElements = new Set(places.map(({ element }) => element)).size > 1
  return places.map(({ element: _element, ...path }) => ({ ...path, many: path.many || severalElements }))
}

class ExpressionReader {
  readonly #tokens: readonly string[]
  readonly #context: string
  #at = 0

  constructor(tokens: readonly string[], context: string) {
    this.#tokens = tokens
    this.#context = context
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at]
  }

  #take(wanted?: string): string {
    const token = this.#tokens[this.#at]
    if (token === undefined || (wanted !== undefined && token !== wanted)) {
      throw new ExpressionFault(`${wanted ?? 'More'} was expected at "${this.#tokens.slice(this.#at, this.#at + 6).join(' ')}".`)
    }
    this.#at += 1
    return token
  }

  end(): void {
    if (this.#at < this.#tokens.length) throw new ExpressionFault(`"${this.#peek()}" is not understood here.`)
  }

  union(): Place[] {
    const places = this.#cast()
    while (this.#peek() === '|') {
      this.#take()
      places.push(...this.#cast())
    }
    return places
  }

  #cast(): Place[] {
    let places = this.#path()
    while (this.#peek() === 'as') {
      this.#take()
      places = ofType(places, this.#take())
    }
    return places
  }

  #path(): Place[] {
    let places: Place[]
    if (this.#peek() === '(') {
      this.#take()
      places = this.union()
      this.#take(')')
    } else places = this.#root(this.#take())
    for (;;) {
      if (this.#peek() === '.') {
        this.#take()
        places = this.#member(places, this.#take())
      } else if (this.#peek() === '[') {
        this.#take()
        places = stepped(places, { at: Number(this.#take()) })
        this.#take(']')
      } else return places
    }
  }

  #root(name: string): Place[] {
    const start: Place = { steps: [], type: this.#context, many: false, element: '' }
    if (name === this.#context || name === 'Resource' || name === 'DomainResource' || name === '%resource' || name === '$this') return [start]
    // Another resource type: that alternative is about other resources. An element: the path is relative.
    return /^[A-Z]/.test(name) ? [] : property([start], name)
  }

  #member(places: Place[], name: string): Place[] {
    if (this.#peek() !== '(') return property(places, name)
    this.#take('(')
    const result = this.#call(places, name)
    this.#take(')')
    return result
  }

  #call(places: Place[], name: string): Place[] {
    switch (name) {
      case 'as':
      case 'ofType':
        return ofType(places, this.#take())
      case 'first':
        return stepped(places, { at: 0 })
      case 'extension': {
        const url = textOf(this.#take())
        return stepped(property(places, 'extension'), { property: 'url', is: url })
      }
      case 'where': {
        const property = this.#take()
        if (property === 'resolve') {
          this.#take('(')
          this.#take(')')
          this.#take('is')
          const target = this.#take()
          return places.map((place) => ({ ...place, target }))
        }
        this.#take('=')
        return stepped(places, { property, is: textOf(this.#take()) })
      }
      default:
        throw new ExpressionFault(`${name}() is not supported in a search parameter.`)
    }
  }
}

function textOf(token: string): string {
  const text = token.slice(1, -1).replace(/\\(.)/g, '$1')
  if (!token.startsWith("'") || text.includes(']')) throw new ExpressionFault(`A text in quotes was expected instead of "${token}".`)
  return text
}

function stepped(places: readonly Place[], step: Step): Place[] {
  const isOne = typeof step === 'object' && 'at' in step
  const name = JSON.stringify(step)
  return places.map((place) => ({ ...place, steps: [...place.steps, step], element: place.element + name, many: isOne ? false : place.many }))
}

// FHIRPath's own type names: `DateTime` is written for dateTime in some R4 expressions.
function ofType(places: readonly Place[], type: string): Place[] {
  return places.filter((place) => place.type.toLowerCase() === type.toLowerCase())
}

function property(places: readonly Place[], name: string): Place[] {
  return places.flatMap((place) => {
    const elements = elementsOf(place.type)
    const element = elements?.[name]
    if (element) return typesOf(name, element).map(({ property, type }) => enter(place, name, property, type, element))
    // `valueQuantity` for `value.ofType(Quantity)`.
    for (const [base, choice] of Object.entries(elements ?? {})) {
      const found = choice.x && name.startsWith(base) ? typesOf(base, choice).find(({ property }) => property === name) : undefined
      if (found) return [enter(place, base, found.property, found.type, choice)]
    }
    return []
  })
}

function typesOf(name: string, { x, t }: ElementDefinition): { property: string; type: string }[] {
  return t.map((type) => ({ property: x ? name + type[0]?.toUpperCase() + type.slice(1) : name, type: type.replace('#', '') }))
}

function enter(place: Place, name: string, property: string, type: string, element: ElementDefinition): Place {
  const systems = type === 'code' && element.b ? Object.keys(codesOf(element.b) ?? {}) : []
  return {
    steps: [...place.steps, property],
    type,
    many: place.many || element.many === 1,
    element: `${place.element}.${name}`,
    ...(place.target === undefined ? {} : { target: place.target }),
    ...(systems.length > 0 ? { systems } : {}),
  }
}
