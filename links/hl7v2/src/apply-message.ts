import { completeEncounter, getEncounter, startEncounter } from '@carespine/encounters/contract'
import { type Reaction, reaction, Refusal } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import { receiveResult } from '@carespine/lab/contract'
import { findByIdentifier, MRN_SYSTEM, registerPatient, updatePatient } from '@carespine/registration/contract'
import { type Actor, SHARED_BRANCH } from '@carespine/store/contract'
import { MessageReceived } from './contract.ts'
import { type Admission, mapMessage, type PatientId, type ResultGroup } from './map-message.ts'
import { type Message, parseMessage } from './message.ts'
import { ZONE } from './receive-message.ts'

/** What a person decided about a message that did not match by itself. */
export interface Resolution {
  patientId?: string
  orderId?: string
}

interface Row {
  id: string
  sender: string
  control_id: string
  status: string
  raw: Buffer
  resolution: Buffer | null
}

/** A message cannot be applied as it is: it goes to the work list under this reason. */
class Unmatched extends Error {
  readonly reason: string
  constructor(reason: string) {
    super(reason)
    this.reason = reason
  }
}

/** Reasons of other modules that a person can resolve; anything else is tried again. */
const resolvable = /^(LAB_|REGISTRATION_|ENCOUNTERS_|RECORD_NOT_FOUND|INPUT_INVALID)/

/**
 * Applies a message that was taken, through the same commands as a person's typing. Each of them is safe to repeat, so
 * a crash between their commit and this one's changes nothing.
 */
export function onMessageReceived(services: () => Services): Reaction {
  return reaction({
    name: 'hl7v2.on-message-received',
    on: MessageReceived,
    async run({ data, branch, correlationId }, { tx, now }) {
      const [row] = await tx.sql<Row>(
        'select id, sender, control_id, status, raw, resolution from hl7v2.message where id = $1',
        [data.messageId],
      )
      if (!row || (row.status !== 'received' && row.status !== 'unmatched')) return
      const message = parseMessage(tx.open(row.raw))
      const resolution = row.resolution ? (JSON.parse(tx.open(row.resolution)) as Resolution) : {}
      const codes = await tx.sql<{ code: string; loinc: string }>('select code, loinc from hl7v2.code_map where sender = $1', [row.sender])
      const link: Link = {
        services: services(),
        actor: services().system('hl7v2', [branch, SHARED_BRANCH]),
        correlationId,
        codes: new Map(codes.map(({ code, loinc }) => [code, loinc])),
        resolution,
      }
      let reason: string | undefined
      try {
        if (message) await apply(link, message)
      } catch (error) {
        if (error instanceof Unmatched) reason = error.reason
        else if (error instanceof Refusal && resolvable.test(error.code)) reason = error.code
        else throw error
      }
      await tx.sql('update hl7v2.message set status = $2, reason = $3, applied_at = $4 where id = $1', [
        row.id,
        reason === undefined ? 'applied' : 'unmatched',
        reason ?? null,
        reason === undefined ? now : null,
      ])
      if (reason !== undefined) tx.signal({ room: `branch:${branch}`, name: 'hl7v2-unmatched' })
    },
  })
}

interface Link {
  services: Services
  actor: Actor
  correlationId: string
  codes: ReadonlyMap<string, string>
  resolution: Resolution
}

async function apply(link: Link, message: Message): Promise<void> {
  const read = mapMessage(message, ZONE)
  if ('faults' in read) throw new Unmatched('HL7V2_CONTENT')
  if (read.mapped.kind === 'admission') await admit(link, read.mapped.admission)
  else for (const [at, group] of read.mapped.groups.entries()) await takeResults(link, message, group, at)
}

async function findPatient({ services, actor, correlationId, resolution }: Link, identifiers: readonly PatientId[]): Promise<string | undefined> {
  if (resolution.patientId !== undefined) return resolution.patientId
  for (const identifier of identifiers) {
    const { patient } = await services.perform(findByIdentifier, identifier, actor, { correlationId })
    if (patient) return patient.id
  }
  return undefined
}

async function admit(link: Link, admission: Admission): Promise<void> {
  const { services, actor, correlationId } = link
  const origin = { correlationId }
  let patientId = await findPatient(link, admission.identifiers)
  if (patientId === undefined) {
    // An MRN of ours that nobody carries is a mistake, not a new patient.
    if (admission.identifiers.every(({ system }) => system === MRN_SYSTEM)) throw new Unmatched('HL7V2_PATIENT_UNKNOWN')
    patientId = (await services.perform(registerPatient, admission.form, actor, origin)).patientId
  } else if (admission.event !== 'A03') {
    const { trustedSource: _source, notDuplicateOf: _others, ...form } = admission.form
    await services.perform(updatePatient, { ...form, patientId }, actor, origin)
  }
  if (!admission.visit || admission.event === 'A08') return
  const { encounter } = await services.perform(getEncounter, { visitNumber: admission.visit }, actor, origin)
  if (admission.event === 'A03') {
    if (!encounter) throw new Unmatched('HL7V2_VISIT_UNKNOWN')
    if (encounter.status === 'finished') return
    await services.perform(completeEncounter, { encounterId: encounter.id, ...(admission.end ? { end: admission.end } : {}) }, actor, origin)
  } else if (!encounter) {
    const { visit, start } = admission
    await services.perform(startEncounter, { patientId, class: admission.class, visitNumber: visit, ...(start ? { start } : {}) }, actor, origin)
  }
}

async function takeResults(link: Link, message: Message, group: ResultGroup, at: number): Promise<void> {
  const { services, actor, correlationId, codes, resolution } = link
  const items = group.items.map(({ isLoinc, ...item }) => {
    const loinc = isLoinc ? item.code : codes.get(item.code)
    if (loinc === undefined) throw new Unmatched('HL7V2_CODE_UNKNOWN')
    return { ...item, code: loinc }
  })
  const patientId = await findPatient(link, group.identifiers)
  if (patientId === undefined && group.identifiers.length > 0) throw new Unmatched('HL7V2_PATIENT_UNKNOWN')
  await services.perform(
    receiveResult,
    {
      source: { system: message.sender.slice(0, 120), reference: `${message.controlId}/${at}` },
      ...(resolution.orderId === undefined ? {} : { orderId: resolution.orderId }),
      ...(group.accession === undefined ? {} : { accession: group.accession }),
      ...(group.orderNumber === undefined ? {} : { orderNumber: group.orderNumber }),
      ...(patientId === undefined ? {} : { patientId }),
      ...(group.panel === undefined ? {} : { panel: group.panel }),
      status: group.status,
      ...(group.observedAt === undefined ? {} : { observedAt: group.observedAt }),
      performer: message.header.get(3).slice(0, 120) || 'Analyser',
      items,
    },
    actor,
    { correlationId },
  )
}
