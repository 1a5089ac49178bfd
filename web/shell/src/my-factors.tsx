import { Alert, Button, Code, CopyButton, Group, List, Stack, Text, TextInput } from '@mantine/core'
import { addPasskey, beginPasskey, beginTotp, confirmTotp, type MyFactors as Mine, myFactors, removePasskey, removeTotp, renewRecoveryCodes } from '@carespine/identity/factor-contract'
import { QrCode } from '@carespine/ui/barcode'
import { startRegistration } from '@simplewebauthn/browser'
import { IconDeviceMobile, IconFingerprint } from '@tabler/icons-react'
import { type FormEvent, type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError, call } from './api.ts'
import { Dialog } from './dialog.tsx'
import { formatDate, useLanguage } from './i18n.ts'
import { ErrorNote, Waiting } from './page.tsx'
import { useAction, useCommand } from './use-action.ts'

/** Passkeys belong to one host, and to pages below it. */
function isAt(host: string): boolean {
  const here = window.location.hostname
  return window.isSecureContext && window.PublicKeyCredential !== undefined && (here === host || here.endsWith(`.${host}`))
}

/** What the one who is signed in shows beside the password: an app, passkeys, and codes for when both are lost. */
export function MyFactors() {
  const { t } = useTranslation()
  const { data, error, refetch, isPending } = useAction(myFactors, {})
  const [codes, setCodes] = useState<readonly string[]>()
  return (
    <>
      <Text size="sm">{t('factors.lead')}</Text>
      <ErrorNote error={error} onRetry={() => void refetch()} />
      {isPending && <Waiting />}
      {data && (
        <>
          <App mine={data} onCodes={setCodes} />
          <Passkeys mine={data} onCodes={setCodes} />
          {(data.totpSince !== undefined || data.passkeys.length > 0) && <Recovery left={data.recoveryCodes} onCodes={setCodes} />}
        </>
      )}
      <Dialog opened={codes !== undefined} onClose={() => setCodes(undefined)} title={t('factors.codes')}>
        {codes && <Codes codes={codes} onDone={() => setCodes(undefined)} />}
      </Dialog>
    </>
  )
}

interface PartProps {
  mine: Mine
  onCodes(codes: readonly string[] | undefined): void
}

function Line({ title, note, action }: { title: string; note?: string; action?: ReactNode }) {
  return (
    <Group justify="space-between" gap="xs">
      <div>
        <Text fw={600}>
          <bdi>{title}</bdi>
        </Text>
        {note && (
          <Text size="sm" c="dimmed">
            {note}
          </Text>
        )}
      </div>
      {action}
    </Group>
  )
}

function App({ mine, onCodes }: PartProps) {
  const { t } = useTranslation()
  const language = useLanguage()
  const begin = useCommand(beginTotp)
  const remove = useCommand(removeTotp)
  const since = mine.totpSince
  return (
    <>
      <Line
        title={t('factors.app')}
        note={since === undefined ? t('factors.noApp') : t('factors.since', { date: formatDate(since, language, 'date') })}
        action={
          since === undefined ? (
            <Button variant="default" leftSection={<IconDeviceMobile size={16} aria-hidden />} loading={begin.isPending} onClick={() => begin.mutate({})}>
              {t('factors.addApp')}
            </Button>
          ) : (
            <Button variant="default" loading={remove.isPending} onClick={() => remove.mutate({})}>
              {t('factors.removeApp')}
            </Button>
          )
        }
      />
      <ErrorNote error={begin.error ?? remove.error} />
      <Dialog opened={begin.data !== undefined} onClose={() => begin.reset()} title={t('factors.addApp')}>
        {begin.data && (
          <NewApp
            {...begin.data}
            onDone={(codes) => {
              begin.reset()
              onCodes(codes)
            }}
          />
        )}
      </Dialog>
    </>
  )
}

function NewApp({ secret, uri, onDone }: { secret: string; uri: string; onDone(codes: readonly string[] | undefined): void }) {
  const { t } = useTranslation()
  const confirm = useCommand(confirmTotp)
  const [code, setCode] = useState('')
  const [isWrong, setWrong] = useState(false)
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    const input = { code: code.replaceAll(/\s/g, '') }
    setWrong(!confirmTotp.input.safeParse(input).success)
    if (confirmTotp.input.safeParse(input).success) confirm.mutate(input, { onSuccess: ({ recoveryCodes }) => onDone(recoveryCodes) })
  }
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        <Text size="sm">{t('factors.scan')}</Text>
        <Group justify="center">
          <QrCode text={uri} label={t('factors.qr')} />
        </Group>
        <Text size="sm">{t('factors.orType')}</Text>
        <Code block dir="ltr" style={{ textAlign: 'center', whiteSpace: 'normal' }}>
          {secret.replaceAll(/(.{4})(?=.)/g, '$1 ')}
        </Code>
        <TextInput label={t('factors.code')} data-autofocus dir="ltr" inputMode="numeric" autoComplete="one-time-code" value={code} onChange={(event) => setCode(event.currentTarget.value)} error={isWrong ? t('factors.sixDigits') : undefined} />
        <ErrorNote error={confirm.error} />
        <Button type="submit" loading={confirm.isPending}>
          {t('factors.confirm')}
        </Button>
      </Stack>
    </form>
  )
}

