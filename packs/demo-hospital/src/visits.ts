import { clinicDay } from './days.ts'
import type { DemoPanel } from './contract.ts'
import { diceOf, type Dice } from './dice.ts'
import type { Specialty } from './house.ts'
import { type Illness, type LastingIllness, PASSING } from './illnesses.ts'
import { type Course, RECORD_DAYS, type Sketch } from './person-sketch.ts'

type PassingIllness = (typeof PASSING)[number]

/** One encounter to be put on record. Days are day numbers, minutes count from midnight. */
export interface Visit {
  class: 'AMB' | 'EMER' | 'IMP'
  day: number
  minute: number
  /** How long it lasts. */
  minutes: number
  seenBy: Specialty
  /** Illnesses that are found in this visit. */
  finds: readonly Course[]
  passing?: PassingIllness
  /** Whom a follow-up is about. */
  about?: Course
  samples: readonly { panel: DemoPanel | 'hba1c'; afterMinutes: number }[]
  /** Seen at the branch that is not the patient's own. */
  elsewhere: boolean
}

const SAMPLED: Partial<Record<LastingIllness, readonly (DemoPanel | 'hba1c')[]>> = {
  diabetes: ['hba1c', 'cmp'],
  hypertension: ['bmp'],
  lipids: ['cmp'],
  kidney: ['bmp', 'cbc'],
  ironDeficiency: ['cbc'],
  ironDeficiencyOfChild: ['cbc'],
  heartFailure: ['bmp'],
  atrialFibrillation: ['bmp'],
  heartDisease: ['cmp'],
  pregnancy: ['cbc'],
  thyroid: ['cbc'],
}

/** Days between follow-ups; iron and pregnancy have their own calendar. */
const IRON_FOLLOW_UPS = [35, 80, 160]
const ANTENATAL_DAYS = 30

/** The visits of the two years before `today`, in order of time. */
export function visitsOf(seed: string, sketch: Sketch, today: number): Visit[] {
  const dice = diceOf(`${seed}/visits/${sketch.index}`)
  const first = Math.max(today - RECORD_DAYS, today - Math.max(60, Math.floor(sketch.age * 365)))
  const last = today - 2
  const visits: Visit[] = []
  for (const course of sketch.courses) {
    if (course.found < first) continue
    const day = Math.min(course.found, clinicDay(last))
    visits.push({ ...clinicVisit(dice, day, course), finds: [course] })
  }
  for (const { day, course } of followUps(dice, sketch, { first, last })) visits.push(clinicVisit(dice, day, course))
  for (const illness of passingOf(dice, sketch)) visits.push(...passingVisits(dice, illness, { first, last }, sketch))
  if (visits.length === 0 || dice.chance(0.3)) visits.push(checkUp(dice, clinicDay(dice.whole(first, last)), sketch))
  return onePerDay(visits)
}

function onePerDay(visits: readonly Visit[]): Visit[] {
  const ordered = [...visits].sort((a, b) => a.day - b.day || a.minute - b.minute)
  const kept: Visit[] = []
  for (const visit of ordered) {
    const before = kept.at(-1)
    const free = before === undefined || before.day + Math.ceil((before.minute + before.minutes) / 1440) <= visit.day
    if (free) kept.push(visit)
    // What was to be found that day is found in the visit that is there already.
    else if (visit.finds.length > 0) kept[kept.length - 1] = { ...before, finds: [...before.finds, ...visit.finds] }
  }
  return kept
}

function clinicVisit(dice: Dice, day: number, course: Course): Visit {
  const panels = SAMPLED[course.key] ?? []
  return {
    class: 'AMB',
    day,
    minute: dice.whole(8 * 60, 15 * 60),
    minutes: dice.whole(15, 40),
    seenBy: course.illness.seenBy,
    finds: [],
    about: course,
    samples: panels.map((panel) => ({ panel, afterMinutes: 12 })),
    elsewhere: false,
  }
}

