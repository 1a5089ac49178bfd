import { listEncounters } from '@carespine/encounters/contract'
import { ErrorNote, Nothing, Page, Waiting } from '@carespine/shell/page'
import { useAction } from '@carespine/shell/use-action'
import { VisitTable } from '@carespine/shell/visit-table'
import { useTranslation } from 'react-i18next'

/** Everybody who is here now. */
export function VisitsPage() {
  const { t } = useTranslation()
  const { data, error, refetch } = useAction(listEncounters, { status: 'open', limit: 100 })
  const encounters = data?.encounters ?? []
  return (
    <Page title={t('hub.menu.visits')}>
      <ErrorNote error={error} onRetry={() => void refetch()} />
      {!data && !error && <Waiting />}
      {data && encounters.length === 0 && <Nothing>{t('visit.none')}</Nothing>}
      {encounters.length > 0 && <VisitTable encounters={encounters} portal="hub" />}
    </Page>
  )
}
