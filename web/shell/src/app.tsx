import { DirectionProvider, MantineProvider, useDirection } from '@mantine/core'
import { Notifications } from '@mantine/notifications'
import { PORTALS } from '@carespine/identity/contract'
import { theme } from '@carespine/ui/theme'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { type AnyRoute, createRootRoute, createRoute, createRouter, Navigate, Outlet, RouterProvider, useParams, useRouterState } from '@tanstack/react-router'
import { type ComponentType, lazy, type ReactNode, StrictMode, Suspense, useEffect, useRef } from 'react'
import { createRoot } from 'react-dom/client'
import { useTranslation } from 'react-i18next'
import { AccountPage } from './account-page.tsx'
import { ApiError, hasSignedOut, onStanding } from './api.ts'
import { AuthorizePage } from './authorize-page.tsx'
import { FrontDoor } from './front-door.tsx'
import { startI18n } from './i18n.ts'
import { Layout } from './layout.tsx'
import { LiveProvider } from './live.tsx'
import { LockScreen } from './lock-screen.tsx'
import { NotFound, NotFoundScreen } from './not-found.tsx'
import { Waiting } from './page.tsx'
import { SessionProvider, useSession } from './session.tsx'
import { SessionWatch } from './session-watch.tsx'
import { SetUpPage } from './set-up-page.tsx'
import { SignInPage } from './sign-in-page.tsx'
import { StepUpDialog } from './step-up-dialog.tsx'

/** One page of a portal: where it is, and how the side menu calls it. */
export interface PortalPage {
  /** Below the portal, with parameters as `$id`: `results/$reportId`. Empty for its home. */
  path: string
  component: ComponentType
  /** Key of the message catalogue; pages without one are not in the menu. */
  menu?: string
  icon?: ReactNode
}

export interface Portal {
  pages: readonly PortalPage[]
}

export type PortalLoaders = Readonly<Record<string, () => Promise<Portal>>>

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5000,
      // A "no" of the server stays one; only its silence is worth another try.
      retry: (count, error) => count < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
    },
  },
})

// What one person read is nothing for the next one, nor what they read in one portal for another.
let reader = ''
onStanding(({ session }) => {
  const next = session ? `${session.user.id}/${session.user.portal}` : ''
  if (reader !== '' && reader !== next) client.clear()
  reader = next
})
// The browser may keep a page that was left as it was, and show it again on the way back.
window.addEventListener('pageshow', ({ persisted }) => {
  if (persisted) window.location.reload()
})

/** Matches a path below a portal against its pages; the parameters are read with `useParams`. */
function match(pages: readonly PortalPage[], path: string): PortalPage | undefined {
  const parts = path.split('/').filter(Boolean)
  return pages.find((page) => {
    const wanted = page.path.split('/').filter(Boolean)
    return wanted.length === parts.length && wanted.every((part, at) => part.startsWith('$') || part === parts[at])
  })
}

/** On another page the keyboard goes on from its beginning, unless the page took the focus itself. */
function useFocusOnArrival(path: string): void {
  const last = useRef(path)
  useEffect(() => {
    if (last.current === path) return
    last.current = path
    const { activeElement } = document
    if (activeElement === null || activeElement === document.body) document.getElementById('content')?.focus({ preventScroll: true })
  }, [path])
}

/** What every portal has beside its own pages. */
const ofEveryPortal: readonly PortalPage[] = [{ path: 'account', component: AccountPage }]

function portalView(name: string, load: () => Promise<Portal>): ComponentType {
  return lazy(async () => {
    const pages = [...(await load()).pages, ...ofEveryPortal]
    function View() {
      const { _splat } = useParams({ strict: false }) as { _splat?: string }
      const page = match(pages, _splat ?? '')
      const Content = page?.component
      useFocusOnArrival(_splat ?? '')
      return (
        <Layout portal={name} pages={pages} active={page?.path ?? ''}>
          {Content ? <Content key={_splat} /> : <NotFound home={`/${name}`} />}
        </Layout>
      )
    }
    return { default: View }
  })
}

