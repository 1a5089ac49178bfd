import { createContext, type ReactNode, useContext, useEffect, useState } from 'react'
import { currentStanding, onStanding, refresh, type Standing } from './api.ts'

interface SessionState extends Standing {
  /** False until it is known whether somebody is signed in. */
  known: boolean
}

const SessionContext = createContext<SessionState>({ session: undefined, locked: undefined, endsAt: 0, known: false })

/** Keeps who is signed in; a reload finds out with the refresh cookie. */
export function SessionProvider({ children }: { children: ReactNode }) {
  const [state, setState] = useState<SessionState>({ ...currentStanding(), known: currentStanding().session !== undefined })
  useEffect(() => {
    const stop = onStanding((standing) => setState({ ...standing, known: true }))
    if (!currentStanding().session) refresh().catch(() => setState({ ...currentStanding(), known: true }))
    // Before the access token's ten minutes are over.
    const timer = setInterval(() => {
      const { session, locked } = currentStanding()
      if (session && locked === undefined) refresh().catch(() => undefined)
    }, 8 * 60_000)
    return () => {
      stop()
      clearInterval(timer)
    }
  }, [])
  return <SessionContext.Provider value={state}>{children}</SessionContext.Provider>
}

export function useSession(): SessionState {
  return useContext(SessionContext)
}

/** True when the one who is signed in has a permission; `lab.*` covers `lab.release`. */
export function useAllowed(): (permission: string) => boolean {
  const { session } = useSession()
  return (permission) =>
    session?.user.permissions.some((one) => one === permission || (one.endsWith('*') && permission.startsWith(one.slice(0, -1)))) ?? false
}
