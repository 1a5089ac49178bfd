import { EncounterCompleted, EncounterStarted } from '@carespine/encounters/contract'
import type { AllergyIntolerance, Resource, ResourceType, Stored } from '@carespine/fhir/resource'
import { isActive } from '@carespine/registration/allergy-summary'
import { AllergyAdded, AllergyRemoved, PatientCreated, PatientUpdated } from '@carespine/registration/contract'
import type { Transaction } from '@carespine/store/contract'

/** Types whose news depend on what they were before. */
const compared: readonly ResourceType[] = ['AllergyIntolerance', 'Encounter']

/** What a resource was before it is written, where the news about it depend on that. */
export async function readBefore(tx: Transaction, type: ResourceType, id: string): Promise<Stored<Resource> | undefined> {
  return compared.includes(type) ? ((await tx.find(type, id)) as Stored<Resource> | undefined) : undefined
}

function reasonOf({ verificationStatus, clinicalStatus }: AllergyIntolerance): string {
  const verification = verificationStatus?.coding?.[0]?.code
  return verification === 'refuted' || verification === 'entered-in-error' ? verification : (clinicalStatus?.coding?.[0]?.code ?? 'inactive')
}

/**
 * Tells of a patient, an allergy or a visit that came over the API what its module's commands would tell: it is news to
 * the same consumers.
 */
export function announce(tx: Transaction, stored: Stored<Resource>, was: { created: boolean; previous?: Stored<Resource> | undefined }): void {
  const about = { resource: stored }
  switch (stored.resourceType) {
    case 'Patient':
      tx.emit(was.created ? PatientCreated : PatientUpdated, { patientId: stored.id }, about)
      return
    case 'AllergyIntolerance': {
      const patientId = stored.patient.reference?.replace('Patient/', '')
      const counted = was.previous?.resourceType === 'AllergyIntolerance' && isActive(was.previous)
      if (!patientId || counted === isActive(stored)) return
      if (counted) tx.emit(AllergyRemoved, { patientId, allergyId: stored.id, reason: reasonOf(stored) }, about)
      else tx.emit(AllergyAdded, { patientId, allergyId: stored.id }, about)
      return
    }
    case 'Encounter': {
      const patientId = stored.subject?.reference?.replace('Patient/', '')
      const status = was.previous?.resourceType === 'Encounter' ? was.previous.status : undefined
      if (!patientId || status === stored.status) return
      const encounter = { patientId, encounterId: stored.id }
      if (stored.status === 'in-progress') tx.emit(EncounterStarted, encounter, about)
      // A visit that arrives as finished is history, not news.
      if (stored.status === 'finished' && status !== undefined) tx.emit(EncounterCompleted, encounter, about)
    }
  }
}

/** Deletes the version that was read, and tells of an allergy that no longer counts. Gives the version of the deletion. */
export function removeResource(tx: Transaction, resource: Stored<Resource>): string {
  tx.remove(resource)
  const version = String(Number(resource.meta.versionId) + 1)
  if (resource.resourceType !== 'AllergyIntolerance' || !isActive(resource)) return version
  const patientId = resource.patient.reference?.replace('Patient/', '')
  if (patientId) tx.emit(AllergyRemoved, { patientId, allergyId: resource.id, reason: 'deleted' }, { resource, patient: patientId })
  return version
}
