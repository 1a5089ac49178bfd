// Arithmetic of http://hl7.org/fhirpath/N1/#datetime-arithmetic

const PARTS = /^(\d{4})(?:-(\d{2})(?:-(\d{2})(T.*)?)?)?$/
const MILLISECONDS: Readonly<Record<string, number>> = { wk: 604_800_000, d: 86_400_000, h: 3_600_000, min: 60_000, s: 1000, ms: 1 }
const MONTHS: Readonly<Record<string, number>> = { a: 12, mo: 1 }

const two = (value: number): string => String(value).padStart(2, '0')

/**
 * A date moved by a calendar duration, as precise as it was. Undefined where the duration says less than the date: a day
 * more than `2024-05` is none.
 */
export function movedDate(date: string, amount: number, unit: string): string | undefined {
  const match = PARTS.exec(date)
  if (!match) return undefined
  const [, year = '', month, day, time] = match
  const months = MONTHS[unit]
  if (months !== undefined) {
    if (month === undefined && unit === 'mo') return undefined
    const at = Number(year) * 12 + Number(month ?? 1) - 1 + Math.trunc(amount) * months
    const newYear = String(Math.floor(at / 12)).padStart(4, '0')
    const newMonth = (at % 12) + 1
    if (month === undefined) return newYear
    if (day === undefined) return `${newYear}-${two(newMonth)}`
    // The 31st of a month that has 30 days is its last.
    const last = new Date(Date.UTC(Number(newYear), newMonth, 0)).getUTCDate()
    return `${newYear}-${two(newMonth)}-${two(Math.min(Number(day), last))}${time ?? ''}`
  }
  const milliseconds = MILLISECONDS[unit]
  if (milliseconds === undefined || day === undefined) return undefined
  if (time === undefined) {
    if (milliseconds < 86_400_000) return undefined
    return iso(new Date(Date.parse(date) + Math.trunc(amount) * milliseconds))?.slice(0, 10)
  }
  const moment = Date.parse(/(?:Z|[+-]\d{2}:\d{2})$/.test(time) ? date : `${date}Z`)
  return Number.isNaN(moment) ? undefined : iso(new Date(moment + amount * milliseconds))
}

function iso(date: Date): string | undefined {
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString()
}
