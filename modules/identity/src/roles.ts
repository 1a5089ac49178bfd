// What each role may do. `*` at the end covers what follows, between colons one resource type.
const readChart = ['registration.read', 'encounters.read', 'orders.read', 'lab.read', 'chart.read', 'documents.read', 'fhir:*:read']
/** For everybody who works or is treated here. */
const everyone = ['notifications.*', 'terminology.read']

const clinicalTypes = ['Observation', 'Condition', 'AllergyIntolerance', 'MedicationRequest', 'MedicationStatement', 'Encounter', 'Procedure', 'ServiceRequest', 'CarePlan', 'DocumentReference']

const permissions: Readonly<Record<string, readonly string[]>> = {
  hub: ['registration.*', 'access.consent', 'encounters.*', 'orders.read', 'fhir:Patient:*', 'fhir:Encounter:read', ...everyone],
  patient: ['chart.read', 'registration.read', 'lab.read', 'fhir:*:read', ...everyone],
  provider: [...readChart, 'access.break-glass', 'access.consent', 'registration.write', 'encounters.*', 'orders.*', 'documents.*', ...everyone, ...clinicalTypes.map((type) => `fhir:${type}:write`)],
  nurse: [...readChart, 'access.break-glass', 'encounters.*', 'registration.write', 'lab.collect', 'documents.*', ...everyone, 'fhir:Observation:write'],
  lab: ['registration.read', 'encounters.read', 'orders.read', 'lab.*', 'hl7v2.*', 'fhir:*:read', ...everyone],
  pharmacy: [...readChart, ...everyone],
  radiology: [...readChart, ...everyone],
  billing: ['registration.read', 'encounters.read', 'fhir:Patient:read', 'fhir:Encounter:read', 'fhir:Coverage:*', ...everyone],
  admin: ['identity.manage', 'identity.ward-computers', 'access.manage', 'access.review', 'audit.read', 'registration.read', 'chart.rebuild', 'system.health', ...everyone],
  it: ['identity.ward-computers', 'hl7v2.*', 'system.*', 'audit.read', 'chart.rebuild', ...everyone],
  system: ['*'],
  // Of clients that watch the server from another machine.
  monitor: ['system.metrics'],
}

/** Permissions of somebody with these roles. */
export function permissionsOf(roles: readonly string[]): readonly string[] {
  return [...new Set(roles.flatMap((role) => permissions[role] ?? []))]
}
