import type { Encounter, Stored } from '@carespine/fhir/resource'
import { wordsOf } from '@carespine/pack-core/bilingual'
import type { EncounterSummary } from './contract.ts'

/** What lists show of an encounter; names of people are added where the list needs them. */
export function summaryOf(encounter: Stored<Encounter>): EncounterSummary {
  const { period, reasonCode, participant } = encounter
  const reason = [reasonCode?.[0], encounter.type?.[0]].map(wordsOf).find(({ name }) => name !== undefined)
  const people = (participant ?? []).flatMap(({ individual }) => individual ?? [])
  const practitioner = people.find(({ reference }) => reference?.startsWith('Practitioner/')) ?? people[0]
  return {
    id: encounter.id,
    version: encounter.meta.versionId,
    patientId: encounter.subject?.reference?.replace('Patient/', '') ?? '',
    status: encounter.status,
    class: encounter.class.code ?? '',
    ...(reason?.name === undefined ? {} : { reason: reason.name }),
    ...(reason?.nameArabic === undefined ? {} : { reasonArabic: reason.nameArabic }),
    ...(period?.start === undefined ? {} : { start: period.start }),
    ...(period?.end === undefined ? {} : { end: period.end }),
    ...(!practitioner?.reference?.startsWith('Practitioner/') ? {} : { practitionerId: practitioner.reference.replace('Practitioner/', '') }),
    ...(practitioner?.display === undefined ? {} : { practitioner: practitioner.display }),
  }
}
