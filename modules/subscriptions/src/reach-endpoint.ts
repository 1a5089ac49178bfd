import { lookup } from 'node:dns'
import { request as requestPlain } from 'node:http'
import { request as requestSecure } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'

/** An endpoint that is not sent to, or that did not take what it was sent. The reason quotes nothing of either. */
export class NotTaken extends Error {
  readonly reason: string
  constructor(reason: string) {
    super(reason)
    this.reason = reason
  }
}

// IANA special-purpose registries: loopback, private, link-local, shared, reserved, multicast, and IPv4 inside IPv6.
// One list for each: a list takes an IPv4 address for the IPv6 one that it is mapped to.
const inside = { ipv4: new BlockList(), ipv6: new BlockList() }
const v4 = ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.168.0.0/16', '198.18.0.0/15', '224.0.0.0/4', '240.0.0.0/4']
const v6 = ['::/96', '::ffff:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48', '2002::/16', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8']
for (const subnet of v4) inside.ipv4.addSubnet(subnet.split('/')[0] as string, Number(subnet.split('/')[1]), 'ipv4')
for (const subnet of v6) inside.ipv6.addSubnet(subnet.split('/')[0] as string, Number(subnet.split('/')[1]), 'ipv6')

/** Whether an address is of the public internet. */
export function isPublic(address: string): boolean {
  const version = isIP(address)
  const family = version === 4 ? 'ipv4' : 'ipv6'
  return version !== 0 && !inside[family].check(address, family)
}

/** Why a rest-hook's endpoint may not be sent to; undefined when it may. @param trusted `host` or `host:port` of the installation's choice. */
export function faultOfEndpoint(endpoint: string, trusted: readonly string[]): string | undefined {
  const { protocol, hostname, host, username, password } = new URL(endpoint)
  if (username !== '' || password !== '') return 'The endpoint holds a user name or a password. Give them in a header.'
  if (trusted.includes(hostname) || trusted.includes(host)) return protocol === 'https:' || protocol === 'http:' ? undefined : 'The endpoint is neither https nor http.'
  if (protocol !== 'https:') return 'The endpoint must be https.'
  const address = hostname.replace(/^\[|\]$/g, '')
  return isIP(address) > 0 && !isPublic(address) ? 'The endpoint is an address that this server does not send to.' : undefined
}

// Looked at when the connection is made, not before: a name may point elsewhere a moment later.
const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const found = error ? [] : addresses
    const refused = error ?? (found.length === 0 || found.some(({ address }) => !isPublic(address)) ? new NotTaken('ADDRESS_REFUSED') : null)
    if (refused) callback(refused, '', 4)
    else if (options.all) callback(null, found)
    else callback(null, found[0]?.address ?? '', found[0]?.family)
  })
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
      reject(error instanceof NotTaken ? error : new NotTaken(error.name === 'AbortError' || error.name === 'TimeoutError' ? 'TIMEOUT' : (error.code ?? 'CONNECTION')))
    })
    request.end(body)
  })
}
