import { defineModule } from '@carespine/kit/module'
import { fhirRoutes, refusals } from './routes.ts'

/** The record as FHIR R4, for outside systems and for apps. */
export const fhirApi = defineModule({ name: 'fhir-api', refusals, routes: fhirRoutes })
