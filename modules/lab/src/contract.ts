import { action, event, z } from '@carespine/kit/contract'
import { OrderState, Priority } from '@carespine/orders/contract'

/** System of accession numbers. */
export const ACCESSION_SYSTEM = 'https://carespine.example/fhir/sid/accession'

/** Id of the laboratory's Task for an order: `task-<order id>`, cut to what FHIR allows. */
export function taskIdOf(orderId: string): string {
  return `task-${orderId}`.slice(0, 64)
}

/** Codes of the HL7 v3 ObservationInterpretation. `AA` is to a text what `LL` and `HH` are to a number. */
export const Flag = z.enum(['LL', 'L', 'N', 'H', 'HH', 'A', 'AA'])
export type Flag = z.infer<typeof Flag>

/** Flags at which a clinician is told at once. */
export function isCritical(flag: string | undefined): boolean {
  return flag === 'LL' || flag === 'HH' || flag === 'AA'
}

/** Where the result of one analyte stands. `unobtainable`: there will be none; `withdrawn`: it was wrong to give it. */
export const ResultStatus = z.enum(['preliminary', 'final', 'corrected', 'unobtainable', 'withdrawn'])
export type ResultStatus = z.infer<typeof ResultStatus>

export const Range = z.object({
  low: z.number().optional(),
  high: z.number().optional(),
  text: z.string().optional(),
})

export const WorklistRow = z.object({
  orderId: z.string(),
  version: z.string(),
  number: z.string(),
  accession: z.string().optional(),
  state: OrderState,
  panel: z.string(),
  panelName: z.string(),
  panelNameArabic: z.string(),
  priority: Priority,
  orderedAt: z.string(),
  collectedAt: z.string().optional(),
  reportId: z.string().optional(),
  patientId: z.string(),
  patientName: z.string(),
  patientNameArabic: z.string().optional(),
  mrn: z.string().optional(),
  sex: z.string().optional(),
  birthDate: z.string().optional(),
  /** Released with a critical value that nobody has been called about yet. */
  callPending: z.boolean(),
})
export type WorklistRow = z.infer<typeof WorklistRow>

export const Queue = z.enum(['collect', 'receive', 'result', 'release', 'call', 'released'])

export const getWorklist = action({
  kind: 'query',
  name: 'lab.worklist',
  allow: 'lab.read',
  summary: 'The branch’s laboratory work, by queue; urgent first, then oldest.',
  input: z.object({
    queue: Queue.optional(),
    /** Beginnings of the patient’s names; or an accession number, an order number, the beginning of an MRN. */
    text: z.string().trim().max(80).optional(),
    limit: z.number().int().min(1).max(200).default(100),
    cursor: z.string().max(500).optional(),
  }),
  output: z.object({
    rows: z.array(WorklistRow),
    /** How many wait in each queue; with the first page. */
    counts: z.record(Queue, z.number()).optional(),
    next: z.string().optional(),
  }),
})

export const collectSpecimen = action({
  kind: 'command',
  name: 'lab.collect',
  allow: 'lab.collect',
  summary: 'Records that the specimen was taken and gives it an accession number and a label.',
  input: z.object({ orderId: z.string(), at: z.iso.datetime({ offset: true }).optional() }),
  output: z.object({ specimenId: z.string(), accession: z.string() }),
})

export const getLabel = action({
  kind: 'query',
  name: 'lab.label',
  allow: 'lab.read',
  summary: 'What is printed on the tube.',
  input: z.object({ orderId: z.string() }),
  output: z.object({
    accession: z.string(),
    patientName: z.string(),
    patientNameArabic: z.string().optional(),
    mrn: z.string().optional(),
    birthDate: z.string().optional(),
    sex: z.string().optional(),
    panel: z.string(),
    tube: z.string().optional(),
    collectedAt: z.string().optional(),
    priority: Priority,
  }),
})

export const receiveSpecimen = action({
  kind: 'command',
  name: 'lab.receive',
  allow: 'lab.collect',
  summary: 'Records that the specimen reached the laboratory.',
  input: z.object({ accession: z.string().trim().min(1).max(40) }),
  output: z.object({ orderId: z.string() }),
})

export const ResultItem = z.object({
  /** LOINC. */
  code: z.string(),
  name: z.string(),
  nameArabic: z.string(),
  unit: z.string(),
  decimals: z.number().int(),
  derived: z.boolean(),
  range: Range.optional(),
  critical: Range.optional(),
  plausible: Range.optional(),
  status: ResultStatus.optional(),
  value: z.number().optional(),
  /** A result that is no number. */
  text: z.string().optional(),
  note: z.string().optional(),
  flag: Flag.optional(),
  criticalReason: z.string().optional(),
  previous: z.object({ value: z.number(), at: z.string() }).optional(),
})
export type ResultItem = z.infer<typeof ResultItem>

