import { Button, Group, Stack, Text } from '@mantine/core'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { idleSeconds, onActivity } from './activity.ts'
import { lock, reportActivity } from './api.ts'
import { Dialog } from './dialog.tsx'
import { useSession } from './session.tsx'

/** Said this long before the end. */
const WARN_SECONDS = 60

/**
 * Watches how long the session still lasts: tells the server that its person is here, warns before the end, and covers the
 * screen when it has come.
 */
export function SessionWatch() {
  const { t } = useTranslation()
  const { session, locked, endsAt } = useSession()
  const [left, setLeft] = useState<{ seconds: number; why: 'idle' | 'too long' }>()
  const limit = session?.clock.idleSeconds
  const isWatched = session !== undefined && locked === undefined

  useEffect(() => {
    if (!isWatched || limit === undefined) return
    let reportedAt = Date.now()
    const every = Math.min(60, limit / 5) * 1000
    const stop = onActivity(() => {
      if (Date.now() - reportedAt < every) return
      reportedAt = Date.now()
      void reportActivity().catch(() => undefined)
    })
    const look = (): void => {
      const whole = (endsAt - Date.now()) / 1000
      const idle = limit - idleSeconds()
      const seconds = Math.ceil(Math.min(whole, idle))
      const why = whole < idle ? 'too long' : 'idle'
      if (seconds <= 0) {
        setLeft(undefined)
        void lock(why)
      } else setLeft(seconds <= Math.min(WARN_SECONDS, limit / 2) ? { seconds, why } : undefined)
    }
    const timer = setInterval(look, 1000)
    return () => {
      stop()
      clearInterval(timer)
      setLeft(undefined)
    }
  }, [isWatched, limit, endsAt])

  const stay = (): void => {
    setLeft(undefined)
    void reportActivity().catch(() => undefined)
  }
  return (
    <Dialog opened={left !== undefined} onClose={stay} title={t('lock.soon')}>
      <Stack>
        <Text role="timer">{t(left?.why === 'too long' ? 'lock.endsIn' : 'lock.idleIn', { count: left?.seconds ?? 0 })}</Text>
        <Text size="sm">{t('lock.kept')}</Text>
        <Group justify="flex-end">
          <Button data-autofocus onClick={stay}>
            {t(left?.why === 'too long' ? 'lock.understood' : 'lock.stay')}
          </Button>
        </Group>
      </Stack>
    </Dialog>
  )
}
