import type { DiagnosticReport, Observation, Stored } from '@carespine/fhir/resource'
import { panelByCode } from '@carespine/pack-core/panels'
import { isCritical, type ReportSummary } from './contract.ts'

/** Reports that people may rely on; preliminary ones are the laboratory's own. */
export const RELEASED = 'final,amended,corrected,appended,partial'

/** The panel of a report as it is called, whoever made the report. */
export function panelNames({ code }: DiagnosticReport): { panel: string; panelName: string; panelNameArabic: string } {
  const panel = (code.coding ?? []).map((coding) => panelByCode(coding.code ?? '')).find(Boolean)
  const name = panel?.name ?? code.text ?? code.coding?.[0]?.display ?? ''
  return { panel: panel?.code ?? code.coding?.[0]?.code ?? '', panelName: name, panelNameArabic: panel?.nameArabic ?? name }
}

/** Ids of the observations of a report. */
export function resultIdsOf({ result }: DiagnosticReport): string[] {
  return (result ?? []).flatMap(({ reference }) => reference?.replace('Observation/', '') ?? [])
}

/** One line about a report. `results` are its observations by id; of those that are not there nothing is said. */
export function reportSummaryOf(report: Stored<DiagnosticReport>, results: ReadonlyMap<string, Observation>): ReportSummary {
  const flags = resultIdsOf(report).map((id) => results.get(id)?.interpretation?.[0]?.coding?.[0]?.code ?? 'N')
  const orderId = report.basedOn?.[0]?.reference?.replace('ServiceRequest/', '')
  const at = report.issued ?? report.effectiveDateTime
  return {
    reportId: report.id,
    ...(orderId === undefined ? {} : { orderId }),
    ...panelNames(report),
    status: report.status,
    ...(at === undefined ? {} : { issuedAt: at }),
    abnormal: flags.filter((flag) => flag !== 'N').length,
    critical: flags.filter(isCritical).length,
  }
}
