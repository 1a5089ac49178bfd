import { randomUUID } from 'node:crypto'
import { addAddendum, amendNote, coSignNote, getNote, getNoteHistory, listNotes, listUnsigned, markNoteInError, saveDraft, signNote, startNote } from '@carespine/documents/contract'
import { startEncounter } from '@carespine/encounters/contract'
import type { Composition, OperationOutcome, Provenance } from '@carespine/fhir/resource'
import { registerPatient } from '@carespine/registration/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fhirClient, type FhirClient } from './fhir-client.ts'
import { BRANCHES, type SignedInUser, startTestHospital, type TestHospital } from './test-hospital.ts'

const RESIDENT = { system: 'http://snomed.info/sct', code: '405277009' }

let hospital: TestHospital
let fhir: FhirClient
let doctor: SignedInUser
/** A nurse by the test hospital's list, a resident by their role. */
let resident: SignedInUser
let patientId = ''
let encounterId = ''

beforeAll(async () => {
  hospital = await startTestHospital()
  fhir = fhirClient((await hospital.asClient()).fetch)
  await fhir.send('POST', '/PractitionerRole', { resourceType: 'PractitionerRole', active: true, practitioner: { reference: 'Practitioner/nurse-main' }, code: [{ coding: [RESIDENT] }] })
  doctor = await hospital.signIn('provider')
  resident = await hospital.signIn('nurse')
  const hub = await hospital.signIn('hub')
  ;({ patientId } = await hub.call(registerPatient, { name: { family: 'Notable', given: 'Nora' }, sex: 'female', birthDate: '1970-01-01' }))
  ;({ encounterId } = await doctor.call(startEncounter, { patientId }))
})
afterAll(() => hospital?.close())

const plan = (text: string) => [{ code: 'plan', text }]
const codeOf = async (asked: Promise<unknown>): Promise<string> => await asked.then(() => 'done', (error: Error) => error.message)

async function signedNote(text: string, by = doctor, kind = 'progress'): Promise<{ noteId: string; version: string }> {
  const { noteId, version } = await by.call(startNote, { patientId, encounterId, kind, sections: plan(text) })
  return await by.call(signNote, { noteId, version })
}

