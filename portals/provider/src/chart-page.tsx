import { Button, Group, SimpleGrid, Stack, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { type Chart, getChart } from '@carespine/chart/contract'
import { can, completeEncounter, startEncounter } from '@carespine/encounters/contract'
import { usePageParams } from '@carespine/shell/app'
import { Dialog } from '@carespine/shell/dialog'
import { formatDate, useLanguage, useWords } from '@carespine/shell/i18n'
import { ErrorNote, Page, Waiting } from '@carespine/shell/page'
import { PatientHeader } from '@carespine/shell/patient-header'
import { useAction, useCommand } from '@carespine/shell/use-action'
import { Trend } from '@carespine/ui/trend'
import { unitText } from '@carespine/ui/unit-text'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { Lines, Reports, Section, VitalsTable } from './chart-sections.tsx'
import { OpenApp } from './open-app.tsx'
import { NotesSection } from './note-lists.tsx'
import { OrderForm } from './order-form.tsx'
import { VitalsForm } from './vitals-form.tsx'

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
  const [ending, end] = useDisclosure(false)
  if (!chart) return error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : <Waiting />
  const open = chart.encounters.find(({ status }) => can.complete.includes(status))
  const trends = chart.trends
    .filter(({ points }) => points.length > 1)
    .toSorted((a, b) => concern(b) - concern(a))
    .slice(0, 9)
  return (
    <Page
      title={words(chart.patient.name, chart.patient.nameArabic)}
      banner={<PatientHeader patient={chart.patient} allergies={chart.allergies} noKnownAllergies={chart.noKnownAllergies} />}
      actions={
        <Group gap="xs">
          <OpenApp patientId={id} encounterId={open?.id} />
          {open ? (
            <>
              <Button onClick={order.open}>{t('order.place')}</Button>
              <Button variant="default" onClick={measure.open}>
                {t('vitals.record')}
              </Button>
              <Button variant="default" onClick={end.open}>
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
      <ErrorNote error={error ?? start.error} {...(error ? { onRetry: () => void refetch() } : {})} />
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing="sm">
        <Stack gap="sm">
          <Section title={t('chart.results')} count={chart.counters.reports} all={<AllOf shown={chart.reports.length} total={chart.counters.reports} to={`/provider/patients/${id}/results`} />}>
            <Reports chart={chart} />
          </Section>
          <Section title={t('chart.pending')} count={chart.counters.pendingOrders}>
            <Lines
              items={chart.pendingOrders.map(({ id: key, panelName, panelNameArabic, number, state }) => ({
                key,
                text: (
                  <>
                    {words(panelName, panelNameArabic)} · <bdi dir="ltr">{number}</bdi>
                  </>
                ),
                side: t(`orderState.${state}`),
              }))}
            />
          </Section>
        </Stack>
        <Stack gap="sm">
          <NotesSection patientId={id} encounterId={open?.id} />
          <Section title={t('chart.problems')} count={chart.counters.problems}>
            <Lines items={chart.problems.map(({ id: key, name, nameArabic, onset }) => ({ key, text: words(name, nameArabic), side: formatDate(onset, language) }))} />
          </Section>
          <Section title={t('chart.medications')} count={chart.counters.medications}>
            <Lines items={chart.medications.map(({ id: key, name, nameArabic, dose, doseArabic }) => ({ key, text: <bdi>{words(name, nameArabic)}</bdi>, side: dose && <bdi>{words(dose, doseArabic)}</bdi> }))} />
          </Section>
          <Section title={t('chart.encounters')} count={chart.counters.encounters} all={<AllOf shown={chart.encounters.length} total={chart.counters.encounters} to={`/provider/patients/${id}/visits`} />}>
            <Lines
              items={chart.encounters.slice(0, 8).map(({ id: key, reason, reasonArabic, start: began, class: kind }) => ({
                key,
                text: reason ? <bdi>{words(reason, reasonArabic)}</bdi> : t(`visit.${kind}`, { defaultValue: kind }),
                side: formatDate(began, language),
              }))}
            />
          </Section>
        </Stack>
        <Section title={t('chart.vitals')}>
          <VitalsTable chart={chart} />
        </Section>
      </SimpleGrid>
      <Section title={t('chart.trends')}>
        {trends.length === 0 && (
          <Text size="sm" c="dimmed">
            {t('chart.noTrends')}
          </Text>
        )}
        <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
          {trends.map((trend) => (
            <Stack key={trend.code} gap={2}>
              <Text size="sm" fw={600}>
                {words(trend.name, trend.nameArabic)}{' '}
                <Text span size="xs" c="dimmed" component="bdi" dir="ltr">
                  {unitText(trend.unit)}
                </Text>
              </Text>
              <Trend trend={trend} height={140} format={(at) => formatDate(at, language)} />
            </Stack>
          ))}
        </SimpleGrid>
      </Section>
      <Text size="xs" c="dimmed">
        {t('chart.asOf', { at: formatDate(chart.freshness.asOf, language, 'both') })}
      </Text>
      {open && (
        <>
          <Dialog opened={ordering} onClose={order.close} title={t('order.place')}>
            <OrderForm encounterId={open.id} onDone={order.close} />
          </Dialog>
          <Dialog opened={ending} onClose={end.close} title={t('visit.complete')}>
            <Stack>
              <Text size="sm">{t('visit.completeHint', { count: chart.counters.pendingOrders })}</Text>
              <ErrorNote error={complete.error} />
              <Group justify="flex-end" gap="xs">
                <Button variant="default" onClick={end.close}>
                  {t('common.cancel')}
                </Button>
                <Button data-autofocus onClick={() => complete.mutate({ encounterId: open.id }, { onSuccess: end.close })} loading={complete.isPending}>
                  {t('visit.complete')}
                </Button>
              </Group>
            </Stack>
          </Dialog>
          <Dialog opened={measuring} onClose={measure.close} title={t('vitals.record')}>
            <VitalsForm encounterId={open.id} onDone={measure.close} />
          </Dialog>
        </>
      )}
    </Page>
  )
}

/** The way to the whole list, where the chart shows a part of it. */
function AllOf({ shown, total, to }: { shown: number; total: number; to: string }) {
  const { t } = useTranslation()
  if (Math.min(shown, 8) >= total) return null
  return (
    <Text component={Link} to={to} size="sm">
      {t('chart.all')}
    </Text>
  )
}
