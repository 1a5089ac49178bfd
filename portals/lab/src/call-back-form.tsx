import { Button, Checkbox, Stack, Textarea, TextInput } from '@mantine/core'
import { recordCallBack } from '@carespine/lab/contract'
import { ErrorNote } from '@carespine/shell/page'
import { useCommand } from '@carespine/shell/use-action'
import { useFaults } from '@carespine/shell/use-faults'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'

/** Who was told a critical value, and that they read it back. */
export function CallBackForm({ reportId, onDone }: { reportId: string; onDone(): void }) {
  const { t } = useTranslation()
  const record = useCommand(recordCallBack)
  const [calledTo, setCalledTo] = useState('')
  const [readBack, setReadBack] = useState(false)
  const [note, setNote] = useState('')
  const input = { reportId, calledTo, readBack, ...(note ? { note } : {}) }
  const faults = useFaults(recordCallBack.input, input)
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (faults.check()) record.mutate(input, { onSuccess: onDone })
  }
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        <TextInput label={t('callBack.to')} withAsterisk data-autofocus value={calledTo} onChange={(event) => setCalledTo(event.currentTarget.value)} error={faults.of('calledTo')} />
        <Checkbox label={t('callBack.readBack')} checked={readBack} onChange={(event) => setReadBack(event.currentTarget.checked)} />
        <Textarea label={t('callBack.note')} value={note} onChange={(event) => setNote(event.currentTarget.value)} maxLength={300} />
        <ErrorNote error={record.error} />
        <Button type="submit" loading={record.isPending}>
          {t('common.save')}
        </Button>
      </Stack>
    </form>
  )
}
