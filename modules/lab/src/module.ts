import type { DiagnosticReport, Observation, Resource, Specimen, Task } from '@carespine/fhir/resource'
import { defineModule } from '@carespine/kit/module'
import { collectSpecimenCommand, receiveSpecimenCommand } from './collect-specimen.ts'
import { ACCESSION_SYSTEM, LabCriticalAlert, LabResultAvailable, LabResultViewed, refusals } from './contract.ts'
import { enterResultsCommand, getResultFormQuery } from './enter-results.ts'
import { listReportsQuery } from './list-reports.ts'
import { onOrderCancelled, onOrderCreated } from './on-order-events.ts'
import { getReportQuery, recordCallBackCommand, viewResultCommand } from './read-report.ts'
import { receiveResultCommand } from './receive-result.ts'
import { amendResultCommand, releaseResultCommand } from './release-result.ts'
import { RESULT_SYSTEM } from './result-values.ts'
import { getLabelQuery, getWorklistQuery } from './worklist.ts'

const isOurs = (resource: Resource): boolean =>
  ((resource as DiagnosticReport | Observation).identifier ?? []).some(({ system }) => system === RESULT_SYSTEM)

/** The laboratory: specimens, results, release, critical call-back. */
export const lab = defineModule({
  name: 'lab',
  migrations: new URL('../migrations/', import.meta.url),
  owns: [
    { type: 'DiagnosticReport', when: isOurs, instead: 'POST /api/lab/release or /api/lab/amend' },
    { type: 'Observation', when: isOurs, instead: 'POST /api/lab/enter-results or /api/lab/amend' },
    {
      type: 'Specimen',
      when: (resource) => (resource as Specimen).accessionIdentifier?.system === ACCESSION_SYSTEM,
      instead: 'POST /api/lab/collect or /api/lab/receive',
    },
    {
      type: 'Task',
      when: (resource) => (resource as Task).id?.startsWith('task-') === true && (resource as Task).code?.text === 'laboratory',
      instead: 'the actions under /api/lab',
    },
  ],
  actions: [
    getWorklistQuery,
    getLabelQuery,
    collectSpecimenCommand,
    receiveSpecimenCommand,
    getResultFormQuery,
    enterResultsCommand,
    releaseResultCommand,
    amendResultCommand,
    recordCallBackCommand,
    receiveResultCommand,
    getReportQuery,
    listReportsQuery,
    viewResultCommand,
  ],
  reactions: [onOrderCreated, onOrderCancelled],
  events: [LabResultAvailable, LabCriticalAlert, LabResultViewed],
  refusals,
})