export const getResultForm = action({
  kind: 'query',
  name: 'lab.result-form',
  allow: 'lab.result',
  summary: 'The panel’s analytes with this patient’s ranges, earlier values and what is entered so far.',
  input: z.object({ orderId: z.string() }),
  output: z.object({ row: WorklistRow, items: z.array(ResultItem), comment: z.string().optional() }),
})

export const EnteredValue = z.object({
  code: z.string(),
  value: z.number().optional(),
  /** A result that is no number; beside a number, a note on it. */
  text: z.string().trim().max(200).optional(),
})

export const enterResults = action({
  kind: 'command',
  name: 'lab.enter-results',
  allow: 'lab.result',
  summary: 'Saves result values of an order; they wait for release.',
  input: z.object({
    orderId: z.string(),
    values: z.array(EnteredValue).max(60),
    comment: z.string().trim().max(1000).optional(),
  }),
  output: z.object({ reportId: z.string(), version: z.string(), items: z.array(ResultItem) }),
})

export const releaseResult = action({
  kind: 'command',
  name: 'lab.release',
  allow: 'lab.release',
  summary: 'Releases the results to those who ordered them; critical values raise an alert.',
  input: z.object({ orderId: z.string() }),
  output: z.object({ reportId: z.string(), critical: z.boolean() }),
})

export const amendResult = action({
  kind: 'command',
  name: 'lab.amend',
  allow: 'lab.release',
  summary: 'Corrects a released result, with a reason, as a new version.',
  input: z.object({
    orderId: z.string(),
    values: z.array(EnteredValue).min(1).max(60),
    reason: z.string().trim().min(3).max(300),
  }),
  output: z.object({ reportId: z.string(), critical: z.boolean() }),
})

export const recordCallBack = action({
  kind: 'command',
  name: 'lab.record-call-back',
  allow: 'lab.release',
  summary: 'Records who was told a critical value, when, and that it was read back.',
  input: z.object({
    reportId: z.string(),
    calledTo: z.string().trim().min(2).max(120),
    readBack: z.boolean(),
    at: z.iso.datetime({ offset: true }).optional(),
    note: z.string().trim().max(300).optional(),
  }),
  output: z.object({ reportId: z.string() }),
})

/** Characters of a text, a note or a comment that another system may send. */
export const MOST_TEXT = 10_000
/** Results that it may send for one order at once. */
export const MOST_RESULTS = 200

/** A result as an analyser or another system sends it. */
export const receiveResult = action({
  kind: 'command',
  name: 'lab.receive-result',
  allow: 'lab.result',
  summary: 'Takes results of an analyser or another laboratory. The same `source` again changes nothing.',
  input: z.object({
    source: z.object({ system: z.string().max(120), reference: z.string().max(200) }),
    /** One of accession, order number or order id; without them patientId and panel (an order is made). */
    accession: z.string().optional(),
    orderNumber: z.string().optional(),
    orderId: z.string().optional(),
    patientId: z.string().optional(),
    /** Code or LOINC of the panel. */
    panel: z.string().optional(),
    observedAt: z.iso.datetime({ offset: true }).optional(),
    performer: z.string().max(120).optional(),
    comment: z.string().max(MOST_TEXT).optional(),
    items: z
      .array(
        z.object({
          code: z.string(),
          /** All but preliminary ones are released at once. Without a value only the status changes. */
          status: ResultStatus,
          value: z.number().optional(),
          /** A number with a comparator (`<5`) is converted and flagged as far as it can be. */
          text: z.string().max(MOST_TEXT).optional(),
          unit: z.string().max(40).optional(),
          note: z.string().max(MOST_TEXT).optional(),
          /** The sender's flag: a critical one counts whatever our limits say. */
          flag: Flag.optional(),
        }),
      )
      .min(1)
      .max(MOST_RESULTS),
  }),
  output: z.object({
    reportId: z.string(),
    orderId: z.string(),
    patientId: z.string(),
    critical: z.boolean(),
    /** False when this source had been taken before. */
    applied: z.boolean(),
  }),
})

export const TrendPoint = z.object({
  at: z.string(),
  value: z.number(),
  flag: Flag.optional(),
  reportId: z.string().optional(),
})

export const Trend = z.object({
  code: z.string(),
  name: z.string(),
  nameArabic: z.string(),
  unit: z.string(),
  decimals: z.number().int(),
  range: Range.optional(),
  critical: Range.optional(),
  points: z.array(TrendPoint),
})
export type Trend = z.infer<typeof Trend>

