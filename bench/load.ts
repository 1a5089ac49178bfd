import { connect } from 'node:net'
import { databaseTime, processorTime } from './hospital.ts'

/** Connections that ask at the same time, each for the next answer as soon as it has the last. */
export const CONNECTIONS = 16

const TIMEOUT_MS = 30_000

export interface Measured {
  answers: number
  perSecond: number
  /** Milliseconds. */
  p50: number
  p99: number
  /** Milliseconds of processor time that the answering process took for one request; NaN where nobody counts them. */
  processor: number
  /** The same of PostgreSQL. */
  database: number
}

export interface Load {
  url: string
  /** Of the process that answers. */
  pid: number
  postmaster: number
  token?: string
  method: 'GET' | 'POST'
  /** Default: `CONNECTIONS`. */
  connections?: number
  /** The nth request, and what the connection that sends it has last been answered. */
  next(nth: number, connection: number, lastHead: string): Asked
}

export interface Asked {
  path: string
  body?: string
  /** Default: that of the load. */
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
}

/** The value below which `share` of the sorted values lie. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}

/** Asks for `seconds`. Throws when any answer is not a 2xx, or does not come. */
export async function ask(load: Load, seconds: number, name: string): Promise<Measured> {
  const used = processorTime(load.pid)
  const usedByDatabase = databaseTime(load.postmaster)
  const began = performance.now()
  const until = began + seconds * 1000
  const times: number[] = []
  let nth = 0
  const ask = (connection: number): Promise<void> => askInTurn(load.url, (head) => requestText(load, load.next(nth++, connection, head)), until, times)
  await Promise.all(Array.from({ length: load.connections ?? CONNECTIONS }, (_none, connection) => ask(connection))).catch((error: unknown) => {
    throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`)
  })
  const lasted = performance.now() - began
  if (times.length === 0) throw new Error(`${name}: no answers`)
  times.sort((a, b) => a - b)
  return {
    answers: times.length,
    perSecond: times.length / (lasted / 1000),
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
    processor: (processorTime(load.pid) - used) / times.length,
    database: (databaseTime(load.postmaster) - usedByDatabase) / times.length,
  }
}

function requestText({ url, token, method: usual }: Load, { path, body, method = usual }: Asked): string {
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${new URL(url).host}`]
  if (token !== undefined) lines.push(`Authorization: Bearer ${token}`)
  if (body !== undefined) lines.push('Content-Type: application/fhir+json', `Content-Length: ${Buffer.byteLength(body)}`)
  return `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`
}

// Node's own socket and no more: the load shares two cores with what it measures, and an HTTP client took as much of
// them as the server.
function askInTurn(url: string, next: (lastHead: string) => string, until: number, times: number[]): Promise<void> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    let sent = 0
    // Bytes of the body that have not come yet; undefined while the head is awaited.
    let missing: number | undefined
    let head = ''
    const send = (): void => {
      if (performance.now() >= until) {
        socket.end()
        resolve()
        return
      }
      const request = next(head)
      missing = undefined
      head = ''
      sent = performance.now()
      socket.write(request)
    }
    const fail = (reason: string): void => {
      socket.destroy()
      reject(new Error(reason))
    }
    socket.setTimeout(TIMEOUT_MS, () => fail(`no answer within ${TIMEOUT_MS} ms`))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the connection ended')))
    socket.on('connect', send)
    socket.on('data', (chunk: Buffer) => {
      if (missing === undefined) {
        head += chunk.toString('latin1')
        const end = head.indexOf('\r\n\r\n')
        if (end < 0) return
        const status = head.slice(9, 12)
        const length = status === '204' ? '0' : /\r\ncontent-length: (\d+)/i.exec(head.slice(0, end))?.[1]
        if (!status.startsWith('2')) return fail(`answered ${status} ${head.slice(end + 4, end + 600)}`)
        if (length === undefined) return fail('an answer without a length')
        missing = Number(length) - (head.length - end - 4)
      } else missing -= chunk.length
      if (missing > 0) return
      times.push(performance.now() - sent)
      send()
    })
  })
}
