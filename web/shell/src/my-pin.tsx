import { Button, Group, PasswordInput, Stack, Text, TextInput } from '@mantine/core'
import { myFactors, removeBadge, removePin, setBadge, setPin } from '@carespine/identity/factor-contract'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ask } from './api.ts'
import { Dialog } from './dialog.tsx'
import { formatDate, useLanguage } from './i18n.ts'
import { ErrorNote, Waiting } from './page.tsx'
import { useAllowed } from './session.tsx'
import { useAction, useCommand } from './use-action.ts'
import { askWardPeople, useIsWardComputer } from './ward-computer.ts'

/** PIN and badge for computers that a ward shares; and, for who may, making this one such a computer. */
export function MyPin() {
  const { t } = useTranslation()
  const language = useLanguage()
  const allowed = useAllowed()
  const { data, error, refetch, isPending } = useAction(myFactors, {})
  const [doing, setDoing] = useState<'pin' | 'badge' | 'computer'>()
  const isKnown = useIsWardComputer()
  const dropPin = useCommand(removePin)
  const dropBadge = useCommand(removeBadge)
  const close = (): void => setDoing(undefined)
  const parts = [
    { key: 'pin', since: data?.pinSince, drop: dropPin },
    { key: 'badge', since: data?.badgeSince, drop: dropBadge },
  ] as const
  return (
    <>
      <Text size="sm">{t('ward.lead')}</Text>
      <ErrorNote error={error} onRetry={() => void refetch()} />
      {isPending && <Waiting />}
      {data &&
        parts.map(({ key, since, drop }) => (
          <Group key={key} justify="space-between" gap="xs">
            <div>
              <Text fw={600}>{t(`ward.${key}`)}</Text>
              <Text size="sm" c="dimmed">
                {since === undefined ? t('ward.none') : t('factors.since', { date: formatDate(since, language, 'date') })}
              </Text>
            </div>
            <Group gap="xs">
              <Button variant="default" onClick={() => setDoing(key)} aria-label={t(`ward.${key}Change`)}>
                {t('ward.choose')}
              </Button>
              {since !== undefined && (
                <Button variant="default" loading={drop.isPending} onClick={() => drop.mutate({})} aria-label={t(`ward.${key}Remove`)}>
                  {t('factors.remove')}
                </Button>
              )}
            </Group>
          </Group>
        ))}
      <ErrorNote error={dropPin.error ?? dropBadge.error} />
      {allowed('identity.ward-computers') && (
        <Group justify="space-between" gap="xs">
          <div>
            <Text fw={600}>{t('ward.thisComputer')}</Text>
            <Text size="sm" c="dimmed">
              {t(isKnown ? 'ward.enrolled' : 'ward.notEnrolled')}
            </Text>
          </div>
          <Button variant="default" onClick={() => setDoing('computer')}>
            {t('ward.enrol')}
          </Button>
        </Group>
      )}
      <Dialog opened={doing === 'pin'} onClose={close} title={t('ward.pinChange')}>
        <PinForm onDone={close} />
      </Dialog>
      <Dialog opened={doing === 'badge'} onClose={close} title={t('ward.badgeChange')}>
        <BadgeForm onDone={close} />
      </Dialog>
      <Dialog opened={doing === 'computer'} onClose={close} title={t('ward.enrol')}>
        <EnrolForm onDone={close} />
      </Dialog>
    </>
  )
}

function PinForm({ onDone }: { onDone(): void }) {
  const { t } = useTranslation()
  const set = useCommand(setPin)
  const [pin, setPinText] = useState('')
  const [again, setAgain] = useState('')
  const [fault, setFault] = useState<'digits' | 'differ'>()
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    const found = !setPin.input.safeParse({ pin }).success ? 'digits' : pin === again ? undefined : 'differ'
    setFault(found)
    if (!found) set.mutate({ pin }, { onSuccess: onDone })
  }
  const common = { dir: 'ltr', inputMode: 'numeric', autoComplete: 'off', visibilityToggleButtonProps: { 'aria-label': t('ward.showPin') } } as const
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        <PasswordInput {...common} label={t('ward.pin')} description={t('ward.pinRule')} data-autofocus value={pin} onChange={(event) => setPinText(event.currentTarget.value)} error={fault === 'digits' ? t('ward.pinRule') : undefined} />
        <PasswordInput {...common} label={t('ward.pinAgain')} value={again} onChange={(event) => setAgain(event.currentTarget.value)} error={fault === 'differ' ? t('ward.pinDiffers') : undefined} />
        <ErrorNote error={set.error} />
        <Button type="submit" loading={set.isPending}>
          {t('common.save')}
        </Button>
      </Stack>
    </form>
  )
}

function BadgeForm({ onDone }: { onDone(): void }) {
  const { t } = useTranslation()
  const set = useCommand(setBadge)
  const [code, setCode] = useState('')
  const [isShort, setShort] = useState(false)
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    const isRight = setBadge.input.safeParse({ code }).success
    setShort(!isRight)
    if (isRight) set.mutate({ code }, { onSuccess: onDone })
  }
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        <TextInput label={t('ward.badge')} description={t('ward.scan')} data-autofocus dir="ltr" autoComplete="off" value={code} onChange={(event) => setCode(event.currentTarget.value)} error={isShort ? t('ward.badgeShort') : undefined} />
        <ErrorNote error={set.error} />
        <Button type="submit" loading={set.isPending}>
          {t('common.save')}
        </Button>
      </Stack>
    </form>
  )
}

function EnrolForm({ onDone }: { onDone(): void }) {
  const { t } = useTranslation()
  const [name, setName] = useState('')
  const [isShort, setShort] = useState(false)
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    setShort(name.trim().length < 2)
    if (name.trim().length < 2) return
    setBusy(true)
    setError(undefined)
    try {
      await ask('/api/auth/ward-computer', { name })
      await askWardPeople()
      onDone()
    } catch (fault) {
      setError(fault)
    } finally {
      setBusy(false)
    }
  }
  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <Stack>
        <Text size="sm">{t('ward.enrolLead')}</Text>
        <TextInput label={t('ward.computerName')} description={t('ward.computerNameHint')} data-autofocus maxLength={60} value={name} onChange={(event) => setName(event.currentTarget.value)} error={isShort ? t('fault.required') : undefined} />
        <ErrorNote error={error} />
        <Button type="submit" loading={busy}>
          {t('ward.enrol')}
        </Button>
      </Stack>
    </form>
  )
}
