import { createHash } from 'node:crypto'
import type { CodeableConcept, Composition, CompositionSection, Extension, Reference, Stored } from '@carespine/fhir/resource'
import { wordsOf } from '@carespine/pack-core/bilingual'
import { conceptOfNote, noteCodeOf, noteKindByCode, type NoteKind } from '@carespine/pack-core/note-kinds'
import { canonicalJson } from './canonical-json.ts'
import { DOCUMENT_SYSTEM, type Note, NoteState, type NoteSummary, type Revision, RevisionAct, type SectionText } from './contract.ts'
import { keptText, narrativeOf, textOf } from './narrative.ts'

/** System of the tag that says where a note stands. */
export const STATE_SYSTEM = 'https://carespine.example/fhir/CodeSystem/note-state'
const REVISION = 'https://carespine.example/fhir/StructureDefinition/note-revision'
const CONTENT_HASH = 'https://carespine.example/fhir/StructureDefinition/note-content-hash'
const ADDED_AT = 'https://carespine.example/fhir/StructureDefinition/addendum-date'
const ADDENDUM: CodeableConcept = { coding: [{ system: 'http://loinc.org', code: '55107-7', display: 'Addendum Document' }] }

/** Who did something to a note. */
export interface Who {
  reference: string
  display: string
}

/** FHIR's status of each state (composition-status): what waits for a second signature is not final. */
const STATUS: Readonly<Record<NoteState, Composition['status']>> = {
  draft: 'preliminary',
  'awaiting-co-signature': 'preliminary',
  signed: 'final',
  amended: 'amended',
  'entered-in-error': 'entered-in-error',
}

export function isOurs(composition: Composition): boolean {
  return composition.identifier?.system === DOCUMENT_SYSTEM
}

export function stateOf(note: Composition): NoteState {
  const tagged = NoteState.safeParse(note.meta?.tag?.find(({ system }) => system === STATE_SYSTEM)?.code)
  if (tagged.success) return tagged.data
  return note.status === 'final' ? 'signed' : note.status === 'preliminary' ? 'draft' : note.status
}

/** What a version says of itself: what was done, by whom, and why. */
interface Act {
  act: RevisionAct
  by: Who
  reason?: string | undefined
}

/** A note in another state, which says how it came there. */
export function moved<C extends Composition>(note: C, state: NoteState, { act, by, reason }: Act): C {
  const revision: Extension = {
    url: REVISION,
    extension: [
      { url: 'act', valueCode: act },
      { url: 'by', valueReference: by },
      ...(reason === undefined ? [] : [{ url: 'reason', valueString: reason }]),
    ],
  }
  const others = (note.extension ?? []).filter(({ url }) => url !== REVISION)
  const tags = (note.meta?.tag ?? []).filter(({ system }) => system !== STATE_SYSTEM)
  return { ...note, meta: { ...note.meta, tag: [...tags, { system: STATE_SYSTEM, code: state }] }, status: STATUS[state], extension: [...others, revision] }
}

export function draftNote(kind: NoteKind, about: { number: string; patientId: string; encounterId?: string | undefined; sections: readonly SectionText[] }, by: Who, now: Date): Composition {
  const { number, patientId, encounterId, sections } = about
  const note: Composition = {
    resourceType: 'Composition',
    identifier: { system: DOCUMENT_SYSTEM, value: number },
    status: 'preliminary',
    type: conceptOfNote(kind),
    subject: { reference: `Patient/${patientId}` },
    ...(encounterId === undefined ? {} : { encounter: { reference: `Encounter/${encounterId}` } }),
    date: now.toISOString(),
    author: [by],
    title: kind.name,
  }
  return moved(withSections(note, sectionsOf(kind, sections)), 'draft', { act: 'written', by })
}

/** The sections that hold something, in the order of the kind: a Composition has no empty ones (cmp-1). */
export function sectionsOf(kind: NoteKind, texts: readonly SectionText[]): CompositionSection[] {
  return kind.sections.flatMap((section) => {
    const text = keptText(texts.find(({ code }) => code === section.code)?.text ?? '')
    return text === '' ? [] : [{ title: section.name, code: conceptOfNote(section), text: narrativeOf(text) }]
  })
}

/** The note with other sections, or with none. */
export function withSections<C extends Composition>(note: C, section: CompositionSection[]): C {
  const { section: _before, ...rest } = note
  return { ...rest, ...(section.length > 0 ? { section } : {}) } as C
}

const isAddendum = ({ code }: CompositionSection): boolean => code?.coding?.some((one) => one.code === ADDENDUM.coding?.[0]?.code) ?? false

/** Sections of the note itself; addenda come after them and stay when it is amended. */
export function replaceSections(note: Composition, sections: readonly CompositionSection[]): CompositionSection[] {
  return [...sections, ...(note.section ?? []).filter(isAddendum)]
}

export function addendumSection(text: string, by: Who, now: Date): CompositionSection {
  return { extension: [{ url: ADDED_AT, valueDateTime: now.toISOString() }], title: 'Addendum', code: ADDENDUM, author: [by], text: narrativeOf(keptText(text)) }
}