function Guarded() {
  const { session, known } = useSession()
  const path = useRouterState({ select: (state) => state.location.pathname })
  const { portal } = useParams({ strict: false }) as { portal?: string }
  if (portal !== undefined && !(PORTALS as readonly string[]).includes(portal)) return <NotFoundScreen />
  if (!known) return <Waiting />
  // While the sign-in page loads, this page still stands at its address. Where somebody was is nobody else's business.
  if (!session) return path === '/sign-in' ? null : <Navigate to="/sign-in" search={portal === undefined || hasSignedOut() ? {} : { back: path }} />
  const own = session.user.portal ?? 'hub'
  if (portal !== own) return <Navigate to={`/${own}`} />
  const View = views.get(own) ?? portalView(own, async () => ({ pages: [{ path: '', component: FrontDoor }] }))
  views.set(own, View)
  return (
    <LiveProvider>
      <Suspense fallback={<Waiting />}>
        <View />
      </Suspense>
    </LiveProvider>
  )
}

/** Where apps send people to see what they have allowed: the account page of the portal that they are signed in to. */
function OwnApps() {
  const { session, known } = useSession()
  if (!known) return <Waiting />
  return session ? <Navigate to={`/${session.user.portal ?? 'hub'}/account`} /> : <Navigate to="/sign-in" search={{ back: '/patient/account' }} />
}

const views = new Map<string, ComponentType>()

/** Parameters of the page that is open: `usePageParams('patients/$id').id`. */
export function usePageParams<K extends string>(...names: readonly K[]): Record<K, string> {
  const { _splat = '' } = useParams({ strict: false }) as { _splat?: string }
  const parts = _splat.split('/').filter(Boolean)
  return Object.fromEntries(names.map((name, at) => [name, parts[at + 1] ?? ''])) as Record<K, string>
}

function FollowLanguage() {
  const { setDirection } = useDirection()
  const { i18n } = useTranslation()
  useEffect(() => setDirection(i18n.language === 'ar' ? 'rtl' : 'ltr'), [i18n.language, setDirection])
  return null
}

/** Starts the app with the portals that it can load. */
export async function startApp(element: HTMLElement, portals: PortalLoaders): Promise<void> {
  await startI18n()
  for (const [name, load] of Object.entries(portals)) views.set(name, portalView(name, load))
  const root = createRootRoute({ component: Outlet, notFoundComponent: NotFoundScreen })
  const routes: AnyRoute[] = [
    createRoute({ getParentRoute: () => root, path: '/sign-in', component: SignInPage }),
    createRoute({ getParentRoute: () => root, path: '/setup', component: SetUpPage }),
    createRoute({ getParentRoute: () => root, path: '/authorize', component: AuthorizePage }),
    createRoute({ getParentRoute: () => root, path: '/apps', component: OwnApps }),
    createRoute({ getParentRoute: () => root, path: '/', component: Guarded }),
    createRoute({ getParentRoute: () => root, path: '/$portal', component: Guarded }),
    createRoute({ getParentRoute: () => root, path: '/$portal/$', component: Guarded }),
  ]
  const router = createRouter({ routeTree: root.addChildren(routes), scrollRestoration: true })
  createRoot(element).render(
    <StrictMode>
      <DirectionProvider initialDirection={document.documentElement.dir === 'rtl' ? 'rtl' : 'ltr'}>
        <MantineProvider theme={theme} defaultColorScheme="auto">
          <FollowLanguage />
          <Notifications position="bottom-right" />
          <QueryClientProvider client={client}>
            <SessionProvider>
              <RouterProvider router={router} />
              <SessionWatch />
              <LockScreen />
              <StepUpDialog />
            </SessionProvider>
          </QueryClientProvider>
        </MantineProvider>
      </DirectionProvider>
    </StrictMode>,
  )
}
