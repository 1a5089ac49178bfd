import { Button, PasswordInput, Stack, TextInput } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { Setup } from '@carespine/identity/contract'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { setUp } from './api.ts'
import { Entrance } from './entrance.tsx'
import { ErrorNote } from './page.tsx'
import { useFaults } from './use-faults.ts'

const Asked = Setup.pick({ displayName: true, email: true, password: true })

/** The first administrator of an empty installation. The token stands in the fragment, which no server log sees. */
export function SetUpPage() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const [form, setForm] = useState({ displayName: '', email: '', password: '' })
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const faults = useFaults(Asked, form)
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    if (!faults.check()) return
    setBusy(true)
    setError(undefined)
    try {
      await setUp({ ...form, token: window.location.hash.slice(1) })
      // The desk comes first: without patients there is nothing to see elsewhere.
      await navigate({ to: '/sign-in', search: { back: '/hub', made: true } })
    } catch (fault) {
      setError(fault)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Entrance title={t('setUp.title')} lead={t('setUp.lead')}>
      <form onSubmit={(event) => void submit(event)} noValidate>
        <Stack>
          <TextInput label={t('setUp.name')} withAsterisk autoFocus autoComplete="name" value={form.displayName} onChange={(event) => setForm({ ...form, displayName: event.currentTarget.value })} error={faults.of('displayName')} />
          <TextInput label={t('signIn.email')} withAsterisk type="email" autoComplete="username" dir="ltr" value={form.email} onChange={(event) => setForm({ ...form, email: event.currentTarget.value })} error={faults.of('email')} />
          <PasswordInput label={t('signIn.password')} withAsterisk autoComplete="new-password" description={t('setUp.length')} dir="ltr" value={form.password} onChange={(event) => setForm({ ...form, password: event.currentTarget.value })} error={faults.of('password')} visibilityToggleButtonProps={{ 'aria-label': t('signIn.showPassword') }} />
          <ErrorNote error={error} />
          <Button type="submit" loading={busy}>
            {t('setUp.submit')}
          </Button>
        </Stack>
      </form>
    </Entrance>
  )
}
