import { action, event, z } from '@carespine/kit/contract'

/** System of the numbers of our own notes: a Composition with one is governed. */
export const DOCUMENT_SYSTEM = 'https://carespine.example/fhir/sid/document'

/** Where a note stands. FHIR's `preliminary` covers the first two. */
export const NoteState = z.enum(['draft', 'awaiting-co-signature', 'signed', 'amended', 'entered-in-error'])
export type NoteState = z.infer<typeof NoteState>

/** In which states each step may be taken; screens and commands read the same table. */
export const can: Readonly<Record<'edit' | 'sign' | 'coSign' | 'amend' | 'addAddendum' | 'markInError', readonly NoteState[]>> = {
  edit: ['draft'],
  sign: ['draft'],
  coSign: ['awaiting-co-signature'],
  amend: ['awaiting-co-signature', 'signed', 'amended'],
  addAddendum: ['signed', 'amended'],
  markInError: ['draft', 'awaiting-co-signature', 'signed', 'amended'],
}

/** What made a version. */
export const RevisionAct = z.enum(['written', 'signed', 'co-signed', 'amended', 'addendum', 'entered-in-error'])
export type RevisionAct = z.infer<typeof RevisionAct>

const MOST_TEXT = 20_000
const Text = z.string().max(MOST_TEXT)
const Reason = z.string().trim().min(3).max(300)
const Version = z.string().regex(/^\d{1,9}$/, 'the version that was read, such as 3')

const SectionText = z.object({ code: z.string().max(60), text: Text })
export type SectionText = z.infer<typeof SectionText>

const Section = SectionText.extend({ name: z.string(), nameArabic: z.string().optional() })
const Addendum = z.object({ text: z.string(), by: z.string(), at: z.string() })
const Signature = z.object({ kind: z.enum(['author', 'co-signer']), by: z.string(), at: z.string() })

export const NoteSummary = z.object({
  id: z.string(),
  version: z.string(),
  kind: z.string(),
  kindName: z.string(),
  kindNameArabic: z.string().optional(),
  state: NoteState,
  patientId: z.string(),
  encounterId: z.string().optional(),
  authors: z.array(z.object({ practitionerId: z.string(), name: z.string() })),
  writtenAt: z.string(),
  changedAt: z.string(),
  addenda: z.number().int(),
  /** False when what is stored is not what was signed: it must not be relied on. */
  intact: z.boolean(),
})
export type NoteSummary = z.infer<typeof NoteSummary>

export const Note = NoteSummary.extend({
  sections: z.array(Section),
  addendumTexts: z.array(Addendum),
  signatures: z.array(Signature),
  /** `ni:///sha-256;…` (RFC 6920) of what was signed; absent in a draft. */
  contentHash: z.string().optional(),
  /** Why it was entered in error. */
  errorReason: z.string().optional(),
})
export type Note = z.infer<typeof Note>

export const Revision = z.object({
  version: z.string(),
  at: z.string(),
  act: RevisionAct,
  by: z.string(),
  reason: z.string().optional(),
  state: NoteState,
  sections: z.array(Section),
  addendumTexts: z.array(Addendum),
})
export type Revision = z.infer<typeof Revision>

/** A signature stands for the person: they proved within so many minutes who they are. */
const FRESH_MINUTES = 30

const Changed = z.object({ noteId: z.string(), version: z.string(), state: NoteState })

export const startNote = action({
  kind: 'command',
  name: 'documents.start',
  allow: 'documents.write',
  summary: 'Begins a note as a draft: in an encounter, or about the patient alone.',
  input: z.object({ patientId: z.string(), encounterId: z.string().optional(), kind: z.string(), sections: z.array(SectionText).max(20).default([]) }),
  output: Changed,
})

export const saveDraft = action({
  kind: 'command',
  name: 'documents.save',
  allow: 'documents.write',
  summary: 'Keeps what is written so far. Refused when somebody, or another tab, saved since `version` was read.',
  takesIfMatch: true,
  input: z.object({ noteId: z.string(), version: Version, sections: z.array(SectionText).min(1).max(20) }),
  output: Changed,
})

export const signNote = action({
  kind: 'command',
  name: 'documents.sign',
  allow: 'documents.sign',
  stepUp: FRESH_MINUTES,
  summary: 'Signs a draft of one’s own. What somebody under supervision writes then waits for a co-signature.',
  takesIfMatch: true,
  input: z.object({ noteId: z.string(), version: Version }),
  output: Changed,
})

export const coSignNote = action({
  kind: 'command',
  name: 'documents.co-sign',
  allow: 'documents.sign',
  stepUp: FRESH_MINUTES,
  summary: 'Takes responsibility for a note that somebody under supervision has signed.',
  takesIfMatch: true,
  input: z.object({ noteId: z.string(), version: Version }),
  output: Changed,
})

