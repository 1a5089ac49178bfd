const DAY = 86_400_000

/** Digits of either script as Latin ones. */
function latinDigits(text: string): string {
  return text.replace(/[٠-٩۰-۹]/g, (digit) => String(digit.charCodeAt(0) & 0xf))
}

function isoOf(year: number, month: number, day: number): string | undefined {
  const at = new Date(Date.UTC(year, month - 1, day))
  const isReal = at.getUTCFullYear() === year && at.getUTCMonth() === month - 1 && at.getUTCDate() === day
  return isReal ? at.toISOString().slice(0, 10) : undefined
}

const hijri = new Intl.DateTimeFormat('en-u-ca-islamic-umalqura-nu-latn', { year: 'numeric', month: 'numeric', day: 'numeric', timeZone: 'UTC' })

function isHijriDay(at: number, wanted: readonly number[]): boolean {
  const parts = hijri.formatToParts(at)
  return (['year', 'month', 'day'] as const).every((name, nth) => Number(parts.find(({ type }) => type === name)?.value) === wanted[nth])
}

/** The Gregorian date of a day of the Umm al-Qura calendar: near to the mean count of days, then looked for. */
function fromHijri(year: number, month: number, day: number): string | undefined {
  const near = Date.UTC(622, 6, 19) + Math.round((year - 1) * 354.36707 + (month - 1) * 29.5306 + (day - 1)) * DAY
  for (const away of [0, 1, -1, 2, -2, 3, -3, 4, -4]) {
    if (isHijriDay(near + away * DAY, [year, month, day])) return new Date(near + away * DAY).toISOString().slice(0, 10)
  }
  return undefined
}

/**
 * A date as people type it, as `1984-05-23`: year first or day first, any separator, digits of either script, and in
 * the Umm al-Qura calendar when the year is one of its own. Undefined when it is no date.
 */
export function readDate(text: string): string | undefined {
  const plain = latinDigits(text.trim())
  const compact = /^(\d{2})(\d{2})(\d{4})$/.exec(plain)
  const [first = '', second = '', third = '', ...rest] = compact ? compact.slice(1) : plain.split(/[\s/.-]+/)
  if (rest.length > 0 || ![first, second, third].every((part) => /^\d{1,4}$/.test(part))) return undefined
  const [year, month, day] = first.length === 4 ? [Number(first), Number(second), Number(third)] : [Number(third), Number(second), Number(first)]
  if (year >= 1300 && year <= 1500) return fromHijri(year, month, day)
  return year >= 1850 && year <= 2200 ? isoOf(year, month, day) : undefined
}

/** Whole years, months or days between birth and a day, as people say an age: days until two months, months until two years. */
export function agePartsOf(birthDate: string, now: Date): { value: number; unit: 'day' | 'month' | 'year' } {
  const [year = 0, month = 1, day = 1] = birthDate.slice(0, 10).split('-').map(Number)
  const days = Math.floor((now.getTime() - Date.parse(birthDate.slice(0, 10))) / DAY)
  if (days < 60) return { value: days, unit: 'day' }
  const months = (now.getUTCFullYear() - year) * 12 + now.getUTCMonth() + 1 - month - (now.getUTCDate() < day ? 1 : 0)
  return months < 24 ? { value: months, unit: 'month' } : { value: Math.floor(months / 12), unit: 'year' }
}

/** How long something has waited, in the one unit that matters. */
export function waitOf(since: string, now: Date): { value: number; unit: 'minute' | 'hour' | 'day' } {
  const minutes = Math.max(0, Math.floor((now.getTime() - Date.parse(since)) / 60_000))
  if (minutes < 90) return { value: minutes, unit: 'minute' }
  return minutes < 48 * 60 ? { value: Math.floor(minutes / 60), unit: 'hour' } : { value: Math.floor(minutes / 1440), unit: 'day' }
}
