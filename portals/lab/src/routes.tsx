import { IconMailExclamation, IconTestPipe } from '@tabler/icons-react'
import type { Portal } from '@carespine/shell/app'
import { ResultEntryPage } from './result-entry-page.tsx'
import { UnmatchedPage } from './unmatched-page.tsx'
import { WorklistPage } from './worklist-page.tsx'

/** The laboratory: specimens, results, release, what analysers sent. */
export const lab: Portal = {
  pages: [
    { path: '', component: WorklistPage, menu: 'lab.menu.worklist', icon: <IconTestPipe size={18} aria-hidden /> },
    { path: 'unmatched', component: UnmatchedPage, menu: 'lab.menu.unmatched', icon: <IconMailExclamation size={18} aria-hidden /> },
    { path: 'orders/$id', component: ResultEntryPage },
  ],
}
