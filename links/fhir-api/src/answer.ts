import { type Issue, outcome } from '@carespine/fhir/outcome'
import type { OperationOutcome } from '@carespine/fhir/resource'
import { Refusal } from '@carespine/kit/module'
import { engineRefusals } from '@carespine/kit/refusals'

export const FHIR_JSON = 'application/fhir+json; charset=utf-8'

/** Statuses that FHIR asks for where the rest of the API has others (R4 RESTful API, http.html). */
const statuses: Readonly<Record<string, number>> = {
  RECORD_VERSION_CONFLICT: 412,
  RECORD_DELETED: 410,
  INPUT_TYPE_UNSUPPORTED: 415,
  INPUT_TOO_LARGE: 413,
  FHIR_PATCH_UNSUPPORTED: 415,
  FHIR_BULK_INPUT_TOO_LARGE: 413,
}

const codes: Readonly<Record<number, Issue['code']>> = {
  400: 'structure',
  401: 'login',
  403: 'forbidden',
  404: 'not-found',
  405: 'not-supported',
  406: 'not-supported',
  409: 'conflict',
  410: 'deleted',
  412: 'conflict',
  413: 'too-long',
  415: 'not-supported',
  422: 'processing',
  429: 'throttled',
  503: 'transient',
}

/** Codes that say more than the status does. */
const codesOf: Readonly<Record<string, Issue['code']>> = { SEARCH_TOO_WIDE: 'too-costly', SEARCH_SORT_TOO_WIDE: 'too-costly', SEARCH_TOO_SLOW: 'too-costly' }

interface Details {
  issues?: Issue[]
  /** The action to use instead. */
  instead?: string
  fields?: { field: string; problem: string }[]
  /** Where a body is no JSON, or nested too deeply. */
  line?: number
  column?: number
  problem?: string
}

/** A refusal as status and OperationOutcome. Undefined for what is not a refusal. */
export function outcomeOf(
  error: unknown,
  refusals: Readonly<Record<string, { status: number; message: string }>> = engineRefusals,
): { status: number; body: OperationOutcome } | undefined {
  if (!(error instanceof Refusal)) return undefined
  const known = refusals[error.code]
  const status = statuses[error.code] ?? known?.status
  if (status === undefined) return undefined
  const { issues, instead, fields, line, column, problem } = error.details as Details
  if (issues) return { status, body: outcome(issues) }
  const message = known?.message ?? 'The request was refused.'
  const more = instead ? ` Use ${instead}.` : line === undefined ? '' : ` Line ${line}, column ${column}${problem ? `: ${problem}` : '.'}`
  const list = fields?.map(({ field, problem }): Issue => ({ severity: 'error', code: 'value', expression: field, diagnostics: problem }))
  return {
    status,
    body: outcome(list ?? [{ severity: 'error', code: codesOf[error.code] ?? codes[status] ?? 'processing', diagnostics: `${message}${more}` }]),
  }
}
