import { resourceTypes } from '@carespine/fhir/definitions'
import type { ParameterLookup } from '@carespine/fhir/search-parameters'
import { type GraphQLDirective, isNonNullType } from 'graphql'
import { type Argument, argumentsOf } from './arguments.ts'
import { ANY, concretesOf, type Field, fieldsOf, isResource, nameOf, pathNamed, QUERY, structurePaths } from './fields.ts'
import { directives } from './read-document.ts'
import { scalarTypes } from './scalars.ts'

// What there is to ask, told when it is asked (GraphQL, October 2021, section 4). Values are made field by field: those of
// all types at once would take more memory than the rest of the server.

interface Type {
  kind: string
  name: string | null
  ofType?: Type
}

const scalarOf = (name: string): Type => ({ kind: 'SCALAR', name })
const listOf = (ofType: Type): Type => ({ kind: 'LIST', name: null, ofType })
const requiredOf = (ofType: Type): Type => ({ kind: 'NON_NULL', name: null, ofType })

interface Telling {
  parametersOf: ParameterLookup
  /** With the searches for what refers to a resource: some 11,000 fields, too many for a list of all types. */
  reverse: boolean
}

function objectOf(path: string, telling: Telling): Type {
  const isAny = path === ANY
  return {
    kind: isAny ? 'INTERFACE' : 'OBJECT',
    name: nameOf(path),
    get fields() {
      return fieldsOf(path, telling.parametersOf, telling).map((field) => told(field, path, telling))
    },
    get interfaces() {
      return isResource(path) && !isAny ? [objectOf(ANY, telling)] : []
    },
    ...(isAny
      ? {
          get possibleTypes() {
            return concretesOf(ANY).map((one) => objectOf(one, telling))
          },
        }
      : {}),
  } as Type
}

function told(field: Field, path: string, telling: Telling): object {
  const named = field.isScalar ? scalarOf(field.type) : objectOf(field.type, { ...telling, reverse: false })
  const type = field.many ? listOf(named) : named
  return {
    name: field.name,
    get args() {
      return argumentsOf(field, { parametersOf: telling.parametersOf, isWithin: path !== QUERY }).map(([name, argument]) => inputOf(name, argument))
    },
    type: field.required ? requiredOf(type) : type,
    isDeprecated: false,
  }
}

function inputOf(name: string, { form, type, required }: Argument): object {
  const named = form === 'texts' ? listOf(scalarOf(type)) : scalarOf(type)
  return { name, type: required ? requiredOf(named) : named, isDeprecated: false }
}

function directiveOf({ name, description, locations, args }: GraphQLDirective): object {
  return {
    name,
    description,
    isRepeatable: false,
    locations,
    args: args.map((one) => ({ name: one.name, type: isNonNullType(one.type) ? requiredOf(scalarOf(String(one.type.ofType))) : scalarOf(String(one.type)), isDeprecated: false })),
  }
}

/** All types as R4 publishes them, for a query that begins at `root`. What refers to a resource is told by `__type` of it. */
export function schemaOf(parametersOf: ParameterLookup, root: string): object {
  const telling: Telling = { parametersOf, reverse: false }
  return {
    description: 'FHIR R4, as http://hl7.org/fhir/R4/graphql.html describes it. __type of a resource type also tells of the lists of what refers to it.',
    queryType: objectOf(root, telling),
    get types() {
      const connections = resourceTypes.flatMap((type) => [`${type}#connection`, `${type}#edge`])
      return [...[...scalarTypes.keys()].map(scalarOf), ...[QUERY, ANY, ...structurePaths(), ...connections].map((path) => objectOf(path, telling))]
    },
    directives: directives.map(directiveOf),
  }
}

/** One type with all of its fields; undefined when there is none of this name. */
export function typeNamed(name: string, parametersOf: ParameterLookup): object | undefined {
  if (scalarTypes.has(name)) return scalarOf(name)
  const path = pathNamed(name)
  return path === undefined ? undefined : objectOf(path, { parametersOf, reverse: true })
}
