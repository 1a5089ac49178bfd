import { clinicDay, ageOn, dateOf, dayNumber } from './days.ts'
import { mrnOf } from '@carespine/pack-core/mrn'
import type { DemoBranch } from './contract.ts'
import { type Dice, diceOf, uuidOf } from './dice.ts'
import type { House } from './house.ts'
import { LASTING, type Illness, type LastingIllness } from './illnesses.ts'
import { ALLERGENS, type Allergen, MEDICINES, type Medicine, type MedicineName } from './medicines.ts'
import { type Person, personOf, type Sex } from './people.ts'

/** A lasting illness of one patient. */
export interface Course {
  key: LastingIllness
  illness: Illness
  /** Day number on which it was found. */
  found: number
  medicines: readonly MedicineName[]
}

/** What is decided about a patient before any record is made: enough to plan today's work. */
export interface Sketch {
  id: string
  index: number
  mrn: string
  person: Person
  birthDate: string
  /** Years old on the day the hospital is opened. */
  age: number
  branch: DemoBranch
  courses: readonly Course[]
  allergens: readonly Allergen[]
  /** Body mass index, adult height in cm. */
  build: { bmi: number; height: number }
}

export const RECORD_DAYS = 730

/** Cases that every demo hospital has, whatever the seed: the first patients, at the main branch. */
const CASES: readonly { sex: Sex; age: number; illnesses: readonly LastingIllness[] }[] = [
  { sex: 'female', age: 34, illnesses: ['ironDeficiency'] },
  { sex: 'male', age: 66, illnesses: ['diabetes', 'hypertension', 'kidney'] },
  { sex: 'female', age: 29, illnesses: ['pregnancy'] },
  { sex: 'male', age: 9, illnesses: ['asthma', 'rhinitis'] },
  { sex: 'male', age: 74, illnesses: ['heartFailure', 'atrialFibrillation', 'hypertension'] },
  { sex: 'female', age: 52, illnesses: ['diabetes', 'lipids', 'thyroid'] },
]

/** The nth patient of a hospital. */
export function sketchOf(seed: string, house: House, today: number, index: number): Sketch {
  const dice = diceOf(`${seed}/patient/${index}`)
  const fixed = CASES[index]
  const sex = fixed?.sex ?? (dice.chance(0.52) ? 'female' : 'male')
  const age = fixed?.age ?? ageThrow(dice)
  const birthDate = dateOf(today - Math.floor(age * 365.25) - dice.whole(2, 360))
  const person = personOf(dice, sex)
  const branch = fixed || dice.chance(0.6) ? house.branches[0] : house.branches[1]
  const allergens = allergensOf(dice, fixed !== undefined)
  const keys = fixed?.illnesses ?? illnessesOf(dice, sex, age)
  return {
    id: uuidOf(seed, `patient/${index}`),
    index,
    // A series that registration does not reach.
    mrn: mrnOf(100_001 + index),
    person,
    birthDate,
    age: ageOn(birthDate, today),
    branch,
    courses: keys.map((key) => courseOf(dice, key, keys, allergens, { today, birthDate })),
    allergens,
    build: {
      bmi: keys.includes('obesity') ? dice.normal(33, 2) : dice.normal(keys.includes('diabetes') ? 28.5 : 25, 2),
      height: sex === 'female' ? dice.normal(159, 5.5) : dice.normal(172, 6),
    },
  }
}

/** A young population with more visits by children and by the old. */
function ageThrow(dice: Dice): number {
  const group = dice.fraction()
  if (group < 0.17) return dice.whole(1, 12)
  if (group < 0.24) return dice.whole(13, 18)
  if (group < 0.58) return dice.whole(19, 44)
  if (group < 0.84) return dice.whole(45, 64)
  return dice.whole(65, 91)
}

function illnessesOf(dice: Dice, sex: Sex, age: number): LastingIllness[] {
  const keys = (Object.keys(LASTING) as LastingIllness[]).filter((key) => {
    const illness: Illness = LASTING[key]
    const [youngest, oldest] = illness.ages
    const roll = dice.fraction()
    if ((illness.sex !== undefined && illness.sex !== sex) || age < youngest || age > oldest) return false
    return roll < illness.share * (illness.grows ? 0.35 + 1.3 * ((age - youngest) / (oldest - youngest)) : 1)
  })
  return keys.slice(0, 6)
}

function allergensOf(dice: Dice, plain: boolean): Allergen[] {
  if (plain || dice.chance(0.72)) return []
  const first = dice.pick(ALLERGENS)
  const second = dice.pick(ALLERGENS)
  return dice.chance(0.2) && second.snomed !== first.snomed ? [first, second] : [first]
}

function courseOf(
  dice: Dice,
  key: LastingIllness,
  all: readonly LastingIllness[],
  allergens: readonly Allergen[],
  { today, birthDate }: { today: number; birthDate: string },
): Course {
  const illness: Illness = LASTING[key]
  const youngest = dayNumber(birthDate) + Math.min(illness.ages[0], ageOn(birthDate, today)) * 366
  const ago = foundDaysAgo(dice, key)
  return {
    key,
    illness,
    found: clinicDay(Math.max(today - ago, Math.min(youngest, today - 30))),
    medicines: suitable(illness, { allergens, illnesses: all, age: ageOn(birthDate, today) }),
  }
}

/** Iron deficiency and pregnancy run their course inside the two years on record; the rest may be older. */
function foundDaysAgo(dice: Dice, key: LastingIllness): number {
  if (key === 'pregnancy') return dice.whole(30, 215)
  if (key === 'ironDeficiency' || key === 'ironDeficiencyOfChild') return dice.whole(120, 420)
  return dice.whole(60, 3000)
}

/** The first medicines of an illness that neither an allergy nor a pregnancy, the kidneys or the age rule out. */
export function suitable(
  illness: Pick<Illness, 'medicines' | 'gives'>,
  about: { allergens: readonly Allergen[]; illnesses: readonly LastingIllness[]; age: number },
): MedicineName[] {
  const ruledOut = about.allergens.flatMap(({ rulesOut }) => rulesOut)
  const fits = illness.medicines.filter((name) => {
    const medicine: Medicine = MEDICINES[name]
    if (medicine.groups?.some((group) => ruledOut.includes(group))) return false
    if (medicine.avoid?.some((state) => about.illnesses.includes(state))) return false
    return about.age >= 12 || medicine.childPerKg !== undefined
  })
  return fits.slice(0, illness.gives)
}
