import { Badge, Button, Group, Paper, Select, SimpleGrid, Stack, Text } from '@mantine/core'
import { getNoteHistory, type Revision } from '@carespine/documents/contract'
import { getBanner } from '@carespine/registration/contract'
import { usePageParams } from '@carespine/shell/app'
import { formatDate, useLanguage, useWords } from '@carespine/shell/i18n'
import { ErrorNote, Page, Waiting } from '@carespine/shell/page'
import { PatientHeader } from '@carespine/shell/patient-header'
import { useAction } from '@carespine/shell/use-action'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { NoteDifference } from './note-difference.tsx'

/** Every revision of a note, and any two of them side by side. */
export function NoteHistoryPage() {
  const { t } = useTranslation()
  const words = useWords()
  const language = useLanguage()
  const { id } = usePageParams('id')
  const { data, error, refetch } = useAction(getNoteHistory, { noteId: id })
  const patientId = data?.patientId
  const banner = useAction(getBanner, { patientId: patientId ?? '' }, { enabled: patientId !== undefined })
  const [chosen, setChosen] = useState<{ before?: string; after?: string }>({})
  if (!data) return error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : <Waiting />
  const { revisions } = data
  const labelOf = ({ version, at }: Revision): string => t('note.revision', { version, at: formatDate(at, language, 'both') })
  const before = revisions.find(({ version }) => version === chosen.before) ?? revisions[1]
  const after = revisions.find(({ version }) => version === chosen.after) ?? revisions[0]
  const options = revisions.map((revision) => ({ value: revision.version, label: labelOf(revision) }))
  return (
    <Page
      title={`${t('note.history')} · ${words(data.kindName, data.kindNameArabic)}`}
      banner={banner.data ? <PatientHeader {...banner.data} /> : <Waiting />}
      actions={
        <Button variant="default" component={Link} to={`/provider/notes/${id}`}>
          {t('note.open')}
        </Button>
      }
    >
      <ErrorNote error={error} onRetry={() => void refetch()} />
      <Stack gap="xs" component="ol" m={0} p={0} style={{ listStyle: 'none' }} aria-label={t('note.history')}>
        {revisions.map((revision) => (
          <Paper key={revision.version} component="li" py="xs">
            <Group gap="sm">
              <Badge variant="default" radius="sm">
                <bdi>{revision.version}</bdi>
              </Badge>
              <Text size="sm" fw={600}>
                {t(`noteAct.${revision.act}`)}
              </Text>
              <Text size="sm">
                <bdi>{revision.by}</bdi> · <bdi>{formatDate(revision.at, language, 'both')}</bdi>
              </Text>
              {revision.reason && (
                <Text size="sm">
                  {t('note.reason')}: <bdi>{revision.reason}</bdi>
                </Text>
              )}
            </Group>
          </Paper>
        ))}
      </Stack>
      {before && after ? (
        <>
          <SimpleGrid cols={{ base: 1, sm: 2 }}>
            <Select label={t('note.compareFrom')} data={options} value={before.version} onChange={(value) => value && setChosen({ ...chosen, before: value })} allowDeselect={false} />
            <Select label={t('note.compareTo')} data={options} value={after.version} onChange={(value) => value && setChosen({ ...chosen, after: value })} allowDeselect={false} />
          </SimpleGrid>
          <NoteDifference before={before} after={after} titles={[labelOf(before), labelOf(after)]} />
        </>
      ) : (
        <Text size="sm">{t('note.oneRevision')}</Text>
      )}
    </Page>
  )
}
