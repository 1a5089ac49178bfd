import { defineModule } from '@carespine/kit/module'
import { forgetClaims } from './forget-claims.ts'
import { fhirRoutes, refusals } from './routes.ts'

/** The record as FHIR R4, for outside systems and for apps. */
export const fhirApi = defineModule({ name: 'fhir-api', refusals, jobs: [forgetClaims], routes: fhirRoutes })
