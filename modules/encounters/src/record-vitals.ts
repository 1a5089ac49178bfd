import { command, refuse } from '@carespine/kit/module'
import { can, recordVitals, VitalsRecorded } from './contract.ts'
import { draftVitals, implausible } from './vital-signs.ts'

export const recordVitalsCommand = command(recordVitals, async ({ encounterId, vitals, at }, { tx, actor, now }) => {
  const encounter = await tx.read('Encounter', encounterId)
  if (!can.recordVitals.includes(encounter.status)) refuse('ENCOUNTERS_CLOSED', { encounterId })
  if (Object.values(vitals).every((value) => value === undefined)) refuse('ENCOUNTERS_VITALS_EMPTY')
  const fields = implausible(vitals)
  if (fields.length > 0) refuse('ENCOUNTERS_VITAL_IMPLAUSIBLE', { fields })
  if (at !== undefined && Date.parse(at) > now.getTime() + 60_000) refuse('ENCOUNTERS_TIME_FUTURE', { field: 'at' })
  const patientId = encounter.subject?.reference?.replace('Patient/', '') ?? ''
  const observations = draftVitals(vitals, {
    patientId,
    encounterId,
    at: at ?? now.toISOString(),
    ...(actor.practitioner === undefined ? {} : { performer: actor.practitioner }),
  }).map((observation) => tx.write(observation))
  const observationIds = observations.map(({ id }) => id)
  const [first] = observations
  tx.emit(VitalsRecorded, { patientId, encounterId, observationIds }, { patient: patientId, ...(first ? { resource: first } : {}) })
  return { observationIds }
})
