import { Button, Group, Paper, SimpleGrid, Stack, Text, TextInput, Title } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { getBanner, type PatientBanner, updatePatient } from '@carespine/registration/contract'
import { usePageParams } from '@carespine/shell/app'
import { Dialog } from '@carespine/shell/dialog'
import { useWords } from '@carespine/shell/i18n'
import { ErrorNote, Nothing, Page, Waiting } from '@carespine/shell/page'
import { PatientHeader } from '@carespine/shell/patient-header'
import { useAction, useCommand } from '@carespine/shell/use-action'
import { useFaults } from '@carespine/shell/use-faults'
import { VisitList } from '@carespine/shell/visit-table'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Allergies } from './allergies.tsx'
import { StartVisit } from './start-visit.tsx'

/** A patient at the desk: who they are, how to reach them, allergies, the start of a visit and the visits so far. */
export function PatientPage() {
  const { t } = useTranslation()
  const words = useWords()
  const { id } = usePageParams('id')
  const { data, error, refetch } = useAction(getBanner, { patientId: id })
  if (!data) return error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : <Waiting />
  const { patient, allergies, noKnownAllergies } = data
  return (
    <Page title={words(patient.name, patient.nameArabic)} banner={<PatientHeader patient={patient} allergies={allergies} noKnownAllergies={noKnownAllergies} />}>
      <ErrorNote error={error} onRetry={() => void refetch()} />
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Paper>
          <Title order={2} size="h5" mb="sm">
            {t('hub.startVisit')}
          </Title>
          <StartVisit patientId={id} />
        </Paper>
        <Stack>
          <Allergies banner={data} />
          <Contact banner={data} />
        </Stack>
      </SimpleGrid>
      <Stack gap="xs">
        <Title order={2} size="h5">
          {t('hub.visits')}
        </Title>
        <VisitList portal="hub" patientId={id} empty={<Nothing>{t('hub.noVisits')}</Nothing>} />
      </Stack>
    </Page>
  )
}

function Contact({ banner: { patient, details } }: { banner: PatientBanner }) {
  const { t } = useTranslation()
  const [editing, edit] = useDisclosure(false)
  const lines = [
    { label: t('register.phone'), value: details.phone, isLatin: true },
    { label: t('register.email'), value: details.email, isLatin: true },
    { label: t('register.city'), value: [details.addressLine, details.city].filter(Boolean).join(' · '), isLatin: false },
  ]
  return (
    <Paper>
      <Group justify="space-between" mb="sm">
        <Title order={2} size="h5">
          {t('hub.contact')}
        </Title>
        <Button size="compact-sm" variant="default" onClick={edit.open}>
          {t('hub.edit')}
        </Button>
      </Group>
      <Stack gap={4}>
        {lines.map(({ label, value, isLatin }) => (
          <Group key={label} justify="space-between" wrap="nowrap" fz="sm">
            <Text size="sm" c="dimmed">
              {label}
            </Text>
            <bdi dir={isLatin ? 'ltr' : 'auto'} style={{ overflowWrap: 'anywhere', whiteSpace: 'normal' }}>
              {value || '—'}
            </bdi>
          </Group>
        ))}
      </Stack>
      <Dialog opened={editing} onClose={edit.close} title={t('hub.edit')}>
        <DetailsForm patientId={patient.id} version={patient.version} details={details} onDone={edit.close} />
      </Dialog>
    </Paper>
  )
}

function DetailsForm({ patientId, version, details, onDone }: { patientId: string; version: string; details: PatientBanner['details']; onDone(): void }) {
  const { t } = useTranslation()
  const update = useCommand(updatePatient)
  const [form, setForm] = useState({ phone: details.phone ?? '', email: details.email ?? '', city: details.city ?? '' })
  // What was there and was cleared is deleted.
  const given = (name: keyof typeof form) => (form[name] !== '' ? form[name] : details[name] === undefined ? undefined : null)
  const input = { patientId, version, phone: given('phone'), email: given('email'), city: given('city') }
  const faults = useFaults(updatePatient.input, input)
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (faults.check()) update.mutate(input, { onSuccess: onDone })
  }
  const text = (name: keyof typeof form, options: { type?: string; dir?: 'ltr'; 'data-autofocus'?: boolean } = {}) => (
    <TextInput label={t(`register.${name}`)} value={form[name]} onChange={(event) => setForm({ ...form, [name]: event.currentTarget.value })} error={faults.of(name)} {...options} />
  )
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        {text('phone', { type: 'tel', dir: 'ltr', 'data-autofocus': true })}
        {text('email', { type: 'email', dir: 'ltr' })}
        {text('city')}
        <ErrorNote error={update.error} />
        <Button type="submit" loading={update.isPending}>
          {t('common.save')}
        </Button>
      </Stack>
    </form>
  )
}
