import { Stack, Text } from '@mantine/core'
import type { Proof, StepUpWays } from '@carespine/identity/factor-contract'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError, authorized, onProofNeeded } from './api.ts'
import { Dialog } from './dialog.tsx'
import { ErrorNote, Waiting } from './page.tsx'
import { ProofForm } from './second-step-form.tsx'

async function send<T>(path: string, body: object): Promise<T> {
  const response = await authorized(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  if (!response.ok) throw new ApiError(response.status, (await response.json()) as object)
  return (await response.json()) as T
}

/** Asks who is at the screen when the server wants to know it again; the call that wanted it then goes on by itself. */
export function StepUpDialog() {
  const { t } = useTranslation()
  const [answer, setAnswer] = useState<(isProven: boolean) => void>()
  const [ways, setWays] = useState<StepUpWays>()
  const [error, setError] = useState<unknown>()
  useEffect(() => onProofNeeded(() => new Promise((resolve) => setAnswer(() => resolve))), [])
  const isAsking = answer !== undefined
  useEffect(() => {
    if (!isAsking) return
    setWays(undefined)
    setError(undefined)
    send<StepUpWays>('/api/auth/step-up/options', {}).then(setWays, setError)
  }, [isAsking])
  const end = (isProven: boolean): void => {
    answer?.(isProven)
    setAnswer(undefined)
  }
  const onProof = async (proof: Proof): Promise<void> => {
    await send('/api/auth/step-up', { proof })
    end(true)
  }
  return (
    <Dialog opened={isAsking} onClose={() => end(false)} title={t('factors.stepUp')}>
      <Stack>
        <Text size="sm">{t('factors.stepUpLead')}</Text>
        <ErrorNote error={error} />
        {!ways && !error && <Waiting />}
        {ways && <ProofForm methods={ways.methods} passkeyOptions={async () => (await send<StepUpWays>('/api/auth/step-up/options', {})).passkey} onProof={onProof} />}
      </Stack>
    </Dialog>
  )
}
