import { Badge, Paper, Table } from '@mantine/core'
import type { EncounterSummary } from '@carespine/encounters/contract'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { formatDate, useLanguage, useWords } from './i18n.ts'

/** Visits, each leading to its patient in the portal on screen. */
export function VisitTable({ encounters, portal }: { encounters: readonly EncounterSummary[]; portal: string }) {
  const { t } = useTranslation()
  const language = useLanguage()
  const words = useWords()
  return (
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
                  <Link to={`/${portal}/patients/${encounter.patientId}`}>{words(encounter.patientName ?? '—', encounter.patientNameArabic)}</Link>
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
  )
}
