import { Button, Checkbox, SegmentedControl, Stack, Text, Textarea } from '@mantine/core'
import { placeOrder } from '@carespine/orders/contract'
import { panels } from '@carespine/pack-core/panels'
import { ApiError } from '@carespine/shell/api'
import { useWords } from '@carespine/shell/i18n'
import { ErrorNote } from '@carespine/shell/page'
import { useCommand } from '@carespine/shell/use-action'
import { type FormEvent, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'

const PRIORITIES = ['routine', 'urgent', 'stat'] as const

/** Panels to order, how urgent, and why. */
export function OrderForm({ encounterId, onDone }: { encounterId: string; onDone(): void }) {
  const { t } = useTranslation()
  const words = useWords()
  const id = useId()
  const place = useCommand(placeOrder)
  const [chosen, setChosen] = useState<string[]>([])
  const [priority, setPriority] = useState<(typeof PRIORITIES)[number]>('routine')
  const [note, setNote] = useState('')
  const isWaiting = place.error instanceof ApiError && place.error.code === 'ORDERS_ALREADY_WAITING'
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    place.mutate({ encounterId, panels: chosen, priority, repeat: isWaiting, ...(note ? { note } : {}) }, { onSuccess: onDone })
  }
  return (
    <form onSubmit={submit}>
      <Stack>
        <Checkbox.Group label={t('order.panels')} value={chosen} onChange={setChosen}>
          <Stack gap="xs" mt={6}>
            {panels.map(({ code, name, nameArabic, specimen, specimenArabic, tube, tubeArabic }) => (
              <Checkbox
                key={code}
                value={code}
                label={
                  <>
                    {words(name, nameArabic)} <bdi dir="ltr">({code.toUpperCase()})</bdi>
                  </>
                }
                description={`${words(specimen, specimenArabic)} · ${words(tube, tubeArabic)}`}
              />
            ))}
          </Stack>
        </Checkbox.Group>
        <Stack gap={4}>
          <Text size="sm" fw={500} id={id}>
            {t('order.priority')}
          </Text>
          <SegmentedControl aria-labelledby={id} value={priority} onChange={(value) => setPriority(value as 'routine')} data={PRIORITIES.map((value) => ({ value, label: t(`priority.${value}`) }))} />
        </Stack>
        <Textarea label={t('order.note')} value={note} onChange={(event) => setNote(event.currentTarget.value)} maxLength={500} />
        <ErrorNote error={place.error} />
        <Button type="submit" disabled={chosen.length === 0} loading={place.isPending}>
          {isWaiting ? t('order.again') : t('order.submit')}
        </Button>
      </Stack>
    </form>
  )
}
