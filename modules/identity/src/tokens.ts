import { randomUUID } from 'node:crypto'
import { refuse } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import type { Actor, AppAccess } from '@carespine/store/contract'
import { type CryptoKey, decodeProtectedHeader, type JWK, jwtVerify, SignJWT } from 'jose'
import { LRUCache } from 'lru-cache'
import { ACCESS_SECONDS, ensureSigningKey, loadSigningKeys, type SigningKey } from './signing-keys.ts'

const ISSUER = 'carespine'
/** What another process did to the keys is known here within this time, as is the end of a session. */
const KEYS_MILLISECONDS = 5000
/** Tokens of keys that do not exist make nobody look for them more often than this. */
const SEEK_MILLISECONDS = 500

/** What an access token says: who, and in which session. What they may do is looked up, not carried. */
export interface Claims {
  sub: string
  kind: 'user' | 'client'
  session?: string
  portal?: string
  /** Of an app's token: under what it acts. */
  app?: AppAccess
}

// As RFC 9068 names them.
interface Payload extends Omit<Claims, 'app'> {
  exp: number
  client_id?: string
  scope?: string
  grant?: string
}

/** Signs and checks access tokens: ES256, with keys that change while tokens of the last one still live. */
export class TokenOffice {
  readonly #services: Services
  readonly #checked = new LRUCache<string, { claims: Claims; expires: number; kid: string }>({ max: 5000 })
  #keys: ReadonlyMap<string, SigningKey> = new Map()
  #current: { kid: string; privateKey: CryptoKey } | undefined
  #loadedAt = Number.NEGATIVE_INFINITY
  #loading: Promise<void> | undefined

  private constructor(services: Services) {
    this.#services = services
  }

  /** With the keys of this installation; makes the first at its first start. */
  static async open(services: Services): Promise<TokenOffice> {
    const office = new TokenOffice(services)
    await services.transact(services.system('identity'), { correlationId: randomUUID(), action: 'identity.signing-keys', module: 'identity' }, ({ tx, now }) => ensureSigningKey(tx, now))
    await office.#load()
    return office
  }

  /** The current key and those whose tokens may still live (RFC 7517). */
  async jwks(): Promise<{ keys: JWK[] }> {
    await this.#keepUp()
    return { keys: [...this.#keys.values()].filter((key) => isLive(key, this.#services.now())).map(({ jwk }) => jwk) }
  }

  async issue(claims: Claims, now: Date, seconds = ACCESS_SECONDS): Promise<string> {
    await this.#keepUp()
    const { kid, privateKey } = this.#current ?? refuse('STORE_UNAVAILABLE')
    const issued = Math.floor(now.getTime() / 1000)
    const { sub, app, ...rest } = claims
    return await new SignJWT({ ...rest, ...(app ? { client_id: app.client, scope: app.scope, ...(app.grant ? { grant: app.grant } : {}) } : {}) })
      .setProtectedHeader({ alg: 'ES256', kid })
      .setSubject(sub)
      .setIssuer(ISSUER)
      .setJti(randomUUID())
      .setIssuedAt(issued)
      .setExpirationTime(issued + seconds)
      .sign(privateKey)
  }

  /** Signs what is no access token of ours, such as an id token: its issuer is another, by which `check` refuses it. */
  async sign(claims: Readonly<Record<string, unknown>>): Promise<string> {
    await this.#keepUp()
    const { kid, privateKey } = this.#current ?? refuse('STORE_UNAVAILABLE')
    return await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid }).sign(privateKey)
  }

  /** When a token that was checked expires, in seconds since 1970. */
  expiryOf(token: string): number {
    return Math.floor((this.#checked.get(token)?.expires ?? 0) / 1000)
  }

  /** Claims of a token; refuses when it is forged, expired or of a key that has ended. Checked signatures are remembered. */
  async check(token: string, now: Date): Promise<Claims> {
    if (performance.now() - this.#loadedAt > KEYS_MILLISECONDS) await this.#keepUp()
    const known = this.#checked.get(token)
    if (known) {
      const key = this.#keys.get(known.kid)
      if (known.expires > now.getTime() && key && isLive(key, now)) return known.claims
      return refuse('IDENTITY_TOKEN_INVALID')
    }
    try {
      const { kid = '' } = decodeProtectedHeader(token)
      if (!this.#keys.has(kid)) await this.#keepUp(SEEK_MILLISECONDS)
      const key = this.#keys.get(kid)
      if (!key || !isLive(key, now)) return refuse('IDENTITY_TOKEN_INVALID')
      const { payload } = await jwtVerify(token, key.publicKey, { issuer: ISSUER, algorithms: ['ES256'], currentDate: now })
      const { sub, kind, session, portal, exp, client_id: client, scope, grant } = payload as unknown as Payload
      const app = client === undefined ? undefined : { client, scope: scope ?? '', ...(grant ? { grant } : {}) }
      const claims = { sub, kind, ...(session ? { session } : {}), ...(portal ? { portal } : {}), ...(app ? { app } : {}) }
      this.#checked.set(token, { claims, expires: exp * 1000, kid })
      return claims
    } catch {
      return refuse('IDENTITY_TOKEN_INVALID')
    }
  }

  /** Looks again when the last look is older. Without a database the keys that are known go on. */
  async #keepUp(milliseconds = KEYS_MILLISECONDS): Promise<void> {
    if (performance.now() - this.#loadedAt <= milliseconds) return
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined
    })
    await this.#loading.catch(() => undefined)
  }

  async #load(): Promise<void> {
    const services = this.#services
    const origin = { correlationId: randomUUID(), action: 'identity.signing-keys', module: 'identity' }
    const { keys, current } = await services.view(services.system('identity'), origin, ({ view }) => loadSigningKeys(view, services.now()))
    this.#keys = new Map(keys.map((key) => [key.kid, key]))
    this.#current = current
    this.#loadedAt = performance.now()
  }
}

function isLive({ endsAt }: SigningKey, now: Date): boolean {
  return endsAt === undefined || endsAt > now
}

/** Remembers actors for a few seconds: an ended session or a closed account is noticed within this time. */
const ACTOR_SECONDS = 5

export class ActorCache {
  readonly #actors = new LRUCache<string, Promise<Actor>>({ max: 5000, ttl: ACTOR_SECONDS * 1000 })

  get(key: string, load: () => Promise<Actor>): Promise<Actor> {
    let actor = this.#actors.get(key)
    if (!actor) {
      actor = load()
      actor.catch(() => this.#actors.delete(key))
      this.#actors.set(key, actor)
    }
    return actor
  }

  forget(key: string): void {
    this.#actors.delete(key)
  }

  clear(): void {
    this.#actors.clear()
  }
}
