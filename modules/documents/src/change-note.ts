import type { Composition, PractitionerRole, Stored } from '@carespine/fhir/resource'
import { refuse } from '@carespine/kit/module'
import { needsCoSignature, noteCodeOf, type NoteKind, noteKindByCode, noteKinds, worksUnderSupervision } from '@carespine/pack-core/note-kinds'
import type { Actor, ReadView, Transaction } from '@carespine/store/contract'
import { can, type NoteState, type RevisionAct, type SectionText } from './contract.ts'
import { noteProvenance } from './note-provenance.ts'
import { isIntact, isOurs, kindOf, moved, sealed, stateOf, type Who } from './note-resource.ts'

/** The practitioner who acts. */
export function writerOf(actor: Actor): Who {
  if (actor.practitioner === undefined) return refuse('DOCUMENTS_NO_PRACTITIONER')
  return { reference: `Practitioner/${actor.practitioner}`, display: actor.display }
}

export function kindNamed(code: string): NoteKind {
  return noteKindByCode(code) ?? refuse('DOCUMENTS_KIND_UNKNOWN', { field: 'kind', known: noteKinds.map((kind) => kind.code) })
}

/** Refuses sections that the kind does not have. */
export function checkSections(kind: NoteKind, sections: readonly SectionText[]): void {
  const known = kind.sections.map(({ code }) => code)
  const fields = sections.flatMap(({ code }) => (known.includes(code) ? [] : [code]))
  if (fields.length > 0) refuse('DOCUMENTS_SECTION_UNKNOWN', { fields, known })
}

/** A note of ours of the version that was read, in a state that allows the step. */
export async function noteToChange(tx: Transaction, asked: { noteId: string; version: string }, step: keyof typeof can): Promise<Stored<Composition> & { kind: NoteKind }> {
  const note = await tx.read('Composition', asked.noteId)
  if (!isOurs(note)) refuse('RECORD_NOT_FOUND', { resourceType: 'Composition' })
  if (note.meta.versionId !== asked.version) refuse('RECORD_VERSION_CONFLICT', { resourceType: 'Composition', id: note.id, current: note.meta.versionId })
  const state = stateOf(note)
  if (!can[step].includes(state)) refuse('DOCUMENTS_STATE', { state, allowed: can[step] })
  if (!isIntact(note) && step !== 'markInError') refuse('DOCUMENTS_DAMAGED', { noteId: note.id })
  return Object.assign(note, { kind: kindOf(note) ?? kindNamed(noteCodeOf(note.type) ?? '') })
}

const isOneOf = (who: Who, references: readonly ({ reference?: string } | undefined)[]): boolean => references.some((one) => one?.reference === who.reference)

/** Refuses who has nothing to do with the note: neither wrote it nor took responsibility for it. */
export function requireResponsible(note: Composition, who: Who): void {
  if (!isOneOf(who, [...note.author, ...(note.attester ?? []).map(({ party }) => party)])) refuse('DOCUMENTS_NOT_AUTHOR')
}

export function requireAuthor(note: Composition, who: Who): void {
  if (!isOneOf(who, note.author)) refuse('DOCUMENTS_NOT_AUTHOR')
}

async function rolesOf(view: ReadView, { reference }: Who): Promise<PractitionerRole[]> {
  return await view.search('PractitionerRole', { practitioner: reference, active: 'true', _count: '50' })
}

/** Whether what they sign counts only after somebody else's signature. */
export async function isSupervised(view: ReadView, who: Who, kind: string): Promise<boolean> {
  return (await rolesOf(view, who)).some(({ code = [] }) => needsCoSignature(code, kind))
}

export async function requireSupervisor(view: ReadView, who: Who): Promise<void> {
  if ((await rolesOf(view, who)).some(({ code = [] }) => worksUnderSupervision(code))) refuse('DOCUMENTS_SUPERVISED')
}

/** The version that a step makes, and who answers for it. What was signed is sealed anew. */
export function writeStep(tx: Transaction, note: Composition, to: NoteState, step: { act: Exclude<RevisionAct, 'written'>; by: Who; reason?: string | undefined }, now: Date): Stored<Composition> {
  const next = moved(note, to, step)
  const stored = tx.write(step.act === 'entered-in-error' ? next : sealed(next), step.reason === undefined ? {} : { reason: step.reason })
  tx.write(noteProvenance(stored, step.act, step.by, now, step.reason))
  tx.signal({ room: `branch:${tx.actor.branch}`, name: 'documents' })
  return stored
}

export function changed(note: Stored<Composition>): { noteId: string; version: string; state: NoteState } {
  return { noteId: note.id, version: note.meta.versionId, state: stateOf(note) }
}

export function aboutNote(note: Stored<Composition>): { noteId: string; patientId: string; kind: string } {
  return { noteId: note.id, patientId: note.subject?.reference?.replace('Patient/', '') ?? '', kind: noteCodeOf(note.type) ?? '' }
}
