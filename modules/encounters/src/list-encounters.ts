import { tokenOf } from '@carespine/fhir/search-query'
import { query } from '@carespine/kit/module'
import { summaryOf as patientSummaryOf } from '@carespine/registration/patient-summary'
import type { ReadView } from '@carespine/store/contract'
import { can, type EncounterSummary, getEncounter, listEncounters } from './contract.ts'
import { summaryOf } from './encounter-summary.ts'

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
