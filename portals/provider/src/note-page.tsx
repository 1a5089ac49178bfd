import { Alert, Button, Group, Paper, Stack, Text, Title } from '@mantine/core'
import { can, getNote, type Note } from '@carespine/documents/contract'
import { getBanner } from '@carespine/registration/contract'
import { usePageParams } from '@carespine/shell/app'
import { Dialog } from '@carespine/shell/dialog'
import { formatDate, listText, useLanguage, useWords } from '@carespine/shell/i18n'
import { ErrorNote, Page, Waiting } from '@carespine/shell/page'
import { PatientHeader } from '@carespine/shell/patient-header'
import { useAllowed } from '@carespine/shell/session'
import { useAction } from '@carespine/shell/use-action'
import { IconAlertOctagon, IconPrinter } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { AddendumStep, AmendStep, ErrorStep, Signatures, SignStep } from './note-steps.tsx'
import { NoteBadge, Words } from './note-words.tsx'

const PRINT = '@media print { body * { visibility: hidden } #note, #note * { visibility: visible } #note { position: absolute; inset: 0 auto auto 0; width: 100%; border: 0 } .no-print { display: none !important } }'

type StepName = 'sign' | 'coSign' | 'amend' | 'addendum' | 'error'

/** One note: what it says, who signed it, and what can be done with it. */
export function NotePage() {
  const { t } = useTranslation()
  const words = useWords()
  const { id } = usePageParams('id')
  const { data, error, refetch } = useAction(getNote, { noteId: id })
  const patientId = data?.note.patientId
  const banner = useAction(getBanner, { patientId: patientId ?? '' }, { enabled: patientId !== undefined })
  const allowed = useAllowed()
  const [step, setStep] = useState<StepName>()
  if (!data) return error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : <Waiting />
  const { note } = data
  const close = (): void => setStep(undefined)
  const may = (name: keyof typeof can): boolean => allowed('documents.sign') && can[name].includes(note.state) && (note.intact || name === 'markInError')
  const title = words(note.kindName, note.kindNameArabic)
  return (
    <Page
      title={title}
      banner={banner.data ? <PatientHeader {...banner.data} /> : <Waiting />}
      actions={
        <Group gap="xs" className="no-print">
          {may('sign') && <Button onClick={() => setStep('sign')}>{t('note.sign')}</Button>}
          {may('edit') && (
            <Button variant="default" component={Link} to={`/provider/notes/${note.id}/write`}>
              {t('note.write')}
            </Button>
          )}
          {may('coSign') && <Button onClick={() => setStep('coSign')}>{t('note.coSign')}</Button>}
          {may('addAddendum') && (
            <Button variant="default" onClick={() => setStep('addendum')}>
              {t('note.addAddendum')}
            </Button>
          )}
          {may('amend') && (
            <Button variant="default" onClick={() => setStep('amend')}>
              {t('note.amend')}
            </Button>
          )}
          {may('markInError') && (
            <Button variant="default" onClick={() => setStep('error')}>
              {t('note.markInError')}
            </Button>
          )}
          <Button variant="default" component={Link} to={`/provider/notes/${note.id}/history`}>
            {t('note.history')}
          </Button>
          <Button variant="default" leftSection={<IconPrinter size={16} aria-hidden />} onClick={() => window.print()}>
            {t('note.print')}
          </Button>
          <Button variant="default" component={Link} to={`/provider/patients/${note.patientId}`}>
            {t('result.chart')}
          </Button>
        </Group>
      }
    >
      <ErrorNote error={error} onRetry={() => void refetch()} />
      <NoteText note={note} title={title} patient={banner.data && words(banner.data.patient.name, banner.data.patient.nameArabic)} mrn={banner.data?.patient.mrn} />
      <Dialog opened={step === 'sign' || step === 'coSign'} onClose={close} title={t(step === 'coSign' ? 'note.coSign' : 'note.sign')}>
        <SignStep note={note} as={step === 'coSign' ? 'co-signer' : 'author'} onDone={close} />
      </Dialog>
      <Dialog opened={step === 'amend'} onClose={close} title={t('note.amend')} size="xl">
        <AmendStep note={note} onDone={close} />
      </Dialog>
      <Dialog opened={step === 'addendum'} onClose={close} title={t('note.addAddendum')} size="lg">
        <AddendumStep note={note} onDone={close} />
      </Dialog>
      <Dialog opened={step === 'error'} onClose={close} title={t('note.markInError')}>
        <ErrorStep note={note} onDone={close} />
      </Dialog>
    </Page>
  )
}

/** What is read, and what is printed: the note says itself whose it is. */
function NoteText({ note, title, patient, mrn }: { note: Note; title: string; patient: string | undefined; mrn: string | undefined }) {
  const { t } = useTranslation()
  const language = useLanguage()
  const words = useWords()
  return (
    <Paper component="article" aria-label={title} id="note">
      <style>{PRINT}</style>
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={2} size="h4">
            {title}
          </Title>
          <NoteBadge note={note} />
        </Group>
        <Text size="sm">
          {patient && <bdi>{patient}</bdi>} {mrn && <bdi dir="ltr">{mrn}</bdi>} · <bdi>{listText(note.authors.map(({ name }) => name), language)}</bdi> · <bdi>{formatDate(note.writtenAt, language, 'both')}</bdi>
        </Text>
        {!note.intact && (
          <Alert role="alert" color="critical" icon={<IconAlertOctagon aria-hidden />} title={t('note.damaged')}>
            {t('note.damagedHint')}
          </Alert>
        )}
        {note.state === 'entered-in-error' && (
          <Alert color="abnormal" title={t('noteState.entered-in-error')}>
            <bdi>{note.errorReason}</bdi>
          </Alert>
        )}
        {note.sections
          .filter(({ text }) => text !== '')
          .map(({ code, name, nameArabic, text }) => (
            <section key={code} aria-label={words(name, nameArabic)}>
              <Title order={3} size="h6">
                {words(name, nameArabic)}
              </Title>
              <Words text={text} />
            </section>
          ))}
        {note.addendumTexts.map(({ text, by, at }) => (
          <section key={at} aria-label={t('note.addendum')}>
            <Title order={3} size="h6">
              {t('note.addendum')} · <bdi>{by}</bdi> · <bdi>{formatDate(at, language, 'both')}</bdi>
            </Title>
            <Words text={text} />
          </section>
        ))}
        <Signatures note={note} />
      </Stack>
    </Paper>
  )
}
