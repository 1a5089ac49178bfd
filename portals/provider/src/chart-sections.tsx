import { Badge, Button, Group, Paper, Stack, Table, Text, Title } from '@mantine/core'
import type { Chart } from '@carespine/chart/contract'
import type { ReportSummary } from '@carespine/lab/contract'
import { formatDate, useLanguage, useWords } from '@carespine/shell/i18n'
import { Flag } from '@carespine/ui/flag'
import { Sparkline } from '@carespine/ui/trend'
import { unitText } from '@carespine/ui/unit-text'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'

/** As many lines as a section shows of itself. */
const SHOWN = 8
const SYSTOLIC = '8480-6'
const DIASTOLIC = '8462-4'

export function Section({ title, count, all, children }: { title: string; count?: number; all?: ReactNode; children: ReactNode }) {
  return (
    <Paper component="section" aria-label={title} py="sm">
      <Group gap="xs" mb={6} justify="space-between">
        <Group gap="xs">
          <Title order={3} size="h6">
            {title}
          </Title>
          {count !== undefined && (
            <Badge variant="default" radius="sm" size="sm">
              {count}
            </Badge>
          )}
        </Group>
        {all}
      </Group>
      {children}
    </Paper>
  )
}

export interface Line {
  key: string
  text: ReactNode
  side: ReactNode
}

/** Short lines of one kind; the first ones, and the rest when somebody asks. */
export function Lines({ items }: { items: readonly Line[] }) {
  const { t } = useTranslation()
  const [isWhole, setWhole] = useState(false)
  if (items.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {t('chart.nothing')}
      </Text>
    )
  }
  return (
    <Stack gap={4} align="stretch">
      {(isWhole ? items : items.slice(0, SHOWN)).map(({ key, text, side }) => (
        <Group key={key} justify="space-between" wrap="nowrap" gap="sm" align="baseline">
          <Text size="sm" component="div" style={{ minWidth: 0, overflowWrap: 'anywhere' }}>
            {text}
          </Text>
          <Text size="xs" c="dimmed" component="div" ta="end" style={{ flexShrink: 0, maxWidth: '50%' }}>
            {side}
          </Text>
        </Group>
      ))}
      {items.length > SHOWN && (
        <Button variant="subtle" size="compact-xs" onClick={() => setWhole(!isWhole)} style={{ alignSelf: 'flex-start' }}>
          {isWhole ? t('chart.fewer') : t('chart.more', { count: items.length - SHOWN })}
        </Button>
      )}
    </Stack>
  )
}

/** How bad a report is, in words. */
export function ReportBadge({ report }: { report: Pick<ReportSummary, 'critical' | 'abnormal'> }) {
  const { t } = useTranslation()
  if (report.critical > 0) {
    return (
      <Badge color="critical" radius="sm" size="sm">
        {t('chart.critical')}
      </Badge>
    )
  }
  if (report.abnormal === 0) return null
  return (
    <Badge color="abnormal" variant="outline" radius="sm" size="sm">
      {t('chart.abnormal', { count: report.abnormal })}
    </Badge>
  )
}

/** The latest reports, the abnormal ones marked. */
export function Reports({ chart }: { chart: Chart }) {
  const language = useLanguage()
  const words = useWords()
  return (
    <Lines
      items={chart.reports.slice(0, SHOWN).map((report) => ({
        key: report.reportId,
        text: (
          <Link className="quiet" to={`/provider/results/${report.reportId}`}>
            {words(report.panelName, report.panelNameArabic)}
          </Link>
        ),
        side: (
          <Group gap={6} wrap="nowrap">
            <ReportBadge report={report} />
            {formatDate(report.issuedAt, language)}
          </Group>
        ),
      }))}
    />
  )
}

interface VitalRow {
  code: string
  name: string
  value: string
  unit: string
  at: string
  flags: (string | undefined)[]
  course: number[]
}

/** The latest of each vital sign and its course; the two pressures as the one reading that they are. */
export function VitalsTable({ chart }: { chart: Chart }) {
  const { t } = useTranslation()
  const language = useLanguage()
  const words = useWords()
  const { latest, trends } = chart.vitals
  const trendOf = (code: string) => trends.find((one) => one.code === code)
  const diastolic = latest.find(({ code }) => code === DIASTOLIC)
  const rows = latest.flatMap(({ code, value, unit, at, flag }): VitalRow[] => {
    const trend = trendOf(code)
    const course = trend?.points.slice(-12).map((point) => point.value) ?? []
    const isOneReading = diastolic !== undefined && latest.some((one) => one.code === SYSTOLIC && one.at === diastolic.at)
    if (code === DIASTOLIC && isOneReading) return []
    if (code === SYSTOLIC && isOneReading) return [{ code, name: t('chart.bloodPressure'), value: `${value}/${diastolic.value}`, unit, at, flags: [flag, diastolic.flag], course }]
    return [{ code, name: words(trend?.name ?? code, trend?.nameArabic), value: value.toFixed(trend?.decimals ?? 0), unit, at, flags: [flag], course }]
  })
  if (rows.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {t('chart.nothing')}
      </Text>
    )
  }
  return (
    <Table aria-label={t('chart.vitals')} verticalSpacing={3} horizontalSpacing={4} fz="sm">
      <Table.Tbody>
        {rows.map(({ code, name, value, unit, at, flags, course }) => (
          <Table.Tr key={code} title={formatDate(at, language, 'both')}>
            <Table.Td>{name}</Table.Td>
            <Table.Td ta="end" fw={600} style={{ whiteSpace: 'nowrap' }}>
              <bdi dir="ltr">
                {value} {unitText(unit)}
              </bdi>
            </Table.Td>
            <Table.Td>
              <Flag flag={flags.find((flag) => flag !== undefined && flag !== 'N')} />
            </Table.Td>
            <Table.Td>
              <Sparkline values={course} />
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  )
}
