// What each role may do. `*` at the end covers what follows, between colons one resource type.
const readChart = ['registration.read', 'encounters.read', 'orders.read', 'lab.read', 'chart.read', 'fhir:*:read']
const notices = ['notifications.*']

const clinicalTypes = ['Observation', 'Condition', 'AllergyIntolerance', 'MedicationRequest', 'MedicationStatement', 'Encounter', 'Procedure', 'ServiceRequest', 'CarePlan', 'DocumentReference']

const permissions: Readonly<Record<string, readonly string[]>> = {
  hub: ['registration.*', 'encounters.*', 'orders.read', 'fhir:Patient:*', 'fhir:Encounter:read', ...notices],
  patient: ['chart.read', 'registration.read', 'lab.read', 'fhir:*:read', ...notices],
  provider: [...readChart, 'registration.write', 'encounters.*', 'orders.*', ...notices, ...clinicalTypes.map((type) => `fhir:${type}:write`)],
  nurse: [...readChart, 'encounters.*', 'registration.write', 'lab.collect', ...notices, 'fhir:Observation:write'],
  lab: ['registration.read', 'encounters.read', 'orders.read', 'lab.*', 'hl7v2.*', 'fhir:*:read', ...notices],
  pharmacy: [...readChart, ...notices],
  radiology: [...readChart, ...notices],
  billing: ['registration.read', 'encounters.read', 'fhir:Patient:read', 'fhir:Encounter:read', 'fhir:Coverage:*', ...notices],
  admin: ['identity.manage', 'audit.read', 'registration.read', 'chart.rebuild', 'system.health', ...notices],
  it: ['hl7v2.*', 'system.*', 'audit.read', 'chart.rebuild', ...notices],
  system: ['*'],
  // Of clients that watch the server from another machine.
  monitor: ['system.metrics'],
}

/** Permissions of somebody with these roles. */
export function permissionsOf(roles: readonly string[]): readonly string[] {
  return [...new Set(roles.flatMap((role) => permissions[role] ?? []))]
}
