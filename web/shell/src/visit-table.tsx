import { Badge, Stack, Text } from '@mantine/core'
import { type EncounterSummary, listEncounters } from '@carespine/encounters/contract'
import type { Column } from '@carespine/ui/data-table'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { formatDate, formatMoment, useLanguage, useWords, waitText } from './i18n.ts'
import { Listing } from './listing.tsx'
import { WhoLine } from './patient-header.tsx'
import { usePages } from './use-pages.ts'

interface VisitListProps {
  portal: string
  /** Those of one patient, ended ones too; else the open ones of the branch. */
  patientId?: string
  whose?: 'mine' | 'unclaimed' | 'all'
  empty: ReactNode
  /** What can be done with a visit that nobody answers for. */
  claim?: (encounter: EncounterSummary) => ReactNode
}

/** Visits, latest first, each leading to its patient in the portal on screen. */
export function VisitList({ portal, patientId, whose = 'all', empty, claim }: VisitListProps) {
  const { t } = useTranslation()
  const language = useLanguage()
  const words = useWords()
  const asked = patientId === undefined ? { whose, status: 'open' as const } : { patientId, status: 'all' as const }
  const pages = usePages(listEncounters, { ...asked, limit: 50 }, { rowsOf: ({ encounters }) => encounters, keyOf: ({ id }) => id })
  const patient: Column<EncounterSummary> = {
    key: 'patient',
    title: t('visit.patient'),
    width: 'minmax(180px, 2fr)',
    card: 'lead',
    cell: (encounter) => (
      <Stack gap={0}>
        <Link className="quiet" to={`/${portal}/patients/${encounter.patientId}`}>
          {words(encounter.patientName ?? '—', encounter.patientNameArabic)}
        </Link>
        <Text size="xs" c="dimmed">
          <WhoLine sex={encounter.sex} birthDate={encounter.birthDate} mrn={encounter.mrn} />
        </Text>
      </Stack>
    ),
  }
  const columns: Column<EncounterSummary>[] = [
    ...(patientId === undefined ? [patient] : []),
    {
      key: 'class',
      title: t('visit.class'),
      width: 'minmax(90px, 0.8fr)',
      cell: ({ class: kind }) => (
        <Badge variant="outline" color={kind === 'EMER' ? 'critical' : 'calm'} radius="sm">
          {t(`visit.${kind}`, { defaultValue: kind })}
        </Badge>
      ),
    },
    {
      key: 'reason',
      title: t('visit.reason'),
      width: 'minmax(140px, 1.6fr)',
      ...(patientId === undefined ? {} : { card: 'lead' as const }),
      cell: ({ reason, reasonArabic }) => reason && <bdi>{words(reason, reasonArabic)}</bdi>,
    },
    ...(whose === 'mine'
      ? []
      : [
          {
            key: 'provider',
            title: t('visit.provider'),
            width: 'minmax(140px, 1.4fr)',
            card: 'titled' as const,
            cell: (encounter: EncounterSummary) =>
              encounter.practitioner ? (
                <bdi>{words(encounter.practitioner, encounter.practitionerArabic)}</bdi>
              ) : (
                (claim?.(encounter) ?? (
                  <Text span size="sm" c="dimmed">
                    {t('visit.nobody')}
                  </Text>
                ))
              ),
          },
        ]),
    {
      key: 'since',
      title: t(patientId === undefined ? 'visit.since' : 'visit.when'),
      width: 'minmax(150px, 1.1fr)',
      card: 'aside',
      cell: ({ start, end }) => (
        <Stack gap={0}>
          <span>{end === undefined ? formatMoment(start, language) : formatDate(start, language, 'both')}</span>
          <Text size="xs" c="dimmed">
            {patientId === undefined ? waitText(start, language) : end === undefined ? t('visit.open') : ''}
          </Text>
        </Stack>
      ),
    },
  ]
  return <Listing pages={pages} label={t('visit.list')} columns={columns} keyOf={({ id }) => id} empty={empty} />
}
