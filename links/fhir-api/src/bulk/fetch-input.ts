import { request as requestPlain } from 'node:http'
import { request as requestSecure } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { createGunzip } from 'node:zlib'
import { AddressRefused, isInside, lookupPublic } from '@carespine/kit/outside-address'

/** A file that could not be fetched. The reason quotes nothing of it. */
export class NotFetched extends Error {}

const IDLE_MILLISECONDS = 60_000

/**
 * Whether `$import` may fetch from there. An origin that the installation names may be inside the network and over http;
 * `*` stands for every public one over https.
 */
export function mayFetch(address: string, origins: readonly string[]): boolean {
  const url = URL.parse(address)
  if (url === null || url.username + url.password !== '') return false
  return origins.includes(url.origin) || (origins.includes('*') && url.protocol === 'https:' && !isInside(url))
}

/** Fetches a file. A redirect is a failure: it may lead elsewhere. Throws NotFetched. */
export async function fetchInput(address: string, origins: readonly string[]): Promise<AsyncIterable<Buffer>> {
  if (!mayFetch(address, origins)) throw new NotFetched('ADDRESS_REFUSED')
  const url = new URL(address)
  const send = url.protocol === 'https:' ? requestSecure : requestPlain
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = send(url, {
      headers: { accept: 'application/fhir+ndjson, application/ndjson', 'accept-encoding': 'gzip' },
      agent: false,
      // Looked at when the connection is made: a name may point elsewhere a moment later.
      ...(origins.includes(url.origin) ? {} : { lookup: lookupPublic }),
    })
    request.setTimeout(IDLE_MILLISECONDS, () => request.destroy(new NotFetched('TIMEOUT')))
    request.on('response', resolve)
    request.on('error', (error) => reject(asNotFetched(error)))
    request.end()
  })
  const { statusCode = 0, headers } = response
  if (statusCode !== 200) {
    response.destroy()
    throw new NotFetched(`HTTP_${statusCode}`)
  }
  return asLines(headers['content-encoding'] === 'gzip' ? response.compose(createGunzip()) : response)
}

async function* asLines(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* stream
  } catch (error) {
    throw asNotFetched(error)
  }
}

function asNotFetched(error: unknown): NotFetched {
  if (error instanceof NotFetched) return error
  if (error instanceof AddressRefused) return new NotFetched('ADDRESS_REFUSED')
  return new NotFetched((error as NodeJS.ErrnoException).code ?? 'CONNECTION')
}
