import { action, event, z } from '@carespine/kit/contract'
import { Identifier } from '@carespine/registration/contract'

/** Codes of http://terminology.hl7.org/CodeSystem/v3-ActCode. */
export const EncounterClass = z.enum(['AMB', 'EMER', 'IMP'])

export const EncounterStatus = z.enum([
  'planned',
  'arrived',
  'triaged',
  'in-progress',
  'onleave',
  'finished',
  'cancelled',
  'entered-in-error',
  'unknown',
])
export type EncounterStatus = z.infer<typeof EncounterStatus>

/** In which states each thing may be done; screens and commands read the same table. */
export const can: Readonly<Record<'complete' | 'recordVitals' | 'order', readonly EncounterStatus[]>> = {
  complete: ['arrived', 'triaged', 'in-progress', 'onleave'],
  recordVitals: ['arrived', 'triaged', 'in-progress', 'onleave'],
  order: ['planned', 'arrived', 'triaged', 'in-progress', 'onleave'],
}

export const EncounterSummary = z.object({
  id: z.string(),
  version: z.string(),
  patientId: z.string(),
  patientName: z.string().optional(),
  patientNameArabic: z.string().optional(),
  mrn: z.string().optional(),
  status: EncounterStatus,
  class: EncounterClass.or(z.string()),
  sex: z.string().optional(),
  birthDate: z.string().optional(),
  reason: z.string().optional(),
  reasonArabic: z.string().optional(),
  start: z.string().optional(),
  end: z.string().optional(),
  /** Who answers for it; without one, nobody does yet. */
  practitionerId: z.string().optional(),
  practitioner: z.string().optional(),
  practitionerArabic: z.string().optional(),
})
export type EncounterSummary = z.infer<typeof EncounterSummary>

export const startEncounter = action({
  kind: 'command',
  name: 'encounters.start',
  allow: 'encounters.write',
  summary: 'Starts a visit or an admission.',
  input: z.object({
    patientId: z.string(),
    class: EncounterClass.default('AMB'),
    /** Code of the catalogue of reasons. */
    reasonCode: z.string().max(60).optional(),
    /** In words, for what the catalogue lacks. */
    reason: z.string().trim().max(300).optional(),
    /** Practitioners responsible; default: the one who starts it, when a practitioner does. */
    practitioners: z.array(z.string()).max(10).optional(),
    visitNumber: Identifier.optional(),
    start: z.iso.datetime({ offset: true }).optional(),
  }),
  output: z.object({ encounterId: z.string() }),
})

export const listProviders = action({
  kind: 'query',
  name: 'encounters.providers',
  allow: 'encounters.read',
  summary: 'Who can be named to answer for a visit at this branch, by name.',
  input: z.object({}),
  output: z.object({ providers: z.array(z.object({ id: z.string(), name: z.string(), nameArabic: z.string().optional() })) }),
})

export const takeOverEncounter = action({
  kind: 'command',
  name: 'encounters.take-over',
  allow: 'encounters.write',
  summary: 'A provider answers from now on for a visit that nobody answers for.',
  input: z.object({ encounterId: z.string() }),
  output: z.object({ encounterId: z.string(), version: z.string() }),
})

export const completeEncounter = action({
  kind: 'command',
  name: 'encounters.complete',
  allow: 'encounters.write',
  summary: 'Ends a visit or an admission.',
  input: z.object({ encounterId: z.string(), end: z.iso.datetime({ offset: true }).optional() }),
  output: z.object({ encounterId: z.string(), version: z.string() }),
})

/** Vital signs by their usual names; units are fixed: mm[Hg], /min, Cel, %, kg, cm, 0-10. */
export const Vitals = z.object({
  systolic: z.number().optional(),
  diastolic: z.number().optional(),
  heartRate: z.number().optional(),
  respiratoryRate: z.number().optional(),
  temperature: z.number().optional(),
  oxygenSaturation: z.number().optional(),
  weight: z.number().optional(),
  height: z.number().optional(),
  pain: z.number().int().min(0).max(10).optional(),
})
export type Vitals = z.infer<typeof Vitals>

export const recordVitals = action({
  kind: 'command',
  name: 'encounters.record-vitals',
  allow: 'encounters.write',
  summary: 'Records a set of vital signs of one moment.',
  input: z.object({
    encounterId: z.string(),
    vitals: Vitals,
    at: z.iso.datetime({ offset: true }).optional(),
  }),
  output: z.object({ observationIds: z.array(z.string()) }),
})

export const listEncounters = action({
  kind: 'query',
  name: 'encounters.list',
  allow: 'encounters.read',
  summary: 'Open encounters of the branch, latest first; or all of one patient.',
  input: z.object({
    patientId: z.string().optional(),
    /** `mine`: those the asker answers for; `unclaimed`: those that nobody answers for. */
    whose: z.enum(['mine', 'unclaimed', 'all']).default('all'),
    status: z.enum(['open', 'all']).default('open'),
    limit: z.number().int().min(1).max(100).default(50),
    cursor: z.string().max(500).optional(),
  }),
  output: z.object({ encounters: z.array(EncounterSummary), next: z.string().optional() }),
})

export const getEncounter = action({
  kind: 'query',
  name: 'encounters.get',
  allow: 'encounters.read',
  summary: 'One encounter, by id or by the visit number of another system.',
  input: z.object({ encounterId: z.string().optional(), visitNumber: Identifier.optional() }),
  output: z.object({ encounter: EncounterSummary.optional() }),
})

const AboutEncounter = z.object({ patientId: z.string(), encounterId: z.string() })

export const EncounterStarted = event('encounter.started', 1, 'A visit or admission began.', AboutEncounter)
export const EncounterTakenOver = event(
  'encounter.taken-over',
  1,
  'A provider took over a visit that nobody answered for.',
  AboutEncounter.extend({ practitionerId: z.string() }),
)
export const EncounterCompleted = event('encounter.completed', 1, 'A visit or admission ended.', AboutEncounter)
export const VitalsRecorded = event(
  'encounter.vitals.recorded',
  1,
  'Vital signs were recorded.',
  AboutEncounter.extend({ observationIds: z.array(z.string()) }),
)

export const refusals = {
  ENCOUNTERS_CLOSED: { status: 409, message: 'This encounter has ended. Start a new one.' },
  ENCOUNTERS_TAKEN: { status: 409, message: 'Somebody answers for this visit already. The details say who.' },
  ENCOUNTERS_PROVIDER_NEEDED: { status: 403, message: 'Only a provider can answer for a visit.' },
  ENCOUNTERS_PROVIDER_UNKNOWN: { status: 422, message: 'Nobody named so is a practitioner here. Correct `practitioners`.' },
  ENCOUNTERS_REASON_UNKNOWN: { status: 422, message: 'The catalogue has no reason with this code. Correct `reasonCode`.' },
  ENCOUNTERS_VISIT_KNOWN: { status: 409, message: 'An encounter with this visit number exists.' },
  ENCOUNTERS_VITALS_EMPTY: { status: 422, message: 'No vital sign was given. Enter at least one.' },
  ENCOUNTERS_VITAL_IMPLAUSIBLE: {
    status: 422,
    message: 'A vital sign is outside what a living person can have. Check the fields named in the details.',
  },
  ENCOUNTERS_TIME_FUTURE: { status: 422, message: 'The time lies in the future. Correct it.' },
  ENCOUNTERS_END_BEFORE_START: { status: 422, message: 'The encounter would end before it began. Correct `end`.' },
} as const

export { vitalSigns } from './vital-signs.ts'
