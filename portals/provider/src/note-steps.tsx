import { Alert, Button, Group, Stack, Text, Textarea, TextInput } from '@mantine/core'
import { addAddendum, amendNote, coSignNote, markNoteInError, type Note, signNote } from '@carespine/documents/contract'
import { formatDate, useLanguage } from '@carespine/shell/i18n'
import { ErrorNote } from '@carespine/shell/page'
import { useSession } from '@carespine/shell/session'
import { useCommand } from '@carespine/shell/use-action'
import { type FormEvent, type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { NoteFields, sectionsOf, writtenOf } from './note-fields.tsx'

interface StepProps {
  note: Note
  onDone(): void
}

function Buttons({ label, isBusy, isReady = true, danger = false, onCancel }: { label: string; isBusy: boolean; isReady?: boolean; danger?: boolean; onCancel(): void }) {
  const { t } = useTranslation()
  return (
    <Group justify="flex-end" gap="xs">
      <Button variant="default" onClick={onCancel}>
        {t('common.cancel')}
      </Button>
      <Button type="submit" loading={isBusy} disabled={!isReady} {...(danger ? { color: 'critical' } : {})}>
        {label}
      </Button>
    </Group>
  )
}

function Step({ onSubmit, children }: { onSubmit(): void; children: ReactNode }) {
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    onSubmit()
  }
  return (
    <form onSubmit={submit}>
      <Stack>{children}</Stack>
    </form>
  )
}

/** The name under the note, as its author or as who takes responsibility. */
export function SignStep({ note, as, onDone }: StepProps & { as: 'author' | 'co-signer' }) {
  const { t } = useTranslation()
  const { session } = useSession()
  const sign = useCommand(as === 'author' ? signNote : coSignNote)
  return (
    <Step onSubmit={() => sign.mutate({ noteId: note.id, version: note.version }, { onSuccess: onDone })}>
      <Text size="sm">{t(as === 'author' ? 'note.signHint' : 'note.coSignHint', { name: session?.user.display ?? '' })}</Text>
      <ErrorNote error={sign.error} />
      <Buttons label={t(as === 'author' ? 'note.sign' : 'note.coSign')} isBusy={sign.isPending} onCancel={onDone} />
    </Step>
  )
}

/** Another text for what was signed; what was there stays in the history. */
export function AmendStep({ note, onDone }: StepProps) {
  const { t } = useTranslation()
  const amend = useCommand(amendNote)
  const [written, setWritten] = useState(() => writtenOf(note))
  const [reason, setReason] = useState('')
  return (
    <Step onSubmit={() => amend.mutate({ noteId: note.id, version: note.version, sections: sectionsOf(written), reason }, { onSuccess: onDone })}>
      <NoteFields note={note} written={written} onChange={setWritten} />
      <TextInput label={t('note.reason')} withAsterisk maxLength={300} dir="auto" value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
      <ErrorNote error={amend.error} />
      <Buttons label={t('note.amend')} isBusy={amend.isPending} isReady={reason.trim().length >= 3} onCancel={onDone} />
    </Step>
  )
}

export function AddendumStep({ note, onDone }: StepProps) {
  const { t } = useTranslation()
  const add = useCommand(addAddendum)
  const [text, setText] = useState('')
  return (
    <Step onSubmit={() => add.mutate({ noteId: note.id, version: note.version, text }, { onSuccess: onDone })}>
      <Textarea label={t('note.addendum')} withAsterisk data-autofocus autosize minRows={4} maxRows={16} maxLength={20_000} dir="auto" value={text} onChange={(event) => setText(event.currentTarget.value)} />
      <Text size="sm">{t('note.addendumHint')}</Text>
      <ErrorNote error={add.error} />
      <Buttons label={t('note.addAddendum')} isBusy={add.isPending} isReady={text.trim() !== ''} onCancel={onDone} />
    </Step>
  )
}

export function ErrorStep({ note, onDone }: StepProps) {
  const { t } = useTranslation()
  const mark = useCommand(markNoteInError)
  const [reason, setReason] = useState('')
  return (
    <Step onSubmit={() => mark.mutate({ noteId: note.id, version: note.version, reason }, { onSuccess: onDone })}>
      <Text size="sm">{t('note.inErrorHint')}</Text>
      <TextInput label={t('note.reason')} withAsterisk data-autofocus maxLength={300} dir="auto" value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
      <ErrorNote error={mark.error} />
      <Buttons label={t('note.markInError')} isBusy={mark.isPending} isReady={reason.trim().length >= 3} danger onCancel={onDone} />
    </Step>
  )
}

/** Who signed, when, and what the signature covers. */
export function Signatures({ note }: { note: Note }) {
  const { t } = useTranslation()
  const language = useLanguage()
  if (note.signatures.length === 0) return <Alert color="abnormal">{t('note.unsigned')}</Alert>
  return (
    <Stack gap={2}>
      {note.signatures.map(({ kind, by, at }) => (
        <Text key={`${kind}${at}`} size="sm">
          {t(`noteSignature.${kind}`)} <bdi>{by}</bdi> · <bdi>{formatDate(at, language, 'both')}</bdi>
        </Text>
      ))}
      {note.contentHash && (
        <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
          {t('note.hash')} <bdi dir="ltr" style={{ whiteSpace: 'normal' }}>{note.contentHash.replace('ni:///sha-256;', '')}</bdi>
        </Text>
      )}
    </Stack>
  )
}
