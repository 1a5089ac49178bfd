import { IconCalendarEvent, IconUserPlus, IconUsers } from '@tabler/icons-react'
import type { Portal } from '@carespine/shell/app'
import { HubHome } from './home.tsx'
import { PatientPage } from './patient-page.tsx'
import { RegisterPage } from './register-page.tsx'
import { VisitsPage } from './visits-page.tsx'

/** The front desk: find, register, start a visit. */
export const hub: Portal = {
  pages: [
    { path: '', component: HubHome, menu: 'hub.menu.search', icon: <IconUsers size={18} aria-hidden /> },
    { path: 'register', component: RegisterPage, menu: 'hub.menu.register', icon: <IconUserPlus size={18} aria-hidden /> },
    { path: 'visits', component: VisitsPage, menu: 'hub.menu.visits', icon: <IconCalendarEvent size={18} aria-hidden /> },
    { path: 'patients/$id', component: PatientPage },
  ],
}
