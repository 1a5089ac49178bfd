import { Alert, Badge, Button, Group, Paper, Table, Text, Textarea, TextInput } from '@mantine/core'
import { can } from '@carespine/orders/contract'
import { enterResults, getResultForm, releaseResult, type ResultItem } from '@carespine/lab/contract'
import { flagOf } from '@carespine/pack-core/flag'
import { usePageParams } from '@carespine/shell/app'
import { formatDate, useLanguage, useWords } from '@carespine/shell/i18n'
import { ErrorNote, Page, Waiting } from '@carespine/shell/page'
import { useAction, useCommand } from '@carespine/shell/use-action'
import { Flag } from '@carespine/ui/flag'
import { RangeBar } from '@carespine/ui/range-bar'
import { unitText } from '@carespine/ui/unit-text'
import { useNavigate } from '@tanstack/react-router'
import { type KeyboardEvent, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

/** Result entry: Enter goes on to the next analyte; flags, earlier values and mistakes show at once. */
export function ResultEntryPage() {
  const { t } = useTranslation()
  const language = useLanguage()
  const words = useWords()
  const navigate = useNavigate()
  const { id } = usePageParams('id')
  const { data, error, refetch } = useAction(getResultForm, { orderId: id })
  const save = useCommand(enterResults)
  const release = useCommand(releaseResult)
  const [values, setValues] = useState<Record<string, string>>({})
  const [comment, setComment] = useState('')
  useEffect(() => {
    if (!data) return
    setValues(Object.fromEntries(data.items.map(({ code, value }) => [code, value === undefined ? '' : String(value)])))
    setComment(data.comment ?? '')
  }, [data])
  if (error) return <ErrorNote error={error} onRetry={() => void refetch()} />
  if (!data) return <Waiting />
  const { row, items } = data
  const mayEnter = can.enterResult.includes(row.state)
  const numberOf = (code: string): number | undefined => {
    const text = (values[code] ?? '').trim().replace(',', '.')
    return text === '' || Number.isNaN(Number(text)) ? undefined : Number(text)
  }
  const isWrong = (item: ResultItem): boolean => {
    const text = (values[item.code] ?? '').trim()
    const value = numberOf(item.code)
    if (text === '') return false
    return value === undefined || value < (item.plausible?.low ?? value) || value > (item.plausible?.high ?? value)
  }
  const critical = items.filter((item) => {
    const value = numberOf(item.code)
    return value !== undefined && ['LL', 'HH'].includes(flagOf(value, item) ?? '')
  })
  const entered = items.filter(({ derived }) => !derived).flatMap(({ code }) => {
    const value = numberOf(code)
    return value === undefined ? [] : [{ code, value }]
  })
  const next = (event: KeyboardEvent<HTMLInputElement>): void => {
    if (event.key !== 'Enter') return
    event.preventDefault()
    const inputs = [...document.querySelectorAll<HTMLInputElement>('input[data-analyte]')]
    inputs[inputs.indexOf(event.currentTarget) + 1]?.focus()
  }
  const store = (then: () => void): void =>
    save.mutate({ orderId: id, values: entered, ...(comment ? { comment } : {}) }, { onSuccess: then })
  return (
    <Page
      title={words(row.panelName, row.panelNameArabic)}
      actions={
        <Badge variant="outline" color="dark" radius="sm" tt="none">
          {t(`orderState.${row.state}`)}
        </Badge>
      }
    >
      <Paper py="sm">
        <Group gap="lg">
          <Text fw={700}>{words(row.patientName, row.patientNameArabic)}</Text>
          <Text size="sm">
            {t('banner.mrn')} <bdi>{row.mrn}</bdi>
          </Text>
          <Text size="sm">
            {t(`sex.${row.sex}`)} · {formatDate(row.birthDate, language)}
          </Text>
          <Text size="sm">
            {t('lab.accession')} <bdi>{row.accession}</bdi>
          </Text>
        </Group>
      </Paper>
      <Paper p={0}>
        <Table.ScrollContainer minWidth={620}>
          <Table aria-label={t('result.values')}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('result.analyte')}</Table.Th>
                <Table.Th>{t('result.value')}</Table.Th>
                <Table.Th>{t('result.flag')}</Table.Th>
                <Table.Th>{t('result.range')}</Table.Th>
                <Table.Th>{t('result.previous')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {items.map((item) => {
                const value = numberOf(item.code)
                const name = words(item.name, item.nameArabic)
                return (
                  <Table.Tr key={item.code}>
                    <Table.Td>
                      {name}
                      {item.derived && <Text size="xs">{t('lab.derived')}</Text>}
                      {item.status !== undefined && item.status !== 'preliminary' && <Text size="xs">{t(`resultStatus.${item.status}`)}</Text>}
                      {(item.text ?? item.note) !== undefined && (
                        <Text size="xs">
                          <bdi>{[item.text, item.note].filter(Boolean).join(' · ')}</bdi>
                        </Text>
                      )}
                    </Table.Td>
                    <Table.Td>
                      {item.derived || !mayEnter ? (
                        <bdi dir="ltr">
                          {item.value?.toFixed(item.decimals) ?? '—'} {unitText(item.unit)}
                        </bdi>
                      ) : (
                        <TextInput
                          data-analyte
                          aria-label={`${name} ${item.unit}`}
                          dir="ltr"
                          w={150}
                          size="xs"
                          inputMode="decimal"
                          value={values[item.code] ?? ''}
                          onChange={(event) => setValues({ ...values, [item.code]: event.currentTarget.value })}
                          onKeyDown={next}
                          rightSection={<Text size="xs">{unitText(item.unit)}</Text>}
                          rightSectionWidth={62}
                          error={isWrong(item) ? t('vitals.implausible', { low: item.plausible?.low, high: item.plausible?.high }) : undefined}
                        />
                      )}
                    </Table.Td>
                    <Table.Td>{value !== undefined && <Flag flag={item.derived ? item.flag : flagOf(value, item)} />}</Table.Td>
                    <Table.Td>
                      {value !== undefined && !isWrong(item) && <RangeBar value={value} range={item.range} critical={item.critical} />}
                      <Text size="xs" dir="ltr" ta="start">
                        {item.range?.low ?? ''} – {item.range?.high ?? ''}
                      </Text>
                    </Table.Td>
                    <Table.Td>
                      {item.previous && (
                        <Text size="xs">
                          <bdi dir="ltr">{item.previous.value.toFixed(item.decimals)}</bdi> · {formatDate(item.previous.at, language)}
                        </Text>
                      )}
                    </Table.Td>
                  </Table.Tr>
                )
              })}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </Paper>
      {mayEnter && <Textarea label={t('lab.comment')} value={comment} onChange={(event) => setComment(event.currentTarget.value)} />}
      {critical.length > 0 && mayEnter && (
        <Alert color="red" title={t('lab.critical', { names: critical.map((item) => words(item.name, item.nameArabic)).join(', ') })}>
          {t('lab.criticalHint')}
        </Alert>
      )}
      <ErrorNote error={save.error ?? release.error} />
      {mayEnter && (
        <Group>
          <Button variant="default" disabled={entered.length === 0 || items.some(isWrong)} loading={save.isPending} onClick={() => store(() => undefined)}>
            {t('lab.save')}
          </Button>
          <Button disabled={entered.length === 0 || items.some(isWrong)} loading={release.isPending} onClick={() => store(() => release.mutate({ orderId: id }, { onSuccess: () => void navigate({ to: '/lab' }) }))}>
            {t('lab.release')}
          </Button>
        </Group>
      )}
    </Page>
  )
}
