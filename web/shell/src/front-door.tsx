import { Button, Group, Paper, Stack, Text } from '@mantine/core'
import { PORTALS } from '@carespine/identity/contract'
import { useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { signOut } from './api.ts'
import { Page } from './page.tsx'
import { useSession } from './session.tsx'

/** What a role sees that has no screens of its own: its notifications, and the other portals that the account opens. */
export function FrontDoor() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const { session } = useSession()
  const portal = session?.user.portal ?? 'hub'
  const others = PORTALS.filter((name) => name !== portal && session?.user.roles.includes(name))
  return (
    <Page title={t(`portal.${portal}`)}>
      <Paper maw={620} p="lg">
        <Stack>
          <Text>{t('frontDoor.none')}</Text>
          {others.length > 0 && (
            <>
              <Text size="sm">{t('frontDoor.others')}</Text>
              <Group gap="xs">
                {others.map((name) => (
                  <Button key={name} variant="default" size="compact-md" onClick={() => void signOut().then(() => navigate({ to: '/sign-in', search: { back: `/${name}` } }))}>
                    {t(`portal.${name}`)}
                  </Button>
                ))}
              </Group>
            </>
          )}
        </Stack>
      </Paper>
    </Page>
  )
}
