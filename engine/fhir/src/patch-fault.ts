import type { Issue } from './outcome.ts'

/** Why a patch cannot be read (`malformed`), or cannot be applied to this resource. */
export class PatchFault extends Error {
  readonly malformed: boolean
  readonly issue: Issue

  constructor(kind: 'malformed' | 'unprocessable', expression: string, diagnostics: string) {
    super('a patch that cannot be applied')
    this.malformed = kind === 'malformed'
    this.issue = { severity: 'error', code: this.malformed ? 'invalid' : 'processing', expression, diagnostics }
  }
}

/** More than anybody means. */
export const MOST_OPERATIONS = 1000
