import { Button } from '@mantine/core'
import { Nothing, Page } from '@carespine/shell/page'
import { VisitList } from '@carespine/shell/visit-table'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'

/** Everybody who is here now. */
export function VisitsPage() {
  const { t } = useTranslation()
  const find = (
    <Button variant="default" component={Link} to="/hub">
      {t('shell.findPatient')}
    </Button>
  )
  return (
    <Page title={t('hub.menu.visits')}>
      <VisitList portal="hub" empty={<Nothing action={find}>{t('visit.none')}</Nothing>} />
    </Page>
  )
}
