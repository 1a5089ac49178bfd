import { Badge, Button, Group, Modal, SimpleGrid, Stack, Text, Textarea } from '@mantine/core'
import { IconAlertOctagon } from '@tabler/icons-react'
import { acknowledgeNotification, type Notification } from '@carespine/notifications/contract'
import { getBanner } from '@carespine/registration/contract'
import { unitText } from '@carespine/ui/unit-text'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { formatDate, useLanguage, useWords } from './i18n.ts'
import { useNotificationText, useOpenable, useOpenAlerts } from './notification-list.tsx'
import { ErrorNote } from './page.tsx'
import { WhoLine } from './patient-header.tsx'
import { useAllowed } from './session.tsx'
import { useAction, useCommand } from './use-action.ts'

/** A critical result stands in front of everything until somebody takes responsibility for it, or puts it aside in sight. */
export function CriticalAlert() {
  const { t } = useTranslation()
  const { data } = useOpenAlerts()
  const [aside, setAside] = useState<ReadonlySet<string>>(new Set())
  const waiting = (data?.notifications ?? []).filter((one) => one.requiresAcknowledgment && one.acknowledgedAt === undefined)
  const shown = waiting.find((one) => !aside.has(one.id))
  const later = waiting.filter((one) => aside.has(one.id))
  return (
    <>
      {later.length > 0 && (
        <Group role="alert" bg="critical" c="white" px="md" py={8} mb="md" gap="sm" wrap="nowrap" style={{ borderRadius: 8 }}>
          <IconAlertOctagon size={20} aria-hidden style={{ flexShrink: 0 }} />
          <Text fw={700}>{t('critical.waiting', { count: later.length })}</Text>
          <Button size="compact-sm" variant="white" color="dark" onClick={() => setAside(new Set())} style={{ flexShrink: 0 }}>
            {t('critical.show')}
          </Button>
        </Group>
      )}
      {shown && <Alert key={shown.id} alert={shown} onAside={() => setAside(new Set([...aside, shown.id]))} />}
    </>
  )
}

function Alert({ alert, onAside }: { alert: Notification; onAside(): void }) {
  const { t } = useTranslation()
  const language = useLanguage()
  const words = useWords()
  const navigate = useNavigate()
  const allowed = useAllowed()
  const { title, message } = useNotificationText()(alert)
  const url = useOpenable()(alert)
  const acknowledge = useCommand(acknowledgeNotification)
  const [note, setNote] = useState('')
  const { data: whose } = useAction(getBanner, { patientId: alert.patientId ?? '' }, { enabled: alert.patientId !== undefined && allowed('registration.read') })
  const { value, unit = '' } = alert.details ?? {}
  return (
    <Modal.Root opened onClose={onAside} closeOnClickOutside={false} closeOnEscape={false} size="lg" radius="md" centered>
      <Modal.Overlay backgroundOpacity={0.6} blur={2} />
      <Modal.Content>
        <Modal.Header bg="critical" c="white">
          <Group gap="sm" wrap="nowrap">
            <IconAlertOctagon aria-hidden />
            <Modal.Title fw={700} fz="lg">
              {title}
            </Modal.Title>
          </Group>
        </Modal.Header>
        <Modal.Body p={0}>
          <Stack p="lg">
            {whose && (
              <Stack gap={0}>
                <Text fw={700} fz="lg">
                  {words(whose.patient.name, whose.patient.nameArabic)}
                </Text>
                <Text size="sm">
                  <WhoLine sex={whose.patient.sex} birthDate={whose.patient.birthDate} mrn={whose.patient.mrn} />
                </Text>
              </Stack>
            )}
            <Group align="center" gap="sm">
              <Text fz={34} fw={700} c="critical" lh={1}>
                <bdi dir="ltr">
                  {value} {unitText(unit)}
                </bdi>
              </Text>
              <Badge color="critical" variant="outline" size="lg" radius="sm">
                <bdi>{message}</bdi>
              </Badge>
            </Group>
            <Text size="sm">
              {t('critical.lead')} {formatDate(alert.createdAt, language, 'both')}
              {alert.escalation > 0 && ` · ${t('critical.escalated', { count: alert.escalation })}`}
            </Text>
            <Textarea label={t('critical.note')} value={note} onChange={(event) => setNote(event.currentTarget.value)} autosize minRows={2} maxLength={300} />
            <ErrorNote error={acknowledge.error} />
            <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="xs">
              <Button variant="default" onClick={onAside}>
                {t('critical.later')}
              </Button>
              {url ? (
                <Button
                  variant="default"
                  onClick={() => {
                    onAside()
                    void navigate({ to: url })
                  }}
                >
                  {t('critical.open')}
                </Button>
              ) : (
                <span />
              )}
              {allowed('notifications.acknowledge') && (
                <Button color="critical" data-autofocus loading={acknowledge.isPending} onClick={() => acknowledge.mutate({ id: alert.id, ...(note.trim() ? { note: note.trim() } : {}) })}>
                  {t('critical.acknowledge')}
                </Button>
              )}
            </SimpleGrid>
          </Stack>
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  )
}
