import { Button, Group, Paper, Stack, Text, TextInput } from '@mantine/core'
import { discardMessage, getMessage, listUnmatched, resolveMessage, type UnmatchedMessage } from '@carespine/link-hl7v2/contract'
import { listOrders } from '@carespine/orders/contract'
import type { PatientSummary } from '@carespine/registration/contract'
import { Dialog } from '@carespine/shell/dialog'
import { formatDate, useLanguage, useWords } from '@carespine/shell/i18n'
import { Listing } from '@carespine/shell/listing'
import { ErrorNote, Nothing, Page } from '@carespine/shell/page'
import { PatientLine, PatientSearch } from '@carespine/shell/patient-search'
import { useAction, useCommand } from '@carespine/shell/use-action'
import { usePages } from '@carespine/shell/use-pages'
import type { Column } from '@carespine/ui/data-table'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

/** What analysers and other systems sent and nobody could place. */
export function UnmatchedPage() {
  const { t } = useTranslation()
  const language = useLanguage()
  const pages = usePages(listUnmatched, { limit: 50 }, { rowsOf: ({ messages }) => messages, keyOf: ({ id }) => id })
  const [chosen, setChosen] = useState<UnmatchedMessage>()
  const columns: Column<UnmatchedMessage>[] = [
    { key: 'received', title: t('unmatched.received'), width: 'minmax(140px, 1fr)', cell: ({ receivedAt }) => formatDate(receivedAt, language, 'both') },
    {
      key: 'sender',
      title: t('unmatched.sender'),
      width: 'minmax(140px, 1.2fr)',
      card: 'lead',
      cell: ({ sender, controlId }) => (
        <bdi dir="ltr">
          {sender} · {controlId}
        </bdi>
      ),
    },
    {
      key: 'patient',
      title: t('visit.patient'),
      width: 'minmax(140px, 1.5fr)',
      card: 'titled',
      cell: ({ patient, identifiers }) => (
        <>
          <bdi>{patient}</bdi> <bdi dir="ltr">{identifiers.join(', ')}</bdi>
          {!patient && identifiers.length === 0 && '—'}
        </>
      ),
    },
    { key: 'reason', title: t('unmatched.reason'), width: 'minmax(180px, 2fr)', cell: ({ reason }) => t(`refusals.${reason}`, { defaultValue: reason }) },
    {
      key: 'next',
      title: t('lab.next'),
      width: '110px',
      card: 'aside',
      cell: (message) => (
        <Button size="compact-sm" onClick={() => setChosen(message)}>
          {t('unmatched.resolve')}
        </Button>
      ),
    },
  ]
  return (
    <Page title={t('lab.menu.unmatched')}>
      <Listing pages={pages} label={t('lab.menu.unmatched')} columns={columns} keyOf={({ id }) => id} empty={<Nothing>{t('unmatched.none')}</Nothing>} />
      <Dialog opened={chosen !== undefined} onClose={() => setChosen(undefined)} title={t('unmatched.resolve')} size="lg">
        {chosen && <ResolveForm message={chosen} onDone={() => setChosen(undefined)} />}
      </Dialog>
    </Page>
  )
}

function ResolveForm({ message, onDone }: { message: UnmatchedMessage; onDone(): void }) {
  const { t } = useTranslation()
  const words = useWords()
  const { data, error } = useAction(getMessage, { id: message.id })
  const resolve = useCommand(resolveMessage)
  const discard = useCommand(discardMessage)
  const [patient, setPatient] = useState<PatientSummary>()
  const [reason, setReason] = useState('')
  const orders = useAction(listOrders, { patientId: patient?.id ?? '', open: true }, { enabled: patient !== undefined })
  const place = (patientId: string, orderId?: string): void => resolve.mutate({ id: message.id, patientId, ...(orderId === undefined ? {} : { orderId }) }, { onSuccess: onDone })
  return (
    <Stack>
      <ErrorNote error={error} />
      <Paper bg="var(--page)" p="xs" style={{ overflowX: 'auto' }} tabIndex={0} role="region" aria-label={t('unmatched.text')}>
        <Text component="pre" size="xs" dir="ltr" m={0} style={{ whiteSpace: 'pre' }}>
          {data?.text.replaceAll('\r', '\n')}
        </Text>
      </Paper>
      {patient ? (
        <Stack gap="xs">
          <Paper p="sm">
            <PatientLine patient={patient} />
          </Paper>
          <Text size="sm">{t(orders.data?.orders.length === 0 ? 'unmatched.noOrder' : 'unmatched.whichOrder')}</Text>
          <Group gap="xs">
            {orders.data?.orders.map((order) => (
              <Button key={order.id} loading={resolve.isPending} onClick={() => place(patient.id, order.id)}>
                {words(order.panelName, order.panelNameArabic)} · <bdi dir="ltr">{order.number}</bdi>
              </Button>
            ))}
            <Button variant="default" loading={resolve.isPending} onClick={() => place(patient.id)}>
              {t('unmatched.withoutOrder')}
            </Button>
            <Button variant="subtle" onClick={() => setPatient(undefined)}>
              {t('unmatched.otherPatient')}
            </Button>
          </Group>
        </Stack>
      ) : (
        <PatientSearch onChoose={setPatient} scroll={{ maxHeight: '30vh' }} />
      )}
      <ErrorNote error={resolve.error ?? discard.error} />
      <Group align="flex-end">
        <TextInput label={t('unmatched.discardReason')} value={reason} onChange={(event) => setReason(event.currentTarget.value)} style={{ flex: 1 }} maxLength={300} />
        <Button variant="default" disabled={reason.trim().length < 3} loading={discard.isPending} onClick={() => discard.mutate({ id: message.id, reason }, { onSuccess: onDone })}>
          {t('unmatched.discard')}
        </Button>
      </Group>
    </Stack>
  )
}
