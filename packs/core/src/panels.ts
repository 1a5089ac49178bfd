import { z } from 'zod'
import bmp from '../panels/bmp.json' with { type: 'json' }
import cbc from '../panels/cbc.json' with { type: 'json' }
import cmp from '../panels/cmp.json' with { type: 'json' }

const Limits = z.object({ low: z.number().optional(), high: z.number().optional() })

/** A reference interval and whom it is for: sex, and age from `fromDays` up to but not including `toDays`. */
const ReferenceRange = Limits.extend({
  sex: z.enum(['male', 'female']).optional(),
  fromDays: z.number().int().optional(),
  toDays: z.number().int().optional(),
})
export type ReferenceRange = z.infer<typeof ReferenceRange>

const Analyte = z.object({
  /** LOINC. */
  code: z.string(),
  name: z.string(),
  nameArabic: z.string(),
  /** UCUM. */
  unit: z.string(),
  decimals: z.number().int(),
  /** Values beyond are typing or transmission errors. */
  plausible: z.object({ low: z.number(), high: z.number() }),
  ranges: z.array(ReferenceRange).min(1),
  source: z.string(),
  /** Limits at which a clinician is told at once. */
  critical: Limits.optional(),
  criticalSource: z.string().optional(),
  /** Worked out from the others; never entered. */
  derived: z.enum(['egfr', 'anion-gap']).optional(),
})
export type Analyte = z.infer<typeof Analyte>

const Panel = z.object({
  code: z.string(),
  loinc: z.string(),
  version: z.string(),
  name: z.string(),
  nameArabic: z.string(),
  specimen: z.string(),
  specimenArabic: z.string(),
  tube: z.string(),
  tubeArabic: z.string(),
  analytes: z.array(Analyte).min(1),
})
export type Panel = z.infer<typeof Panel>

/** The panels that can be ordered. Content: to add one, add a file. */
export const panels: readonly Panel[] = [cbc, bmp, cmp].map((panel) => Panel.parse(panel))

/** A panel by its code or by its LOINC. */
export function panelByCode(code: string): Panel | undefined {
  return panels.find((panel) => panel.code === code || panel.loinc === code)
}

/** An analyte by its LOINC, from the first panel that has it. */
export function analyteByCode(loinc: string): Analyte | undefined {
  return panels.flatMap(({ analytes }) => analytes).find(({ code }) => code === loinc)
}
