import type { Composition, Stored } from '@carespine/fhir/resource'
import { query, refuse } from '@carespine/kit/module'
import { summaryOf as patientSummaryOf } from '@carespine/registration/patient-summary'
import type { ReadView } from '@carespine/store/contract'
import { DOCUMENT_SYSTEM, getNote, getNoteHistory, listNotes, listUnsigned, type Revision } from './contract.ts'
import { hashInProvenance } from './note-provenance.ts'
import { fullNote, isOurs, revisionOf, signedHashOf, STATE_SYSTEM, summaryOfNote } from './note-resource.ts'

/** What was signed, and by the words of those who signed it, is what is there. */
async function isAsSigned(view: ReadView, note: Stored<Composition>): Promise<boolean> {
  const hash = signedHashOf(note)
  if (!summaryOfNote(note).intact) return false
  if (hash === undefined) return true
  const signatures = (await view.search('Provenance', { target: `Composition/${note.id}`, _count: '200' })).flatMap((provenance) => {
    const said = hashInProvenance(provenance)
    return said === undefined ? [] : [{ said, at: provenance.recorded }]
  })
  return signatures.toSorted((a, b) => (a.at < b.at ? -1 : 1)).at(-1)?.said === hash
}

async function noteOfOurs(view: ReadView, id: string): Promise<Stored<Composition>> {
  const note = await view.read('Composition', id)
  return isOurs(note) ? note : refuse('RECORD_NOT_FOUND', { resourceType: 'Composition' })
}

/** Keeps that somebody met a damaged note: it is counted, and `tellOfDamage` leaves an event. */
async function noteDamage(view: ReadView, note: Stored<Composition>, now: Date): Promise<void> {
  await view.sql('insert into documents.damage (branch, note, version, found_at) values ($1, $2, $3, $4) on conflict do nothing', [
    view.actor.branch,
    note.id,
    note.meta.versionId,
    now,
  ])
}

export const getNoteQuery = query(getNote, async ({ noteId }, { view, now }) => {
  const stored = await noteOfOurs(view, noteId)
  const intact = await isAsSigned(view, stored)
  if (!intact) await noteDamage(view, stored, now)
  return { note: { ...fullNote(stored), intact } }
})

export const listNotesQuery = query(listNotes, async ({ patientId, inError, limit, cursor }, { view, now }) => {
  const page = await view.page('Composition', {
    subject: `Patient/${patientId}`,
    identifier: `${DOCUMENT_SYSTEM}|`,
    status: inError ? 'entered-in-error' : 'preliminary,final,amended',
    _sort: '-date',
    _count: String(limit),
    ...(cursor === undefined ? {} : { _cursor: cursor }),
  })
  const notes = page.resources.map(summaryOfNote)
  for (const [nth, { intact }] of notes.entries()) if (!intact) await noteDamage(view, page.resources[nth] as Stored<Composition>, now)
  return { notes, ...(page.next === undefined ? {} : { next: page.next }) }
})

/** Screens save a draft by themselves every few seconds: of what one person wrote in a row, the last is the revision. */
function withoutAutosaves(latestFirst: readonly Revision[]): Revision[] {
  return latestFirst.filter(({ act, by }, at) => {
    const later = latestFirst[at - 1]
    return !(act === 'written' && later?.act === 'written' && later.by === by)
  })
}

export const getNoteHistoryQuery = query(getNoteHistory, async ({ noteId }, { view }) => {
  const [note, versions] = await Promise.all([noteOfOurs(view, noteId), view.versions('Composition', noteId)])
  const { kindName, kindNameArabic, patientId } = summaryOfNote(note)
  return { revisions: withoutAutosaves(versions.map(revisionOf)), kindName, ...(kindNameArabic === undefined ? {} : { kindNameArabic }), patientId }
})

export const listUnsignedQuery = query(listUnsigned, async ({ waiting, limit, cursor }, { view, actor }) => {
  const mine = actor.practitioner === undefined ? 'Practitioner/nobody' : `Practitioner/${actor.practitioner}`
  const page = await view.page('Composition', {
    _tag: `${STATE_SYSTEM}|${waiting === 'co-signature' ? 'awaiting-co-signature' : 'draft'}`,
    ...(waiting === 'my-signature' ? { author: mine } : {}),
    _sort: 'date',
    _count: String(limit),
    ...(cursor === undefined ? {} : { _cursor: cursor }),
  })
  const others = waiting === 'my-signature' ? page.resources : page.resources.filter(({ author }) => author.every(({ reference }) => reference !== mine))
  const notes = await Promise.all(
    others.map(async (note) => {
      const summary = summaryOfNote(note)
      const { name, nameArabic } = patientSummaryOf(await view.read('Patient', summary.patientId))
      return { ...summary, patientName: name, ...(nameArabic === undefined ? {} : { patientNameArabic: nameArabic }) }
    }),
  )
  return { notes, ...(page.next === undefined ? {} : { next: page.next }) }
})
