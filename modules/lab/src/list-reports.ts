import type { Observation } from '@carespine/fhir/resource'
import { query } from '@carespine/kit/module'
import { listReports } from './contract.ts'
import { RELEASED, reportSummaryOf, resultIdsOf } from './report-summary.ts'

export const listReportsQuery = query(listReports, async ({ patientId, limit, cursor }, { view }) => {
  const { resources, next } = await view.page('DiagnosticReport', {
    patient: `Patient/${patientId}`,
    status: RELEASED,
    _sort: '-date',
    _count: String(limit),
    ...(cursor === undefined ? {} : { _cursor: cursor }),
  })
  const found = await Promise.all(resources.flatMap(resultIdsOf).map((id) => view.find('Observation', id)))
  const results = new Map(found.flatMap((one): [string, Observation][] => (one ? [[one.id, one]] : [])))
  return { reports: resources.map((report) => reportSummaryOf(report, results)), ...(next === undefined ? {} : { next }) }
})
