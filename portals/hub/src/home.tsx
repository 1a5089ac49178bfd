import { Button, Paper } from '@mantine/core'
import { Page } from '@carespine/shell/page'
import { PatientSearch } from '@carespine/shell/patient-search'
import { Link, useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'

/** Find the patient first; register when there is none. */
export function HubHome() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  return (
    <Page title={t('hub.search')}>
      <Paper maw={900}>
        <PatientSearch
          autoFocus
          scroll="page"
          onChoose={({ id }) => void navigate({ to: `/hub/patients/${id}` })}
          whenNobody={
            <Button component={Link} to="/hub/register">
              {t('hub.menu.register')}
            </Button>
          }
        />
      </Paper>
    </Page>
  )
}
