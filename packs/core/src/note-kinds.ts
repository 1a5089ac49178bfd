import type { CodeableConcept } from '@carespine/fhir/resource'
import { z } from 'zod'
import rules from '../documents/co-signing.json' with { type: 'json' }
import kinds from '../documents/note-kinds.json' with { type: 'json' }
import { concept } from './bilingual.ts'

const LOINC = 'http://loinc.org'
const NOTE_KIND_SYSTEM = 'https://carespine.example/fhir/CodeSystem/note-kind'

const Named = z.object({ code: z.string(), loinc: z.string(), name: z.string(), nameArabic: z.string() })
const NoteKind = Named.extend({ sections: z.array(Named).min(1) })
export type NoteKind = z.infer<typeof NoteKind>
type NoteSection = NoteKind['sections'][number]

/** What clinicians write, and under which headings. Content: to add a kind, add it to the file. */
export const noteKinds: readonly NoteKind[] = z.array(NoteKind).parse(kinds)

export function noteKindByCode(code: string): NoteKind | undefined {
  return noteKinds.find((kind) => kind.code === code)
}

/** The kind or the heading as it stands in a Composition: coded in LOINC, readable in both languages. */
export function conceptOfNote({ code, loinc, name, nameArabic }: NoteKind | NoteSection): CodeableConcept {
  return concept({ en: name, ar: nameArabic }, [{ system: LOINC, code: loinc }, { system: NOTE_KIND_SYSTEM, code }])
}

/** The code of ours in such a concept. */
export function noteCodeOf(concept: CodeableConcept | undefined): string | undefined {
  return concept?.coding?.find(({ system }) => system === NOTE_KIND_SYSTEM)?.code
}

const CoSigning = z.object({
  system: z.string(),
  code: z.string(),
  name: z.string(),
  /** Codes of note kinds. */
  documents: z.literal('all').or(z.array(z.string())),
})

/** Who writes under supervision, by the codes of their PractitionerRole, and for which notes somebody else co-signs. */
const coSigning = z.array(CoSigning).parse(rules)

/** True when a note of this kind by somebody in these roles counts only after a second signature. */
export function needsCoSignature(roles: readonly CodeableConcept[], kind: string): boolean {
  const codings = roles.flatMap(({ coding = [] }) => coding)
  return coSigning.some(({ system, code, documents }) => codings.some((one) => one.system === system && one.code === code) && (documents === 'all' || documents.includes(kind)))
}

/** True for somebody who writes some notes under supervision: they co-sign for nobody. */
export function worksUnderSupervision(roles: readonly CodeableConcept[]): boolean {
  const codings = roles.flatMap(({ coding = [] }) => coding)
  return coSigning.some(({ system, code }) => codings.some((one) => one.system === system && one.code === code))
}