function checkUp(dice: Dice, day: number, sketch: Sketch): Visit {
  const samples: Visit['samples'] = sketch.age < 16 ? [] : [{ panel: dice.chance(0.5) ? 'cbc' : 'cmp', afterMinutes: 10 }]
  return {
    class: 'AMB',
    day,
    minute: dice.whole(8 * 60, 15 * 60),
    minutes: dice.whole(15, 30),
    seenBy: sketch.age < 14 ? 'children' : 'general',
    finds: [],
    samples,
    elsewhere: false,
  }
}

function followUps(
  dice: Dice,
  sketch: Sketch,
  { first, last }: { first: number; last: number },
): { day: number; course: Course }[] {
  const days: { day: number; course: Course }[] = []
  for (const course of sketch.courses) {
    if (course.key === 'pregnancy') {
      for (let day = course.found + ANTENATAL_DAYS; day <= last; day += ANTENATAL_DAYS) days.push({ day, course })
    } else if (course.key.startsWith('ironDeficiency')) {
      for (const after of IRON_FOLLOW_UPS) days.push({ day: course.found + after + dice.whole(-4, 4), course })
    }
  }
  const long = sketch.courses.filter(({ key }) => key !== 'pregnancy' && !key.startsWith('ironDeficiency'))
  const heavy = long.filter(({ key }) => SAMPLED[key] !== undefined)
  const led = heavy[0] ?? long[0]
  if (led !== undefined) {
    const every = heavy.length > 0 ? dice.whole(130, 210) : dice.whole(260, 420)
    let turn = 0
    for (let day = first + dice.whole(5, every); day <= last; day += every + dice.whole(-20, 20)) {
      const course = heavy[turn % Math.max(1, heavy.length)] ?? led
      if (day > course.found + 20) days.push({ day, course })
      turn += 1
    }
  }
  return days
    .map(({ day, course }) => ({ day: clinicDay(day), course }))
    .filter(({ day }) => day >= first && day <= last)
}

function passingOf(dice: Dice, sketch: Sketch): PassingIllness[] {
  const had = PASSING.filter((illness: Illness) => {
    const roll = dice.fraction()
    const [youngest, oldest] = illness.ages
    if (illness.sex !== undefined && illness.sex !== sketch.person.sex) return false
    return sketch.age > youngest && sketch.age <= oldest && roll < illness.share
  })
  return had.slice(0, 3)
}

function passingVisits(
  dice: Dice,
  passing: PassingIllness,
  { first, last }: { first: number; last: number },
  sketch: Sketch,
): Visit[] {
  const stay = passing.emergency && dice.chance(passing.admits) ? dice.whole(2, 5) : 0
  const day = dice.whole(first, last - stay - 1)
  const elsewhere = dice.chance(0.06)
  const child = sketch.age < 14 && passing.seenBy === 'general'
  const seenBy = child ? 'children' : passing.seenBy
  if (!passing.emergency) {
    const minute = dice.whole(8 * 60, 15 * 60)
    const common = { finds: [], passing, samples: [], elsewhere, seenBy }
    return [{ class: 'AMB', day: clinicDay(day), minute, minutes: dice.whole(12, 25), ...common }]
  }
  const minute = dice.whole(0, 18 * 60)
  const blood = stay > 0 || dice.chance(0.4)
  const arrival: Visit = {
    class: 'EMER',
    day,
    minute,
    minutes: dice.whole(90, 280),
    seenBy,
    finds: [],
    passing,
    samples: blood ? [{ panel: 'cbc', afterMinutes: 25 }, { panel: 'bmp', afterMinutes: 25 }] : [],
    elsewhere,
  }
  if (stay === 0) return [arrival]
  const ward: Visit = {
    class: 'IMP',
    day: day + 1,
    minute: dice.whole(30, 90),
    minutes: stay * 1440 - dice.whole(10 * 60, 14 * 60),
    seenBy: sketch.age < 14 ? 'children' : 'medicine',
    finds: [],
    passing,
    samples: [{ panel: 'cbc', afterMinutes: (stay - 1) * 1440 + 300 }, { panel: 'bmp', afterMinutes: 6 * 60 }],
    elsewhere,
  }
  return [arrival, ward]
}
