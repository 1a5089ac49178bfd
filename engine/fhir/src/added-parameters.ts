import { isResourceType, resourceTypes } from './definitions.ts'
import type { ResourceType, SearchParameter } from './resource.ts'
import { compileExpression as compileFhirPath } from './fhirpath.ts'
import { compileExpression, type ElementPath, ExpressionFault } from './search-expression.ts'
import { type CompiledParameter, type ParameterLookup, searchParametersOf, writePath } from './search-parameters.ts'

export interface CompiledForType {
  type: ResourceType
  code: string
  url: string
  definition?: CompiledParameter
  problem?: string
}

const CODE = /^[A-Za-z_][\w-]{0,63}$/

/**
 * A SearchParameter of an installation, compiled for each type that it searches. What cannot be used has a problem that
 * says why; nothing comes of one that is not active, or that R4 has itself.
 *
 * @param known Parameters that a composite may be made of.
 */
export function compileParameter(parameter: SearchParameter, known: ParameterLookup): CompiledForType[] {
  const { url, code, base, status, type } = parameter
  if (status !== 'active') return []
  const types = [...new Set(base.flatMap((name: string): readonly string[] => (name === 'Resource' || name === 'DomainResource' ? resourceTypes : [name])))].filter(isResourceType)
  return types.flatMap((one): CompiledForType[] => {
    const standard = searchParametersOf(one).get(code)
    if (standard?.url === url) return []
    const named = { type: one, code, url }
    if (!CODE.test(code)) return [{ ...named, problem: 'its code must be letters, digits, - and _.' }]
    if (standard || RESERVED.has(code)) return [{ ...named, problem: `${one} has a parameter of this code in R4.` }]
    try {
      return [{ ...named, definition: { ...compiled(parameter, one, known), id: url } }]
    } catch (error) {
      if (!(error instanceof ExpressionFault)) throw error
      return [{ ...named, problem: `its ${type === 'composite' ? 'components' : 'expression'} cannot be used: ${error.message}` }]
    }
  })
}

const RESERVED: ReadonlySet<string> = new Set(['_text', '_content', '_list', '_has', '_type', '_query', '_filter', '_include', '_revinclude', '_sort', '_count', '_total', '_summary', '_elements', '_contained', '_containedType', '_cursor', '_format', '_pretty'])

// Paths where they are enough, as they are for nearly all; else FHIRPath at large.
function pathsOf(expression: string, type: ResourceType, kind: SearchParameter['type']): ElementPath[] {
  try {
    return compileExpression(expression, type)
  } catch (fault) {
    if (!(fault instanceof ExpressionFault) || kind === 'composite') throw fault
    try {
      compileFhirPath(expression)
    } catch (error) {
      throw new ExpressionFault(error instanceof Error ? error.message : String(error))
    }
    return [{ steps: [], type: '', many: true, expression }]
  }
}

function compiled(parameter: SearchParameter, type: ResourceType, known: ParameterLookup): Omit<CompiledParameter, 'id'> {
  const { expression, type: kind, target, component = [] } = parameter
  if (kind === 'special') throw new ExpressionFault('a special parameter needs code of its own.')
  if (!expression) throw new ExpressionFault('it has no expression.')
  const paths = pathsOf(expression, type, kind)
  if (paths.length === 0) throw new ExpressionFault(`it leads to nothing in ${type}.`)
  const [root] = paths
  if (kind !== 'composite') {
    return { type: kind as CompiledParameter['type'], paths: paths.map(writePath), ...(kind === 'reference' ? { targets: (target ?? []) as string[] } : {}) }
  }
  const components = component.map(({ definition, expression: part }) => {
    const indexed = [...known(type).values()].find(({ url }) => url === definition)
    if (!indexed || indexed.type === 'composite') throw new ExpressionFault(`${definition} is no parameter of ${type}.`)
    const whole = part.startsWith('%resource.')
    return { code: indexed.code, type: indexed.type, paths: compileExpression(part, whole ? type : (root?.type ?? type)).map(writePath), ...(whole ? { whole: 1 as const } : {}) }
  })
  if (components.length < 2) throw new ExpressionFault('a composite has two components or more.')
  return { type: 'composite', paths: paths.map(writePath), components }
}
