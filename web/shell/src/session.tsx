import { createContext, type ReactNode, useContext, useEffect, useState } from 'react'
import { currentSession, onSession, refresh, type Session } from './api.ts'

interface SessionState {
  session: Session | undefined
  /** False until it is known whether somebody is signed in. */
  known: boolean
}

const SessionContext = createContext<SessionState>({ session: undefined, known: false })

/** Keeps who is signed in; a reload finds out with the refresh cookie. */
export function SessionProvider({ children }: { children: ReactNode }) {
  const [state, setState] = useState<SessionState>({ session: currentSession(), known: currentSession() !== undefined })
  useEffect(() => {
    const stop = onSession((session) => setState({ session, known: true }))
    if (!currentSession()) refresh().catch(() => setState({ session: undefined, known: true }))
    // Before the access token's ten minutes are over.
    const timer = setInterval(() => {
      if (currentSession()) refresh().catch(() => undefined)
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
