import { flagOf } from '@carespine/pack-core/flag'
import type { Analyte, Panel, ReferenceRange } from '@carespine/pack-core/panels'
import type { Flag } from './contract.ts'

/** What ranges depend on. */
export interface Whom {
  sex: 'male' | 'female' | 'other' | 'unknown'
  /** Whole days since birth; undefined when the birth date is not known. */
  ageDays: number | undefined
}

/** Whole days from a birth date (`1984-05`, `1984-05-23`) to a moment. */
export function ageInDays(birthDate: string | undefined, at: Date): number | undefined {
  if (birthDate === undefined) return undefined
  const born = Date.parse(birthDate)
  return Number.isNaN(born) ? undefined : Math.max(0, Math.floor((at.getTime() - born) / 86_400_000))
}

/**
 * The reference interval for a person. Without a known age the adult one; where only intervals by sex exist and the
 * sex is unknown or other, the overlap of both, so that nothing passes as normal that is abnormal for either.
 */
export function rangeFor(analyte: Analyte, { sex, ageDays }: Whom): { low?: number; high?: number } | undefined {
  const age = ageDays ?? 40 * 365
  const fitting = analyte.ranges.filter(
    ({ fromDays = 0, toDays = Number.POSITIVE_INFINITY }) => age >= fromDays && age < toDays,
  )
  const own = fitting.filter((range) => range.sex === undefined || range.sex === sex)
  return overlap(own.length > 0 ? own : fitting)
}

function overlap(ranges: readonly ReferenceRange[]): { low?: number; high?: number } | undefined {
  if (ranges.length === 0) return undefined
  const lows = ranges.flatMap(({ low }) => low ?? [])
  const highs = ranges.flatMap(({ high }) => high ?? [])
  return {
    ...(lows.length > 0 ? { low: Math.max(...lows) } : {}),
    ...(highs.length > 0 ? { high: Math.min(...highs) } : {}),
  }
}

export interface Interpretation {
  /** Undefined when there is no range to compare with: not the same as normal. */
  flag: Flag | undefined
  range: { low?: number; high?: number } | undefined
  criticalReason?: string
}

/** Where a value lies: within the range, beyond it, or beyond a critical limit. A limit itself is not beyond. */
export function interpret(analyte: Analyte, value: number, whom: Whom): Interpretation {
  const range = rangeFor(analyte, whom)
  const { critical, unit } = analyte
  const flag = flagOf(value, { range, critical })
  if (flag === 'LL') return { flag, range, criticalReason: `below ${critical?.low} ${unit}` }
  if (flag === 'HH') return { flag, range, criticalReason: `above ${critical?.high} ${unit}` }
  return { flag, range }
}

const BOUND = /^([<>]=?|[≤≥])\s*(\d+(?:\.\d+)?)$/

/** A result that is only known to lie below or above a number, such as `<5`; undefined for any other text. */
export function boundOf(text: string): { comparator: string; limit: number } | undefined {
  const [, comparator, limit] = BOUND.exec(text.trim()) ?? []
  return comparator === undefined ? undefined : { comparator, limit: Number(limit) }
}

/** The flag that holds wherever beyond its bound a value lies: platelets `<5` are critical, `<300` say nothing. */
export function flagOfBound(analyte: Analyte, text: string, whom: Whom): Flag | undefined {
  const bound = boundOf(text)
  if (!bound) return undefined
  const { comparator, limit } = bound
  const isLow = '<≤'.includes(comparator[0] ?? '')
  const includesLimit = comparator.length > 1 || '≤≥'.includes(comparator)
  const isBeyond = (edge: number | undefined): boolean =>
    edge !== undefined && (limit === edge ? !includesLimit : isLow ? limit < edge : limit > edge)
  const range = rangeFor(analyte, whom)
  if (isLow) return isBeyond(analyte.critical?.low) ? 'LL' : isBeyond(range?.low) ? 'L' : undefined
  return isBeyond(analyte.critical?.high) ? 'HH' : isBeyond(range?.high) ? 'H' : undefined
}

/** False for what is a typing or transmission error rather than a result. */
export function isPlausible(analyte: Analyte, value: number): boolean {
  return Number.isFinite(value) && value >= analyte.plausible.low && value <= analyte.plausible.high
}

/** Anion gap without potassium, mmol/L: sodium - (chloride + total CO2) (Kraut & Madias, CJASN 2007;2:162-74). */
export function anionGap(sodium: number, chloride: number, carbonDioxide: number): number {
  return sodium - (chloride + carbonDioxide)
}

/**
 * Estimated GFR, mL/min/1.73 m², by CKD-EPI 2021 without race (Inker et al., N Engl J Med 2021;385:1737-49).
 *
 * @param creatinine Serum creatinine, mg/dL.
 * @param years Age; the equation is for 18 and over.
 */
export function estimatedGfr(creatinine: number, years: number, sex: 'male' | 'female'): number {
  const kappa = sex === 'female' ? 0.7 : 0.9
  const alpha = sex === 'female' ? -0.241 : -0.302
  const ratio = creatinine / kappa
  return 142 * Math.min(ratio, 1) ** alpha * Math.max(ratio, 1) ** -1.2 * 0.9938 ** years * (sex === 'female' ? 1.012 : 1)
}

/** Values of a panel's derived analytes, as far as what they need is there. */
export function derive(panel: Panel, values: ReadonlyMap<string, number>, whom: Whom): Map<string, number> {
  const derived = new Map<string, number>()
  for (const { code, derived: rule, decimals } of panel.analytes) {
    const value = rule === 'anion-gap' ? gapOf(values) : rule === 'egfr' ? gfrOf(values, whom) : undefined
    if (value !== undefined) derived.set(code, Number(value.toFixed(decimals)))
  }
  return derived
}

function gapOf(values: ReadonlyMap<string, number>): number | undefined {
  const [sodium, chloride, carbonDioxide] = ['2951-2', '2075-0', '2028-9'].map((code) => values.get(code))
  if (sodium === undefined || chloride === undefined || carbonDioxide === undefined) return undefined
  return anionGap(sodium, chloride, carbonDioxide)
}

function gfrOf(values: ReadonlyMap<string, number>, { sex, ageDays }: Whom): number | undefined {
  const creatinine = values.get('2160-0')
  const years = ageDays === undefined ? undefined : ageDays / 365.25
  if (creatinine === undefined || years === undefined || years < 18 || (sex !== 'male' && sex !== 'female')) return undefined
  return estimatedGfr(creatinine, Math.floor(years), sex)
}
