import { Button, Group, Paper, Stack, Text } from '@mantine/core'
import { getLabel } from '@carespine/lab/contract'
import { formatDate, useLanguage } from '@carespine/shell/i18n'
import { ErrorNote, Waiting } from '@carespine/shell/page'
import { useAction } from '@carespine/shell/use-action'
import { Barcode } from '@carespine/ui/barcode'
import { useTranslation } from 'react-i18next'

const print = '@media print { body * { visibility: hidden } #tube-label, #tube-label * { visibility: visible } #tube-label { position: fixed; inset: 0; border: 0 } @page { size: 50mm 25mm; margin: 0 } }'

/** What is stuck on the tube, 50 by 25 mm: accession number as Code 128, two identifiers of the patient, panel, tube. */
export function Label({ orderId }: { orderId: string }) {
  const { t } = useTranslation()
  const language = useLanguage()
  const { data, error } = useAction(getLabel, { orderId })
  if (error) return <ErrorNote error={error} />
  if (!data) return <Waiting />
  return (
    <Stack>
      <style>{print}</style>
      <Paper id="tube-label" w="50mm" p={4} radius={0} bg="white" c="black" dir="ltr">
        {data.accession && <Barcode text={data.accession} label={t('lab.barcode', { accession: data.accession })} />}
        <Group justify="space-between" gap={2}>
          <Text fz={11} fw={700}>
            {data.accession}
          </Text>
          <Text fz={10}>{data.priority === 'stat' ? 'STAT' : ''}</Text>
        </Group>
        <Text fz={10} truncate>
          {data.patientName}
        </Text>
        <Text fz={10}>
          {data.mrn} · {data.birthDate} · {data.sex?.[0]?.toUpperCase()}
        </Text>
        <Text fz={10} truncate>
          {data.panel} · {data.tube}
        </Text>
      </Paper>
      <Text size="sm">
        {t('result.collected')} {formatDate(data.collectedAt, language, 'both')}
      </Text>
      <Button onClick={() => window.print()}>{t('lab.print')}</Button>
    </Stack>
  )
}
