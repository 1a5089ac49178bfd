import { tokenOf } from '@carespine/fhir/search-query'
import { practitionersWith } from '@carespine/identity/contract'
import { query } from '@carespine/kit/module'
import { summaryOf as patientSummaryOf } from '@carespine/registration/patient-summary'
import type { ReadView } from '@carespine/store/contract'
import { can, type EncounterSummary, getEncounter, listEncounters, listProviders } from './contract.ts'
import { summaryOf } from './encounter-summary.ts'
import { practitionerName } from './practitioner-summary.ts'

/** Adds who it is about and who answers for it. */
async function withPeople(view: ReadView, encounter: EncounterSummary): Promise<EncounterSummary> {
  const [patient, practitioner] = await Promise.all([
    view.find('Patient', encounter.patientId),
    encounter.practitionerId === undefined ? undefined : view.find('Practitioner', encounter.practitionerId),
  ])
  const called = practitioner && practitionerName(practitioner)
  const person = patient && patientSummaryOf(patient)
  return {
    ...encounter,
    ...(person ? { patientName: person.name, sex: person.sex } : {}),
    ...(person?.nameArabic ? { patientNameArabic: person.nameArabic } : {}),
    ...(person?.mrn ? { mrn: person.mrn } : {}),
    ...(person?.birthDate ? { birthDate: person.birthDate } : {}),
    ...(called ? { practitioner: called.name } : {}),
    ...(called?.nameArabic ? { practitionerArabic: called.nameArabic } : {}),
  }
}

export const listEncountersQuery = query(listEncounters, async (input, { view, actor }) => {
  // Who is no practitioner answers for nobody.
  if (input.whose === 'mine' && actor.practitioner === undefined) return { encounters: [] }
  const { resources, next } = await view.page('Encounter', {
    ...(input.patientId === undefined ? {} : { patient: `Patient/${input.patientId}` }),
    ...(input.whose === 'mine' ? { participant: `Practitioner/${actor.practitioner}` } : {}),
    ...(input.whose === 'unclaimed' ? { 'participant:missing': 'true' } : {}),
    ...(input.status === 'open' ? { status: can.complete.join(',') } : {}),
    _sort: '-date',
    _count: String(input.limit),
    ...(input.cursor === undefined ? {} : { _cursor: input.cursor }),
  })
  return {
    encounters: await Promise.all(resources.map((encounter) => withPeople(view, summaryOf(encounter)))),
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
  return encounter ? { encounter: await withPeople(view, summaryOf(encounter)) } : {}
})

export const listProvidersQuery = query(listProviders, async (_input, { view, actor, ask }) => {
  const { practitioners } = await ask(practitionersWith, { role: 'provider', branch: actor.branch })
  const found = await Promise.all(practitioners.map((id) => view.find('Practitioner', id)))
  const providers = found.flatMap((practitioner) => (practitioner ? [{ id: practitioner.id, ...practitionerName(practitioner) }] : []))
  return { providers: providers.sort((a, b) => a.name.localeCompare(b.name)) }
})
