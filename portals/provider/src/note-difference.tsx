import { Box, Paper, SimpleGrid, Stack, Text, Title, VisuallyHidden } from '@mantine/core'
import type { Revision } from '@carespine/documents/contract'
import { useWords } from '@carespine/shell/i18n'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { compareTexts, type Run } from './compare-texts.ts'

type Texts = Pick<Revision, 'sections' | 'addendumTexts'>

interface Place {
  key: string
  title: string
  before: string
  after: string
}

/** The sections of two revisions beside one another, and the addenda. */
function usePlaces(before: Texts, after: Texts): Place[] {
  const { t } = useTranslation()
  const words = useWords()
  const codes = [...new Set([...before.sections, ...after.sections].map(({ code }) => code))]
  const sections = codes.map((code) => {
    const [one, other] = [before, after].map(({ sections: all }) => all.find((section) => section.code === code))
    const named = one ?? other
    return { key: code, title: words(named?.name ?? '', named?.nameArabic), before: one?.text ?? '', after: other?.text ?? '' }
  })
  const most = Math.max(before.addendumTexts.length, after.addendumTexts.length)
  const addenda = Array.from({ length: most }, (_, at) => ({
    key: `addendum-${at}`,
    title: t('note.addendum'),
    before: before.addendumTexts[at]?.text ?? '',
    after: after.addendumTexts[at]?.text ?? '',
  }))
  return [...sections, ...addenda]
}

/**
 * Two revisions side by side, word by word. What was taken out is struck through, what came is underlined, and both are said
 * to who does not see them. Each run keeps its own direction (bdi), so that an Arabic word among English ones stays whole.
 */
export function NoteDifference({ before, after, titles }: { before: Texts; after: Texts; titles: readonly [ReactNode, ReactNode] }) {
  const { t } = useTranslation()
  const places = usePlaces(before, after)
  const changed = places.filter((place) => place.before !== place.after)
  if (changed.length === 0) return <Text size="sm">{t('note.noDifference')}</Text>
  return (
    <Stack gap="sm">
      {changed.map(({ key, title, before: one, after: other }) => {
        const runs = compareTexts(one, other)
        return (
          <Paper key={key} component="section" aria-label={title}>
            <Title order={3} size="h6" mb="xs">
              {title}
            </Title>
            <SimpleGrid cols={{ base: 1, sm: 2 }}>
              {(['before', 'after'] as const).map((side, at) => (
                <Box key={side}>
                  <Text size="xs" c="dimmed" component="div" mb={4}>
                    {titles[at]}
                  </Text>
                  <Text size="sm" component="div" dir="auto" style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
                    <Side runs={runs} side={side} />
                  </Text>
                </Box>
              ))}
            </SimpleGrid>
          </Paper>
        )
      })}
    </Stack>
  )
}

function Side({ runs, side }: { runs: readonly Run[]; side: 'before' | 'after' }) {
  const { t } = useTranslation()
  const shown = runs.filter((run) => run.side === 'both' || run.side === side)
  if (shown.every(({ text }) => text === '')) return <Text span size="sm" c="dimmed">{t('note.empty')}</Text>
  return shown.map((run, at) => {
    if (run.side === 'both') return <bdi key={at}>{run.text}</bdi>
    const Mark = side === 'before' ? 'del' : 'ins'
    return (
      <bdi key={at}>
        <Mark className={side === 'before' ? 'taken-out' : 'put-in'}>
          <VisuallyHidden component="span">{t(side === 'before' ? 'note.takenOut' : 'note.putIn')} </VisuallyHidden>
          {run.text}
          <VisuallyHidden component="span"> {t('note.endOfChange')}</VisuallyHidden>
        </Mark>
      </bdi>
    )
  })
}
