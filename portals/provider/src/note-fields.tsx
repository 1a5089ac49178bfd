import { Stack, Textarea } from '@mantine/core'
import type { Note } from '@carespine/documents/contract'
import { useWords } from '@carespine/shell/i18n'

/** What is written, by the code of the section. */
export type Written = Readonly<Record<string, string>>

export function writtenOf({ sections }: Pick<Note, 'sections'>): Written {
  return Object.fromEntries(sections.map(({ code, text }) => [code, text]))
}

export function sectionsOf(written: Written): { code: string; text: string }[] {
  return Object.entries(written).map(([code, text]) => ({ code, text }))
}

/** A field for each section of a note. */
export function NoteFields({ note, written, onChange }: { note: Pick<Note, 'sections'>; written: Written; onChange(next: Written): void }) {
  const words = useWords()
  return (
    <Stack gap="sm">
      {note.sections.map(({ code, name, nameArabic }, at) => (
        <Textarea
          key={code}
          label={words(name, nameArabic)}
          autosize
          minRows={3}
          maxRows={18}
          maxLength={20_000}
          dir="auto"
          {...(at === 0 ? { 'data-autofocus': true } : {})}
          value={written[code] ?? ''}
          onChange={(event) => onChange({ ...written, [code]: event.currentTarget.value })}
        />
      ))}
    </Stack>
  )
}
