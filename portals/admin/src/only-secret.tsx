import { Code, Stack, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'

/** What an app is known by, and its secret, which is shown this once. */
export function OnlySecret({ client, secret }: { client: string; secret?: string | undefined }) {
  const { t } = useTranslation()
  return (
    <Stack gap="xs" role="status">
      <Text size="sm">{t('admin.apps.client')}</Text>
      <Code block dir="ltr">
        {client}
      </Code>
      {secret !== undefined && (
        <>
          <Text size="sm">{t('admin.apps.secretOnce')}</Text>
          <Code block dir="ltr">
            {secret}
          </Code>
        </>
      )}
    </Stack>
  )
}
