import { IconStethoscope } from '@tabler/icons-react'
import type { Portal } from '@carespine/shell/app'
import { ChartPage } from './chart-page.tsx'
import { ProviderHome } from './home.tsx'
import { PatientVisitsPage, ResultsPage } from './patient-lists.tsx'
import { ResultPage } from './result-page.tsx'

/** The doctor's desk: patients of today, the chart, results. */
export const provider: Portal = {
  pages: [
    { path: '', component: ProviderHome, menu: 'provider.menu.today', icon: <IconStethoscope size={18} aria-hidden /> },
    { path: 'patients/$id', component: ChartPage },
    { path: 'patients/$id/results', component: ResultsPage },
    { path: 'patients/$id/visits', component: PatientVisitsPage },
    { path: 'results/$id', component: ResultPage },
  ],
}
