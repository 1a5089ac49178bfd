import { Alert, Button, Center, Group, Loader, Stack, Text, Title, VisuallyHidden } from '@mantine/core'
import { IconAlertTriangle, IconInbox } from '@tabler/icons-react'
import { type ReactNode, useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError } from './api.ts'

/**
 * A page: its title on screen and in the browser's tab, and what one can do on it. With `banner`, that stands where the
 * title would: on pages about a patient the banner names them already.
 */
export function Page({ title, banner, actions, children }: { title: string; banner?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Carespine`
  }, [title])
  return (
    <Stack gap="md">
      {banner}
      <Group justify="space-between" wrap="wrap">
        {banner ? (
          <VisuallyHidden>
            <Title order={1}>{title}</Title>
          </VisuallyHidden>
        ) : (
          <Title order={1} size="h3" tabIndex={-1}>
            {title}
          </Title>
        )}
        {actions}
      </Group>
      {children}
    </Stack>
  )
}

/** What went wrong, in the language on screen, with the number that support asks for. */
export function ErrorNote({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { t, i18n } = useTranslation()
  if (!error) return null
  const api = error instanceof ApiError ? error : undefined
  const key = `refusals.${api?.code ?? 'INTERNAL'}`
  const text = i18n.exists(key) ? t(key) : (api?.message ?? t('refusals.INTERNAL'))
  const fields = (api?.details.fields as (string | { field: string; problem: string })[] | undefined) ?? []
  return (
    <Alert role="alert" color="red" variant="light" icon={<IconAlertTriangle aria-hidden />} title={text}>
      {fields.length > 0 && (
        <Text size="sm">
          {fields.map((field) => (typeof field === 'string' ? field : `${field.field}: ${field.problem}`)).join(' · ')}
        </Text>
      )}
      <Group gap="sm">
        {api?.correlationId && (
          <Text size="xs" c="dimmed">
            {t('common.reference')} <bdi>{api.correlationId}</bdi>
          </Text>
        )}
        {onRetry && (
          <Button size="compact-sm" variant="default" onClick={onRetry}>
            {t('common.retry')}
          </Button>
        )}
      </Group>
    </Alert>
  )
}

export function Waiting() {
  const { t } = useTranslation()
  return (
    <Center p="xl">
      <Loader aria-label={t('common.loading')} />
    </Center>
  )
}

export function Nothing({ children }: { children: ReactNode }) {
  return (
    <Center p="xl">
      <Stack align="center" gap="xs">
        <IconInbox aria-hidden size={36} stroke={1.2} color="var(--mantine-color-dimmed)" />
        <Text c="dimmed">{children}</Text>
      </Stack>
    </Center>
  )
}
