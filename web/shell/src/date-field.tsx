import { TextInput } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { readDate } from './dates.ts'
import { ageOf, formatDate, formatOtherCalendar, useLanguage } from './i18n.ts'

/** A birth date, typed in either calendar; what was understood stands below, in both, with the age that follows. */
export function BirthDateField({ label, value, onChange, error }: { label: string; value: string; onChange(iso: string): void; error?: string | undefined }) {
  const { t } = useTranslation()
  const language = useLanguage()
  const [text, setText] = useState(value)
  const read = readDate(text)
  return (
    <TextInput
      label={label}
      withAsterisk
      dir="ltr"
      inputMode="numeric"
      autoComplete="off"
      placeholder={t('date.pattern')}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value)
        onChange(readDate(event.currentTarget.value) ?? event.currentTarget.value)
      }}
      inputWrapperOrder={['label', 'input', 'description', 'error']}
      description={read ? `${formatDate(read, language)} · ${formatOtherCalendar(read, language)} · ${ageOf(read, language)}` : undefined}
      error={error}
    />
  )
}
