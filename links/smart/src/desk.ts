import { createHash, randomBytes } from 'node:crypto'
import type { Services } from '@carespine/kit/services'
import type { Actor, AppAccess, ReadView, Transaction } from '@carespine/store/contract'
import type { FastifyRequest } from 'fastify'
import type { TermsOf } from './scopes.ts'

interface Claims {
  sub: string
  kind: 'user' | 'client'
  session?: string
  portal?: string
  app?: AppAccess
}

/** What this link has of identity; see `ForApps` there. */
export interface Identity {
  issue(claims: Claims, now: Date, seconds?: number): Promise<string>
  idToken(claims: Readonly<Record<string, unknown>>): Promise<string>
  claimsOf(token: string): Promise<Claims & { exp: number }>
  forget(app: AppAccess): void
  userActor(view: ReadView, user: string, portal: string): Promise<Actor | undefined>
  isSignedIn(view: ReadView, session: string): Promise<boolean>
  clientActor(view: ReadView, id: string): Promise<Actor | undefined>
  addClient(tx: Transaction, client: { display: string; roles: readonly string[] }): Promise<{ client_id: string; client_secret: string }>
  setClientActive(tx: Transaction, id: string, active: boolean): Promise<void>
  newSecret(tx: Transaction, id: string): Promise<string>
  clientBySecret(request: FastifyRequest, id: string, secret: string): Promise<{ actor?: Actor; wait: number }>
  rush(request: FastifyRequest): number
}

export interface SmartSettings {
  /** Where the server is reached, when not where a request says: `https://carespine.example.org`. */
  publicUrl?: string
  /** Hosts that keys of clients may be fetched from over http, or inside the hospital's network. */
  keyHosts?: readonly string[]
}

/** What the parts of the authorization server share. */
export interface Desk {
  services: Services
  identity: Identity
  keyHosts: readonly string[]
  termsOf: TermsOf
  /** Issuer of tokens, without a slash at its end. */
  issuerFor(request: FastifyRequest): string
  transact<T>(request: FastifyRequest, action: string, run: (tx: Transaction) => Promise<T>): Promise<T>
}

export function openDesk(services: Services, identity: Identity, { publicUrl, keyHosts = [] }: SmartSettings): Desk {
  return {
    services,
    identity,
    keyHosts,
    termsOf: (type, name, value) => services.store.termsOf(type, name, value),
    issuerFor: (request) => publicUrl ?? `${request.protocol}://${request.host}`,
    transact: (request, action, run) => services.transact(services.system('smart'), { ...request.origin, action, module: 'smart' }, ({ tx }) => run(tx)),
  }
}

export const FHIR_PATH = '/fhir/R4'
/** How long each waits for the next step. */
export const WAITS_MINUTES = { request: 30, launch: 5, code: 1 } as const

/** Something random that opens something, and what is kept of it. */
export function freshSecret(): { secret: string; hash: Buffer } {
  const secret = randomBytes(32).toString('base64url')
  return { secret, hash: hashOf(secret) }
}

export function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

export function after(now: Date, minutes: number): Date {
  return new Date(now.getTime() + minutes * 60_000)
}
