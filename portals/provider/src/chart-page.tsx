import { Badge, Button, Group, Modal, Paper, SimpleGrid, Stack, Table, Text, Title } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { type Chart, getChart } from '@carespine/chart/contract'
import { can, completeEncounter, startEncounter } from '@carespine/encounters/contract'
import { usePageParams } from '@carespine/shell/app'
import { formatDate, useLanguage, useWords } from '@carespine/shell/i18n'
import { ErrorNote, Page, Waiting } from '@carespine/shell/page'
import { PatientHeader } from '@carespine/shell/patient-header'
import { useAction, useCommand } from '@carespine/shell/use-action'
import { Flag } from '@carespine/ui/flag'
import { unitText } from '@carespine/ui/unit-text'
import { Sparkline, Trend } from '@carespine/ui/trend'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { OrderForm } from './order-form.tsx'
import { VitalsForm } from './vitals-form.tsx'

function Section({ title, count, children }: { title: string; count?: number; children: ReactNode }) {
  return (
    <Paper component="section" aria-label={title}>
      <Group gap="xs" mb="xs">
        <Title order={3} size="h6">
          {title}
        </Title>
        {count !== undefined && (
          <Badge variant="default" radius="sm" size="sm">
            {count}
          </Badge>
        )}
      </Group>
      {children}
    </Paper>
  )
}

/** How much a trend wants to be seen: critical before abnormal before usual, then the one with more to show. */
function concern({ points }: Chart['trends'][number]): number {
  const flag = points.at(-1)?.flag
  const rank = flag === 'LL' || flag === 'HH' ? 2 : flag === 'L' || flag === 'H' ? 1 : 0
  return rank * 1000 + points.length
}

/** The whole chart on one screen: what matters now on top, what was below. */
export function ChartPage() {
  const { t } = useTranslation()
  const language = useLanguage()
  const words = useWords()
  const { id } = usePageParams('id')
  const { data: chart, error, refetch } = useAction(getChart, { patientId: id })
  const start = useCommand(startEncounter)
  const complete = useCommand(completeEncounter)
  const [ordering, order] = useDisclosure(false)
  const [measuring, measure] = useDisclosure(false)
  if (error) return <ErrorNote error={error} onRetry={() => void refetch()} />
  if (!chart) return <Waiting />
  const open = chart.encounters.find(({ status }) => can.complete.includes(status))
  return (
    <Page
      title={words(chart.patient.name, chart.patient.nameArabic)}
      banner={<PatientHeader patient={chart.patient} allergies={chart.allergies} noKnownAllergies={chart.noKnownAllergies} />}
      actions={
        <Group gap="xs">
          {open ? (
            <>
              <Button variant="default" onClick={measure.open}>
                {t('vitals.record')}
              </Button>
              <Button onClick={order.open}>{t('order.place')}</Button>
              <Button variant="default" onClick={() => complete.mutate({ encounterId: open.id })} loading={complete.isPending}>
                {t('visit.complete')}
              </Button>
            </>
          ) : (
            <Button onClick={() => start.mutate({ patientId: id })} loading={start.isPending}>
              {t('visit.start')}
            </Button>
          )}
        </Group>
      }
    >
      <ErrorNote error={start.error ?? complete.error} />
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing="sm">
        <Stack gap="sm">
          <Section title={t('chart.results')} count={chart.counters.reports}>
            <Reports chart={chart} />
          </Section>
          <Section title={t('chart.pending')} count={chart.counters.pendingOrders}>
            <Lines items={chart.pendingOrders.map(({ id: key, panelName, panelNameArabic, number, state }) => ({ key, text: `${words(panelName, panelNameArabic)} · ${number}`, side: t(`orderState.${state}`) }))} />
          </Section>
        </Stack>
        <Stack gap="sm">
          <Section title={t('chart.problems')} count={chart.counters.problems}>
            <Lines items={chart.problems.map(({ id: key, name, nameArabic, onset }) => ({ key, text: words(name, nameArabic), side: formatDate(onset, language) }))} />
          </Section>
          <Section title={t('chart.medications')} count={chart.counters.medications}>
            <Lines items={chart.medications.map(({ id: key, name, nameArabic, dose }) => ({ key, text: words(name, nameArabic), side: dose ?? '' }))} />
          </Section>
          <Section title={t('chart.encounters')} count={chart.counters.encounters}>
            <Lines items={chart.encounters.slice(0, 8).map(({ id: key, reason, start: began, class: kind }) => ({ key, text: reason ?? t(`visit.${kind}`, { defaultValue: kind }), side: formatDate(began, language) }))} />
          </Section>
        </Stack>
        <Section title={t('chart.vitals')}>
          <VitalsTable chart={chart} />
        </Section>
      </SimpleGrid>
      <Section title={t('chart.trends')}>
        <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }}>
          {chart.trends
            .filter(({ points }) => points.length > 1)
            .toSorted((a, b) => concern(b) - concern(a))
            .slice(0, 9)
            .map((trend) => (
              <Stack key={trend.code} gap={2}>
                <Text size="sm" fw={600}>
                  {words(trend.name, trend.nameArabic)} <bdi>{unitText(trend.unit)}</bdi>
                </Text>
                <Trend trend={trend} height={140} format={(at) => formatDate(at, language)} />
              </Stack>
            ))}
        </SimpleGrid>
      </Section>
      <Text size="xs">{t('chart.asOf', { at: formatDate(chart.freshness.asOf, language, 'both') })}</Text>
      {open && (
        <>
          <Modal opened={ordering} onClose={order.close} title={t('order.place')}>
            <OrderForm encounterId={open.id} onDone={order.close} />
          </Modal>
          <Modal opened={measuring} onClose={measure.close} title={t('vitals.record')}>
            <VitalsForm encounterId={open.id} onDone={measure.close} />
          </Modal>
        </>
      )}
    </Page>
  )
}

