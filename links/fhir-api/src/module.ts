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
    gauges: {
      help: {
        carespine_bulk_jobs_open: 'Bulk exports and imports that are not done',
        carespine_bulk_oldest_seconds: 'How long the oldest of them has been open',
        carespine_bulk_disk_bytes: 'What the files of bulk jobs take on the disk of the database',
      },
      async read({ view, now }) {
        const [row] = await view.sql<{ open: number; oldest: Date | null; bytes: string }>(
          "select count(*)::int as open, min(created_at) as oldest, pg_total_relation_size('bulk.chunk') as bytes from bulk.job where state in ('receiving', 'waiting', 'running')",
        )
        return {
          carespine_bulk_jobs_open: row?.open,
          carespine_bulk_oldest_seconds: row && (row.oldest === null ? 0 : (now.getTime() - row.oldest.getTime()) / 1000),
          carespine_bulk_disk_bytes: row && Number(row.bytes),
        }
      },
    },
    routes: (app, services) => fhirRoutes(app, services, bulk),
  })
}
