import { type Issue, outcome } from '@carespine/fhir/outcome'
import type { OperationOutcome } from '@carespine/fhir/resource'
import type { ASTNode } from 'graphql'

/** An error of a GraphQL answer, with an OperationOutcome as http://hl7.org/fhir/R4/graphql.html#errors asks for. */
export interface AnsweredError {
  message: string
  locations?: { line: number; column: number }[]
  path?: (string | number)[]
  extensions: { resource: OperationOutcome }
}

/** Where a node stands in the query. */
export function locationsOf(node: ASTNode | undefined): { locations?: { line: number; column: number }[] } {
  const start = node?.loc?.startToken
  return start ? { locations: [{ line: start.line, column: start.column }] } : {}
}

export function errorOf(code: Issue['code'], message: string, more: Partial<AnsweredError> = {}): AnsweredError {
  return { message, ...more, extensions: { resource: outcome([{ severity: 'error', code, diagnostics: message }]) } }
}

/** A query that is not answered at all: it has faults, or asks for more than one answer gives. */
export class GraphqlFault extends Error {
  readonly errors: readonly AnsweredError[]
  readonly status: number

  constructor(errors: readonly AnsweredError[], status = 400) {
    super(errors[0]?.message)
    this.errors = errors
    this.status = status
  }
}

/** Refuses a query for a fault at one place in it. */
export function faultAt(node: ASTNode | undefined, message: string, code: Issue['code'] = 'invalid'): never {
  throw new GraphqlFault([errorOf(code, message, locationsOf(node))])
}

/** Refuses a query that asks for more than there is in one answer. */
export function tooMuch(message: string, node?: ASTNode): never {
  throw new GraphqlFault([errorOf('too-costly', message, locationsOf(node))], 422)
}
