import { builtins, type Evaluate, type Frame, type Surroundings, typeFunctions } from './fhirpath-functions.ts'
import { movedDate } from './fhirpath-dates.ts'
import { type Expression, ExpressionFault, parseExpression } from './fhirpath-syntax.ts'
import { addChildren, boolean, compare, distinct, integer, isOfType, isQuantity, type Item, type Items, leftToSpend, NOTHING, numberOf, sameItem, single, spend, startSpending, stringOf, text, truthOf, UNDECIDED } from './fhirpath-values.ts'

// FHIRPath (http://hl7.org/fhirpath/N1) compiled to closures, for the invariants, discriminators and contexts of
// profiles. Left out: type(), arithmetic with units, and what is newer than N1.

/** An expression ready to run on a value; `index` is its place in the list it comes from. */
export type Compiled = (context: Item, around: Surroundings, index?: number) => Items

const VARIABLES: Readonly<Record<string, string>> = { ucum: 'http://unitsofmeasure.org', sct: 'http://snomed.info/sct', loinc: 'http://loinc.org' }

/** Compiles an expression. Throws an ExpressionFault when it is not FHIRPath or uses what is left out. */
export function compileExpression(source: string): Compiled {
  return compileParsed(parseExpression(source))
}

/** The same of an expression that was read already. */
export function compileParsed(expression: Expression): Compiled {
  const run = compile(expression, true)
  return (context, around, index = 0) => {
    const { budget } = around
    startSpending(budget?.left)
    try {
      return run({ context, focus: [context], index, around })
    } finally {
      // An expression that looks at little costs something too.
      if (budget) budget.left = Math.min(leftToSpend(), budget.left - 20)
    }
  }
}

function compile(expression: Expression, first = false): Evaluate {
  switch (expression.kind) {
    case 'nothing':
      return () => NOTHING
    case 'literal': {
      const { value, type } = expression
      const items: Items = [{ value, type }]
      return () => items
    }
    case 'this':
      return ({ focus }) => focus
    case 'index':
      return ({ index }) => integer(index)
    case 'total':
      return ({ total }) => total ?? NOTHING
    case 'variable':
      return variable(expression.name)
    case 'step':
      return step(expression, first)
    case 'call':
      return call(expression, first)
    case 'typed': {
      const on = compile(expression.on, first)
      const run = typeFunctions[expression.operator]
      return (frame) => run?.(on(frame), expression.type) ?? NOTHING
    }
    case 'at': {
      const on = compile(expression.on, first)
      const index = compile(expression.index)
      return (frame) => {
        const item = on(frame)[numberOf(index(frame)) ?? -1]
        return item ? [item] : NOTHING
      }
    }
    case 'negative': {
      const of = compile(expression.of)
      return (frame) => {
        const item = single(of(frame))
        return item && typeof item.value === 'number' ? [{ value: -item.value, type: item.type }] : NOTHING
      }
    }
    case 'operation':
      return operation(expression.operator, compile(expression.left, first), compile(expression.right, first))
  }
}

function variable(name: string): Evaluate {
  if (name === 'resource') return ({ around }) => [around.resource]
  if (name === 'rootResource') return ({ around }) => [around.root]
  if (name === 'extension') return ({ around }) => (around.extension ? [around.extension] : NOTHING)
  if (name === 'context') return ({ context }) => [context]
  const known = VARIABLES[name]
  const set = /^vs-(.+)$/.exec(name)?.[1]
  const extension = /^ext-(.+)$/.exec(name)?.[1]
  const value =
    known ?? (set && `http://hl7.org/fhir/ValueSet/${set}`) ?? (extension && `http://hl7.org/fhir/StructureDefinition/${extension}`)
  if (value === undefined) throw new ExpressionFault(`%${name} is not known`)
  const items = text(value)
  return () => items
}

function step({ on, name }: Expression & { kind: 'step' }, first: boolean): Evaluate {
  if (!on) {
    // An expression may start with the type that it is about: Patient.name.
    const isType = first && /^[A-Z]/.test(name)
    return ({ focus }) => (isType && focus.length === 1 && isOfType(focus[0] as Item, name) ? focus : children(focus, name))
  }
  const before = compile(on, first)
  return (frame) => children(before(frame), name)
}

function children(items: Items, name: string): Items {
  if (items.length === 0) return items
  const found: Item[] = []
  for (const item of items) addChildren(item, name, found)
  spend(found.length)
  return found
}

function typeNamed(expression: Expression | undefined): string {
  if (expression?.kind === 'step') return expression.on ? `${typeNamed(expression.on)}.${expression.name}` : expression.name
  throw new ExpressionFault('the name of a type was expected')
}

function call({ on: written, name, args }: Expression & { kind: 'call' }, first: boolean): Evaluate {
  const on: Evaluate = written ? compile(written, first) : ({ focus }) => focus
  const ofType = Object.hasOwn(typeFunctions, name) ? typeFunctions[name] : undefined
  if (ofType) {
    const type = typeNamed(args[0])
    return (frame) => ofType(on(frame), type)
  }
  const builtin = Object.hasOwn(builtins, name) ? builtins[name] : undefined
  if (!builtin) throw new ExpressionFault(`the function ${name}() is not supported`)
  if (args.length < builtin.args[0] || args.length > builtin.args[1]) throw new ExpressionFault(`${name}() has the wrong number of arguments`)
  const compiled = args.map((arg) => compile(arg))
  return (frame) => {
    const before = on(frame)
    return before === UNDECIDED && name !== 'iif' ? UNDECIDED : builtin.run({ on: before, args: compiled, frame })
  }
}

