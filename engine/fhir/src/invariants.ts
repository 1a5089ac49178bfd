import { compileExpression } from './fhirpath.ts'
import type { Surroundings } from './fhirpath-functions.ts'
import { ExpressionFault } from './fhirpath-syntax.ts'
import { type Item, truthOf } from './fhirpath-values.ts'
import type { Invariant } from './plans.ts'

/** Why an invariant cannot be evaluated at all; undefined when it can. */
export function compileFault(of: Invariant): string | undefined {
  if (of.compiled === undefined) {
    try {
      of.compiled = compileExpression(of.expression)
    } catch (error) {
      if (!(error instanceof ExpressionFault)) throw error
      of.compiled = null
      of.fault = error.message
    }
  }
  return of.fault
}

/**
 * Whether a value keeps an invariant. What comes out empty counts as kept: neither side of a comparison of partial dates
 * or of an absent element says that it is broken.
 */
export function judge(of: Invariant, item: Item, around: Surroundings): 'kept' | 'broken' | 'not evaluated' {
  if (of.compiled === undefined) compileFault(of)
  if (!of.compiled) return 'not evaluated'
  try {
    return truthOf(of.compiled(item, around)) === false ? 'broken' : 'kept'
  } catch (error) {
    // Too deep a recursion in somebody's repeat() is theirs, like any other fault of their expression.
    if (error instanceof ExpressionFault || error instanceof RangeError) return 'not evaluated'
    throw error
  }
}
