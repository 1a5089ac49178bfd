import type { Services } from '@carespine/kit/services'
import { refuse } from '@carespine/kit/module'
import type { Actor, Transaction } from '@carespine/store/contract'
import type { FastifyRequest } from 'fastify'
import { Attempts } from './attempts.ts'
import type { RelyingParty } from './passkeys.ts'
import type { SessionLimit } from './session-limits.ts'
import type { TokenOffice } from './tokens.ts'

/** What the routes of sign-in share. */
export interface Desk {
  services: Services
  tokens(): TokenOffice
  /** Makes what is remembered of a session (or of a client) go at once. */
  forget(key: string): void
  /** How long sessions of a portal last. */
  limits(portal: string): SessionLimit
  /** To whom passkeys belong. */
  party: RelyingParty
  system(): Actor
  /** One unit of work as the module itself, for somebody who is not signed in yet. */
  transact<T>(request: FastifyRequest, action: string, run: (tx: Transaction) => Promise<T>): Promise<T>
  attempts: Attempts
  /** `onRequest` of every route where something can be guessed. */
  limited(request: FastifyRequest): Promise<void>
}

/** What the module brings to the desk. */
export type Office = Pick<Desk, 'tokens' | 'forget' | 'limits' | 'party'>

export function openDesk(services: Services, office: Office): Desk {
  const system = (): Actor => services.system('identity')
  const attempts = new Attempts()
  return {
    ...office,
    services,
    system,
    transact: (request, action, run) => services.transact(system(), { ...request.origin, action, module: 'identity' }, ({ tx }) => run(tx)),
    attempts,
    async limited(request) {
      const wait = attempts.take(request.ip)
      if (wait > 0) refuse('RATE_LIMITED', { retryAfter: wait })
    },
  }
}

export const schema = (summary: string) => ({ tags: ['identity'], summary })

/** The body as its shape demands it, or INPUT_INVALID that names each field. */
export function parse<T>(
  shape: { safeParse(body: unknown): { success: true; data: T } | { success: false; error: { issues: { path: PropertyKey[]; message: string }[] } } },
  body: unknown,
): T {
  const parsed = shape.safeParse(body ?? {})
  if (parsed.success) return parsed.data
  return refuse('INPUT_INVALID', {
    fields: parsed.error.issues.map(({ path, message }) => ({ field: path.join('.'), problem: message })),
  })
}