type Truth = boolean | undefined

// Three-valued: http://hl7.org/fhirpath/N1/#boolean-logic. The right side is not read when the left decides.
const LOGIC: Readonly<Record<string, (left: Truth, right: () => Truth) => Truth>> = {
  and(left, right) {
    if (left === false) return false
    const other = right()
    return other === false ? false : left === undefined || other === undefined ? undefined : true
  },
  or(left, right) {
    if (left === true) return true
    const other = right()
    return other === true ? true : left === undefined || other === undefined ? undefined : false
  },
  xor(left, right) {
    const other = right()
    return left === undefined || other === undefined ? undefined : left !== other
  },
  implies(left, right) {
    if (left === false) return true
    const other = right()
    return left === true ? other : other === true ? true : undefined
  },
}

const ORDER: Readonly<Record<string, (order: number) => boolean>> = {
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
}

function same(left: Items, right: Items): Truth {
  if (left.length === 0 || right.length === 0) return undefined
  if (left.length !== right.length) return false
  let all: Truth = true
  for (let at = 0; at < left.length; at++) {
    const one = sameItem(left[at] as Item, right[at] as Item)
    if (one === false) return false
    if (one === undefined) all = undefined
  }
  return all
}

function equality(left: Items, right: Items, wanted: boolean): Items {
  const truth = same(left, right)
  return said(truth === undefined ? undefined : truth === wanted, (left.length > 0 && right.length > 0) || left === UNDECIDED || right === UNDECIDED)
}

function equivalent(left: Items, right: Items): boolean {
  if (left.length !== right.length) return false
  const plain = ({ value, type }: Item): Item => ({ value: typeof value === 'string' ? value.trim().replace(/\s+/g, ' ').toLowerCase() : value, type })
  return left.every((item) => right.some((other) => sameItem(plain(item), plain(other)) === true))
}

const said = (truth: Truth, isUndecided: boolean): Items => (truth !== undefined ? boolean(truth) : isUndecided ? UNDECIDED : NOTHING)

function operation(operator: string, left: Evaluate, right: Evaluate): Evaluate {
  const logic = LOGIC[operator]
  if (logic) {
    return (frame) => {
      const before = left(frame)
      let after = NOTHING
      const truth = logic(truthOf(before), () => {
        after = right(frame)
        return truthOf(after)
      })
      // What is implied by nothing is not asked for.
      return said(truth, before === UNDECIDED || after === UNDECIDED || (operator === 'implies' && before.length === 0))
    }
  }
  const order = ORDER[operator]
  if (order) {
    return (frame) => {
      const [before, after] = [left(frame), right(frame)]
      const [a, b] = [single(before), single(after)]
      const found = a && b ? compare(a, b) : undefined
      return said(found === undefined ? undefined : order(found), Boolean(a && b) || before === UNDECIDED || after === UNDECIDED)
    }
  }
  switch (operator) {
    case '=':
      return (frame) => equality(left(frame), right(frame), true)
    case '!=':
      return (frame) => equality(left(frame), right(frame), false)
    case '~':
      return (frame) => boolean(equivalent(left(frame), right(frame)))
    case '!~':
      return (frame) => boolean(!equivalent(left(frame), right(frame)))
    case 'in':
      return (frame) => member(single(left(frame)), right(frame))
    case 'contains':
      return (frame) => member(single(right(frame)), left(frame))
    case '|':
      return (frame) => distinct([...left(frame), ...right(frame)])
    case '&':
      return (frame) => text((stringOf(left(frame)) ?? '') + (stringOf(right(frame)) ?? ''))
    default:
      return arithmetic(operator, left, right)
  }
}

function member(item: Item | undefined, items: Items): Items {
  return item ? boolean(items.some((known) => sameItem(known, item) === true)) : NOTHING
}

const ARITHMETIC: Readonly<Record<string, (left: number, right: number) => number>> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
  div: (left, right) => Math.trunc(left / right),
  mod: (left, right) => left % right,
}

function arithmetic(operator: string, left: Evaluate, right: Evaluate): Evaluate {
  const run = ARITHMETIC[operator]
  if (!run) throw new ExpressionFault(`the operator ${operator} is not supported`)
  return (frame: Frame) => {
    const [a, b] = [single(left(frame)), single(right(frame))]
    if (!a || !b) return NOTHING
    if (operator === '+' && typeof a.value === 'string' && typeof b.value === 'string') return text(a.value + b.value)
    const moved = operator === '+' || operator === '-' ? movedBy(a, b, operator === '-' ? -1 : 1) : undefined
    if (moved) return moved
    if (typeof a.value !== 'number' || typeof b.value !== 'number') throw new ExpressionFault('only numbers can be reckoned with')
    const value = run(a.value, b.value)
    return Number.isFinite(value) ? [{ value, type: Number.isInteger(value) && operator !== '/' ? 'System.Integer' : 'System.Decimal' }] : NOTHING
  }
}

function movedBy(date: Item, { value, type }: Item, sign: 1 | -1): Items | undefined {
  if (typeof date.value !== 'string' || typeof value !== 'object' || value === null) return undefined
  const { value: amount, code } = value as { value?: unknown; code?: unknown }
  if (typeof amount !== 'number' || typeof code !== 'string' || !isQuantity({ value, type })) return undefined
  const moved = movedDate(date.value, sign * amount, code)
  return moved === undefined ? UNDECIDED : [{ value: moved, type: date.type }]
}
