import { keptDigits, setDecimal } from '@carespine/fhir/decimal-digits'
import {
  type DocumentNode, type FragmentDefinitionNode, GraphQLDirective, DirectiveLocation, GraphQLError, GraphQLObjectType, GraphQLSchema, GraphQLString, Kind, Lexer, type OperationDefinitionNode,
  KnownDirectivesRule, KnownFragmentNamesRule, LoneAnonymousOperationRule, NoFragmentCyclesRule, NoUndefinedVariablesRule, NoUnusedFragmentsRule, NoUnusedVariablesRule, ExecutableDefinitionsRule,
  UniqueArgumentNamesRule, UniqueDirectivesPerLocationRule, UniqueFragmentNamesRule, UniqueInputFieldNamesRule, UniqueOperationNamesRule, UniqueVariableNamesRule,
  parse, Source, specifiedDirectives, TokenKind, type TypeNode, validate, valueFromASTUntyped,
} from 'graphql'
import type { Variables } from './arguments.ts'
import { errorOf, faultAt, GraphqlFault, locationsOf } from './graphql-fault.ts'
import { scalarTypes } from './scalars.ts'

export interface Query {
  operation: OperationDefinitionNode
  fragments: ReadonlyMap<string, FragmentDefinitionNode>
  variables: Variables
}

export interface Asking {
  query: string
  variables?: Record<string, unknown>
  operationName?: string
}

/** What nobody writes by hand, and few programs: each costs before anything is known of it. */
const MOST_TOKENS = 10_000
const DEEPEST = 60

const LOCATIONS = [DirectiveLocation.FIELD]

/** Directives of R4 GraphQL, Data flattening directives; `path` and `fhirpath` are both in its text. */
export const directives: readonly GraphQLDirective[] = [
  ...specifiedDirectives.filter(({ name }) => name === 'skip' || name === 'include'),
  new GraphQLDirective({ name: 'flatten', description: 'The field is left out, and what is selected in it stands in its place.', locations: LOCATIONS }),
  new GraphQLDirective({ name: 'first', description: 'The first of several alone.', locations: LOCATIONS }),
  new GraphQLDirective({ name: 'singleton', description: 'One value where there would be a list; an error when there are several.', locations: LOCATIONS }),
  new GraphQLDirective({
    name: 'slice',
    description: 'Each of several under a name of its own: with a dot and what the FHIRPath expression gives.',
    locations: LOCATIONS,
    args: { path: { type: GraphQLString }, fhirpath: { type: GraphQLString } },
  }),
]

// Rules that need no types: the types of FHIR as graphql-js builds them take 111 MB (decision 27).
const untyped = new GraphQLSchema({ query: new GraphQLObjectType({ name: 'Query', fields: { id: { type: GraphQLString } } }), directives })
const rules = [
  ExecutableDefinitionsRule, KnownDirectivesRule, KnownFragmentNamesRule, LoneAnonymousOperationRule, NoFragmentCyclesRule, NoUndefinedVariablesRule, NoUnusedFragmentsRule, NoUnusedVariablesRule,
  UniqueArgumentNamesRule, UniqueDirectivesPerLocationRule, UniqueFragmentNamesRule, UniqueInputFieldNamesRule, UniqueOperationNamesRule, UniqueVariableNamesRule,
]

function answered({ message, locations }: GraphQLError, code: 'structure' | 'invalid'): ReturnType<typeof errorOf> {
  return errorOf(code, message, locations ? { locations: locations.map(({ line, column }) => ({ line, column })) } : {})
}

