import { ActionIcon, Badge, Button, Drawer, Group, Indicator, Modal, Paper, Stack, Text, Textarea } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconAlertOctagon, IconBell } from '@tabler/icons-react'
import { acknowledgeNotification, listNotifications, type Notification, readNotification } from '@carespine/notifications/contract'
import { analyteByCode, panelByCode } from '@carespine/pack-core/panels'
import { getBanner } from '@carespine/registration/contract'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ageOf, formatDate, useLanguage, useWords } from './i18n.ts'
import { unitText } from '@carespine/ui/unit-text'
import { ErrorNote, Nothing } from './page.tsx'
import { useAllowed } from './session.tsx'
import { useAction, useCommand } from './use-action.ts'

/** The words of a notification in the language on screen. */
function useText(): (notification: Notification) => { title: string; message: string } {
  const { t } = useTranslation()
  const words = useWords()
  return ({ text }) => {
    const analyte = analyteByCode(String(text.values.analyte ?? ''))
    const panel = panelByCode(String(text.values.panel ?? ''))
    const values = {
      ...text.values,
      analyte: analyte ? words(analyte.name, analyte.nameArabic) : text.values.analyte,
      panel: panel ? words(panel.name, panel.nameArabic) : text.values.panel,
    }
    return { title: t(`notifications.${text.key}.title`, values), message: t(`notifications.${text.key}.message`, values) }
  }
}

function useOpenAlerts() {
  return useAction(listNotifications, { open: true, limit: 50 }, { refetchSeconds: 30 })
}

/** The bell with what is unread, and the list behind it. */
export function AlertBell() {
  const { t } = useTranslation()
  const language = useLanguage()
  const textOf = useText()
  const navigate = useNavigate()
  const [opened, { open, close }] = useDisclosure(false)
  const { data, error } = useOpenAlerts()
  const markRead = useCommand(readNotification)
  const count = (data?.unread ?? 0) + (data?.unacknowledged ?? 0)
  const notifications = data?.notifications ?? []
  const show = (notification: Notification): void => {
    close()
    markRead.mutate({ ids: [notification.id] })
    if (notification.action) void navigate({ to: notification.action.url })
  }
  return (
    <>
      <Indicator disabled={count === 0} label={Math.min(count, 99)} size={17} color="red.9">
        <ActionIcon variant="default" size="lg" onClick={open} aria-label={t('notifications.bell', { count })}>
          <IconBell size={18} aria-hidden />
        </ActionIcon>
      </Indicator>
      <Drawer opened={opened} onClose={close} position="right" title={t('notifications.title')} closeButtonProps={{ 'aria-label': t('common.close') }}>
        <ErrorNote error={error} />
        {notifications.length === 0 && <Nothing>{t('notifications.none')}</Nothing>}
        <Stack gap="xs">
          {notifications.map((notification) => {
            const { title, message } = textOf(notification)
            return (
              <Paper key={notification.id} p="sm">
                <Group justify="space-between" wrap="nowrap" align="flex-start">
                  <Stack gap={2}>
                    <Text fw={600} c={notification.priority === 'urgent' ? 'red.9' : undefined}>
                      {title}
                    </Text>
                    <Text size="sm">{message}</Text>
                    <Text size="xs">{formatDate(notification.createdAt, language, 'both')}</Text>
                  </Stack>
                  <Button size="compact-sm" variant="default" onClick={() => show(notification)}>
                    {t('notifications.open')}
                  </Button>
                </Group>
              </Paper>
            )
          })}
        </Stack>
      </Drawer>
    </>
  )
}

