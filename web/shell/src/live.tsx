import type { Notification } from '@carespine/notifications/contract'
import { useQueryClient } from '@tanstack/react-query'
import { createContext, type ReactNode, useContext, useEffect, useState } from 'react'
import { io } from 'socket.io-client'
import { currentSession } from './api.ts'
import { useSession } from './session.tsx'

export type Connection = 'live' | 'connecting'

const LiveContext = createContext<Connection>('connecting')

export function useConnection(): Connection {
  return useContext(LiveContext)
}

/** True when the connection is gone for longer than a hiccup lasts. */
export function useIsCutOff(): boolean {
  const connection = useConnection()
  const [isCutOff, setCutOff] = useState(false)
  useEffect(() => {
    if (connection === 'live') {
      setCutOff(false)
      return
    }
    const timer = setTimeout(() => setCutOff(true), 4000)
    return () => clearTimeout(timer)
  }, [connection])
  return isCutOff
}

/** The live connection: every hint and alert makes the screens look again, under their own permissions. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient()
  const { session } = useSession()
  const [connection, setConnection] = useState<Connection>('connecting')
  const userId = session?.user.id
  useEffect(() => {
    if (userId === undefined) return
    const socket = io({ auth: (done) => done({ token: currentSession()?.accessToken ?? '' }), transports: ['websocket', 'polling'] })
    // At once, and once more for whatever came meanwhile: a busy ward would else have its screens fetch without a pause.
    let resting: ReturnType<typeof setTimeout> | undefined
    let isDue = false
    const lookAgain = (): void => {
      if (resting !== undefined) {
        isDue = true
        return
      }
      void client.invalidateQueries()
      resting = setTimeout(() => {
        resting = undefined
        if (isDue) lookAgain()
      }, 700)
      isDue = false
    }
    const lookAtOnce = (): void => void client.invalidateQueries()
    socket.on('connect', () => {
      setConnection('live')
      lookAgain()
    })
    socket.on('disconnect', (reason) => {
      setConnection('connecting')
      if (reason === 'io server disconnect') setTimeout(() => socket.connect(), 1000)
    })
    socket.on('connect_error', () => {
      setConnection('connecting')
      if (!socket.active) setTimeout(() => socket.connect(), 3000)
    })
    socket.on('hint', lookAgain)
    socket.on('notification', (_notification: Notification) => lookAgain())
    socket.on('critical_alert', (_notification: Notification) => lookAtOnce())
    return () => {
      clearTimeout(resting)
      socket.disconnect()
    }
  }, [client, userId])
  return <LiveContext.Provider value={connection}>{children}</LiveContext.Provider>
}
