import { Button, Group, Paper, Stack, Text } from '@mantine/core'
import { type AllowedApp, myApps, takeBack } from '@carespine/link-smart/contract'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { WishList } from './app-wishes.tsx'
import { Dialog } from './dialog.tsx'
import { formatDate, useLanguage, useWords } from './i18n.ts'
import { ErrorNote, Waiting } from './page.tsx'
import { useAction, useCommand } from './use-action.ts'

/** Apps that the one who is signed in has let in, with what each may do, and the end of it. */
export function MyApps() {
  const { t } = useTranslation()
  const words = useWords()
  const language = useLanguage()
  const list = useAction(myApps, {})
  const [ending, setEnding] = useState<AllowedApp>()
  const apps = list.data?.apps
  return (
    <>
      <ErrorNote error={list.error} onRetry={() => void list.refetch()} />
      {list.isPending && <Waiting />}
      {apps?.length === 0 && <Text size="sm">{t('apps.none')}</Text>}
      {apps?.map((app) => (
        <Paper key={app.client} p="sm" component="section" aria-label={words(app.name, app.nameArabic)}>
          <Stack gap="xs">
            <Group justify="space-between">
              <Text fw={600}>{words(app.name, app.nameArabic)}</Text>
              <Button size="compact-sm" variant="default" onClick={() => setEnding(app)} aria-label={t('apps.takeBackFrom', { app: words(app.name, app.nameArabic) })}>
                {t('apps.takeBack')}
              </Button>
            </Group>
            <WishList wishes={app.wishes} />
            <Text size="xs" c="dimmed">
              {t('apps.since', { since: formatDate(app.since, language), used: formatDate(app.usedAt, language, 'both') })}
            </Text>
          </Stack>
        </Paper>
      ))}
      <Dialog opened={ending !== undefined} onClose={() => setEnding(undefined)} title={t('apps.takeBackFrom', { app: ending ? words(ending.name, ending.nameArabic) : '' })}>
        {ending && <TakeBack app={ending} onDone={() => setEnding(undefined)} />}
      </Dialog>
    </>
  )
}

function TakeBack({ app, onDone }: { app: AllowedApp; onDone(): void }) {
  const { t } = useTranslation()
  const end = useCommand(takeBack)
  return (
    <Stack>
      <Text size="sm">{t('apps.takeBackMeans')}</Text>
      <ErrorNote error={end.error} />
      <Group justify="flex-end">
        <Button variant="default" onClick={onDone} data-autofocus>
          {t('common.cancel')}
        </Button>
        <Button color="critical" loading={end.isPending} onClick={() => end.mutate({ client: app.client }, { onSuccess: onDone })}>
          {t('apps.takeBack')}
        </Button>
      </Group>
    </Stack>
  )
}
