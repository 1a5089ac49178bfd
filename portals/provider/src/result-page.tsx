import { Badge, Group, Paper, SimpleGrid, Stack, Table, Text, Title } from '@mantine/core'
import { getBanner } from '@carespine/registration/contract'
import { getReport, isCritical, viewResult } from '@carespine/lab/contract'
import { usePageParams } from '@carespine/shell/app'
import { call } from '@carespine/shell/api'
import { formatDate, useLanguage, useWords } from '@carespine/shell/i18n'
import { ErrorNote, Page, Waiting } from '@carespine/shell/page'
import { PatientHeader } from '@carespine/shell/patient-header'
import { useAction } from '@carespine/shell/use-action'
import { Flag } from '@carespine/ui/flag'
import { RangeBar } from '@carespine/ui/range-bar'
import { Trend } from '@carespine/ui/trend'
import { unitText } from '@carespine/ui/unit-text'
import { Link } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

function rangeText(range: { low?: number | undefined; high?: number | undefined } | undefined): string {
  if (!range) return '—'
  if (range.low === undefined) return `≤ ${range.high}`
  return range.high === undefined ? `≥ ${range.low}` : `${range.low} – ${range.high}`
}

/** One report: every value against its band, what it was before, and its course. Opening it is recorded. */
export function ResultPage() {
  const { t } = useTranslation()
  const language = useLanguage()
  const words = useWords()
  const { id } = usePageParams('id')
  const { data, error, refetch } = useAction(getReport, { reportId: id })
  const patientId = data?.report.patientId
  const banner = useAction(getBanner, { patientId: patientId ?? '' }, { enabled: patientId !== undefined })
  const [chosen, setChosen] = useState<string>()
  useEffect(() => {
    if (data && !data.report.viewed) call(viewResult, { reportId: id }).catch(() => undefined)
  }, [data, id])
  if (error) return <ErrorNote error={error} onRetry={() => void refetch()} />
  if (!data) return <Waiting />
  const { report, trends } = data
  const worst = report.items.find(({ flag }) => isCritical(flag)) ?? report.items.find(({ flag }) => flag === 'L' || flag === 'H')
  const code = chosen ?? worst?.code ?? report.items[0]?.code
  const trend = trends.find((one) => one.code === code)
  return (
    <Page
      title={words(report.panelName, report.panelNameArabic)}
      actions={
        <Group gap="xs">
          <Badge variant="outline" color="dark" radius="sm" tt="none">
            {t(`reportStatus.${report.status}`, { defaultValue: report.status })}
          </Badge>
          <Link to={`/provider/patients/${report.patientId}`}>{t('result.chart')}</Link>
        </Group>
      }
    >
      {banner.data && <PatientHeader {...banner.data} />}
      <Group gap="lg">
        <Text size="sm">
          {t('result.collected')} {formatDate(report.collectedAt, language, 'both')}
        </Text>
        <Text size="sm">
          {t('result.issued')} {formatDate(report.issuedAt, language, 'both')}
        </Text>
        {report.performer && (
          <Text size="sm">
            {t('result.by')} <bdi>{report.performer}</bdi>
          </Text>
        )}
        {report.callBack && (
          <Text size="sm">{t('result.called', { name: report.callBack.calledTo, at: formatDate(report.callBack.at, language, 'both') })}</Text>
        )}
      </Group>
      <SimpleGrid cols={{ base: 1, lg: 2 }}>
        <Paper p={0}>
          <Table.ScrollContainer minWidth={520}>
            <Table aria-label={t('result.values')}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t('result.analyte')}</Table.Th>
                  <Table.Th ta="end">{t('result.value')}</Table.Th>
                  <Table.Th>{t('result.flag')}</Table.Th>
                  <Table.Th>{t('result.range')}</Table.Th>
                  <Table.Th>{t('result.previous')}</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {report.items.map((item) => (
                  <Table.Tr key={item.code} bg={item.code === code ? 'var(--mantine-color-teal-light)' : undefined}>
                    <Table.Td>
                      <button type="button" onClick={() => setChosen(item.code)} aria-pressed={item.code === code} style={{ all: 'unset', cursor: 'pointer', textDecoration: 'underline dotted', outlineOffset: 2 }}>
                        {words(item.name, item.nameArabic)}
                      </button>
                      {item.status !== undefined && item.status !== 'final' && <Text size="xs">{t(`resultStatus.${item.status}`)}</Text>}
                      {item.note !== undefined && (
                        <Text size="xs" style={{ whiteSpace: 'pre-line' }}>
                          <bdi>{item.note}</bdi>
                        </Text>
                      )}
                    </Table.Td>
                    <Table.Td ta="end" fw={item.flag && item.flag !== 'N' ? 700 : 500}>
                      <bdi dir="ltr">
                        {item.value?.toFixed(item.decimals) ?? item.text ?? '—'} {(item.value ?? item.text) !== undefined && unitText(item.unit)}
                      </bdi>
                    </Table.Td>
                    <Table.Td>
                      <Flag flag={item.flag} />
                    </Table.Td>
                    <Table.Td>
                      <Stack gap={0}>
                        {item.value !== undefined && <RangeBar value={item.value} range={item.range} critical={item.critical} />}
                        <Text size="xs" dir="ltr" ta="start">
                          {rangeText(item.range)}
                        </Text>
                      </Stack>
                    </Table.Td>
                    <Table.Td>
                      {item.previous && (
                        <Text size="xs" title={formatDate(item.previous.at, language)}>
                          <bdi dir="ltr">{item.previous.value.toFixed(item.decimals)}</bdi>
                        </Text>
                      )}
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Paper>
        {trend && (
          <Paper>
            <Title order={2} size="h6" mb="xs">
              {words(trend.name, trend.nameArabic)} <bdi>({unitText(trend.unit)})</bdi>
            </Title>
            <Trend trend={trend} height={280} format={(at) => formatDate(at, language, 'both')} />
            <Text size="xs">
              {t('result.band', { range: rangeText(trend.range) })}
            </Text>
            {report.comment && <Text mt="sm">{report.comment}</Text>}
          </Paper>
        )}
      </SimpleGrid>
    </Page>
  )
}
