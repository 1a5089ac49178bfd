import { keptDigits } from '@carespine/fhir/decimal-digits'
import type { ParameterLookup, ParameterType } from '@carespine/fhir/search-parameters'
import { type ArgumentNode, Kind, type ValueNode } from 'graphql'
import { type Field, fieldOf, fieldsOf } from './fields.ts'
import { faultAt } from './graphql-fault.ts'

/** Texts are written as a string, a name or a number, as the examples of R4 do: `id: example`, `_id: [1, 2]`. */
type Form = 'text' | 'texts' | 'number' | 'flag'

export interface Argument {
  form: Form
  /** As introspection names it. */
  type: string
  required?: true
  /** Of a search argument: the parameter behind it. */
  parameter?: string
}

type ArgumentValue = string | readonly string[] | number | boolean
export type Arguments = ReadonlyMap<string, ArgumentValue>
export type Variables = Readonly<Record<string, unknown>>

type Table = Readonly<Record<string, Argument>>

const text = (type = 'String'): Argument => ({ form: 'text', type })
const number: Argument = { form: 'number', type: 'Int' }
const flag: Argument = { form: 'flag', type: 'Boolean' }

const navigation: Table = { fhirpath: text(), _count: number, _offset: number }
const target: Table = { optional: flag, type: { form: 'texts', type: 'code' } }
const read: Table = { id: { ...text('ID'), required: true } }
const typeOfName: Table = { name: { ...text(), required: true } }
const deprecated: Table = { includeDeprecated: flag }
const lists = new Set(['fields', 'enumValues', 'inputFields', 'args'])

/** Of every search, beside its parameters (R4 GraphQL, Searching resources). `_include` and `_contained` are no part of it. */
const ofSearch: Table = {
  _filter: { ...text(), parameter: '_filter' },
  _text: { ...text(), parameter: '_text' },
  _content: { ...text(), parameter: '_content' },
  _list: { ...text('ID'), parameter: '_list' },
  _sort: { form: 'texts', type: 'String', parameter: '_sort' },
  _count: { ...number, parameter: '_count' },
  fhirpath: text(),
}
const cursors: Table = { _cursor: text('ID'), cursor: text('ID') }
const reverse: Table = { _reference: { ...text('code'), required: true } }

/** Scalars of the types of search parameters (R4, type definitions of GraphQL). */
const scalarsOf: Readonly<Record<ParameterType, string>> = {
  string: 'String', token: 'token', reference: 'reference', uri: 'uri', date: 'date', number: 'number', quantity: 'quantity', composite: 'composite', special: 'special',
}

/** Where a field stands: a search within a resource is one for what refers to it. */
export interface Standing {
  parametersOf: ParameterLookup
  isWithin: boolean
}

const own = (table: Table, name: string): Argument | undefined => (Object.hasOwn(table, name) ? table[name] : undefined)

function tableOf({ from, isScalar, many, type, name }: Field, { isWithin }: Standing): Table {
  switch (from) {
    case 'target':
      return target
    case 'read':
      return read
    case 'list':
      return isWithin ? { ...ofSearch, ...reverse } : ofSearch
    case 'connection':
      return isWithin ? { ...ofSearch, ...reverse } : { ...ofSearch, ...cursors }
    case 'type':
      return typeOfName
    case 'element':
      if (type.startsWith('__')) return lists.has(name) ? deprecated : {}
      return many && !isScalar && !type.includes('#') ? navigation : {}
    default:
      return {}
  }
}

const isNavigated = ({ from, isScalar, many, type }: Field): boolean => from === 'element' && many && !isScalar && !type.includes('#') && !type.startsWith('__')

