import { Badge, Button, Group, Stack, Text } from '@mantine/core'
import type { OpenSession } from '@carespine/identity/contract'
import { useTranslation } from 'react-i18next'
import { formatMoment, useLanguage } from './i18n.ts'

/** Sessions as a person knows them: device and address, portal, since when, last used. */
export function SessionList({ sessions, onEnd, isBusy }: { sessions: readonly OpenSession[]; onEnd(sessionId: string): void; isBusy: boolean }) {
  const { t } = useTranslation()
  const language = useLanguage()
  return (
    <Stack component="ul" gap="sm" p={0} m={0} style={{ listStyle: 'none' }}>
      {sessions.map(({ id, device, address, portal, startedAt, activeAt, current }) => (
        <Group key={id} component="li" justify="space-between" wrap="wrap" gap="sm">
          <div>
            <Group gap="xs">
              <Text fw={600}>{device === '' ? t('account.unknownDevice') : <bdi>{device}</bdi>}</Text>
              {current && (
                <Badge color="teal" variant="light">
                  {t('account.thisOne')}
                </Badge>
              )}
            </Group>
            <Text size="sm">
              {t(`portal.${portal}`)} · <bdi dir="ltr">{address}</bdi>
            </Text>
            <Text size="sm" c="dimmed">
              {t('account.since', { started: formatMoment(startedAt, language), active: formatMoment(activeAt, language) })}
            </Text>
          </div>
          {!current && (
            <Button size="compact-md" variant="default" disabled={isBusy} aria-label={t('account.endOf', { device: device === '' ? t('account.unknownDevice') : device, active: formatMoment(activeAt, language) })} onClick={() => onEnd(id)}>
              {t('account.end')}
            </Button>
          )}
        </Group>
      ))}
    </Stack>
  )
}
