import { Alert, Badge, Button, Group, Paper, Text, Textarea, TextInput, Title } from '@mantine/core'
import { can } from '@carespine/orders/contract'
import { enterResults, getResultForm, isCritical, releaseResult, type ResultItem } from '@carespine/lab/contract'
import { flagOf } from '@carespine/pack-core/flag'
import { usePageParams } from '@carespine/shell/app'
import { listText, useLanguage, useWords } from '@carespine/shell/i18n'
import { ErrorNote, Page, Waiting } from '@carespine/shell/page'
import { WhoLine } from '@carespine/shell/patient-header'
import { ResultTable, ResultValue } from '@carespine/shell/result-table'
import { useAction, useCommand } from '@carespine/shell/use-action'
import { unitText } from '@carespine/ui/unit-text'
import { IconAlertOctagon } from '@tabler/icons-react'
import { Link, useNavigate } from '@tanstack/react-router'
import { type KeyboardEvent, useEffect, useRef, useState } from 'react'
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
  const version = useRef<string>(undefined)
  useEffect(() => {
    // What is being typed stays when the screen looks again; what somebody else stored replaces it.
    if (!data || version.current === data.row.version) return
    version.current = data.row.version
    setValues(Object.fromEntries(data.items.map(({ code, value }) => [code, value === undefined ? '' : String(value)])))
    setComment(data.comment ?? '')
  }, [data])
  if (!data) return error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : <Waiting />
  const { row, items } = data
  const mayEnter = can.enterResult.includes(row.state)
  const numberOf = (code: string): number | undefined => {
    const text = (values[code] ?? '').trim().replace(/[٫,]/g, '.').replace(/[٠-٩]/g, (digit) => String(digit.charCodeAt(0) & 0xf))
    return text === '' || Number.isNaN(Number(text)) ? undefined : Number(text)
  }
  const isWrong = ({ code, plausible }: ResultItem): boolean => {
    const value = numberOf(code)
    if ((values[code] ?? '').trim() === '') return false
    return value === undefined || value < (plausible?.low ?? value) || value > (plausible?.high ?? value)
  }
  const shownOf = (item: ResultItem): Pick<ResultItem, 'value' | 'flag'> => {
    if (item.derived || !mayEnter) return item
    const value = isWrong(item) ? undefined : numberOf(item.code)
    return value === undefined ? {} : { value, flag: flagOf(value, item) }
  }
  const critical = items.filter((item) => isCritical(shownOf(item).flag))
  const entered = items.flatMap(({ code, derived }) => {
    const value = derived ? undefined : numberOf(code)
    return value === undefined ? [] : [{ code, value }]
  })
  const isReady = entered.length > 0 && !items.some(isWrong)
  const next = (event: KeyboardEvent<HTMLInputElement>): void => {
    if (event.key !== 'Enter') return
    event.preventDefault()
    const inputs = [...document.querySelectorAll<HTMLElement>('[data-analyte], [data-last-step]')]
    inputs[inputs.indexOf(event.currentTarget) + 1]?.focus()
  }
  const store = (then: () => void): void => save.mutate({ orderId: id, values: entered, ...(comment ? { comment } : {}) }, { onSuccess: then })
  const [first] = items.filter(({ derived }) => !derived)
  return (
    <Page
      title={words(row.panelName, row.panelNameArabic)}
      banner={
        <Paper py="sm">
          <Group justify="space-between" gap="sm">
            <div>
              <Title order={2} size="h4">
                {words(row.patientName, row.patientNameArabic)}
              </Title>
              <Text size="sm">
                <WhoLine sex={row.sex} birthDate={row.birthDate} mrn={row.mrn} />
              </Text>
            </div>
            <div>
              <Group gap="sm">
                <Text fw={600}>{words(row.panelName, row.panelNameArabic)}</Text>
                <Badge variant="outline" color="calm" radius="sm">
                  {t(`orderState.${row.state}`)}
                </Badge>
              </Group>
              <Text size="sm">
                {t('lab.accession')} <bdi dir="ltr">{row.accession ?? '—'}</bdi>
              </Text>
            </div>
          </Group>
        </Paper>
      }
    >
      <ErrorNote error={error} onRetry={() => void refetch()} />
      <ResultTable
        items={items}
        shownOf={shownOf}
        entryOf={(item) =>
          item.derived || !mayEnter ? (
            <ResultValue item={item} />
          ) : (
            <Group gap={6} wrap="nowrap" align="center">
              <TextInput
                data-analyte
                aria-label={`${words(item.name, item.nameArabic)}, ${unitText(item.unit)}`}
                dir="ltr"
                w={96}
                size="xs"
                inputMode="decimal"
                autoComplete="off"
                autoFocus={item === first}
                value={values[item.code] ?? ''}
                onChange={(event) => setValues({ ...values, [item.code]: event.currentTarget.value })}
                onKeyDown={next}
                error={isWrong(item) ? t('vitals.implausible', { low: item.plausible?.low, high: item.plausible?.high }) : undefined}
              />
              <Text size="xs" c="dimmed" component="bdi" dir="ltr" style={{ whiteSpace: 'nowrap' }}>
                {unitText(item.unit)}
              </Text>
            </Group>
          )
        }
      />
      {mayEnter ? (
        <Textarea label={t('lab.comment')} value={comment} onChange={(event) => setComment(event.currentTarget.value)} autosize minRows={1} maxLength={1000} />
      ) : (
        data.comment && (
          <Text size="sm">
            {t('lab.comment')}: <bdi>{data.comment}</bdi>
          </Text>
        )
      )}
      {critical.length > 0 && mayEnter && (
        <Alert role="alert" color="critical" variant="light" icon={<IconAlertOctagon aria-hidden />} title={t('lab.critical', { names: listText(critical.map((item) => words(item.name, item.nameArabic)), language) })}>
          {t('lab.criticalHint')}
        </Alert>
      )}
      <ErrorNote error={save.error ?? release.error} />
      <Paper py="xs" style={{ position: 'sticky', bottom: 8, zIndex: 3 }} shadow="sm">
        <Group justify="space-between">
          <Button variant="default" component={Link} to="/lab">
            {t('lab.back')}
          </Button>
          {mayEnter && (
            <Group gap="xs">
              <Button variant="default" disabled={!isReady} loading={save.isPending && !release.isPending} onClick={() => store(() => void navigate({ to: '/lab' }))}>
                {t('lab.save')}
              </Button>
              <Button data-last-step disabled={!isReady} loading={release.isPending} onClick={() => store(() => release.mutate({ orderId: id }, { onSuccess: () => void navigate({ to: '/lab' }) }))}>
                {t('lab.release')}
              </Button>
            </Group>
          )}
        </Group>
      </Paper>
    </Page>
  )
}
