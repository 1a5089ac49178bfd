import { compileExpression } from './fhirpath.ts'
import type { Surroundings } from './fhirpath-functions.ts'
import { ExpressionFault } from './fhirpath-syntax.ts'
import { type Item, truthOf, UNDECIDED } from './fhirpath-values.ts'
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

/** Whether a value keeps an invariant: its expression has to be true (http://hl7.org/fhir/R4/conformance-rules.html#constraints). */
export function judge(of: Invariant, item: Item, around: Surroundings): 'kept' | 'broken' | 'not evaluated' {
  if (of.compiled === undefined) compileFault(of)
  if (!of.compiled) return 'not evaluated'
  try {
    const said = of.compiled(item, around)
    const truth = truthOf(said)
    // Good practice about an element is no question where there is none.
    const isKept = truth === undefined ? said === UNDECIDED || of.severity === 'warning' : truth
    return isKept ? 'kept' : 'broken'
  } catch (error) {
    // Too deep a recursion in somebody's repeat() is theirs, like any other fault of their expression.
    if (error instanceof ExpressionFault || error instanceof RangeError) return 'not evaluated'
    throw error
  }
}
