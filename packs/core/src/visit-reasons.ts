import type { CodeableConcept } from '@carespine/fhir/resource'
import { z } from 'zod'
import reasons from '../reasons/visit-reasons.json' with { type: 'json' }
import { concept } from './bilingual.ts'

const VISIT_REASON_SYSTEM = 'https://carespine.example/fhir/CodeSystem/visit-reason'
const SNOMED = 'http://snomed.info/sct'

const VisitReason = z.object({
  code: z.string(),
  name: z.string(),
  nameArabic: z.string(),
  /** SNOMED CT. */
  snomed: z.string().optional(),
})
export type VisitReason = z.infer<typeof VisitReason>

/** Why people come, as the desk offers it. Content: to add one, add a line. */
export const visitReasons: readonly VisitReason[] = z.array(VisitReason).parse(reasons)

export function visitReasonByCode(code: string): VisitReason | undefined {
  return visitReasons.find((reason) => reason.code === code)
}

/** The reason that somebody wrote out, in either language. */
export function visitReasonNamed(text: string): VisitReason | undefined {
  const asked = text.trim().toLowerCase()
  return visitReasons.find(({ name, nameArabic }) => name.toLowerCase() === asked || nameArabic === asked)
}

/** A reason as it stands in an Encounter: readable in both languages, coded for machines. */
export function conceptOfReason({ code, name, nameArabic, snomed }: VisitReason): CodeableConcept {
  return concept({ en: name, ar: nameArabic }, [
    { system: VISIT_REASON_SYSTEM, code, display: name },
    ...(snomed === undefined ? [] : [{ system: SNOMED, code: snomed }]),
  ])
}
