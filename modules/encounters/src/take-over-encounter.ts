import { command, refuse } from '@carespine/kit/module'
import { can, EncounterTakenOver, takeOverEncounter } from './contract.ts'
import { summaryOf } from './encounter-summary.ts'

export const takeOverEncounterCommand = command(takeOverEncounter, async ({ encounterId }, { tx, actor }) => {
  const { practitioner } = actor
  if (practitioner === undefined || !actor.roles.includes('provider')) return refuse('ENCOUNTERS_PROVIDER_NEEDED')
  const encounter = await tx.read('Encounter', encounterId)
  if (!can.complete.includes(encounter.status)) refuse('ENCOUNTERS_CLOSED', { encounterId })
  const { practitionerId, patientId } = summaryOf(encounter)
  if (practitionerId === practitioner) return { encounterId, version: encounter.meta.versionId }
  // Two may want it at once; whoever comes second learns who was first.
  if (practitionerId !== undefined) refuse('ENCOUNTERS_TAKEN', { practitionerId })
  const taken = tx.write({
    ...encounter,
    participant: [...(encounter.participant ?? []), { individual: { reference: `Practitioner/${practitioner}` } }],
  })
  tx.emit(EncounterTakenOver, { patientId, encounterId, practitionerId: practitioner }, { resource: taken })
  tx.signal({ room: `branch:${actor.branch}`, name: 'encounters' })
  return { encounterId, version: taken.meta.versionId }
})
