import { Alert, Button, Center, Group, Loader, Stack, Text, Title, VisuallyHidden } from '@mantine/core'
import { IconAlertTriangle, IconInbox } from '@tabler/icons-react'
import { type Vitals, vitalSigns } from '@carespine/encounters/contract'
import { analyteByCode } from '@carespine/pack-core/panels'
import { type ReactNode, useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError } from './api.ts'
import { useWords } from './i18n.ts'

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
      {banner && (
        <VisuallyHidden>
          <Title order={1}>{title}</Title>
        </VisuallyHidden>
      )}
      {(actions || !banner) && (
        <Group justify="space-between" wrap="wrap">
          {!banner && (
            <Title order={1} size="h3">
              {title}
            </Title>
          )}
          {actions}
        </Group>
      )}
      {children}
    </Stack>
  )
}

/** What a field that the server names is called on screen. */
function useFieldName(): (field: string) => string {
  const { t, i18n } = useTranslation()
  const words = useWords()
  return (field) => {
    const analyte = analyteByCode(field)
    if (analyte) return words(analyte.name, analyte.nameArabic)
    if (field in vitalSigns) return words(vitalSigns[field as keyof Vitals].display, vitalSigns[field as keyof Vitals].displayArabic)
    const key = `register.${field.split('.').at(-1)}`
    return i18n.exists(key) ? t(key) : field
  }
}

/** What went wrong, in the language on screen; when it is the server's fault, with the number that support asks for. */
export function ErrorNote({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { t, i18n } = useTranslation()
  const nameOf = useFieldName()
  if (!error) return null
  const api = error instanceof ApiError ? error : undefined
  const key = `refusals.${api?.code ?? 'INTERNAL'}`
  const text = i18n.exists(key) ? t(key) : (api?.message ?? t('refusals.INTERNAL'))
  const fields = (api?.details.fields as (string | { field: string })[] | undefined) ?? []
  const reference = api && api.status >= 500 ? api.correlationId : undefined
  return (
    <Alert role="alert" color="critical" variant="light" icon={<IconAlertTriangle aria-hidden />}>
      <Text size="sm" fw={600}>
        {text}
      </Text>
      {fields.length > 0 && <Text size="sm">{fields.map((field) => nameOf(typeof field === 'string' ? field : field.field)).join(' · ')}</Text>}
      {(onRetry || reference) && (
        <Group gap="sm" mt="xs">
          {reference && (
            <Text size="xs" c="dimmed">
              {t('common.reference')} <bdi>{reference}</bdi>
            </Text>
          )}
          {onRetry && (
            <Button size="compact-sm" variant="default" onClick={onRetry}>
              {t('common.retry')}
            </Button>
          )}
        </Group>
      )}
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

/** An empty list: that it is empty, and what one can do about it. */
export function Nothing({ children, action }: { children: ReactNode; action?: ReactNode }) {
  return (
    <Center p="xl">
      <Stack align="center" gap="xs">
        <IconInbox aria-hidden size={36} stroke={1.2} color="var(--mantine-color-dimmed)" />
        <Text c="dimmed" ta="center" maw={420}>
          {children}
        </Text>
        {action}
      </Stack>
    </Center>
  )
}
