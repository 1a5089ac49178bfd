import { command, refuse } from '@carespine/kit/module'
import { coSignNote, NoteCoSigned, NoteSigned, signNote } from './contract.ts'
import { aboutNote, changed, isSupervised, noteToChange, requireAuthor, requireSupervisor, writerOf, writeStep } from './change-note.ts'

export const signNoteCommand = command(signNote, async (input, { tx, actor, now }) => {
  const by = writerOf(actor)
  const { kind, ...note } = await noteToChange(tx, input, 'sign')
  requireAuthor(note, by)
  if (!(note.section ?? []).some(({ text }) => text !== undefined)) refuse('DOCUMENTS_EMPTY', { fields: kind.sections.map(({ code }) => code) })
  const coSignatureNeeded = await isSupervised(tx, by, kind.code)
  const at = now.toISOString()
  const signed = writeStep(
    tx,
    { ...note, date: at, attester: [{ mode: 'professional', time: at, party: by }] },
    coSignatureNeeded ? 'awaiting-co-signature' : 'signed',
    { act: 'signed', by },
    now,
  )
  tx.emit(NoteSigned, { ...aboutNote(signed), coSignatureNeeded }, { resource: signed })
  return changed(signed)
})

export const coSignNoteCommand = command(coSignNote, async (input, { tx, actor, now }) => {
  const by = writerOf(actor)
  const { kind: _kind, ...note } = await noteToChange(tx, input, 'coSign')
  if (note.author.some(({ reference }) => reference === by.reference)) refuse('DOCUMENTS_OWN_CO_SIGNATURE')
  await requireSupervisor(tx, by)
  const attester = [...(note.attester ?? []), { mode: 'legal' as const, time: now.toISOString(), party: by }]
  // What was final before it was changed is an amended note once more.
  const wasFinal = (note.attester ?? []).some(({ mode }) => mode === 'legal')
  const signed = writeStep(tx, { ...note, attester }, wasFinal ? 'amended' : 'signed', { act: 'co-signed', by }, now)
  tx.emit(NoteCoSigned, aboutNote(signed), { resource: signed })
  return changed(signed)
})
