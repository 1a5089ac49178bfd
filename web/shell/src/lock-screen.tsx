import { Button, PasswordInput, Stack, Text } from '@mantine/core'
import type { SecondStep } from '@carespine/identity/factor-contract'
import { IconLock } from '@tabler/icons-react'
import { type FormEvent, useEffect, useRef, useState } from 'react'
import { createPortal } from 'react-dom'
import { useTranslation } from 'react-i18next'
import { signIn } from './api.ts'
import { Entrance } from './entrance.tsx'
import { ErrorNote } from './page.tsx'
import { SecondStepForm } from './second-step-form.tsx'
import { useSession } from './session.tsx'

/** Where the cover lies, beside everything else: `base.css` hides the rest of the page while it is there. */
function useCover(isLocked: boolean): HTMLElement {
  const [cover] = useState(() => Object.assign(document.createElement('div'), { id: 'lock' }))
  useEffect(() => {
    if (!isLocked) return
    const { activeElement } = document
    const scrolled = window.scrollY
    const { title } = document
    document.body.append(cover)
    document.documentElement.dataset.locked = ''
    cover.querySelector<HTMLElement>('input[type="password"]')?.focus()
    // A dialog below the cover would else take Escape for itself and drop what was written in it.
    const first = document.body.getAttribute('data-mantine-stop-propagation')
    document.body.setAttribute('data-mantine-stop-propagation', 'true')
    const mark = ({ target }: FocusEvent): void => (target as Element).setAttribute('data-mantine-stop-propagation', 'true')
    cover.addEventListener('focusin', mark)
    return () => {
      cover.removeEventListener('focusin', mark)
      if (first === null) document.body.removeAttribute('data-mantine-stop-propagation')
      delete document.documentElement.dataset.locked
      cover.remove()
      document.title = title
      window.scrollTo({ top: scrolled })
      if (activeElement instanceof HTMLElement) activeElement.focus({ preventScroll: true })
    }
  }, [isLocked, cover])
  return cover
}

/**
 * Covers the page when the session has ended. What was on it, half-written notes too, stays in memory and comes back for the
 * same person's password; somebody else begins with a fresh page.
 */
export function LockScreen() {
  const { session, locked } = useSession()
  const cover = useCover(locked !== undefined)
  if (locked === undefined || !session) return null
  return createPortal(<Unlock />, cover)
}

function Unlock() {
  const { t } = useTranslation()
  const { session, locked } = useSession()
  const [password, setPassword] = useState('')
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const [step, setStep] = useState<SecondStep>()
  const input = useRef<HTMLInputElement>(null)

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    if (password === '' || !session) return
    setBusy(true)
    setError(undefined)
    try {
      const answer = await signIn({ email: session.user.email, password, portal: session.user.portal ?? '' })
      if ('secondStep' in answer) setStep(answer.secondStep)
    } catch (fault) {
      setError(fault)
      setPassword('')
      input.current?.focus()
    } finally {
      setBusy(false)
    }
  }
  const why = locked === 'by-hand' ? 'byHand' : locked === 'idle' ? 'idle' : locked === 'too long' ? 'tooLong' : 'ended'
  return (
    <Entrance title={t('lock.title', { name: session?.user.display ?? '' })} lead={t(`lock.why.${why}`)}>
      {step ? <SecondStepForm step={step} onOver={() => setStep(undefined)} /> : <form onSubmit={(event) => void submit(event)} noValidate>
        <Stack>
          <Text size="sm">{t('lock.kept')}</Text>
          <input type="email" autoComplete="username" value={session?.user.email ?? ''} readOnly hidden />
          <PasswordInput ref={input} label={t('signIn.password')} autoComplete="current-password" dir="ltr" value={password} onChange={(event) => setPassword(event.currentTarget.value)} visibilityToggleButtonProps={{ 'aria-label': t('signIn.showPassword') }} />
          <ErrorNote error={error} />
          <Button type="submit" loading={busy} leftSection={<IconLock size={16} aria-hidden />} fullWidth>
            {t('lock.open')}
          </Button>
          <Button variant="default" fullWidth onClick={() => window.location.assign('/sign-in')}>
            {t('lock.somebodyElse')}
          </Button>
        </Stack>
      </form>}
    </Entrance>
  )
}
