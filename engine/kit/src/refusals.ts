import type { RefusalDefinition } from './contract.ts'

/** What the engine itself refuses, whichever module was asked. */
export const engineRefusals: Readonly<Record<string, RefusalDefinition>> = {
  INPUT_INVALID: { status: 400, message: 'The input has faults. Correct the fields named in the details.' },
  INPUT_MALFORMED: { status: 400, message: 'The body is not valid JSON. Send a JSON object.' },
  INPUT_TOO_DEEP: { status: 400, message: 'The body is nested too deeply. Send flatter JSON.' },
  INPUT_TOO_LARGE: { status: 400, message: 'The body is larger than this address takes. Send less at once.' },
  INPUT_TYPE_UNSUPPORTED: { status: 400, message: 'The Content-Type is not supported here. Send application/json.' },
  SIGN_IN_NEEDED: { status: 401, message: 'Sign in, and send the access token as `Authorization: Bearer …`.' },
  PERMISSION_MISSING: { status: 403, message: 'This sign-in lacks the permission named in the details.' },
  STEP_UP_NEEDED: {
    status: 403,
    message: 'Prove again who you are: send your second factor, or your password when you have none, to the address in the details; then repeat the call.',
  },
  APP_NOT_HERE: { status: 403, message: 'This address is not open to apps. Use the FHIR API, within the scopes of the token.' },
  BRANCH_FORBIDDEN: { status: 403, message: 'This sign-in may not write to that branch.' },
  NOT_FOUND: { status: 404, message: 'Nothing is at this address. See /docs for what is.' },
  NOT_SERVED_HERE: {
    status: 404,
    message: 'This process does not serve the API; the details name its roles. Ask a process with the role api.',
  },
  RECORD_NOT_FOUND: { status: 404, message: 'No such record, or not one that this sign-in may see.' },
  RECORD_EXISTS: { status: 409, message: 'A record with this id exists already.' },
  RECORD_VERSION_CONFLICT: {
    status: 409,
    message: 'Somebody changed this record since it was read. Read it again and repeat the change.',
  },
  RECORD_BUSY: { status: 409, message: 'Several people are changing this record at once. Try again.' },
  RECORD_INVALID: { status: 422, message: 'The record has faults. Correct the elements named in the details.' },
  RECORD_GOVERNED: {
    status: 422,
    message: 'This record belongs to a workflow. Use the operation named in the details instead of a direct write.',
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 409,
    message: 'This Idempotency-Key was used for another request. Use a new key for each request.',
  },
  SEARCH_INVALID: { status: 400, message: 'The search has faults. They are named in the details.' },
  SEARCH_SORT_TOO_WIDE: {
    status: 422,
    message: 'Too many records match to be put in this order: names and codes are encrypted. Add a filter, or sort by a date or a number.',
  },
  SEARCH_TOO_WIDE: { status: 422, message: 'The search looks at too many records. Add a patient, a code or a date.' },
  SEARCH_TOO_SLOW: { status: 503, message: 'The search took too long and was ended. Add a patient, a code or a date, or try again later.' },
  SEARCH_CURSOR_INVALID: { status: 400, message: 'The page cursor is not one of ours. Start the search anew.' },
  STORE_UNAVAILABLE: { status: 503, message: 'The database cannot be reached. Nothing was stored; try again.' },
  STORE_BUSY: { status: 503, message: 'The database took longer than a minute and was stopped. Nothing was stored; try again, with less at once.' },
  STORE_FULL: { status: 503, message: 'The disk of the database is full. Nothing was stored. Tell your IT department; try again when there is room.' },
  KEYS_UNAVAILABLE: { status: 503, message: 'The service that holds the keys of the record does not answer or refuses. Nothing was stored; tell your IT department, and try again.' },
  BRANCH_SHREDDED: { status: 410, message: 'The keys of this branch were destroyed. Nothing of it can be read or written any more.' },
  RATE_LIMITED: { status: 429, message: 'Too many requests. Wait as long as Retry-After says.' },
}
