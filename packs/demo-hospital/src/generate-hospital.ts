import type { DemoHospital } from './contract.ts'
import { dayNumber } from './days.ts'
import { houseOf, patientUser } from './house.ts'
import { recordOf } from './patient-record.ts'
import { sketchOf } from './person-sketch.ts'
import { todaysWork } from './todays-work.ts'

/**
 * A hospital of two branches, its staff, `patients` patients with two years on record, and the work of the day. The
 * same seed, day and number give the same hospital, to the last id and value.
 */
export function generateHospital({ seed, today, patients }: { seed: string; today: string; patients: number }): DemoHospital {
  const day = dayNumber(today)
  const house = houseOf(seed)
  const sketches = Array.from({ length: patients }, (_, index) => sketchOf(seed, house, day, index))
  const [first] = sketches
  return {
    seed,
    today,
    branches: house.branches,
    staff: first ? [...house.staff, patientUser(seed, first.branch, first.id, first.person)] : house.staff,
    shared: house.shared,
    patientCount: patients,
    patients: {
      *[Symbol.iterator]() {
        for (const sketch of sketches) yield recordOf(seed, house, sketch, day)
      },
    },
    todaysWork: todaysWork(seed, house, sketches, day),
  }
}
