import { resourceTypes } from '@carespine/fhir/definitions'
import type { CapabilityStatement, ResourceType } from '@carespine/fhir/resource'
import type { ParameterLookup } from '@carespine/fhir/search-parameters'
import { subscriptionTopics } from '@carespine/pack-core/topics'
import { BULK_DATA_SERVER } from './bulk/operation-definitions.ts'
import type { RestResource } from './interaction.ts'
import { interactions } from './interaction-table.ts'
import { JSON_PATCH } from './interactions/patch.ts'
import { operationsOn, operationsOnSystem } from './operations.ts'
import { commonSearchParams, searchCapabilities } from './search-capabilities.ts'
import { searchInteractions } from './search-routes.ts'

const served = [...interactions, ...searchInteractions]
const ofType = served.flatMap((one) => one.ofType ?? []).map((code) => ({ code }))
const ofSystem = served.flatMap((one) => one.ofSystem ?? []).map((code) => ({ code }))
const said: Partial<RestResource> = Object.assign({}, ...served.map(({ says }) => says))

const WEBSOCKET = 'http://hl7.org/fhir/StructureDefinition/capabilitystatement-websocket'
const TOPIC = 'http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/capabilitystatement-subscriptiontopic-canonical'
/** SMART App Launch 2.2, section 3.1.3. */
const OAUTH_URIS = 'http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris'
const PATH = '/fhir/R4'
const topics = subscriptionTopics.map(({ url }) => ({ url: TOPIC, valueCanonical: url }))

/** What this server can do, read off the same tables that do it. */
export function capabilityStatement(base: string, now: Date, parametersOf: ParameterLookup): CapabilityStatement {
  const search = searchCapabilities(parametersOf)
  return {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date: now.toISOString(),
    kind: 'instance',
    instantiates: [BULK_DATA_SERVER],
    software: { name: 'Carespine', version: '0.1.0' },
    implementation: { description: 'Carespine FHIR R4 API', url: base },
    fhirVersion: '4.0.1',
    format: ['application/fhir+json', 'application/fhir+xml'],
    patchFormat: [JSON_PATCH, 'application/fhir+json', 'application/fhir+xml'],
    rest: [
      {
        mode: 'server',
        security: {
          description: 'OAuth 2 bearer tokens: of apps by SMART App Launch, of clients by client credentials (/oauth2/token), or of a sign-in.',
          service: ['SMART-on-FHIR', 'OAuth'].map((code) => ({ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/restful-security-service', code }] })),
          extension: [{ url: OAUTH_URIS, extension: ['authorize', 'token', 'introspect', 'revoke'].map((url) => ({ url, valueUri: `${base.slice(0, -PATH.length)}/oauth2/${url}` })) }],
        },
        extension: [{ url: WEBSOCKET, valueUri: `${base.replace(/^http/, 'ws')}/subscriptions` }],
        interaction: ofSystem,
        searchParam: [...commonSearchParams],
        operation: operationsOnSystem(),
        resource: resourceTypes.map((type) => ({ ...resourceOf(type), ...search(type) })),
      },
    ],
  }
}

function resourceOf(type: ResourceType): RestResource {
  return {
    type: type as RestResource['type'],
    ...(type === 'Subscription' ? { extension: topics } : {}),
    ...said,
    interaction: ofType,
    ...some('operation', operationsOn(type)),
  }
}

// An array of FHIR is never empty: http://hl7.org/fhir/R4/json.html#primitive
function some<N extends string, T>(name: N, list: readonly T[]): Partial<Record<N, T[]>> {
  return list.length > 0 ? ({ [name]: [...list] } as Record<N, T[]>) : {}
}
