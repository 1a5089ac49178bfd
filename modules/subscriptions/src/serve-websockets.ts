import type { Server } from 'node:http'
import type { Services } from '@carespine/kit/services'
import { type WebSocket, WebSocketServer } from 'ws'
import { tokenHash } from './ask-subscriptions.ts'
import { selectRows } from './keep-subscription.ts'
import { CHANNEL, everywhere, settle, type Settings, type SubscriptionRow, waitingEvents } from './ledger.ts'
import { notificationOf } from './notification-bundle.ts'
import { openSealed, showEvents, standingOf, subscriberOf } from './show-events.ts'

const WEBSOCKET_PATH = '/fhir/R4/subscriptions'

const PING_MILLISECONDS = 30_000
const POLL_MILLISECONDS = 2000
const BIND_MILLISECONDS = 30_000
const MOST_CONNECTIONS = 1000

interface Bound {
  socket: WebSocket
  last: Promise<void>
  waiting: boolean
  /** When it was last told something. */
  toldAt: number
}

/**
 * Notifications over websockets, on the HTTP port beside the portals' live connections. A client sends
 * `bind-with-token <token>` and gets a handshake, what waits, and what comes. Returns how to stop.
 */
export async function serveWebsockets(server: Server, services: Services): Promise<() => void> {
  const { database } = services.store
  const wss = new WebSocketServer({ noServer: true, maxPayload: 4096, perMessageDeflate: false })
  /** One connection for each subscription: the last that was bound. */
  const bound = new Map<string, Bound>()
  const answering = new WeakSet<WebSocket>()

  server.on('upgrade', (request, socket, head) => {
    if (request.url?.split('?')[0] !== WEBSOCKET_PATH) return
    if (wss.clients.size >= MOST_CONNECTIONS) return void socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n')
    wss.handleUpgrade(request, socket, head, (client) => {
      wss.emit('connection', client, request)
    })
  })

  wss.on('connection', (socket) => {
    answering.add(socket)
    const unbound = setTimeout(() => socket.close(1008, 'not bound'), BIND_MILLISECONDS)
    unbound.unref()
    socket.on('pong', () => answering.add(socket))
    socket.on('error', () => socket.terminate())
    socket.on('close', () => {
      clearTimeout(unbound)
      for (const [row, one] of bound) if (one.socket === socket) bound.delete(row)
    })
    socket.on('message', (data) => {
      const token = /^bind-with-token ([\w-]{20,100})$/.exec(String(data).trim())?.[1]
      if (token === undefined) return socket.close(1008, 'send bind-with-token and a token')
      bind(socket, token).then(
        () => clearTimeout(unbound),
        () => socket.close(1011, 'try again'),
      )
    })
  })

  const rowOf = async (row: string): Promise<SubscriptionRow | undefined> =>
    (await database.query<SubscriptionRow>(everywhere, { text: `${selectRows} where row = $1`, values: [row] }))[0]

  const bind = async (socket: WebSocket, token: string): Promise<void> => {
    const [binding] = await database.query<{ subscription: string; owner: string; expires_at: Date }>(everywhere, {
      text: 'delete from subscriptions.binding where token_hash = $1 returning subscription, owner, expires_at',
      values: [tokenHash(token)],
    })
    const row = binding && binding.expires_at > services.now() ? await rowOf(binding.subscription) : undefined
    if (!binding || !row || row.owner !== binding.owner || row.channel !== 'websocket') return socket.close(1008, 'the token is not valid')
    bound.get(row.row)?.socket.close(1000, 'bound elsewhere')
    bound.set(row.row, { socket, last: Promise.resolve(), waiting: false, toldAt: services.now().getTime() })
    await say(socket, JSON.stringify(notificationOf(standingOf(row, openSealed<Settings>(services, row.branch, row.settings)), 'handshake', services.now())))
    push(row.row)
  }

  // One look at the ledger at a time, and one more when something came meanwhile.
  const push = (row: string): void => {
    const one = bound.get(row)
    if (!one || one.waiting) return
    one.waiting = true
    one.last = one.last.then(() => {
      one.waiting = false
      return sendWaiting(row, one).catch(() => services.log.warn('a websocket was not told'))
    })
  }

  const sendWaiting = async (id: string, one: Bound): Promise<void> => {
    const { socket } = one
    for (;;) {
      const row = await rowOf(id)
      if (!row || row.status === 'off' || row.channel !== 'websocket') return socket.close(1000, 'the subscription ended')
      const opened = openSealed<Settings>(services, row.branch, row.settings)
      const actor = await subscriberOf(services.ask, row)
      if (!actor) return socket.close(1008, 'the account is closed')
      const events = await waitingEvents(database, id, opened.maxCount)
      if (socket.readyState !== socket.OPEN) return
      if (events.length === 0) return await beat(row, opened, one)
      const { shown, withheld } = await showEvents(services, actor, events, { payload: opened.payload, action: 'subscriptions.notify' })
      if (shown.length > 0) {
        await say(socket, JSON.stringify(notificationOf(standingOf(row, opened), 'event-notification', services.now(), shown, opened.payload)))
        one.toldAt = services.now().getTime()
      }
      await settle(database, id, shown.map(({ number }) => String(number)), 'delivered', services.now())
      await settle(database, id, withheld, 'withheld', services.now())
    }
  }

  // Says that all is well when nothing was told for so long.
  const beat = async (row: SubscriptionRow, opened: Settings, one: Bound): Promise<void> => {
    const now = services.now()
    if (row.heartbeat_seconds === null || now.getTime() - one.toldAt < row.heartbeat_seconds * 1000) return
    one.toldAt = now.getTime()
    await say(one.socket, JSON.stringify(notificationOf(standingOf(row, opened), 'heartbeat', now)))
  }

  const poll = setInterval(() => {
    for (const row of bound.keys()) push(row)
  }, POLL_MILLISECONDS)
  const ping = setInterval(() => {
    for (const socket of wss.clients) {
      if (!answering.delete(socket)) socket.terminate()
      else socket.ping()
    }
  }, PING_MILLISECONDS)
  poll.unref()
  ping.unref()
  const stop = await database.listen([CHANNEL], () => {
    for (const row of bound.keys()) push(row)
  })
  return () => {
    clearInterval(poll)
    clearInterval(ping)
    stop()
    for (const socket of wss.clients) socket.terminate()
    wss.close()
  }
}

function say(socket: WebSocket, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(text, (error) => (error ? reject(error) : resolve()))
  })
}
