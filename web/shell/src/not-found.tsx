import { Button, Paper, Stack, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { Page } from './page.tsx'

/** There is nothing at this address; where to go instead. `home` is where the link leads. */
export function NotFound({ home }: { home: string }) {
  const { t } = useTranslation()
  return (
    <Page title={t('notFound.title')}>
      <Paper maw={620} p="lg">
        <Stack align="flex-start">
          <Text>{t('notFound.lead')}</Text>
          <Button component={Link} to={home}>
            {t('notFound.home')}
          </Button>
        </Stack>
      </Paper>
    </Page>
  )
}

/** The same for an address that no portal has, whoever asks. */
export function NotFoundScreen() {
  const { t } = useTranslation()
  useEffect(() => {
    document.title = `${t('notFound.title')} · Carespine`
  }, [t])
  return (
    <main style={{ maxWidth: 720, margin: '0 auto', padding: '12vh 16px' }}>
      <NotFound home="/" />
    </main>
  )
}
