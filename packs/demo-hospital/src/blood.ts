import { type Dice, diceOf, rounded } from './dice.ts'
import type { LastingIllness } from './illnesses.ts'
import type { Analyte } from './panels.ts'
import { RECORD_DAYS, type Sketch } from './person-sketch.ts'

/** Values that are computed from others in the same sample, so that the sample fits together. */
const DERIVED: Readonly<Record<string, (value: (loinc: string) => number) => number>> = {
  '4544-3': (value) => (value('718-7') / value('786-4')) * 100,
  '789-8': (value) => (value('718-7') / value('786-4') / value('787-2')) * 1000,
  '785-6': (value) => (value('786-4') * value('787-2')) / 100,
}

/** Share of the way back to normal, `days` after treatment began. */
function recovered(days: number, halfDays: number): number {
  return days <= 0 ? 0 : 1 - 2 ** (-days / halfDays)
}

type Effect = (normal: number, about: { days: number; years: number; female: boolean; dice: Dice }) => number

/**
 * What an illness does to an analyte, from its value in health. `days` counts from when it was found and treated,
 * `years` from the beginning of the record. Iron: haemoglobin is back after two to three months, red cell size later
 * (BSG guideline 2021). CKD 3: creatinine that rises a little each year. Pregnancy: dilution, high white cells.
 */
const EFFECTS: Partial<Record<LastingIllness, Readonly<Record<string, Effect>>>> = {
  ironDeficiency: {
    '718-7': (normal, { days, dice }) => {
      const lowest = dice.between(8.3, 9.8)
      return lowest + (normal - lowest) * recovered(days, 38)
    },
    '787-2': (normal, { days }) => 71 + (normal - 71) * recovered(days, 60),
    '786-4': (normal, { days }) => normal - 2.2 * (1 - recovered(days, 45)),
    '788-0': (normal, { days }) => normal + 4.6 * (1 - recovered(days, 70)),
    '777-3': (normal, { days }) => normal + 90 * (1 - recovered(days, 40)),
  },
  kidney: {
    '2160-0': (_normal, { years, female, dice }) => (female ? 1.25 : 1.55) + dice.between(0, 0.25) + 0.26 * years,
    '3094-0': (_normal, { years }) => 27 + 5 * years,
    '2823-3': (normal) => normal + 0.45,
    '2028-9': (normal) => normal - 2.4,
    '718-7': (normal) => normal - 1.6,
  },
  diabetes: {
    '2345-7': (_normal, { days, dice }) => 132 + dice.between(20, 75) * (1 - 0.8 * recovered(days, 150)),
    '4548-4': (_normal, { days, dice }) => 6.8 + dice.between(0.9, 2.4) * (1 - 0.8 * recovered(days, 150)),
  },
  heartFailure: { '2951-2': (normal) => normal - 4, '3094-0': (normal) => normal + 7 },
  pregnancy: {
    '718-7': (normal, { days }) => normal - 1.5 * recovered(days, 60),
    '6690-2': (normal) => normal + 2.2,
    '1751-7': (normal) => normal - 0.6,
    '2160-0': (normal) => normal - 0.15,
  },
  obesity: { '1742-6': (normal) => normal + 16, '1920-8': (normal) => normal + 8 },
}
EFFECTS.ironDeficiencyOfChild = EFFECTS.ironDeficiency

/** Effects of an acute infection. */
const INFECTION: Readonly<Record<string, (normal: number) => number>> = {
  '6690-2': (normal) => normal + 6.5,
  '777-3': (normal) => normal + 60,
  '2951-2': (normal) => normal - 3,
}

/**
 * A patient's blood on a day: the value of an analyte in its unit, rounded as reported. Somebody's own level stays the
 * same from sample to sample, illness moves it, and each sample scatters a little.
 */
export function bloodOf(
  seed: string,
  sketch: Sketch,
  at: { day: number; today: number; infected: boolean; sample: string },
): (analyte: Analyte) => number {
  const measured = new Map<string, number>()
  const exact = (analyte: Analyte): number => {
    const known = measured.get(analyte.loinc)
    if (known !== undefined) return known
    const own = diceOf(`${seed}/level/${sketch.index}/${analyte.loinc}`)
    const scatter = diceOf(`${seed}/sample/${at.sample}/${analyte.loinc}`)
    const { low = 0, high = low * 2 } = analyte.range(sketch.person.sex, sketch.age)
    const spread = (high - low) / 6
    let value = (low + high) / 2 + own.normal(0, spread * 0.55)
    for (const { key, found } of sketch.courses) {
      const days = at.day - found
      const about = {
        days,
        years: Math.max(0, (at.day - (at.today - RECORD_DAYS)) / 365),
        female: sketch.person.sex === 'female',
        dice: diceOf(`${seed}/course/${sketch.index}/${key}/${analyte.loinc}`),
      }
      // Found a month ago means ill a while longer; before that the patient was well.
      if (days > -60) value = EFFECTS[key]?.[analyte.loinc]?.(value, about) ?? value
    }
    if (at.infected) value = INFECTION[analyte.loinc]?.(value) ?? value
    const scattered = Math.max(value + scatter.normal(0, spread * 0.22), low * 0.15)
    measured.set(analyte.loinc, scattered)
    return scattered
  }
  return (analyte) => rounded(exact(analyte), analyte.decimals)
}

/** Fills in what follows from the measured values of the same sample, rounded as reported. */
export function withDerived(analytes: readonly Analyte[], measure: (analyte: Analyte) => number): Map<string, number> {
  const measured = new Map(analytes.map((analyte) => [analyte.loinc, measure(analyte)]))
  const value = (loinc: string): number => measured.get(loinc) ?? Number.NaN
  for (const analyte of analytes) {
    const derived = DERIVED[analyte.loinc]?.(value)
    if (derived !== undefined && !Number.isNaN(derived)) measured.set(analyte.loinc, rounded(derived, analyte.decimals))
  }
  return measured
}
