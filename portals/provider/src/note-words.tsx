import { Badge, Box, Text } from '@mantine/core'
import type { NoteState, NoteSummary } from '@carespine/documents/contract'
import { IconAlertOctagon } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'

const COLORS: Readonly<Record<NoteState, string>> = { draft: 'abnormal', 'awaiting-co-signature': 'abnormal', signed: 'teal', amended: 'teal', 'entered-in-error': 'calm' }

/** Where a note stands, in words; above that, that it is not what was signed. */
export function NoteBadge({ note }: { note: Pick<NoteSummary, 'state' | 'intact'> }) {
  const { t } = useTranslation()
  if (!note.intact) {
    return (
      <Badge color="critical" radius="sm" size="sm" leftSection={<IconAlertOctagon size={12} aria-hidden />}>
        {t('note.damaged')}
      </Badge>
    )
  }
  return (
    <Badge variant="outline" color={COLORS[note.state]} radius="sm" size="sm">
      {t(`noteState.${note.state}`)}
    </Badge>
  )
}

/** A text as it was written: its lines, each in the direction of its own words. */
export function Words({ text }: { text: string }) {
  return (
    <Box>
      {text.split('\n').map((line, at) => (
        <Text key={at} size="sm" component="p" dir="auto" m={0} mih="1.4em" style={{ overflowWrap: 'anywhere', textAlign: 'start' }}>
          {line}
        </Text>
      ))}
    </Box>
  )
}
