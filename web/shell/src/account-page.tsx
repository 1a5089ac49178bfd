import { Paper, Stack, Text, Title } from '@mantine/core'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { LanguageSwitch } from './entrance.tsx'
import { MyApps } from './my-apps.tsx'
import { MyFactors } from './my-factors.tsx'
import { MyPin } from './my-pin.tsx'
import { MySessions } from './my-sessions.tsx'
import { Page } from './page.tsx'
import { useSession } from './session.tsx'

/** What belongs to the one who is signed in, the same in every portal: sign-in, sessions, language. */
export function AccountPage() {
  const { t } = useTranslation()
  const { session } = useSession()
  return (
    <Page title={t('account.title')}>
      <Stack maw={760}>
        <Text>
          {session?.user.display} · <bdi dir="ltr">{session?.user.email}</bdi>
        </Text>
        <Section title={t('account.sessions')}>
          <MySessions />
        </Section>
        <Section title={t('factors.title')}>
          <MyFactors />
        </Section>
        {session?.user.portal !== 'patient' && (
          <Section title={t('ward.title')}>
            <MyPin />
          </Section>
        )}
        <Section title={t('account.apps')}>
          <MyApps />
        </Section>
        <Section title={t('shell.language')}>
          <div>
            <LanguageSwitch />
          </div>
        </Section>
      </Stack>
    </Page>
  )
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Paper p="lg" component="section" aria-label={title}>
      <Stack>
        <Title order={2} size="h4">
          {title}
        </Title>
        {children}
      </Stack>
    </Paper>
  )
}
