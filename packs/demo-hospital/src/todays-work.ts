import type { Appointment } from '@carespine/fhir/resource'
import { bloodOf, withDerived } from './blood.ts'
import type { DemoBranch, DemoPanel, DemoStep } from './contract.ts'
import { instantOf } from './days.ts'
import { diceOf, uuidOf } from './dice.ts'
import { type House, locationId, providerOf, type Specialty, userOf } from './house.ts'
import { PANELS } from './panels.ts'
import { shortName } from './people.ts'
import type { Sketch } from './person-sketch.ts'
import { reasonOf } from './reasons.ts'
import { vitalsOf } from './vitals.ts'

/** How far the laboratory has come with an order. */
type Reached = 'ordered' | 'collected' | 'received' | 'entered' | 'released' | 'called'

interface Case {
  class: 'AMB' | 'EMER' | 'IMP'
  specialty: Specialty
  /** Code of the catalogue of reasons. */
  reason: string
  /** The desk let them in, and nobody answers for them yet. */
  unclaimed?: true
  panel?: DemoPanel
  priority?: 'routine' | 'urgent' | 'stat'
  reached?: Reached
  /** Measured values that make the day, by LOINC. */
  values?: Readonly<Record<string, number>>
}

/** Every queue of the day has something in it; two critical values, of which one has been called; two who wait for a doctor. */
const CASES: readonly Case[] = [
  { class: 'AMB', specialty: 'medicine', reason: 'fatigue', panel: 'cbc', priority: 'urgent', reached: 'released', values: { '718-7': 6.4, '786-4': 29.8, '787-2': 66 } },
  { class: 'EMER', specialty: 'emergency', reason: 'weakness', panel: 'bmp', priority: 'stat', reached: 'called', values: { '2823-3': 6.8, '2160-0': 3.1 } },
  { class: 'AMB', specialty: 'medicine', reason: 'follow-up', panel: 'cmp', reached: 'released' },
  { class: 'EMER', specialty: 'emergency', reason: 'chest-pain', panel: 'bmp', priority: 'stat', reached: 'entered' },
  { class: 'AMB', specialty: 'general', reason: 'before-surgery', panel: 'cbc', reached: 'entered' },
  { class: 'IMP', specialty: 'medicine', reason: 'fever', panel: 'cbc', priority: 'urgent', reached: 'received' },
  { class: 'AMB', specialty: 'medicine', reason: 'follow-up', panel: 'cmp', reached: 'received' },
  { class: 'EMER', specialty: 'emergency', reason: 'abdominal-pain', panel: 'cmp', priority: 'stat', reached: 'received' },
  { class: 'AMB', specialty: 'women', reason: 'follow-up', panel: 'cbc', reached: 'collected' },
  { class: 'AMB', specialty: 'general', reason: 'follow-up', panel: 'bmp', reached: 'collected' },
  { class: 'EMER', specialty: 'emergency', reason: 'fever', panel: 'cbc', priority: 'stat', reached: 'ordered' },
  { class: 'AMB', specialty: 'medicine', reason: 'fatigue', panel: 'cbc', priority: 'urgent', reached: 'ordered' },
  { class: 'AMB', specialty: 'medicine', reason: 'follow-up', panel: 'bmp', reached: 'ordered' },
  { class: 'IMP', specialty: 'women', reason: 'follow-up', panel: 'cbc', reached: 'ordered' },
  { class: 'AMB', specialty: 'medicine', reason: 'follow-up' },
  { class: 'AMB', specialty: 'general', reason: 'fever' },
  { class: 'AMB', specialty: 'general', reason: 'sore-throat', unclaimed: true },
  { class: 'EMER', specialty: 'emergency', reason: 'injury', unclaimed: true },
]

const ORDER: readonly Reached[] = ['ordered', 'collected', 'received', 'entered', 'released', 'called']

/** What has happened at both branches by the time the hospital is opened, and who is booked for the day. */
export function todaysWork(seed: string, house: House, sketches: readonly Sketch[], today: number): DemoStep[] {
  return house.branches.flatMap((branch) => {
    const own = sketches.filter((sketch) => sketch.branch.id === branch.id && sketch.age >= 18)
    const seen = own.slice(-CASES.length)
    return [
      ...seen.flatMap((sketch, at) => {
        const one = CASES[at]
        return one ? caseSteps({ seed, house, branch, sketch, today }, one, at) : []
      }),
      ...bookings(seed, house, branch, own.slice(0, 14), today),
    ]
  })
}

