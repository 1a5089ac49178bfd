import { Alert, Button, PasswordInput, Select, Stack, TextInput } from '@mantine/core'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { Login, PORTALS } from '@carespine/identity/contract'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { signIn } from './api.ts'
import { Entrance } from './entrance.tsx'
import { ErrorNote } from './page.tsx'
import { useFaults } from './use-faults.ts'

const LAST_PORTAL = 'carespine-portal'

/** Sign-in: who, and to which portal. Whoever was sent here from a page goes back to it. */
export function SignInPage() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const { back, made } = useSearch({ strict: false }) as { back?: string; made?: boolean }
  const fromLink = back?.split('/')[1] ?? ''
  const remembered = localStorage.getItem(LAST_PORTAL) ?? 'provider'
  const [portal, setPortal] = useState<string>((PORTALS as readonly string[]).includes(fromLink) ? fromLink : remembered)
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const faults = useFaults(Login, { email, password, portal })

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    if (!faults.check()) return
    setBusy(true)
    setError(undefined)
    try {
      await signIn({ email, password, portal })
      localStorage.setItem(LAST_PORTAL, portal)
      await navigate({ to: back?.split('/')[1] === portal ? back : `/${portal}` })
    } catch (fault) {
      setError(fault)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Entrance title={t('signIn.title')} lead={t('signIn.lead')}>
      {made && (
        <Alert role="status" color="teal" variant="light">
          {t('signIn.made')}
        </Alert>
      )}
      <form onSubmit={(event) => void submit(event)} noValidate>
        <Stack>
          <Select label={t('signIn.portal')} data={PORTALS.map((value) => ({ value, label: t(`portal.${value}`) }))} value={portal} onChange={(value) => setPortal(value ?? 'provider')} allowDeselect={false} />
          <TextInput label={t('signIn.email')} type="email" autoComplete="username" dir="ltr" autoFocus value={email} onChange={(event) => setEmail(event.currentTarget.value)} error={faults.of('email')} />
          <PasswordInput label={t('signIn.password')} autoComplete="current-password" dir="ltr" value={password} onChange={(event) => setPassword(event.currentTarget.value)} error={faults.of('password')} visibilityToggleButtonProps={{ 'aria-label': t('signIn.showPassword') }} />
          <ErrorNote error={error} />
          <Button type="submit" loading={busy} fullWidth>
            {t('signIn.submit')}
          </Button>
        </Stack>
      </form>
    </Entrance>
  )
}
