import { IconApps, IconUsers } from '@tabler/icons-react'
import type { Portal } from '@carespine/shell/app'
import { AppsPage } from './apps-page.tsx'
import { UsersPage } from './users-page.tsx'

/** Administration: who works here and what they may do. */
export const admin: Portal = {
  pages: [
    { path: '', component: UsersPage, menu: 'admin.menu.users', icon: <IconUsers size={18} aria-hidden /> },
    { path: 'apps', component: AppsPage, menu: 'admin.menu.apps', icon: <IconApps size={18} aria-hidden /> },
  ],
}
