import { Button, PasswordInput, Select, Stack, Text, TextInput } from '@mantine/core'
import type { WardPeople } from '@carespine/identity/factor-contract'
import { type FormEvent, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ErrorNote } from './page.tsx'
import { goOnByPin } from './ward-computer.ts'

/**
 * Going on at a computer that a ward shares. A badge is scanned, which types its code and presses Enter, then the PIN is
 * typed; who has no badge at hand chooses their name.
 */
export function WardSignIn({ people, onFull }: { people: WardPeople['people']; onFull(): void }) {
  const { t } = useTranslation()
  const [badge, setBadge] = useState('')
  const [userId, setUserId] = useState<string | null>(null)
  const [pin, setPin] = useState('')
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const badgeInput = useRef<HTMLInputElement>(null)
  const pinInput = useRef<HTMLInputElement>(null)
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    const missing = badge.trim() === '' && userId === null ? badgeInput : pin === '' ? pinInput : undefined
    if (missing) {
      missing.current?.focus()
      return
    }
    setBusy(true)
    setError(undefined)
    try {
      await goOnByPin(badge.trim() === '' ? { userId: userId ?? '' } : { badge }, pin)
    } catch (fault) {
      setError(fault)
      setPin('')
      setBusy(false)
      pinInput.current?.focus()
    }
  }
  return (
    <Stack>
      <form onSubmit={(event) => void submit(event)} noValidate>
        <Stack>
          <TextInput ref={badgeInput} label={t('ward.badge')} description={t('ward.scan')} autoFocus dir="ltr" autoComplete="off" disabled={userId !== null} value={badge} onChange={(event) => setBadge(event.currentTarget.value)} />
          {people.length > 0 && (
            <Select label={t('ward.name')} placeholder={t('ward.orName')} clearable data={people.map(({ id, display }) => ({ value: id, label: display }))} value={userId} onChange={setUserId} clearButtonProps={{ 'aria-label': t('ward.noName') }} />
          )}
          <PasswordInput ref={pinInput} label={t('ward.pin')} dir="ltr" inputMode="numeric" autoComplete="off" value={pin} onChange={(event) => setPin(event.currentTarget.value)} visibilityToggleButtonProps={{ 'aria-label': t('ward.showPin') }} />
          <ErrorNote error={error} />
          <Button type="submit" loading={busy} fullWidth>
            {t('ward.goOn')}
          </Button>
        </Stack>
      </form>
      <Text size="sm">{t('ward.fullLead')}</Text>
      <Button variant="default" onClick={onFull} fullWidth>
        {t('ward.full')}
      </Button>
    </Stack>
  )
}
