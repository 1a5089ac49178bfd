import { elementsOf } from './definitions.ts'
import type { Resource, ResourceType } from './resource.ts'
import type { SearchParameterDefinition } from './search-parameters.ts'

// Elements that name the patient a resource is about, most specific first. Wider than the R4 patient compartment: it
// also covers Task.for and the like, because what is about a patient is patient data.
const PATIENT_ELEMENTS = ['subject', 'patient', 'beneficiary', 'for', 'individual', 'source', 'author']

const LOCAL_REFERENCE = /^([A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/[A-Za-z0-9\-.]+)?$/

function localId(reference: unknown, type: string): string | undefined {
  if (Array.isArray(reference)) {
    for (const one of reference) {
      const id = localId(one, type)
      if (id !== undefined) return id
    }
    return undefined
  }
  const text = (reference as { reference?: unknown } | undefined)?.reference
  if (typeof text !== 'string') return undefined
  const match = LOCAL_REFERENCE.exec(text)
  return match?.[1] === type ? match[2] : undefined
}

/** Id of the patient that a resource is about; its own for a Patient. Undefined when it is about none. */
export function patientReferenceOf(resource: Resource): string | undefined {
  if (resource.resourceType === 'Patient') return resource.id
  // A document, or what was gathered: about whom its first part is that is about somebody.
  if (resource.resourceType === 'Bundle') {
    for (const { resource: part } of resource.entry ?? []) {
      const id = part && patientReferenceOf(part)
      if (id !== undefined) return id
    }
    return undefined
  }
  const elements = resource as unknown as Record<string, unknown>
  for (const name of PATIENT_ELEMENTS) {
    const id = localId(elements[name], 'Patient')
    if (id !== undefined) return id
  }
  // Appointment, AppointmentResponse, Group-like participants
  const participants = [elements.participant, elements.actor].flat() as ({ actor?: unknown } | undefined)[]
  for (const participant of participants) {
    const id = localId(participant?.actor ?? participant, 'Patient')
    if (id !== undefined) return id
  }
  return undefined
}

/** Id of the encounter in which a resource came to be. */
export function encounterReferenceOf(resource: Resource): string | undefined {
  const { encounter, context } = resource as unknown as { encounter?: unknown; context?: { encounter?: unknown } }
  return localId(encounter, 'Encounter') ?? localId(context, 'Encounter') ?? localId(context?.encounter, 'Encounter')
}

/**
 * What a reference parameter has to do with the patient and the encounter that a row is filed under. `same`: whoever
 * it names is exactly that one. `narrower`: a patient or encounter it names is that one, but not the other way round.
 */
export function filedUnder(type: ResourceType, { paths }: SearchParameterDefinition): { column: 'patient' | 'encounter'; how: 'same' | 'narrower' } | undefined {
  const [path, ...others] = paths
  const [name] = path?.steps ?? []
  if (!path || others.length > 0 || path.steps.length !== 1 || typeof name !== 'string' || path.many) return undefined
  const elements = elementsOf(type) ?? {}
  const leadsTo = (element: string, target: ResourceType): boolean => {
    const known = elements[element]
    return known !== undefined && (known.r === undefined ? known.t.includes('Reference') : known.r.includes(target))
  }
  const patients = PATIENT_ELEMENTS.filter((element) => leadsTo(element, 'Patient'))
  if (name === patients[0] && (path.target ?? 'Patient') === 'Patient') {
    return { column: 'patient', how: patients.length === 1 && !elements.participant && !elements.actor ? 'same' : 'narrower' }
  }
  if (name === 'encounter' && (path.target ?? 'Encounter') === 'Encounter') return { column: 'encounter', how: elements.context ? 'narrower' : 'same' }
  return undefined
}

const shared: ReadonlySet<ResourceType> = new Set<ResourceType>([
  ...(['Patient', 'RelatedPerson', 'Person', 'Practitioner', 'PractitionerRole', 'Organization'] as const),
  ...(['OrganizationAffiliation', 'Location', 'HealthcareService', 'Endpoint', 'Device', 'DeviceDefinition'] as const),
  ...(['Medication', 'MedicationKnowledge', 'Substance', 'CatalogEntry', 'InsurancePlan'] as const),
  ...(['ValueSet', 'CodeSystem', 'ConceptMap', 'NamingSystem', 'StructureDefinition', 'StructureMap'] as const),
  ...(['SearchParameter', 'OperationDefinition', 'CapabilityStatement', 'CompartmentDefinition'] as const),
  ...(['ImplementationGuide', 'GraphDefinition', 'MessageDefinition', 'ExampleScenario', 'Questionnaire'] as const),
  ...(['ActivityDefinition', 'PlanDefinition', 'ObservationDefinition', 'SpecimenDefinition', 'Library'] as const),
  ...(['Measure', 'ChargeItemDefinition', 'EventDefinition', 'TerminologyCapabilities'] as const),
])

/** True for what every branch shares: demographics, staff, places, products and definitions. */
export function isSharedType(type: ResourceType): boolean {
  return shared.has(type)
}
