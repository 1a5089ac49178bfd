import { command, refuse } from '@carespine/kit/module'
import { can, completeEncounter, EncounterCompleted } from './contract.ts'

export const completeEncounterCommand = command(completeEncounter, async ({ encounterId, end }, { tx, actor, now }) => {
  const encounter = await tx.read('Encounter', encounterId)
  if (!can.complete.includes(encounter.status)) refuse('ENCOUNTERS_CLOSED', { encounterId })
  const ended = end ?? now.toISOString()
  if (Date.parse(ended) > now.getTime() + 60_000) refuse('ENCOUNTERS_TIME_FUTURE', { field: 'end' })
  if (encounter.period?.start !== undefined && Date.parse(ended) < Date.parse(encounter.period.start)) {
    refuse('ENCOUNTERS_END_BEFORE_START', { field: 'end' })
  }
  const finished = tx.write({ ...encounter, status: 'finished', period: { ...encounter.period, end: ended } })
  const patientId = encounter.subject?.reference?.replace('Patient/', '') ?? ''
  tx.emit(EncounterCompleted, { patientId, encounterId }, { resource: finished })
  tx.signal({ room: `branch:${actor.branch}`, name: 'encounters' })
  return { encounterId, version: finished.meta.versionId }
})
