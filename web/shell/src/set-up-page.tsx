import { Box, Button, Paper, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { type FormEvent, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { setUp } from './api.ts'
import { ErrorNote } from './page.tsx'

/** The first administrator of an empty installation. The token stands in the fragment, which no server log sees. */
export function SetUpPage() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const [form, setForm] = useState({ email: '', password: '', displayName: '' })
  const [error, setError] = useState<unknown>()
  useEffect(() => {
    document.title = `${t('setUp.title')} · Carespine`
  }, [t])
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    try {
      await setUp({ ...form, token: window.location.hash.slice(1) })
      await navigate({ to: '/sign-in' })
    } catch (fault) {
      setError(fault)
    }
  }
  return (
    <Box component="main" mih="100vh" p="md" style={{ display: 'grid', placeItems: 'center' }}>
      <Paper w="100%" maw={400} p="xl">
        <form onSubmit={(event) => void submit(event)}>
          <Stack>
            <Title order={1} size="h3">
              {t('setUp.title')}
            </Title>
            <Text>{t('setUp.lead')}</Text>
            <TextInput label={t('setUp.name')} required value={form.displayName} onChange={(event) => setForm({ ...form, displayName: event.currentTarget.value })} />
            <TextInput label={t('signIn.email')} type="email" required value={form.email} onChange={(event) => setForm({ ...form, email: event.currentTarget.value })} />
            <PasswordInput label={t('signIn.password')} description={t('setUp.length')} minLength={12} required value={form.password} onChange={(event) => setForm({ ...form, password: event.currentTarget.value })} visibilityToggleButtonProps={{ 'aria-label': t('signIn.showPassword') }} />
            <ErrorNote error={error} />
            <Button type="submit">{t('setUp.submit')}</Button>
          </Stack>
        </form>
      </Paper>
    </Box>
  )
}
