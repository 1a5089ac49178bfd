import { completeEncounter, getEncounter, startEncounter } from '@carespine/encounters/contract'
import { type Reaction, reaction, Refusal } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import { receiveResult } from '@carespine/lab/contract'
import { findByIdentifier, MRN_SYSTEM, type PatientSummary, registerPatient, updatePatient } from '@carespine/registration/contract'
import { type Actor, SHARED_BRANCH } from '@carespine/store/contract'
import { MessageReceived } from './contract.ts'
import { mapMessage } from './map-message.ts'
import { type Message, parseMessage } from './message.ts'
import { type Admission, type PatientId, type Person, registrationOf } from './read-admission.ts'
import type { ResultGroup } from './read-results.ts'
import { ZONE } from './receive-message.ts'

/** What a person decided about a message that did not match by itself. */
interface Resolution {
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

/** Refusals that pass by themselves, so that it is tried again; any other one is for a person to look at. */
const passing = /^(STORE_|RECORD_BUSY|RECORD_MOVED_ON|RECORD_VERSION_CONFLICT|IDEMPOTENCY_|EVENT_)/

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
        if (message) await apply(link, message, row.id)
      } catch (error) {
        if (error instanceof Unmatched) reason = error.reason
        else if (error instanceof Refusal && !passing.test(error.code)) reason = error.code
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

async function apply(link: Link, message: Message, id: string): Promise<void> {
  const read = mapMessage(message, ZONE)
  if ('faults' in read) throw new Unmatched('HL7V2_CONTENT')
  if (read.mapped.kind === 'admission') await admit(link, read.mapped.admission, message, id)
  else {
    const { groups } = read.mapped
    for (const [at, group] of groups.entries()) if (!group.isCancelled) await takeResults(link, message, group, `${id}/${at}`)
    // Whoever ordered must know, and may have to take another specimen: that is for the laboratory to say.
    if (groups.some(({ isCancelled }) => isCancelled)) throw new Unmatched('HL7V2_ORDER_CANCELLED')
  }
}

/**
 * The patient whom the identifiers name, unless a person said who it is. A message whose identifiers name two patients,
 * or one of another name and another birth date, is for a person to look at.
 */
async function findPatient(link: Link, identifiers: readonly PatientId[], person: Person): Promise<string | undefined> {
  const { services, actor, correlationId, resolution } = link
  if (resolution.patientId !== undefined) return resolution.patientId
  let found: PatientSummary | undefined
  for (const identifier of identifiers) {
    const { patient } = await services.perform(findByIdentifier, identifier, actor, { correlationId })
    if (patient && found && patient.id !== found.id) throw new Unmatched('HL7V2_PATIENT_AMBIGUOUS')
    found ??= patient
  }
  if (found && isSomebodyElse(found, person)) throw new Unmatched('HL7V2_PATIENT_DIFFERS')
  return found?.id
}

function isSomebodyElse({ name, nameArabic = '', birthDate }: PatientSummary, person: Person): boolean {
  if (person.birthDate === undefined || birthDate === undefined || person.birthDate === birthDate) return false
  const plain = (text: string): string => text.toLowerCase().normalize('NFKD').replace(/[^\p{L}\p{N}]/gu, '')
  const known = plain(name) + plain(nameArabic)
  return person.families.length > 0 && !person.families.some((family) => known.includes(plain(family)))
}

async function admit(link: Link, admission: Admission, message: Message, messageId: string): Promise<void> {
  const { services, actor, correlationId } = link
  const origin = { correlationId }
  const isDischarge = admission.event === 'A03'
  let patientId = await findPatient(link, admission.identifiers, admission.person)
  if (patientId === undefined) {
    // An MRN of ours that nobody carries is a mistake, not a new patient; and nobody leaves who never came.
    if (isDischarge || admission.identifiers.every(({ system }) => system === MRN_SYSTEM)) throw new Unmatched('HL7V2_PATIENT_UNKNOWN')
    const form = registrationOf(admission, message.sender)
    if (!form) throw new Unmatched('HL7V2_DEMOGRAPHICS_MISSING')
    patientId = (await services.perform(registerPatient, form, actor, origin)).patientId
  } else if (!isDischarge) {
    const changes = { ...admission.changes, patientId }
    // A process that hung on this message and wakes up must not put it over later ones that another process applied.
    await services.perform(updatePatient, changes, actor, origin, { idempotencyKey: `hl7v2/${messageId}/${patientId}` })
  }
  // To say that a discharge is done when nobody knows of which visit would leave the bed taken.
  if (isDischarge && !admission.visit) throw new Unmatched('HL7V2_VISIT_UNKNOWN')
  if (!admission.visit || admission.event === 'A08') return
  const { encounter } = await services.perform(getEncounter, { visitNumber: admission.visit }, actor, origin)
  // Visit numbers come round again: ending or joining another patient's stay would be worse than asking.
  if (encounter && encounter.patientId !== patientId) throw new Unmatched('HL7V2_VISIT_OTHER_PATIENT')
  if (isDischarge) {
    if (!encounter) throw new Unmatched('HL7V2_VISIT_UNKNOWN')
    if (encounter.status === 'finished') return
    await services.perform(completeEncounter, { encounterId: encounter.id, ...(admission.end ? { end: admission.end } : {}) }, actor, origin)
  } else if (!encounter) {
    const { visit, start } = admission
    await services.perform(startEncounter, { patientId, class: admission.class, visitNumber: visit, ...(start ? { start } : {}) }, actor, origin)
  }
}

async function takeResults(link: Link, message: Message, group: ResultGroup, reference: string): Promise<void> {
  const { services, actor, correlationId, codes, resolution } = link
  const items = group.items.map(({ isLoinc, ...item }) => {
    const loinc = isLoinc ? item.code : codes.get(item.code)
    if (loinc === undefined) throw new Unmatched('HL7V2_CODE_UNKNOWN')
    return { ...item, code: loinc }
  })
  const patientId = await findPatient(link, group.identifiers, group.person)
  if (patientId === undefined && group.identifiers.length > 0) throw new Unmatched('HL7V2_PATIENT_UNKNOWN')
  await services.perform(
    receiveResult,
    {
      source: { system: message.sender.slice(0, 120), reference },
      ...(resolution.orderId === undefined ? {} : { orderId: resolution.orderId }),
      ...(group.accession === undefined ? {} : { accession: group.accession }),
      // Somebody who says whom it is about, and no order, has seen that the order number is not one of ours.
      ...(group.orderNumber === undefined || resolution.patientId !== undefined ? {} : { orderNumber: group.orderNumber }),
      ...(patientId === undefined ? {} : { patientId }),
      ...(group.panel === undefined ? {} : { panel: group.panel }),
      ...(group.observedAt === undefined ? {} : { observedAt: group.observedAt }),
      ...(group.comment === undefined ? {} : { comment: group.comment }),
      performer: message.header.get(3).slice(0, 120) || 'Analyser',
      items,
    },
    actor,
    { correlationId },
  )
}
