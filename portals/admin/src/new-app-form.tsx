import { Button, Select, Stack, Textarea, TextInput } from '@mantine/core'
import { AppForm, KINDS, registerApp } from '@carespine/link-smart/contract'
import { ErrorNote } from '@carespine/shell/page'
import { useCommand } from '@carespine/shell/use-action'
import { useFaults } from '@carespine/shell/use-faults'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { OnlySecret } from './only-secret.tsx'

type Kind = (typeof KINDS)[number]
type Method = AppForm['authMethod']

const methodsOf: Readonly<Record<Kind, readonly Method[]>> = {
  public: ['none'],
  confidential: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
  backend: ['private_key_jwt'],
}
const usualScopes: Readonly<Record<Kind, string>> = {
  public: 'openid\nfhirUser\nlaunch\nlaunch/patient\npatient/*.rs',
  confidential: 'openid\nfhirUser\nlaunch\nlaunch/patient\noffline_access\npatient/*.rs',
  backend: 'system/*.rs',
}
const linesOf = (text: string): string[] => text.split(/\s+/).filter((line) => line !== '')

/** An app that is to be let ask; its secret is shown when it is registered, and never again. */
export function NewAppForm({ onDone }: { onDone(): void }) {
  const { t } = useTranslation()
  const register = useCommand(registerApp)
  const [form, setForm] = useState({ name: '', nameArabic: '', kind: 'public' as Kind, authMethod: 'none' as Method, redirects: '', launchUrl: '', scopes: usualScopes.public, jwksUri: '' })
  const isBackend = form.kind === 'backend'
  const input = {
    name: form.name,
    nameArabic: form.nameArabic,
    kind: form.kind,
    authMethod: form.authMethod,
    redirectUris: isBackend ? [] : linesOf(form.redirects),
    scopes: linesOf(form.scopes),
    ...(form.launchUrl.trim() !== '' && !isBackend ? { launchUrl: form.launchUrl } : {}),
    ...(form.authMethod === 'private_key_jwt' ? { jwksUri: form.jwksUri } : {}),
  }
  const faults = useFaults(AppForm, input)
  const ofList = (field: string, values: readonly string[]): string | undefined => faults.of(field) ?? values.map((_, at) => faults.of(`${field}.${at}`)).find((fault) => fault !== undefined)
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (faults.check()) register.mutate(input)
  }
  if (register.data) {
    return (
      <Stack>
        <OnlySecret {...register.data} />
        <Button onClick={onDone}>{t('common.close')}</Button>
      </Stack>
    )
  }
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        <TextInput label={t('admin.apps.nameEnglish')} withAsterisk data-autofocus autoComplete="off" dir="ltr" value={form.name} onChange={(event) => setForm({ ...form, name: event.currentTarget.value })} error={faults.of('name')} />
        <TextInput label={t('admin.apps.nameArabic')} withAsterisk autoComplete="off" dir="rtl" value={form.nameArabic} onChange={(event) => setForm({ ...form, nameArabic: event.currentTarget.value })} error={faults.of('nameArabic')} />
        <Select
          label={t('admin.apps.kind')}
          data={KINDS.map((value) => ({ value, label: t(`admin.apps.kinds.${value}`) }))}
          value={form.kind}
          allowDeselect={false}
          onChange={(value) => {
            const kind = (value ?? 'public') as Kind
            setForm({ ...form, kind, authMethod: methodsOf[kind][0] ?? 'none', scopes: usualScopes[kind] })
          }}
        />
        {form.kind === 'confidential' && (
          <Select label={t('admin.apps.auth')} data={methodsOf.confidential.map((value) => ({ value, label: t(`admin.apps.methods.${value}`) }))} value={form.authMethod} allowDeselect={false} onChange={(value) => setForm({ ...form, authMethod: value as Method })} />
        )}
        {!isBackend && (
          <>
            <Textarea label={t('admin.apps.redirects')} description={t('admin.apps.redirectsHint')} withAsterisk dir="ltr" autosize minRows={2} value={form.redirects} onChange={(event) => setForm({ ...form, redirects: event.currentTarget.value })} error={ofList('redirectUris', input.redirectUris)} />
            <TextInput label={t('admin.apps.launch')} description={t('admin.apps.launchHint')} dir="ltr" value={form.launchUrl} onChange={(event) => setForm({ ...form, launchUrl: event.currentTarget.value })} error={faults.of('launchUrl')} />
          </>
        )}
        {form.authMethod === 'private_key_jwt' && (
          <TextInput label={t('admin.apps.jwksUri')} withAsterisk dir="ltr" value={form.jwksUri} onChange={(event) => setForm({ ...form, jwksUri: event.currentTarget.value })} error={faults.of('jwksUri')} />
        )}
        <Textarea label={t('admin.apps.scopes')} description={t('admin.apps.scopesHint')} withAsterisk dir="ltr" autosize minRows={3} value={form.scopes} onChange={(event) => setForm({ ...form, scopes: event.currentTarget.value })} error={ofList('scopes', input.scopes)} />
        <ErrorNote error={register.error} />
        <Button type="submit" loading={register.isPending}>
          {t('admin.apps.register')}
        </Button>
      </Stack>
    </form>
  )
}
