import { ActionIcon, Button, Drawer, Group, Indicator, Paper, SegmentedControl, Stack, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconAlertOctagon, IconBell } from '@tabler/icons-react'
import { listNotifications, type Notification, readNotification } from '@carespine/notifications/contract'
import { analyteByCode, panelByCode } from '@carespine/pack-core/panels'
import { unitText } from '@carespine/ui/unit-text'
import { VirtualRows } from '@carespine/ui/virtual-rows'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { formatDate, useLanguage, useWords } from './i18n.ts'
import { ErrorNote, Nothing, Waiting } from './page.tsx'
import { useSession } from './session.tsx'
import { useAction, useCommand } from './use-action.ts'
import { usePages } from './use-pages.ts'

/** The words of a notification in the language on screen. */
export function useNotificationText(): (notification: Notification) => { title: string; message: string } {
  const { t } = useTranslation()
  const words = useWords()
  return ({ text }) => {
    const analyte = analyteByCode(String(text.values.analyte ?? ''))
    const panel = panelByCode(String(text.values.panel ?? ''))
    const values = {
      ...text.values,
      analyte: analyte ? words(analyte.name, analyte.nameArabic) : text.values.analyte,
      panel: panel ? words(panel.name, panel.nameArabic) : text.values.panel,
      ...(text.values.unit === undefined ? {} : { unit: unitText(String(text.values.unit)) }),
    }
    return { title: t(`notifications.${text.key}.title`, values), message: t(`notifications.${text.key}.message`, values) }
  }
}

/** What waits for the one who is signed in, newest first; as many as can stand in front of somebody. */
export function useOpenAlerts() {
  return useAction(listNotifications, { open: true, limit: 50 }, { refetchSeconds: 30 })
}

/** Notifications lead into the provider's portal; where that is not open there is nothing to lead to. */
export function useOpenable(): (notification: Notification) => string | undefined {
  const { session } = useSession()
  return ({ action }) => (action?.url.startsWith(`/${session?.user.portal}/`) ? action.url : undefined)
}

/** The bell with what is unread, and the list behind it. */
export function AlertBell() {
  const { t } = useTranslation()
  const [opened, { open, close }] = useDisclosure(false)
  const { data } = useOpenAlerts()
  const count = (data?.unread ?? 0) + (data?.unacknowledged ?? 0)
  return (
    <>
      <Indicator disabled={count === 0} label={count > 99 ? '99+' : count} size={17} color="critical">
        <ActionIcon variant="default" size="lg" onClick={open} aria-label={t('notifications.bell', { count })}>
          <IconBell size={18} aria-hidden />
        </ActionIcon>
      </Indicator>
      <Drawer opened={opened} onClose={close} position="right" title={t('notifications.title')} styles={{ title: { fontWeight: 700, fontSize: 'var(--mantine-font-size-lg)' } }} closeButtonProps={{ 'aria-label': t('common.close') }}>
        <Notifications onLeave={close} />
      </Drawer>
    </>
  )
}

function Notifications({ onLeave }: { onLeave(): void }) {
  const { t } = useTranslation()
  const [which, setWhich] = useState<'open' | 'all'>('open')
  return (
    <Stack>
      <SegmentedControl
        fullWidth
        size="xs"
        aria-label={t('notifications.which')}
        value={which}
        onChange={(value) => setWhich(value as 'open')}
        data={[
          { value: 'open', label: t('notifications.waiting') },
          { value: 'all', label: t('notifications.all') },
        ]}
      />
      <NotificationList key={which} open={which === 'open'} onLeave={onLeave} />
    </Stack>
  )
}