/** What people sign: everything that is shown of a note and means something. Its SHA-256, in the canonical form of RFC 8785, as RFC 6920 names it. */
function contentHashOf(note: Composition): string {
  const { type, title, subject, encounter, date, author, section } = note
  const referred = (references: readonly Reference[] | undefined): (string | undefined)[] => (references ?? []).map(({ reference }) => reference)
  const shown = {
    type: type.coding?.map(({ system, code }) => ({ system, code })),
    title,
    subject: subject?.reference,
    encounter: encounter?.reference,
    date,
    author: referred(author),
    section: (section ?? []).map((one) => ({ title: one.title, code: one.code?.coding?.map(({ code }) => code), author: referred(one.author), at: addedAt(one), text: one.text?.div })),
  }
  return `ni:///sha-256;${createHash('sha256').update(canonicalJson(shown)).digest('base64url')}`
}

const addedAt = ({ extension }: CompositionSection): string | undefined => extension?.find(({ url }) => url === ADDED_AT)?.valueDateTime

/** The note with the hash of what it shows. */
export function sealed<C extends Composition>(note: C): C {
  const others = (note.extension ?? []).filter(({ url }) => url !== CONTENT_HASH)
  return { ...note, extension: [...others, { url: CONTENT_HASH, valueUri: contentHashOf(note) }] }
}

export function signedHashOf(note: Composition): string | undefined {
  return note.extension?.find(({ url }) => url === CONTENT_HASH)?.valueUri
}

/** True for a draft, and for a note that shows what was signed. */
export function isIntact(note: Composition): boolean {
  const state = stateOf(note)
  const hash = signedHashOf(note)
  // A draft may be thrown away as entered in error: nothing of it was signed.
  if (hash === undefined) return state === 'draft' || (state === 'entered-in-error' && (note.attester ?? []).length === 0)
  return hash === contentHashOf(note)
}

const idOf = (reference: string | undefined): string => reference?.split('/').at(-1) ?? ''

export function kindOf(note: Composition): NoteKind | undefined {
  return noteKindByCode(noteCodeOf(note.type) ?? '')
}

export function summaryOfNote(note: Stored<Composition>): NoteSummary {
  const { name = note.title, nameArabic } = wordsOf(note.type)
  return {
    id: note.id,
    version: note.meta.versionId,
    kind: noteCodeOf(note.type) ?? '',
    kindName: name,
    ...(nameArabic === undefined ? {} : { kindNameArabic: nameArabic }),
    state: stateOf(note),
    patientId: idOf(note.subject?.reference),
    ...(note.encounter?.reference ? { encounterId: idOf(note.encounter.reference) } : {}),
    authors: note.author.map(({ reference, display }) => ({ practitionerId: idOf(reference), name: display ?? idOf(reference) })),
    writtenAt: note.date,
    changedAt: note.meta.lastUpdated,
    addenda: (note.section ?? []).filter(isAddendum).length,
    intact: isIntact(note),
  }
}

function textsOf(note: Composition): Pick<Note, 'sections' | 'addendumTexts'> {
  const all = note.section ?? []
  const written = all.filter((one) => !isAddendum(one)).map((one) => {
    const { name = one.title ?? '', nameArabic } = wordsOf(one.code)
    return { code: noteCodeOf(one.code) ?? '', name, ...(nameArabic === undefined ? {} : { nameArabic }), text: textOf(one.text) }
  })
  const places = (kindOf(note)?.sections ?? []).map(({ code, name, nameArabic }) => ({ code, name, nameArabic, text: '' }))
  return {
    // What the kind asks for and nobody filled in has its place; what it does not ask for any more is not lost.
    sections: [...places.map((place) => written.find(({ code }) => code === place.code) ?? place), ...written.filter(({ code }) => !places.some((place) => place.code === code))],
    addendumTexts: all.filter(isAddendum).map((one) => ({ text: textOf(one.text), by: one.author?.[0]?.display ?? '', at: addedAt(one) ?? '' })),
  }
}

function actOf(note: Composition): { act: RevisionAct; by: string; reason?: string } {
  const parts = note.extension?.find(({ url }) => url === REVISION)?.extension ?? []
  const reason = parts.find(({ url }) => url === 'reason')?.valueString
  return {
    act: RevisionAct.catch('written').parse(parts.find(({ url }) => url === 'act')?.valueCode),
    by: parts.find(({ url }) => url === 'by')?.valueReference?.display ?? '',
    ...(reason === undefined ? {} : { reason }),
  }
}

export function fullNote(note: Stored<Composition>): Note {
  const hash = signedHashOf(note)
  const { act, reason } = actOf(note)
  return {
    ...summaryOfNote(note),
    ...textsOf(note),
    signatures: (note.attester ?? []).map(({ mode, party, time }) => ({ kind: mode === 'legal' ? 'co-signer' : 'author', by: party?.display ?? '', at: time ?? '' })),
    ...(hash === undefined ? {} : { contentHash: hash }),
    ...(act === 'entered-in-error' && reason !== undefined ? { errorReason: reason } : {}),
  }
}

export function revisionOf(note: Stored<Composition>): Revision {
  return { version: note.meta.versionId, at: note.meta.lastUpdated, ...actOf(note), state: stateOf(note), ...textsOf(note) }
}
