import { command, refuse } from '@carespine/kit/module'
import { addAddendum, amendNote, markNoteInError, NoteAmended, NoteEnteredInError } from './contract.ts'
import { aboutNote, changed, checkSections, isSupervised, noteToChange, requireResponsible, writerOf, writeStep } from './change-note.ts'
import { addendumSection, replaceSections, sectionsOf } from './note-resource.ts'

export const amendNoteCommand = command(amendNote, async (input, { tx, actor, now }) => {
  const by = writerOf(actor)
  const { kind, ...note } = await noteToChange(tx, input, 'amend')
  requireResponsible(note, by)
  checkSections(kind, input.sections)
  const section = replaceSections(note, sectionsOf(kind, input.sections))
  if (!section.some(({ text }) => text !== undefined)) refuse('DOCUMENTS_EMPTY', { fields: kind.sections.map(({ code }) => code) })
  if (JSON.stringify(section) === JSON.stringify(note.section)) refuse('DOCUMENTS_UNCHANGED', { field: 'sections' })
  const coSignatureNeeded = await isSupervised(tx, by, kind.code)
  const attester = [...(note.attester ?? []), { mode: 'professional' as const, time: now.toISOString(), party: by }]
  const amended = writeStep(tx, { ...note, section, attester }, coSignatureNeeded ? 'awaiting-co-signature' : 'amended', { act: 'amended', by, reason: input.reason }, now)
  tx.emit(NoteAmended, { ...aboutNote(amended), addendum: false, coSignatureNeeded }, { resource: amended })
  return changed(amended)
})

export const addAddendumCommand = command(addAddendum, async (input, { tx, actor, now }) => {
  const by = writerOf(actor)
  const { kind, ...note } = await noteToChange(tx, input, 'addAddendum')
  const coSignatureNeeded = await isSupervised(tx, by, kind.code)
  const at = now.toISOString()
  const section = [...(note.section ?? []), addendumSection(input.text, by, now)]
  const attester = [...(note.attester ?? []), { mode: 'professional' as const, time: at, party: by }]
  const added = writeStep(tx, { ...note, section, attester }, coSignatureNeeded ? 'awaiting-co-signature' : 'amended', { act: 'addendum', by }, now)
  tx.emit(NoteAmended, { ...aboutNote(added), addendum: true, coSignatureNeeded }, { resource: added })
  return changed(added)
})

export const markNoteInErrorCommand = command(markNoteInError, async (input, { tx, actor, now }) => {
  const by = writerOf(actor)
  const { kind: _kind, ...note } = await noteToChange(tx, input, 'markInError')
  requireResponsible(note, by)
  const gone = writeStep(tx, note, 'entered-in-error', { act: 'entered-in-error', by, reason: input.reason }, now)
  tx.emit(NoteEnteredInError, aboutNote(gone), { resource: gone })
  return changed(gone)
})
