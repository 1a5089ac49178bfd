const DAY = 86_400_000

/** A day as the count of days since 1970-01-01; arithmetic on it needs no time zone. */
export function dayNumber(date: string): number {
  const time = Date.parse(`${date}T00:00:00Z`)
  if (Number.isNaN(time)) throw new Error('a day is written as 2026-03-01')
  return time / DAY
}

/** `2026-03-01` of a day number. */
export function dateOf(day: number): string {
  return new Date(day * DAY).toISOString().slice(0, 10)
}

/** An instant in Saudi time, which keeps UTC+3 all year; minutes after midnight may run into the next days. */
export function instantOf(day: number, minutes: number): string {
  const local = new Date(day * DAY + Math.round(minutes) * 60_000).toISOString()
  return `${local.slice(0, 19)}+03:00`
}

/** Clinics are closed on Friday and Saturday: moves such a day back to the Thursday before. */
export function clinicDay(day: number): number {
  const weekday = (((day + 4) % 7) + 7) % 7
  return weekday >= 5 ? day - (weekday - 4) : day
}

/** Whole years from birth to a day. */
export function ageOn(birthDate: string, day: number): number {
  const on = dateOf(day)
  return Number(on.slice(0, 4)) - Number(birthDate.slice(0, 4)) - (on.slice(5) < birthDate.slice(5) ? 1 : 0)
}
