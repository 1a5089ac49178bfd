import { Button, Group, Modal, Paper, Select, SimpleGrid, Stack, Table, Text, TextInput, Title } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { startEncounter } from '@carespine/encounters/contract'
import { addAllergy, getBanner, removeAllergy, updatePatient } from '@carespine/registration/contract'
import { usePageParams } from '@carespine/shell/app'
import { useWords } from '@carespine/shell/i18n'
import { ErrorNote, Page, Waiting } from '@carespine/shell/page'
import { PatientHeader } from '@carespine/shell/patient-header'
import { useAction, useCommand } from '@carespine/shell/use-action'
import { useNavigate } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'

/** A patient at the desk: who they are, allergies, and the start of a visit. */
export function PatientPage() {
  const { t } = useTranslation()
  const words = useWords()
  const navigate = useNavigate()
  const { id } = usePageParams('id')
  const { data, error, refetch } = useAction(getBanner, { patientId: id })
  const start = useCommand(startEncounter)
  const remove = useCommand(removeAllergy)
  const [adding, add] = useDisclosure(false)
  const [editing, edit] = useDisclosure(false)
  const [reason, setReason] = useState('')
  const [kind, setKind] = useState<'AMB' | 'EMER' | 'IMP'>('AMB')
  if (error) return <ErrorNote error={error} onRetry={() => void refetch()} />
  if (!data) return <Waiting />
  const { patient, allergies, noKnownAllergies, details } = data
  return (
    <Page title={words(patient.name, patient.nameArabic)} actions={<Button variant="default" onClick={edit.open}>{t('hub.edit')}</Button>}>
      <PatientHeader patient={patient} allergies={allergies} noKnownAllergies={noKnownAllergies} />
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Paper>
          <Title order={2} size="h5" mb="sm">
            {t('hub.startVisit')}
          </Title>
          <Stack>
            <Select label={t('visit.class')} value={kind} allowDeselect={false} onChange={(value) => setKind((value ?? 'AMB') as 'AMB')} data={['AMB', 'EMER', 'IMP'].map((value) => ({ value, label: t(`visit.${value}`) }))} />
            <TextInput label={t('visit.reason')} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
            <ErrorNote error={start.error} />
            <Button onClick={() => start.mutate({ patientId: id, class: kind, ...(reason ? { reason } : {}) }, { onSuccess: () => void navigate({ to: '/hub/visits' }) })} loading={start.isPending}>
              {t('visit.start')}
            </Button>
          </Stack>
        </Paper>
        <Paper>
          <Group justify="space-between" mb="sm">
            <Title order={2} size="h5">
              {t('banner.allergies')}
            </Title>
            <Button size="compact-sm" variant="default" onClick={add.open}>
              {t('allergy.add')}
            </Button>
          </Group>
          <ErrorNote error={remove.error} />
          {allergies.length === 0 && <Text>{noKnownAllergies ? t('banner.noKnown') : t('banner.notAsked')}</Text>}
          <Table>
            <Table.Tbody>
              {allergies.map((allergy) => (
                <Table.Tr key={allergy.id}>
                  <Table.Td>{words(allergy.substance, allergy.substanceArabic)}</Table.Td>
                  <Table.Td>{allergy.reaction}</Table.Td>
                  <Table.Td>
                    <Button size="compact-xs" variant="default" onClick={() => remove.mutate({ allergyId: allergy.id, reason: 'refuted' })} aria-label={t('allergy.removeOne', { substance: allergy.substance })}>
                      {t('allergy.remove')}
                    </Button>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      </SimpleGrid>
      <Modal opened={adding} onClose={add.close} title={t('allergy.add')}>
        <AllergyForm patientId={id} onDone={add.close} />
      </Modal>
      <Modal opened={editing} onClose={edit.close} title={t('hub.edit')}>
        <DetailsForm patientId={id} version={patient.version} phone={details.phone ?? ''} city={details.city ?? ''} onDone={edit.close} />
      </Modal>
    </Page>
  )
}

function AllergyForm({ patientId, onDone }: { patientId: string; onDone(): void }) {
  const { t } = useTranslation()
  const add = useCommand(addAllergy)
  const [substance, setSubstance] = useState('')
  const [reaction, setReaction] = useState('')
  const [criticality, setCriticality] = useState<'low' | 'high' | 'unable-to-assess'>('unable-to-assess')
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    add.mutate({ patientId, substance, criticality, ...(reaction ? { reaction } : {}) }, { onSuccess: onDone })
  }
  return (
    <form onSubmit={submit}>
      <Stack>
        <TextInput label={t('allergy.substance')} required data-autofocus value={substance} onChange={(event) => setSubstance(event.currentTarget.value)} />
        <TextInput label={t('allergy.reaction')} value={reaction} onChange={(event) => setReaction(event.currentTarget.value)} />
        <Select label={t('allergy.criticality')} allowDeselect={false} value={criticality} onChange={(value) => setCriticality((value ?? 'unable-to-assess') as 'low')} data={['high', 'low', 'unable-to-assess'].map((value) => ({ value, label: t(`allergy.${value}`) }))} />
        <ErrorNote error={add.error} />
        <Button type="submit" loading={add.isPending}>
          {t('common.save')}
        </Button>
      </Stack>
    </form>
  )
}

function DetailsForm({ patientId, version, phone: before, city: cityBefore, onDone }: { patientId: string; version: string; phone: string; city: string; onDone(): void }) {
  const { t } = useTranslation()
  const update = useCommand(updatePatient)
  const [phone, setPhone] = useState(before)
  const [city, setCity] = useState(cityBefore)
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    // What was there and was cleared is deleted.
    const given = (value: string, known: string) => (value !== '' ? value : known === '' ? undefined : null)
    update.mutate({ patientId, version, phone: given(phone, before), city: given(city, cityBefore) }, { onSuccess: onDone })
  }
  return (
    <form onSubmit={submit}>
      <Stack>
        <TextInput label={t('register.phone')} type="tel" dir="ltr" data-autofocus value={phone} onChange={(event) => setPhone(event.currentTarget.value)} />
        <TextInput label={t('register.city')} value={city} onChange={(event) => setCity(event.currentTarget.value)} />
        <ErrorNote error={update.error} />
        <Button type="submit" loading={update.isPending}>
          {t('common.save')}
        </Button>
      </Stack>
    </form>
  )
}
