import type { Actor, Origin } from '@carespine/store/contract'
import type { Store } from '@carespine/store/store'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { EventDefinition, RefusalDefinition } from './contract.ts'
import type { Ask, CommandContext, QueryContext } from './module.ts'

/** What a link or a module with routes of its own may use of the running server. */
export interface Services {
  now(): Date
  log: Logger
  /** The account a module acts under when no person does; sees every branch, or those given. */
  system(module: string, branches?: readonly string[]): Actor
  /**
   * One unit of work as `actor`; commits when `run` resolves. `run` is called again, up to four times, when another
   * commit came in between.
   */
  transact<T>(actor: Actor, origin: Origin, run: (context: CommandContext) => Promise<T>): Promise<T>
  /** Reads as `actor`; the audit entries are stored before this resolves. */
  view<T>(actor: Actor, origin: Origin, run: (context: QueryContext) => Promise<T>): Promise<T>
  /** Runs a module's action by its contract as `actor`, exactly as its route would, permission check included. */
  perform: Perform
  /** Refuses with STEP_UP_NEEDED when a person's session gave no proof of who they are for so many minutes. */
  demandProof(actor: Actor, minutes: number): Promise<void>
  ask: Ask
  /** The record below commands: for links that serve resources as they are. */
  store: Store
  /** Every refusal that the engine and the modules declare. */
  refusals: Readonly<Record<string, RefusalDefinition>>
  /** Every event type that a module declares. */
  events: readonly EventDefinition[]
}

export type Perform = <I extends import('zod').ZodType, O extends import('zod').ZodType>(
  action: import('./contract.ts').Action<I, O>,
  input: import('zod').input<I>,
  actor: Actor,
  origin?: Partial<Origin>,
  /** A command that was done under the same key is not done again: its first answer is given. */
  options?: { idempotencyKey?: string },
) => Promise<import('zod').output<O>>

/** Who is behind a request, or undefined without a valid sign-in. Given by the identity module. */
export interface Authenticator {
  /** The actor of a bearer token; a refusal `IDENTITY_TOKEN_INVALID` when it is forged, expired or ended. */
  actorOf(token: string): Promise<Actor>
  /** What people may do has changed: everybody is looked at anew. */
  forgetActors(): void
}

/** Routes beside the derived ones: sign-in, FHIR, aggregates. Each declares `config: { allow: '<permission>' }`. */
export type RouteContributor = (app: FastifyInstance, services: Services) => Promise<void> | void

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Permission that opens the route; `signed-in` or `anyone` are said explicitly. A route without it does not start. */
    allow?: string
    /** Open without a token to who asks on the server's own machine. */
    openOnThisMachine?: boolean
    /** Open to apps that act for somebody; to whom a route is not, apps are refused whatever they were allowed. */
    openToApps?: boolean
    /** As `stepUp` of an action. */
    stepUp?: number
  }
  interface FastifyRequest {
    /** Set by the kit before the handler of every route that is not open to anyone. */
    actor: Actor
    origin: Origin
  }
}
