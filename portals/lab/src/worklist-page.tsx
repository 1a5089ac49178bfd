import { Badge, Button, Group, Stack, Tabs, Text, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { collectSpecimen, getWorklist, Queue, receiveSpecimen, type WorklistRow } from '@carespine/lab/contract'
import { Dialog } from '@carespine/shell/dialog'
import { formatMoment, useLanguage, useWords, waitText } from '@carespine/shell/i18n'
import { Listing } from '@carespine/shell/listing'
import { ErrorNote, Nothing, Page } from '@carespine/shell/page'
import { WhoLine } from '@carespine/shell/patient-header'
import { useAction, useCommand } from '@carespine/shell/use-action'
import { usePages } from '@carespine/shell/use-pages'
import type { Column } from '@carespine/ui/data-table'
import { IconBarcode, IconSearch } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { type FormEvent, type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { CallBackForm } from './call-back-form.tsx'
import { Label } from './label.tsx'

type QueueName = (typeof Queue.options)[number]
const priorityColor = { stat: 'critical', urgent: 'abnormal', routine: 'calm' } as const

/** The work by queue, live; the first thing to do stands on top. */
export function WorklistPage() {
  const { t } = useTranslation()
  const [queue, setQueue] = useState<QueueName>('collect')
  const { data } = useAction(getWorklist, { queue: 'collect', limit: 1 })
  const counts = data?.counts
  return (
    <Page title={t('lab.menu.worklist')} actions={<ReceiveBox />}>
      <Tabs value={queue} onChange={(value) => setQueue((value ?? 'collect') as QueueName)} keepMounted={false}>
        <Tabs.List aria-label={t('lab.queues')}>
          {Queue.options.map((name) => (
            <Tabs.Tab
              key={name}
              value={name}
              rightSection={
                <Badge size="sm" radius="sm" variant={name === 'call' && (counts?.call ?? 0) > 0 ? 'filled' : 'default'} color="critical">
                  {counts?.[name] ?? '–'}
                </Badge>
              }
            >
              {t(`queue.${name}`)}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {Queue.options.map((name) => (
          <Tabs.Panel key={name} value={name} pt="md">
            <QueueList queue={name} />
          </Tabs.Panel>
        ))}
      </Tabs>
    </Page>
  )
}

function QueueList({ queue }: { queue: QueueName }) {
  const { t } = useTranslation()
  const words = useWords()
  const [text, setText] = useState('')
  const [asked] = useDebouncedValue(text.trim(), 200)
  const [label, setLabel] = useState<string>()
  const [calling, setCalling] = useState<string>()
  const collect = useCommand(collectSpecimen)
  const pages = usePages(getWorklist, { queue, limit: 50, ...(asked ? { text: asked } : {}) }, { rowsOf: ({ rows }) => rows, keyOf: ({ orderId }) => orderId })
  const print = (row: WorklistRow): ReactNode => (
    <Button size="compact-sm" variant="default" onClick={() => setLabel(row.orderId)}>
      {t('lab.label')}
    </Button>
  )
  const next = (row: WorklistRow): ReactNode => {
    const name = words(row.patientName, row.patientNameArabic)
    switch (queue) {
      case 'collect':
        return (
          <Button
            size="compact-sm"
            loading={collect.isPending && collect.variables?.orderId === row.orderId}
            onClick={() => collect.mutate({ orderId: row.orderId }, { onSuccess: () => setLabel(row.orderId) })}
            aria-label={t('lab.collectOne', { name })}
          >
            {t('lab.collect')}
          </Button>
        )
      case 'call':
        return (
          <Button size="compact-sm" color="critical" onClick={() => setCalling(row.reportId)} aria-label={t('lab.callOne', { name })}>
            {t('lab.call')}
          </Button>
        )
      default:
        return (
          <Group gap={6} justify="flex-end" display="inline-flex">
            <Button size="compact-sm" component={Link} to={`/lab/orders/${row.orderId}`} variant={queue === 'released' ? 'default' : 'filled'}>
              {t(queue === 'release' ? 'lab.review' : queue === 'released' ? 'lab.show' : 'lab.enter')}
            </Button>
            {queue !== 'released' && print(row)}
          </Group>
        )
    }
  }
  const columns = useColumns(next)
  return (
    <>
      <TextInput aria-label={t('lab.filter')} placeholder={t('lab.filter')} leftSection={<IconSearch size={16} aria-hidden />} value={text} onChange={(event) => setText(event.currentTarget.value)} maw={420} mb="sm" />
      <ErrorNote error={collect.error} />
      <Listing
        pages={pages}
        label={t('lab.menu.worklist')}
        columns={columns}
        keyOf={({ orderId }) => orderId}
        toneOf={({ priority }) => (priority === 'stat' ? 'urgent' : undefined)}
        empty={<Nothing>{t(asked === '' ? `emptyQueue.${queue}` : 'lab.noMatch')}</Nothing>}
      />
      <Dialog opened={label !== undefined} onClose={() => setLabel(undefined)} title={t('lab.label')}>
        {label !== undefined && <Label orderId={label} />}
      </Dialog>
      <Dialog opened={calling !== undefined} onClose={() => setCalling(undefined)} title={t('lab.call')}>
        {calling !== undefined && <CallBackForm reportId={calling} onDone={() => setCalling(undefined)} />}
      </Dialog>
    </>
  )
}

function useColumns(next: (row: WorklistRow) => ReactNode): Column<WorklistRow>[] {
  const { t } = useTranslation()
  const language = useLanguage()
  const words = useWords()
  return [
    {
      key: 'priority',
      title: t('order.priority'),
      width: '100px',
      cell: ({ priority }) => (
        <Badge color={priorityColor[priority]} variant={priority === 'stat' ? 'filled' : 'outline'} radius="sm">
          {t(`priority.${priority}`)}
        </Badge>
      ),
    },
    {
      key: 'patient',
      title: t('visit.patient'),
      width: 'minmax(180px, 2fr)',
      card: 'lead',
      cell: (row) => (
        <Stack gap={0}>
          <Text size="sm" fw={600}>
            {words(row.patientName, row.patientNameArabic)}
          </Text>
          <Text size="xs" c="dimmed">
            <WhoLine sex={row.sex} birthDate={row.birthDate} mrn={row.mrn} />
          </Text>
        </Stack>
      ),
    },
    { key: 'panel', title: t('order.panel'), width: 'minmax(140px, 1.5fr)', cell: (row) => words(row.panelName, row.panelNameArabic) },
    { key: 'accession', title: t('lab.accession'), width: 'minmax(100px, 1fr)', card: 'titled', cell: ({ accession }) => <bdi dir="ltr">{accession ?? '—'}</bdi> },
    {
      key: 'ordered',
      title: t('lab.ordered'),
      width: 'minmax(140px, 1fr)',
      card: 'titled',
      cell: ({ orderedAt, state }) => (
        <>
          {formatMoment(orderedAt, language)}
          {state !== 'released' && (
            <Text size="xs" c="dimmed">
              {waitText(orderedAt, language)}
            </Text>
          )}
        </>
      ),
    },
    { key: 'next', title: t('lab.next'), width: '190px', card: 'aside', cell: next },
  ]
}

/** Takes what a barcode reader types: the accession number and Enter. */
function ReceiveBox() {
  const { t } = useTranslation()
  const receive = useCommand(receiveSpecimen)
  const [accession, setAccession] = useState('')
  const [received, setReceived] = useState<string>()
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    setReceived(undefined)
    receive.mutate(
      { accession: accession.trim() },
      {
        onSuccess: () => {
          setReceived(accession.trim())
          setAccession('')
        },
      },
    )
  }
  return (
    <form onSubmit={submit} noValidate>
      <Group gap="xs" align="flex-start" wrap="nowrap">
        <TextInput
          aria-label={t('lab.scan')}
          placeholder={t('lab.scan')}
          leftSection={<IconBarcode size={18} aria-hidden />}
          value={accession}
          onChange={(event) => setAccession(event.currentTarget.value)}
          autoComplete="off"
          w={{ base: 210, xs: 260 }}
          error={receive.error ? t(`refusals.${receive.error.code}`, { defaultValue: receive.error.message }) : undefined}
          inputWrapperOrder={['label', 'input', 'description', 'error']}
          description={
            received && (
              <span role="status">
                {t('lab.received')} <bdi dir="ltr">{received}</bdi>
              </span>
            )
          }
        />
        <Button type="submit" variant="default" disabled={accession.trim() === ''} loading={receive.isPending}>
          {t('lab.receive')}
        </Button>
      </Group>
    </form>
  )
}
