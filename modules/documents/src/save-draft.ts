import { command } from '@carespine/kit/module'
import { saveDraft } from './contract.ts'
import { changed, checkSections, noteToChange, requireAuthor, writerOf } from './change-note.ts'
import { moved, sectionsOf, withSections } from './note-resource.ts'

export const saveDraftCommand = command(saveDraft, async (input, { tx, actor }) => {
  const by = writerOf(actor)
  const { kind, ...note } = await noteToChange(tx, input, 'edit')
  requireAuthor(note, by)
  checkSections(kind, input.sections)
  const section = sectionsOf(kind, input.sections)
  // Screens save by themselves; what says nothing new makes no version.
  if (JSON.stringify(section) === JSON.stringify(note.section ?? [])) return changed(note)
  return changed(tx.write(moved(withSections(note, section), 'draft', { act: 'written', by })))
})
