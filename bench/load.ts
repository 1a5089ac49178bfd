import autocannon from 'autocannon'
import { databaseTime, processorTime } from './hospital.ts'

/** Connections that ask at the same time, each for the next answer as soon as it has the last. */
export const CONNECTIONS = 16

export interface Measured {
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
  /** Path and body of the nth request. */
  next(nth: number): { path: string; body?: string }
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
export async function ask({ url, pid, postmaster, token, method, next }: Load, seconds: number, name: string): Promise<Measured> {
  let nth = 0
  const times: number[] = []
  const used = processorTime(pid)
  const usedByDatabase = databaseTime(postmaster)
  const run = autocannon({
    url,
    connections: CONNECTIONS,
    duration: seconds,
    requests: [
      {
        method,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(method === 'POST' ? { 'content-type': 'application/fhir+json' } : {}),
        },
        setupRequest: (request) => ({ ...request, ...next(nth++) }),
      },
    ],
  })
  // autocannon's own percentiles are whole milliseconds.
  const on = run as unknown as { on(event: 'response', heard: (client: unknown, status: number, bytes: number, time: number) => void): void }
  on.on('response', (_client, _status, _bytes, time) => void times.push(time))
  const result = await run
  if (result.non2xx > 0 || result.errors > 0 || result.timeouts > 0) {
    const statuses = JSON.stringify(result.statusCodeStats ?? {})
    throw new Error(`${name}: ${result.non2xx} answers other than 2xx, ${result.errors} errors, ${result.timeouts} without answer ${statuses}`)
  }
  if (times.length === 0) throw new Error(`${name}: no answers`)
  times.sort((a, b) => a - b)
  return {
    perSecond: times.length / result.duration,
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
    processor: (processorTime(pid) - used) / times.length,
    database: (databaseTime(postmaster) - usedByDatabase) / times.length,
  }
}
