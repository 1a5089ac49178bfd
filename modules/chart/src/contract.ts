import { action, z } from '@carespine/kit/contract'
import { EncounterSummary } from '@carespine/encounters/contract'
import { Flag, ReportSummary, Trend } from '@carespine/lab/contract'
import { Notification } from '@carespine/notifications/contract'
import { OrderSummary } from '@carespine/orders/contract'
import { Allergy, PatientSummary } from '@carespine/registration/contract'

export const Medication = z.object({
  id: z.string(),
  name: z.string(),
  nameArabic: z.string().optional(),
  dose: z.string().optional(),
  doseArabic: z.string().optional(),
  status: z.string(),
  since: z.string().optional(),
})

export const Problem = z.object({
  id: z.string(),
  name: z.string(),
  nameArabic: z.string().optional(),
  code: z.string().optional(),
  onset: z.string().optional(),
  status: z.string().optional(),
})

export const VitalSign = z.object({
  /** LOINC. */
  code: z.string(),
  name: z.string(),
  value: z.number(),
  unit: z.string(),
  at: z.string(),
  flag: Flag.optional(),
})

export const Chart = z.object({
  patient: PatientSummary,
  allergies: z.array(Allergy),
  noKnownAllergies: z.boolean(),
  medications: z.array(Medication),
  vitals: z.object({
    latest: z.array(VitalSign),
    trends: z.array(Trend),
  }),
  problems: z.array(Problem),
  encounters: z.array(EncounterSummary),
  pendingOrders: z.array(OrderSummary),
  reports: z.array(ReportSummary),
  trends: z.array(Trend),
  alerts: z.array(Notification),
  counters: z.object({
    allergies: z.number().int(),
    medications: z.number().int(),
    problems: z.number().int(),
    encounters: z.number().int(),
    pendingOrders: z.number().int(),
    reports: z.number().int(),
    alerts: z.number().int(),
  }),
  freshness: z.object({
    /** When the projection was made. */
    builtAt: z.string(),
    /** Time of the last change to the record that the projection holds. */
    asOf: z.string(),
    /** True when the projection was made anew for this call, because the record had moved on. */
    rebuilt: z.boolean(),
  }),
})
export type Chart = z.infer<typeof Chart>

export const getChart = action({
  kind: 'query',
  name: 'chart.patient',
  allow: 'chart.read',
  summary: 'The whole chart of a patient in one answer. Also at GET /api/aggregate/patients/:id.',
  input: z.object({ patientId: z.string() }),
  output: Chart,
})

export const rebuildChart = action({
  kind: 'command',
  name: 'chart.rebuild',
  allow: 'chart.rebuild',
  summary: 'Throws the projection of a patient away, or of all, so that it is made anew from the record.',
  input: z.object({ patientId: z.string().optional() }),
  output: z.object({ rebuilt: z.number().int() }),
})
