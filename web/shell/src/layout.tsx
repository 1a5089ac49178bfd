import { ActionIcon, Alert, Anchor, AppShell, Badge, Box, Burger, Group, Menu, NavLink, Text, Tooltip, UnstyledButton, useMantineColorScheme } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { portalColors } from '@carespine/ui/theme'
import { IconCalendar, IconCircleFilled, IconLock, IconLogout, IconMoon, IconPlugConnectedX, IconSearch, IconShieldExclamation, IconUserCircle, IconUsers } from '@tabler/icons-react'
import { Link, useNavigate } from '@tanstack/react-router'
import { type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { lock, signOut } from './api.ts'
import type { PortalPage } from './app.tsx'
import { CriticalAlert } from './critical-alert.tsx'
import { formatDate, isHijri, setHijri, useLanguage, useWords } from './i18n.ts'
import { useConnection, useIsCutOff } from './live.tsx'
import { AlertBell } from './notification-list.tsx'
import { PatientPalette } from './patient-search.tsx'
import { useAllowed, useSession } from './session.tsx'
import { LanguageSwitch } from './entrance.tsx'
import { changeOver, useIsWardComputer } from './ward-computer.ts'

/** First letters of a name, without a title before it. */
function initialsOf(name: string): string {
  const words = name.split(/\s+/).filter((word) => word !== '' && !/^(dr|prof|د)\.?$/i.test(word))
  return [words[0], words.length > 1 ? words.at(-1) : undefined].map((word) => word?.[0] ?? '').join('').toUpperCase()
}

/** The frame of every portal: who and where one is, search, alerts, the portal's menu. */
export function Layout({ portal, pages, active, children }: { portal: string; pages: readonly PortalPage[]; active: string; children: ReactNode }) {
  const { t } = useTranslation()
  const words = useWords()
  const language = useLanguage()
  const isShared = useIsWardComputer()
  const navigate = useNavigate()
  const { session } = useSession()
  const allowed = useAllowed()
  const connection = useConnection()
  const { toggleColorScheme } = useMantineColorScheme()
  const [opened, { toggle, close }] = useDisclosure(false)
  const [searching, search] = useDisclosure(false)
  const [calendar, setCalendar] = useState(isHijri())
  const isCutOff = useIsCutOff()
  const color = portalColors[portal] ?? 'teal.6'
  const branch = session?.user.branches.find(({ id }) => id === session.user.branch)
  const canSearch = allowed('registration.read') && portal !== 'patient'

  useEffect(() => {
    const open = (event: KeyboardEvent): void => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k' && canSearch) {
        event.preventDefault()
        search.open()
      }
    }
    window.addEventListener('keydown', open)
    return () => window.removeEventListener('keydown', open)
  }, [canSearch, search])
  const menu = pages.filter((page) => page.menu !== undefined)
  // A page that is not in the menu belongs to the portal's home.
  const shown = menu.some(({ path }) => path === active) ? active : ''
  return (
    <AppShell header={{ height: 54 }} navbar={{ width: 224, breakpoint: 'sm', collapsed: { mobile: !opened, desktop: menu.length === 0 } }} padding="md">
      <a href="#content" className="skip">
        {t('shell.skip')}
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" gap="sm" wrap="nowrap" justify="space-between">
          <Group gap="sm" wrap="nowrap">
            {menu.length > 0 && <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={t('shell.menu')} />}
            <Text fw={700} visibleFrom="xs">
              Carespine
            </Text>
            <Badge color={color} variant="filled" radius="sm" size="lg">
              {t(`portal.${portal}`)}
            </Badge>
            <Text size="sm" visibleFrom="md">
              {branch && words(branch.name, branch.nameArabic)}
            </Text>
          </Group>
          <Group gap="xs" wrap="nowrap">
            {canSearch && (
              <UnstyledButton onClick={search.open} aria-label={t('shell.findPatient')} px="sm" py={5} style={{ border: '1px solid var(--mantine-color-default-border)', borderRadius: 8 }}>
                <Group gap={6} wrap="nowrap">
                  <IconSearch size={16} aria-hidden />
                  <Text size="sm" visibleFrom="md">
                    {t('shell.findPatient')}
                  </Text>
                  <Text size="xs" visibleFrom="md" component="kbd">
                    Ctrl K
                  </Text>
                </Group>
              </UnstyledButton>
            )}
            <Tooltip label={t(`live.${connection}`)}>
              <Box role="status" aria-label={t(`live.${connection}`)} c={connection === 'live' ? 'teal' : 'abnormal'} style={{ display: 'grid' }}>
                <IconCircleFilled size={10} aria-hidden />
              </Box>
            </Tooltip>
            {allowed('notifications.read') && <AlertBell />}
            <Box visibleFrom="sm">
              <LanguageSwitch />
            </Box>
            <Menu position="bottom-end" width={240}>
              <Menu.Target>
                <ActionIcon variant="default" size="lg" aria-label={t('shell.account')} radius="xl">
                  <Text size="xs" fw={700}>
                    {initialsOf(session?.user.display ?? '')}
                  </Text>
                </ActionIcon>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Label>{session?.user.display}</Menu.Label>
                <Menu.Item component={Link} to={`/${portal}/account`} leftSection={<IconUserCircle size={16} aria-hidden />}>
                  {t('account.title')}
                </Menu.Item>
                <Menu.Item leftSection={<IconMoon size={16} aria-hidden />} onClick={toggleColorScheme}>
                  {t('shell.theme')}
                </Menu.Item>
                <Menu.Item
                  leftSection={<IconCalendar size={16} aria-hidden />}
                  onClick={() => {
                    setHijri(!calendar)
                    setCalendar(!calendar)
                  }}
                >
                  {calendar ? t('shell.gregorian') : t('shell.hijri')}
                </Menu.Item>
                <Box hiddenFrom="sm" p="xs">
                  <LanguageSwitch />
                </Box>
                <Menu.Divider />
                <Menu.Item leftSection={<IconLock size={16} aria-hidden />} onClick={() => void lock('by-hand')}>
                  {t('lock.now')}
                </Menu.Item>
                {isShared && (
                  <Menu.Item leftSection={<IconUsers size={16} aria-hidden />} onClick={() => void changeOver()}>
                    {t('ward.changeOver')}
                  </Menu.Item>
                )}
                <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => void signOut().then(() => navigate({ to: '/sign-in' }))}>
                  {t('shell.signOut')}
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
          </Group>
        </Group>
      </AppShell.Header>
      {menu.length > 0 && (
        <AppShell.Navbar p="xs" aria-label={t('shell.menu')}>
          {menu.map((page) => (
            <NavLink key={page.path} component={Link} activeOptions={{ exact: true }} to={`/${portal}${page.path ? `/${page.path}` : ''}`} label={t(page.menu ?? '')} leftSection={page.icon} active={page.path === shown} variant="filled" color={color} style={{ borderRadius: 8 }} aria-current={page.path === active ? 'page' : undefined} onClick={close} />
          ))}
        </AppShell.Navbar>
      )}
      <AppShell.Main id="content" tabIndex={-1} style={{ outline: 'none' }}>
        {isCutOff && (
          <Alert role="status" color="abnormal" variant="light" mb="md" icon={<IconPlugConnectedX aria-hidden />} title={t('live.lost')}>
            {t('live.lostHint')}
          </Alert>
        )}
        {session?.user.factorDue !== undefined && (
          <Alert role="status" color="abnormal" variant="light" mb="md" icon={<IconShieldExclamation aria-hidden />} title={t('factors.due', { date: formatDate(session.user.factorDue, language, 'date') })}>
            <Anchor component={Link} to={`/${portal}/account`} size="sm">
              {t('factors.dueLink')}
            </Anchor>
          </Alert>
        )}
        {allowed('notifications.read') && <CriticalAlert />}
        <Box key={String(calendar)}>{children}</Box>
      </AppShell.Main>
      {canSearch && <PatientPalette opened={searching} onClose={search.close} portal={portal} />}
    </AppShell>
  )
}
