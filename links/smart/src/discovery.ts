import type { FastifyInstance } from 'fastify'
import { type Desk, FHIR_PATH } from './desk.ts'
import { CONTEXT_SCOPES } from './scopes.ts'

const SCOPES = [...CONTEXT_SCOPES, ...['patient', 'user', 'system'].flatMap((level) => [`${level}/*.cruds`, `${level}/*.rs`, `${level}/*.read`, `${level}/*.write`])]

/** What clients learn before they ask: SMART App Launch 2.2, section 3; OpenID Connect Discovery 1.0; RFC 8414. */
export function discoveryRoutes(app: FastifyInstance, desk: Desk): void {
  const open = (summary: string) => ({ config: { allow: 'anyone' }, schema: { tags: ['smart'], summary } })
  app.get(`${FHIR_PATH}/.well-known/smart-configuration`, open('What apps can do here'), async (request) => {
    const issuer = desk.issuerFor(request)
    return {
      ...common(issuer),
      management_endpoint: `${issuer}/apps`,
      capabilities: [
        'launch-ehr',
        'launch-standalone',
        'authorize-post',
        'client-public',
        'client-confidential-symmetric',
        'client-confidential-asymmetric',
        'sso-openid-connect',
        'context-banner',
        'context-ehr-patient',
        'context-ehr-encounter',
        'context-standalone-patient',
        'permission-offline',
        'permission-online',
        'permission-patient',
        'permission-user',
        'permission-v1',
        'permission-v2',
      ],
    }
  })
  const provider = async (request: Parameters<Desk['issuerFor']>[0]) => ({
    ...common(desk.issuerFor(request)),
    response_modes_supported: ['query'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
    claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'auth_time', 'nonce', 'fhirUser'],
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    claims_parameter_supported: false,
  })
  app.get('/.well-known/openid-configuration', open('What OpenID Connect clients can do here'), provider)
  app.get('/.well-known/oauth-authorization-server', open('What OAuth 2 clients can do here'), provider)
}

function common(issuer: string) {
  return {
    issuer,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    authorization_endpoint: `${issuer}/oauth2/authorize`,
    token_endpoint: `${issuer}/oauth2/token`,
    introspection_endpoint: `${issuer}/oauth2/introspect`,
    revocation_endpoint: `${issuer}/oauth2/revoke`,
    grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
    response_types_supported: ['code'],
    scopes_supported: SCOPES,
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    token_endpoint_auth_signing_alg_values_supported: ['RS384', 'ES384'],
    introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    authorization_response_iss_parameter_supported: true,
  }
}
