import { Box, Button, Group, Paper, PasswordInput, SegmentedControl, Select, Stack, Text, TextInput, Title } from '@mantine/core'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { PORTALS } from '@carespine/identity/contract'
import { type FormEvent, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { signIn } from './api.ts'
import { chooseLanguage, type Language, useLanguage } from './i18n.ts'
import { ErrorNote } from './page.tsx'

const LAST_PORTAL = 'carespine-portal'

export function LanguageSwitch() {
  const language = useLanguage()
  const { t } = useTranslation()
  return (
    <SegmentedControl
      size="xs"
      aria-label={t('shell.language')}
      value={language}
      onChange={(value) => void chooseLanguage(value as Language)}
      data={[
        { value: 'en', label: 'English' },
        { value: 'ar', label: 'العربية' },
      ]}
    />
  )
}

/** Sign-in: who, and to which portal. */
export function SignInPage() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const { back } = useSearch({ strict: false }) as { back?: string }
  const fromLink = back?.split('/')[1] ?? ''
  const remembered = localStorage.getItem(LAST_PORTAL) ?? 'provider'
  const [portal, setPortal] = useState<string>((PORTALS as readonly string[]).includes(fromLink) ? fromLink : remembered)
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  useEffect(() => {
    document.title = `${t('signIn.title')} · Carespine`
  }, [t])

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    setBusy(true)
    setError(undefined)
    try {
      await signIn({ email, password, portal })
      localStorage.setItem(LAST_PORTAL, portal)
      await navigate({ to: back?.startsWith(`/${portal}`) ? back : `/${portal}` })
    } catch (fault) {
      setError(fault)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Box component="main" mih="100vh" p="md" style={{ display: 'grid', placeItems: 'center', background: 'linear-gradient(160deg, var(--mantine-color-teal-light), transparent 60%)' }}>
      <Paper w="100%" maw={400} p="xl" shadow="sm">
        <form onSubmit={(event) => void submit(event)}>
          <Stack>
            <Group justify="space-between">
              <Title order={1} size="h2">
                Carespine
              </Title>
              <LanguageSwitch />
            </Group>
            <Text c="var(--mantine-color-text)">{t('signIn.lead')}</Text>
            <Select label={t('signIn.portal')} data={PORTALS.map((value) => ({ value, label: t(`portal.${value}`) }))} value={portal} onChange={(value) => setPortal(value ?? 'provider')} allowDeselect={false} required />
            <TextInput label={t('signIn.email')} type="email" autoComplete="username" dir="ltr" value={email} onChange={(event) => setEmail(event.currentTarget.value)} required />
            <PasswordInput label={t('signIn.password')} autoComplete="current-password" dir="ltr" value={password} onChange={(event) => setPassword(event.currentTarget.value)} required visibilityToggleButtonProps={{ 'aria-label': t('signIn.showPassword') }} />
            <ErrorNote error={error} />
            <Button type="submit" loading={busy} fullWidth>
              {t('signIn.submit')}
            </Button>
          </Stack>
        </form>
      </Paper>
    </Box>
  )
}
