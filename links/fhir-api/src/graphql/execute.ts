import { keptDigits } from '@carespine/fhir/decimal-digits'
import type { Compiled } from '@carespine/fhir/fhirpath'
import { ExpressionFault } from '@carespine/fhir/fhirpath-syntax'
import { type Item, type Items, itemOf, stringOf, truthOf } from '@carespine/fhir/fhirpath-values'
import type { Issue } from '@carespine/fhir/outcome'
import type { OperationOutcome } from '@carespine/fhir/resource'
import type { ParameterLookup } from '@carespine/fhir/search-parameters'
import { MAX_COUNT } from '@carespine/fhir/search-query'
import { outcomeOf } from '../answer.ts'
import { Out, type Shape, Written } from './answer-text.ts'
import { argumentOf, type Standing } from './arguments.ts'
import { firstPage, pageOfCursor } from './connection-pages.ts'
import { ANY, concretesOf, isResource, nameOf, QUERY } from './fields.ts'
import { type AnsweredError, errorOf, faultAt, GraphqlFault, locationsOf, tooMuch } from './graphql-fault.ts'
import { schemaOf, typeNamed } from './introspection.ts'
import { type Json, parametersIn, type RecordInSight } from './record.ts'
import type { Selected, Selection } from './selection.ts'

/** Values of one answer, and their characters: some 20 MB of JSON at most. */
const MOST_VALUES = 400_000
const MOST_CHARACTERS = 20_000_000
/** What the FHIRPath of one query may look at. */
const MOST_LOOKED_AT = 1_000_000
/** And how long it may take: a regular expression looks at one text for up to a tenth of a second. */
const MOST_MILLISECONDS = 1000
/** Beyond, an error says no more than the null does. */
const MOST_ERRORS = 1000
/** Others are served in between: a long answer is put together some milliseconds at a time. */
const AT_A_STRETCH = 15

/** Where fields are read: a value, and the resource that it stands in. */
interface Place {
  value: Json
  path: string
  resource: Json
  /** What contains that resource, or itself. */
  root: Json
}

/** Below @flatten: whether the flattened repeats, and what @slice adds to names. */
interface Mode {
  isList: boolean
  suffix: string
}

interface Trail {
  key: string | number
  up: Trail | undefined
}

interface Task {
  find(): Promise<unknown>
  use(found: never): Promise<void>
  fail(error: unknown): void
}

interface Value {
  value: unknown
  holder: object
  at: string | number
}

const plainMode: Mode = { isList: false, suffix: '' }

/**
 * Answers a checked query. What lies beyond a resource is looked up level by level: all references of one level together,
 * and all searches.
 */
export class Execution {
  readonly errors: AnsweredError[] = []
  readonly #record: RecordInSight
  readonly #parametersOf: ParameterLookup
  readonly #budget = { left: MOST_LOOKED_AT }
  #milliseconds = 0
  #tasks: Task[] = []
  #values = 0
  #characters = 0
  #since = performance.now()

  constructor(record: RecordInSight, parametersOf: ParameterLookup) {
    this.#record = record
    this.#parametersOf = parametersOf
  }

  /** @param root The resource that the query is about; the whole record when there is none. */
  async run(selection: Selection, root?: Json): Promise<Out> {
    const out = new Out()
    const value = root ?? {}
    const path = root ? String(root.resourceType) : QUERY
    this.#fill(out, { value, path, resource: value, root: value }, selection, plainMode, undefined)
    while (this.#tasks.length > 0) {
      const tasks = this.#tasks
      this.#tasks = []
      const found = await Promise.allSettled(tasks.map((task) => task.find()))
      for (const [at, task] of tasks.entries()) {
        const one = found[at] as PromiseSettledResult<never>
        if (one.status === 'fulfilled') await task.use(one.value)
        else task.fail(one.reason)
      }
    }
    return out
  }

  #fill(out: Out, place: Place, selection: Selection, mode: Mode, trail: Trail | undefined): void {
    for (const one of selection.of(place.path)) {
      const { field, key } = one
      const here: Trail = { key, up: trail }
      switch (field.from) {
        case 'type-name':
          this.#emit(out, one, [{ value: nameOf(place.path), holder: place.value, at: '' }], place, mode, here)
          break
        case 'schema':
          this.#emit(out, one, [{ value: schemaOf(this.#parametersOf, place.path), holder: place.value, at: '' }], place, mode, here)
          break
        case 'type': {
          const type = typeNamed(String(one.arguments.get('name')), this.#parametersOf)
          this.#emit(out, one, type ? [{ value: type, holder: place.value, at: '' }] : [], place, mode, here)
          break
        }
        case 'element':
        case 'beside':
          if (field.name === 'types' && field.type === '__Type') this.#tellTypes(out, one, place, mode, here)
          else this.#elements(out, one, place, mode, here)
          break
        case 'target':
          this.#follow(out, one, place, mode, here)
          break
        default:
          this.#ask(out, one, place, mode, here)
      }
    }
  }

