import { resourceTypes } from '@carespine/fhir/definitions'
import type { CapabilityStatement } from '@carespine/fhir/resource'
import { searchParametersOf } from '@carespine/fhir/search-parameters'
import { operationsOn, operationsOnSystem } from './operations.ts'

/** What this server can do, read off the same tables that do it. */
export function capabilityStatement(base: string, now: Date): CapabilityStatement {
  return {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date: now.toISOString(),
    kind: 'instance',
    software: { name: 'Carespine', version: '0.1.0' },
    implementation: { description: 'Carespine FHIR R4 API', url: base },
    fhirVersion: '4.0.1',
    format: ['application/fhir+json'],
    rest: [
      {
        mode: 'server',
        security: {
          description: 'OAuth 2 bearer tokens from /oauth2/token (client credentials) or from sign-in.',
          service: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/restful-security-service', code: 'OAuth' }] }],
        },
        interaction: [{ code: 'transaction' }, { code: 'batch' }],
        operation: operationsOnSystem(),
        resource: resourceTypes.map((type) => ({
          type: type as NonNullable<NonNullable<CapabilityStatement['rest']>[number]['resource']>[number]['type'],
          versioning: 'versioned-update',
          readHistory: true,
          updateCreate: true,
          conditionalCreate: false,
          interaction: (['read', 'vread', 'update', 'delete', 'history-instance', 'create', 'search-type'] as const).map((code) => ({ code })),
          searchParam: [...searchParametersOf(type).values()].map(({ code, type: kind }) => ({ name: code, type: kind })),
          operation: operationsOn(type),
        })),
      },
    ],
  }
}
