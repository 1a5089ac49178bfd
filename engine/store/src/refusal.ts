import type { Issue } from '@carespine/fhir/outcome'
/** A "no" that the caller can act on. Anything else that is thrown is a bug. */
export class Refusal extends Error {
  readonly code: string
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: string, details: Readonly<Record<string, unknown>> = {}) {
    super(code)
    this.name = 'Refusal'
    this.code = code
    this.details = details
  }
}

/** Refuses with a code that the module's contract declares. Details are identifiers and codes, never patient data. */
export function refuse(code: string, details?: Readonly<Record<string, unknown>>): never {
  throw new Refusal(code, details)
}

/** True when the database is away or has no room, or the keys are: it says nothing about what was asked, and passes. */
export function isOutage(error: unknown): boolean {
  return error instanceof Refusal && ['STORE_UNAVAILABLE', 'STORE_FULL', 'KEYS_UNAVAILABLE'].includes(error.code)
}

/** What PostgreSQL said about a unit of work, as a refusal where the caller can act on it. */
export function storeRefusal(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error))
  const { code, message, constraint } = error as Error & { code?: string; constraint?: string }
  if (code === 'CS409') return new Refusal(message)
  if (code === '23505' && constraint === 'idempotency_pkey') return new Refusal('IDEMPOTENCY_KEY_TAKEN')
  if (code === '23505' && constraint === 'handled_pkey') return new Refusal('EVENT_HANDLED')
  if (code === '23505' && (error as { schema?: string }).schema === 'fhir') return new Refusal('RECORD_EXISTS')
  if (code === '42501') return new Refusal('BRANCH_FORBIDDEN')
  if (code === '53300' || code === '53200') return new Refusal('STORE_UNAVAILABLE', { cause: code })
  return error
}

/** Refuses a search for what it asks, as a sentence for whoever wrote it. */
export function refuseSearch(code: Issue['code'], diagnostics: string): never {
  const issues: Issue[] = [{ severity: 'error', code, diagnostics }]
  return refuse('SEARCH_INVALID', { issues })
}