/** An argument of a field; undefined when it takes none of this name. */
export function argumentOf(field: Field, name: string, standing: Standing): Argument | undefined {
  const known = own(tableOf(field, standing), name)
  if (known) return known
  if (field.of && field.from !== 'read') {
    const parameters = standing.parametersOf(field.of)
    // A dash is no part of a name in GraphQL.
    const parameter = parameters.get(name) ?? (name.includes('_') ? [...parameters.values()].find(({ code }) => code.replaceAll('-', '_') === name) : undefined)
    return parameter && parameter.code.replaceAll('-', '_') === name ? { form: 'texts', type: scalarsOf[parameter.type], parameter: parameter.code } : undefined
  }
  if (!isNavigated(field)) return undefined
  const child = fieldOf(field.type, name)
  return child?.from === 'element' && child.isScalar ? text(child.type) : undefined
}

/** Every argument of a field, by name. */
export function argumentsOf(field: Field, standing: Standing): [string, Argument][] {
  const names = Object.keys(tableOf(field, standing))
  if (field.of && field.from !== 'read') names.push(...[...standing.parametersOf(field.of).keys()].map((code) => code.replaceAll('-', '_')))
  if (isNavigated(field)) {
    for (const { name, isScalar, from } of fieldsOf(field.type, standing.parametersOf)) if (isScalar && from === 'element' && name !== 'resourceType') names.push(name)
  }
  return [...new Set(names)].flatMap((name): [string, Argument][] => {
    const argument = argumentOf(field, name, standing)
    return argument ? [[name, argument]] : []
  })
}

const wanted: Readonly<Record<Form, string>> = { text: 'one value', texts: 'values', number: 'a whole number from 0', flag: 'true or false' }

/** What arguments say, checked; null and variables that were not given are as if they were not there. Refuses the others. */
export function readArguments(nodes: readonly ArgumentNode[], definitionOf: (name: string) => Argument | undefined, variables: Variables): Arguments {
  const values = new Map<string, ArgumentValue>()
  for (const node of nodes) {
    const name = node.name.value
    const definition = definitionOf(name) ?? faultAt(node, `There is no argument ${name} here.`, 'not-supported')
    const value = plainIn(node.value, variables, (problem) => faultAt(node, `${name}: ${problem}`, 'value'))
    if (value === undefined) continue
    const read = readAs(definition.form, value)
    values.set(name, read ?? faultAt(node, `${name}: give ${wanted[definition.form]}.`, 'value'))
  }
  return values
}

/** A value as the query or its variables give it: texts, numbers and lists of them. */
type Plain = string | number | boolean | Plain[]

function plainIn(node: ValueNode, variables: Variables, fault: (problem: string) => never): Plain | undefined {
  switch (node.kind) {
    case Kind.VARIABLE:
      return plainOf(variables, node.name.value, fault)
    case Kind.NULL:
      return undefined
    case Kind.INT:
    case Kind.FLOAT:
    case Kind.STRING:
    case Kind.ENUM:
      // Also of numbers as they are written: 1.00 is searched for otherwise than 1.
      return node.value
    case Kind.BOOLEAN:
      return node.value
    case Kind.LIST:
      return node.values.flatMap((one) => plainIn(one, variables, fault) ?? [])
    case Kind.OBJECT:
      return fault('an object is no value here.')
  }
}

function plainOf(holder: object, key: string | number, fault: (problem: string) => never): Plain | undefined {
  const value = (holder as Record<string | number, unknown>)[key]
  if (value === undefined || value === null) return undefined
  if (Array.isArray(value)) return value.flatMap((_one, at) => plainOf(value, at, fault) ?? [])
  if (typeof value === 'object') return fault('an object is no value here.')
  return keptDigits(holder, key) ?? (value as string | number | boolean)
}

function readAs(form: Form, value: Plain): ArgumentValue | undefined {
  if (form === 'texts') return Array.isArray(value) ? (value.some(Array.isArray) ? undefined : value.map(String)) : [String(value)]
  if (Array.isArray(value)) return undefined
  if (form === 'flag') return typeof value === 'boolean' ? value : undefined
  if (form === 'number') return /^\d{1,9}$/.test(String(value)) ? Number(value) : undefined
  return String(value)
}
