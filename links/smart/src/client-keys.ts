import { request as requestPlain } from 'node:http'
import { request as requestSecure } from 'node:https'
import { isInside, lookupPublic } from '@carespine/kit/outside-address'
import { createLocalJWKSet, type JSONWebKeySet, type LocalJWKSet } from 'jose'
import { LRUCache } from 'lru-cache'

const MOST_BYTES = 65_536
const MILLISECONDS = 5000
/** A key that is not known makes a set be fetched again, not more often than this. */
const AGAIN_MILLISECONDS = 30_000

/** Key sets of clients by their address, as they were last fetched. */
export class ClientKeys {
  readonly #hosts: readonly string[]
  readonly #known = new LRUCache<string, { keys: LocalJWKSet; at: number }>({ max: 200, ttl: 300_000 })

  /** @param hosts That may be reached over http, or inside the network; every other is public and https. */
  constructor(hosts: readonly string[]) {
    this.#hosts = hosts
  }

  /** The keys at an address. With `anew`, not those of a while ago. Throws when there are none to be had. */
  async at(address: string, anew: boolean): Promise<LocalJWKSet> {
    const known = this.#known.get(address)
    if (known && !(anew && performance.now() - known.at > AGAIN_MILLISECONDS)) return known.keys
    const keys = createLocalJWKSet(JSON.parse(await this.#fetch(address)) as JSONWebKeySet)
    this.#known.set(address, { keys, at: performance.now() })
    return keys
  }

  async #fetch(address: string): Promise<string> {
    const url = new URL(address)
    const trusted = this.#hosts.includes(url.host) || this.#hosts.includes(url.hostname)
    if (!trusted && (url.protocol !== 'https:' || isInside(url))) throw new Error('this address is not asked')
    const send = url.protocol === 'https:' ? requestSecure : requestPlain
    return await new Promise<string>((resolve, reject) => {
      const asking = send(url, { headers: { accept: 'application/json' }, agent: false, signal: AbortSignal.timeout(MILLISECONDS), ...(trusted ? {} : { lookup: lookupPublic }) }, (response) => {
        const parts: Buffer[] = []
        let bytes = 0
        // A redirect is a failure: it may lead elsewhere.
        if (response.statusCode !== 200) return void asking.destroy(new Error(`status ${response.statusCode}`))
        response.on('data', (part: Buffer) => {
          bytes += part.length
          if (bytes > MOST_BYTES) asking.destroy(new Error('too much'))
          else parts.push(part)
        })
        response.on('end', () => resolve(Buffer.concat(parts).toString()))
        response.on('error', reject)
      })
      asking.on('error', reject)
      asking.end()
    })
  }
}