function Lines({ items }: { items: readonly { key: string; text: string; side: string }[] }) {
  const { t } = useTranslation()
  if (items.length === 0) return <Text size="sm">{t('chart.nothing')}</Text>
  return (
    <Stack gap={4}>
      {items.slice(0, 8).map(({ key, text, side }) => (
        <Group key={key} justify="space-between" wrap="nowrap" gap="sm">
          <Text size="sm" lineClamp={1}>
            {text}
          </Text>
          <Text size="xs" style={{ whiteSpace: 'nowrap' }}>
            {side}
          </Text>
        </Group>
      ))}
      {items.length > 8 && <Text size="xs">{t('chart.more', { count: items.length - 8 })}</Text>}
    </Stack>
  )
}

function VitalsTable({ chart }: { chart: Chart }) {
  const { t } = useTranslation()
  const language = useLanguage()
  const words = useWords()
  if (chart.vitals.latest.length === 0) return <Text size="sm">{t('chart.nothing')}</Text>
  return (
    <Table aria-label={t('chart.vitals')} verticalSpacing={2} horizontalSpacing={4}>
      <Table.Tbody>
        {chart.vitals.latest.map(({ code, value, unit, at, flag }) => {
          const trend = chart.vitals.trends.find((one) => one.code === code)
          return (
            <Table.Tr key={code} title={formatDate(at, language, 'both')}>
              <Table.Td>{words(trend?.name ?? code, trend?.nameArabic)}</Table.Td>
              <Table.Td ta="end" fw={600} style={{ whiteSpace: 'nowrap' }}>
                <bdi dir="ltr">
                  {value} {unitText(unit)}
                </bdi>
              </Table.Td>
              <Table.Td>
                <Flag flag={flag} />
              </Table.Td>
              <Table.Td>
                <Sparkline values={trend?.points.slice(-12).map((point) => point.value) ?? []} />
              </Table.Td>
            </Table.Tr>
          )
        })}
      </Table.Tbody>
    </Table>
  )
}

function Reports({ chart }: { chart: Chart }) {
  const { t } = useTranslation()
  const language = useLanguage()
  const words = useWords()
  if (chart.reports.length === 0) return <Text size="sm">{t('chart.nothing')}</Text>
  return (
    <Stack gap={4}>
      {chart.reports.slice(0, 8).map((report) => (
        <Group key={report.reportId} justify="space-between" wrap="nowrap">
          <Link to={`/provider/results/${report.reportId}`} style={{ fontSize: 'var(--mantine-font-size-sm)', overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap', minWidth: 0 }}>{words(report.panelName, report.panelNameArabic)}</Link>
          <Group gap={6} wrap="nowrap" style={{ flexShrink: 0 }}>
            {report.critical > 0 && (
              <Badge color="red.9" radius="sm" size="sm">
                {t('chart.critical')}
              </Badge>
            )}
            {report.critical === 0 && report.abnormal > 0 && (
              <Badge color="orange.9" variant="outline" radius="sm" size="sm" tt="none" style={{ flexShrink: 0 }}>
                {t('chart.abnormal', { count: report.abnormal })}
              </Badge>
            )}
            <Text size="xs" style={{ whiteSpace: 'nowrap' }}>
              {formatDate(report.issuedAt, language)}
            </Text>
          </Group>
        </Group>
      ))}
    </Stack>
  )
}