export const amendNote = action({
  kind: 'command',
  name: 'documents.amend',
  allow: 'documents.sign',
  summary: 'Changes a signed note as a new revision, with a reason; what was there before stays readable.',
  takesIfMatch: true,
  input: z.object({ noteId: z.string(), version: Version, sections: z.array(SectionText).min(1).max(20), reason: Reason }),
  output: Changed,
})

export const addAddendum = action({
  kind: 'command',
  name: 'documents.add-addendum',
  allow: 'documents.sign',
  summary: 'Adds to a signed note, under one’s own name; the note itself stays as it is.',
  takesIfMatch: true,
  input: z.object({ noteId: z.string(), version: Version, text: z.string().trim().min(1).max(MOST_TEXT) }),
  output: Changed,
})

export const markNoteInError = action({
  kind: 'command',
  name: 'documents.mark-in-error',
  allow: 'documents.sign',
  summary: 'Takes a note out of the chart, with a reason. It stays reachable among those in error.',
  takesIfMatch: true,
  input: z.object({ noteId: z.string(), version: Version, reason: Reason }),
  output: Changed,
})

export const listNotes = action({
  kind: 'query',
  name: 'documents.of-patient',
  allow: 'documents.read',
  summary: 'Notes about a patient, latest first; those entered in error on request.',
  input: z.object({
    patientId: z.string(),
    inError: z.boolean().default(false),
    limit: z.number().int().min(1).max(50).default(20),
    cursor: z.string().max(500).optional(),
  }),
  output: z.object({ notes: z.array(NoteSummary), next: z.string().optional() }),
})

export const getNote = action({
  kind: 'query',
  name: 'documents.get',
  allow: 'documents.read',
  summary: 'One note, checked against its signatures.',
  input: z.object({ noteId: z.string() }),
  output: z.object({ note: Note }),
})

export const getNoteHistory = action({
  kind: 'query',
  name: 'documents.history',
  allow: 'documents.read',
  summary: 'Every revision of a note: who, when, what and why; latest first.',
  input: z.object({ noteId: z.string() }),
  output: z.object({ revisions: z.array(Revision), kindName: z.string(), kindNameArabic: z.string().optional(), patientId: z.string() }),
})

export const listUnsigned = action({
  kind: 'query',
  name: 'documents.unsigned',
  allow: 'documents.sign',
  summary: 'Notes of the branch that wait: for a co-signature of somebody else than their author, or my own drafts.',
  input: z.object({
    waiting: z.enum(['co-signature', 'my-signature']),
    limit: z.number().int().min(1).max(50).default(20),
    cursor: z.string().max(500).optional(),
  }),
  output: z.object({
    notes: z.array(NoteSummary.extend({ patientName: z.string(), patientNameArabic: z.string().optional() })),
    next: z.string().optional(),
  }),
})

const AboutNote = z.object({ noteId: z.string(), patientId: z.string(), kind: z.string() })

export const NoteSigned = event(
  'document.signed',
  1,
  'A note was signed. With `coSignatureNeeded` it counts only after a second signature.',
  AboutNote.extend({ coSignatureNeeded: z.boolean() }),
)
export const NoteCoSigned = event('document.co-signed', 1, 'A supervisor took responsibility for a note.', AboutNote)
export const NoteAmended = event(
  'document.amended',
  1,
  'A signed note was changed, or something was added to it.',
  AboutNote.extend({ addendum: z.boolean(), coSignatureNeeded: z.boolean() }),
)
export const NoteEnteredInError = event('document.entered-in-error', 1, 'A note was taken out of the chart.', AboutNote)
export const NoteDamaged = event(
  'document.damaged',
  1,
  'A note that somebody read is not what was signed.',
  z.object({ noteId: z.string(), version: z.string() }),
)

export const refusals = {
  DOCUMENTS_KIND_UNKNOWN: { status: 422, message: 'No kind of note has this code. Use one of the codes in the details.' },
  DOCUMENTS_SECTION_UNKNOWN: { status: 422, message: 'This kind of note has no such section. Use the codes in the details.' },
  DOCUMENTS_EMPTY: { status: 422, message: 'The note is empty. Write something before it is signed.' },
  DOCUMENTS_STATE: { status: 409, message: 'The note is in a state that does not allow this.' },
  DOCUMENTS_NOT_AUTHOR: { status: 403, message: 'Only an author of the note, or who co-signed it, may do this. Add an addendum instead.' },
  DOCUMENTS_NO_PRACTITIONER: { status: 403, message: 'Only a person who is a practitioner here writes and signs notes.' },
  DOCUMENTS_OWN_CO_SIGNATURE: { status: 403, message: 'Nobody co-signs a note of their own.' },
  DOCUMENTS_SUPERVISED: { status: 403, message: 'Who writes under supervision does not co-sign.' },
  DOCUMENTS_UNCHANGED: { status: 422, message: 'The text is what it was. Change it, or leave it.' },
  DOCUMENTS_DAMAGED: {
    status: 409,
    message: 'What is stored is not what was signed. Nothing can be added to it. Tell your IT department.',
  },
} as const
