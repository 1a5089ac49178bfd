import type { DemoVitals } from './contract.ts'
import { diceOf, rounded } from './dice.ts'
import type { LastingIllness } from './illnesses.ts'
import type { Sketch } from './person-sketch.ts'

/** Median height in cm by whole years (WHO Child Growth Standards 2006 and Growth Reference 2007, both sexes averaged). */
const CHILD_HEIGHT = [62, 75, 87, 95, 103, 109, 115, 121, 127, 132, 138, 143, 149, 156, 161, 165]
/** Median body mass index by whole years, same source. */
const CHILD_BMI = [16.8, 16.6, 16, 15.6, 15.3, 15.2, 15.3, 15.5, 15.8, 16.2, 16.7, 17.2, 17.8, 18.5, 19.2, 19.9]

/** Heart and breathing rate at rest, systolic pressure by age in years: Paediatric Advanced Life Support (AHA 2020). */
function restOf(age: number): { heart: number; breath: number; systolic: number } {
  if (age < 3) return { heart: 120, breath: 30, systolic: 94 }
  if (age < 6) return { heart: 100, breath: 24, systolic: 100 }
  if (age < 12) return { heart: 88, breath: 20, systolic: 106 }
  return { heart: 74, breath: 15, systolic: 117 }
}

/** What is measured at a visit. Pressure, pulse and saturation follow the patient's illnesses and their treatment. */
export function vitalsOf(seed: string, sketch: Sketch, at: { day: number; today: number; fever: boolean }): DemoVitals {
  const dice = diceOf(`${seed}/vitals/${sketch.index}/${at.day}`)
  const own = diceOf(`${seed}/rest/${sketch.index}`)
  const age = Math.max(0, sketch.age - Math.floor((at.today - at.day) / 365))
  const rest = restOf(age)
  const ill = (key: LastingIllness) => sketch.courses.find((course) => course.key === key && at.day >= course.found - 60)
  const pressure = ill('hypertension')
  const untreated = pressure ? 2 ** (-Math.max(0, at.day - pressure.found) / 60) : 0
  const systolic = rest.systolic + own.normal(age > 50 ? 9 : 0, 5) + (pressure ? 12 + 24 * untreated : 0) + dice.normal(0, 4)
  const heart = rest.heart + own.normal(0, 5) + (at.fever ? 14 : 0) - (ill('heartFailure') ? 8 : 0) + dice.normal(0, 3)
  const lungs = ill('lungDisease') ? 4 : ill('heartFailure') ? 2 : 0
  const grown = age >= CHILD_HEIGHT.length
  const height = grown ? sketch.build.height : (CHILD_HEIGHT[age] ?? 165) * (1 + own.normal(0, 0.02))
  const bmi = grown ? sketch.build.bmi : (CHILD_BMI[age] ?? 18) * (sketch.build.bmi / 25)
  const pregnant = ill('pregnancy')
  const gained = pregnant ? Math.max(0, at.day - pregnant.found) * 0.055 : 0
  return {
    systolic: Math.round(systolic),
    diastolic: Math.round(systolic * 0.62 + dice.normal(2, 2)),
    heartRate: Math.round(heart),
    respiratoryRate: Math.round(rest.breath + (at.fever ? 3 : 0) + lungs / 2 + dice.normal(0, 0.7)),
    temperature: rounded(at.fever ? dice.between(38.1, 39.2) : dice.normal(36.7, 0.15), 1),
    oxygenSaturation: Math.min(100, Math.round(98 - lungs + dice.normal(0, 0.6))),
    weight: rounded(bmi * (height / 100) ** 2 + gained + dice.normal(0, 0.3), 1),
    height: Math.round(height),
    pain: at.fever ? dice.whole(1, 4) : dice.whole(0, 2),
  }
}
