import { SegmentedControl } from '@mantine/core'
import { listEncounters } from '@carespine/encounters/contract'
import { ErrorNote, Nothing, Page, Waiting } from '@carespine/shell/page'
import { useAction } from '@carespine/shell/use-action'
import { VisitTable } from '@carespine/shell/visit-table'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

/** Open visits, mine or the branch's. */
export function ProviderHome() {
  const { t } = useTranslation()
  const [whose, setWhose] = useState('mine')
  const { data, error, refetch } = useAction(listEncounters, { whose: whose === 'mine' ? 'mine' : 'all', status: 'open', limit: 100 })
  const encounters = data?.encounters ?? []
  return (
    <Page
      title={t('provider.today')}
      actions={
        <SegmentedControl
          aria-label={t('provider.whose')}
          value={whose}
          onChange={setWhose}
          data={[
            { value: 'mine', label: t('provider.mine') },
            { value: 'all', label: t('provider.all') },
          ]}
        />
      }
    >
      <ErrorNote error={error} onRetry={() => void refetch()} />
      {!data && !error && <Waiting />}
      {data && encounters.length === 0 && <Nothing>{t('visit.none')}</Nothing>}
      {encounters.length > 0 && <VisitTable encounters={encounters} portal="provider" />}
    </Page>
  )
}
