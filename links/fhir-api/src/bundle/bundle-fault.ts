import type { Issue } from '@carespine/fhir/outcome'
import { Refusal, refuse } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import { outcomeOf } from '../answer.ts'

export const bundleRefusals = {
  BUNDLE_INVALID: { status: 400, message: 'The Bundle has faults.' },
  BUNDLE_REFERENCE_UNRESOLVED: { status: 422, message: 'A reference in the Bundle leads nowhere.' },
} as const

export function refuseBundle(expression: string, diagnostics: string, code: Issue['code'] = 'invalid'): never {
  return refuse('BUNDLE_INVALID', { issues: [{ severity: 'error', code, expression, diagnostics }] })
}

/** Of a resource in an entry: `Patient.name` becomes `Bundle.entry[3].resource.name`. */
function within(at: number, expression: string | undefined): string {
  if (expression === undefined) return `Bundle.entry[${at}]`
  if (expression.startsWith('Bundle.entry[')) return expression
  const [first = '', ...rest] = expression.split('.')
  if (first.startsWith('Patch[')) return `Bundle.entry[${at}].resource`
  return ['Bundle', `entry[${at}]`, 'resource', ...rest].join('.')
}

/** The same refusal, told with the entry that it is about. */
export function located(error: Refusal, at: number, refusals: Services['refusals']): Refusal {
  const given = (error.details as { issues?: Issue[] }).issues
  const issues = given ?? outcomeOf(error, refusals)?.body.issue.map(({ severity, code, diagnostics }) => ({ severity, code, diagnostics }) as Issue)
  return issues ? new Refusal(error.code, { ...error.details, issues: issues.map((issue) => ({ ...issue, expression: within(at, issue.expression) })) }) : error
}
