import { Button, Group } from '@mantine/core'
import { endMySessions, mySessions } from '@carespine/identity/contract'
import { useTranslation } from 'react-i18next'
import { ErrorNote, Waiting } from './page.tsx'
import { SessionList } from './session-list.tsx'
import { useAction, useCommand } from './use-action.ts'

/** Where the one who is signed in is signed in, and the end of each. */
export function MySessions() {
  const { t } = useTranslation()
  const list = useAction(mySessions, {})
  const end = useCommand(endMySessions)
  const sessions = list.data?.sessions
  const hasOthers = sessions?.some(({ current }) => !current) ?? false
  return (
    <>
      <ErrorNote error={list.error} onRetry={() => void list.refetch()} />
      <ErrorNote error={end.error} />
      {list.isPending && <Waiting />}
      {sessions && <SessionList sessions={sessions} onEnd={(sessionId) => end.mutate({ sessionId })} isBusy={end.isPending} />}
      {hasOthers && (
        <Group>
          <Button variant="default" loading={end.isPending} onClick={() => end.mutate({})}>
            {t('account.endOthers')}
          </Button>
        </Group>
      )}
    </>
  )
}
