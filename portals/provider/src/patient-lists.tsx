import { Badge, Button } from '@mantine/core'
import { listReports, type ReportSummary } from '@carespine/lab/contract'
import { getBanner } from '@carespine/registration/contract'
import { usePageParams } from '@carespine/shell/app'
import { formatDate, useLanguage, useWords } from '@carespine/shell/i18n'
import { Listing } from '@carespine/shell/listing'
import { Nothing, Page } from '@carespine/shell/page'
import { PatientHeader } from '@carespine/shell/patient-header'
import { useAction } from '@carespine/shell/use-action'
import { usePages } from '@carespine/shell/use-pages'
import { VisitList } from '@carespine/shell/visit-table'
import type { Column } from '@carespine/ui/data-table'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { ReportBadge } from './chart-sections.tsx'

/** A list about one patient, with the patient above it and the way back to the chart. */
export function AboutPatient({ patientId, title, children }: { patientId: string; title: string; children: ReactNode }) {
  const { t } = useTranslation()
  const { data } = useAction(getBanner, { patientId })
  return (
    <Page
      title={title}
      actions={
        <Button variant="default" component={Link} to={`/provider/patients/${patientId}`}>
          {t('result.chart')}
        </Button>
      }
    >
      {data && <PatientHeader {...data} />}
      {children}
    </Page>
  )
}

/** Every released report of a patient. */
export function ResultsPage() {
  const { t } = useTranslation()
  const language = useLanguage()
  const words = useWords()
  const { id } = usePageParams('id')
  const pages = usePages(listReports, { patientId: id, limit: 30 }, { rowsOf: ({ reports }) => reports, keyOf: ({ reportId }) => reportId })
  const columns: Column<ReportSummary>[] = [
    {
      key: 'panel',
      title: t('order.panel'),
      width: 'minmax(180px, 2fr)',
      card: 'lead',
      cell: (report) => (
        <Link className="quiet" to={`/provider/results/${report.reportId}`}>
          {words(report.panelName, report.panelNameArabic)}
        </Link>
      ),
    },
    { key: 'found', title: t('result.flag'), width: 'minmax(120px, 1fr)', card: 'aside', cell: (report) => <ReportBadge report={report} /> },
    {
      key: 'status',
      title: t('result.status'),
      width: 'minmax(110px, 1fr)',
      cell: ({ status }) => (
        <Badge variant="outline" color="calm" radius="sm">
          {t(`reportStatus.${status}`, { defaultValue: status })}
        </Badge>
      ),
    },
    { key: 'issued', title: t('result.issued'), width: 'minmax(150px, 1fr)', cell: ({ issuedAt }) => formatDate(issuedAt, language, 'both') },
  ]
  return (
    <AboutPatient patientId={id} title={t('chart.results')}>
      <Listing pages={pages} label={t('chart.results')} columns={columns} keyOf={({ reportId }) => reportId} toneOf={({ critical }) => (critical > 0 ? 'urgent' : undefined)} empty={<Nothing>{t('chart.nothing')}</Nothing>} />
    </AboutPatient>
  )
}

/** Every visit of a patient, the ended ones too. */
export function PatientVisitsPage() {
  const { t } = useTranslation()
  const { id } = usePageParams('id')
  return (
    <AboutPatient patientId={id} title={t('chart.encounters')}>
      <VisitList portal="provider" patientId={id} empty={<Nothing>{t('chart.nothing')}</Nothing>} />
    </AboutPatient>
  )
}
