import { randomUUID } from 'node:crypto'
import { defineModule, refuse } from '@carespine/kit/module'
import type { Authenticator, Services } from '@carespine/kit/services'
import type { Actor } from '@carespine/store/contract'
import { clientActor, findAccount, userActor } from './accounts.ts'
import { forgetAttempts } from './attempts.ts'
import { refusals } from './contract.ts'
import { FactorChanged, factorRefusals } from './factor-contract.ts'
import { manageFactorActions } from './manage-factors.ts'
import { ownFactorActions } from './own-factors.ts'
import { relyingParty } from './passkeys.ts'
import { pinActions } from './pin.ts'
import { guarded } from './guard.ts'
import { type SessionLimits, sessionLimits, whyOver } from './session-limits.ts'
import { tidySessions } from './sessions.ts'
import { sessionActions } from './show-sessions.ts'
import { signInRoutes } from './sign-in-routes.ts'
import { rotateSigningKeys } from './signing-keys.ts'
import { lastProof } from './step-up.ts'
import { wardComputerActions } from './ward-computer.ts'
import { ActorCache, type Claims, TokenOffice } from './tokens.ts'
import { actorNowAnswer, branchesAnswer, createUserCommand, disableUserCommand, listUsersQuery, practitionersWithAnswer, usersWhoAnswer } from './users.ts'

export interface IdentitySettings {
  /** Limits of sessions by portal, where they are not those that ship. */
  sessions?: SessionLimits
  /** Where people reach the portals: passkeys belong to it. */
  publicUrl?: string
}

/** Accounts, sign-in, sessions, tokens; and the authenticator that every route asks. */
export function createIdentity({ sessions, publicUrl }: IdentitySettings = {}): {
  module: ReturnType<typeof defineModule>
  authenticator(services: Services): Promise<Authenticator>
} {
  const actors = new ActorCache()
  const limits = sessionLimits(sessions)
  const party = relyingParty(publicUrl)
  let office: TokenOffice | undefined
  const tokens = (): TokenOffice => office ?? refuse('STORE_UNAVAILABLE')

  const load = async (services: Services, claims: Claims): Promise<Actor> => {
    const actor = await find(services, claims)
    // Another process may have made the key of a branch since this one started.
    const { keyring } = services.store
    for (const branch of actor.branches) if (!keyring.has(branch)) await keyring.ensure(branch)
    return actor
  }
  const find = async (services: Services, claims: Claims): Promise<Actor> => {
    const origin = { correlationId: randomUUID(), action: 'identity.check', module: 'identity' }
    return await services.view(services.system('identity'), origin, async ({ view }) => {
      if (claims.kind === 'client') return await guarded(view, (await clientActor(view, claims.sub)) ?? refuse('IDENTITY_TOKEN_INVALID'))
      const [session] = await view.sql<{ portal: string; started_at: Date; active_at: Date }>(
        'select portal, started_at, active_at from identity.session where id = $1 and user_id = $2 and ended_at is null',
        [claims.session, claims.sub],
      )
      const goesOn = session && !whyOver(session, limits(session.portal), services.now())
      const account = goesOn ? await findAccount(view, claims.sub) : undefined
      if (!account?.active) return refuse('IDENTITY_TOKEN_INVALID')
      return await guarded(view, userActor(account, { id: claims.session ?? '', portal: claims.portal ?? '' }))
    })
  }

  return {
    module: defineModule({
      name: 'identity',
      migrations: new URL('../migrations/', import.meta.url),
      actions: [listUsersQuery, createUserCommand, disableUserCommand, ...sessionActions(limits), ...ownFactorActions(party), ...pinActions, ...manageFactorActions, ...wardComputerActions],
      answers: [actorNowAnswer, usersWhoAnswer, practitionersWithAnswer, branchesAnswer],
      jobs: [forgetAttempts, rotateSigningKeys, tidySessions(limits)],
      events: [FactorChanged],
      refusals: { ...refusals, ...factorRefusals },
      lastProof,
      routes: (app, services) => signInRoutes(app, services, { tokens, limits, party, forget: (key) => actors.forget(key) }),
    }),
    async authenticator(services) {
      office = await TokenOffice.open(services)
      return {
        async actorOf(token) {
          const claims = await tokens().check(token, services.now())
          return await actors.get(claims.session ?? claims.sub, () => load(services, claims))
        },
        forgetActors: () => actors.clear(),
      }
    },
  }
}
