import { Alert, Anchor, Button, Group, Stack, Text } from '@mantine/core'
import { decide, showRequest } from '@carespine/link-smart/contract'
import type { PatientSummary } from '@carespine/registration/contract'
import { Navigate, useNavigate } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { signOut } from './api.ts'
import { WishChoice } from './app-wishes.tsx'
import { Entrance } from './entrance.tsx'
import { useWords } from './i18n.ts'
import { ErrorNote, Waiting } from './page.tsx'
import { WhoLine } from './patient-header.tsx'
import { PatientSearch } from './patient-search.tsx'
import { useSession } from './session.tsx'
import { useAction, useCommand } from './use-action.ts'

const KEPT = 'carespine-app-request'

/** The request stands in the fragment, which no server log sees; it is kept for the way through sign-in. */
function takeRequest(): string {
  const given = window.location.hash.slice(1)
  if (given !== '') {
    sessionStorage.setItem(KEPT, given)
    window.history.replaceState(window.history.state, '', window.location.pathname)
  }
  return sessionStorage.getItem(KEPT) ?? ''
}

/** An app asks to be let in: who asks, for what, for whose record; allowed, in part, or not. */
export function AuthorizePage() {
  const { t } = useTranslation()
  const { session, known } = useSession()
  const [request] = useState(takeRequest)
  if (request === '' || request.startsWith('!')) {
    return (
      <Entrance title={t('apps.title')} lead="">
        <Alert role="alert" color="critical" variant="light">
          {t(request === '!redirect_uri' ? 'apps.wrongAddress' : request === '!client' ? 'apps.notRegistered' : 'apps.noRequest')}
        </Alert>
      </Entrance>
    )
  }
  if (!known) return <Waiting />
  if (!session) return <Navigate to="/sign-in" search={{ back: '/authorize' }} />
  return <Consent request={request} />
}

function Consent({ request }: { request: string }) {
  const { t } = useTranslation()
  const words = useWords()
  const navigate = useNavigate()
  const { session } = useSession()
  const { data, error, refetch } = useAction(showRequest, { request })
  const answer = useCommand(decide)
  const [left, leave] = useState<string[]>()
  const [whose, choose] = useState<PatientSummary>()
  const [leaving, setLeaving] = useState(false)
  const wanted = data?.wishes.map(({ scope }) => scope) ?? []
  const chosen = left ?? wanted
  const go = (allow: boolean, scopes: string[]): void =>
    answer.mutate(
      { request, allow, scopes, ...(whose ? { patient: whose.id } : {}) },
      {
        onSuccess: ({ redirect }) => {
          sessionStorage.removeItem(KEPT)
          setLeaving(true)
          window.location.assign(redirect)
        },
      },
    )
  // The same was allowed before: nobody is asked twice.
  const asked = useRef(false)
  useEffect(() => {
    if (!data?.remembered || asked.current) return
    asked.current = true
    go(true, wanted)
  })
  if (!data) return error ? <Problem error={error} retry={() => void refetch()} /> : <Waiting />
  const app = words(data.app.name, data.app.nameArabic)
  if (leaving || (data.remembered && !answer.error)) {
    return (
      <Entrance title={t('apps.goesOn', { app })} lead={data.host}>
        <Waiting />
      </Entrance>
    )
  }
  const shown = whose ?? data.whose
  return (
    <Entrance title={t('apps.asks', { app })} lead={t('apps.goesTo', { host: data.host })}>
      <Stack>
        <Text size="sm">
          {t('apps.signedInAs', { name: session?.user.display })}{' '}
          <Anchor component="button" type="button" size="sm" underline="always" onClick={() => void signOut().then(() => navigate({ to: '/sign-in', search: { back: '/authorize' } }))}>
            {t('apps.notYou')}
          </Anchor>
        </Text>
        {data.patient === 'choose' && !whose && <PatientSearch autoFocus onChoose={choose} />}
        {shown && (
          <Stack gap={2} component="section" aria-label={t('apps.whose')}>
            <Text size="sm" c="dimmed">
              {t('apps.whose')}
            </Text>
            <Text fw={600}>{words(shown.name, shown.nameArabic)}</Text>
            <Text size="sm">
              <WhoLine sex={shown.sex} birthDate={shown.birthDate} mrn={shown.mrn} />
            </Text>
            {whose && (
              <Button variant="default" size="compact-sm" onClick={() => choose(undefined)}>
                {t('apps.another')}
              </Button>
            )}
          </Stack>
        )}
        <WishChoice wishes={data.wishes} chosen={chosen} onChange={leave} />
        <Text size="sm" c="dimmed">
          {t('apps.takeBackHint')}
        </Text>
        <ErrorNote error={answer.error} />
        <Group grow>
          <Button variant="default" disabled={answer.isPending} onClick={() => go(false, [])}>
            {t('apps.deny')}
          </Button>
          <Button loading={answer.isPending} disabled={data.patient === 'choose' && !whose} onClick={() => go(true, chosen)}>
            {t('apps.allow')}
          </Button>
        </Group>
      </Stack>
    </Entrance>
  )
}

function Problem({ error, retry }: { error: unknown; retry(): void }) {
  const { t } = useTranslation()
  const { session } = useSession()
  return (
    <Entrance title={t('apps.title')} lead={t('apps.signedInAs', { name: session?.user.display })}>
      <ErrorNote error={error} onRetry={retry} />
    </Entrance>
  )
}