function Passkeys({ mine, onCodes }: PartProps) {
  const { t } = useTranslation()
  const language = useLanguage()
  const remove = useCommand(removePasskey)
  const [adding, setAdding] = useState(false)
  const canAdd = isAt(mine.passkeyHost)
  return (
    <>
      <Line
        title={t('factors.passkeys')}
        note={canAdd ? t('factors.passkeysLead') : t('factors.elsewhere', { host: mine.passkeyHost })}
        action={
          canAdd && (
            <Button variant="default" leftSection={<IconFingerprint size={16} aria-hidden />} onClick={() => setAdding(true)}>
              {t('factors.addPasskey')}
            </Button>
          )
        }
      />
      {mine.passkeys.length > 0 && (
        <Stack gap="xs" ps="md">
          {mine.passkeys.map(({ id, name, addedAt, usedAt }) => (
            <Line
              key={id}
              title={name}
              note={usedAt === undefined ? t('factors.since', { date: formatDate(addedAt, language, 'date') }) : t('factors.used', { date: formatDate(usedAt, language, 'both') })}
              action={
                <Button size="compact-sm" variant="default" loading={remove.isPending} onClick={() => remove.mutate({ id })} aria-label={t('factors.removePasskey', { name })}>
                  {t('factors.remove')}
                </Button>
              }
            />
          ))}
        </Stack>
      )}
      <ErrorNote error={remove.error} />
      <Dialog opened={adding} onClose={() => setAdding(false)} title={t('factors.addPasskey')}>
        <NewPasskey
          onDone={(codes) => {
            setAdding(false)
            onCodes(codes)
          }}
        />
      </Dialog>
    </>
  )
}

function NewPasskey({ onDone }: { onDone(codes: readonly string[] | undefined): void }) {
  const { t } = useTranslation()
  const add = useCommand(addPasskey)
  const [name, setName] = useState('')
  const [error, setError] = useState<unknown>()
  const [isMissing, setMissing] = useState(false)
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    setError(undefined)
    setMissing(name.trim() === '')
    if (name.trim() === '') return
    try {
      const { options } = await call(beginPasskey, {})
      const passkey = await startRegistration({ optionsJSON: options as never }).catch(() => {
        throw new ApiError(0, { code: 'PASSKEY_NOT_USED' })
      })
      const { recoveryCodes } = await add.mutateAsync({ name, passkey: passkey as never })
      onDone(recoveryCodes)
    } catch (fault) {
      setError(fault)
    }
  }
  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <Stack>
        <TextInput label={t('factors.passkeyName')} description={t('factors.passkeyNameHint')} data-autofocus maxLength={60} value={name} onChange={(event) => setName(event.currentTarget.value)} error={isMissing ? t('fault.required') : undefined} />
        <ErrorNote error={error} />
        <Button type="submit" loading={add.isPending}>
          {t('factors.makePasskey')}
        </Button>
      </Stack>
    </form>
  )
}

function Recovery({ left, onCodes }: { left: number; onCodes(codes: readonly string[]): void }) {
  const { t } = useTranslation()
  const renew = useCommand(renewRecoveryCodes)
  return (
    <>
      <Line
        title={t('factors.codes')}
        note={t('factors.codesLeft', { count: left })}
        action={
          <Button variant="default" loading={renew.isPending} onClick={() => renew.mutate({}, { onSuccess: ({ recoveryCodes }) => onCodes(recoveryCodes) })}>
            {t('factors.newCodes')}
          </Button>
        }
      />
      <ErrorNote error={renew.error} />
    </>
  )
}

function Codes({ codes, onDone }: { codes: readonly string[]; onDone(): void }) {
  const { t } = useTranslation()
  return (
    <Stack>
      <Alert color="abnormal" variant="light">
        {t('factors.codesOnce')}
      </Alert>
      <List listStyleType="none" dir="ltr" ff="monospace" ta="center">
        {codes.map((code) => (
          <List.Item key={code}>{code}</List.Item>
        ))}
      </List>
      <Group justify="flex-end">
        <CopyButton value={codes.join('\n')}>
          {({ copied, copy }) => (
            <Button variant="default" onClick={copy}>
              {t(copied ? 'factors.copied' : 'factors.copy')}
            </Button>
          )}
        </CopyButton>
        <Button data-autofocus onClick={onDone}>
          {t('factors.kept')}
        </Button>
      </Group>
    </Stack>
  )
}
