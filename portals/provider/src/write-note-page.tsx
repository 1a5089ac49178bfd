import { Alert, Button, Group, Stack, Text } from '@mantine/core'
import { getNote, type Note, saveDraft } from '@carespine/documents/contract'
import { getBanner } from '@carespine/registration/contract'
import { ApiError, call } from '@carespine/shell/api'
import { usePageParams } from '@carespine/shell/app'
import { useWords } from '@carespine/shell/i18n'
import { ErrorNote, Page, Waiting } from '@carespine/shell/page'
import { PatientHeader } from '@carespine/shell/patient-header'
import { useAction } from '@carespine/shell/use-action'
import { useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { NoteDifference } from './note-difference.tsx'
import { NoteFields, sectionsOf, type Written, writtenOf } from './note-fields.tsx'

/** How long somebody pauses before what they wrote is saved. */
const PAUSE = 1500

/** Writing a draft. It saves itself; when somebody else saved meanwhile, both texts are shown and a person chooses. */
export function WriteNotePage() {
  const { id } = usePageParams('id')
  const { data, error, refetch } = useAction(getNote, { noteId: id })
  const [note, setNote] = useState<Note>()
  useEffect(() => {
    // What comes later, because screens look again, must not take the place of what is being written.
    if (data) setNote((known) => (known?.id === data.note.id ? known : data.note))
  }, [data])
  if (!note) return error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : <Waiting />
  return <Draft key={note.id} note={note} />
}

function Draft({ note }: { note: Note }) {
  const { t } = useTranslation()
  const words = useWords()
  const navigate = useNavigate()
  const client = useQueryClient()
  const banner = useAction(getBanner, { patientId: note.patientId })
  const [written, setWritten] = useState<Written>(() => writtenOf(note))
  const [error, setError] = useState<unknown>()
  const [theirs, setTheirs] = useState<Note>()
  const [state, setState] = useState<'saved' | 'changed' | 'saving'>('saved')
  const version = useRef(note.version)
  const latest = useRef(written)
  latest.current = written

  const save = async (): Promise<boolean> => {
    const saving = latest.current
    setState('saving')
    try {
      const saved = await call(saveDraft, { noteId: note.id, version: version.current, sections: sectionsOf(saving) })
      version.current = saved.version
      setError(undefined)
      setState(latest.current === saving ? 'saved' : 'changed')
      return true
    } catch (fault) {
      setState('changed')
      if (fault instanceof ApiError && fault.code === 'RECORD_VERSION_CONFLICT') {
        setError(undefined)
        setTheirs((await call(getNote, { noteId: note.id })).note)
      } else setError(fault)
      return false
    }
  }
  const saver = useRef(save)
  saver.current = save

  useEffect(() => {
    if (state !== 'changed' || theirs !== undefined || error !== undefined) return
    const timer = setTimeout(() => void saver.current(), PAUSE)
    return () => clearTimeout(timer)
  }, [state, theirs, error, written])
  useEffect(() => {
    if (state === 'saved') return
    const warn = (event: BeforeUnloadEvent): void => event.preventDefault()
    window.addEventListener('beforeunload', warn)
    return () => window.removeEventListener('beforeunload', warn)
  }, [state])

  const leave = async (): Promise<void> => {
    if (state !== 'saved' && !(await save())) return
    await client.invalidateQueries()
    await navigate({ to: `/provider/notes/${note.id}` })
  }
  const change = (next: Written): void => {
    setWritten(next)
    setState('changed')
    setError(undefined)
  }
  const takeTheirs = (their: Note): void => {
    version.current = their.version
    setWritten(writtenOf(their))
    setTheirs(undefined)
    setState('saved')
  }
  const keepMine = (their: Note): void => {
    version.current = their.version
    setTheirs(undefined)
    void save()
  }
  const title = words(note.kindName, note.kindNameArabic)
  return (
    <Page title={title} banner={banner.data ? <PatientHeader {...banner.data} /> : <Waiting />}>
      {note.state !== 'draft' && (
        <Alert color="abnormal" role="alert">
          {t('note.notDraft')}{' '}
          <Text component={Link} to={`/provider/notes/${note.id}`} size="sm">
            {t('note.open')}
          </Text>
        </Alert>
      )}
      {theirs ? (
        <Stack>
          <Alert role="alert" color="abnormal" title={t('note.conflict')}>
            {t('note.conflictHint')}
          </Alert>
          <NoteDifference before={{ ...theirs, addendumTexts: [] }} after={{ sections: note.sections.map((section) => ({ ...section, text: written[section.code] ?? '' })), addendumTexts: [] }} titles={[t('note.theirs'), t('note.mine')]} />
          <Group gap="xs">
            <Button onClick={() => keepMine(theirs)}>{t('note.keepMine')}</Button>
            <Button variant="default" onClick={() => takeTheirs(theirs)}>
              {t('note.takeTheirs')}
            </Button>
          </Group>
        </Stack>
      ) : (
        <>
          <Group justify="space-between">
            <Text fw={600}>{title}</Text>
            <Text size="sm" role="status">
              {t(`noteSaved.${error === undefined ? state : 'failed'}`)}
            </Text>
          </Group>
          <NoteFields note={note} written={written} onChange={change} />
          <ErrorNote error={error} onRetry={() => void save()} />
          <Group gap="xs">
            <Button onClick={() => void leave()} disabled={note.state !== 'draft'}>
              {t('note.readAndSign')}
            </Button>
          </Group>
        </>
      )}
    </Page>
  )
}
