import { Button, Group, Modal, Paper, Stack, Table, Text, TextInput } from '@mantine/core'
import { discardMessage, getMessage, listUnmatched, resolveMessage, type UnmatchedMessage } from '@carespine/link-hl7v2/contract'
import { listOrders } from '@carespine/orders/contract'
import { formatDate, useLanguage, useWords } from '@carespine/shell/i18n'
import { ErrorNote, Nothing, Page, Waiting } from '@carespine/shell/page'
import { PatientSearch } from '@carespine/shell/patient-search'
import { useAction, useCommand } from '@carespine/shell/use-action'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

/** What analysers and other systems sent and nobody could place. */
export function UnmatchedPage() {
  const { t } = useTranslation()
  const language = useLanguage()
  const { data, error, refetch } = useAction(listUnmatched, {})
  const [chosen, setChosen] = useState<UnmatchedMessage>()
  return (
    <Page title={t('lab.menu.unmatched')}>
      <ErrorNote error={error} onRetry={() => void refetch()} />
      {!data && !error && <Waiting />}
      {data?.messages.length === 0 && <Nothing>{t('unmatched.none')}</Nothing>}
      {data && data.messages.length > 0 && (
        <Paper p={0}>
          <Table.ScrollContainer minWidth={620}>
            <Table>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t('unmatched.received')}</Table.Th>
                  <Table.Th>{t('unmatched.sender')}</Table.Th>
                  <Table.Th>{t('visit.patient')}</Table.Th>
                  <Table.Th>{t('unmatched.reason')}</Table.Th>
                  <Table.Th>{t('lab.next')}</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {data.messages.map((message) => (
                  <Table.Tr key={message.id}>
                    <Table.Td>{formatDate(message.receivedAt, language, 'both')}</Table.Td>
                    <Table.Td>
                      <bdi>
                        {message.sender} · {message.controlId}
                      </bdi>
                    </Table.Td>
                    <Table.Td>
                      {message.patient} <bdi>{message.identifiers.join(', ')}</bdi>
                    </Table.Td>
                    <Table.Td>{t(`refusals.${message.reason}`, { defaultValue: message.reason })}</Table.Td>
                    <Table.Td>
                      <Button size="compact-sm" onClick={() => setChosen(message)}>
                        {t('unmatched.resolve')}
                      </Button>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Paper>
      )}
      <Modal opened={chosen !== undefined} onClose={() => setChosen(undefined)} title={t('unmatched.resolve')} size="lg">
        {chosen && <ResolveForm message={chosen} onDone={() => setChosen(undefined)} />}
      </Modal>
    </Page>
  )
}

function ResolveForm({ message, onDone }: { message: UnmatchedMessage; onDone(): void }) {
  const { t } = useTranslation()
  const words = useWords()
  const { data } = useAction(getMessage, { id: message.id })
  const resolve = useCommand(resolveMessage)
  const discard = useCommand(discardMessage)
  const [patientId, setPatientId] = useState<string>()
  const [reason, setReason] = useState('')
  const orders = useAction(listOrders, { patientId: patientId ?? '', open: true }, { enabled: patientId !== undefined })
  return (
    <Stack>
      <Paper bg="var(--mantine-color-default-hover)" p="xs" style={{ overflowX: 'auto' }} tabIndex={0} aria-label={t('unmatched.text')}>
        <Text component="pre" size="xs" dir="ltr" m={0}>
          {data?.text.replaceAll('\r', '\n')}
        </Text>
      </Paper>
      <PatientSearch onChoose={({ id }) => setPatientId(id)} />
      {patientId !== undefined && (
        <Group>
          <Button onClick={() => resolve.mutate({ id: message.id, patientId }, { onSuccess: onDone })}>{t('unmatched.forPatient')}</Button>
          {orders.data?.orders.map((order) => (
            <Button key={order.id} variant="default" onClick={() => resolve.mutate({ id: message.id, patientId, orderId: order.id }, { onSuccess: onDone })}>
              {words(order.panelName, order.panelNameArabic)} · {order.number}
            </Button>
          ))}
        </Group>
      )}
      <ErrorNote error={resolve.error ?? discard.error} />
      <Group align="flex-end">
        <TextInput label={t('unmatched.discardReason')} value={reason} onChange={(event) => setReason(event.currentTarget.value)} style={{ flex: 1 }} />
        <Button variant="default" disabled={reason.trim().length < 3} onClick={() => discard.mutate({ id: message.id, reason }, { onSuccess: onDone })}>
          {t('unmatched.discard')}
        </Button>
      </Group>
    </Stack>
  )
}