describe('a note', () => {
  test('is a draft until it is signed, then final, and says by whom', async () => {
    const draft = await doctor.call(startNote, { patientId, encounterId, kind: 'progress' })
    expect(draft.state).toBe('draft')
    expect(await codeOf(doctor.call(signNote, draft))).toBe('DOCUMENTS_EMPTY')
    const saved = await doctor.call(saveDraft, { ...draft, sections: [{ code: 'assessment', text: 'Anaemia <mild> & stable\nفقر دم' }, ...plan('Iron')] })
    expect((await fhir.send<Composition>('GET', `/Composition/${draft.noteId}`)).body.status).toBe('preliminary')
    const signed = await doctor.call(signNote, saved)
    expect(signed.state).toBe('signed')
    const { note } = await doctor.call(getNote, signed)
    expect(note.sections.find(({ code }) => code === 'assessment')?.text).toBe('Anaemia <mild> & stable\nفقر دم')
    expect(note.signatures).toMatchObject([{ kind: 'author', by: 'provider main' }])
    expect(note.contentHash).toMatch(/^ni:\/\/\/sha-256;[\w-]{43}$/)
    expect(note.intact).toBe(true)
    expect((await fhir.send<Composition>('GET', `/Composition/${draft.noteId}`)).body).toMatchObject({ status: 'final', attester: [{ mode: 'professional', party: { reference: 'Practitioner/provider-main' } }] })
    const [provenance] = (await fhir.search(`/Provenance?target=Composition/${draft.noteId}`)).entry?.map(({ resource }) => resource as Provenance) ?? []
    expect(Buffer.from(provenance?.signature?.[0]?.data ?? '', 'base64').toString()).toBe(note.contentHash)
  })

  test('that two people or two tabs write at once is never overwritten', async () => {
    const draft = await doctor.call(startNote, { patientId, kind: 'progress' })
    const tries = await Promise.all(['first', 'second'].map((text) => codeOf(doctor.call(saveDraft, { ...draft, sections: plan(text) }))))
    expect(tries.toSorted()).toEqual(['RECORD_VERSION_CONFLICT', 'done'])
    const { revisions } = await doctor.call(getNoteHistory, draft)
    expect(revisions[0]?.sections.at(-1)?.text).toBe(tries[0] === 'done' ? 'first' : 'second')
    expect(await codeOf(resident.call(saveDraft, { noteId: draft.noteId, version: '2', sections: plan('not mine') }))).toBe('DOCUMENTS_NOT_AUTHOR')
  })

  test('that saves itself without a change makes no version', async () => {
    const draft = await doctor.call(startNote, { patientId, kind: 'progress', sections: plan('same') })
    expect(await doctor.call(saveDraft, { ...draft, sections: plan('same') })).toEqual(draft)
  })

  test('is amended with a reason as a new revision; every revision stays as it was', async () => {
    const signed = await signedNote('5 mg')
    expect(await codeOf(doctor.call(amendNote, { ...signed, sections: plan('5 mg'), reason: 'a slip of the pen' }))).toBe('DOCUMENTS_UNCHANGED')
    expect(await codeOf(doctor.call(saveDraft, { ...signed, sections: plan('10 mg') }))).toBe('DOCUMENTS_STATE')
    const amended = await doctor.call(amendNote, { ...signed, sections: plan('10 mg'), reason: 'The dose was wrong' })
    expect(amended.state).toBe('amended')
    const { revisions } = await doctor.call(getNoteHistory, signed)
    expect(revisions.map(({ act, by, reason, sections }) => ({ act, by, reason, text: sections.at(-1)?.text }))).toEqual([
      { act: 'amended', by: 'provider main', reason: 'The dose was wrong', text: '10 mg' },
      { act: 'signed', by: 'provider main', reason: undefined, text: '5 mg' },
      { act: 'written', by: 'provider main', reason: undefined, text: '5 mg' },
    ])
    expect((await doctor.call(getNote, signed)).note.intact).toBe(true)
  })

  test('takes an addendum of somebody else, who may not change its text', async () => {
    const signed = await signedNote('Rest')
    const nurse = await hospital.signIn('nurse')
    expect(await codeOf(nurse.call(amendNote, { ...signed, sections: plan('Walk'), reason: 'better so' }))).toBe('DOCUMENTS_NOT_AUTHOR')
    await nurse.call(addAddendum, { ...signed, text: 'Slept well' })
    const { note } = await doctor.call(getNote, signed)
    expect(note).toMatchObject({ state: 'amended', addendumTexts: [{ text: 'Slept well', by: 'nurse main' }] })
    const amended = await doctor.call(amendNote, { noteId: note.id, version: note.version, sections: plan('Rest more'), reason: 'Clearer so' })
    expect((await doctor.call(getNote, amended)).note.addendumTexts).toHaveLength(1)
  })

  test('entered in error leaves the chart, and stays reachable with its reason', async () => {
    const signed = await signedNote('For another patient')
    await doctor.call(markNoteInError, { ...signed, reason: 'Wrong patient' })
    const shown = (await doctor.call(listNotes, { patientId, limit: 50 })).notes
    expect(shown.some(({ id }) => id === signed.noteId)).toBe(false)
    expect((await doctor.call(listNotes, { patientId, inError: true })).notes.map(({ id }) => id)).toContain(signed.noteId)
    const { note } = await doctor.call(getNote, signed)
    expect(note).toMatchObject({ state: 'entered-in-error', errorReason: 'Wrong patient', intact: true })
    expect(await codeOf(doctor.call(addAddendum, { noteId: note.id, version: note.version, text: 'x' }))).toBe('DOCUMENTS_STATE')
  })

  test('of somebody under supervision waits for the signature of somebody who is not', async () => {
    const signed = await signedNote('Admit', resident, 'history-physical')
    expect((await doctor.call(getNote, signed)).note.state).toBe('awaiting-co-signature')
    expect((await fhir.send<Composition>('GET', `/Composition/${signed.noteId}`)).body.status).toBe('preliminary')
    expect((await doctor.call(listUnsigned, { waiting: 'co-signature' })).notes.map(({ id }) => id)).toContain(signed.noteId)
    expect((await resident.call(listUnsigned, { waiting: 'co-signature' })).notes.map(({ id }) => id)).not.toContain(signed.noteId)
    expect(await codeOf(resident.call(coSignNote, signed))).toBe('DOCUMENTS_OWN_CO_SIGNATURE')
    const done = await doctor.call(coSignNote, signed)
    expect(done.state).toBe('signed')
    expect((await doctor.call(getNote, signed)).note.signatures.map(({ kind }) => kind)).toEqual(['author', 'co-signer'])
    // A change of theirs needs a second look as well; a progress note does not, by the rule.
    expect((await resident.call(amendNote, { noteId: done.noteId, version: done.version, sections: plan('Admit to ward 3'), reason: 'More exact' })).state).toBe('awaiting-co-signature')
    expect((await resident.call(getNote, await signedNote('Fine', resident))).note.state).toBe('signed')
  })
})

