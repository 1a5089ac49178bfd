import { Combobox, Group, Modal, Stack, Text, TextInput, useCombobox } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { type PatientSummary, searchPatients } from '@carespine/registration/contract'
import { useNavigate } from '@tanstack/react-router'
import { type KeyboardEvent, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ageOf, useLanguage, useWords } from './i18n.ts'
import { ErrorNote, Nothing } from './page.tsx'
import { useAction } from './use-action.ts'

/** One line about a patient, for lists to choose from. */
export function PatientLine({ patient }: { patient: PatientSummary }) {
  const { t } = useTranslation()
  const language = useLanguage()
  const words = useWords()
  return (
    <Group justify="space-between" wrap="nowrap" gap="md">
      <Stack gap={0}>
        <Text fw={600}>{words(patient.name, patient.nameArabic)}</Text>
        <Text size="xs">
          {words(patient.nameArabic ?? '', patient.name)} {patient.phone && <bdi dir="ltr">{patient.phone}</bdi>}
        </Text>
      </Stack>
      <Group gap={6} wrap="nowrap">
        <Text size="sm">
          {t(`sex.${patient.sex}`)} · {ageOf(patient.birthDate, language)}
        </Text>
        {patient.mrn && (
          <Text size="sm" fw={600} component="bdi">
            {patient.mrn}
          </Text>
        )}
      </Group>
    </Group>
  )
}

/** Search as one types, with the keyboard: arrows choose, Enter opens. */
export function PatientSearch({ onChoose, onLeave, autoFocus = false }: { onChoose(patient: PatientSummary): void; onLeave?(): void; autoFocus?: boolean }) {
  const { t } = useTranslation()
  const [text, setText] = useState('')
  const [asked] = useDebouncedValue(text.trim(), 160)
  // The list is always on screen, so the keys always work on it.
  const combobox = useCombobox({ opened: true })
  const { data, error, isFetching, isPlaceholderData } = useAction(searchPatients, { text: asked, limit: 12 }, { keep: true })
  const patients = data?.patients ?? []
  const onKey = (event: KeyboardEvent): void => {
    if (event.nativeEvent.isComposing) return
    if (event.key === 'Escape') onLeave?.()
    if (event.key !== 'Enter') return
    event.preventDefault()
    event.stopPropagation()
    // While the list is still that of an earlier text, Enter would open somebody who was not meant.
    if (text.trim() !== asked || isPlaceholderData) return
    const chosen = patients[combobox.getSelectedOptionIndex()] ?? patients[0]
    if (chosen) onChoose(chosen)
  }
  useEffect(() => {
    combobox.selectFirstOption()
  }, [data, combobox.selectFirstOption])
  return (
    <Combobox
      store={combobox}
      withinPortal={false}
      onOptionSubmit={(id) => {
        const patient = patients.find((one) => one.id === id)
        if (patient) onChoose(patient)
      }}
    >
      <Combobox.EventsTarget withExpandedAttribute>
        <TextInput label={t('search.label')} description={t('search.hint')} value={text} onChange={(event) => setText(event.currentTarget.value)} data-autofocus={autoFocus || undefined} autoComplete="off" aria-busy={isFetching} onKeyDownCapture={onKey} />
      </Combobox.EventsTarget>
      <ErrorNote error={error} />
      {patients.length > 0 && (
        <Combobox.Options mt="sm" aria-label={t('search.results')}>
          {patients.map((patient) => (
            <Combobox.Option value={patient.id} key={patient.id}>
              <PatientLine patient={patient} />
            </Combobox.Option>
          ))}
        </Combobox.Options>
      )}
      {data && patients.length === 0 && <Nothing>{t('search.none')}</Nothing>}
    </Combobox>
  )
}

/** The search that Ctrl K opens from everywhere. */
export function PatientPalette({ opened, onClose, portal }: { opened: boolean; onClose(): void; portal: string }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  return (
    <Modal opened={opened} onClose={onClose} title={t('shell.findPatient')} size="lg" centered={false}>
      <PatientSearch
        autoFocus
        onLeave={onClose}
        onChoose={(patient) => {
          onClose()
          void navigate({ to: `/${portal}/patients/${patient.id}` })
        }}
      />
    </Modal>
  )
}
