import { Badge, Button, Group, Modal, Paper, Table, Tabs, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { collectSpecimen, getWorklist, Queue, receiveSpecimen, type WorklistRow } from '@carespine/lab/contract'
import { formatDate, useLanguage, useWords } from '@carespine/shell/i18n'
import { ErrorNote, Nothing, Page, Waiting } from '@carespine/shell/page'
import { useAction, useCommand } from '@carespine/shell/use-action'
import { Link } from '@tanstack/react-router'
import { type FormEvent, type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { CallBackForm } from './call-back-form.tsx'
import { Label } from './label.tsx'

type QueueName = (typeof Queue.options)[number]
const priorityColor = { stat: 'red.9', urgent: 'orange.9', routine: 'gray.7' } as const

/** The work by queue, live; the first thing to do stands on top. */
export function WorklistPage() {
  const { t } = useTranslation()
  const [queue, setQueue] = useState<QueueName>('collect')
  const [text, setText] = useState('')
  const [asked] = useDebouncedValue(text.trim(), 200)
  const [label, setLabel] = useState<string>()
  const [calling, setCalling] = useState<string>()
  const { data, error, refetch } = useAction(getWorklist, { queue, ...(asked ? { text: asked } : {}) }, { keep: true })
  const collect = useCommand(collectSpecimen)
  return (
    <Page title={t('lab.menu.worklist')} actions={<ReceiveBox />}>
      <Tabs value={queue} onChange={(value) => setQueue((value ?? 'collect') as QueueName)}>
        <Tabs.List aria-label={t('lab.queues')}>
          {Queue.options.map((name) => (
            <Tabs.Tab
              key={name}
              value={name}
              rightSection={
                <Badge size="sm" radius="sm" variant={name === 'call' && (data?.counts?.call ?? 0) > 0 ? 'filled' : 'default'} color="red.9">
                  {data?.counts?.[name] ?? 0}
                </Badge>
              }
            >
              {t(`queue.${name}`)}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value={queue} pt="md">
          <TextInput label={t('lab.filter')} value={text} onChange={(event) => setText(event.currentTarget.value)} maw={360} mb="sm" />
          <ErrorNote error={error ?? collect.error} onRetry={() => void refetch()} />
          {!data && !error && <Waiting />}
          {data?.rows.length === 0 && <Nothing>{t('lab.empty')}</Nothing>}
          {data && data.rows.length > 0 && (
            <Paper p={0}>
              <Rows
                rows={data.rows}
                action={(row) => {
                  if (queue === 'collect') {
                    return (
                      <Button size="compact-sm" onClick={() => collect.mutate({ orderId: row.orderId }, { onSuccess: () => setLabel(row.orderId) })} aria-label={t('lab.collectOne', { name: row.patientName })}>
                        {t('lab.collect')}
                      </Button>
                    )
                  }
                  if (queue === 'call') {
                    return (
                      <Button size="compact-sm" color="red.9" onClick={() => setCalling(row.reportId)}>
                        {t('lab.call')}
                      </Button>
                    )
                  }
                  return (
                    <Group gap={6} wrap="nowrap">
                      <Button size="compact-sm" component={Link} to={`/lab/orders/${row.orderId}`} variant={queue === 'released' ? 'default' : 'filled'}>
                        {t(queue === 'release' ? 'lab.review' : queue === 'released' ? 'lab.show' : 'lab.enter')}
                      </Button>
                      <Button size="compact-sm" variant="default" onClick={() => setLabel(row.orderId)}>
                        {t('lab.label')}
                      </Button>
                    </Group>
                  )
                }}
              />
            </Paper>
          )}
        </Tabs.Panel>
      </Tabs>
      <Modal opened={label !== undefined} onClose={() => setLabel(undefined)} title={t('lab.label')}>
        {label !== undefined && <Label orderId={label} />}
      </Modal>
      <Modal opened={calling !== undefined} onClose={() => setCalling(undefined)} title={t('lab.call')}>
        {calling !== undefined && <CallBackForm reportId={calling} onDone={() => setCalling(undefined)} />}
      </Modal>
    </Page>
  )
}

function Rows({ rows, action }: { rows: readonly WorklistRow[]; action(row: WorklistRow): ReactNode }) {
  const { t } = useTranslation()
  const language = useLanguage()
  const words = useWords()
  return (
    <Table.ScrollContainer minWidth={720}>
      <Table aria-label={t('lab.menu.worklist')}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('order.priority')}</Table.Th>
            <Table.Th>{t('visit.patient')}</Table.Th>
            <Table.Th>{t('order.panel')}</Table.Th>
            <Table.Th>{t('lab.accession')}</Table.Th>
            <Table.Th>{t('lab.ordered')}</Table.Th>
            <Table.Th>{t('lab.next')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.orderId}>
              <Table.Td>
                <Badge color={priorityColor[row.priority]} variant={row.priority === 'stat' ? 'filled' : 'outline'} radius="sm">
                  {t(`priority.${row.priority}`)}
                </Badge>
              </Table.Td>
              <Table.Td>
                {words(row.patientName, row.patientNameArabic)} <bdi>{row.mrn}</bdi>
              </Table.Td>
              <Table.Td>{words(row.panelName, row.panelNameArabic)}</Table.Td>
              <Table.Td>
                <bdi>{row.accession ?? '—'}</bdi>
              </Table.Td>
              <Table.Td>{formatDate(row.orderedAt, language, 'both')}</Table.Td>
              <Table.Td>{action(row)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  )
}

/** Takes what a barcode reader types: the accession number and Enter. */
function ReceiveBox() {
  const { t } = useTranslation()
  const receive = useCommand(receiveSpecimen)
  const [accession, setAccession] = useState('')
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    receive.mutate({ accession }, { onSuccess: () => setAccession('') })
  }
  return (
    <form onSubmit={submit}>
      <Group gap="xs" align="flex-end">
        <TextInput label={t('lab.scan')} value={accession} onChange={(event) => setAccession(event.currentTarget.value)} dir="ltr" error={receive.error ? t(`refusals.${receive.error.code}`, { defaultValue: receive.error.message }) : undefined} />
        <Button type="submit" variant="default" disabled={accession === ''} loading={receive.isPending}>
          {t('lab.receive')}
        </Button>
      </Group>
    </form>
  )
}
