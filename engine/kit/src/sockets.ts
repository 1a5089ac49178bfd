import type { Server as HttpServer } from 'node:http'
import type { Actor, Hint } from '@carespine/store/contract'
import { isOutage, Refusal } from '@carespine/store/refusal'
import type { Logger } from 'pino'
import { Server, type Socket } from 'socket.io'
import type { Authenticator } from './services.ts'

/** Loads what a hint stands for as one addressee may see it; undefined when they may not, or not any more. */
export type Present = (ref: Readonly<Record<string, string>>, actor: Actor) => Promise<unknown>

export interface SocketOptions {
  server: HttpServer
  authenticator: Authenticator
  log: Logger
  /** By hint name: which hints are sent with content. All others go out as `hint`, names and ids only. */
  presents: ReadonlyMap<string, Present>
}

export interface Sockets {
  /** Sends a hint to whoever is in its room on this process. */
  deliver(hint: Hint): void
  /** Looks at everybody's sign-in anew, and at the rooms that are theirs. */
  recheck(): void
  /** Sign-ins connected now. */
  count(): number
  close(): Promise<void>
}

const RECHECK_MILLISECONDS = 20_000

function roomsOf(actor: Actor): string[] {
  return [`user:${actor.id}`, ...(actor.patient === undefined ? actor.branches.map((branch) => `branch:${branch}`) : [])]
}

/**
 * Live connections on the HTTP port. A browser signs in with its access token and joins a room of its own and one for
 * each of its branches. The token is looked at again before content is sent, and every 20 s.
 */
export function serveSockets(options: SocketOptions): Sockets {
  const { authenticator, log, presents } = options
  const io = new Server(options.server, {
    serveClient: false,
    transports: ['websocket', 'polling'],
    maxHttpBufferSize: 100_000,
    pingInterval: 15_000,
    pingTimeout: 10_000,
  })

  io.use(async (socket, next) => {
    const token: unknown = socket.handshake.auth.token
    try {
      if (typeof token !== 'string') throw new Refusal('SIGN_IN_NEEDED')
      const actor = await authenticator.actorOf(token)
      if (actor.app !== undefined) throw new Refusal('APP_NOT_HERE')
      socket.data.token = token
      await socket.join(roomsOf(actor))
      next()
    } catch (error) {
      const code = error instanceof Refusal ? error.code : 'INTERNAL'
      next(Object.assign(new Error(code), { data: { code } }))
    }
  })
  // Clients only listen. What they send is dropped before it reaches anything.
  io.on('connection', (socket) => {
    socket.use((_packet, next) => next(new Error('NOT_FOUND')))
    socket.on('error', () => undefined)
  })

  const actorOf = async (socket: Pick<Socket, 'data' | 'disconnect'>): Promise<Actor | undefined> => {
    try {
      return await authenticator.actorOf(socket.data.token as string)
    } catch (error) {
      if (!isOutage(error)) socket.disconnect(true)
      return undefined
    }
  }
  const enterRooms = async (socket: Socket): Promise<void> => {
    const actor = await actorOf(socket)
    if (!actor) return
    const rooms = roomsOf(actor)
    for (const room of socket.rooms) if (room !== socket.id && !rooms.includes(room)) await socket.leave(room)
    await socket.join(rooms)
  }
  const recheck = (): void => {
    for (const socket of io.sockets.sockets.values()) void enterRooms(socket)
  }
  const checking = setInterval(recheck, RECHECK_MILLISECONDS)
  checking.unref()

  const present = async (socket: Socket, hint: Hint, load: Present): Promise<void> => {
    const actor = await actorOf(socket)
    if (!actor) return
    try {
      const content = await load(hint.ref ?? {}, actor)
      if (content !== undefined) socket.emit(hint.name, content)
    } catch (error) {
      // The browser is told to look for itself: it refetches under its own permissions.
      log.warn({ hint: hint.name, fault: error instanceof Refusal ? error.code : 'bug' }, 'hint sent without content')
      socket.emit('hint', { name: hint.name, ref: hint.ref ?? {} })
    }
  }

  return {
    deliver(hint) {
      const load = presents.get(hint.name)
      if (!load) {
        io.to(hint.room).emit('hint', { name: hint.name, ref: hint.ref ?? {} })
        return
      }
      for (const id of io.sockets.adapter.rooms.get(hint.room) ?? []) {
        const socket = io.sockets.sockets.get(id)
        if (socket) void present(socket, hint, load)
      }
    },
    recheck,
    count: () => io.sockets.sockets.size,
    async close() {
      clearInterval(checking)
      await io.close()
    },
  }
}
