import { Button, Checkbox, Select, Stack, Textarea } from '@mantine/core'
import { placeOrder } from '@carespine/orders/contract'
import { panels } from '@carespine/pack-core/panels'
import { ApiError } from '@carespine/shell/api'
import { useWords } from '@carespine/shell/i18n'
import { ErrorNote } from '@carespine/shell/page'
import { useCommand } from '@carespine/shell/use-action'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'

/** Panels to order, how urgent, and why. */
export function OrderForm({ encounterId, onDone }: { encounterId: string; onDone(): void }) {
  const { t } = useTranslation()
  const words = useWords()
  const place = useCommand(placeOrder)
  const [chosen, setChosen] = useState<string[]>([])
  const [priority, setPriority] = useState<'routine' | 'urgent' | 'stat'>('routine')
  const [note, setNote] = useState('')
  const isWaiting = place.error instanceof ApiError && place.error.code === 'ORDERS_ALREADY_WAITING'
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    place.mutate({ encounterId, panels: chosen, priority, repeat: isWaiting, ...(note ? { note } : {}) }, { onSuccess: onDone })
  }
  return (
    <form onSubmit={submit}>
      <Stack>
        <Checkbox.Group label={t('order.panels')} value={chosen} onChange={setChosen} required>
          <Stack gap="xs" mt={6}>
            {panels.map(({ code, name, nameArabic, specimen, tube }) => (
              <Checkbox key={code} value={code} label={`${words(name, nameArabic)} (${code.toUpperCase()})`} description={`${specimen} · ${tube}`} />
            ))}
          </Stack>
        </Checkbox.Group>
        <Select label={t('order.priority')} allowDeselect={false} value={priority} onChange={(value) => setPriority((value ?? 'routine') as 'routine')} data={['routine', 'urgent', 'stat'].map((value) => ({ value, label: t(`priority.${value}`) }))} />
        <Textarea label={t('order.note')} value={note} onChange={(event) => setNote(event.currentTarget.value)} />
        <ErrorNote error={place.error} />
        <Button type="submit" disabled={chosen.length === 0} loading={place.isPending}>
          {isWaiting ? t('order.again') : t('order.submit')}
        </Button>
      </Stack>
    </form>
  )
}
