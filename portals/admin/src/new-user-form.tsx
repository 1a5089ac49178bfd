import { Button, MultiSelect, PasswordInput, Stack, TextInput } from '@mantine/core'
import { createUser, PORTALS, type Portal } from '@carespine/identity/contract'
import { useWords } from '@carespine/shell/i18n'
import { ErrorNote } from '@carespine/shell/page'
import { useSession } from '@carespine/shell/session'
import { useCommand } from '@carespine/shell/use-action'
import { useFaults } from '@carespine/shell/use-faults'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'

/** An account for somebody who begins to work here. */
export function NewUserForm({ onDone }: { onDone(): void }) {
  const { t } = useTranslation()
  const words = useWords()
  const { session } = useSession()
  const create = useCommand(createUser)
  const [form, setForm] = useState({ display: '', email: '', password: '', roles: [] as string[], branches: session ? [session.user.branch] : [] })
  const input = { ...form, roles: form.roles as Portal[] }
  const faults = useFaults(createUser.input, input)
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (faults.check()) create.mutate(input, { onSuccess: onDone })
  }
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        <TextInput label={t('admin.users.name')} withAsterisk data-autofocus autoComplete="off" value={form.display} onChange={(event) => setForm({ ...form, display: event.currentTarget.value })} error={faults.of('display')} />
        <TextInput label={t('signIn.email')} withAsterisk type="email" dir="ltr" autoComplete="off" value={form.email} onChange={(event) => setForm({ ...form, email: event.currentTarget.value })} error={faults.of('email')} />
        <PasswordInput label={t('signIn.password')} description={t('setUp.length')} withAsterisk dir="ltr" autoComplete="new-password" value={form.password} onChange={(event) => setForm({ ...form, password: event.currentTarget.value })} error={faults.of('password')} visibilityToggleButtonProps={{ 'aria-label': t('signIn.showPassword') }} />
        <MultiSelect label={t('admin.users.roles')} withAsterisk data={PORTALS.filter((role) => role !== 'patient').map((value) => ({ value, label: t(`portal.${value}`) }))} value={form.roles} onChange={(roles) => setForm({ ...form, roles })} error={faults.of('roles')} />
        <MultiSelect label={t('admin.users.branches')} withAsterisk data={(session?.user.branches ?? []).map(({ id, name, nameArabic }) => ({ value: id, label: words(name, nameArabic) }))} value={form.branches} onChange={(branches) => setForm({ ...form, branches })} error={faults.of('branches')} />
        <ErrorNote error={create.error} />
        <Button type="submit" loading={create.isPending}>
          {t('common.save')}
        </Button>
      </Stack>
    </form>
  )
}
