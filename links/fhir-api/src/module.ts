import { defineModule, type ModuleDefinition } from '@carespine/kit/module'
import type { BulkRouteSettings } from './bulk/bulk-routes.ts'
import { forgetBulkJobs } from './bulk/forget-bulk-jobs.ts'
import { forgetClaims } from './forget-claims.ts'
import { fhirRoutes, refusals } from './routes.ts'

/** The record as FHIR R4, for outside systems and for apps. */
export function createFhirApi(bulk: BulkRouteSettings): ModuleDefinition {
  return defineModule({
    name: 'fhir-api',
    migrations: new URL('../migrations/', import.meta.url),
    refusals,
    jobs: [forgetClaims, forgetBulkJobs],
    routes: (app, services) => fhirRoutes(app, services, bulk),
  })
}
