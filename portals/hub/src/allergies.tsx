import { Badge, Button, Group, Paper, Select, Stack, Table, Text, TextInput, Title } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { addAllergy, type PatientBanner, removeAllergy } from '@carespine/registration/contract'
import { Dialog } from '@carespine/shell/dialog'
import { useWords } from '@carespine/shell/i18n'
import { ErrorNote } from '@carespine/shell/page'
import { useCommand } from '@carespine/shell/use-action'
import { useFaults } from '@carespine/shell/use-faults'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'

const CRITICALITIES = ['high', 'low', 'unable-to-assess'] as const

/** SNOMED CT: no known allergy. That somebody asked is on record with it. */
const NONE_KNOWN = { substance: 'No known allergy', substanceArabic: 'لا توجد حساسية معروفة', coding: { system: 'http://snomed.info/sct', code: '716186003' } }

/** What a patient must not be given; that there is nothing is recorded as well. */
export function Allergies({ banner }: { banner: PatientBanner }) {
  const { t } = useTranslation()
  const words = useWords()
  const { patient, allergies, noKnownAllergies } = banner
  const remove = useCommand(removeAllergy)
  const record = useCommand(addAllergy)
  const [adding, add] = useDisclosure(false)
  const isUnasked = allergies.length === 0 && !noKnownAllergies
  return (
    <Paper>
      <Group justify="space-between" mb="sm">
        <Title order={2} size="h5">
          {t('banner.allergies')}
        </Title>
        <Button size="compact-sm" variant="default" onClick={add.open}>
          {t('allergy.add')}
        </Button>
      </Group>
      <ErrorNote error={remove.error ?? record.error} />
      {allergies.length === 0 && (
        <Stack align="flex-start" gap="sm">
          <Text size="sm">{t(noKnownAllergies ? 'banner.noKnown' : 'allergy.ask')}</Text>
          {isUnasked && (
            <Button size="compact-sm" variant="default" loading={record.isPending} onClick={() => record.mutate({ patientId: patient.id, ...NONE_KNOWN })}>
              {t('allergy.recordNone')}
            </Button>
          )}
        </Stack>
      )}
      {allergies.length > 0 && (
        <Table aria-label={t('banner.allergies')}>
          <Table.Tbody>
            {allergies.map((allergy) => (
              <Table.Tr key={allergy.id}>
                <Table.Td fw={600}>{words(allergy.substance, allergy.substanceArabic)}</Table.Td>
                <Table.Td>{allergy.reaction && words(allergy.reaction, allergy.reactionArabic)}</Table.Td>
                <Table.Td>
                  {allergy.criticality === 'high' && (
                    <Badge color="critical" radius="sm">
                      {t('allergy.dangerous')}
                    </Badge>
                  )}
                </Table.Td>
                <Table.Td ta="end">
                  <Button size="compact-xs" variant="default" onClick={() => remove.mutate({ allergyId: allergy.id, reason: 'refuted' })} aria-label={t('allergy.removeOne', { substance: words(allergy.substance, allergy.substanceArabic) })}>
                    {t('allergy.remove')}
                  </Button>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      <Dialog opened={adding} onClose={add.close} title={t('allergy.add')}>
        <AllergyForm patientId={patient.id} onDone={add.close} />
      </Dialog>
    </Paper>
  )
}

function AllergyForm({ patientId, onDone }: { patientId: string; onDone(): void }) {
  const { t } = useTranslation()
  const add = useCommand(addAllergy)
  const [substance, setSubstance] = useState('')
  const [reaction, setReaction] = useState('')
  const [criticality, setCriticality] = useState<(typeof CRITICALITIES)[number]>('unable-to-assess')
  const input = { patientId, substance, criticality, ...(reaction ? { reaction } : {}) }
  const faults = useFaults(addAllergy.input, input)
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (faults.check()) add.mutate(input, { onSuccess: onDone })
  }
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        <TextInput label={t('allergy.substance')} withAsterisk data-autofocus value={substance} onChange={(event) => setSubstance(event.currentTarget.value)} error={faults.of('substance')} />
        <TextInput label={t('allergy.reaction')} value={reaction} onChange={(event) => setReaction(event.currentTarget.value)} error={faults.of('reaction')} />
        <Select label={t('allergy.criticality')} allowDeselect={false} value={criticality} onChange={(value) => setCriticality((value ?? 'unable-to-assess') as 'low')} data={CRITICALITIES.map((value) => ({ value, label: t(`allergy.${value}`) }))} />
        <ErrorNote error={add.error} />
        <Button type="submit" loading={add.isPending}>
          {t('common.save')}
        </Button>
      </Stack>
    </form>
  )
}
