import { Group, Stack, Text, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { type PatientSummary, searchPatients } from '@carespine/registration/contract'
import { VirtualRows } from '@carespine/ui/virtual-rows'
import { IconSearch } from '@tabler/icons-react'
import { useNavigate } from '@tanstack/react-router'
import { type KeyboardEvent, type ReactNode, useEffect, useId, useLayoutEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Dialog } from './dialog.tsx'
import { useWords } from './i18n.ts'
import { ErrorNote, Nothing, Waiting } from './page.tsx'
import { WhoLine } from './patient-header.tsx'
import { usePages } from './use-pages.ts'

/** One line about a patient, for lists to choose from. */
export function PatientLine({ patient }: { patient: PatientSummary }) {
  const words = useWords()
  return (
    <Group justify="space-between" wrap="nowrap" gap="md">
      <Stack gap={0} style={{ minWidth: 0 }}>
        <Text fw={600}>{words(patient.name, patient.nameArabic)}</Text>
        <Text size="xs" c="dimmed">
          {patient.nameArabic && <bdi>{words(patient.nameArabic, patient.name)}</bdi>} {patient.phone && <bdi dir="ltr">{patient.phone}</bdi>}
        </Text>
      </Stack>
      <Stack gap={0} ta="end" style={{ flexShrink: 0 }}>
        <Text size="sm" fw={600}>
          <bdi dir="ltr">{patient.mrn ?? '—'}</bdi>
        </Text>
        <Text size="xs" c="dimmed">
          <WhoLine sex={patient.sex} birthDate={patient.birthDate} />
        </Text>
      </Stack>
    </Group>
  )
}

interface PatientSearchProps {
  onChoose(patient: PatientSummary): void
  onLeave?(): void
  autoFocus?: boolean
  /** Scrolled with the page, or in a box of its own. */
  scroll?: 'page' | { maxHeight: string }
  /** What can be done when nobody is found. */
  whenNobody?: ReactNode
}

/** Search as one types, with the keyboard: arrows choose, Enter opens. The list is always on screen. */
export function PatientSearch({ onChoose, onLeave, autoFocus = false, scroll = { maxHeight: '55vh' }, whenNobody }: PatientSearchProps) {
  const { t } = useTranslation()
  const id = useId()
  const field = useRef<HTMLInputElement>(null)
  // At once: a dialog gives the focus when it has come in, and the letters typed until then were lost.
  useLayoutEffect(() => {
    if (autoFocus) field.current?.focus()
  }, [autoFocus])
  const [text, setText] = useState('')
  const [asked] = useDebouncedValue(text.trim(), 160)
  const { rows, first, more, error, isStale, isFetching, retry } = usePages(searchPatients, { text: asked, limit: 30 }, { rowsOf: ({ patients }) => patients, keyOf: (patient) => patient.id })
  const [active, setActive] = useState(-1)
  // While the list is still that of an earlier text, Enter would open somebody who was not meant.
  const isCurrent = text.trim() === asked && !isStale && first !== undefined
  useEffect(() => setActive(asked === '' ? -1 : 0), [asked, isStale])
  // Enter that came before the answer, as a scanner sends it, opens who is found when that is one person alone.
  const [entered, setEntered] = useState<string>()
  useEffect(() => {
    if (entered === undefined || !isCurrent) return
    setEntered(undefined)
    if (entered === asked && rows.length === 1 && rows[0]) onChoose(rows[0])
  }, [entered, isCurrent, asked, rows, onChoose])
  const onKey = (event: KeyboardEvent): void => {
    if (event.nativeEvent.isComposing) return
    const move: Readonly<Record<string, number>> = { ArrowDown: Math.min(rows.length - 1, active + 1), ArrowUp: Math.max(0, active - 1), PageDown: Math.min(rows.length - 1, active + 8), PageUp: Math.max(0, active - 8) }
    if (event.key in move) {
      event.preventDefault()
      setActive(move[event.key] ?? 0)
    } else if (event.key === 'Escape') onLeave?.()
    else if (event.key === 'Enter') {
      event.preventDefault()
      event.stopPropagation()
      const chosen = rows[active]
      if (!isCurrent) setEntered(text.trim())
      else if (chosen) onChoose(chosen)
    }
  }
  return (
    <Stack gap="sm">
      <TextInput
        ref={field}
        role="combobox"
        aria-expanded={rows.length > 0}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={active >= 0 && rows.length > 0 ? `${id}-${active}` : undefined}
        aria-busy={isFetching}
        label={t('search.label')}
        description={t('search.hint')}
        leftSection={<IconSearch size={16} aria-hidden />}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={onKey}
        data-autofocus={autoFocus || undefined}
        autoComplete="off"
      />
      <ErrorNote error={error} onRetry={retry} />
      {!first && !error && <Waiting />}
      {first && rows.length === 0 && <Nothing action={whenNobody}>{t(asked === '' ? 'search.empty' : 'search.none')}</Nothing>}
      {rows.length > 0 && (
        <Text size="xs" c="dimmed">
          {t(asked === '' ? 'search.recent' : 'search.found')}
        </Text>
      )}
      <VirtualRows
        rows={rows}
        keyOf={(patient) => patient.id}
        estimate={54}
        scroll={scroll}
        active={active}
        holder={{ role: 'listbox', id: `${id}-list`, 'aria-label': t('search.results') }}
        onEnd={more.hasMore && !more.isLoading ? more.load : undefined}
      >
        {(patient, index, placed) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the text field above, as a combobox has them.
          <div
            role="option"
            tabIndex={-1}
            id={`${id}-${index}`}
            aria-selected={index === active}
            onClick={() => onChoose(patient)}
            style={{
              padding: '5px 10px',
              cursor: 'pointer',
              borderRadius: 'var(--mantine-radius-sm)',
              borderInlineStart: `3px solid ${index === active ? 'var(--mantine-primary-color-filled)' : 'transparent'}`,
              background: index === active ? 'var(--mantine-primary-color-light)' : undefined,
            }}
            {...placed}
          >
            <PatientLine patient={patient} />
          </div>
        )}
      </VirtualRows>
    </Stack>
  )
}

/** The search that Ctrl K opens from everywhere. */
export function PatientPalette({ opened, onClose, portal }: { opened: boolean; onClose(): void; portal: string }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  return (
    <Dialog opened={opened} onClose={onClose} title={t('shell.findPatient')} size="lg">
      <PatientSearch
        autoFocus
        onLeave={onClose}
        onChoose={(patient) => {
          onClose()
          void navigate({ to: `/${portal}/patients/${patient.id}` })
        }}
      />
    </Dialog>
  )
}
