import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import type { Services } from '@carespine/kit/services'
import { Deframer, frame, type Framed } from './mllp.ts'
import { receiveFrame, refuseFrame } from './receive-message.ts'

export interface Listener {
  port: number
  close(): Promise<void>
}

const IDLE_MILLISECONDS = 10 * 60_000
const MOST_CONNECTIONS = 200
/** Messages of one connection that may wait; beyond it the sender is read from no further. */
const MOST_WAITING = 32

/** Listens for HL7 v2 over MLLP. Messages of one connection are answered in the order they came. */
export function startListener(options: { port: number; host: string; services: Services }): Promise<Listener> {
  const sockets = new Set<Socket>()
  // A sender that closes its side after the last message still hears the answer.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
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
  let waiting = 0
  socket.setTimeout(IDLE_MILLISECONDS, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    for (const message of deframer.push(chunk)) {
      waiting += 1
      last = last.then(async () => {
        for (const answer of await answersTo(services, message)) await send(socket, answer)
        waiting -= 1
        if (waiting < MOST_WAITING && socket.isPaused()) socket.resume()
      })
    }
    if (waiting >= MOST_WAITING) socket.pause()
  })
  socket.on('end', () => {
    last = last.then(() => void socket.end())
  })
}

// Who sends and never reads would fill the memory with answers: the next message waits until this one's are taken.
async function send(socket: Socket, answer: string): Promise<void> {
  if (!socket.writable || socket.write(frame(answer))) return
  const taken = new AbortController()
  const { signal } = taken
  await Promise.race([once(socket, 'drain', { signal }), once(socket, 'close', { signal })]).catch(() => undefined)
  taken.abort()
}

// Whatever happens, a sender that waits for an answer gets one: without it the lane of an analyser stands still.
async function answersTo(services: Services, { bytes, isCut }: Framed): Promise<string[]> {
  if (isCut) return refuseFrame(services, bytes, 'too-large')
  try {
    return await receiveFrame(services, bytes)
  } catch (error) {
    services.log.error({ fault: error instanceof Error ? error.name : typeof error }, 'an HL7 message could not be read')
    return refuseFrame(services, bytes, 'internal')
  }
}
