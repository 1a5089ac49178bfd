import { type Fault, fault } from './acknowledge.ts'
import type { Segment } from './message.ts'

/**
 * ISO time of an HL7 timestamp `YYYYMMDD[HH[MM[SS[.S]]]][+ZZZZ]`; without a zone it is in `zone`, such as `+03:00`.
 * Undefined for what is none, a 31st of February included.
 */
export function isoTime(text: string, zone: string): string | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:\.\d+)?)?)?)?([+-]\d{4})?$/.exec(text)
  if (!match || isoDate(text) === undefined) return undefined
  const [, year, month, day, hour = '00', minute = '00', second = '00', offset] = match
  const suffix = offset ? `${offset.slice(0, 3)}:${offset.slice(3)}` : zone
  const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}${suffix}`)
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString()
}

/** ISO date of an HL7 date; undefined when it is not a real one. */
export function isoDate(text: string): string | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})(?:\d{2}(?:\d{2}(?:\d{2}(?:\.\d+)?)?)?)?(?:[+-]\d{4})?$/.exec(text)
  if (!match) return undefined
  const date = `${match[1]}-${match[2]}-${match[3]}`
  const parsed = new Date(`${date}T00:00:00Z`)
  return Number.isNaN(parsed.getTime()) || parsed.toISOString().slice(0, 10) !== date ? undefined : date
}

/** A time of a segment; when it is none, a fault. Year or month alone is right and says no time. */
export function timeOf(segment: Segment, field: number, zone: string, faults: Fault[], sequence?: number): string | undefined {
  const text = segment.get(field)
  const time = isoTime(text, zone)
  if (time === undefined && !/^(\d{4}(\d{2})?)?$/.test(text)) {
    faults.push(fault('AE', segment.name, field, '102', 'Give the time as YYYYMMDDHHMMSS.', sequence))
  }
  return time
}
