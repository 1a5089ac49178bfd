import { Badge, Button, Grid, Group, Paper, Stack, Text, Title, UnstyledButton } from '@mantine/core'
import { getBanner } from '@carespine/registration/contract'
import { getReport, isCritical, viewResult } from '@carespine/lab/contract'
import { usePageParams } from '@carespine/shell/app'
import { call } from '@carespine/shell/api'
import { formatDate, useLanguage, useWords } from '@carespine/shell/i18n'
import { ErrorNote, Page, Waiting } from '@carespine/shell/page'
import { PatientHeader } from '@carespine/shell/patient-header'
import { ResultTable } from '@carespine/shell/result-table'
import { useAction } from '@carespine/shell/use-action'
import { rangeText } from '@carespine/ui/range-text'
import { Trend } from '@carespine/ui/trend'
import { unitText } from '@carespine/ui/unit-text'
import { Link } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

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
  const isNew = data?.report.viewed === false
  useEffect(() => {
    if (isNew) call(viewResult, { reportId: id }).catch(() => undefined)
  }, [isNew, id])
  if (!data) return error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : <Waiting />
  const { report, trends } = data
  const worst = report.items.find(({ flag }) => isCritical(flag)) ?? report.items.find(({ flag }) => flag === 'L' || flag === 'H')
  const code = chosen ?? worst?.code ?? report.items[0]?.code
  const trend = trends.find((one) => one.code === code)
  return (
    <Page title={words(report.panelName, report.panelNameArabic)} banner={banner.data ? <PatientHeader {...banner.data} /> : <Waiting />}>
      <ErrorNote error={error} onRetry={() => void refetch()} />
      <Group justify="space-between" align="flex-start">
        <Stack gap={4}>
          <Group gap="sm">
            <Title order={2} size="h4">
              {words(report.panelName, report.panelNameArabic)}
            </Title>
            <Badge variant="outline" color="calm" radius="sm">
              {t(`reportStatus.${report.status}`, { defaultValue: report.status })}
            </Badge>
          </Group>
          <Group gap="lg" fz="sm" style={{ rowGap: 2 }}>
            <span>
              {t('result.collected')} {formatDate(report.collectedAt, language, 'both')}
            </span>
            <span>
              {t('result.issued')} {formatDate(report.issuedAt, language, 'both')}
            </span>
            {report.performer && (
              <span>
                {t('result.by')} <bdi>{report.performer}</bdi>
              </span>
            )}
            {report.callBack && (
              <span>
                {t('result.called')} <bdi>{report.callBack.calledTo}</bdi> · {formatDate(report.callBack.at, language, 'both')}
              </span>
            )}
          </Group>
        </Stack>
        <Button variant="default" component={Link} to={`/provider/patients/${report.patientId}`}>
          {t('result.chart')}
        </Button>
      </Group>
      <Grid>
        <Grid.Col span={{ base: 12, xl: 7 }}>
          <ResultTable
            items={report.items}
            chosen={code}
            nameOf={(item, name) => (
              <UnstyledButton fz="sm" onClick={() => setChosen(item.code)} aria-pressed={item.code === code} style={{ textDecoration: 'underline dotted', textUnderlineOffset: 3 }}>
                {name}
              </UnstyledButton>
            )}
          />
        </Grid.Col>
        {trend && (
          <Grid.Col span={{ base: 12, xl: 5 }}>
            <Paper>
              <Title order={3} size="h6" mb="xs">
                {words(trend.name, trend.nameArabic)}{' '}
                <Text span size="sm" c="dimmed" component="bdi" dir="ltr">
                  {unitText(trend.unit)}
                </Text>
              </Title>
              <Trend trend={trend} height={280} format={(at) => formatDate(at, language, 'both')} />
              <Text size="xs" c="dimmed">
                {t('result.band')} <bdi dir="ltr">{rangeText(trend.range)}</bdi>. {trend.critical && t('result.limits')}
              </Text>
              {report.comment && (
                <Text mt="sm" size="sm">
                  <bdi>{report.comment}</bdi>
                </Text>
              )}
            </Paper>
          </Grid.Col>
        )}
      </Grid>
    </Page>
  )
}
