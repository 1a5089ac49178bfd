import type { Encounter, Stored } from '@carespine/fhir/resource'
import type { EncounterSummary } from './contract.ts'

/** What lists show of an encounter; the patient's name is added where the list needs it. */
export function summaryOf(encounter: Stored<Encounter>): EncounterSummary {
  const { period, reasonCode, participant } = encounter
  const reason = reasonCode?.[0]?.text ?? reasonCode?.[0]?.coding?.[0]?.display ?? encounter.type?.[0]?.text ?? encounter.type?.[0]?.coding?.[0]?.display
  const practitioner = participant?.find(({ individual }) => individual)?.individual
  return {
    id: encounter.id,
    version: encounter.meta.versionId,
    patientId: encounter.subject?.reference?.replace('Patient/', '') ?? '',
    status: encounter.status,
    class: encounter.class.code ?? '',
    ...(reason === undefined ? {} : { reason }),
    ...(period?.start === undefined ? {} : { start: period.start }),
    ...(period?.end === undefined ? {} : { end: period.end }),
    ...(practitioner?.reference === undefined ? {} : { practitioner: practitioner.display ?? practitioner.reference.replace('Practitioner/', '') }),
  }
}
