import { Button, Checkbox, Group, SegmentedControl, Text } from '@mantine/core'
import { listNotes, listUnsigned, type NoteSummary, startNote } from '@carespine/documents/contract'
import { noteKinds } from '@carespine/pack-core/note-kinds'
import { usePageParams } from '@carespine/shell/app'
import { Dialog } from '@carespine/shell/dialog'
import { formatDate, listText, useLanguage, useWords } from '@carespine/shell/i18n'
import { Listing } from '@carespine/shell/listing'
import { ErrorNote, Nothing, Page } from '@carespine/shell/page'
import { useAllowed } from '@carespine/shell/session'
import { useAction, useCommand } from '@carespine/shell/use-action'
import { usePages } from '@carespine/shell/use-pages'
import type { Column } from '@carespine/ui/data-table'
import { useDisclosure } from '@mantine/hooks'
import { Link, useNavigate } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Lines, Section } from './chart-sections.tsx'
import { NoteBadge } from './note-words.tsx'
import { AboutPatient } from './patient-lists.tsx'

function NoteLink({ note }: { note: NoteSummary }) {
  const words = useWords()
  return (
    <Link className="quiet" to={`/provider/notes/${note.id}`}>
      {words(note.kindName, note.kindNameArabic)}
    </Link>
  )
}

/** Begins a note of a kind: in the open visit when there is one. */
function WriteNote({ patientId, encounterId }: { patientId: string; encounterId?: string | undefined }) {
  const { t } = useTranslation()
  const words = useWords()
  const navigate = useNavigate()
  const allowed = useAllowed()
  const start = useCommand(startNote)
  const [opened, choose] = useDisclosure(false)
  if (!allowed('documents.write')) return null
  const begin = (kind: string): void =>
    start.mutate({ patientId, kind, ...(encounterId === undefined ? {} : { encounterId }) }, { onSuccess: ({ noteId }) => void navigate({ to: `/provider/notes/${noteId}/write` }) })
  return (
    <>
      <Button size="compact-sm" variant="default" onClick={choose.open}>
        {t('note.new')}
      </Button>
      <Dialog opened={opened} onClose={choose.close} title={t('note.new')}>
        <Group gap="xs">
          {noteKinds.map(({ code, name, nameArabic }, at) => (
            <Button key={code} variant="default" onClick={() => begin(code)} loading={start.isPending && start.variables?.kind === code} {...(at === 0 ? { 'data-autofocus': true } : {})}>
              {words(name, nameArabic)}
            </Button>
          ))}
        </Group>
        <ErrorNote error={start.error} />
      </Dialog>
    </>
  )
}

/** The latest notes, in the chart. */
export function NotesSection({ patientId, encounterId }: { patientId: string; encounterId?: string | undefined }) {
  const { t } = useTranslation()
  const language = useLanguage()
  const { data, error, refetch } = useAction(listNotes, { patientId, limit: 8 })
  return (
    <Section
      title={t('note.title')}
      all={
        <Group gap="xs">
          <Text component={Link} to={`/provider/patients/${patientId}/notes`} size="sm">
            {t('chart.all')}
          </Text>
          <WriteNote patientId={patientId} encounterId={encounterId} />
        </Group>
      }
    >
      <ErrorNote error={error} onRetry={() => void refetch()} />
      {data && (
        <Lines
          items={data.notes.map((note) => ({
            key: note.id,
            text: <NoteLink note={note} />,
            side: (
              <Group gap={6} wrap="nowrap">
                <NoteBadge note={note} />
                {formatDate(note.writtenAt, language)}
              </Group>
            ),
          }))}
        />
      )}
    </Section>
  )
}

function useColumns<Row extends NoteSummary>(first: Column<Row>[] = []): Column<Row>[] {
  const { t } = useTranslation()
  const language = useLanguage()
  return [
    ...first,
    { key: 'kind', title: t('note.kind'), width: 'minmax(160px, 2fr)', ...(first.length === 0 ? { card: 'lead' as const } : {}), cell: (note) => <NoteLink note={note} /> },
    { key: 'authors', title: t('note.authors'), width: 'minmax(140px, 1fr)', cell: ({ authors }): ReactNode => <bdi>{listText(authors.map(({ name }) => name), language)}</bdi> },
    { key: 'state', title: t('result.status'), width: 'minmax(130px, 1fr)', card: 'aside', cell: (note) => <NoteBadge note={note} /> },
    { key: 'written', title: t('note.written'), width: 'minmax(150px, 1fr)', cell: ({ writtenAt }) => formatDate(writtenAt, language, 'both') },
  ]
}

/** Every note about a patient; on request those that were entered in error. */
export function NotesPage() {
  const { t } = useTranslation()
  const { id } = usePageParams('id')
  const [inError, setInError] = useState(false)
  const pages = usePages(listNotes, { patientId: id, inError, limit: 30 }, { rowsOf: ({ notes }) => notes, keyOf: (note) => note.id })
  const columns = useColumns<NoteSummary>()
  return (
    <AboutPatient patientId={id} title={t('note.title')}>
      <Group justify="space-between">
        <Checkbox label={t('note.showInError')} checked={inError} onChange={(event) => setInError(event.currentTarget.checked)} />
        <WriteNote patientId={id} />
      </Group>
      <Listing pages={pages} label={t('note.title')} columns={columns} keyOf={(note) => note.id} toneOf={({ intact }) => (intact ? undefined : 'urgent')} empty={<Nothing>{t(inError ? 'note.noneInError' : 'chart.nothing')}</Nothing>} />
    </AboutPatient>
  )
}

type Waiting = NoteSummary & { patientName: string; patientNameArabic?: string | undefined }
const WAITING = ['co-signature', 'my-signature'] as const

/** Notes that wait for a signature: of trainees for mine, and what I have not finished. */
export function UnsignedPage() {
  const { t } = useTranslation()
  const words = useWords()
  const [waiting, setWaiting] = useState<(typeof WAITING)[number]>('co-signature')
  const pages = usePages(listUnsigned, { waiting, limit: 30 }, { rowsOf: ({ notes }) => notes, keyOf: (note) => note.id })
  const columns = useColumns<Waiting>([{ key: 'patient', title: t('visit.patient'), width: 'minmax(160px, 2fr)', card: 'lead', cell: ({ patientName, patientNameArabic }) => <bdi>{words(patientName, patientNameArabic)}</bdi> }])
  return (
    <Page
      title={t('note.toSign')}
      actions={<SegmentedControl aria-label={t('note.toSign')} value={waiting} onChange={(value) => setWaiting(value as 'co-signature')} data={WAITING.map((value) => ({ value, label: t(`noteWaiting.${value}`) }))} />}
    >
      <Listing pages={pages} label={t('note.toSign')} columns={columns} keyOf={(note) => note.id} empty={<Nothing>{t('note.noneToSign')}</Nothing>} />
    </Page>
  )
}
