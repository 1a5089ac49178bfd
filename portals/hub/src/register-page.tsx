import { Alert, Button, Group, Paper, Select, SimpleGrid, Stack, TextInput } from '@mantine/core'
import { type DuplicateCandidate, findDuplicates, registerPatient } from '@carespine/registration/contract'
import { call } from '@carespine/shell/api'
import { ErrorNote, Page } from '@carespine/shell/page'
import { PatientLine } from '@carespine/shell/patient-search'
import { useCommand } from '@carespine/shell/use-action'
import { useNavigate } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'

const empty = { given: '', family: '', givenArabic: '', familyArabic: '', sex: 'female', birthDate: '', phone: '', email: '', city: '' }
type Field = keyof typeof empty

/** Registration; asks before a person is registered twice. */
export function RegisterPage() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const register = useCommand(registerPatient)
  const [form, setForm] = useState(empty)
  const [candidates, setCandidates] = useState<DuplicateCandidate[]>([])
  const [error, setError] = useState<unknown>()

  const input = {
    name: { given: form.given, family: form.family },
    ...(form.givenArabic && form.familyArabic ? { nameArabic: { given: form.givenArabic, family: form.familyArabic } } : {}),
    sex: form.sex as 'female' | 'male' | 'other' | 'unknown',
    birthDate: form.birthDate,
    ...(form.phone ? { phone: form.phone } : {}),
    ...(form.email ? { email: form.email } : {}),
    ...(form.city ? { city: form.city } : {}),
  }
  const save = (notDuplicateOf: string[]): void =>
    register.mutate({ ...input, notDuplicateOf }, { onSuccess: ({ patientId }) => void navigate({ to: `/hub/patients/${patientId}` }) })
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    setError(undefined)
    try {
      const found = await call(findDuplicates, input)
      setCandidates(found.candidates)
      if (found.candidates.length === 0) save([])
    } catch (fault) {
      setError(fault)
    }
  }
  const text = (name: Field, options: { required?: boolean; type?: string; dir?: 'ltr' | 'rtl' } = {}) => (
    <TextInput label={t(`register.${name}`)} value={form[name]} onChange={(event) => setForm({ ...form, [name]: event.currentTarget.value })} {...options} />
  )
  return (
    <Page title={t('hub.menu.register')}>
      <Paper maw={860} component="form" onSubmit={(event: FormEvent) => void submit(event)}>
        <Stack>
          <SimpleGrid cols={{ base: 1, sm: 2 }}>
            {text('given', { required: true })}
            {text('family', { required: true })}
            {text('givenArabic', { dir: 'rtl' })}
            {text('familyArabic', { dir: 'rtl' })}
            <Select label={t('register.sex')} required allowDeselect={false} value={form.sex} onChange={(value) => setForm({ ...form, sex: value ?? 'unknown' })} data={['female', 'male', 'other', 'unknown'].map((value) => ({ value, label: t(`sex.${value}`) }))} />
            {text('birthDate', { required: true, type: 'date' })}
            {text('phone', { type: 'tel', dir: 'ltr' })}
            {text('email', { type: 'email', dir: 'ltr' })}
            {text('city')}
          </SimpleGrid>
          <ErrorNote error={error ?? register.error} />
          {candidates.length > 0 && (
            <Alert role="alert" color="orange" title={t('register.maybe')}>
              <Stack gap="xs">
                {candidates.map(({ patient, reasons }) => (
                  <Paper key={patient.id} p="sm">
                    <PatientLine patient={patient} />
                    <Group justify="space-between" mt={6}>
                      <span>{reasons.map((reason) => t(`register.reason.${reason}`)).join(' · ')}</span>
                      <Button size="compact-sm" variant="default" onClick={() => void navigate({ to: `/hub/patients/${patient.id}` })}>
                        {t('register.same')}
                      </Button>
                    </Group>
                  </Paper>
                ))}
                <Button color="orange.9" onClick={() => save(candidates.map(({ patient }) => patient.id))} loading={register.isPending}>
                  {t('register.other')}
                </Button>
              </Stack>
            </Alert>
          )}
          <Group>
            <Button type="submit" loading={register.isPending}>
              {t('register.submit')}
            </Button>
          </Group>
        </Stack>
      </Paper>
    </Page>
  )
}
