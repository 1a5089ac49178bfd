import { Button, Paper } from '@mantine/core'
import { Page } from '@carespine/shell/page'
import { PatientSearch } from '@carespine/shell/patient-search'
import { useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'

/** Find the patient first; register when there is none. */
export function HubHome() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  return (
    <Page title={t('hub.search')} actions={<Button onClick={() => void navigate({ to: '/hub/register' })}>{t('hub.menu.register')}</Button>}>
      <Paper maw={860}>
        <PatientSearch onChoose={({ id }) => void navigate({ to: `/hub/patients/${id}` })} />
      </Paper>
    </Page>
  )
}
