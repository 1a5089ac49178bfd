import { Button, SegmentedControl } from '@mantine/core'
import { takeOverEncounter } from '@carespine/encounters/contract'
import { useWords } from '@carespine/shell/i18n'
import { ErrorNote, Nothing, Page } from '@carespine/shell/page'
import { useCommand } from '@carespine/shell/use-action'
import { VisitList } from '@carespine/shell/visit-table'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

const WHOSE = ['mine', 'unclaimed', 'all'] as const

/** Open visits: mine, those that nobody answers for, or the branch's. */
export function ProviderHome() {
  const { t } = useTranslation()
  const words = useWords()
  const [whose, setWhose] = useState<(typeof WHOSE)[number]>('mine')
  const takeOver = useCommand(takeOverEncounter)
  const showUnclaimed = (
    <Button variant="default" onClick={() => setWhose('unclaimed')}>
      {t('provider.showUnclaimed')}
    </Button>
  )
  return (
    <Page
      title={t('provider.today')}
      actions={<SegmentedControl aria-label={t('provider.whose')} value={whose} onChange={(value) => setWhose(value as 'mine')} data={WHOSE.map((value) => ({ value, label: t(`provider.${value}`) }))} />}
    >
      <ErrorNote error={takeOver.error} />
      <VisitList
        key={whose}
        portal="provider"
        whose={whose}
        empty={whose === 'mine' ? <Nothing action={showUnclaimed}>{t('provider.noneMine')}</Nothing> : <Nothing>{t(whose === 'unclaimed' ? 'provider.noneUnclaimed' : 'visit.none')}</Nothing>}
        claim={(encounter) => (
          <Button
            size="compact-sm"
            variant="default"
            loading={takeOver.isPending && takeOver.variables?.encounterId === encounter.id}
            onClick={() => takeOver.mutate({ encounterId: encounter.id })}
            aria-label={t('provider.takeOverOne', { name: words(encounter.patientName ?? '', encounter.patientNameArabic) })}
          >
            {t('provider.takeOver')}
          </Button>
        )}
      />
    </Page>
  )
}
