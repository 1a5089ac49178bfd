import { Button, Stack } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { launchApp, launchableApps } from '@carespine/link-smart/contract'
import { Dialog } from '@carespine/shell/dialog'
import { useWords } from '@carespine/shell/i18n'
import { ErrorNote } from '@carespine/shell/page'
import { useAction, useCommand } from '@carespine/shell/use-action'
import { IconApps, IconExternalLink } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'

/** Apps that open from the chart, with its patient and the visit that is under way (SMART App Launch, EHR launch). */
export function OpenApp({ patientId, encounterId }: { patientId: string; encounterId?: string | undefined }) {
  const { t } = useTranslation()
  const words = useWords()
  const { data } = useAction(launchableApps, {})
  const launch = useCommand(launchApp)
  const [opened, dialog] = useDisclosure(false)
  const open = (client: string): void => {
    // At once, as long as the browser knows that somebody asked for it.
    const tab = window.open('about:blank', '_blank')
    launch.mutate(
      { client, patient: patientId, ...(encounterId === undefined ? {} : { encounter: encounterId }) },
      {
        onSuccess: ({ launchUrl, launch: id }) => {
          const url = new URL(launchUrl)
          url.searchParams.set('iss', `${window.location.origin}/fhir/R4`)
          url.searchParams.set('launch', id)
          dialog.close()
          if (!tab) return
          tab.opener = null
          tab.location.replace(url.href)
        },
        onError: () => tab?.close(),
      },
    )
  }
  if (!data || data.apps.length === 0) return null
  return (
    <>
      <Button variant="default" leftSection={<IconApps size={16} aria-hidden />} onClick={dialog.open}>
        {t('apps.menu')}
      </Button>
      <Dialog opened={opened} onClose={dialog.close} title={t('apps.menu')}>
        <Stack gap="xs">
          <ErrorNote error={launch.error} />
          {data.apps.map(({ client, name, nameArabic }) => (
            <Button key={client} variant="default" justify="space-between" rightSection={<IconExternalLink size={14} aria-label={t('apps.newTab')} />} loading={launch.isPending} onClick={() => open(client)}>
              {words(name, nameArabic)}
            </Button>
          ))}
        </Stack>
      </Dialog>
    </>
  )
}
