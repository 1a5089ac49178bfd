import { Paper, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { Layout } from './layout.tsx'
import { Page } from './page.tsx'
import { useSession } from './session.tsx'

/** What a role sees that has no screens of its own: its notifications and its name, and it says so. */
export function FrontDoor() {
  const { t } = useTranslation()
  const { session } = useSession()
  const portal = session?.user.portal ?? 'hub'
  return (
    <Layout portal={portal} pages={[]} active="">
      <Page title={t(`portal.${portal}`)}>
        <Paper>
          <Text>{t('frontDoor.none')}</Text>
        </Paper>
      </Page>
    </Layout>
  )
}
