import type { Flag, ResultStatus } from './contract.ts'

/** What is said of one analyte of an order, by a person or by another system. Values are in the analyte's unit. */
export interface Result {
  status: ResultStatus
  value?: number | undefined
  /** A result that is no number: `positive`, `<5`. */
  text?: string | undefined
  note?: string | undefined
  /** The sender's own flag. */
  flag?: Flag | undefined
}

/** Results that those who ordered may see. */
export function isSettled({ status }: { status: ResultStatus }): boolean {
  return status === 'final' || status === 'corrected'
}

const hasValue = ({ value, text }: Result): boolean => value !== undefined || (text ?? '') !== ''
const isSameValue = (one: Result, other: Result): boolean => one.value === other.value && (one.text ?? '') === (other.text ?? '')
const isSameNote = (known: Result, { note }: Result): boolean => note === undefined || note === known.note

/**
 * What an analyte's result becomes: the known one itself when nothing changes, or why it may not. The rules are those of
 * HL7 table 0085: a final result is changed by a corrected one and by nothing else, so that neither a late preliminary
 * value nor an old message that waited takes the place of what people have seen.
 */
export function mergeResult(known: Result | undefined, change: Result): Result | 'LAB_RESULT_FINAL' | 'LAB_RESULT_MISSING' {
  if (change.status === 'withdrawn') {
    if (!known) return 'LAB_RESULT_MISSING'
    return known.status === 'withdrawn' ? known : { ...known, ...definedNote(change), status: 'withdrawn' }
  }
  if (known && isSettled(known)) return overSettled(known, change)
  if (change.status === 'unobtainable') {
    return known?.status === 'unobtainable' && isSameNote(known, change) ? known : { status: 'unobtainable', ...definedNote(change) }
  }
  if (!hasValue(change)) {
    // The status changes and the value is not sent again.
    if (known?.status !== 'preliminary') return 'LAB_RESULT_MISSING'
    return change.status === 'preliminary' && isSameNote(known, change) ? known : { ...known, ...definedNote(change), status: change.status }
  }
  if (known?.status === change.status && isSameValue(known, change) && isSameNote(known, change)) return known
  // What comes after a result that was taken back corrects it.
  const status = known?.status === 'withdrawn' && change.status === 'final' ? 'corrected' : change.status
  const kept = known && isSameValue(known, change) ? { note: known.note, flag: known.flag } : {}
  return { ...kept, ...change, ...definedNote({ ...kept, ...change }), status }
}

function overSettled(known: Result, change: Result): Result | 'LAB_RESULT_FINAL' {
  const says = hasValue(change) && !isSameValue(known, change)
  if (change.status === 'corrected') {
    if (!says && isSameNote(known, change)) return known
    return says ? { ...change, status: 'corrected' } : { ...known, ...definedNote(change), status: 'corrected' }
  }
  if (change.status === 'unobtainable' || says) return 'LAB_RESULT_FINAL'
  if (change.status === 'preliminary' || isSameNote(known, change)) return known
  return { ...known, ...definedNote(change), status: 'corrected' }
}

function definedNote({ note }: { note?: string | undefined }): { note?: string } {
  return note === undefined ? {} : { note }
}

/** FHIR's status of a report by those of its results. */
export function reportStatusOf(
  results: readonly { status: ResultStatus }[],
  before: string | undefined,
): 'preliminary' | 'partial' | 'final' | 'corrected' | 'appended' | 'entered-in-error' {
  const live = results.filter(({ status }) => status !== 'withdrawn')
  if (live.length === 0) return 'entered-in-error'
  if (live.some(({ status }) => status === 'preliminary')) {
    return live.some(isSettled) ? 'partial' : 'preliminary'
  }
  if (results.some(({ status }) => status === 'corrected' || status === 'withdrawn')) return 'corrected'
  return before === 'final' || before === 'appended' ? 'appended' : 'final'
}
