import type { Encounter } from '@carespine/fhir/resource'
import { tokenOf } from '@carespine/fhir/search-query'
import type { z } from '@carespine/kit/contract'
import { command, refuse } from '@carespine/kit/module'
import type { Actor } from '@carespine/store/contract'
import { conceptOfReason, visitReasonByCode } from '@carespine/pack-core/visit-reasons'
import { EncounterStarted, startEncounter } from './contract.ts'

const ACT_CODE = 'http://terminology.hl7.org/CodeSystem/v3-ActCode'

function draftEncounter(input: z.output<typeof startEncounter.input>, actor: Actor, start: string): Encounter {
  // A clerk who starts a visit does not answer for it: results are not sent to the desk.
  const answers = actor.practitioner !== undefined && actor.roles.includes('provider')
  const practitioners = input.practitioners ?? (answers ? [actor.practitioner ?? ''] : [])
  return {
    resourceType: 'Encounter',
    status: 'in-progress',
    class: { system: ACT_CODE, code: input.class },
    subject: { reference: `Patient/${input.patientId}` },
    period: { start },
    ...(practitioners.length > 0
      ? { participant: practitioners.map((id) => ({ individual: { reference: `Practitioner/${id}` } })) }
      : {}),
    ...reasonOf(input),
    ...(input.visitNumber === undefined ? {} : { identifier: [input.visitNumber] }),
  }
}

function reasonOf({ reasonCode, reason }: z.output<typeof startEncounter.input>): Pick<Encounter, 'reasonCode'> {
  if (reasonCode !== undefined) {
    const known = visitReasonByCode(reasonCode) ?? refuse('ENCOUNTERS_REASON_UNKNOWN', { field: 'reasonCode' })
    return { reasonCode: [conceptOfReason(known), ...(reason ? [{ text: reason }] : [])] }
  }
  return reason ? { reasonCode: [{ text: reason }] } : {}
}

export const startEncounterCommand = command(startEncounter, async (input, { tx, actor, now }) => {
  await tx.read('Patient', input.patientId)
  if (input.start !== undefined && Date.parse(input.start) > now.getTime() + 60_000) {
    refuse('ENCOUNTERS_TIME_FUTURE', { field: 'start' })
  }
  for (const practitioner of input.practitioners ?? []) {
    if (!(await tx.find('Practitioner', practitioner))) refuse('ENCOUNTERS_PROVIDER_UNKNOWN', { field: 'practitioners' })
  }
  if (input.visitNumber) {
    const { system, value } = input.visitNumber
    const known = await tx.search('Encounter', { identifier: tokenOf(system, value), _count: '1' })
    if (known[0]) refuse('ENCOUNTERS_VISIT_KNOWN', { encounterId: known[0].id })
  }
  const encounter = tx.write(draftEncounter(input, actor, input.start ?? now.toISOString()))
  tx.emit(EncounterStarted, { patientId: input.patientId, encounterId: encounter.id }, { resource: encounter })
  tx.signal({ room: `branch:${actor.branch}`, name: 'encounters' })
  return { encounterId: encounter.id }
})
