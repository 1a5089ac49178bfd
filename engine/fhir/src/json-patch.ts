import { CopyBudget, listOf, setSlot, type Slot, slotAt, slotsOf, tellDigits } from './json-slots.ts'
import { MOST_OPERATIONS, PatchFault } from './patch-fault.ts'

type Fail = (diagnostics: string) => never

/**
 * Applies a JSON Patch (RFC 6902) to a copy: all operations or none. Decimals keep how they were written, in the resource
 * and in the patch.
 *
 * @throws PatchFault that names the operation.
 */
export function applyJsonPatch(resource: object, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw new PatchFault('malformed', 'Patch', 'A JSON Patch is an array of operations.')
  if (patch.length > MOST_OPERATIONS) throw new PatchFault('malformed', 'Patch', `At most ${MOST_OPERATIONS} operations at once.`)
  const budget = new CopyBudget()
  const operations = patch.map((one: unknown, at): { run: Operation; given: Record<string, unknown>; name: string } => {
    const given = one as Record<string, unknown> | null
    const op = typeof given === 'object' && given !== null ? given.op : undefined
    const run = typeof op === 'string' && Object.hasOwn(operationsByName, op) ? operationsByName[op] : undefined
    if (!given || !run) throw new PatchFault('malformed', `Patch[${at}]`, 'An operation needs op: add, remove, replace, move, copy or test.')
    return { run, given, name: op as string }
  })
  const root: Holder = { value: budget.copyOf({ value: resource })?.value }
  for (const [at, { run, given, name }] of operations.entries()) {
    const fail = (diagnostics: string): never => {
      throw new PatchFault('unprocessable', `Patch[${at}]`, `${name}: ${diagnostics}`)
    }
    const malformed = (diagnostics: string): never => {
      throw new PatchFault('malformed', `Patch[${at}]`, `${name}: ${diagnostics}`)
    }
    run({ root, given, fail, malformed, budget })
  }
  tellDigits(root.value)
  return root.value
}

// The resource is the property `value` of a holder, so that a path of nothing is one like the others.
interface Holder {
  value: unknown
}

interface Context {
  root: Holder
  given: Record<string, unknown>
  fail: Fail
  malformed: Fail
  budget: CopyBudget
}

type Operation = (context: Context) => void

const operationsByName: Readonly<Record<string, Operation>> = {
  add: (context) => add(context, pathIn(context, 'path'), valueIn(context)),
  remove: (context) => void remove(context, pathIn(context, 'path')),
  replace(context) {
    const place = placeOf(context, pathIn(context, 'path'))
    setSlot(place.holder, existing(context, place), valueIn(context))
  },
  move(context) {
    const [from, path] = [pathIn(context, 'from'), pathIn(context, 'path')]
    if (path.length > from.length && from.every((name, at) => path[at] === name)) context.fail('a value cannot be moved into itself.')
    add(context, path, remove(context, from))
  },
  copy(context) {
    const path = pathIn(context, 'path')
    add(context, path, copied(context, slotIn(context, pathIn(context, 'from'))))
  },
  test(context) {
    const { value } = slotIn(context, pathIn(context, 'path'))
    if (!isSame(value, valueIn(context).value)) context.fail('the value at the path is another one.')
  },
}

/** The names of a JSON Pointer (RFC 6901). */
function pathIn({ given, malformed }: Context, name: 'path' | 'from'): string[] {
  const text = given[name]
  if (typeof text !== 'string' || !/^(\/([^/~]|~[01])*)*$/.test(text)) return malformed(`${name} must be a JSON Pointer, such as /name/0/family.`)
  return text.split('/').slice(1).map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function valueIn(context: Context): Slot {
  if (!Object.hasOwn(context.given, 'value')) return context.malformed('a value is missing.')
  return copied(context, slotAt(context.given, 'value'))
}

function copied({ budget, fail }: Context, slot: Slot): Slot {
  return budget.copyOf(slot) ?? fail('the patch makes too much of it.')
}

interface Place {
  holder: Record<string, unknown> | unknown[]
  key: string
  /** Where the holder itself stands. */
  above?: Place
}

function placeOf({ root, fail }: Context, path: readonly string[]): Place {
  let place: Place = { holder: root as unknown as Record<string, unknown>, key: 'value' }
  for (const [at, name] of path.entries()) {
    const { holder, key } = place
    const inner = Object.hasOwn(holder, key) ? (holder as Record<string, unknown>)[key] : undefined
    if (typeof inner !== 'object' || inner === null) return fail(`there is nothing at ${shown(path.slice(0, at))}.`)
    if (name === '__proto__') return fail('this name is not used in FHIR.')
    place = { holder: inner as Record<string, unknown>, key: name, above: place }
  }
  return place
}

// Paths hold names of elements; anything else is not said back.
function shown(path: readonly string[]): string {
  return path.every((name) => /^[\w-]{1,64}$/.test(name)) ? `/${path.join('/')}` : 'the path'
}

const INDEX = /^(0|[1-9]\d{0,8})$/

function existing({ fail }: Context, { holder, key }: Place): string {
  if (Array.isArray(holder)) return INDEX.test(key) && Number(key) < holder.length ? key : fail('the list has no such element.')
  return Object.hasOwn(holder, key) ? key : fail('there is nothing at the path.')
}

function slotIn(context: Context, path: readonly string[]): Slot {
  const place = placeOf(context, path)
  return slotAt(place.holder, existing(context, place))
}

function add(context: Context, path: readonly string[], slot: Slot): void {
  const place = placeOf(context, path)
  const { holder, key } = place
  if (!Array.isArray(holder)) {
    setSlot(holder, key, slot)
    return
  }
  const at = key === '-' ? holder.length : INDEX.test(key) && Number(key) <= holder.length ? Number(key) : context.fail('the list has no such place.')
  replaceList(place, slotsOf(holder).toSpliced(at, 0, slot))
}

function remove(context: Context, path: readonly string[]): Slot {
  if (path.length === 0) return context.fail('the whole resource cannot be removed.')
  const place = placeOf(context, path)
  const key = existing(context, place)
  const slot = slotAt(place.holder, key)
  if (Array.isArray(place.holder)) replaceList(place, slotsOf(place.holder).toSpliced(Number(key), 1))
  else delete place.holder[key]
  return slot
}

// A list of its own: the old one knows how its numbers were written by their places.
function replaceList({ above }: Place, slots: readonly Slot[]): void {
  if (above) setSlot(above.holder, above.key, { value: listOf(slots) })
}

/** Equality of JSON: numbers by value, members in any order (RFC 6902, 4.6). */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const [keys, others] = [Object.keys(a), Object.keys(b)]
  return keys.length === others.length && keys.every((key) => Object.hasOwn(b, key) && isSame((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
}

