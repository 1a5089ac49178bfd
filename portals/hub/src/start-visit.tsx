import { Alert, Autocomplete, Button, Select, Stack } from '@mantine/core'
import { listEncounters, listProviders, startEncounter } from '@carespine/encounters/contract'
import { visitReasonNamed, visitReasons } from '@carespine/pack-core/visit-reasons'
import { formatDate, useLanguage, useWords } from '@carespine/shell/i18n'
import { ErrorNote } from '@carespine/shell/page'
import { useAction, useCommand } from '@carespine/shell/use-action'
import { useNavigate } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'

const KINDS = ['AMB', 'EMER', 'IMP'] as const

/** The start of a visit: what kind, why, and who answers for it. Nobody need be named; a provider then takes it over. */
export function StartVisit({ patientId }: { patientId: string }) {
  const { t } = useTranslation()
  const words = useWords()
  const language = useLanguage()
  const navigate = useNavigate()
  const start = useCommand(startEncounter)
  const providers = useAction(listProviders, {})
  const known = useAction(listEncounters, { patientId, status: 'open', limit: 5 })
  const [reason, setReason] = useState('')
  const [kind, setKind] = useState<(typeof KINDS)[number]>('AMB')
  const [provider, setProvider] = useState<string | null>(null)
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    const listed = visitReasonNamed(reason)
    start.mutate(
      {
        patientId,
        class: kind,
        ...(listed ? { reasonCode: listed.code } : reason.trim() ? { reason: reason.trim() } : {}),
        ...(provider ? { practitioners: [provider] } : {}),
      },
      { onSuccess: () => void navigate({ to: '/hub/visits' }) },
    )
  }
  const open = known.data?.encounters[0]
  return (
    <form onSubmit={submit}>
      <Stack>
        {open && (
          <Alert color="abnormal" variant="light" title={t('visit.isHere')}>
            {[t(`visit.${open.class}`, { defaultValue: open.class }), formatDate(open.start, language, 'both'), open.practitioner && words(open.practitioner, open.practitionerArabic)].filter(Boolean).join(' · ')}
          </Alert>
        )}
        <Select label={t('visit.class')} value={kind} allowDeselect={false} onChange={(value) => setKind((value ?? 'AMB') as 'AMB')} data={KINDS.map((value) => ({ value, label: t(`visit.${value}`) }))} />
        <Autocomplete label={t('visit.reason')} placeholder={t('visit.reasonHint')} value={reason} onChange={setReason} data={visitReasons.map(({ name, nameArabic }) => words(name, nameArabic))} maxLength={300} maxDropdownHeight={260} />
        <Select
          label={t('visit.provider')}
          placeholder={t('visit.nobodyYet')}
          value={provider}
          onChange={setProvider}
          clearable
          searchable
          nothingFoundMessage={t('visit.noProvider')}
          clearButtonProps={{ 'aria-label': t('visit.nobodyYet') }}
          data={(providers.data?.providers ?? []).map(({ id, name, nameArabic }) => ({ value: id, label: words(name, nameArabic) }))}
        />
        <ErrorNote error={start.error ?? providers.error} />
        <Button type="submit" loading={start.isPending}>
          {t('visit.start')}
        </Button>
      </Stack>
    </form>
  )
}
