import { Alert, Button, Group, Paper, Select, SimpleGrid, Stack, Text, TextInput } from '@mantine/core'
import { type DuplicateCandidate, findDuplicates, registerPatient } from '@carespine/registration/contract'
import { call } from '@carespine/shell/api'
import { BirthDateField } from '@carespine/shell/date-field'
import { ErrorNote, Page } from '@carespine/shell/page'
import { PatientLine } from '@carespine/shell/patient-search'
import { useCommand } from '@carespine/shell/use-action'
import { useFaults } from '@carespine/shell/use-faults'
import { useNavigate } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'

const empty = { given: '', family: '', givenArabic: '', familyArabic: '', sex: null as string | null, birthDate: '', phone: '', email: '', city: '' }
type Field = Exclude<keyof typeof empty, 'sex' | 'birthDate'>

/** Registration; asks before a person is registered twice. */
export function RegisterPage() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const register = useCommand(registerPatient)
  const [form, setForm] = useState(empty)
  const [candidates, setCandidates] = useState<DuplicateCandidate[]>([])
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)

  const input = {
    name: { given: form.given, family: form.family },
    ...(form.givenArabic || form.familyArabic ? { nameArabic: { given: form.givenArabic, family: form.familyArabic } } : {}),
    sex: form.sex as 'female' | 'male' | 'other' | 'unknown',
    birthDate: form.birthDate,
    ...(form.phone ? { phone: form.phone } : {}),
    ...(form.email ? { email: form.email } : {}),
    ...(form.city ? { city: form.city } : {}),
  }
  const faults = useFaults(findDuplicates.input, input)
  const change = (changes: Partial<typeof empty>): void => {
    setForm({ ...form, ...changes })
    // They were candidates for what stood here before.
    setCandidates([])
  }
  const save = (notDuplicateOf: string[]): void =>
    register.mutate({ ...input, notDuplicateOf }, { onSuccess: ({ patientId }) => void navigate({ to: `/hub/patients/${patientId}` }) })
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    if (!faults.check()) return
    setError(undefined)
    setBusy(true)
    try {
      const found = await call(findDuplicates, input)
      setCandidates(found.candidates)
      if (found.candidates.length === 0) save([])
    } catch (fault) {
      setError(fault)
    } finally {
      setBusy(false)
    }
  }
  const text = (name: Field, path: string, options: { withAsterisk?: boolean; type?: string; dir?: 'ltr' | 'rtl'; autoFocus?: boolean; lang?: string } = {}) => (
    <TextInput label={t(`register.${name}`)} value={form[name]} onChange={(event) => change({ [name]: event.currentTarget.value })} error={faults.of(path)} autoComplete="off" {...options} />
  )
  return (
    <Page title={t('hub.menu.register')}>
      <Paper maw={900} component="form" noValidate onSubmit={(event: FormEvent) => void submit(event)}>
        <Stack>
          <SimpleGrid cols={{ base: 1, sm: 2 }}>
            {text('given', 'name.given', { withAsterisk: true, dir: 'ltr', autoFocus: true })}
            {text('family', 'name.family', { withAsterisk: true, dir: 'ltr' })}
            {text('givenArabic', 'nameArabic.given', { dir: 'rtl', lang: 'ar' })}
            {text('familyArabic', 'nameArabic.family', { dir: 'rtl', lang: 'ar' })}
            <BirthDateField label={t('register.birthDate')} value={form.birthDate} onChange={(birthDate) => change({ birthDate })} error={faults.of('birthDate')} />
            <Select label={t('register.sex')} withAsterisk value={form.sex} onChange={(sex) => change({ sex })} data={['female', 'male', 'other', 'unknown'].map((value) => ({ value, label: t(`sex.${value}`) }))} error={faults.of('sex')} />
            {text('phone', 'phone', { type: 'tel', dir: 'ltr' })}
            {text('email', 'email', { type: 'email', dir: 'ltr' })}
            {text('city', 'city')}
          </SimpleGrid>
          <ErrorNote error={error ?? register.error} />
          {candidates.length > 0 && (
            <Alert role="alert" color="abnormal" variant="light" title={t('register.maybe')}>
              <Stack gap="xs">
                {candidates.map(({ patient, reasons }) => (
                  <Paper key={patient.id} p="sm">
                    <PatientLine patient={patient} />
                    <Group justify="space-between" mt={6}>
                      <Text size="sm">{reasons.map((reason) => t(`register.reason.${reason}`)).join(' · ')}</Text>
                      <Button size="compact-sm" variant="default" onClick={() => void navigate({ to: `/hub/patients/${patient.id}` })}>
                        {t('register.same')}
                      </Button>
                    </Group>
                  </Paper>
                ))}
                <Button color="abnormal" onClick={() => save(candidates.map(({ patient }) => patient.id))} loading={register.isPending} style={{ alignSelf: 'flex-start' }}>
                  {t('register.other')}
                </Button>
              </Stack>
            </Alert>
          )}
          <Group>
            <Button type="submit" loading={busy || register.isPending}>
              {t('register.submit')}
            </Button>
          </Group>
        </Stack>
      </Paper>
    </Page>
  )
}
