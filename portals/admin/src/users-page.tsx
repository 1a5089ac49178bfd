import { Badge, Button, Group, Stack, Text, TextInput } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { disableUser, listUsers, type User } from '@carespine/identity/contract'
import { Dialog } from '@carespine/shell/dialog'
import { useWords } from '@carespine/shell/i18n'
import { ErrorNote, Nothing, Page, Waiting } from '@carespine/shell/page'
import { useSession } from '@carespine/shell/session'
import { useAction, useCommand } from '@carespine/shell/use-action'
import { DataTable } from '@carespine/ui/data-table'
import { IconSearch, IconUserPlus } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { NewUserForm } from './new-user-form.tsx'

/** Every account: who, as what, where; a new one, and the end of one. */
export function UsersPage() {
  const { t } = useTranslation()
  const words = useWords()
  const { session } = useSession()
  const { data, error, refetch } = useAction(listUsers, {})
  const [text, setText] = useState('')
  const [adding, add] = useDisclosure(false)
  const [closing, setClosing] = useState<User>()
  const wanted = text.trim().toLowerCase()
  const users = (data?.users ?? []).filter(({ display, email }) => `${display} ${email}`.toLowerCase().includes(wanted))
  const branchOf = ({ branch }: User): string => {
    const known = session?.user.branches.find(({ id }) => id === branch)
    return known ? words(known.name, known.nameArabic) : '—'
  }
  return (
    <Page
      title={t('admin.menu.users')}
      actions={
        <Button leftSection={<IconUserPlus size={16} aria-hidden />} onClick={add.open}>
          {t('admin.users.add')}
        </Button>
      }
    >
      <TextInput aria-label={t('admin.users.find')} placeholder={t('admin.users.find')} leftSection={<IconSearch size={16} aria-hidden />} maw={420} value={text} onChange={(event) => setText(event.currentTarget.value)} />
      <ErrorNote error={error} onRetry={() => void refetch()} />
      {!data && !error && <Waiting />}
      {data && users.length === 0 && <Nothing>{t('admin.users.none')}</Nothing>}
      {users.length > 0 && (
        <DataTable
          label={t('admin.menu.users')}
          rows={users}
          keyOf={({ id }) => id}
          columns={[
            { key: 'name', title: t('admin.users.name'), width: 'minmax(160px, 2fr)', card: 'lead', cell: ({ display }) => <Text size="sm" fw={600}>{display}</Text> },
            { key: 'email', title: t('signIn.email'), width: 'minmax(180px, 2fr)', cell: ({ email }) => <bdi dir="ltr">{email}</bdi> },
            {
              key: 'roles',
              title: t('admin.users.roles'),
              width: 'minmax(160px, 2fr)',
              card: 'titled',
              cell: ({ roles }) => (
                <Group gap={4}>
                  {roles.map((role) => (
                    <Badge key={role} variant="light" color="calm" radius="sm">
                      {t(`portal.${role}`)}
                    </Badge>
                  ))}
                </Group>
              ),
            },
            { key: 'branch', title: t('admin.users.branch'), width: 'minmax(120px, 1fr)', card: 'titled', cell: branchOf },
            {
              key: 'act',
              title: t('admin.users.state'),
              width: '120px',
              card: 'aside',
              cell: (user) =>
                user.active ? (
                  <Button size="compact-xs" variant="default" onClick={() => setClosing(user)} aria-label={t('admin.users.closeOne', { name: user.display })}>
                    {t('admin.users.close')}
                  </Button>
                ) : (
                  <Badge color="calm" radius="sm">
                    {t('admin.users.closed')}
                  </Badge>
                ),
            },
          ]}
        />
      )}
      <Dialog opened={adding} onClose={add.close} title={t('admin.users.add')}>
        <NewUserForm onDone={add.close} />
      </Dialog>
      <Dialog opened={closing !== undefined} onClose={() => setClosing(undefined)} title={t('admin.users.closeOne', { name: closing?.display ?? '' })}>
        {closing && <CloseAccount user={closing} onDone={() => setClosing(undefined)} />}
      </Dialog>
    </Page>
  )
}

function CloseAccount({ user, onDone }: { user: User; onDone(): void }) {
  const { t } = useTranslation()
  const close = useCommand(disableUser)
  return (
    <Stack>
      <Text size="sm">{t('admin.users.closeHint')}</Text>
      <ErrorNote error={close.error} />
      <Group justify="flex-end">
        <Button variant="default" onClick={onDone} data-autofocus>
          {t('common.cancel')}
        </Button>
        <Button color="critical" loading={close.isPending} onClick={() => close.mutate({ userId: user.id }, { onSuccess: onDone })}>
          {t('admin.users.close')}
        </Button>
      </Group>
    </Stack>
  )
}
