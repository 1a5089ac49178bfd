import { Badge, Group, Paper, Stack, Text, Title } from '@mantine/core'
import { IconAlertOctagon } from '@tabler/icons-react'
import type { Allergy, PatientSummary } from '@carespine/registration/contract'
import { useTranslation } from 'react-i18next'
import { ageOf, formatDate, useLanguage, useWords } from './i18n.ts'

/** Sex, age and number of somebody, as every list and banner says them. */
export function WhoLine({ sex, birthDate, mrn }: { sex?: string | undefined; birthDate?: string | undefined; mrn?: string | undefined }) {
  const { t } = useTranslation()
  const language = useLanguage()
  const parts = [sex && t(`sex.${sex}`), birthDate && ageOf(birthDate, language)].filter(Boolean)
  return (
    <>
      {parts.join(' · ')}
      {mrn && parts.length > 0 && ' · '}
      {mrn && <bdi dir="ltr">{mrn}</bdi>}
    </>
  )
}

/** Who the patient is, on every screen about them: both names, number, age, sex, and allergies that cannot be overlooked. */
export function PatientHeader({ patient, allergies, noKnownAllergies }: { patient: PatientSummary; allergies: readonly Allergy[]; noKnownAllergies: boolean }) {
  const { t } = useTranslation()
  const language = useLanguage()
  const words = useWords()
  return (
    <Paper component="section" aria-label={t('banner.label')} py="sm">
      <Group justify="space-between" align="flex-start" wrap="wrap" gap="sm">
        <Stack gap={2}>
          <Group gap="sm" align="baseline" style={{ rowGap: 0 }}>
            <Title order={2} size="h4">
              {words(patient.name, patient.nameArabic)}
            </Title>
            {patient.nameArabic && (
              <Text c="dimmed">
                <bdi>{words(patient.nameArabic, patient.name)}</bdi>
              </Text>
            )}
            {patient.deceased && <Badge color="calm">{t('banner.deceased')}</Badge>}
          </Group>
          <Group gap="md" fz="sm" style={{ rowGap: 2 }}>
            <span>
              {t('banner.mrn')} <bdi dir="ltr">{patient.mrn ?? '—'}</bdi>
            </span>
            <span>
              <WhoLine sex={patient.sex} birthDate={patient.birthDate} />
            </span>
            <span>
              {t('banner.born')} {formatDate(patient.birthDate, language)}
            </span>
            {patient.phone && <bdi dir="ltr">{patient.phone}</bdi>}
          </Group>
        </Stack>
        <Group gap={6} role="list" aria-label={t('banner.allergies')}>
          {allergies.map((allergy) => (
            <Badge key={allergy.id} role="listitem" color="critical" variant={allergy.criticality === 'high' ? 'filled' : 'outline'} leftSection={<IconAlertOctagon size={13} aria-hidden />} radius="sm" size="lg">
              {[words(allergy.substance, allergy.substanceArabic), allergy.reaction && words(allergy.reaction, allergy.reactionArabic)].filter(Boolean).join(' · ')}
            </Badge>
          ))}
          {allergies.length === 0 && (
            <Badge role="listitem" color={noKnownAllergies ? 'teal' : 'abnormal'} variant="outline" radius="sm" size="lg">
              {noKnownAllergies ? t('banner.noKnown') : t('banner.notAsked')}
            </Badge>
          )}
        </Group>
      </Group>
    </Paper>
  )
}
