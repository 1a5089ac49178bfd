import { Badge, Group, Paper, Stack, Text, Title } from '@mantine/core'
import { IconAlertOctagon } from '@tabler/icons-react'
import type { Allergy, PatientSummary } from '@carespine/registration/contract'
import { useTranslation } from 'react-i18next'
import { ageOf, formatDate, useLanguage, useWords } from './i18n.ts'

/** Who the patient is, on every screen about them: both names, number, age, sex, and allergies that cannot be overlooked. */
export function PatientHeader({ patient, allergies, noKnownAllergies }: { patient: PatientSummary; allergies: readonly Allergy[]; noKnownAllergies: boolean }) {
  const { t } = useTranslation()
  const language = useLanguage()
  const words = useWords()
  return (
    <Paper component="section" aria-label={t('banner.label')} py="sm">
      <Group justify="space-between" align="flex-start" wrap="wrap">
        <Stack gap={2}>
          <Group gap="sm">
            <Title order={2} size="h4">
              {words(patient.name, patient.nameArabic)}
            </Title>
            {patient.nameArabic && <Text>{words(patient.nameArabic, patient.name)}</Text>}
            {patient.deceased && <Badge color="dark">{t('banner.deceased')}</Badge>}
          </Group>
          <Group gap="md">
            <Text size="sm">
              {t('banner.mrn')} <bdi>{patient.mrn ?? '—'}</bdi>
            </Text>
            <Text size="sm">
              {t(`sex.${patient.sex}`)}, {ageOf(patient.birthDate, language)}
            </Text>
            <Text size="sm">
              {t('banner.born')} {formatDate(patient.birthDate, language)}
            </Text>
            {patient.phone && (
              <Text size="sm">
                <bdi dir="ltr">{patient.phone}</bdi>
              </Text>
            )}
          </Group>
        </Stack>
        <Group gap={6} role="list" aria-label={t('banner.allergies')}>
          {allergies.map((allergy) => (
            <Badge key={allergy.id} role="listitem" color="red.9" variant={allergy.criticality === 'high' ? 'filled' : 'outline'} leftSection={<IconAlertOctagon size={13} aria-hidden />} radius="sm" size="lg" tt="none">
              {words(allergy.substance, allergy.substanceArabic)}
              {allergy.reaction ? ` · ${allergy.reaction}` : ''}
            </Badge>
          ))}
          {allergies.length === 0 && (
            <Badge role="listitem" color={noKnownAllergies ? 'teal.8' : 'orange.9'} variant="outline" radius="sm" size="lg" tt="none">
              {noKnownAllergies ? t('banner.noKnown') : t('banner.notAsked')}
            </Badge>
          )}
        </Group>
      </Group>
    </Paper>
  )
}
