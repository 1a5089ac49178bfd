import { Alert, Button, PasswordInput, Select, Stack, TextInput } from '@mantine/core'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { Login, PORTALS } from '@carespine/identity/contract'
import type { SecondStep, WardPeople } from '@carespine/identity/factor-contract'
import { IconFingerprint } from '@tabler/icons-react'
import { type FormEvent, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { signIn } from './api.ts'
import { Entrance } from './entrance.tsx'
import { useWords } from './i18n.ts'
import { ErrorNote } from './page.tsx'
import { SecondStepForm, signInByPasskey } from './second-step-form.tsx'
import { useFaults } from './use-faults.ts'
import { askWardPeople, isWardComputer } from './ward-computer.ts'
import { WardSignIn } from './ward-sign-in.tsx'

const LAST_PORTAL = 'carespine-portal'
/** Passkeys belong to a name; at an address of numbers there are none. */
const canUsePasskeys = window.PublicKeyCredential !== undefined && !/^[\d.]+$|:/.test(window.location.hostname)

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
  const [step, setStep] = useState<SecondStep>()
  const [ward, setWard] = useState<WardPeople>()
  const words = useWords()
  useEffect(() => {
    // Without an answer there is the usual way.
    if (isWardComputer()) askWardPeople().then(setWard, () => undefined)
  }, [])
  const faults = useFaults(Login, { email, password, portal })

  const enter = async (): Promise<void> => {
    localStorage.setItem(LAST_PORTAL, portal)
    // An app waits for whoever signs in, to whichever portal.
    await navigate({ to: back?.split('/')[1] === portal || back === '/authorize' ? back : `/${portal}` })
  }
  const byPasskey = async (): Promise<void> => {
    setBusy(true)
    setError(undefined)
    try {
      await signInByPasskey(portal)
      await enter()
    } catch (fault) {
      setError(fault)
    } finally {
      setBusy(false)
    }
  }
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    if (!faults.check()) return
    setBusy(true)
    setError(undefined)
    try {
      const answer = await signIn({ email, password, portal })
      if ('secondStep' in answer) setStep(answer.secondStep)
      else await enter()
    } catch (fault) {
      setError(fault)
    } finally {
      setBusy(false)
    }
  }
  if (step) {
    return (
      <Entrance title={t('factors.stepTitle')} lead={email}>
        <SecondStepForm step={step} onDone={() => void enter()} onOver={() => setStep(undefined)} />
      </Entrance>
    )
  }
  if (ward?.computer) {
    return (
      <Entrance title={t('ward.signIn')} lead={`${ward.computer.name} · ${words(ward.computer.branch, ward.computer.branchArabic)}`}>
        <WardSignIn people={ward.people} onFull={() => setWard(undefined)} />
      </Entrance>
    )
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
          {canUsePasskeys && (
            <Button variant="default" leftSection={<IconFingerprint size={18} aria-hidden />} disabled={busy} onClick={() => void byPasskey()} fullWidth>
              {t('factors.signInByPasskey')}
            </Button>
          )}
        </Stack>
      </form>
    </Entrance>
  )
}
