import '@mantine/core/styles.css'
import '@mantine/notifications/styles.css'
import 'uplot/dist/uPlot.min.css'
import '@carespine/ui/base.css'
import { startApp } from '@carespine/shell/app'

// The one place that names the portals; each is loaded when somebody opens it.
startApp(document.getElementById('root') as HTMLElement, {
  hub: () => import('@carespine/portal-hub/routes').then(({ hub }) => hub),
  provider: () => import('@carespine/portal-provider/routes').then(({ provider }) => provider),
  admin: () => import('@carespine/portal-admin/routes').then(({ admin }) => admin),
  lab: () => import('@carespine/portal-lab/routes').then(({ lab }) => lab),
})
