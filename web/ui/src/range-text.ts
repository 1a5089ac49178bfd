export interface Limits {
  low?: number | undefined
  high?: number | undefined
  /** A range that is no pair of numbers: “not detected”. */
  text?: string | undefined
}

/** A reference range as it stands beside a value; a dash when there is none. */
export function rangeText(range: Limits | undefined): string {
  const { low, high, text } = range ?? {}
  if (low !== undefined && high !== undefined) return `${low} – ${high}`
  if (high !== undefined) return `≤ ${high}`
  if (low !== undefined) return `≥ ${low}`
  return text ?? '—'
}