function NotificationList({ open, onLeave }: { open: boolean; onLeave(): void }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const markRead = useCommand(readNotification)
  const { rows, first, more, error, retry } = usePages(listNotifications, { open, limit: 30 }, { rowsOf: ({ notifications }) => notifications, keyOf: ({ id }) => id })
  const leadTo = (notification: Notification, url: string): void => {
    onLeave()
    markRead.mutate({ ids: [notification.id] })
    void navigate({ to: url })
  }
  const unread = rows.filter(({ readAt, requiresAcknowledgment }) => readAt === undefined && !requiresAcknowledgment)
  return (
    <>
      <ErrorNote error={error} onRetry={retry} />
      {!first && !error && <Waiting />}
      {first && rows.length === 0 && <Nothing>{t(open ? 'notifications.none' : 'notifications.never')}</Nothing>}
      {unread.length > 1 && (
        <Button size="compact-sm" variant="subtle" onClick={() => markRead.mutate({ ids: unread.slice(0, 100).map(({ id }) => id) })}>
          {t('notifications.readAll')}
        </Button>
      )}
      <VirtualRows
        rows={rows}
        keyOf={({ id }) => id}
        estimate={110}
        scroll={{ maxHeight: 'calc(100dvh - 170px)' }}
        holder={{ role: 'list', 'aria-label': t('notifications.title') }}
        onEnd={more.hasMore && !more.isLoading ? more.load : undefined}
      >
        {(notification, _index, placed) => (
          // biome-ignore lint/a11y/useSemanticElements: the rows of the list stand in an element that is shared with other lists.
          <div role="listitem" style={{ paddingBottom: 8 }} {...placed}>
            <Row notification={notification} onOpen={leadTo} onRead={() => markRead.mutate({ ids: [notification.id] })} />
          </div>
        )}
      </VirtualRows>
    </>
  )
}

function Row({ notification, onOpen, onRead }: { notification: Notification; onOpen(notification: Notification, url: string): void; onRead(): void }) {
  const { t } = useTranslation()
  const language = useLanguage()
  const words = useWords()
  const textOf = useNotificationText()
  const url = useOpenable()(notification)
  const { title, message } = textOf(notification)
  const { details, requiresAcknowledgment, acknowledgedAt, acknowledgedBy, readAt, patientName, patientNameArabic, mrn } = notification
  const isWaiting = requiresAcknowledgment && acknowledgedAt === undefined
  return (
    <Paper p="sm" style={isWaiting ? { borderColor: 'var(--mantine-color-critical-outline)' } : undefined}>
      <Group justify="space-between" wrap="nowrap" align="flex-start" gap="xs">
        <Stack gap={2} style={{ minWidth: 0 }}>
          <Group gap={6} wrap="nowrap" c={isWaiting ? 'critical' : undefined}>
            {notification.priority === 'urgent' && <IconAlertOctagon size={16} aria-hidden style={{ flexShrink: 0 }} />}
            <Text fw={readAt === undefined || isWaiting ? 700 : 500}>{title}</Text>
          </Group>
          {patientName && (
            <Text size="sm" fw={600}>
              {words(patientName, patientNameArabic)} {mrn && <bdi dir="ltr">{mrn}</bdi>}
            </Text>
          )}
          <Text size="sm">
            {details?.value !== undefined && (
              <>
                <b>
                  <bdi dir="ltr">
                    {details.value} {unitText(details.unit ?? '')}
                  </bdi>
                </b>
                {' · '}
              </>
            )}
            <bdi>{message}</bdi>
          </Text>
          <Text size="xs" c="dimmed">
            {formatDate(notification.createdAt, language, 'both')}
            {acknowledgedBy && (
              <>
                {' · '}
                {t('notifications.takenBy')} <bdi>{acknowledgedBy}</bdi>
              </>
            )}
          </Text>
        </Stack>
        {url ? (
          <Button size="compact-sm" variant="default" onClick={() => onOpen(notification, url)} style={{ flexShrink: 0 }}>
            {t('notifications.open')}
          </Button>
        ) : (
          readAt === undefined &&
          !requiresAcknowledgment && (
            <Button size="compact-sm" variant="default" onClick={onRead} style={{ flexShrink: 0 }}>
              {t('notifications.read')}
            </Button>
          )
        )}
      </Group>
    </Paper>
  )
}