export const ResultReport = z.object({
  reportId: z.string(),
  orderId: z.string().optional(),
  orderNumber: z.string().optional(),
  patientId: z.string(),
  panel: z.string(),
  panelName: z.string(),
  panelNameArabic: z.string(),
  status: z.string(),
  issuedAt: z.string().optional(),
  collectedAt: z.string().optional(),
  releasedBy: z.string().optional(),
  performer: z.string().optional(),
  comment: z.string().optional(),
  items: z.array(ResultItem),
  callBack: z.object({ calledTo: z.string(), at: z.string(), by: z.string(), readBack: z.boolean() }).optional(),
  /** The asker’s own view of it is on record. */
  viewed: z.boolean(),
})
export type ResultReport = z.infer<typeof ResultReport>

export const getReport = action({
  kind: 'query',
  name: 'lab.report',
  allow: 'lab.read',
  summary: 'One report with flags, ranges and the trend of each analyte.',
  input: z.object({ reportId: z.string() }),
  output: z.object({ report: ResultReport, trends: z.array(Trend) }),
})

export const ReportSummary = z.object({
  reportId: z.string(),
  orderId: z.string().optional(),
  panel: z.string(),
  panelName: z.string(),
  panelNameArabic: z.string(),
  status: z.string(),
  issuedAt: z.string().optional(),
  abnormal: z.number().int(),
  critical: z.number().int(),
})
export type ReportSummary = z.infer<typeof ReportSummary>

export const listReports = action({
  kind: 'query',
  name: 'lab.reports',
  allow: 'lab.read',
  summary: 'Released reports of a patient, latest first.',
  input: z.object({
    patientId: z.string(),
    limit: z.number().int().min(1).max(50).default(20),
    cursor: z.string().max(500).optional(),
  }),
  output: z.object({ reports: z.array(ReportSummary), next: z.string().optional() }),
})

export const viewResult = action({
  kind: 'command',
  name: 'lab.view-result',
  allow: 'lab.read',
  summary: 'Records that a clinician responsible has seen a result. Of anybody else nothing is recorded.',
  input: z.object({ reportId: z.string() }),
  output: z.object({ reportId: z.string(), recorded: z.boolean() }),
})

const AboutResult = z.object({
  reportId: z.string(),
  orderId: z.string(),
  patientId: z.string(),
  encounterId: z.string().optional(),
  panel: z.string(),
})

export const LabResultAvailable = event(
  'lab.result.available',
  1,
  'A laboratory result was released or corrected.',
  AboutResult.extend({ critical: z.boolean(), corrected: z.boolean() }),
)
export const LabCriticalAlert = event(
  'lab.critical.alert',
  1,
  'A released result holds a value beyond a critical limit.',
  AboutResult.extend({ observationIds: z.array(z.string()) }),
)
export const LabResultViewed = event(
  'lab.result.viewed',
  1,
  'A clinician responsible opened a result.',
  z.object({ reportId: z.string(), patientId: z.string() }),
)

export const refusals = {
  LAB_STATE: { status: 409, message: 'The order is in a state that does not allow this.' },
  LAB_ACCESSION_UNKNOWN: { status: 404, message: 'No specimen of this branch has this accession number.' },
  LAB_ORDER_UNKNOWN: { status: 404, message: 'No order matches what was sent.' },
  LAB_PATIENT_MISMATCH: { status: 409, message: 'The order belongs to another patient than the one named.' },
  LAB_PANEL_UNKNOWN: { status: 422, message: 'No panel has this code.' },
  LAB_ANALYTE_UNKNOWN: { status: 422, message: 'The panel has no analyte with this code. See the details.' },
  LAB_UNIT_MISMATCH: { status: 422, message: 'A unit cannot be converted to the unit of the analyte. See the details.' },
  LAB_VALUE_IMPLAUSIBLE: {
    status: 422,
    message: 'A value is outside what this method can measure. Check the fields named in the details.',
  },
  LAB_NO_VALUES: { status: 422, message: 'No result value was given.' },
  LAB_RESULT_FINAL: {
    status: 409,
    message: 'A released result is changed by a correction only: /api/lab/amend, or OBX-11 C. See the fields in the details.',
  },
  LAB_RESULT_MISSING: {
    status: 409,
    message: 'There is no result to withdraw or to make final. See the fields in the details.',
  },
  LAB_RESULT_TWICE: { status: 422, message: 'One analyte has two different values. See the fields in the details.' },
  LAB_INCOMPLETE: { status: 422, message: 'Values are missing. Enter a value or a reason for each analyte named.' },
  LAB_CALL_BACK_NOT_NEEDED: { status: 409, message: 'This report holds no critical value.' },
} as const
