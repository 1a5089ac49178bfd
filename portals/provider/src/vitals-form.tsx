import { Button, NumberInput, SimpleGrid, Stack } from '@mantine/core'
import { recordVitals, type Vitals, vitalSigns } from '@carespine/encounters/contract'
import { useWords } from '@carespine/shell/i18n'
import { ErrorNote } from '@carespine/shell/page'
import { useCommand } from '@carespine/shell/use-action'
import { unitText } from '@carespine/ui/unit-text'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'

type Name = keyof Vitals

/** One set of vital signs; a value that nobody can have is marked where it stands. */
export function VitalsForm({ encounterId, onDone }: { encounterId: string; onDone(): void }) {
  const { t } = useTranslation()
  const words = useWords()
  const record = useCommand(recordVitals)
  const [vitals, setVitals] = useState<Vitals>({})
  const isWrong = (name: Name): boolean => {
    const value = vitals[name]
    const { low, high } = vitalSigns[name].plausible
    return value !== undefined && (value < low || value > high)
  }
  const names = Object.keys(vitalSigns) as Name[]
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    record.mutate({ encounterId, vitals }, { onSuccess: onDone })
  }
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        <SimpleGrid cols={2} spacing="sm" verticalSpacing="xs" style={{ alignItems: names.some(isWrong) ? 'start' : 'end' }}>
          {names.map((name) => {
            const { display, displayArabic, unit, plausible } = vitalSigns[name]
            return (
              <NumberInput
                key={name}
                label={words(display, displayArabic)}
                suffix={` ${unitText(unit)}`}
                hideControls
                dir="ltr"
                value={vitals[name] ?? ''}
                onChange={(next) => setVitals({ ...vitals, [name]: typeof next === 'number' ? next : undefined })}
                error={isWrong(name) ? t('vitals.implausible', { low: plausible.low, high: plausible.high }) : undefined}
              />
            )
          })}
        </SimpleGrid>
        <ErrorNote error={record.error} />
        <Button type="submit" disabled={names.every((name) => vitals[name] === undefined) || names.some(isWrong)} loading={record.isPending}>
          {t('common.save')}
        </Button>
      </Stack>
    </form>
  )
}
