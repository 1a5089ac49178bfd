import type { Encounter, Stored } from '@carespine/fhir/resource'
import { tokenOf } from '@carespine/fhir/search-query'
import { query } from '@carespine/kit/module'
import { summaryOf as patientSummaryOf } from '@carespine/registration/patient-summary'
import type { ReadView } from '@carespine/store/contract'
import { can, type EncounterSummary, getEncounter, listEncounters } from './contract.ts'

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

async function withPatient(view: ReadView, encounter: EncounterSummary): Promise<EncounterSummary> {
  const patient = await view.find('Patient', encounter.patientId)
  if (!patient) return encounter
  const { name, nameArabic, mrn } = patientSummaryOf(patient)
  return { ...encounter, patientName: name, ...(nameArabic ? { patientNameArabic: nameArabic } : {}), ...(mrn ? { mrn } : {}) }
}

export const listEncountersQuery = query(listEncounters, async (input, { view, actor }) => {
  const { resources, next } = await view.page('Encounter', {
    ...(input.patientId === undefined ? {} : { patient: `Patient/${input.patientId}` }),
    ...(input.mine && actor.practitioner !== undefined ? { participant: `Practitioner/${actor.practitioner}` } : {}),
    ...(input.status === 'open' ? { status: can.complete.join(',') } : {}),
    _sort: '-date',
    _count: String(input.limit),
    ...(input.cursor === undefined ? {} : { _cursor: input.cursor }),
  })
  return {
    encounters: await Promise.all(resources.map((encounter) => withPatient(view, summaryOf(encounter)))),
    ...(next === undefined ? {} : { next }),
  }
})

export const getEncounterQuery = query(getEncounter, async ({ encounterId, visitNumber }, { view }) => {
  const encounter =
    encounterId !== undefined
      ? await view.find('Encounter', encounterId)
      : visitNumber
        ? (await view.search('Encounter', { identifier: tokenOf(visitNumber.system, visitNumber.value), _count: '1' }))[0]
        : undefined
  return encounter ? { encounter: await withPatient(view, summaryOf(encounter)) } : {}
})