  #elements(out: Out, one: Selected, place: Place, mode: Mode, trail: Trail): void {
    const { name } = one.field
    const raw = place.value[name]
    if (out.tellsAll) out.reserve(one.key, shapeOf(one, mode), one.field.type)
    if (raw === undefined || raw === null) return
    const all = Array.isArray(raw) ? raw.map((value: unknown, at): Value => ({ value, holder: raw, at })) : [{ value: raw, holder: place.value, at: name }]
    try {
      if (out.tellsAll) out.stand(one.key)
      this.#emit(out, one, this.#navigated(all, one, place), place, mode, trail)
    } catch (error) {
      this.#failed(out, one, mode, trail, error)
    }
  }

  // Nine thousand fields and their arguments: each type is written out when it is told, and others are served in between.
  #tellTypes(out: Out, one: Selected, place: Place, mode: Mode, trail: Trail): void {
    const tell = async (): Promise<Written[]> => {
      const types: Written[] = []
      for (const value of place.value.types as readonly Json[]) {
        await this.#breathe()
        const type = new Out(true)
        this.#fill(type, { ...place, value, path: '__Type' }, one.below, plainMode, trail)
        types.push(new Written(type.text()))
      }
      return types
    }
    this.#later(out, one, mode, trail, tell, (types) => {
      out.stand(one.key)
      for (const type of types) this.#put(out, one, mode, one.key, trail, type)
    })
  }

  // R4 GraphQL, List navigation: offset and count apply to what the others leave.
  #navigated(all: readonly Value[], one: Selected, place: Place): readonly Value[] {
    const { arguments: given, fhirpath } = one
    if (given.size === 0 || one.field.type.startsWith('__')) return all
    let kept = all
    for (const [name, wanted] of given) {
      if (name === 'fhirpath' || name.startsWith('_')) continue
      kept = kept.filter(({ value }) => hasValue(value, name, String(wanted)))
    }
    if (fhirpath) kept = kept.filter((each, at) => truthOf(this.#evaluated(fhirpath, itemIn(each, one), place, at)) === true)
    const offset = Number(given.get('_offset') ?? 0)
    const count = given.get('_count')
    return kept.slice(offset, count === undefined ? undefined : offset + Number(count))
  }

  #evaluated(expression: Compiled, item: Item, { resource, root }: Pick<Place, 'resource' | 'root'>, index: number): Items {
    if (this.#budget.left <= 0 || this.#milliseconds > MOST_MILLISECONDS) tooMuch('The FHIRPath of the query looks at too much. Ask for fewer resources at once (_count).')
    const began = performance.now()
    try {
      return expression(item, { resource: itemOf(resource), root: itemOf(root), now: this.#record.services.now(), budget: this.#budget }, index)
    } finally {
      this.#milliseconds += performance.now() - began
    }
  }

  #emit(out: Out, one: Selected, all: readonly Value[], place: Place, mode: Mode, trail: Trail, from = 0): void {
    const { field, key, flatten, slice } = one
    const repeats = field.many
    const values = one.first ? all.slice(0, 1) : all
    for (const [at, each] of values.entries()) {
      const suffix = mode.suffix + (slice ? `.${stringOf(this.#evaluated(slice, itemIn(each, one), place, at)) ?? ''}` : '')
      const here: Trail = repeats ? { key: from + at, up: trail } : trail
      if (field.isScalar) {
        this.#put(out, one, mode, key + suffix, trail, this.#leaf(each))
        continue
      }
      const inner = placeOf(each, one, place)
      if (flatten) {
        if (inner) this.#fill(out, inner, one.below, { isList: mode.isList || repeats, suffix }, here)
        continue
      }
      const child = inner && new Out(inner.path.startsWith('__'))
      this.#put(out, one, mode, key + suffix, trail, child ?? null)
      if (inner && child) this.#fill(child, inner, one.below, plainMode, here)
    }
  }

  #leaf({ value, holder, at }: Value): unknown {
    if (typeof value === 'string') this.#characters += value.length
    if (typeof value !== 'number') return value
    const digits = keptDigits(holder, at)
    return digits === undefined ? value : new Written(digits)
  }

  #put(out: Out, one: Selected, mode: Mode, name: string, trail: Trail, value: unknown): void {
    this.#values += 1
    // A name can be long: @slice takes it from the resource.
    this.#characters += name.length
    if (this.#values > MOST_VALUES || this.#characters > MOST_CHARACTERS) tooMuch('The answer would be too large. Select less, or ask for fewer resources at once (_count).')
    if (out.put(name, shapeOf(one, mode), one.field.type, value)) return
    out.fail(name)
    this.#say(one, trail, 'multiple-matches', `There are several values for ${name}, where one can be, or of several types. Ask for @first, or give them other names.`)
  }

  #say({ node }: Selected, trail: Trail, code: Issue['code'], message: string, resource?: OperationOutcome): void {
    const where = { ...locationsOf(node), path: pathOf(trail) }
    if (this.errors.length < MOST_ERRORS) this.errors.push(resource ? { message, ...where, extensions: { resource } } : errorOf(code, message, where))
  }

  // What was refused of one field is an error of that field; the others are answered.
  #failed(out: Out, one: Selected, mode: Mode, trail: Trail, error: unknown): void {
    if (error instanceof GraphqlFault) throw error
    const name = one.key + mode.suffix
    out.reserve(name, shapeOf(one, mode), one.field.type)
    out.fail(name)
    if (error instanceof Unresolved) {
      this.#say(one, trail, 'not-found', 'The reference leads to nothing, or to nothing for this sign-in. With optional: true it is left out.')
    } else if (error instanceof ExpressionFault) {
      this.#say(one, trail, 'value', `The FHIRPath expression cannot be evaluated: ${error.message}.`)
    } else {
      const refused = outcomeOf(error, this.#record.services.refusals)
      if (!refused || refused.status >= 500) throw error
      this.#say(one, trail, 'processing', refused.body.issue[0]?.diagnostics ?? 'The request was refused.', refused.body)
    }
  }

  #later<T>(out: Out, one: Selected, mode: Mode, trail: Trail, find: () => Promise<T>, use: (found: T) => Promise<void> | void): void {
    if (!one.flatten && !one.slice) out.reserve(one.key + mode.suffix, shapeOf(one, mode), one.field.type)
    const fail = (error: unknown): void => this.#failed(out, one, mode, trail, error)
    this.#tasks.push({
      find,
      fail,
      use: async (found) => {
        try {
          await use(found)
        } catch (error) {
          fail(error)
        }
      },
    })
  }

  async #breathe(): Promise<void> {
    if (performance.now() - this.#since < AT_A_STRETCH) return
    await new Promise((resolve) => setImmediate(resolve))
    this.#since = performance.now()
  }

  #follow(out: Out, one: Selected, place: Place, mode: Mode, trail: Trail): void {
    const { arguments: given } = one
    const types = given.get('type') as readonly string[] | undefined
    const { reference } = place.value
    const use = (found: Json | undefined): void => {
      if (found === undefined) {
        if (given.get('optional') === true) return
        this.#failed(out, one, mode, trail, new Unresolved())
      } else if (!types || types.includes(String(found.resourceType))) {
        this.#emit(out, one, [{ value: found, holder: place.value, at: '' }], place, mode, trail)
      }
    }
    if (typeof reference === 'string' && reference.startsWith('#')) {
      try {
        use(containedIn(place.root, reference))
      } catch (error) {
        this.#failed(out, one, mode, trail, error)
      }
    } else this.#later(out, one, mode, trail, async () => (typeof reference === 'string' ? await this.#record.resolve(reference) : undefined), use)
  }

  #ask(out: Out, one: Selected, place: Place, mode: Mode, trail: Trail): void {
    const { field, arguments: given } = one
    const { of: type } = field
    if (!type) return
    if (field.from === 'read') {
      const read = (): Promise<Json> => this.#record.read(type, String(given.get('id')))
      this.#later(out, one, mode, trail, read, (found) => this.#emit(out, one, [{ value: found, holder: place.value, at: '' }], place, mode, trail))
      return
    }
    const parameters = this.#parametersOfSearch(one, place)
    const keep = (resource: Json): boolean => !one.fhirpath || truthOf(this.#evaluated(one.fhirpath, itemOf(resource), { resource, root: resource }, 0)) === true
    if (field.from === 'list') {
      this.#later(out, one, mode, trail, () => this.#list(one, parameters), async (rows) => {
        const name = one.key + mode.suffix
        if (!one.flatten && !one.slice) out.stand(name)
        const kept: Json[] = []
        for (const row of rows) {
          if (one.fhirpath) await this.#breathe()
          if (keep(row)) kept.push(row)
        }
        if (one.slice) this.#emit(out, one, kept.map((value) => ({ value, holder: place.value, at: '' })), place, mode, trail)
        else {
          for (const [at, value] of (one.first ? kept.slice(0, 1) : kept).entries()) {
            await this.#breathe()
            this.#emit(out, one, [{ value, holder: place.value, at: '' }], place, mode, trail, at)
          }
        }
      })
      return
    }
    const isCounted = one.below.of(field.type).some((below) => below.field.name === 'count')
    const cursor = given.get('_cursor') ?? given.get('cursor')
    if (cursor !== undefined && given.size > 1) faultAt(one.node, 'A cursor stands alone: it holds the search that it goes on with.')
    const page = async () => {
      if (cursor !== undefined) return await pageOfCursor(this.#record, type, String(cursor), { isCounted, keep })
      return parameters ? await firstPage(this.#record, type, parameters, { isCounted, keep }) : { count: 0, offset: 0, pagesize: 0, edges: [] }
    }
    this.#later(out, one, mode, trail, page, (found) => this.#emit(out, one, [{ value: found, holder: place.value, at: '' }], place, mode, trail))
  }

  /** Undefined when nothing can refer to what the search stands in: a resource that is contained in another. */
  #parametersOfSearch({ field, arguments: given }: Selected, { path, value, resource, root }: Place): [string, string][] | undefined {
    const standing: Standing = { parametersOf: this.#parametersOf, isWithin: path !== QUERY }
    const parameters = parametersIn(given, (name) => argumentOf(field, name, standing)?.parameter)
    if (!standing.isWithin) return parameters
    if (typeof value.id !== 'string' || resource !== root) return undefined
    const reference = field.of && [...this.#parametersOf(field.of).keys()].find((code) => code.replaceAll('-', '_') === given.get('_reference'))
    return [...parameters, [reference ?? '', `${path}/${value.id}`]]
  }

  // All of them or an error, never some (R4 GraphQL, Searching resources); a number that is asked for is that.
  async #list({ field, arguments: given, node }: Selected, parameters: [string, string][] | undefined): Promise<Json[]> {
    if (!field.of || !parameters) return []
    const query = this.#record.searchOf(field.of, parameters)
    const isPart = given.has('_count')
    const page = await this.#record.page(isPart ? query : { ...query, count: MAX_COUNT })
    if (page.next !== undefined && !isPart) tooMuch(`More than ${MAX_COUNT} of ${field.of} match. Narrow the search, give _count, or page with ${field.of}Connection.`, node)
    return await this.#record.shown(page)
  }
}

