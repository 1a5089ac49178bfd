import { randomUUID } from 'node:crypto'
import { type CryptoKey, exportJWK, exportPKCS8, generateKeyPair, importJWK, importPKCS8, type JWK, jwtVerify, SignJWT } from 'jose'
import { refuse } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import type { Actor } from '@carespine/store/contract'
import { LRUCache } from 'lru-cache'

/** Life of an access token. */
export const ACCESS_SECONDS = 600
const ISSUER = 'carespine'

/** What an access token says: who, and in which session. What they may do is looked up, not carried. */
export interface Claims {
  sub: string
  kind: 'user' | 'client'
  session?: string
  portal?: string
}

/** Signs and checks access tokens: ES256, a key of this installation. */
export class TokenOffice {
  readonly #privateKey: CryptoKey
  readonly #publicKey: CryptoKey
  readonly jwks: { keys: JWK[] }
  readonly #checked = new LRUCache<string, { claims: Claims; expires: number }>({ max: 5000 })

  private constructor(privateKey: CryptoKey, publicKey: CryptoKey, jwk: JWK) {
    this.#privateKey = privateKey
    this.#publicKey = publicKey
    this.jwks = { keys: [jwk] }
  }

  /** The signing key of this installation, made at the first start; kept in the database, wrapped, for every process. */
  static async open({ keyring }: Services['store']): Promise<TokenOffice> {
    const { privateKey: fresh } = await generateKeyPair('ES256', { extractable: true })
    const kept = await keyring.secret('token-signing-key', Buffer.from(await exportPKCS8(fresh)))
    const privateKey = await importPKCS8(kept.toString(), 'ES256', { extractable: true })
    const { d: _secret, ...jwk } = await exportJWK(privateKey)
    const publicKey = (await importJWK(jwk, 'ES256')) as CryptoKey
    return new TokenOffice(privateKey, publicKey, { ...jwk, alg: 'ES256', use: 'sig', kid: 'carespine-1' })
  }

  async issue(claims: Claims, now: Date): Promise<string> {
    const issued = Math.floor(now.getTime() / 1000)
    const { sub, ...rest } = claims
    return await new SignJWT(rest)
      .setProtectedHeader({ alg: 'ES256', kid: 'carespine-1' })
      .setSubject(sub)
      .setIssuer(ISSUER)
      .setJti(randomUUID())
      .setIssuedAt(issued)
      .setExpirationTime(issued + ACCESS_SECONDS)
      .sign(this.#privateKey)
  }

  /** Claims of a token; refuses when it is forged or expired. Checked signatures are remembered until they expire. */
  async check(token: string, now: Date): Promise<Claims> {
    const known = this.#checked.get(token)
    if (known) {
      if (known.expires > now.getTime()) return known.claims
      return refuse('IDENTITY_TOKEN_INVALID')
    }
    try {
      const { payload } = await jwtVerify(token, this.#publicKey, { issuer: ISSUER, algorithms: ['ES256'], currentDate: now })
      const { sub, kind, session, portal, exp } = payload as unknown as Claims & { exp: number }
      const claims = { sub, kind, ...(session ? { session } : {}), ...(portal ? { portal } : {}) }
      this.#checked.set(token, { claims, expires: exp * 1000 })
      return claims
    } catch {
      return refuse('IDENTITY_TOKEN_INVALID')
    }
  }
}

/** Remembers actors for a few seconds: an ended session or a closed account is noticed within this time. */
export const ACTOR_SECONDS = 5

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
}
