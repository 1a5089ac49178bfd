import { request as requestPlain } from 'node:http'
import { request as requestSecure } from 'node:https'
import { AddressRefused, isInside, lookupPublic } from '@carespine/kit/outside-address'

/** An endpoint that is not sent to, or that did not take what it was sent. The reason quotes nothing of either. */
export class NotTaken extends Error {
  readonly reason: string
  constructor(reason: string) {
    super(reason)
    this.reason = reason
  }
}

/** Why a rest-hook's endpoint may not be sent to; undefined when it may. @param trusted `host` or `host:port` of the installation's choice. */
export function faultOfEndpoint(endpoint: string, trusted: readonly string[]): string | undefined {
  const url = new URL(endpoint)
  const { protocol, hostname, host, username, password } = url
  if (username !== '' || password !== '') return 'The endpoint holds a user name or a password. Give them in a header.'
  if (trusted.includes(hostname) || trusted.includes(host)) return protocol === 'https:' || protocol === 'http:' ? undefined : 'The endpoint is neither https nor http.'
  if (protocol !== 'https:') return 'The endpoint must be https.'
  return isInside(url) ? 'The endpoint is an address that this server does not send to.' : undefined
}

export interface Post {
  endpoint: string
  headers: Readonly<Record<string, string>>
  body: string
  timeoutMilliseconds: number
  trusted: readonly string[]
}

/** Sends a body to an endpoint. Throws `NotTaken` for anything but a 2xx; a redirect is none, and is not followed. */
export async function postTo({ endpoint, headers, body, timeoutMilliseconds, trusted }: Post): Promise<void> {
  if (faultOfEndpoint(endpoint, trusted) !== undefined) throw new NotTaken('ADDRESS_REFUSED')
  const { protocol, hostname, host } = new URL(endpoint)
  const isTrusted = trusted.includes(hostname) || trusted.includes(host)
  const send = protocol === 'https:' ? requestSecure : requestPlain
  await new Promise<void>((resolve, reject) => {
    const request = send(endpoint, {
      method: 'POST',
      headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
      agent: false,
      signal: AbortSignal.timeout(timeoutMilliseconds),
      ...(isTrusted ? {} : { lookup: lookupPublic }),
    })
    request.on('response', (response) => {
      const { statusCode = 0 } = response
      response.resume()
      // The answer's body is nobody's business here, however long it is.
      request.destroy()
      if (statusCode >= 200 && statusCode < 300) resolve()
      else reject(new NotTaken(`HTTP_${statusCode}`))
    })
    request.on('error', (error: NodeJS.ErrnoException) => {
      reject(new NotTaken(error instanceof AddressRefused ? 'ADDRESS_REFUSED' : error.name === 'AbortError' || error.name === 'TimeoutError' ? 'TIMEOUT' : (error.code ?? 'CONNECTION')))
    })
    request.end(body)
  })
}
