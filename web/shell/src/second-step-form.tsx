import { Anchor, Button, Group, Stack, Text, TextInput } from '@mantine/core'
import type { Method, Proof, SecondStep } from '@carespine/identity/factor-contract'
import { IconFingerprint } from '@tabler/icons-react'
import { type AuthenticationResponseJSON, startAuthentication } from '@simplewebauthn/browser'
import { type FormEvent, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError, askSignIn, type Session, welcome } from './api.ts'
import { ErrorNote } from './page.tsx'

/** Signs what the server asked with a passkey of this person. An authenticator that would not is answered as such. */
async function signWithPasskey(options: unknown): Promise<AuthenticationResponseJSON> {
  try {
    return await startAuthentication({ optionsJSON: options as never })
  } catch {
    throw new ApiError(0, { code: 'PASSKEY_NOT_USED' })
  }
}

/** Sign-in with a passkey alone: it names its account, and has checked its bearer. */
export async function signInByPasskey(portal: string): Promise<void> {
  const { options } = await askSignIn<{ options: unknown }>('/api/auth/passkey/options', {})
  welcome(await askSignIn<Session>('/api/auth/passkey', { portal, passkey: await signWithPasskey(options) }))
}

interface ProofFormProps {
  methods: readonly Method[]
  passkeyOptions(): Promise<unknown>
  /** Sends the proof; what it throws is shown. */
  onProof(proof: Proof): Promise<void>
}

/** Asks for one of the things that somebody can show: the app's code first, a passkey at a touch, else a recovery code. */
export function ProofForm({ methods, passkeyOptions, onProof }: ProofFormProps) {
  const { t } = useTranslation()
  const typed = methods.filter((method) => method !== 'passkey')
  const [method, setMethod] = useState<Method>(typed.find((one) => one === 'totp' || one === 'password') ?? (methods.includes('passkey') ? 'passkey' : 'recovery'))
  const [value, setValue] = useState('')
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const input = useRef<HTMLInputElement>(null)
  const attempt = async (prove: () => Promise<Proof>): Promise<void> => {
    setBusy(true)
    setError(undefined)
    try {
      await onProof(await prove())
    } catch (fault) {
      setError(fault)
      setValue('')
      input.current?.focus()
    } finally {
      setBusy(false)
    }
  }
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    const text = value.trim()
    if (text === '') input.current?.focus()
    else void attempt(async () => (method === 'password' ? { password: value } : method === 'recovery' ? { recoveryCode: text } : { code: text.replaceAll(/\s/g, '') }))
  }
  const byPasskey = (): void => void attempt(async () => ({ passkey: (await signWithPasskey(await passkeyOptions())) as never }))
  const label = t(method === 'password' ? 'signIn.password' : method === 'recovery' ? 'factors.recoveryCode' : 'factors.code')
  return (
    <Stack>
      {method !== 'passkey' && (
        <form onSubmit={submit} noValidate>
          <Stack>
            <TextInput
              ref={input}
              key={method}
              label={label}
              data-autofocus
              autoFocus
              dir="ltr"
              type={method === 'password' ? 'password' : 'text'}
              inputMode={method === 'totp' ? 'numeric' : undefined}
              autoComplete={method === 'password' ? 'current-password' : method === 'totp' ? 'one-time-code' : 'off'}
              value={value}
              onChange={(event) => setValue(event.currentTarget.value)}
            />
            <ErrorNote error={error} />
            <Button type="submit" loading={busy} fullWidth>
              {t('factors.confirm')}
            </Button>
          </Stack>
        </form>
      )}
      {method === 'passkey' && <ErrorNote error={error} />}
      {methods.includes('passkey') && (
        <Button variant={method === 'passkey' ? 'filled' : 'default'} data-autofocus={method === 'passkey' || undefined} autoFocus={method === 'passkey'} loading={busy} leftSection={<IconFingerprint size={18} aria-hidden />} onClick={byPasskey} fullWidth>
          {t('factors.usePasskey')}
        </Button>
      )}
      {methods.length > 1 && methods.includes('recovery') && (
        <Group justify="center">
          <Anchor
            component="button"
            type="button"
            size="sm"
            onClick={() => {
              setMethod(method === 'recovery' ? (typed.find((one) => one !== 'recovery') ?? 'passkey') : 'recovery')
              setValue('')
              setError(undefined)
            }}
          >
            {t(method === 'recovery' ? 'factors.otherWay' : 'factors.lost')}
          </Anchor>
        </Group>
      )}
    </Stack>
  )
}

/** What comes between the password and the session of somebody with a second factor. */
export function SecondStepForm({ step, onDone, onOver }: { step: SecondStep; onDone?(session: Session): void; onOver(): void }) {
  const { t } = useTranslation()
  const onProof = async (proof: Proof): Promise<void> => {
    const session = await askSignIn<Session>('/api/auth/second-step', { token: step.token, proof })
    welcome(session)
    onDone?.(session)
  }
  return (
    <Stack>
      <Text size="sm">{t('factors.stepLead')}</Text>
      <ProofForm methods={step.methods} passkeyOptions={async () => (await askSignIn<{ options: unknown }>('/api/auth/second-step/passkey', { token: step.token })).options} onProof={onProof} />
      <Button variant="subtle" onClick={onOver}>
        {t('factors.back')}
      </Button>
    </Stack>
  )
}
