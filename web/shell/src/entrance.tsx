import { Box, Group, Paper, SegmentedControl, Stack, Text, Title } from '@mantine/core'
import { IconHeartRateMonitor } from '@tabler/icons-react'
import { type ReactNode, useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { chooseLanguage, type Language, useLanguage } from './i18n.ts'

export function LanguageSwitch() {
  const language = useLanguage()
  const { t } = useTranslation()
  return (
    <SegmentedControl
      size="xs"
      aria-label={t('shell.language')}
      value={language}
      onChange={(value) => void chooseLanguage(value as Language)}
      data={[
        { value: 'en', label: 'English' },
        { value: 'ar', label: 'العربية' },
      ]}
    />
  )
}

/** What one sees before one is signed in: whose house this is, what is asked, in which language. */
export function Entrance({ title, lead, children }: { title: string; lead: string; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Carespine`
  }, [title])
  return (
    <Box component="main" mih="100dvh" p="md" style={{ display: 'grid', placeItems: 'center' }}>
      <Stack w="100%" maw={400} gap="lg">
        <Group justify="space-between">
          <Group gap={8} c="teal" fw={700} fz="xl">
            <IconHeartRateMonitor size={26} aria-hidden />
            <Text span inherit c="var(--mantine-color-text)">
              Carespine
            </Text>
          </Group>
          <LanguageSwitch />
        </Group>
        <Paper p="xl" shadow="sm">
          <Stack>
            <Stack gap={4}>
              <Title order={1} size="h3">
                {title}
              </Title>
              <Text size="sm" c="dimmed">
                {lead}
              </Text>
            </Stack>
            {children}
          </Stack>
        </Paper>
      </Stack>
    </Box>
  )
}
