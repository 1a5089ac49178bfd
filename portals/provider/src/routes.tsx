import { IconSignature, IconStethoscope } from '@tabler/icons-react'
import type { Portal } from '@carespine/shell/app'
import { ChartPage } from './chart-page.tsx'
import { ProviderHome } from './home.tsx'
import { NoteHistoryPage } from './note-history-page.tsx'
import { NotesPage, UnsignedPage } from './note-lists.tsx'
import { NotePage } from './note-page.tsx'
import { PatientVisitsPage, ResultsPage } from './patient-lists.tsx'
import { ResultPage } from './result-page.tsx'
import { WriteNotePage } from './write-note-page.tsx'

/** The doctor's desk: patients of today, the chart, results. */
export const provider: Portal = {
  pages: [
    { path: '', component: ProviderHome, menu: 'provider.menu.today', icon: <IconStethoscope size={18} aria-hidden /> },
    { path: 'unsigned', component: UnsignedPage, menu: 'note.toSign', icon: <IconSignature size={18} aria-hidden /> },
    { path: 'patients/$id', component: ChartPage },
    { path: 'patients/$id/results', component: ResultsPage },
    { path: 'patients/$id/visits', component: PatientVisitsPage },
    { path: 'patients/$id/notes', component: NotesPage },
    { path: 'notes/$id', component: NotePage },
    { path: 'notes/$id/write', component: WriteNotePage },
    { path: 'notes/$id/history', component: NoteHistoryPage },
    { path: 'results/$id', component: ResultPage },
  ],
}
