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

/** The live connection: every hint and alert makes the screens look again, under their own permissions. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient()
  const { session } = useSession()
  const [connection, setConnection] = useState<Connection>('connecting')
  const userId = session?.user.id
  useEffect(() => {
    if (userId === undefined) return
    const socket = io({ auth: (done) => done({ token: currentSession()?.accessToken ?? '' }), transports: ['websocket', 'polling'] })
    const lookAgain = (): void => void client.invalidateQueries()
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
    socket.on('critical_alert', (_notification: Notification) => lookAgain())
    return () => {
      socket.disconnect()
    }
  }, [client, userId])
  return <LiveContext.Provider value={connection}>{children}</LiveContext.Provider>
}
