import type { OperationOutcome, OperationOutcomeIssue } from './resource.ts'

/** One fault found in a resource or a request, as FHIR R4 OperationOutcome.issue names it. */
export interface Issue {
  severity: 'error' | 'warning' | 'information'
  /** A code of http://hl7.org/fhir/issue-type: structure, required, value, code-invalid, … */
  code: OperationOutcomeIssue['code']
  /** FHIRPath of the element at fault, such as `Patient.name[0].family`. Absent when no element is. */
  expression?: string
  /** A sentence that says what is wrong and what to do. Never a value from the resource. */
  diagnostics: string
}

/** Wraps issues as a FHIR OperationOutcome. */
export function outcome(issues: readonly Issue[]): OperationOutcome {
  return {
    resourceType: 'OperationOutcome',
    issue: issues.map(({ expression, ...issue }) => ({
      ...issue,
      ...(expression === undefined ? {} : { expression: [expression] }),
    })),
  }
}