interface Where {
  seed: string
  house: House
  branch: DemoBranch
  sketch: Sketch
  today: number
}

function caseSteps({ seed, house, branch, sketch, today }: Where, one: Case, at: number): DemoStep[] {
  const provider = providerOf(house, branch.id, one.specialty).email
  const by = (actorEmail: string) => ({ actorEmail, branch: branch.id })
  const nurse = userOf(house, branch.id, 'nurse').email
  const lab = userOf(house, branch.id, 'lab', at % 2).email
  const ref = `${branch.code}/${at}`
  const minutesAgo = 170 - at * 8
  const { reason } = one
  const fever = reason === 'fever'
  const start = { encounterRef: ref, patientId: sketch.id, class: one.class, reason, minutesAgo }
  const steps: DemoStep[] = [
    one.unclaimed
      ? { ...by(userOf(house, branch.id, 'hub').email), kind: 'start-encounter', ...start }
      : { ...by(provider), kind: 'start-encounter', providerEmail: provider, ...start },
    { ...by(nurse), kind: 'record-vitals', encounterRef: ref, vitals: vitalsOf(seed, sketch, { day: today, today, fever }), minutesAgo: minutesAgo - 5 },
  ]
  if (!one.panel || !one.reached) return steps
  const panel = PANELS[one.panel]
  const blood = bloodOf(seed, sketch, { day: today, today, infected: fever, sample: ref })
  const values = withDerived(panel.analytes, (analyte) => one.values?.[analyte.loinc] ?? blood(analyte))
  const reached = ORDER.indexOf(one.reached)
  const after: DemoStep[] = [
    { ...by(provider), kind: 'place-order', orderRef: ref, encounterRef: ref, panel: one.panel, priority: one.priority ?? 'routine' },
    { ...by(nurse), kind: 'collect', orderRef: ref },
    { ...by(lab), kind: 'receive', orderRef: ref },
    { ...by(lab), kind: 'enter-results', orderRef: ref, values: [...values].map(([code, value]) => ({ code, value })) },
    { ...by(lab), kind: 'release', orderRef: ref },
    { ...by(lab), kind: 'record-call-back', orderRef: ref, calledTo: providerOf(house, branch.id, one.specialty).displayName, readBack: true },
  ]
  return [...steps, ...after.slice(0, reached + 1)]
}

function bookings(seed: string, house: House, branch: DemoBranch, sketches: readonly Sketch[], today: number): DemoStep[] {
  const clerk = userOf(house, branch.id, 'hub').email
  const specialties: readonly Specialty[] = ['medicine', 'general', 'women']
  return sketches.map((sketch, at) => {
    const dice = diceOf(`${seed}/appointment/${branch.code}/${at}`)
    const specialty = specialties[at % specialties.length] ?? 'general'
    const provider = providerOf(house, branch.id, specialty === 'women' && sketch.person.sex === 'male' ? 'general' : specialty)
    const start = 9 * 60 + Math.floor(at / 2) * 30
    const appointment: Appointment & { id: string } = {
      resourceType: 'Appointment',
      id: uuidOf(seed, `appointment/${branch.code}/${today}/${at}`),
      status: 'booked',
      description: reasonOf(dice.chance(0.7) ? 'follow-up' : 'new-patient').name,
      start: instantOf(today, start),
      end: instantOf(today, start + 20),
      minutesDuration: 20,
      participant: [
        { actor: { reference: `Patient/${sketch.id}`, display: shortName(sketch.person).en }, status: 'accepted' },
        { actor: { reference: `Practitioner/${provider.practitioner ?? ''}`, display: provider.displayName }, status: 'accepted' },
        { actor: { reference: `Location/${locationId(seed, branch, 'clinic')}` }, status: 'accepted' },
      ],
    }
    return { actorEmail: clerk, branch: branch.id, kind: 'book-appointment', appointment }
  })
}