/** A critical result stands in front of everything until somebody takes responsibility for it, or puts it aside in sight. */
export function CriticalAlert() {
  const { t } = useTranslation()
  const language = useLanguage()
  const textOf = useText()
  const words = useWords()
  const navigate = useNavigate()
  const allowed = useAllowed()
  const { data } = useOpenAlerts()
  const acknowledge = useCommand(acknowledgeNotification)
  const [aside, setAside] = useState<ReadonlySet<string>>(new Set())
  const [note, setNote] = useState('')
  const waiting = (data?.notifications ?? []).filter((one) => one.requiresAcknowledgment && one.acknowledgedAt === undefined)
  const shown = waiting.find((one) => !aside.has(one.id))
  const whose = useAction(getBanner, { patientId: shown?.patientId ?? '' }, { enabled: shown?.patientId !== undefined })
  const later = waiting.filter((one) => aside.has(one.id))
  if (waiting.length === 0) return null
  const text = shown && textOf(shown)
  return (
    <>
      {later.length > 0 && (
        <Group role="alert" bg="red.9" c="white" px="md" py={8} mb="md" gap="sm" style={{ borderRadius: 8 }}>
          <IconAlertOctagon size={20} aria-hidden />
          <Text fw={700}>{t('critical.waiting', { count: later.length })}</Text>
          <Button size="compact-sm" variant="white" color="dark" onClick={() => setAside(new Set())}>
            {t('critical.show')}
          </Button>
        </Group>
      )}
      {shown && text && (
        <Modal.Root opened onClose={() => setAside(new Set([...aside, shown.id]))} closeOnClickOutside={false} closeOnEscape={false} size="lg" radius="md" centered>
          <Modal.Overlay backgroundOpacity={0.6} blur={2} />
          <Modal.Content p={0}>
            <Modal.Header bg="red.9" c="white">
              <Group gap="sm" wrap="nowrap">
                <IconAlertOctagon aria-hidden />
                <Modal.Title fw={700} fz="lg">
                  {text.title}
                </Modal.Title>
              </Group>
            </Modal.Header>
            <Modal.Body p={0}>
              <Stack p="lg">
                {whose.data && (
                  <Group gap="md">
                    <Text fw={700} fz="lg">
                      {words(whose.data.patient.name, whose.data.patient.nameArabic)}
                    </Text>
                    <Text size="sm">
                      {t('banner.mrn')} <bdi>{whose.data.patient.mrn}</bdi>
                    </Text>
                    <Text size="sm">
                      {t(`sex.${whose.data.patient.sex}`)}, {ageOf(whose.data.patient.birthDate, language)}
                    </Text>
                  </Group>
                )}
                <Group align="baseline" gap="sm">
                  <Text fz={34} fw={700} c="red.9" lh={1}>
                    <bdi dir="ltr">
                      {shown.details?.value} {unitText(shown.details?.unit ?? '')}
                    </bdi>
                  </Text>
                  <Badge color="red.9" variant="outline" tt="none">
                    <bdi>{text.message}</bdi>
                  </Badge>
                </Group>
                <Text>
                  {t('critical.lead')} {formatDate(shown.createdAt, language, 'both')}
                  {shown.escalation > 0 && ` · ${t('critical.escalated', { count: shown.escalation })}`}
                </Text>
                <Textarea label={t('critical.note')} value={note} onChange={(event) => setNote(event.currentTarget.value)} autosize minRows={2} maxLength={300} />
                <ErrorNote error={acknowledge.error} />
                <Group justify="space-between">
                  <Button variant="default" onClick={() => setAside(new Set([...aside, shown.id]))}>
                    {t('critical.later')}
                  </Button>
                  <Group gap="xs">
                    {shown.reportId && (
                      <Button
                        variant="default"
                        onClick={() => {
                          setAside(new Set([...aside, shown.id]))
                          void navigate({ to: `/provider/results/${shown.reportId}` })
                        }}
                      >
                        {t('critical.open')}
                      </Button>
                    )}
                    {allowed('notifications.acknowledge') && (
                      <Button
                        color="red.9"
                        data-autofocus
                        loading={acknowledge.isPending}
                        onClick={() => acknowledge.mutate({ id: shown.id, ...(note.trim() ? { note: note.trim() } : {}) }, { onSuccess: () => setNote('') })}
                      >
                        {t('critical.acknowledge')}
                      </Button>
                    )}
                  </Group>
                </Group>
              </Stack>
            </Modal.Body>
          </Modal.Content>
        </Modal.Root>
      )}
    </>
  )
}