/** A reference that leads to nothing this caller may see. */
class Unresolved extends Error {}

function shapeOf({ field, singleton }: Selected, { isList }: Mode): Shape {
  return singleton ? 'single' : field.many || isList ? 'list' : 'one'
}

function placeOf({ value }: Value, { field }: Selected, place: Place): Place | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const inner = value as Json
  const path = field.type === ANY ? String(inner.resourceType) : field.type
  if (field.type === ANY && !concretesOf(ANY).includes(path)) return undefined
  if (!isResource(path)) return { ...place, value: inner, path }
  return { value: inner, path, resource: inner, root: field.name === 'contained' ? place.root : inner }
}

function itemIn({ value }: Value, { field }: Selected): Item {
  return field.type === ANY ? itemOf(value as object) : { value, type: field.isScalar ? field.type.replace(/^[A-Z]/, (letter) => letter.toLowerCase()) : field.type }
}

function hasValue(value: unknown, name: string, wanted: string): boolean {
  if (typeof value !== 'object' || value === null) return false
  const found = (value as Json)[name]
  if (Array.isArray(found)) return found.some((one, at) => (keptDigits(found, at) ?? String(one)) === wanted)
  return found !== undefined && (keptDigits(value, name) ?? String(found)) === wanted
}

function containedIn(root: Json, reference: string): Json | undefined {
  if (reference === '#') return root
  const { contained } = root
  return Array.isArray(contained) ? (contained as Json[]).find((one) => one?.id === reference.slice(1)) : undefined
}

function pathOf(trail: Trail | undefined): (string | number)[] {
  const keys: (string | number)[] = []
  for (let at = trail; at; at = at.up) keys.unshift(at.key)
  return keys
}