/** Refuses what is long or nested beyond all use, before a parser that calls itself for each level reads it. */
function measure(text: string): void {
  const lexer = new Lexer(new Source(text))
  let tokens = 0
  let depth = 0
  for (let token = lexer.advance(); token.kind !== TokenKind.EOF; token = lexer.advance()) {
    tokens += 1
    if (token.kind === TokenKind.BRACE_L || token.kind === TokenKind.BRACKET_L || token.kind === TokenKind.PAREN_L) depth += 1
    if (token.kind === TokenKind.BRACE_R || token.kind === TokenKind.BRACKET_R || token.kind === TokenKind.PAREN_R) depth -= 1
    const problem = tokens > MOST_TOKENS ? `The query is longer than ${MOST_TOKENS} tokens.` : depth > DEEPEST ? `The query is nested deeper than ${DEEPEST} levels.` : undefined
    if (problem !== undefined) throw new GraphqlFault([errorOf('too-costly', problem, { locations: [{ line: token.line, column: token.column }] })])
  }
}

/** Reads a query, its operation and its variables. Refuses what has faults that no type is needed to see. */
export function readDocument({ query, variables = {}, operationName }: Asking): Query {
  const document = parsed(query)
  const errors = validate(untyped, document, rules, { maxErrors: 20 })
  if (errors.length > 0) throw new GraphqlFault(errors.map((error) => answered(error, 'invalid')))
  const operation = operationIn(document, operationName)
  const fragments = document.definitions.flatMap((one): [string, FragmentDefinitionNode][] => (one.kind === Kind.FRAGMENT_DEFINITION ? [[one.name.value, one]] : []))
  return { operation, fragments: new Map(fragments), variables: variablesOf(operation, variables) }
}

function parsed(text: string): DocumentNode {
  try {
    measure(text)
    return parse(text)
  } catch (error) {
    if (error instanceof GraphQLError) throw new GraphqlFault([answered(error, 'structure')])
    throw error
  }
}

function operationIn(document: DocumentNode, name: string | undefined): OperationDefinitionNode {
  const operations = document.definitions.filter((one): one is OperationDefinitionNode => one.kind === Kind.OPERATION_DEFINITION)
  const found = name === undefined ? operations : operations.filter((one) => one.name?.value === name)
  const [operation, ...others] = found
  if (!operation) return faultAt(undefined, name === undefined ? 'There is no operation in the query.' : 'There is no operation of this operationName in the query.', 'required')
  if (others.length > 0) faultAt(others[0], 'The query has several operations: say which with operationName.', 'required')
  return operation
}

function variablesOf({ variableDefinitions = [] }: OperationDefinitionNode, given: Record<string, unknown>): Variables {
  const values: Record<string, unknown> = Object.create(null)
  for (const node of variableDefinitions) {
    const name = node.variable.name.value
    const fault = (problem: string): never => faultAt(node, `$${name}: ${problem}`, 'value')
    const type = namedType(node.type)
    if (!scalarTypes.has(type)) fault(`${type} is no type that a variable can have.`)
    const value = Object.hasOwn(given, name) ? given[name] : node.defaultValue && valueFromASTUntyped(node.defaultValue)
    if (value === undefined || value === null) {
      if (node.type.kind === Kind.NON_NULL_TYPE) throw new GraphqlFault([errorOf('required', `$${name}: give a value.`, locationsOf(node))])
      continue
    }
    if (!fits(value, node.type)) fault(`this is no ${textOf(node.type)}.`)
    // With how its digits were written, which are kept beside it.
    if (Object.hasOwn(given, name)) copyDigits(given, values, name)
    values[name] = value
  }
  return values
}

function copyDigits(from: object, to: object, name: string): void {
  const digits = keptDigits(from, name)
  if (digits !== undefined) setDecimal(to, name, digits)
}

function namedType(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : namedType(type.type)
}

function textOf(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : type.kind === Kind.LIST_TYPE ? `list of ${textOf(type.type)}` : textOf(type.type)
}

function fits(value: unknown, type: TypeNode): boolean {
  if (type.kind === Kind.NON_NULL_TYPE) return value !== null && fits(value, type.type)
  if (value === null) return true
  if (type.kind === Kind.LIST_TYPE) return Array.isArray(value) ? value.every((one) => fits(one, type.type)) : fits(value, type.type)
  return scalarTypes.get(type.name.value)?.(value) ?? false
}
