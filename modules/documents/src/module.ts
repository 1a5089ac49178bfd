import type { Composition, Provenance } from '@carespine/fhir/resource'
import { defineModule } from '@carespine/kit/module'
import { addAddendumCommand, amendNoteCommand, markNoteInErrorCommand } from './amend-note.ts'
import { NoteAmended, NoteCoSigned, NoteDamaged, NoteEnteredInError, NoteSigned, refusals } from './contract.ts'
import { ACT_SYSTEM } from './note-provenance.ts'
import { isOurs } from './note-resource.ts'
import { getNoteHistoryQuery, getNoteQuery, listNotesQuery, listUnsignedQuery } from './read-notes.ts'
import { saveDraftCommand } from './save-draft.ts'
import { coSignNoteCommand, signNoteCommand } from './sign-note.ts'
import { startNoteCommand } from './start-note.ts'
import { tellOfDamage } from './tell-of-damage.ts'

const instead = 'POST /api/documents/start, /api/documents/save, /api/documents/sign, /api/documents/amend, /api/documents/add-addendum or /api/documents/mark-in-error'

/** Documents: what clinicians write and sign. */
export const documents = defineModule({
  name: 'documents',
  migrations: new URL('../migrations/', import.meta.url),
  owns: [
    { type: 'Composition', when: (resource) => isOurs(resource as Composition), instead },
    { type: 'Provenance', when: (resource) => ((resource as Provenance).activity?.coding ?? []).some(({ system }) => system === ACT_SYSTEM), instead },
  ],
  actions: [
    startNoteCommand,
    saveDraftCommand,
    signNoteCommand,
    coSignNoteCommand,
    amendNoteCommand,
    addAddendumCommand,
    markNoteInErrorCommand,
    listNotesQuery,
    getNoteQuery,
    getNoteHistoryQuery,
    listUnsignedQuery,
  ],
  jobs: [tellOfDamage],
  events: [NoteSigned, NoteCoSigned, NoteAmended, NoteEnteredInError, NoteDamaged],
  gauges: {
    help: { carespine_notes_damaged: 'Notes that somebody read and that are not what was signed' },
    async read({ view }) {
      const [row] = await view.sql<{ count: number }>('select count(distinct (branch, note))::int as count from documents.damage')
      return { carespine_notes_damaged: row?.count }
    },
  },
  refusals,
})
