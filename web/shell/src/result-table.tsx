import { Stack, Text } from '@mantine/core'
import type { ResultItem } from '@carespine/lab/contract'
import { type Column, DataTable } from '@carespine/ui/data-table'
import { Flag } from '@carespine/ui/flag'
import { RangeCell } from '@carespine/ui/range-bar'
import { unitText } from '@carespine/ui/unit-text'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { formatDate, useLanguage, useWords } from './i18n.ts'

/** A value with its unit, as it is reported; a dash when there is none. */
export function ResultValue({ item }: { item: ResultItem }) {
  const { value, text, decimals, unit } = item
  return (
    <bdi dir="ltr">
      {value?.toFixed(decimals) ?? text ?? '—'} {(value ?? text) !== undefined && unitText(unit)}
    </bdi>
  )
}

interface ResultTableProps {
  items: readonly ResultItem[]
  /** What stands for a value; the place to enter it, in the laboratory. */
  entryOf?: (item: ResultItem) => ReactNode
  /** Value and flag as they are on screen, which may not be stored yet. */
  shownOf?: (item: ResultItem) => Pick<ResultItem, 'value' | 'flag'>
  /** The name of an analyte, where it can be chosen. */
  nameOf?: (item: ResultItem, name: string) => ReactNode
  chosen?: string | undefined
}

/** The values of a report beside their flags, ranges and what they were before; the same for those who enter and those who read. */
export function ResultTable({ items, entryOf, shownOf = (item) => item, nameOf, chosen }: ResultTableProps) {
  const { t } = useTranslation()
  const language = useLanguage()
  const words = useWords()
  const columns: Column<ResultItem>[] = [
    {
      key: 'analyte',
      title: t('result.analyte'),
      width: 'minmax(130px, 1.5fr)',
      card: 'lead',
      cell: (item) => {
        const name = words(item.name, item.nameArabic)
        const said = [item.derived ? t('result.derived') : '', item.status !== undefined && !['preliminary', 'final'].includes(item.status) ? t(`resultStatus.${item.status}`) : ''].filter(Boolean)
        return (
          <Stack gap={0}>
            <span>{nameOf?.(item, name) ?? name}</span>
            {said.length > 0 && (
              <Text size="xs" c="dimmed">
                {said.join(' · ')}
              </Text>
            )}
            {item.note !== undefined && (
              <Text size="xs" style={{ whiteSpace: 'pre-line' }}>
                <bdi>{item.note}</bdi>
              </Text>
            )}
          </Stack>
        )
      },
    },
    {
      key: 'value',
      title: t('result.value'),
      width: entryOf ? '190px' : 'minmax(100px, 1fr)',
      card: 'aside',
      cell: (item) => {
        const { flag } = shownOf(item)
        return <span style={{ fontWeight: flag !== undefined && flag !== 'N' ? 700 : 500 }}>{entryOf?.(item) ?? <ResultValue item={item} />}</span>
      },
    },
    { key: 'flag', title: t('result.flag'), width: '66px', cell: (item) => <Flag flag={shownOf(item).flag} /> },
    { key: 'range', title: t('result.range'), width: 'minmax(175px, 1.2fr)', cell: (item) => <RangeCell value={shownOf(item).value} range={item.range} critical={item.critical} /> },
    {
      key: 'previous',
      title: t('result.previous'),
      width: 'minmax(90px, 1fr)',
      card: 'titled',
      cell: ({ previous, decimals }) =>
        previous && (
          <Text size="xs" span>
            <bdi dir="ltr">{previous.value.toFixed(decimals)}</bdi> · {formatDate(previous.at, language)}
          </Text>
        ),
    },
  ]
  return <DataTable label={t('result.values')} columns={columns} rows={items} keyOf={({ code }) => code} toneOf={({ code }) => (code === chosen ? 'chosen' : undefined)} />
}
