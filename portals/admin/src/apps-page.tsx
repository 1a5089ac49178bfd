import { Badge, Button, Group, Stack, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { listApps, type RegisteredApp, renewSecret, setAppActive } from '@carespine/link-smart/contract'
import { Dialog } from '@carespine/shell/dialog'
import { useWords } from '@carespine/shell/i18n'
import { ErrorNote, Nothing, Page, Waiting } from '@carespine/shell/page'
import { useAction, useCommand } from '@carespine/shell/use-action'
import { DataTable } from '@carespine/ui/data-table'
import { IconAppWindow } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { NewAppForm } from './new-app-form.tsx'
import { OnlySecret } from './only-secret.tsx'

/** Apps that may ask to be let in: which there are, a new one, the end of one. */
export function AppsPage() {
  const { t } = useTranslation()
  const words = useWords()
  const { data, error, refetch } = useAction(listApps, {})
  const [adding, add] = useDisclosure(false)
  const [chosen, choose] = useState<RegisteredApp>()
  return (
    <Page
      title={t('admin.menu.apps')}
      actions={
        <Button leftSection={<IconAppWindow size={16} aria-hidden />} onClick={add.open}>
          {t('admin.apps.add')}
        </Button>
      }
    >
      <ErrorNote error={error} onRetry={() => void refetch()} />
      {!data && !error && <Waiting />}
      {data?.apps.length === 0 && <Nothing>{t('admin.apps.none')}</Nothing>}
      {data && data.apps.length > 0 && (
        <DataTable
          label={t('admin.menu.apps')}
          rows={data.apps}
          keyOf={({ client }) => client}
          columns={[
            { key: 'name', title: t('admin.apps.name'), width: 'minmax(160px, 2fr)', card: 'lead', cell: ({ name, nameArabic }) => <Text size="sm" fw={600}>{words(name, nameArabic)}</Text> },
            { key: 'kind', title: t('admin.apps.kind'), width: 'minmax(140px, 1fr)', card: 'titled', cell: ({ kind }) => t(`admin.apps.kinds.${kind}`) },
            { key: 'client', title: t('admin.apps.client'), width: 'minmax(240px, 2fr)', card: 'titled', cell: ({ client }) => <bdi dir="ltr">{client}</bdi> },
            {
              key: 'act',
              title: t('admin.apps.state'),
              width: '140px',
              card: 'aside',
              cell: (app) => (
                <Group gap="xs" wrap="nowrap">
                  {!app.active && <Badge color="calm">{t('admin.apps.shut')}</Badge>}
                  <Button size="compact-xs" variant="default" onClick={() => choose(app)} aria-label={t('admin.apps.openOne', { app: words(app.name, app.nameArabic) })}>
                    {t('admin.apps.open')}
                  </Button>
                </Group>
              ),
            },
          ]}
        />
      )}
      <Dialog opened={adding} onClose={add.close} title={t('admin.apps.add')} size="lg">
        <NewAppForm onDone={add.close} />
      </Dialog>
      <Dialog opened={chosen !== undefined} onClose={() => choose(undefined)} title={chosen ? words(chosen.name, chosen.nameArabic) : ''} size="lg">
        {chosen && <OneApp app={data?.apps.find(({ client }) => client === chosen.client) ?? chosen} />}
      </Dialog>
    </Page>
  )
}

function OneApp({ app }: { app: RegisteredApp }) {
  const { t } = useTranslation()
  const activate = useCommand(setAppActive)
  const renew = useCommand(renewSecret)
  const facts = [
    [t('admin.apps.client'), [app.client]],
    [t('admin.apps.auth'), [t(`admin.apps.methods.${app.authMethod}`)]],
    [t('admin.apps.redirects'), app.redirectUris],
    [t('admin.apps.launch'), app.launchUrl ? [app.launchUrl] : []],
    [t('admin.apps.scopes'), app.scopes],
    [t('admin.apps.jwksUri'), app.jwksUri ? [app.jwksUri] : []],
  ] as const
  return (
    <Stack>
      {facts
        .filter(([, values]) => values.length > 0)
        .map(([title, values]) => (
          <Stack key={title} gap={2}>
            <Text size="sm" c="dimmed">
              {title}
            </Text>
            {values.map((value) => (
              <bdi key={value} style={{ overflowWrap: 'anywhere' }}>
                {value}
              </bdi>
            ))}
          </Stack>
        ))}
      <ErrorNote error={activate.error ?? renew.error} />
      {renew.data && <OnlySecret client={app.client} secret={renew.data.secret} />}
      <Group justify="flex-end">
        {app.authMethod.startsWith('client_secret') && (
          <Button variant="default" loading={renew.isPending} onClick={() => renew.mutate({ client: app.client })}>
            {t('admin.apps.renew')}
          </Button>
        )}
        <Button variant="default" loading={activate.isPending} onClick={() => activate.mutate({ client: app.client, active: !app.active })}>
          {t(app.active ? 'admin.apps.shutOut' : 'admin.apps.letIn')}
        </Button>
      </Group>
    </Stack>
  )
}
