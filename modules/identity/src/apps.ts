import type { Actor, AppAccess, ReadView, Transaction } from '@carespine/store/contract'
import type { FastifyRequest } from 'fastify'
import type { Claims } from './tokens.ts'

/** The actor as an app acts for it, or a client for itself under scopes; undefined when what it was allowed has ended. */
export type AsApp = (view: ReadView, actor: Actor, app: AppAccess) => Promise<Actor | undefined>

/** What the authorization server for apps has of identity: accounts and keys are here, and nowhere else. */
export interface ForApps {
  /** An access token, which this server's own routes take. Lives ten minutes unless `seconds` says otherwise. */
  issue(claims: Claims, now: Date, seconds?: number): Promise<string>
  /** An id token (OpenID Connect Core, section 2), of the issuer that its claims name. */
  idToken(claims: Readonly<Record<string, unknown>>): Promise<string>
  /** Claims of an access token of ours; a refusal when it is forged or expired. */
  claimsOf(token: string): Promise<Claims & { exp: number }>
  /** Makes tokens of an app and a grant be looked at anew, at once in this process. */
  forget(app: AppAccess): void
  /** Whoever a grant is of, as in the portal that it was given in; undefined when the account is closed. */
  userActor(view: ReadView, user: string, portal: string): Promise<Actor | undefined>
  /** Whether a session goes on. */
  isSignedIn(view: ReadView, session: string): Promise<boolean>
  clientActor(view: ReadView, id: string): Promise<Actor | undefined>
  addClient(tx: Transaction, client: { display: string; roles: readonly string[] }): Promise<{ client_id: string; client_secret: string }>
  /** Ends what the client has of its own, or lets it in again. */
  setClientActive(tx: Transaction, id: string, active: boolean): Promise<void>
  /** A new secret in the place of the old one. */
  newSecret(tx: Transaction, id: string): Promise<string>
  /** The client whose secret this is; `wait` in seconds when there were too many attempts from there. */
  clientBySecret(request: FastifyRequest, id: string, secret: string): Promise<{ actor?: Actor; wait: number }>
  /** Seconds that an address has to wait that asks too often. */
  rush(request: FastifyRequest): number
}

/** By what an actor is remembered. */
export function appKey({ client, grant, scope }: AppAccess): string {
  return `app:${grant ?? client}/${scope}`
}
