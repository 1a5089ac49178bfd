/** A span of time, as milliseconds since 1970; both ends included. */
export interface Span {
  low: number
  high: number
}

const PARTS = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?(?:T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d+))?)?(Z|[+-]\d{2}:\d{2})?)?$/

/**
 * What a FHIR date, dateTime or instant covers: `2024-05` is all of May. Without a zone it is read as UTC. Undefined
 * when it is not a date.
 */
export function spanOf(text: string): Span | undefined {
  const match = PARTS.exec(text)
  if (!match) return undefined
  const [, year, month, day, hour, minute, second, fraction, zone] = match
  if (year === '0000' || Number(month ?? 1) > 12 || Number(day ?? 1) > 31 || month === '00' || day === '00') return undefined
  if (hour === undefined) {
    const low = midnight(Number(year), Number(month ?? 1) - 1, Number(day ?? 1))
    if (day !== undefined && new Date(low).getUTCDate() !== Number(day)) return undefined
    const next = day !== undefined ? low + 86_400_000 : midnight(Number(year), month === undefined ? 12 : Number(month), 1)
    return { low, high: next - 1 }
  }
  const low = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second ?? '00'}.${(fraction ?? '0').slice(0, 3)}${zone ?? 'Z'}`)
  if (!Number.isFinite(low)) return undefined
  const within = (time: number): number => Math.min(END, Math.max(BEGINNING, time))
  return { low: within(low), high: within(low + (fraction !== undefined ? 0 : second !== undefined ? 999 : 59_999)) }
}

// Date.UTC takes the years 0 to 99 for 1900 to 1999.
function midnight(year: number, month: number, day: number): number {
  return new Date(0).setUTCFullYear(year, month, day)
}

// Years 1 to 9999 in UTC: what both FHIR and PostgreSQL can say without a sign.
const BEGINNING = -62_135_596_800_000
const END = 253_402_300_799_999

/** What a FHIR value of a date type covers: dateTime, Period, Timing. */
export function spanOfValue(value: unknown): Span | undefined {
  if (typeof value === 'string') return spanOf(value)
  if (typeof value !== 'object' || value === null) return undefined
  const { start, end, event, repeat } = value as { start?: string; end?: string; event?: string[]; repeat?: { boundsPeriod?: unknown } }
  if (start !== undefined || end !== undefined) {
    return { low: (start && spanOf(start)?.low) || BEGINNING, high: (end && spanOf(end)?.high) || END }
  }
  if (event && event.length > 0) {
    const spans = event.flatMap((one) => spanOf(one) ?? [])
    if (spans.length === 0) return undefined
    return { low: Math.min(...spans.map(({ low }) => low)), high: Math.max(...spans.map(({ high }) => high)) }
  }
  return repeat?.boundsPeriod ? spanOfValue(repeat.boundsPeriod) : undefined
}
