interface Limits {
  low?: number | undefined
  high?: number | undefined
}

/** Codes of the HL7 v3 ObservationInterpretation: beyond a critical limit, beyond the range, within it. */
export type RangeFlag = 'LL' | 'L' | 'N' | 'H' | 'HH'

/**
 * Where a value lies among its limits, all in one unit. A limit itself is not beyond. Undefined when there is no range to
 * compare with, which is not the same as normal.
 */
export function flagOf(value: number, { range, critical }: { range?: Limits | undefined; critical?: Limits | undefined }): RangeFlag | undefined {
  if (critical?.low !== undefined && value < critical.low) return 'LL'
  if (critical?.high !== undefined && value > critical.high) return 'HH'
  if (!range) return undefined
  if (range.low !== undefined && value < range.low) return 'L'
  return range.high !== undefined && value > range.high ? 'H' : 'N'
}
