import { createServer, type Socket } from 'node:net'
import type { Services } from '@carespine/kit/services'
import { Deframer, frame } from './mllp.ts'
import { receiveFrame } from './receive-message.ts'

export interface Listener {
  port: number
  close(): Promise<void>
}

const IDLE_MILLISECONDS = 10 * 60_000
const MOST_CONNECTIONS = 200

/** Listens for HL7 v2 over MLLP. Messages of one connection are answered in the order they came. */
export function startListener(options: { port: number; host: string; services: Services }): Promise<Listener> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    serve(socket, options.services)
    socket.on('close', () => sockets.delete(socket))
  })
  server.maxConnections = MOST_CONNECTIONS
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, () => {
      const address = server.address()
      resolve({
        port: typeof address === 'object' && address ? address.port : options.port,
        close: () =>
          new Promise((done) => {
            server.close(() => done())
            for (const socket of sockets) socket.destroy()
          }),
      })
    })
  })
}

function serve(socket: Socket, services: Services): void {
  const deframer = new Deframer()
  let last: Promise<void> = Promise.resolve()
  socket.setTimeout(IDLE_MILLISECONDS, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    let messages: Buffer[]
    try {
      messages = deframer.push(chunk)
    } catch {
      socket.destroy()
      return
    }
    for (const message of messages) {
      last = last.then(async () => {
        const answer = await receiveFrame(services, message)
        if (!socket.destroyed) socket.write(frame(answer))
      })
    }
  })
}