describe('the amend endpoint', () => {
  const amend = async (who: SignedInUser, body: object, headers: Record<string, string>): Promise<{ status: number; text: string }> => {
    const response = await who.fetch('/api/documents/amend', { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })
    return { status: response.status, text: await response.text() }
  }

  test('gives its first answer again for the same key: at the same time, later, and after a restart', async () => {
    const { noteId, version } = await signedNote('once')
    const key = randomUUID()
    const body = { noteId, version, sections: plan('twice'), reason: 'A repetition' }
    const answers = await Promise.all(Array.from({ length: 6 }, () => amend(doctor, body, { 'idempotency-key': key })))
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    expect(answers[0]?.status).toBe(200)
    await hospital.restart()
    doctor = await hospital.signIn('provider')
    resident = await hospital.signIn('nurse')
    fhir = fhirClient((await hospital.asClient()).fetch)
    expect(await amend(doctor, body, { 'idempotency-key': key })).toEqual(answers[0])
    expect((await doctor.call(getNoteHistory, { noteId })).revisions.filter(({ act }) => act === 'amended')).toHaveLength(1)
    const other = await amend(doctor, { ...body, reason: 'Another body' }, { 'idempotency-key': key })
    expect([other.status, JSON.parse(other.text).code]).toEqual([409, 'IDEMPOTENCY_KEY_REUSED'])
  })

  test('takes the version from If-Match, and answers another one with 412', async () => {
    const { noteId, version } = await signedNote('matched')
    const body = { noteId, sections: plan('matched again'), reason: 'A reason' }
    expect((await amend(doctor, body, {})).status).toBe(400)
    expect((await amend(doctor, body, { 'if-match': 'W/"77"' })).status).toBe(412)
    expect((await amend(doctor, body, { 'if-match': 'nonsense' })).status).toBe(400)
    expect((await amend(doctor, { ...body, version }, { 'if-match': 'W/"77"' })).status).toBe(400)
    expect((await amend(doctor, body, { 'if-match': `W/"${version}"` })).status).toBe(200)
    // Without the header it is the refusal that every command gives.
    expect((await amend(doctor, { ...body, version }, {})).status).toBe(409)
  })
})

test('a raw write of a note is refused, and the refusal names the command', async () => {
  const { noteId } = await signedNote('governed')
  const { body: note } = await fhir.send<Composition>('GET', `/Composition/${noteId}`)
  const { status, body } = await fhir.send<OperationOutcome>('PUT', `/Composition/${noteId}`, { ...note, title: 'Mine' })
  expect(status).toBe(422)
  expect(JSON.stringify(body)).toContain('/api/documents/amend')
})

test('a note that is not what was signed is shown as such, and told of', async () => {
  const { noteId } = await signedNote('Penicillin is safe')
  const { store, services } = { store: hospital.hospital.services.store, services: hospital.hospital.services }
  // Somebody with the keys changes the text behind the commands.
  await store.transact(services.system('documents', [BRANCHES.main]), { correlationId: randomUUID(), action: 'test.forge', module: 'documents' }, async (tx) => {
    const note = await tx.read('Composition', noteId)
    tx.write(JSON.parse(JSON.stringify(note).replace('Penicillin is safe', 'Penicillin is not safe')) as Composition)
  })
  expect((await doctor.call(listNotes, { patientId, limit: 50 })).notes.find(({ id }) => id === noteId)?.intact).toBe(false)
  const { note } = await doctor.call(getNote, { noteId })
  expect(note.intact).toBe(false)
  expect(await codeOf(doctor.call(addAddendum, { noteId, version: note.version, text: 'More' }))).toBe('DOCUMENTS_DAMAGED')
  const metrics = await (await fetch(`${hospital.url}/metrics`)).text()
  expect(metrics).toContain('carespine_notes_damaged 1')
})
