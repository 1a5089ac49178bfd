import { randomUUID } from 'node:crypto'
import { command, refuse } from '@carespine/kit/module'
import { startNote } from './contract.ts'
import { changed, checkSections, kindNamed, writerOf } from './change-note.ts'
import { draftNote } from './note-resource.ts'

export const startNoteCommand = command(startNote, async ({ patientId, encounterId, kind: code, sections }, { tx, actor, now }) => {
  const by = writerOf(actor)
  const kind = kindNamed(code)
  checkSections(kind, sections)
  await tx.read('Patient', patientId)
  if (encounterId !== undefined) {
    const encounter = await tx.read('Encounter', encounterId)
    if (encounter.subject?.reference !== `Patient/${patientId}`) refuse('RECORD_NOT_FOUND', { resourceType: 'Encounter' })
  }
  const note = tx.write(draftNote(kind, { number: randomUUID(), patientId, encounterId, sections }, by, now))
  tx.signal({ room: `branch:${actor.branch}`, name: 'documents' })
  return changed(note)
})
