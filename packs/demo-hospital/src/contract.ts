import type { Appointment, Resource } from '@carespine/fhir/resource'

export type DemoRole =
  | 'hub'
  | 'patient'
  | 'provider'
  | 'admin'
  | 'lab'
  | 'pharmacy'
  | 'billing'
  | 'radiology'
  | 'nurse'
  | 'it'

export interface DemoBranch {
  /** uuid; also the id of the branch's Organization. */
  id: string
  /** Short name in numbers and labels: `RUH`. */
  code: string
  name: string
  nameAr: string
  city: string
  /** IANA name. */
  timezone: string
}

/** Somebody who signs in. The password is made by whoever installs the demo hospital. */
export interface DemoUser {
  /** uuid. */
  id: string
  role: DemoRole
  email: string
  displayName: string
  displayNameAr: string
  /** Where the user works: uuid of a branch. */
  branch: string
  /** Branches whose content the user may see; the own one is among them. */
  branches: readonly string[]
  /** Id of the user's Practitioner; absent for patients. */
  practitioner?: string
  /** Id of the user's own Patient; only for the role `patient`. */
  patient?: string
}

/** A resource with its id and the branch it belongs to: a uuid, or `shared` for demographics, staff and places. */
export interface DemoEntry {
  resource: Resource & { id: string }
  branch: string
}

/** All that is on record of one patient, the Patient first; each entry refers only to earlier ones and to `shared`. */
export interface DemoPatientRecord {
  patientId: string
  /** The branch where the patient is usually seen. */
  branch: string
  entries: readonly DemoEntry[]
}

/** Vital signs by the names of the encounters module: mm[Hg], /min, Cel, %, kg, cm, 0-10. */
export interface DemoVitals {
  systolic: number
  diastolic: number
  heartRate: number
  respiratoryRate: number
  temperature: number
  oxygenSaturation: number
  weight: number
  height: number
  pain: number
}

export type DemoPanel = 'cbc' | 'bmp' | 'cmp'

interface StepBy {
  /** Who does it; one of the hospital's users. */
  actorEmail: string
  /** Where it happens: uuid of a branch. */
  branch: string
}

/**
 * One thing that happens on the day the hospital is opened, to be done through the real command, in order.
 * `encounterRef` and `orderRef` name what an earlier step made; `minutesAgo` counts back from when the step is done.
 */
export type DemoStep =
  | (StepBy & {
      kind: 'start-encounter'
      encounterRef: string
      patientId: string
      /** Who answers for the visit; nobody yet without one. */
      providerEmail?: string
      class: 'AMB' | 'EMER' | 'IMP'
      /** Code of the catalogue of reasons. */
      reason: string
      minutesAgo: number
    })
  | (StepBy & { kind: 'record-vitals'; encounterRef: string; vitals: DemoVitals; minutesAgo: number })
  | (StepBy & {
      kind: 'place-order'
      orderRef: string
      encounterRef: string
      panel: DemoPanel
      priority: 'routine' | 'urgent' | 'stat'
    })
  | (StepBy & { kind: 'collect'; orderRef: string })
  | (StepBy & { kind: 'receive'; orderRef: string })
  | (StepBy & {
      kind: 'enter-results'
      orderRef: string
      /** LOINC codes of the panel's analytes that are measured, in the panel's units. */
      values: readonly { code: string; value: number }[]
      comment?: string
    })
  | (StepBy & { kind: 'release'; orderRef: string })
  | (StepBy & { kind: 'record-call-back'; orderRef: string; calledTo: string; readBack: boolean })
  /** Appointments carry their resource; times are absolute and on the day itself. */
  | (StepBy & { kind: 'book-appointment'; appointment: Appointment & { id: string } })

/** A hospital that never was: everybody in it is made up. */
export interface DemoHospital {
  seed: string
  /** The day on which the hospital is opened, `2026-03-01`; the record ends the day before. */
  today: string
  branches: readonly DemoBranch[]
  staff: readonly DemoUser[]
  /** Organization, Location, Practitioner and PractitionerRole resources; load them first. */
  shared: readonly DemoEntry[]
  /** How many records `patients` yields. */
  patientCount: number
  /** Made one at a time while iterating, and the same on every iteration. */
  patients: Iterable<DemoPatientRecord>
  todaysWork: readonly DemoStep[]
}
