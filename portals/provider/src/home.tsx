import { Badge, Paper, SegmentedControl, Table } from '@mantine/core'
import { listEncounters } from '@carespine/encounters/contract'
import { formatDate, useLanguage, useWords } from '@carespine/shell/i18n'
import { ErrorNote, Nothing, Page, Waiting } from '@carespine/shell/page'
import { useAction } from '@carespine/shell/use-action'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

/** Open visits, mine or the branch's. */
export function ProviderHome() {
  const { t } = useTranslation()
  const language = useLanguage()
  const words = useWords()
  const [whose, setWhose] = useState('mine')
  const { data, error, refetch } = useAction(listEncounters, { mine: whose === 'mine', status: 'open', limit: 100 })
  const encounters = data?.encounters ?? []
  return (
    <Page
      title={t('provider.today')}
      actions={
        <SegmentedControl
          aria-label={t('provider.whose')}
          value={whose}
          onChange={setWhose}
          data={[
            { value: 'mine', label: t('provider.mine') },
            { value: 'all', label: t('provider.all') },
          ]}
        />
      }
    >
      <ErrorNote error={error} onRetry={() => void refetch()} />
      {!data && !error && <Waiting />}
      {data && encounters.length === 0 && <Nothing>{t('visit.none')}</Nothing>}
      {encounters.length > 0 && (
        <Paper p={0}>
          <Table.ScrollContainer minWidth={560}>
            <Table>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t('visit.patient')}</Table.Th>
                  <Table.Th>{t('banner.mrn')}</Table.Th>
                  <Table.Th>{t('visit.class')}</Table.Th>
                  <Table.Th>{t('visit.reason')}</Table.Th>
                  <Table.Th>{t('visit.since')}</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {encounters.map((encounter) => (
                  <Table.Tr key={encounter.id}>
                    <Table.Td>
                      <Link to={`/provider/patients/${encounter.patientId}`}>{words(encounter.patientName ?? '—', encounter.patientNameArabic)}</Link>
                    </Table.Td>
                    <Table.Td>
                      <bdi>{encounter.mrn}</bdi>
                    </Table.Td>
                    <Table.Td>
                      <Badge variant="outline" color="dark" radius="sm" tt="none">
                        {t(`visit.${encounter.class}`, { defaultValue: encounter.class })}
                      </Badge>
                    </Table.Td>
                    <Table.Td>{encounter.reason}</Table.Td>
                    <Table.Td>{formatDate(encounter.start, language, 'both')}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Paper>
      )}
    </Page>
  )
}
